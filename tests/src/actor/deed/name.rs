//! Files that get another name, one more, lose one, or are cut.

use super::call::{Argument, By, Number, call, older, words};
use super::{Done, What, text};
use crate::Context;
use crate::actor::observe;
use crate::actor::open::{c_path, openat};
use crate::actor::uring::{Mode, Ring};
use io_uring::opcode;
use io_uring::squeue::Entry;
use io_uring::types::Fd;
use serde_json::{Map, Value};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

const HERE: Argument<'static> = Argument::Number(libc::AT_FDCWD as i64);
const NO_FLAGS: Argument<'static> = Argument::Number(0);

/// Renames or links.
pub fn give(what: What, by: By, mode: Mode, from: &Path, to: &Path) -> io::Result<Done> {
    let is_link = matches!(what, What::Link | What::Linkat);
    let mut truth = file(from, if is_link { "link" } else { "rename" }, by)?;
    truth.insert("weir.file.new_path".into(), text(to)?.into());
    let (from, to) = (c_path(from)?, c_path(to)?);
    let (old, new) = (words(&from), words(&to));
    let (number, arguments): (_, &[_]) = match what {
        What::Rename => (Number { here: older!(SYS_rename), ia32: Some(38) }, &[old, new]),
        What::Renameat => (Number { here: older!(SYS_renameat), ia32: Some(302) }, &[HERE, old, HERE, new]),
        What::Link => (Number { here: older!(SYS_link), ia32: Some(9) }, &[old, new]),
        What::Linkat => (Number { here: Some(libc::SYS_linkat), ia32: Some(303) }, &[HERE, old, HERE, new, NO_FLAGS]),
        _ => (Number { here: Some(libc::SYS_renameat2), ia32: Some(353) }, &[HERE, old, HERE, new, NO_FLAGS]),
    };
    let here = Fd(libc::AT_FDCWD);
    let entry = match is_link {
        true => opcode::LinkAt::new(here, from.as_ptr(), here, to.as_ptr()).build(),
        false => opcode::RenameAt::new(here, from.as_ptr(), here, to.as_ptr()).build(),
    };
    // SAFETY: the names end with NUL and live through it; they are only read.
    unsafe { change(by, mode, number, arguments, entry, truth) }
}

/// Removes a name, or a directory.
pub fn remove(what: What, by: By, mode: Mode, path: &Path) -> io::Result<Done> {
    let truth = file(path, "unlink", by)?;
    let path = c_path(path)?;
    let name = words(&path);
    let flags = if what == What::Rmdir { libc::AT_REMOVEDIR } else { 0 };
    let at = Argument::Number(flags.into());
    let (number, arguments): (_, &[_]) = match what {
        What::Unlink => (Number { here: older!(SYS_unlink), ia32: Some(10) }, &[name]),
        _ => (Number { here: Some(libc::SYS_unlinkat), ia32: Some(301) }, &[HERE, name, at]),
    };
    let entry = opcode::UnlinkAt::new(Fd(libc::AT_FDCWD), path.as_ptr()).flags(flags).build();
    // SAFETY: the name ends with NUL and lives through it; it is only read.
    let done = unsafe { change(by, mode, number, arguments, entry, truth) }?;
    Ok(done.map(|deeds| if what == What::Rmdir { Vec::new() } else { deeds }))
}

/// Cuts it, or lets it grow, to that size.
pub fn truncate(what: What, by: By, mode: Mode, path: &Path, size: u64) -> io::Result<Done> {
    let mut truth = file(path, "truncate", by)?;
    truth.insert("weir.file.new_size".into(), size.into());
    let name = c_path(path)?;
    let opened = match what {
        What::Truncate => None,
        _ => Some(openat(&name, libc::O_WRONLY | libc::O_CLOEXEC).context(|| path.display().to_string())?),
    };
    let descriptor = opened.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    let subject = if opened.is_some() { Argument::Number(descriptor.into()) } else { words(&name) };
    // The 32-bit calls take a size of 32 bits, or (truncate64, ftruncate64) one in two halves.
    let wide = by == By::Ia32 && u32::try_from(size).is_err();
    let low = Argument::Number(size as i64);
    let high = Argument::Number((size >> 32) as i64);
    let number = match (what, wide) {
        (What::Truncate, wide) => Number { here: Some(libc::SYS_truncate), ia32: Some(if wide { 193 } else { 92 }) },
        (_, wide) => Number { here: Some(libc::SYS_ftruncate), ia32: Some(if wide { 194 } else { 93 }) },
    };
    if by == By::IoUring && opened.is_none() {
        return Ok(Err("io_uring has ftruncate only".into()));
    }
    let entry = opcode::Ftruncate::new(Fd(descriptor), size).build();
    let arguments = if wide { &[subject, low, high][..] } else { &[subject, low] };
    // SAFETY: the name ends with NUL and lives through it; it is only read.
    unsafe { change(by, mode, number, arguments, entry, truth) }
}

/// What it is before.
fn file(path: &Path, kind: &str, by: By) -> io::Result<Map<String, Value>> {
    let stat = rustix::fs::lstat(path).context(|| path.display().to_string())?;
    let mut truth = observe::fields(&stat, &text(path)?);
    truth.insert("weir.event.kind".into(), kind.into());
    truth.insert("weir.io_uring".into(), if by == By::IoUring { true.into() } else { Value::Null });
    Ok(truth)
}

/// # Safety
/// As the call and the request demand of their arguments, which they must not write to.
unsafe fn change(
    by: By,
    mode: Mode,
    number: Number,
    arguments: &[Argument<'_>],
    entry: Entry,
    truth: Map<String, Value>,
) -> io::Result<Done> {
    let done = if by == By::IoUring {
        match Ring::new(mode)? {
            Err(why) => Err(why),
            // SAFETY: by the contract above.
            Ok(mut ring) => unsafe { ring.request(entry) }?.map(i64::from),
        }
    } else {
        // SAFETY: by the contract above.
        unsafe { call(by, number, arguments) }?
    };
    Ok(done.map(|_| vec![truth.into()]))
}
