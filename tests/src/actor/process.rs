//! Forking, and who one is to others.

use crate::Context;
use std::io::{self, Write};

/// Where a container of the scenes may see the host's /proc; only its `self` is looked at, which opens nothing.
pub const HOST_PROC: &str = "/opt/weir/host-proc";

/// This process's pid as the host has it; `None` where [`HOST_PROC`] is not there.
pub fn host_pid() -> io::Result<Option<u32>> {
    match std::fs::read_link(format!("{HOST_PROC}/self")) {
        Ok(pid) => Ok(pid.to_string_lossy().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(|| HOST_PROC.into()),
    }
}

/// A forked process; dropping it without [`Child::join`] ends it.
pub struct Child {
    pid: libc::pid_t,
}

impl Child {
    /// Does `act` in a fork of this process, which must have one thread.
    pub fn start(act: impl FnOnce() -> io::Result<()>) -> io::Result<Child> {
        io::stdout().flush()?;
        // SAFETY: this program's processes have one thread, so the child may do what any process may.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: a number only. Whoever is left behind by a failure would keep the harness waiting.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                let status = match act() {
                    Ok(()) => 0,
                    Err(error) => {
                        eprintln!("weir-actor: {error}");
                        1
                    }
                };
                let _ = io::stdout().flush();
                // SAFETY: ends this process; the parent's destructors are not ours to run.
                unsafe { libc::_exit(status) }
            }
            ..0 => Err(io::Error::last_os_error()),
            pid => Ok(Child { pid }),
        }
    }

    /// Its pid here.
    pub fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Waits for its end, which has to be a good one.
    pub fn join(mut self) -> io::Result<()> {
        let pid = std::mem::take(&mut self.pid);
        let mut status = 0;
        loop {
            // SAFETY: our child; the status is a local.
            if unsafe { libc::waitpid(pid, &raw mut status, 0) } == pid {
                break;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        if status == 0 { Ok(()) } else { Err(io::Error::other(format!("process {pid} ended with status {status}"))) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.pid > 0 {
            // SAFETY: our child, which nobody has waited for.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, std::ptr::null_mut(), 0);
            }
        }
    }
}
