//! What the agent sets before load, and how kernel memory is read with it.
//!
//! The globals are in a frozen map: the verifier knows their values, sees constant offsets, and drops branches that
//! `CONFIG` turns off (`bpf_map_is_rdonly` in kernel/bpf/verifier.c, 5.2).

use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_probe_read_user,
};
use core::mem::MaybeUninit;
use sensor_common::config::{Config, Offsets};

#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::ZERO;
#[unsafe(no_mangle)]
pub static CONFIG: Config = Config::ZERO;

/// A global's value. Volatile, so that the compiler does not fold the zeroes it was built with.
#[inline(always)]
pub fn constant(global: &u32) -> u32 {
    // SAFETY: a reference is valid to read.
    unsafe { core::ptr::read_volatile(global) }
}

/// The offset of a kernel structure's field: `offset!(task_tgid)`.
macro_rules! offset {
    ($field:ident) => {
        u64::from($crate::globals::constant(&$crate::globals::OFFSETS.$field))
    };
}

/// A setting: `config!(own_tgid)`.
macro_rules! config {
    ($($field:tt)+) => {
        $crate::globals::constant(&$crate::globals::CONFIG.$($field)+)
    };
}
pub(crate) use {config, offset};

/// A copy of the `T` at a kernel address; zero if it cannot be read (`copy_from_kernel_nofault`). `T` is plain data.
#[inline(always)]
pub fn read<T>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the helper writes all of `value`, zeroes included when it fails; every bit pattern is a valid plain `T`.
    unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        value.assume_init()
    }
}

/// The `T` at `pointer + offset`, loaded directly.
///
/// # Safety
/// `pointer` is one whose type the verifier knows: an argument of a BTF program, the result of `bpf_get_current_task_btf`,
/// or loaded through such a one. A fault then reads as zero (`PROBE_MEM`, 5.5); otherwise the verifier rejects the program.
#[inline(always)]
pub unsafe fn load<T: Copy>(pointer: u64, offset: u64) -> T {
    // SAFETY: by the contract above. Volatile, so that the access keeps its place and its width.
    unsafe { core::ptr::read_volatile((pointer as *const u8).add(offset as usize).cast()) }
}

/// Reads a field, through a pointer whose type the verifier knows (`TYPED`) or through any other.
#[inline(always)]
pub fn get<const TYPED: bool, T: Copy>(pointer: u64, offset: u64) -> T {
    // SAFETY: callers set `TYPED` only for pointers of known type.
    if TYPED { unsafe { load(pointer, offset) } } else { read(pointer + offset) }
}

/// The current task (`struct task_struct *`), for `read`.
#[inline(always)]
pub fn task() -> u64 {
    // SAFETY: no arguments; always valid in process context, and a readable task even in softirq.
    unsafe { bpf_get_current_task() }
}

/// The field of the current task at `offset`.
#[inline(always)]
pub fn task_load<T: Copy>(offset: u64) -> T {
    if config!(typed_loads) != 0 {
        // SAFETY: `bpf_get_current_task_btf` (5.11) gives a pointer of known type.
        unsafe { load(bpf_get_current_task_btf() as u64, offset) }
    } else {
        read(task() + offset)
    }
}

/// A copy of the `T` at an address of the current process's; zero if it cannot be read (`copy_from_user_nofault`). `T` is
/// plain data. Whoever shares the process's memory may have changed it since the kernel read it.
#[inline(always)]
pub fn read_user<T>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the helper writes all of `value`, zeroes included when it fails; every bit pattern is a valid plain `T`.
    unsafe {
        bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        value.assume_init()
    }
}

/// `value & MASK`, where the compiler cannot see that the mask is redundant and drop it: the verifier needs to see it.
#[inline(always)]
pub fn bounded<const MASK: u32>(value: u64) -> u64 {
    let mut result = value;
    // SAFETY: arithmetic on a register.
    unsafe { core::arch::asm!("{0} &= {1}", inout(reg) result, const MASK as i32, options(pure, nomem, nostack)) }
    result
}
