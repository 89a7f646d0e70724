//! Facts of an open file, from its `struct file`.

use crate::globals::{descriptors, offset, read};
use sensor_common::record::File;

/// The `struct file *` behind a descriptor of the current process; 0 if there is none.
#[inline(always)]
pub fn of_descriptor(descriptor: u64) -> u64 {
    let table = descriptors();
    let length: u32 = read(table + offset!(fdt_max_fds));
    if descriptor >= u64::from(length) {
        return 0;
    }
    let array: u64 = read(table + offset!(fdt_fd));
    read(array + descriptor * size_of::<u64>() as u64)
}

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
    file.changed_nanoseconds = read(inode + offset!(inode_ctime_nanoseconds));
    file.links = read(inode + offset!(inode_nlink));
    file.uid = read(inode + offset!(inode_uid));
}
