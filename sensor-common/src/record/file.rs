//! Records about files: opens, changes of names and sizes, and the paths in them.

use super::Header;
use crate::plain;

plain! {
    /// A file, from its `struct inode`.
    pub struct File {
        /// `super_block.s_dev` in the kernel's own encoding: major << 20 | minor.
        pub device: u32,
        /// `inode.i_mode`: type and permissions.
        pub mode: u32,
        /// `inode.i_ino`.
        pub inode: u64,
        /// `inode.i_size`, bytes.
        pub size: u64,
        /// Status change time: seconds since the epoch.
        pub changed_seconds: i64,
        /// Status change time: nanoseconds within the second.
        pub changed_nanoseconds: u32,
        /// `inode.i_nlink`; 0: no name is left (deleted, `memfd_create`, `O_TMPFILE`).
        pub links: u32,
        /// `inode.i_uid`, in the initial user namespace.
        pub uid: u32,
        /// `super_block.s_magic`, low 32 bits (`TMPFS_MAGIC` and the like, include/uapi/linux/magic.h).
        pub filesystem: u32,
    }
}

/// How a path in a record came out.
pub mod path_flags {
    /// Longer or deeper than the record holds: the front (towards the root) is missing.
    pub const CUT: u16 = 1;
    /// The file is in no directory tree (memfd, pipe, socket): the path is the kernel's own name for it.
    pub const PSEUDO: u16 = 2;
    /// As asked for by the program, from the kernel's own copy, neither resolved nor made absolute.
    pub const UNRESOLVED: u16 = 4;
    /// The walk met memory it could not read; what is there is right but incomplete.
    pub const FAULT: u16 = 8;
}

plain! {
    /// Where in a record's tail a path lies, and how it came out. A resolved path is stored as its components, leaf first,
    /// each followed by a NUL; an unresolved or pseudo one as one NUL-terminated string.
    pub struct Path {
        /// Bytes in the tail, NULs included.
        pub len: u16,
        /// [`path_flags`].
        pub flags: u16,
    }
}

/// How an [`Open`] or a [`FileChange`] came to be.
pub mod file_flags {
    /// An io_uring request did it.
    pub const IO_URING: u32 = 1;
    /// It is in no class as far as the kernel knows, and is sent for a look at its content.
    pub const CANDIDATE: u32 = 2;
    /// It carries content that somebody wrote to it who holds some.
    pub const CARRIER: u32 = 4;
    /// The open made it: whatever had its number before is gone.
    pub const CREATED: u32 = 8;
}

plain! {
    /// `Kind::Open`. Tail: `path`.
    pub struct Open {
        /// The beginning of every record.
        pub header: Header,
        /// The file that is now open. All zero when `path` is unresolved.
        pub file: File,
        /// Classes that its name or directory matched ([`crate::classify::Classes`] bits), and those of a watched inode.
        pub classes: u32,
        /// `file.f_flags`: the O_* flags, access mode in the low two bits; without those that only matter while it is opened
        /// (O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC: `do_dentry_open` takes them away).
        pub flags: u32,
        /// The file's path.
        pub path: Path,
        /// [`file_flags`].
        pub origin: u32,
    }
}

plain! {
    /// `Kind::Rename`, `Kind::Link`, `Kind::Unlink`, `Kind::Truncate`. Tail: `path`, then `new_path`.
    pub struct FileChange {
        /// The beginning of every record.
        pub header: Header,
        /// The file: before the change at a security hook, after it otherwise. All zero when `path` is unresolved.
        pub file: File,
        /// Classes that its name, its new name or its directories matched, and those of a watched inode.
        pub classes: u32,
        /// The name that is changed, or of the file that is.
        pub path: Path,
        /// Rename and link: the name that it gets. Else empty.
        pub new_path: Path,
        /// [`file_flags`].
        pub origin: u32,
        /// Truncate: the new size in bytes, [`SIZE_UNKNOWN`] where the hook does not tell.
        pub new_size: u64,
        /// Rename: the inode that had the new name, on the same file system; 0 where there was none, or where that is not known.
        pub replaced: u64,
    }
}

/// No size.
pub const SIZE_UNKNOWN: u64 = u64::MAX;
