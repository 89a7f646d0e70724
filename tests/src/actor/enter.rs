//! Runs a program in a container, as `kubectl exec` does: into its cgroups first, then into its namespaces.

use crate::Context;
use crate::scene::cgroup;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, set_parent_process_death_signal, waitpid};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

#[derive(clap::Args)]
pub struct Args {
    /// Pid of a process in the container.
    #[arg(long)]
    target: i32,
    /// A directory of a cgroup to go into; may be given several times.
    #[arg(long)]
    cgroup: Vec<PathBuf>,
    /// A descriptor to write the new process's pid on this side to, as text.
    #[arg(long)]
    pid_fd: Option<i32>,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    program: Vec<OsString>,
}

/// Runs it and waits; its exit status, 128 + the signal's number if one ended it.
pub fn enter(args: &Args) -> io::Result<u8> {
    // SAFETY: whoever started this program made the descriptor for it alone; nothing else here uses its number.
    let report = args.pid_fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let target =
        Pid::from_raw(args.target).filter(|pid| !pid.is_init()).ok_or_else(|| io::Error::other("--target: no pid"))?;
    let target = pidfd_open(target, PidfdFlags::empty()).context(|| format!("process {}", args.target))?;
    cgroup::join(&args.cgroup)?;
    // From 5.8 a pidfd opens all at once; the root and working directory become those of the mount namespace.
    let namespaces = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION;
    move_into_thread_name_spaces(target.as_fd(), namespaces).context(|| "entering the namespaces".into())?;
    // SAFETY: this process has one thread, so the child may do what any process may. The pid namespace is that of children only.
    let child = unsafe { libc::fork() };
    let Some(child) = Pid::from_raw(child) else {
        let error = become_program(args, report.as_ref().map(AsFd::as_fd));
        eprintln!(
            "weir-actor: {}: {error}",
            args.program.first().map_or_else(Default::default, |program| program.to_string_lossy())
        );
        std::process::exit(127);
    };
    if let Some(report) = report {
        writeln!(File::from(report), "{}", child.as_raw_nonzero())?;
    }
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(ended) => {
                let status = ended.and_then(|(_, status)| {
                    status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal))
                });
                return Ok(status.and_then(|status| u8::try_from(status).ok()).unwrap_or(u8::MAX));
            }
        }
    }
}

/// In the child; returns only if it fails.
fn become_program(args: &Args, report: Option<BorrowedFd<'_>>) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    if let Some(report) = report {
        // The program must not hold it: who reads it waits for its end.
        let _ = rustix::io::fcntl_setfd(report, rustix::io::FdFlags::CLOEXEC);
    }
    let mut words = args.program.iter();
    let Some(program) = words.next() else { return io::Error::other("no program") };
    Command::new(program).args(words).env_clear().env("PATH", "/usr/bin:/bin").exec()
}
