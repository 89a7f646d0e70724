//! Opens a file that another process has, without side effects, and reads its ends.
//!
//! The file is first only looked up (`O_PATH`): that runs no driver's open, wakes no writer of a pipe, and breaks no lease. Only
//! when it is known to be the regular file that was asked about is it opened for reading, without touching its access time where
//! that is allowed, and without waiting (`O_NONBLOCK`: a file with a lease is given up).

use super::{Neighbours, Request, Unread};
use crate::event::text;
use crate::provenance::content::{HEAD_MAX, Sample, TAIL_MAX};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, StatxFlags};
use rustix::io::{self, Errno};
use std::os::fd::AsRawFd;

/// Descriptors of a process that are looked at for a file whose name is gone.
const DESCRIPTORS_MAX: usize = 4096;

/// A file's ends.
pub(super) struct Read {
    head: Vec<u8>,
    tail: Vec<u8>,
    size: u64,
    /// When it was read.
    pub(super) changed_unix_nanos: i64,
    /// Where the file system keeps it.
    pub(super) born_unix_nanos: Option<i64>,
}

impl Read {
    pub(super) fn sample(&self) -> Sample<'_> {
        Sample { head: &self.head, tail: &self.tail, size: self.size }
    }
}

/// Reads what was asked for, by its name or else by a descriptor of the process.
pub(super) fn read(request: &Request, neighbours: &Neighbours) -> Result<Read, Unread> {
    let by_name = by_name(request, neighbours).and_then(|file| {
        let stat = fs::fstat(&file).map_err(unread)?;
        same(request, &stat, false).map(|()| (file, stat))
    });
    let (file, stat) = match by_name {
        Ok(found) => found,
        Err(Unread::NotRegular) => return Err(Unread::NotRegular),
        // What the name says counts, unless the process still has the file.
        Err(reason) => by_descriptor(request).ok_or(reason)?,
    };
    let born = born(&file);
    if born.is_some_and(|born| born > request.changed_unix_nanos) {
        // Its number was free by then, and was given to another.
        return Err(Unread::Gone);
    }
    let file = reopened(&file).map_err(unread)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let head = ends(&file, 0, HEAD_MAX.min(usize::try_from(size).unwrap_or(HEAD_MAX)))?;
    let from = size.saturating_sub(TAIL_MAX as u64);
    let tail = ends(&file, from, usize::try_from(size - from).unwrap_or(TAIL_MAX))?;
    // Between the two looks nothing was written, so what was read is one state.
    let after = fs::fstat(&file).map_err(unread)?;
    if (changed(&after), after.st_size) != (changed(&stat), stat.st_size) {
        return Err(Unread::Changed);
    }
    Ok(Read { head, tail, size, changed_unix_nanos: changed(&stat), born_unix_nanos: born })
}

/// When the file was made, where its file system says (ext4, xfs, btrfs; tmpfs since 6.0): by the same clock as change times.
fn born(file: &OwnedFd) -> Option<i64> {
    let stat = fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME).ok()?;
    let is_there = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    is_there.then(|| nanos(stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec.into()))
}

/// Looks up the path from the process's root, where links cannot lead out. A link in the file's own place is not followed.
fn by_name(request: &Request, neighbours: &Neighbours) -> Result<OwnedFd, Unread> {
    let path = text::original(&request.path);
    // Memory-only files, and paths whose front is missing, have no name to look up.
    if !path.starts_with(b"/") || path.contains(&0) {
        return Err(Unread::Gone);
    }
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root_of = |pid: u32| fs::openat(CWD, format!("/proc/{pid}/root"), directory, Mode::empty()).map_err(unread);
    // What is short-lived is gone when its opens are looked at: another process of its mount namespace sees the same files, unless
    // the one that is gone had changed its root. That it is the same file is seen later.
    let root = root_of(request.pid).or_else(|error| {
        let other = neighbours.of(request.mount_namespace).filter(|_| error == Unread::Gone);
        other.map_or(Err(error), root_of)
    })?;
    let file = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    match fs::openat2(&root, &*path, file, Mode::empty(), resolve) {
        // Before 5.6, or kept from us. A link may now lead out; that it is the same file is seen later.
        Err(Errno::NOSYS) => {
            let below = path.strip_prefix(b"/").unwrap_or_default();
            fs::openat(&root, below, file, Mode::empty()).map_err(unread)
        }
        result => result.map_err(unread),
    }
}

/// Looks through the descriptors of the process for one that is the file.
fn by_descriptor(request: &Request) -> Option<(OwnedFd, Stat)> {
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let descriptors = fs::openat(CWD, format!("/proc/{}/fd", request.pid), directory, Mode::empty()).ok()?;
    for entry in Dir::read_from(&descriptors).ok()?.take(DESCRIPTORS_MAX) {
        let Ok(entry) = entry else { break };
        let is = |stat: &Stat| same(request, stat, true).is_ok();
        if !fs::statat(&descriptors, entry.file_name(), AtFlags::empty()).is_ok_and(|stat| is(&stat)) {
            continue;
        }
        // It may be another's number by now.
        let Ok(file) = fs::openat(&descriptors, entry.file_name(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        else {
            continue;
        };
        if let Some(stat) = fs::fstat(&file).ok().filter(is) {
            return Some((file, stat));
        }
    }
    None
}

/// Whether it is the file that was asked about, in that state.
fn same(request: &Request, stat: &Stat, by_descriptor: bool) -> Result<(), Unread> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    // What stat(2) tells as the device need not be the super block's: btrfs has one for each subvolume, overlayfs one for each
    // layer. Inode, size and change time, which is told to the nanosecond, have to do then.
    let device = fs::major(stat.st_dev) << 20 | fs::minor(stat.st_dev);
    let is_device = device == request.file.device;
    let is_state = changed(stat) == request.changed_unix_nanos;
    let is_it = is_device || is_state && size == request.size || request.as_it_is && by_descriptor;
    if stat.st_ino != request.file.inode || !is_it {
        return Err(Unread::Gone);
    }
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Unread::NotRegular);
    }
    // To lose its last name is a change of state too. Nothing has been written since, as far as its own times can be believed.
    let written = nanos(stat.st_mtime, stat.st_mtime_nsec as i64);
    let is_unlinked = || stat.st_nlink == 0 && size == request.size && written <= request.changed_unix_nanos;
    if is_state || request.as_it_is || by_descriptor && is_unlinked() { Ok(()) } else { Err(Unread::Changed) }
}

/// The file opened for reading, by way of the descriptor: whatever its name leads to now.
fn reopened(file: &OwnedFd) -> Result<OwnedFd, Errno> {
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match fs::openat(CWD, &*link, flags | OFlags::NOATIME, Mode::empty()) {
        // Only the owner, and who has CAP_FOWNER, may leave the access time alone.
        Err(Errno::PERM) => fs::openat(CWD, &*link, flags, Mode::empty()),
        result => result,
    }
}

/// So many bytes from there on, or fewer where the file ends.
fn ends(file: impl AsFd, from: u64, length: usize) -> Result<Vec<u8>, Unread> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match io::retry_on_intr(|| io::pread(&file, &mut *rest, from + filled as u64)).map_err(unread)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn changed(stat: &Stat) -> i64 {
    nanos(stat.st_ctime, stat.st_ctime_nsec as i64)
}

fn nanos(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// What an error means for the one who asked.
fn unread(error: Errno) -> Unread {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::SRCH | Errno::LOOP | Errno::STALE => Unread::Gone,
        Errno::ACCESS | Errno::PERM => Unread::NotPermitted,
        error => Unread::Failed(error.raw_os_error()),
    }
}
