//! Facts of an open file, from its `struct file`.

use crate::globals::{config, load, offset, read, task_load};
use aya_ebpf::helpers::generated::bpf_get_current_task_btf;
use sensor_common::config::SMALL_DESCRIPTORS;
use sensor_common::record::File;

/// The `struct file *` behind a descriptor of the current process; 0 if there is none.
#[inline(always)]
pub fn of_descriptor(descriptor: u64) -> u64 {
    let files: u64 = task_load(offset!(task_files));
    let table: u64 = read(files + offset!(files_fdt));
    let length: u32 = read(table + offset!(fdt_max_fds));
    if descriptor >= u64::from(length) {
        return 0;
    }
    let array: u64 = read(table + offset!(fdt_fd));
    read(array + descriptor * size_of::<u64>() as u64)
}

/// The same, as a pointer whose type the verifier knows, so that what hangs on it can be loaded directly. `None` where that
/// cannot be had: before 5.11, and for processes that ever had more than [`SMALL_DESCRIPTORS`] descriptors.
#[inline(always)]
pub fn of_small_descriptor(descriptor: u64) -> Option<u64> {
    if config!(typed_loads) == 0 || descriptor >= SMALL_DESCRIPTORS {
        return None;
    }
    // SAFETY: the current task has a known type (5.11), and so has what is loaded through it.
    unsafe {
        let files: u64 = load(bpf_get_current_task_btf() as u64, offset!(task_files));
        let table: u64 = load(files, offset!(files_fdt));
        if table != files + offset!(files_fdtab) {
            return None;
        }
        Some(element(files + offset!(files_fd_array), descriptor))
    }
}

/// `*(array + index * 8)` for an index below [`SMALL_DESCRIPTORS`].
///
/// The verifier allows only constant offsets from a typed pointer: a tree of comparisons ends in a load for each index, in
/// assembly, for the compiler would join them again.
///
/// # Safety
/// As for [`load`]; the array has that many elements.
#[inline(always)]
unsafe fn element(array: u64, index: u64) -> u64 {
    let mut value: u64;
    macro_rules! leaf {
        ($index:expr) => {
            // SAFETY: by the contract above.
            unsafe {
                core::arch::asm!("{0} = *(u64 *)({1} + {2})", out(reg) value, in(reg) array, const $index * 8,
                    options(readonly, nostack))
            }
        };
    }
    macro_rules! tree {
        ($base:expr;) => { leaf!($base) };
        ($base:expr; $half:literal $($rest:literal)*) => {
            if index & $half == 0 { tree!($base; $($rest)*) } else { tree!($base + $half; $($rest)*) }
        };
    }
    tree!(0; 32 16 8 4 2 1);
    value
}

/// A mark in `i_ctime_nsec` that somebody asked for the time (include/linux/fs.h, 6.13: multigrain timestamps), which
/// `inode_get_ctime_nsec` takes away as well. Nanoseconds never have that bit.
const I_CTIME_QUERIED: u32 = 1 << 31;

/// What `struct inode` says.
#[inline(always)]
pub fn facts(file: &mut File, inode: u64) {
    let superblock: u64 = read(inode + offset!(inode_sb));
    file.device = read(superblock + offset!(sb_dev));
    file.filesystem = read::<u64>(superblock + offset!(sb_magic)) as u32;
    file.mode = u32::from(read::<u16>(inode + offset!(inode_mode)));
    file.inode = read(inode + offset!(inode_ino));
    file.size = read(inode + offset!(inode_size));
    file.changed_seconds = read(inode + offset!(inode_ctime_seconds));
    file.changed_nanoseconds = read::<u32>(inode + offset!(inode_ctime_nanoseconds)) & !I_CTIME_QUERIED;
    file.links = read(inode + offset!(inode_nlink));
    file.uid = read(inode + offset!(inode_uid));
}
