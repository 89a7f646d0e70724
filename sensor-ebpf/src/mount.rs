//! Changes of the tree of directories: mount, move_mount and pivot_root, at their security hooks; or, where there are no
//! trampolines, as the system calls return, with the names as the process wrote them.

use crate::call::Call;
use crate::globals::{load, offset};
use crate::header::{self, admit};
use crate::scratch::{self, Slot, Text};
use crate::{agent, ring};
use aya_ebpf::{macros::fexit, programs::FExitContext};
use sensor_common::config::Action;
use sensor_common::count::Outcome;
use sensor_common::record::{Hook, Kind, Mount, MountHow, PATH_MAX, Path, STRING_MAX};

/// `MS_MGC_MSK`, `MS_MGC_VAL` (include/uapi/linux/mount.h): a magic number that old programs put into the flags.
const MAGIC_MASK: u32 = 0xffff_0000;
const MAGIC: u32 = 0xc0ed_0000;

/// A name, as far as the hook knows it.
#[derive(Clone, Copy)]
enum Name {
    Resolved { dentry: u64, mount: u64 },
    Words(Text),
}

/// The name that a `struct path *` is.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
unsafe fn resolved(path: u64) -> Name {
    // SAFETY: by the contract above.
    unsafe { Name::Resolved { dentry: load(path, offset!(path_dentry)), mount: load(path, offset!(path_mnt)) } }
}

#[inline(always)]
fn record(how: MountHow, hook: Hook, slot: Slot, target: Name, source: Name, filesystem: Option<Text>, flags: u32) {
    const NOTHING: Path = Path { len: 0, flags: 0 };
    if !admit(Kind::Mount) {
        return;
    }
    let Some((mount, tail)) = scratch::of::<Mount>(slot) else {
        return ring::count(Kind::Mount, Outcome::Fault);
    };
    let add = |at, name| match name {
        Name::Resolved { dentry, mount } => tail.path(at, dentry, mount),
        Name::Words(text) => tail.text(at, text),
    };
    let (target, at) = add(0, target);
    let (source, at) = add(at, source);
    let (filesystem, at) = match filesystem {
        Some(text) => tail.short(at, text),
        None => (NOTHING, at),
    };
    (mount.target, mount.source, mount.filesystem) = (target, source, filesystem);
    mount.how = how as u32;
    mount.flags = if flags & MAGIC_MASK == MAGIC { flags & !MAGIC_MASK } else { flags };
    mount.reserved = 0;
    const TAIL: u64 = 2 * PATH_MAX as u64 + STRING_MAX as u64;
    let size = size_of::<Mount>() as u64 + if at > TAIL { TAIL } else { at };
    header::fill(&mut mount.header, Kind::Mount, hook, size as u32);
    // SAFETY: the scratch space has room for a record, two paths and a short string.
    unsafe { ring::send(Kind::Mount, (&raw mut *mount).cast(), size) }
}

/// `int security_sb_mount(const char *dev_name, const struct path *path, const char *type, unsigned long flags, void *data)`
#[fexit(function = "security_sb_mount")]
pub fn on_sb_mount(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(5) as i32 != 0 {
        return 0;
    }
    // SAFETY: the argument is a `struct path *` to the verifier.
    let target = unsafe { resolved(context.arg(1)) };
    let source = Name::Words(Text::Kernel(context.arg(0)));
    let flags: u64 = context.arg(3);
    let kind = Some(Text::Kernel(context.arg(2)));
    record(MountHow::Mount, Hook::SbMount, Slot::Mount, target, source, kind, flags as u32);
    0
}

/// `int security_move_mount(const struct path *from_path, const struct path *to_path)`
#[fexit(function = "security_move_mount")]
pub fn on_move_mount(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(2) as i32 != 0 {
        return 0;
    }
    // SAFETY: the arguments are `struct path *` to the verifier.
    let (source, target) = unsafe { (resolved(context.arg(0)), resolved(context.arg(1))) };
    record(MountHow::Move, Hook::MoveMount, Slot::MoveMount, target, source, None, 0);
    0
}

/// `int security_sb_pivotroot(const struct path *old_path, const struct path *new_path)`
#[fexit(function = "security_sb_pivotroot")]
pub fn on_sb_pivotroot(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(2) as i32 != 0 {
        return 0;
    }
    // SAFETY: the arguments are `struct path *` to the verifier.
    let (source, target) = unsafe { (resolved(context.arg(0)), resolved(context.arg(1))) };
    record(MountHow::PivotRoot, Hook::PivotRoot, Slot::PivotRoot, target, source, None, 0);
    0
}

/// mount, move_mount or pivot_root returned.
#[inline(always)]
pub fn called(call: &Call) {
    const MOVE: u8 = Action::MoveMount as u8;
    const PIVOT: u8 = Action::PivotRoot as u8;
    let (how, target, source, kind, flags) = match call.action {
        MOVE => (MountHow::Move, call.argument(3), call.argument(1), 0, 0),
        PIVOT => (MountHow::PivotRoot, call.argument(0), call.argument(1), 0, 0),
        _ => {
            let flags = call.argument(3) as u32;
            (MountHow::Mount, call.argument(1), call.argument(0), call.argument(2), flags)
        }
    };
    let words = |text| Name::Words(Text::User(text));
    let kind = if kind == 0 { None } else { Some(Text::User(kind)) };
    record(how, Hook::SysExit, Slot::SysExit, words(target), words(source), kind, flags);
}
