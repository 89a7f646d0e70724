//! Running one command, and not for ever.

use super::Command;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, wait};
use rustix::time::Timespec;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// It did not within its limit, and was killed.
    Late,
    /// It could not be started, and why.
    NotStarted(String),
}

/// Runs it to its end or its limit, its output going to `line`. Whatever it left running is killed, so that commands do not meet.
pub fn run(command: &Command, line: &File) -> io::Result<Ended> {
    let Some((program, arguments)) = command.words.split_first() else {
        return Ok(Ended::NotStarted("no program is named".into()));
    };
    let mut start = std::process::Command::new(program);
    start.args(arguments).env_clear().env("PATH", "/opt/weir:/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/root");
    start.env("TMPDIR", "/tmp").envs(&command.environment).current_dir("/").process_group(0);
    start.stdin(Stdio::null()).stdout(line.try_clone()?).stderr(line.try_clone()?);
    let mut child = match start.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Ended::NotStarted(format!("{program}: {error}"))),
    };
    let in_time = wait_for(&child, Duration::from_secs(command.seconds))?;
    if !in_time {
        child.kill()?;
    }
    let status = child.wait()?;
    end_all();
    Ok(match (in_time, status.code(), status.signal()) {
        (false, ..) => Ended::Late,
        (true, Some(code), _) => Ended::Exit(code),
        (true, None, signal) => Ended::Signal(signal.unwrap_or_default()),
    })
}

/// Whether it ends within `limit`. Its status is left to be asked for.
fn wait_for(child: &Child, limit: Duration) -> io::Result<bool> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        let left = Timespec { tv_sec: seconds, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Kills every process but this one, which is the first, and reaps all.
fn end_all() {
    // SAFETY: kill(2) touches no memory. As the first process this is exempt, and so are the kernel's own threads.
    unsafe { libc::kill(-1, libc::SIGKILL) };
    while wait(WaitOptions::empty()).is_ok() {}
}
