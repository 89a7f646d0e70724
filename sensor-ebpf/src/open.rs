//! Opens: at `security_file_open`, which every open passes; or, where there are no trampolines, by the descriptor that a system
//! call gave out.
//!
//! One function, [`record`], makes the event, whichever hook found the file. Not opens in its sense are: descriptors for a name
//! only (O_PATH: they do not pass `security_file_open`, and give no access to content), programs that are started (an exec
//! event tells), and files that a file system opens below one that is open already (overlayfs, `FMODE_NOACCOUNT`).

use crate::globals::{config, load, offset, read};
use crate::header::{self, admit};
use crate::{agent, call, classify, files, label, memory, path, ring};
use aya_ebpf::{
    btf_maps::PerCpuArray,
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, fexit},
    programs::FExitContext,
};
use sensor_common::classify::{CLASSES, InodeKey};
use sensor_common::count::Outcome;
use sensor_common::record::{File, Hook, Kind, Open, PATH_MAX, file_flags};

/// `O_PATH` (include/uapi/asm-generic/fcntl.h).
const O_PATH: u32 = 0o10_000_000;
const O_ACCMODE: u32 = 3;
const O_WRONLY: u32 = 1;
/// O_CREAT, O_EXCL, O_NOCTTY and O_TRUNC, which `do_dentry_open` takes away once the file is open.
const O_PASSING: u32 = 0o1700;
const O_TRUNC: u32 = 0o1000;
/// `__FMODE_EXEC` (include/linux/fs.h) in `f_flags`: opened to be run. A program cannot ask for it (`VALID_OPEN_FLAGS`).
const FMODE_EXEC: u32 = 0x20;
/// `FMODE_CREATED` (include/linux/fs.h, 4.19) in `f_mode`: this open made the file.
const FMODE_CREATED: u32 = 0x10_0000;
/// Type of a directory in `i_mode` (include/uapi/linux/stat.h).
const S_IFDIR: u32 = 0o040_000;
/// `FMODE_NOACCOUNT` (include/linux/fs.h, 4.19) in `f_mode`: opened by a file system for itself.
const FMODE_NOACCOUNT: u32 = 0x2000_0000;

/// Where a record is made: too large for the stack (512 bytes).
#[repr(C)]
struct Scratch {
    open: Open,
    path: [u8; PATH_MAX + 1 + path::SLACK],
}

/// One for each program that uses it, so that none can interrupt another's work. The kernel does not run a program while
/// the same one runs on that CPU (`bpf_prog.active`, kernel/trace/bpf_trace.c).
#[btf_map]
static OPEN_SCRATCH: PerCpuArray<Scratch, 3> = PerCpuArray::new();

/// An open by the current process, of a file whose classes `classify` finds: counted, and sent if it is of interest.
/// `file`: `struct file *`, 0 if it was not found.
#[inline(always)]
pub fn record(file: u64, classify: impl FnOnce(u64) -> u32, hook: Hook) {
    if !admit(Kind::Open) {
        return;
    }
    if file == 0 {
        return ring::count(Kind::Open, Outcome::Fault);
    }
    match classify(file) {
        0 => ring::count(Kind::Open, Outcome::Unmatched),
        classes => send(file, classes, hook),
    }
}

/// Sends an open. A function of its own in the object: every hook calls it, and few opens get here.
#[inline(never)]
fn send(file: u64, classes: u32, hook: Hook) {
    let flags: u32 = read(file + offset!(file_flags));
    let mut classes = if classes & classify::PROC_MEM == 0 {
        classes
    } else {
        memory::opened(read(file + offset!(file_inode)), hook);
        classes & !classify::PROC_MEM
    };
    if classes == 0 || flags & O_PATH != 0 {
        return ring::count(Kind::Open, Outcome::Unmatched);
    }
    let slot = match hook {
        Hook::FileOpen => 0,
        Hook::SysExit => 1,
        _ => 2,
    };
    let Some(scratch) = OPEN_SCRATCH.get_ptr_mut(slot) else {
        return ring::count(Kind::Open, Outcome::Fault);
    };
    // SAFETY: this program's own element of this CPU's copy; nothing else refers to it while the program runs.
    let scratch = unsafe { &mut *scratch };
    let open = &mut scratch.open;
    files::facts(&mut open.file, read(file + offset!(file_inode)));
    if matches!(hook, Hook::FileOpen) && flags & O_TRUNC != 0 && open.file.mode & classify::S_IFMT == classify::S_IFREG
    {
        // Emptied right after this hook (`handle_truncate`, fs/namei.c); the others see it so.
        open.file.size = 0;
    }
    if open.file.mode & classify::S_IFMT == S_IFDIR {
        // A directory has no content, whatever its name.
        return ring::count(Kind::Open, Outcome::Unmatched);
    }
    let mut origin = self::origin(hook);
    if read::<u32>(file + offset!(file_mode)) & FMODE_CREATED != 0 {
        origin |= file_flags::CREATED;
        let key = InodeKey { inode: open.file.inode, device: open.file.device, reserved: 0 };
        label::forget(&key);
        // What the content of the one before was, does not matter either.
        classes &= !classify::forget(&key);
    }
    let process = (bpf_get_current_pid_tgid() >> 32) as u32;
    if classes & classify::CANDIDATE != 0 && classify::is_new(&open.file, process, flags & O_ACCMODE != O_WRONLY) {
        origin |= file_flags::CANDIDATE;
    }
    open.classes = classes & CLASSES;
    if flags & O_ACCMODE != O_WRONLY {
        origin |= holds(&open.file, open.classes);
    }
    // A carrier that is made anew is told, so that the agent forgets what it was.
    let told = file_flags::CANDIDATE | file_flags::CARRIER | file_flags::CREATED;
    if open.classes == 0 && origin & told == 0 {
        return ring::count(Kind::Open, Outcome::Unmatched);
    }
    open.flags = flags & !O_PASSING;
    open.origin = origin;
    let (dentry, mount) = (read(file + offset!(file_dentry)), read(file + offset!(file_mnt)));
    // SAFETY: the buffer has PATH_MAX + 1 + SLACK bytes, and PATH_MAX + 1 is a power of two.
    open.path = unsafe { path::write::<{ PATH_MAX as u32 }>(scratch.path.as_mut_ptr(), dentry, mount) };
    let size = size_of::<Open>() as u64 + u64::from(open.path.len);
    header::fill(&mut open.header, Kind::Open, hook, size as u32);
    // SAFETY: the path's length is at most PATH_MAX, so that `size` is within the scratch space.
    unsafe { ring::send(Kind::Open, (&raw mut *scratch).cast(), size) }
}

/// Who opens a file to read it holds what is in it. [`file_flags::CARRIER`] if that is what somebody wrote to it.
#[inline(always)]
fn holds(file: &File, classes: u32) -> u32 {
    let classes = classes & config!(held_classes);
    let key = InodeKey { inode: file.inode, device: file.device, reserved: 0 };
    let (carried, most) = label::carried(&key).unwrap_or((0, 0));
    if classes | carried == 0 {
        return 0;
    }
    if !label::opened(file, classes, (carried, most)) {
        ring::count(Kind::Transfer, Outcome::Seen);
        ring::count(Kind::Transfer, Outcome::TableFull);
    }
    if carried & !classes != 0 { file_flags::CARRIER } else { 0 }
}

/// The [`file_flags`] of what that hook sees.
#[inline(always)]
pub fn origin(hook: Hook) -> u32 {
    let io_uring = match hook {
        Hook::IoUringComplete | Hook::IoUringSubmit => true,
        Hook::SysExit => false,
        _ => call::in_io_uring(),
    };
    if io_uring { file_flags::IO_URING } else { 0 }
}

/// `int security_file_open(struct file *file)`: the file is found, access to it granted, its system not yet asked to open it.
#[fexit(function = "security_file_open")]
pub fn on_file_open(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let file: u64 = context.arg(0);
    let refused: u64 = context.arg(1);
    if refused as i32 != 0 {
        return 0;
    }
    // SAFETY: the first argument is a `struct file *` to the verifier.
    let (mode, flags): (u32, u32) = unsafe { (load(file, offset!(file_mode)), load(file, offset!(file_flags))) };
    if mode & FMODE_NOACCOUNT == 0 && flags & FMODE_EXEC == 0 {
        record(file, classify::of_typed_file, Hook::FileOpen);
    }
    0
}

/// A system call that opens gave out that descriptor.
#[inline(always)]
pub fn opened(descriptor: u64) {
    match files::of_small_descriptor(descriptor) {
        Some(file) => record(file, classify::of_typed_file, Hook::SysExit),
        None => record(files::of_descriptor(descriptor), classify::of_file, Hook::SysExit),
    }
}
