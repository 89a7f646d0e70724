//! A container of our own, as small as can be: the front of `weir-actor contain`.

use super::NetNs;
use crate::{Context, locate};
use serde_json::Value;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a container is to be.
#[derive(Debug, Default)]
pub struct Spec<'a> {
    /// Directories or files of the host that it sees.
    pub binds: Vec<Bind>,
    /// Its network; without one it has a loopback interface that is down.
    pub network: Option<&'a NetNs>,
    /// Its root is an overlay, as with container runtimes, not a plain tmpfs.
    pub overlay: bool,
    /// It sees the processes of this one, as with `shareProcessNamespace: true`; a pid namespace of its own if not given.
    pub processes_of: Option<&'a Container>,
}

/// A directory or file of the host, seen in a container.
#[derive(Clone, Debug)]
pub struct Bind {
    /// On the host.
    pub source: PathBuf,
    /// In the container, absolute.
    pub target: PathBuf,
    /// It cannot be written there.
    pub read_only: bool,
}

/// A running container; dropping it ends it and removes all of it.
///
/// It has mount, pid, uts, ipc and network namespaces of its own, a root of its own with the host's /usr in it (read-only, so that
/// there is a shell and the libraries of any program), and cgroups as Kubernetes names them. Its first process waits and reaps.
#[derive(Debug)]
pub struct Container {
    /// The container's id: 64 hexadecimal digits.
    pub id: String,
    /// The uid of the pod that it would be in.
    pub pod_uid: String,
    /// Pid of its first process on the host.
    pub pid: u32,
    /// The path of its cgroup in each hierarchy, as in `/proc/PID/cgroup`.
    pub cgroup: String,
    /// The directories of its cgroups, that of v2 first.
    pub cgroup_directories: Vec<PathBuf>,
    supervisor: Child,
    /// Closing it ends the supervisor, whoever closes it: also the kernel, when this process is killed.
    lifeline: Option<ChildStdin>,
}

impl Container {
    /// Where the program `weir-actor` is in each.
    pub const ACTOR: &'static str = "/opt/weir/weir-actor";

    /// Starts one. Needs root.
    pub fn start(spec: &Spec<'_>) -> io::Result<Container> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(locate::actor()?);
        command.args(["contain", "--name", &name]);
        for bind in &spec.binds {
            let option = if bind.read_only { "--bind-read-only" } else { "--bind" };
            command.arg(option).arg(&bind.source).arg(&bind.target);
        }
        if let Some(network) = spec.network {
            command.arg("--network").arg(network.path());
        }
        if spec.overlay {
            command.arg("--overlay");
        }
        if let Some(other) = spec.processes_of {
            command.arg("--processes-of").arg(other.pid.to_string());
        }
        // In a process group of its own, so that ^C ends whoever uses the scene, and the supervisor lives to clean up.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut supervisor = command.spawn().context(|| "starting `weir-actor contain`".into())?;
        let lifeline = supervisor.stdin.take();
        match Self::ready(&mut supervisor) {
            Ok(truth) => {
                let text = |name: &str| truth[name].as_str().unwrap_or_default().to_owned();
                let directories = truth["cgroup_directories"].as_array().map_or(&[][..], Vec::as_slice);
                Ok(Container {
                    id: text("container.id"),
                    pod_uid: text("k8s.pod.uid"),
                    pid: truth["process.pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default(),
                    cgroup: text("process.linux.cgroup"),
                    cgroup_directories: directories.iter().filter_map(Value::as_str).map(PathBuf::from).collect(),
                    supervisor,
                    lifeline,
                })
            }
            Err(error) => {
                drop(lifeline);
                let status = supervisor.wait()?;
                Err(error)
                    .context(|| format!("`weir-actor contain` ended with {status} before the container was ready"))
            }
        }
    }

    fn ready(supervisor: &mut Child) -> io::Result<Value> {
        let out = supervisor.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// The command that runs a program in it, to which the program and its arguments are added.
    pub(crate) fn enter(&self) -> io::Result<Command> {
        let mut command = Command::new(locate::actor()?);
        command.args(["enter", "--target", &self.pid.to_string()]);
        for directory in &self.cgroup_directories {
            command.arg("--cgroup").arg(directory);
        }
        Ok(command)
    }

    /// Pid of the supervisor, for tests of what happens when it is killed.
    pub fn supervisor_pid(&self) -> u32 {
        self.supervisor.id()
    }

    /// A path in the container as the host can open it.
    pub fn host_path(&self, path: &Path) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join("root").join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Ends it, and says when something of it could not be removed.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        if self.lifeline.take().is_none() {
            return Ok(());
        }
        let status = self.supervisor.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("`weir-actor contain` ended with {status}")));
        }
        match self.cgroup_directories.iter().find(|directory| fs::exists(directory).unwrap_or(true)) {
            Some(left) => Err(io::Error::other(format!("{} is still there", left.display()))),
            None => Ok(()),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the container {} is not removed: {error}", self.id);
        }
    }
}
