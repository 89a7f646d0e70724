//! Files that get another name, one more, or lose one, or are cut: at the security hooks of the system calls, which io_uring
//! passes as well; or, where there are no trampolines, as the system calls return.
//!
//! The security hooks tell the file and both names, before it is done: what the file system then refuses is told as well. The
//! system calls tell the names as the process wrote them, when it was done. Only what is in a class is sent.

use crate::call::{self, Call};
use crate::globals::{bounded, load, offset, read};
use crate::header::{self, admit};
use crate::scratch::{self, Slot, Tail, Text};
use crate::{agent, classify, files, open, ring, uring};
use aya_ebpf::{macros::fexit, programs::FExitContext};
use sensor_common::classify::CLASSES;
use sensor_common::config::Action;
use sensor_common::count::Outcome;
use sensor_common::record::{File, FileChange, Hook, Kind, PATH_MAX, Path, SIZE_UNKNOWN, path_flags};

/// `AT_REMOVEDIR` (include/uapi/linux/fcntl.h).
const AT_REMOVEDIR: u64 = 0x200;

/// A name in a directory tree.
#[derive(Clone, Copy)]
struct Place {
    dentry: u64,
    mount: u64,
}

/// What is done.
#[derive(Clone, Copy)]
struct Deed {
    kind: Kind,
    hook: Hook,
    slot: Slot,
}

/// A change whose names the kernel has looked up.
#[inline(always)]
fn record(deed: Deed, old: Place, new: Option<Place>, new_size: u64) {
    if !admit(deed.kind) {
        return;
    }
    let mut classes = classify::of_dentry(old.dentry, old.mount);
    if let Some(new) = new {
        classes |= classify::of_dentry(new.dentry, new.mount);
    }
    let classes = classes & CLASSES;
    if classes == 0 {
        return ring::count(deed.kind, Outcome::Unmatched);
    }
    let Some((change, tail)) = scratch::of::<FileChange>(deed.slot) else {
        return ring::count(deed.kind, Outcome::Fault);
    };
    files::facts(&mut change.file, read(old.dentry + offset!(dentry_inode)));
    let (path, at) = tail.path(0, old.dentry, old.mount);
    let (new_path, at) = match new {
        Some(new) => tail.path(at, new.dentry, new.mount),
        None => (Path { len: 0, flags: 0 }, at),
    };
    change.replaced = match new {
        Some(new) if matches!(deed.kind, Kind::Rename) => replaced(old.dentry, new.dentry),
        _ => 0,
    };
    send(deed, change, (path, new_path), at, classes, new_size);
}

/// The inode number of what a rename takes the name from; 0: the name is free, or two names of one file, which changes nothing
/// (`vfs_rename`, fs/namei.c).
#[inline(always)]
fn replaced(old: u64, new: u64) -> u64 {
    let inode: u64 = read(new + offset!(dentry_inode));
    if inode == 0 || inode == read(old + offset!(dentry_inode)) { 0 } else { read(inode + offset!(inode_ino)) }
}

/// A change of which only the words are known that the process used; `new` 0: it has no new name. `to_text`: in whose memory.
#[inline(always)]
fn record_words(deed: Deed, (old, new): (u64, u64), to_text: impl Fn(u64) -> Text, new_size: u64) {
    if !admit(deed.kind) {
        return;
    }
    let Some((change, tail)) = scratch::of::<FileChange>(deed.slot) else {
        return ring::count(deed.kind, Outcome::Fault);
    };
    let (path, at) = tail.text(0, to_text(old));
    let mut classes = classes_of(&tail, 0, path);
    let (mut new_path, mut end) = (Path { len: 0, flags: path_flags::UNRESOLVED }, at);
    if new != 0 {
        (new_path, end) = tail.text(at, to_text(new));
        classes |= classes_of(&tail, at, new_path);
    }
    if path.len == 0 {
        return ring::count(deed.kind, Outcome::Fault);
    }
    let classes = classes & CLASSES;
    if classes == 0 {
        return ring::count(deed.kind, Outcome::Unmatched);
    }
    change.file = File::ZERO;
    change.replaced = 0;
    send(deed, change, (path, new_path), end, classes, new_size);
}

#[inline(always)]
fn classes_of(tail: &Tail, at: u64, path: Path) -> u32 {
    if path.len < 2 { 0 } else { classify::of_text(tail.address(at), u64::from(path.len) - 1) }
}

#[inline(always)]
fn send(deed: Deed, change: &'static mut FileChange, paths: (Path, Path), tail: u64, classes: u32, new_size: u64) {
    change.classes = classes;
    (change.path, change.new_path) = paths;
    change.origin = open::origin(deed.hook);
    change.new_size = new_size;
    let size = size_of::<FileChange>() as u64 + bounded::<{ 2 * PATH_MAX as u32 + 1 }>(tail);
    header::fill(&mut change.header, deed.kind, deed.hook, size as u32);
    // SAFETY: the scratch space has room for a record and two paths.
    unsafe { ring::send(deed.kind, (&raw mut *change).cast(), size) }
}

/// The mount of a `struct path *` of known type.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
unsafe fn mount_of(path: u64) -> u64 {
    // SAFETY: by the contract above.
    unsafe { load(path, offset!(path_mnt)) }
}

/// `int security_path_rename(const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir,
/// struct dentry *new_dentry, unsigned int flags)`
#[fexit(function = "security_path_rename")]
pub fn on_path_rename(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(5) as i32 != 0 {
        return 0;
    }
    // SAFETY: the arguments are `struct path *` to the verifier.
    let (from, to) = unsafe { (mount_of(context.arg(0)), mount_of(context.arg(2))) };
    let old = Place { dentry: context.arg(1), mount: from };
    let new = Place { dentry: context.arg(3), mount: to };
    record(Deed { kind: Kind::Rename, hook: Hook::PathRename, slot: Slot::Rename }, old, Some(new), SIZE_UNKNOWN);
    0
}

/// `int security_path_link(struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry)`: the mount of the
/// old name is not told; it must be that of the new one (`do_linkat` gives EXDEV).
#[fexit(function = "security_path_link")]
pub fn on_path_link(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(3) as i32 != 0 {
        return 0;
    }
    // SAFETY: the argument is a `struct path *` to the verifier.
    let mount = unsafe { mount_of(context.arg(1)) };
    let old = Place { dentry: context.arg(0), mount };
    let new = Place { dentry: context.arg(2), mount };
    record(Deed { kind: Kind::Link, hook: Hook::PathLink, slot: Slot::Link }, old, Some(new), SIZE_UNKNOWN);
    0
}

/// `int security_path_unlink(const struct path *dir, struct dentry *dentry)`
#[fexit(function = "security_path_unlink")]
pub fn on_path_unlink(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(2) as i32 != 0 {
        return 0;
    }
    // SAFETY: the argument is a `struct path *` to the verifier.
    let mount = unsafe { mount_of(context.arg(0)) };
    let name = Place { dentry: context.arg(1), mount };
    record(Deed { kind: Kind::Unlink, hook: Hook::PathUnlink, slot: Slot::Unlink }, name, None, SIZE_UNKNOWN);
    0
}

/// `int security_path_truncate(const struct path *path)`: truncate; before 6.2 also ftruncate, and opens with O_TRUNC.
#[fexit(function = "security_path_truncate")]
pub fn on_path_truncate(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let path: u64 = context.arg(0);
    if context.arg::<u64>(1) as i32 != 0 {
        return 0;
    }
    // SAFETY: the argument is a `struct path *` to the verifier.
    let place = unsafe { Place { dentry: load(path, offset!(path_dentry)), mount: mount_of(path) } };
    truncated(Deed { kind: Kind::Truncate, hook: Hook::PathTruncate, slot: Slot::PathTruncate }, place);
    0
}

/// `int security_file_truncate(struct file *file)`: ftruncate, and opens with O_TRUNC (6.2).
#[fexit(function = "security_file_truncate")]
pub fn on_file_truncate(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let file: u64 = context.arg(0);
    if context.arg::<u64>(1) as i32 != 0 {
        return 0;
    }
    // SAFETY: the argument is a `struct file *` to the verifier.
    let place = unsafe { Place { dentry: load(file, offset!(file_dentry)), mount: load(file, offset!(file_mnt)) } };
    truncated(Deed { kind: Kind::Truncate, hook: Hook::FileTruncate, slot: Slot::FileTruncate }, place);
    0
}

/// The hooks do not tell the new size; the system call does.
#[inline(always)]
fn truncated(deed: Deed, place: Place) {
    const OPEN: u8 = Action::Open as u8;
    const TRUNCATE: u8 = Action::Truncate as u8;
    const FTRUNCATE64: u8 = Action::Ftruncate64 as u8;
    let new_size = match call::current() {
        Some(OPEN) => 0,
        Some(action @ TRUNCATE..=FTRUNCATE64) => call::size_of_truncate(&call::in_progress(action)),
        _ => SIZE_UNKNOWN,
    };
    record(deed, place, None, new_size);
}

/// An open file was truncated.
#[inline(always)]
pub fn of_file(file: u64, new_size: u64, hook: Hook) {
    let slot = if matches!(hook, Hook::SysExit) { Slot::SysExit } else { Slot::UringComplete };
    let place = Place { dentry: read(file + offset!(file_dentry)), mount: read(file + offset!(file_mnt)) };
    record(Deed { kind: Kind::Truncate, hook, slot }, place, None, new_size);
}

/// One of the system calls from rename to ftruncate returned.
#[inline(always)]
pub fn called(call: &Call) {
    const RENAME: u8 = Action::Rename as u8;
    const RENAMEAT: u8 = Action::Renameat as u8;
    const LINK: u8 = Action::Link as u8;
    const LINKAT: u8 = Action::Linkat as u8;
    const UNLINKAT: u8 = Action::Unlinkat as u8;
    const TRUNCATE: u8 = Action::Truncate as u8;
    const TRUNCATE64: u8 = Action::Truncate64 as u8;
    const FTRUNCATE: u8 = Action::Ftruncate as u8;
    const FTRUNCATE64: u8 = Action::Ftruncate64 as u8;
    let deed = |kind| Deed { kind, hook: Hook::SysExit, slot: Slot::SysExit };
    if call.action == FTRUNCATE || call.action == FTRUNCATE64 {
        return of_file(files::of_descriptor(call.argument(0)), call::size_of_truncate(call), Hook::SysExit);
    }
    if call.action == UNLINKAT && call.argument(2) & AT_REMOVEDIR != 0 {
        return;
    }
    let (kind, old, new) = match call.action {
        RENAME => (Kind::Rename, call.argument(0), call.argument(1)),
        RENAMEAT => (Kind::Rename, call.argument(1), call.argument(3)),
        LINK => (Kind::Link, call.argument(0), call.argument(1)),
        LINKAT => (Kind::Link, call.argument(1), call.argument(3)),
        UNLINKAT => (Kind::Unlink, call.argument(1), 0),
        TRUNCATE | TRUNCATE64 => (Kind::Truncate, call.argument(0), 0),
        _ => (Kind::Unlink, call.argument(0), 0),
    };
    let size = if matches!(kind, Kind::Truncate) { call::size_of_truncate(call) } else { SIZE_UNKNOWN };
    record_words(deed(kind), (old, new), Text::User, size);
}

/// An io_uring request that renames, links or unlinks is submitted; its names are gone when it completes.
#[inline(always)]
pub fn submitted(names: uring::Names) {
    let deed = Deed { kind: names.kind, hook: Hook::IoUringSubmit, slot: Slot::UringSubmit };
    record_words(deed, (names.old, names.new), Text::Kernel, SIZE_UNKNOWN);
}
