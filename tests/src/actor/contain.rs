//! The container's supervisor: makes it, keeps it while standard input is open, removes it. And its first process.

use super::root;
use crate::Context;
use crate::scene::Container;
use crate::scene::cgroup;
use crate::scene::claim::Claim;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, set_parent_process_death_signal, waitpid,
};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use serde_json::json;
use std::fs::{self, File};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

#[derive(clap::Args)]
pub struct Args {
    /// The scene's name; unique on the machine.
    #[arg(long)]
    name: String,
    /// SOURCE TARGET: a directory or file of the host, seen in the container.
    #[arg(long, num_args = 2, action = clap::ArgAction::Append)]
    bind: Vec<PathBuf>,
    /// SOURCE TARGET: the same, not to be written.
    #[arg(long, num_args = 2, action = clap::ArgAction::Append)]
    bind_read_only: Vec<PathBuf>,
    /// The network namespace; a new one if not given.
    #[arg(long)]
    network: Option<PathBuf>,
    /// The root is an overlay.
    #[arg(long)]
    overlay: bool,
    /// A process whose pid namespace it shares; a new one if not given.
    #[arg(long)]
    processes_of: Option<u32>,
}

/// Makes it, prints one line of truth, waits for the end of standard input, removes it.
pub fn contain(args: &Args) -> io::Result<u8> {
    let (id, pod_uid) = (format!("{}{}", uuid()?, uuid()?).replace('-', ""), uuid()?);
    let claim = Claim::new(&args.name)?;
    let cgroup = claim.cgroup().join(format!("kubepods/besteffort/pod{pod_uid}/{id}"));
    let directories = cgroup::create(&cgroup)?;
    let child = start(args, &claim, &directories)?;
    let truth = json!({
        "container.id": id,
        "k8s.pod.uid": pod_uid,
        "process.pid": child.as_raw_nonzero().get(),
        "process.linux.cgroup": format!("/{}", cgroup.display()),
        "cgroup_directories": directories,
    });
    let kept = writeln!(io::stdout(), "{truth}").and_then(|()| keep(child));
    // The pid namespace goes with its first process, and everything in it.
    let _ = kill_process(child, Signal::KILL);
    let _ = waitpid(Some(child), WaitOptions::empty());
    kept.map(|()| 0)
}

/// Forks the container's first process; returns when it runs its program.
fn start(args: &Args, claim: &Claim, cgroups: &[PathBuf]) -> io::Result<Pid> {
    match args.processes_of {
        Some(pid) => {
            let path = format!("/proc/{pid}/ns/pid");
            let namespace = File::open(&path).context(|| path.clone())?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::ProcessID)).context(|| path)?;
        }
        None => {
            // SAFETY: NEWPID does not touch the table of descriptors, the one thing that the function is unsafe for.
            unsafe { unshare_unsafe(UnshareFlags::NEWPID) }.context(|| "making a pid namespace (needs root)".into())?;
        }
    }
    let (mut said, say) = io::pipe()?;
    // SAFETY: this process has one thread, so the child may do what any process may.
    let child = unsafe { libc::fork() };
    match Pid::from_raw(child) {
        None => become_first(args, claim, cgroups, said, say),
        Some(_) if child < 0 => Err(io::Error::last_os_error()),
        Some(child) => {
            drop(say);
            let mut complaint = String::new();
            said.read_to_string(&mut complaint)?;
            if complaint.is_empty() {
                return Ok(child);
            }
            let _ = waitpid(Some(child), WaitOptions::empty());
            Err(io::Error::other(complaint))
        }
    }
}

/// In the child: becomes the container's first process, or says why not.
fn become_first(args: &Args, claim: &Claim, cgroups: &[PathBuf], said: PipeReader, mut say: PipeWriter) -> ! {
    drop(said);
    let error = match enclose(args, claim, cgroups) {
        // `say` is closed on exec, which tells the supervisor that all is well.
        Ok(()) => Command::new(Container::ACTOR).arg("init").env_clear().env("PATH", "/usr/bin:/bin").exec(),
        Err(error) => error,
    };
    let _ = write!(say, "{error}");
    std::process::exit(1);
}

fn enclose(args: &Args, claim: &Claim, cgroups: &[PathBuf]) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    cgroup::join(cgroups)?;
    let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWUTS | UnshareFlags::NEWIPC;
    match &args.network {
        Some(path) => {
            let network = File::open(path).context(|| path.display().to_string())?;
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                .context(|| path.display().to_string())?;
        }
        None => flags |= UnshareFlags::NEWNET,
    }
    // SAFETY: none of these flags touches the table of descriptors, the one thing that the function is unsafe for.
    unsafe { unshare_unsafe(flags) }.context(|| "making namespaces".into())?;
    rustix::system::sethostname(args.name.as_bytes()).context(|| "sethostname".into())?;
    let writable = args.bind.chunks_exact(2).map(|pair| (pair, false));
    let read_only = args.bind_read_only.chunks_exact(2).map(|pair| (pair, true));
    let binds: Vec<root::Bind<'_>> = writable
        .chain(read_only)
        .filter_map(|(pair, read_only)| match pair {
            [source, target] => Some(root::Bind { source, target, read_only }),
            _ => None,
        })
        .collect();
    root::change(&claim.root(), &binds, args.overlay)
}

/// Waits until standard input is closed, or the container's first process ends.
fn keep(child: Pid) -> io::Result<()> {
    let ended = pidfd_open(child, PidfdFlags::empty())?;
    let input = io::stdin();
    let mut buffer = [0; 64];
    loop {
        let mut waiting = [PollFd::new(&input, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Err(rustix::io::Errno::INTR) => continue,
            done => done?,
        };
        let [input_ready, child_ready] = waiting.map(|fd| !fd.revents().is_empty());
        if child_ready {
            return Err(io::Error::other("the container's first process has ended"));
        }
        if input_ready && rustix::io::read(&input, &mut buffer)? == 0 {
            return Ok(());
        }
    }
}

fn uuid() -> io::Result<String> {
    const SOURCE: &str = "/proc/sys/kernel/random/uuid";
    Ok(fs::read_to_string(SOURCE).context(|| SOURCE.into())?.trim().to_owned())
}

/// The first process: reaps its children, own and adopted, until it is killed.
pub fn init() -> ! {
    // SAFETY: `set` is initialised by `sigemptyset` before it is used; all pointers are to locals that live through the calls.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        // Blocked, so that it stays pending when it comes between the look and the wait.
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        loop {
            while libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) > 0 {}
            let mut signal = 0;
            libc::sigwait(&raw const set, &raw mut signal);
        }
    }
}
