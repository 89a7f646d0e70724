//! containerd with its CRI plugin, in an instance of its own that can be stopped and started again.

use super::image;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tests::Context;
use tests::scene::{Directory, NetNs};
use tests::wait::{PATIENCE, until};

/// See the module's text; dropping it ends it.
pub struct Containerd {
    directory: Directory,
    /// The network of the node, if it is not that of this process.
    network: Option<File>,
    child: Option<Child>,
}

/// Where Debian has the programs that make the networks of pods.
const CNI: &str = "/usr/lib/cni";

/// A network of the pod's own, joined to the node's by a pair of interfaces (the addresses: TEST-NET-1, RFC 5737).
const POD_NETWORK: &str = r#"{
  "cniVersion": "0.4.0", "name": "pods",
  "plugins": [{ "type": "ptp", "ipam": { "type": "host-local", "subnet": "192.0.2.0/24", "dataDir": "DATA", "routes": [{ "dst": "0.0.0.0/0" }] } }]
}"#;

impl Containerd {
    /// Starts it, with the images; the text says what is missing.
    ///
    /// With a network, that is the node's, and pods may have networks of their own; else all pods are on the network of this process.
    pub fn start_on(network: Option<&NetNs>) -> io::Result<Result<Containerd, String>> {
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
        let network = network.map(|network| File::open(network.path())).transpose()?;
        if network.is_some() && !Path::new(CNI).join("ptp").is_file() {
            return Ok(Err(format!("{CNI}/ptp is not there (package containernetworking-plugins)")));
        }
        let mut containerd = Containerd { directory, network, child: None };
        let at = |name: &str| containerd.directory.path().join(name);
        if containerd.network.is_some() {
            fs::create_dir_all(at("cni/conf"))?;
            let data = at("cni/data").display().to_string();
            fs::write(at("cni/conf/10-pods.conflist"), POD_NETWORK.replace("DATA", &data))?;
        }
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\n[grpc]\naddress = {:?}\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = {:?}\nrestrict_oom_score_adj = true\n\
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = {:?}\nconf_dir = {:?}\n",
            at("root"),
            at("state"),
            containerd.socket(),
            image::PAUSE,
            CNI,
            at("cni/conf"),
        );
        fs::write(at("config.toml"), config)?;
        containerd.again()?;
        containerd.import(&archive)?;
        Ok(Ok(containerd))
    }

    /// Takes the images of an archive in, under the names that they have there.
    pub fn import(&self, archive: &Path) -> io::Result<()> {
        let import = self.ctr().args(["--namespace", "k8s.io", "images", "import"]).arg(archive).output()?;
        if !import.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&import.stderr).into_owned()));
        }
        Ok(())
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
        let network = self.network.as_ref().map(File::try_clone).transpose()?;
        // SAFETY: between fork and exec this makes two system calls and allocates nothing.
        unsafe {
            command.pre_exec(move || {
                if let Some(network) = &network {
                    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
                }
                Ok(set_parent_process_death_signal(Some(Signal::TERM))?)
            });
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
