//! Opens by system call: `tp_btf/sys_exit`, which sees the descriptor that the kernel gave out.
//!
//! One function, [`record`], makes the event, whichever hook found the file.

use crate::globals::{CONFIG, bounded, config, load, offset, read, task_load};
use crate::header::{self, admit};
use crate::{classify, files, path, ring};
use aya_ebpf::{
    btf_maps::PerCpuArray,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use sensor_common::config::{ABSENT, SystemCalls};
use sensor_common::count::Outcome;
use sensor_common::record::{Hook, Kind, Open, PATH_MAX};

/// Where a record is made: too large for the stack (512 bytes).
#[repr(C)]
struct Scratch {
    open: Open,
    path: [u8; PATH_MAX + 1 + path::SLACK],
}

/// One for each program that uses it, so that none can interrupt another's work. The kernel does not run a program while
/// the same one runs on that CPU (`bpf_prog.active`, kernel/trace/bpf_trace.c).
#[btf_map]
static OPEN_SCRATCH: PerCpuArray<Scratch, 2> = PerCpuArray::new();

/// How a file came to be open.
pub struct Origin {
    /// The hook that saw it; says which scratch space is used.
    pub hook: Hook,
    /// The system call, -1 for io_uring.
    pub syscall: i32,
    /// The descriptor, -1 if it has none.
    pub descriptor: i32,
}

/// An open by the current process, of a file whose classes `classify` finds: counted, and sent if it is of interest.
/// `file`: `struct file *`, 0 if it was not found.
#[inline(always)]
pub fn record(file: u64, classify: impl FnOnce(u64) -> u32, origin: Origin) {
    if !admit(Kind::Open) {
        return;
    }
    if file == 0 {
        return ring::count(Kind::Open, Outcome::Fault);
    }
    match classify(file) {
        0 => ring::count(Kind::Open, Outcome::Unmatched),
        classes => send(file, classes, &origin),
    }
}

/// Sends an open. A function of its own in the object: every hook calls it, and few opens get here.
#[inline(never)]
fn send(file: u64, classes: u32, origin: &Origin) {
    let slot = u32::from(matches!(origin.hook, Hook::IoUringComplete));
    let Some(scratch) = OPEN_SCRATCH.get_ptr_mut(slot) else {
        return ring::count(Kind::Open, Outcome::Fault);
    };
    // SAFETY: this program's own element of this CPU's copy; nothing else refers to it while the program runs.
    let scratch = unsafe { &mut *scratch };
    let open = &mut scratch.open;
    files::facts(&mut open.file, read(file + offset!(file_inode)));
    open.classes = classes;
    open.flags = read(file + offset!(file_flags));
    open.syscall = origin.syscall;
    open.descriptor = origin.descriptor;
    open.reserved = 0;
    let (dentry, mount) = (read(file + offset!(file_dentry)), read(file + offset!(file_mnt)));
    // SAFETY: the buffer has PATH_MAX + 1 + SLACK bytes, and PATH_MAX + 1 is a power of two.
    open.path = unsafe { path::write::<{ PATH_MAX as u32 }>(scratch.path.as_mut_ptr(), dentry, mount) };
    let size = size_of::<Open>() as u64 + u64::from(open.path.len);
    header::fill(&mut open.header, Kind::Open, origin.hook, size as u32);
    // SAFETY: the path's length is at most PATH_MAX, so that `size` is within the scratch space.
    unsafe { ring::send(Kind::Open, (&raw mut *scratch).cast(), size) }
}

/// Whether `number` is one of `calls`.
#[inline(always)]
fn opens(number: u32, calls: &SystemCalls) -> bool {
    let index = bounded::<7>((number >> 6).into()) as usize;
    // SAFETY: there are eight words; volatile, as for `constant`.
    let word = unsafe { core::ptr::read_volatile(calls.words.as_ptr().add(index)) };
    word >> (number & 63) & 1 != 0
}

/// Whether the current system call was made in the 32-bit convention, whose numbers differ. A 64-bit program can do so too
/// (`int 0x80`), and would go unseen if only 64-bit numbers were compared.
#[inline(always)]
fn is_compat() -> bool {
    let place = offset!(task_compat);
    place != u64::from(ABSENT) && task_load::<u32>(place) & config!(compat_flag) != 0
}

/// `x32_enabled`: bit 30 marks an x32 call, which has the number of the 64-bit one (`__X32_SYSCALL_BIT`).
const X32_BIT: u32 = 0x4000_0000;

/// `trace_sys_exit(struct pt_regs *regs, long ret)`, every system call: the filter comes first.
#[btf_tracepoint(function = "sys_exit")]
pub fn on_sys_exit(context: BtfTracePointContext) -> i32 {
    let registers: u64 = context.arg(0);
    let result: i64 = context.arg(1);
    // SAFETY: the first argument is a `struct pt_regs *` to the verifier.
    let number: u64 = unsafe { load(registers, offset!(regs_syscall)) };
    let number = number as u32 & !X32_BIT;
    let (native, compat) = (&CONFIG.open_calls, &CONFIG.compat_open_calls);
    if number >= SystemCalls::END || !opens(number, native) && !opens(number, compat) {
        return 0;
    }
    if result < 0 || !opens(number, if is_compat() { compat } else { native }) {
        return 0;
    }
    let origin = Origin { hook: Hook::SysExit, syscall: number as i32, descriptor: result as i32 };
    match files::of_small_descriptor(result as u64) {
        Some(file) => record(file, classify::of_file::<true>, origin),
        None => {
            let file = files::of_descriptor(result as u64);
            if file == 0 {
                debug!(&context, "system call {} gave descriptor {}, which has no file", number, result);
            }
            record(file, classify::of_file::<false>, origin);
        }
    }
    0
}
