//! The same acts through io_uring, where no system call names them.

use super::open::{Opened, owned};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{DestinationSlot, Fd, Fixed, OpenHow};
use io_uring::{IoUring, opcode};
use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

/// How requests are carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mode {
    /// By a worker thread of the kernel.
    pub asynchronous: bool,
    /// Fetched by a thread of the kernel.
    pub sqpoll: bool,
}

/// A ring that is given one request after the other.
pub struct Ring {
    ring: IoUring,
    flags: Flags,
}

impl Ring {
    /// A ring; the text says why the kernel refuses one.
    pub fn new(mode: Mode) -> io::Result<Result<Ring, String>> {
        let mut builder = IoUring::builder();
        if mode.sqpoll {
            builder.setup_sqpoll(100);
        }
        let flags = if mode.asynchronous { Flags::ASYNC } else { Flags::empty() };
        match builder.build(8) {
            Ok(ring) => Ok(Ok(Ring { ring, flags })),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOSYS) => Ok(Err("the kernel has no io_uring".into())),
                Some(libc::EPERM | libc::EACCES) => {
                    Ok(Err("io_uring is forbidden here (sysctl kernel.io_uring_disabled, or a seccomp filter)".into()))
                }
                _ => Err(error),
            },
        }
    }

    /// Sends from `buffer` over `socket`; how many bytes the kernel took.
    pub fn send(&mut self, socket: RawFd, buffer: &[u8]) -> io::Result<usize> {
        let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(socket), buffer.as_ptr(), length).flags(libc::MSG_NOSIGNAL).build();
        // SAFETY: `buffer` outlives the request, since `complete` returns only after its completion, and is only read.
        let sent = unsafe { self.complete(&[entry.flags(self.flags)])? };
        Ok(usize::try_from(sent).unwrap_or(0))
    }

    /// Reads from `file` at `offset`; how many bytes came.
    pub fn read(&mut self, file: RawFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let entry = opcode::Read::new(Fd(file), buffer.as_mut_ptr(), length).offset(offset).build();
        // SAFETY: `buffer` outlives the request, since `complete` returns only after its completion, and is ours alone to write to.
        let read = unsafe { self.complete(&[entry.flags(self.flags)])? };
        Ok(usize::try_from(read).unwrap_or(0))
    }

    /// Carries out one request; the inner error says so if the kernel does not know it.
    ///
    /// # Safety
    /// What the entry points to must live until this returns and be its to read or write.
    pub unsafe fn request(&mut self, entry: Entry) -> io::Result<Result<i32, String>> {
        let operation = u8::try_from(entry.get_opcode()).unwrap_or(u8::MAX);
        let mut probe = io_uring::Probe::new();
        self.ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(operation) {
            return Ok(Err(format!("the kernel's io_uring does not have operation {operation}")));
        }
        // SAFETY: by the contract above.
        unsafe { self.complete(&[entry.flags(self.flags)]) }.map(Ok)
    }

    /// Hands in `entries`, linked in their order, waits until all that report have reported, and returns the last one's result, or the
    /// first error.
    ///
    /// # Safety
    /// What the entries point to must live until this returns and be theirs to read or write.
    unsafe fn complete(&mut self, entries: &[Entry]) -> io::Result<i32> {
        for entry in entries {
            // SAFETY: the caller vouches for what the entry points to.
            unsafe { self.ring.submission().push(entry) }.map_err(io::Error::other)?;
        }
        loop {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => {
                    done?;
                    break;
                }
            }
        }
        let (mut last, mut failed) = (None, None);
        while let Some(completion) = self.ring.completion().next() {
            let result = completion.result();
            if result < 0 && failed.is_none() {
                failed = Some(io::Error::from_raw_os_error(-result));
            }
            last = Some(result);
        }
        match (failed, last) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => Ok(result),
            (None, None) => Err(io::Error::other("the ring woke without a completion")),
        }
    }
}

/// IORING_OP_OPENAT
pub fn openat(path: &CStr, flags: i32, mode: Mode) -> io::Result<Opened> {
    let mut ring = match Ring::new(mode)? {
        Ok(ring) => ring,
        Err(why) => return Ok(Opened::Skipped(why)),
    };
    let entry = opcode::OpenAt::new(Fd(libc::AT_FDCWD), path.as_ptr()).flags(flags).build().flags(ring.flags);
    // SAFETY: `path` lives until the completion and is only read.
    let fd = unsafe { ring.complete(&[entry]) }?;
    owned(i64::from(fd)).map(Opened::Fd)
}

/// IORING_OP_OPENAT2
pub fn openat2(path: &CStr, flags: i32, mode: Mode) -> io::Result<Opened> {
    let mut ring = match Ring::new(mode)? {
        Ok(ring) => ring,
        Err(why) => return Ok(Opened::Skipped(why)),
    };
    let how = OpenHow::new().flags(flags as u64);
    let entry = opcode::OpenAt2::new(Fd(libc::AT_FDCWD), path.as_ptr(), &raw const how).build().flags(ring.flags);
    // SAFETY: `path` and `how` live until the completion and are only read.
    let fd = unsafe { ring.complete(&[entry]) }?;
    owned(i64::from(fd)).map(Opened::Fd)
}

/// IORING_OP_OPENAT into slot 0 of the ring's table. `flags` must not have O_CLOEXEC, which the kernel refuses here.
pub fn direct(path: &CStr, flags: i32, mode: Mode) -> io::Result<Opened> {
    let mut ring = match Ring::new(mode)? {
        Ok(ring) => ring,
        Err(why) => return Ok(Opened::Skipped(why)),
    };
    ring.ring.submitter().register_files(&[-1])?;
    let slot = DestinationSlot::try_from_slot_target(0).map_err(|slot| io::Error::other(format!("no slot {slot}")))?;
    let entry = opcode::OpenAt::new(Fd(libc::AT_FDCWD), path.as_ptr()).flags(flags).file_index(Some(slot)).build();
    // SAFETY: `path` lives until the completion and is only read.
    match unsafe { ring.complete(&[entry.flags(ring.flags)]) } {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            return Ok(Opened::Skipped("the kernel has no direct descriptors (from 5.15)".into()));
        }
        opened => opened?,
    };
    let install = opcode::FixedFdInstall::new(Fixed(0), 0).build();
    // SAFETY: the request points to no memory.
    match unsafe { ring.complete(&[install]) } {
        Ok(fd) => Ok(Opened::Direct(Some(owned(i64::from(fd))?))),
        // Before 6.8 there is no way to look at the slot.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(Opened::Direct(None)),
        Err(error) => Err(error),
    }
}

/// IORING_OP_OPENAT whose success is silent; a no-op that is linked to it tells when it is done.
pub fn skip_cqe(path: &CStr, flags: i32, mode: Mode) -> io::Result<Opened> {
    let mut ring = match Ring::new(mode)? {
        Ok(ring) => ring,
        Err(why) => return Ok(Opened::Skipped(why)),
    };
    if !ring.ring.params().is_feature_skip_cqe_on_success() {
        return Ok(Opened::Skipped("the kernel always reports success (silence from 5.17)".into()));
    }
    let before = descriptors();
    let silent = ring.flags | Flags::SKIP_SUCCESS | Flags::IO_LINK;
    let open = opcode::OpenAt::new(Fd(libc::AT_FDCWD), path.as_ptr()).flags(flags).build().flags(silent);
    let done = opcode::Nop::new().build();
    // SAFETY: `path` lives until the completion of the no-op, which comes after that of the open, and is only read.
    unsafe { ring.complete(&[open, done]) }?;
    // Nobody says which descriptor it is: it is the one that was not there before.
    let new = descriptors().difference(&before).copied().next();
    let new = new.ok_or_else(|| io::Error::other("the request was silent, but there is no new descriptor"))?;
    owned(i64::from(new)).map(Opened::Fd)
}

/// The open descriptors, found without opening anything.
fn descriptors() -> HashSet<RawFd> {
    (0..256)
        .filter(|fd| {
            // SAFETY: the descriptor is only asked about; a number that is not open gives EBADF.
            rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(*fd) }).is_ok()
        })
        .collect()
}
