//! containerd with its CRI plugin, in an instance of its own that can be stopped and started again.

use super::image;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tests::Context;
use tests::scene::Directory;
use tests::wait::{PATIENCE, until};

/// See the module's text; dropping it ends it.
pub struct Containerd {
    directory: Directory,
    child: Option<Child>,
}

impl Containerd {
    /// Starts it, with the images; the text says what is missing.
    pub fn start() -> io::Result<Result<Containerd, String>> {
        for program in ["containerd", "ctr", "runc"] {
            let path = std::env::var_os("PATH").unwrap_or_default();
            if !std::env::split_paths(&path).any(|directory| directory.join(program).is_file()) {
                return Ok(Err(format!("{program} is not installed (packages containerd and runc)")));
            }
        }
        let directory = Directory::new()?;
        let Some(archive) = image::archive(directory.path())? else {
            return Ok(Err("there is no program for sandboxes on this processor".to_owned()));
        };
        let mut containerd = Containerd { directory, child: None };
        let at = |name: &str| containerd.directory.path().join(name);
        // No network of its own (sandboxes are on the node's), no other plugin that would look for what is not there.
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\n[grpc]\naddress = {:?}\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = {:?}\nrestrict_oom_score_adj = true\n\
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = {:?}\nconf_dir = {:?}\n",
            at("root"),
            at("state"),
            containerd.socket(),
            image::PAUSE,
            at("cni/bin"),
            at("cni/conf"),
        );
        fs::write(at("config.toml"), config)?;
        containerd.again()?;
        let import = containerd.ctr().args(["--namespace", "k8s.io", "images", "import"]).arg(archive).output()?;
        if !import.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&import.stderr).into_owned()));
        }
        Ok(Ok(containerd))
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("containerd.sock")
    }

    /// Its files.
    pub fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Starts it once more, after [`Containerd::stop`].
    pub fn again(&mut self) -> io::Result<()> {
        let log = File::options().append(true).create(true).open(self.directory.path().join("log"))?;
        let mut command = Command::new("containerd");
        command.arg("--config").arg(self.directory.path().join("config.toml"));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // SAFETY: between fork and exec this makes one system call and allocates nothing.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
        }
        self.child = Some(command.spawn().context(|| "containerd".into())?);
        until(PATIENCE, "containerd answers", || {
            let asked = self.ctr().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success()).then_some(())
        })
    }

    /// Ends it; its containers live on.
    pub fn stop(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            kill_process(Pid::from_child(&child), Signal::TERM)?;
            child.wait()?;
        }
        Ok(())
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket());
        command
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("containerd could not be ended: {error}");
        }
    }
}
