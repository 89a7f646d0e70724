//! Getting at another process: one that is forked for it, does nothing, and is ended.

use super::call::{Argument, By, Number, call};
use super::{Done, What};
use crate::Context;
use crate::actor::open::{c_path, openat, owned};
use serde_json::json;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// `PTRACE_SEIZE`, `PTRACE_INTERRUPT`, `PTRACE_ATTACH`, `PTRACE_DETACH` (include/uapi/linux/ptrace.h).
const SEIZE: i64 = 0x4206;
const INTERRUPT: i64 = 0x4207;
const ATTACH: i64 = 16;
const DETACH: i64 = 17;

/// Gets at another process, or (`own`) at this one, which is nobody's business.
pub fn access(what: What, by: By, own: bool) -> io::Result<Done> {
    let child = if own { None } else { Some(Child::start()?) };
    let pid = child.as_ref().map_or(std::process::id().cast_signed(), |child| child.pid);
    let (how, done) = match what {
        What::PtraceSeize => ("ptrace", ptrace(by, SEIZE, pid)?),
        What::PtraceAttach => ("ptrace", ptrace(by, ATTACH, pid)?),
        What::ProcessVmReadv => ("process_vm_readv", memory(by, libc::SYS_process_vm_readv, pid)?),
        What::ProcessVmWritev => ("process_vm_writev", memory(by, libc::SYS_process_vm_writev, pid)?),
        What::PidfdGetfd => ("pidfd_getfd", descriptor(by, pid)?),
        _ => ("proc_mem", proc_mem(by, pid)?),
    };
    let truth = json!({ "weir.event.kind": "process_access", "weir.access.how": how, "target.vpid": pid });
    Ok(done.map(|()| if own { Vec::new() } else { vec![truth] }))
}

/// Takes hold of it and lets it go.
fn ptrace(by: By, request: i64, pid: libc::pid_t) -> io::Result<Result<(), String>> {
    let ptrace = |by, request| {
        let number = Number { here: Some(libc::SYS_ptrace), ia32: Some(26) };
        let arguments = [request, pid.into(), 0, 0].map(Argument::Number);
        // SAFETY: these requests read and write no memory.
        unsafe { call(by, number, &arguments) }.context(|| format!("ptrace {request:#x} of {pid}"))
    };
    if let Err(why) = ptrace(by, request)? {
        return Ok(Err(why));
    }
    if request == SEIZE {
        let _ = ptrace(By::Call, INTERRUPT)?;
    }
    // SAFETY: our child, which stops; its status is not asked for.
    if unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) } != pid {
        return Err(io::Error::last_os_error());
    }
    Ok(ptrace(By::Call, DETACH)?.map(drop))
}

/// Copies a word that is at the same place in both processes.
fn memory(by: By, number: i64, pid: libc::pid_t) -> io::Result<Result<(), String>> {
    let (word, mut copy) = (0x5765_6972u64, 0u64);
    let length = size_of_val(&word);
    let local = libc::iovec { iov_base: (&raw mut copy).cast(), iov_len: length };
    let remote = libc::iovec { iov_base: (&raw const word).cast_mut().cast(), iov_len: length };
    if by != By::Call {
        return Ok(Err("done by the system call of this convention only".into()));
    }
    // SAFETY: both places are words of ours, and so, since the other process is our fork, of its.
    let moved = unsafe { libc::syscall(number, pid, &raw const local, 1usize, &raw const remote, 1usize, 0usize) };
    match moved {
        ..0 => Err(io::Error::last_os_error()),
        8 => Ok(Ok(())),
        moved => Err(io::Error::other(format!("{moved} bytes instead of {length}"))),
    }
}

/// Copies its standard output's descriptor.
fn descriptor(by: By, pid: libc::pid_t) -> io::Result<Result<(), String>> {
    // SAFETY: numbers only.
    let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).context(|| "pidfd_open".into())?;
    let number = Number { here: Some(libc::SYS_pidfd_getfd), ia32: Some(438) };
    let arguments = [process.as_raw_fd(), libc::STDOUT_FILENO, 0].map(|word| Argument::Number(word.into()));
    // SAFETY: numbers only.
    match unsafe { call(by, number, &arguments) }.context(|| "pidfd_getfd".into())? {
        Err(why) => Ok(Err(why)),
        Ok(descriptor) => owned(descriptor).map(|_| Ok(())),
    }
}

/// Opens its memory as a file.
fn proc_mem(by: By, pid: libc::pid_t) -> io::Result<Result<(), String>> {
    if by != By::Call {
        return Ok(Err("done by the system call of this convention only".into()));
    }
    let path = format!("/proc/{pid}/mem");
    openat(&c_path(Path::new(&path))?, libc::O_RDONLY | libc::O_CLOEXEC).context(|| path)?;
    Ok(Ok(()))
}

/// A process that does nothing; dropping it ends it.
struct Child {
    pid: libc::pid_t,
}

impl Child {
    fn start() -> io::Result<Child> {
        // SAFETY: this process has one thread, and the child makes two harmless system calls until it is ended.
        match unsafe { libc::fork() } {
            0 => loop {
                // SAFETY: numbers only.
                unsafe {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    libc::pause();
                }
            },
            ..0 => Err(io::Error::last_os_error()),
            pid => Ok(Child { pid }),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: our child, which nobody else waits for.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, std::ptr::null_mut(), 0);
        }
    }
}
