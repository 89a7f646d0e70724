//! Paths, by walking dentries and mounts as `prepend_path` (fs/d_path.c) does, leaf first.
//!
//! Without the locks that the kernel's own walk takes, a concurrent rename can give a mix of old and new components: each
//! was true at some moment. What the file is, its device and inode say.

use crate::globals::{bounded, offset, read};
use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use sensor_common::record::{PATH_DEPTH, Path, path_flags};

/// Bytes behind a path's limit that a last component may touch (`NAME_MAX` and its NUL).
pub const SLACK: usize = 256;

struct Walk {
    dentry: u64,
    mount: u64,
    length: u64,
    flags: u16,
}

/// Writes the path of `dentry` in `mount` (`struct vfsmount *`) to `buffer`, as [`Path`] describes it.
///
/// # Safety
/// `buffer` points to at least `MASK + 1 + SLACK` writable bytes; `MASK` is one less than a power of two.
#[inline(never)]
pub unsafe fn write<const MASK: u32>(buffer: *mut u8, dentry: u64, mount: u64) -> Path {
    let mut walk = Walk { dentry, mount, length: 0, flags: path_flags::CUT };
    for _ in 0..PATH_DEPTH {
        // SAFETY: by the contract above.
        if unsafe { step::<MASK>(buffer, &mut walk) } {
            break;
        }
    }
    Path { len: bounded::<MASK>(walk.length) as u16, flags: walk.flags }
}

/// One component or one mount towards the root. True when the walk is over.
#[inline(always)]
unsafe fn step<const MASK: u32>(buffer: *mut u8, walk: &mut Walk) -> bool {
    let root: u64 = read(walk.mount + offset!(vfsmount_root));
    let parent: u64 = read(walk.dentry + offset!(dentry_parent));
    if walk.dentry == root {
        let mount = walk.mount - offset!(mount_mnt);
        let above: u64 = read(mount + offset!(mount_parent));
        if above == mount || above == 0 {
            // A root that is no directory is a file without a tree: an anonymous mount of one file.
            walk.flags = if above == 0 { path_flags::FAULT } else { 0 };
            return true;
        }
        walk.dentry = read(mount + offset!(mount_mountpoint));
        walk.mount = above + offset!(mount_mnt);
        return false;
    }
    let name: u64 = read(walk.dentry + offset!(dentry_name));
    let at = bounded::<MASK>(walk.length);
    // SAFETY: at most MASK + SLACK bytes into the buffer, by the contract of `write`.
    let read = unsafe { bpf_probe_read_kernel_str(buffer.add(at as usize).cast(), SLACK as u32, name as *const _) };
    if read <= 0 {
        walk.flags = path_flags::FAULT;
        return true;
    }
    // At most MASK, since the walk is over before there is no room for another component. Said with one and the same bound in every
    // round, so that the verifier sees one state where it would see one for each number of components and mounts so far: before 6.8 it
    // compares the bounds of all scalars in programs with functions (`mark_all_scalars_precise`), and a million instructions are its end.
    walk.length = bounded::<MASK>(at + (read as u64 & (2 * SLACK as u64 - 1)));
    if walk.dentry == parent {
        // In no tree (`d_alloc_pseudo`): memfd, pipe, socket. Or a directory that was unmounted lazily.
        walk.flags = path_flags::PSEUDO;
        return true;
    }
    walk.dentry = parent;
    walk.length > u64::from(MASK) - SLACK as u64
}
