//! Opening a file in each of the ways that the kernel has, by the raw system call: a library's `open` is free to use another.

use super::{compat, observe, uring};
use crate::Context;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// The system call, or the io_uring request.
    #[arg(long)]
    how: How,
    /// Open for writing; `creat` always does, and empties the file.
    #[arg(long)]
    write: bool,
    /// io_uring: let a kernel worker thread do it (IOSQE_ASYNC).
    #[arg(long = "async")]
    asynchronous: bool,
    /// io_uring: let a kernel thread fetch the request (IORING_SETUP_SQPOLL), without a system call.
    #[arg(long)]
    sqpoll: bool,
    /// The file.
    path: PathBuf,
}

#[derive(clap::Args)]
pub struct ReadArgs {
    /// The file.
    path: PathBuf,
}

/// The ways to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum How {
    #[value(name = "open")]
    Open,
    #[value(name = "openat")]
    Openat,
    #[value(name = "openat2")]
    Openat2,
    #[value(name = "creat")]
    Creat,
    #[value(name = "open_by_handle_at")]
    OpenByHandleAt,
    /// IORING_OP_OPENAT
    #[value(name = "io_uring-openat")]
    UringOpenat,
    /// IORING_OP_OPENAT2
    #[value(name = "io_uring-openat2")]
    UringOpenat2,
    /// IORING_OP_OPENAT into the ring's own table of files: there is no descriptor.
    #[value(name = "io_uring-direct")]
    UringDirect,
    /// IORING_OP_OPENAT whose success is not reported (IOSQE_CQE_SKIP_SUCCESS).
    #[value(name = "io_uring-skip-cqe")]
    UringSkipCqe,
    /// The 32-bit call of that name (`int 0x80`), as the next four.
    #[value(name = "ia32-open")]
    Ia32Open,
    #[value(name = "ia32-creat")]
    Ia32Creat,
    #[value(name = "ia32-openat")]
    Ia32Openat,
    #[value(name = "ia32-openat2")]
    Ia32Openat2,
    #[value(name = "ia32-open_by_handle_at")]
    Ia32OpenByHandleAt,
}

/// Opens the file once; says what the descriptor then is.
pub fn open(args: &Args) -> io::Result<Value> {
    let path = c_path(&args.path)?;
    let flags = if args.write { libc::O_WRONLY } else { libc::O_RDONLY } | libc::O_CLOEXEC;
    let ring = uring::Mode { asynchronous: args.asynchronous, sqpoll: args.sqpoll };
    let opened = match args.how {
        How::Open => open_or_creat(legacy::OPEN, &path, flags),
        How::Creat => open_or_creat(legacy::CREAT, &path, 0o644),
        How::Openat => openat(&path, flags).map(Opened::Fd),
        How::Openat2 => openat2(&path, flags),
        How::OpenByHandleAt => open_by_handle(&args.path, &path, |mount, handle| {
            // SAFETY: `handle` was filled by the kernel and lives through the call, which only reads it.
            let fd = unsafe { libc::syscall(libc::SYS_open_by_handle_at, mount, handle.as_ptr(), flags) };
            owned(fd).map(Opened::Fd)
        }),
        How::UringOpenat => uring::openat(&path, flags, ring),
        How::UringOpenat2 => uring::openat2(&path, flags, ring),
        How::UringDirect => uring::direct(&path, flags & !libc::O_CLOEXEC, ring),
        How::UringSkipCqe => uring::skip_cqe(&path, flags, ring),
        How::Ia32Open => compat::open(compat::Call::Open, &path, flags),
        How::Ia32Creat => compat::open(compat::Call::Creat, &path, 0o644),
        How::Ia32Openat => compat::open(compat::Call::Openat, &path, flags),
        How::Ia32Openat2 => compat::open(compat::Call::Openat2, &path, flags),
        How::Ia32OpenByHandleAt => {
            open_by_handle(&args.path, &path, |mount, handle| compat::open_by_handle(mount, handle, flags))
        }
    };
    let how = args.how.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let opened = opened.context(|| format!("{how} {}", args.path.display()))?;
    let (mut truth, descriptor) = match &opened {
        Opened::Skipped(why) => return Ok(observe::skipped(format!("{how}: {why}"))),
        Opened::Fd(fd) => (observe::file(fd.as_fd())?, json!(fd.as_raw_fd())),
        Opened::Direct(Some(installed)) => (observe::file(installed.as_fd())?, Value::Null),
        Opened::Direct(None) => {
            let real = args.path.canonicalize()?;
            (observe::fields(&rustix::fs::stat(&real)?, &real.to_string_lossy()), Value::Null)
        }
    };
    truth.insert("how".into(), how.into());
    truth.insert("weir.file.descriptor".into(), descriptor);
    let writes = args.write || matches!(args.how, How::Creat | How::Ia32Creat);
    truth.insert("weir.file.access".into(), if writes { "write" } else { "read" }.into());
    Ok(truth.into())
}

/// Opens the file and reads it to its end.
pub fn read(args: &ReadArgs) -> io::Result<Value> {
    let mut file = std::fs::File::open(&args.path).context(|| args.path.display().to_string())?;
    let mut truth = observe::file(file.as_fd())?;
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0u64;
    loop {
        match file.read(&mut buffer).context(|| args.path.display().to_string())? {
            0 => break,
            read => bytes += read as u64,
        }
    }
    truth.insert("bytes_read".into(), bytes.into());
    Ok(truth.into())
}

/// What opening gave.
pub enum Opened {
    /// A descriptor.
    Fd(OwnedFd),
    /// A slot in a ring's table; the descriptor was made from it afterwards, to look at it, where the kernel can (from 6.8).
    Direct(Option<OwnedFd>),
    /// The kernel does not offer this.
    Skipped(String),
}

/// The path as the kernel takes it.
pub fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// `openat(AT_FDCWD, path, flags)`, by number: also what the storms use.
pub fn openat(path: &CStr, flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: `path` ends with NUL and lives through the call, which writes to no memory of ours.
    owned(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0) })
}

/// The calls that only the older architectures have, by number.
mod legacy {
    #[cfg(target_arch = "x86_64")]
    pub const OPEN: Option<i64> = Some(libc::SYS_open);
    #[cfg(target_arch = "x86_64")]
    pub const CREAT: Option<i64> = Some(libc::SYS_creat);
    #[cfg(not(target_arch = "x86_64"))]
    pub const OPEN: Option<i64> = None;
    #[cfg(not(target_arch = "x86_64"))]
    pub const CREAT: Option<i64> = None;
}

/// `open(path, flags)` or `creat(path, mode)`: both take a path and a number.
fn open_or_creat(number: Option<i64>, path: &CStr, flags_or_mode: i32) -> io::Result<Opened> {
    let Some(number) = number else {
        return Ok(Opened::Skipped("this architecture does not have the call".into()));
    };
    // SAFETY: `path` ends with NUL and lives through the call, which writes to no memory of ours.
    owned(unsafe { libc::syscall(number, path.as_ptr(), flags_or_mode) }).map(Opened::Fd)
}

fn openat2(path: &CStr, flags: i32) -> io::Result<Opened> {
    // SAFETY: open_how is three integers; zero is a value of each.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = flags as u64;
    // SAFETY: `path` ends with NUL, `how` is of the size given, and both live through the call, which only reads them.
    let fd =
        unsafe { libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &raw const how, size_of_val(&how)) };
    match owned(fd) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            Ok(Opened::Skipped("the kernel does not have the call (from 5.6)".into()))
        }
        fd => fd.map(Opened::Fd),
    }
}

/// `struct file_handle` with room for the longest (MAX_HANDLE_SZ, 128): length, type, and the handle itself.
type Handle = [u32; 2 + 32];

/// Finds the handle of `path`, and has `open` open it in a mount, which is given by a descriptor.
fn open_by_handle(
    path: &Path,
    c_path: &CStr,
    open: impl FnOnce(i32, &Handle) -> io::Result<Opened>,
) -> io::Result<Opened> {
    let mut handle: Handle = [0; 34];
    handle[0] = 128;
    let mut mount_id = 0i32;
    // SAFETY: `handle` announces its own room, which the kernel does not exceed; `mount_id` is an int; all live through the call.
    let named = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            c_path.as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount_id,
            libc::AT_SYMLINK_FOLLOW,
        )
    };
    if named < 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::EOPNOTSUPP) => Ok(Opened::Skipped("the file system has no file handles".into())),
            _ => Err(error),
        };
    }
    // The handle is looked up in the mount of this descriptor, so it must be of the mount that the file itself is in.
    let real = path.canonicalize()?;
    let mount = std::fs::File::open(real.parent().unwrap_or(Path::new("/")))?;
    open(mount.as_raw_fd(), &handle)
}

/// The descriptor that a system call returned, or its error.
pub fn owned(returned: i64) -> io::Result<OwnedFd> {
    match i32::try_from(returned) {
        // SAFETY: the kernel just gave this descriptor to us, and nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
