//! Containers of a real runtime: containerd and runc, in an instance of their own, without images and without a network of theirs.

use super::{Bind, Container, Directory, NetNs, cgroup};
use crate::wait::{PATIENCE, until};
use crate::{Context, Place, Running, locate};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// containerd, listening on a socket of its own; dropping it ends it with what it runs.
#[derive(Debug)]
pub struct Runtime {
    directory: Directory,
    containerd: Child,
    ids: Vec<String>,
}

impl Runtime {
    /// Starts it; the text says what is missing. Needs root.
    pub fn start() -> io::Result<Result<Runtime, String>> {
        for program in ["containerd", "ctr", "runc"] {
            if !on_path(program) {
                return Ok(Err(format!("{program} is not installed (packages containerd and runc)")));
            }
        }
        let directory = Directory::new()?;
        let at = |name: &str| directory.path().join(name);
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {:?}\n",
            at("root"),
            at("state"),
            at("socket")
        );
        fs::write(at("config.toml"), config)?;
        populate(&at("rootfs"))?;
        let log = File::create(at("log"))?;
        let mut command = Command::new("containerd");
        command.arg("--config").arg(at("config.toml")).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // SAFETY: between fork and exec this makes one system call and allocates nothing.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
        }
        let containerd = command.spawn().context(|| "containerd".into())?;
        let runtime = Runtime { directory, containerd, ids: Vec::new() };
        until(PATIENCE, "containerd answers", || {
            let asked = runtime.ctr().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success()).then_some(())
        })?;
        Ok(Ok(runtime))
    }

    /// Runs the actor, as the file `program`, in a new container that ends with it: what is running (its pid is that of the client
    /// `ctr`, not of the actor), and the container's id.
    pub fn run(
        &mut self,
        network: &NetNs,
        binds: &[Bind],
        program: &str,
        arguments: &[&str],
    ) -> io::Result<(Running, String)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("weir-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let rootfs = self.at("rootfs");
        let program_there = rootfs.join(program.trim_start_matches('/'));
        if !program_there.exists() {
            install(&program_there)?;
        }
        let mut words = vec!["--address".into(), self.at("socket").display().to_string(), "run".into(), "--rm".into()];
        words.extend(["--rootfs".into(), "--with-ns".into(), format!("network:{}", network.path().display())]);
        let usr = Bind { source: "/usr".into(), target: "/usr".into(), read_only: true };
        for bind in std::iter::once(&usr).chain(binds) {
            let options = if bind.read_only { "rbind:ro" } else { "rbind:rw" };
            let (source, target) = (bind.source.display(), bind.target.display());
            words.extend(["--mount".into(), format!("type=bind,src={source},dst={target},options={options}")]);
        }
        words.extend([rootfs.display().to_string(), id.clone(), program.to_owned()]);
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        self.ids.push(id.clone());
        Ok((Place::Host.spawn(OsStr::new("ctr"), &words)?, id))
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.at("socket"));
        command
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        for id in &self.ids {
            // Those that have ended are not there any more, which is as it should be.
            for words in [&["task", "kill", "--signal", "SIGKILL", id][..], &["task", "delete", "--force", id]] {
                let _ = self.ctr().args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
            }
        }
        let _ = kill_process(Pid::from_child(&self.containerd), Signal::TERM);
        let _ = self.containerd.wait();
        // runc leaves the directory of containerd's namespace, which goes only if nobody is in it.
        for hierarchy in cgroup::hierarchies().unwrap_or_default() {
            let _ = fs::remove_dir(hierarchy.mount.join("default"));
        }
    }
}

/// What an image would have; the host's programs are mounted.
fn populate(rootfs: &Path) -> io::Result<()> {
    for directory in ["dev", "etc", "opt/weir", "proc", "sys", "tmp", "usr"] {
        fs::create_dir_all(rootfs.join(directory))?;
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(Path::new("usr").join(name), rootfs.join(name))?;
    }
    install(&rootfs.join(Container::ACTOR.trim_start_matches('/')))
}

/// The actor, at this path of the host.
fn install(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::copy(locate::actor()?, path).context(|| path.display().to_string())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
