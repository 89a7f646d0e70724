//! System calls: which one the current thread is in, and, for the portable hooks, what it did when it returns.
//!
//! `tp_btf/sys_exit` runs at every system call of the machine. The bit set `WATCHED_CALLS` decides first; it is empty, and
//! the program not attached, where trampolines see the same.

use crate::globals::{CONFIG, bounded, config, load, offset, read, task_load};
use crate::{agent, bpf, change, files, label, memory, mount, namespace, open, socket_made};
use aya_ebpf::{
    btf_maps::Array,
    helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use sensor_common::config::{ABSENT, Action, Convention, SystemCalls, Watched};
use sensor_common::record::Hook;

#[btf_map]
static WATCHED_CALLS: Array<Watched, 1> = Array::new();

/// `x32_enabled`: bit 30 marks an x32 call, which has the number of the 64-bit one (`__X32_SYSCALL_BIT`).
const X32_BIT: u32 = 0x4000_0000;
/// `PF_IO_WORKER` (include/linux/sched.h): io_uring's own threads.
const PF_IO_WORKER: u32 = 0x10;

/// What the portable programs are to look at.
#[inline(always)]
pub fn watched() -> Option<&'static Watched> {
    // SAFETY: the one element of an array map; the agent writes it once, before they are attached.
    WATCHED_CALLS.get_ptr(0).map(|watched| unsafe { &*watched })
}

/// Whether `number` is one of `calls`.
#[inline(always)]
fn contains(calls: &SystemCalls, number: u32) -> bool {
    let index = bounded::<7>((number >> 6).into()) as usize;
    // SAFETY: there are eight words; volatile, so that the two sets are not read as one.
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

/// What that system call does; 0 if it is not watched.
#[inline(always)]
fn action_of(number: u32, convention: &Convention) -> u8 {
    let index = bounded::<{ SystemCalls::END - 1 }>(number.into()) as usize;
    if number >= SystemCalls::END {
        return 0;
    }
    // SAFETY: there are as many actions; volatile, as for `constant`.
    unsafe { core::ptr::read_volatile(convention.actions.as_ptr().add(index)) }
}

/// The registers (`struct pt_regs *`) that the current thread entered the kernel with (`task_pt_regs`); 0 if that is not known.
#[inline(always)]
fn entry_registers() -> u64 {
    match config!(task_registers) {
        0 => 0,
        // SAFETY: the current task is valid; 5.15.
        1 => unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) as u64 },
        above => task_load::<u64>(offset!(task_stack)) + u64::from(above),
    }
}

/// What the system call does that the current thread is in, for programs that are called from within one: an [`Action`], 0 for
/// any other; `None` where that is not known.
#[inline(always)]
pub fn current() -> Option<u8> {
    let registers = entry_registers();
    if registers == 0 {
        return None;
    }
    let number = read::<u32>(registers + offset!(regs_syscall)) & !X32_BIT;
    Some(action_of(number, if is_compat() { &CONFIG.compat } else { &CONFIG.native }))
}

/// The system call that the current thread is in, where [`current`] knows it.
#[inline(always)]
pub fn in_progress(action: u8) -> Call {
    Call { action, result: 0, registers: entry_registers(), compat: is_compat() }
}

/// Whether the current thread works on an io_uring request: one of io_uring's own, or one that submits requests just now.
#[inline(always)]
pub fn in_io_uring() -> bool {
    task_load::<u32>(offset!(task_flags)) & PF_IO_WORKER != 0 || current() == Some(Action::IoUringEnter as u8)
}

/// A system call that returned.
pub struct Call {
    /// An [`Action`].
    pub action: u8,
    /// What it returned: not an error.
    pub result: u64,
    registers: u64,
    compat: bool,
}

impl Call {
    /// It was made in the 32-bit convention.
    #[inline(always)]
    pub fn is_compat(&self) -> bool {
        self.compat
    }

    /// The argument of that number, below 5.
    #[inline(always)]
    pub fn argument(&self, index: usize) -> u64 {
        if self.compat {
            read::<u32>(self.registers + u64::from(config!(compat.arguments[index]))).into()
        } else {
            read(self.registers + u64::from(config!(native.arguments[index])))
        }
    }
}

/// The size that a call to truncate a file was given.
#[inline(always)]
pub fn size_of_truncate(call: &Call) -> u64 {
    const TRUNCATE64: u8 = Action::Truncate64 as u8;
    const FTRUNCATE64: u8 = Action::Ftruncate64 as u8;
    match call.action {
        TRUNCATE64 | FTRUNCATE64 if config!(compat.size_low) == 2 => call.argument(2) | call.argument(3) << 32,
        TRUNCATE64 | FTRUNCATE64 => call.argument(1) | call.argument(2) << 32,
        _ => call.argument(1),
    }
}

/// `trace_sys_exit(struct pt_regs *regs, long ret)`, every system call: the filter comes first.
#[btf_tracepoint(function = "sys_exit")]
pub fn on_sys_exit(context: BtfTracePointContext) -> i32 {
    let registers: u64 = context.arg(0);
    let result: i64 = context.arg(1);
    // SAFETY: the first argument is a `struct pt_regs *` to the verifier. Half of a long on x86, all of an int on arm64, where
    // the verifier refuses to read more.
    let number: u32 = unsafe { load(registers, offset!(regs_syscall)) };
    let number = number & !X32_BIT;
    let Some(watched) = watched() else { return 0 };
    if number >= SystemCalls::END || !contains(&watched.native, number) && !contains(&watched.compat, number) {
        return 0;
    }
    if !agent::at_work() {
        return 0;
    }
    let compat = is_compat();
    if result < 0 || !contains(if compat { &watched.compat } else { &watched.native }, number) {
        return 0;
    }
    let action = action_of(number, if compat { &CONFIG.compat } else { &CONFIG.native });
    let call = Call { action, result: result as u64, registers, compat };
    if action == Action::Open as u8 {
        open::opened(call.result);
    } else if action >= Action::Read as u8 {
        label::called(&call);
    } else {
        done(&call);
    }
    0
}

/// Everything but opens: rare, and so a function of its own in the object.
#[inline(never)]
fn done(call: &Call) {
    const RENAME: u8 = Action::Rename as u8;
    const FTRUNCATE64: u8 = Action::Ftruncate64 as u8;
    const SOCKET: u8 = Action::Socket as u8;
    const SOCKETCALL: u8 = Action::Socketcall as u8;
    const PTRACE: u8 = Action::Ptrace as u8;
    const PIDFD_GETFD: u8 = Action::PidfdGetfd as u8;
    const BPF: u8 = Action::Bpf as u8;
    const MOUNT: u8 = Action::Mount as u8;
    const PIVOT_ROOT: u8 = Action::PivotRoot as u8;
    const UNSHARE: u8 = Action::Unshare as u8;
    const SETNS: u8 = Action::Setns as u8;
    match call.action {
        RENAME..=FTRUNCATE64 => change::called(call),
        SOCKET => socket_made::of_file(files::of_descriptor(call.result), Hook::SysExit),
        // `SYS_SOCKET` (include/uapi/linux/net.h)
        SOCKETCALL if call.argument(0) == 1 => socket_made::of_file(files::of_descriptor(call.result), Hook::SysExit),
        PTRACE..=PIDFD_GETFD => memory::called(call),
        BPF => bpf::called(call),
        MOUNT..=PIVOT_ROOT => mount::called(call),
        UNSHARE | SETNS => namespace::called(call),
        _ => (),
    }
}
