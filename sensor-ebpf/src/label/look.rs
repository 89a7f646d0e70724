//! The look that cannot be outrun: when a process connects, what it has open is looked at. Who was handed a descriptor of something that
//! carries content, and has not read from it yet, holds it from now on.

use super::object::key_of;
use super::{carrier, hold};
use crate::agent;
use crate::globals::{offset, read, task_load};
use crate::scratch::{self, Slot};
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use core::ptr;
use sensor_common::label::Label;

/// Descriptors that are looked at, in blocks. Of what stands behind, reads tell.
const BLOCKS: u64 = 2;
const BLOCK: usize = 32;

/// What the current process holds as it connects, what it has open included.
#[inline(never)]
pub fn at_connect(held: &mut Label) -> u32 {
    let Some((block, _)) = scratch::of::<[u64; BLOCK]>(Slot::Connect) else { return 0 };
    let files: u64 = task_load(offset!(task_files));
    let table: u64 = read(files + offset!(files_fdt));
    let descriptors: u64 = read(table + offset!(fdt_fd));
    // A table has at least 64 (`NR_OPEN_DEFAULT`, include/linux/fdtable.h).
    let (mut classes, mut bytes) = (0, 0);
    for number in 0..BLOCKS {
        let size = size_of::<[u64; BLOCK]>() as u32;
        let from = descriptors + number * u64::from(size);
        // SAFETY: the block has that many bytes.
        unsafe { bpf_probe_read_kernel(block.as_mut_ptr().cast(), size, from as *const _) };
        for place in 0..BLOCK {
            // SAFETY: within the block; volatile, so that the loop stays one.
            let file = unsafe { ptr::read_volatile(block.as_ptr().add(place)) };
            if file != 0 {
                look(file, &mut classes, &mut bytes);
            }
        }
    }
    let tgid = task_load::<u32>(offset!(task_tgid));
    if agent::is(tgid) {
        return 0;
    }
    if classes != 0 && super::holder(tgid).is_none() {
        let _ = hold(classes, bytes);
    }
    if let Some(label) = super::holder(tgid) {
        *held = *label;
    }
    classes
}

#[inline(always)]
fn look(file: u64, classes: &mut u32, bytes: &mut u64) {
    let inode: u64 = read(file + offset!(file_inode));
    if let Some(label) = carrier(&key_of::<false>(inode)) {
        *classes |= label.classes;
        *bytes += label.bytes;
    }
}
