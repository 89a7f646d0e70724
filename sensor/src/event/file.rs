//! Files, and what is done to them.

use super::Classes;
use serde::{Deserialize, Serialize};

/// A file, told apart by device and inode: names do not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct FileId {
    /// The device: `major << 20 | minor`, the kernel's own encoding.
    pub device: u32,
    /// The inode number.
    pub inode: u64,
}

/// A file as it was when the event happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    /// Which one; `None` when the kernel did not resolve it (an io_uring request without completion).
    pub id: Option<FileId>,
    /// The path in the process's mount namespace. Bytes that are not UTF-8 are written `\xNN`.
    pub path: Box<str>,
    /// The front of the path is missing, or some of it could not be read.
    pub path_cut: bool,
    /// Bytes.
    pub size: u64,
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owner's id, initial user namespace.
    pub uid: u32,
    /// Names that the file has; 0: deleted, or memory only.
    pub links: u32,
    /// Status change time, nanoseconds since the epoch.
    pub changed_unix_nanos: i64,
    /// Magic number of the file system (linux/magic.h).
    pub filesystem: u32,
    /// The classes that it is in, as far as they are known when the event is decoded.
    pub classes: Classes,
    /// Those of them that its content puts it in, as far as somebody has looked; names say nothing against these.
    pub by_content: Classes,
}

/// What a descriptor was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// `O_RDONLY`
    Read,
    /// `O_WRONLY`
    Write,
    /// `O_RDWR`
    ReadWrite,
    /// `O_PATH`, or access mode 3: neither.
    None,
}

impl Access {
    /// From `file.f_flags`.
    pub fn from_flags(flags: u32) -> Access {
        const O_PATH: u32 = 0o10_000_000;
        match (flags & O_PATH, flags & 3) {
            (0, 0) => Access::Read,
            (0, 1) => Access::Write,
            (0, 2) => Access::ReadWrite,
            _ => Access::None,
        }
    }

    /// The value of the field `weir.file.access`.
    pub fn name(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::ReadWrite => "read_write",
            Access::None => "none",
        }
    }
}

/// A file was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The file.
    pub file: File,
    /// What for.
    pub access: Access,
    /// The O_* flags (`file.f_flags`).
    pub flags: u32,
    /// An io_uring request did it.
    pub io_uring: bool,
    /// By name and place it is in no class; it was sent for a look at its content. Nothing waits for that: if it tells, the open
    /// comes again, with its classes and without this mark.
    pub candidate: bool,
    /// It carries what somebody wrote to it who held something, as the kernel side knew.
    pub carrier: bool,
    /// The open made it: whatever had its number before is gone.
    pub created: bool,
}

/// What was done to a file or to a name of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It got another name.
    Rename,
    /// It got one more name.
    Link,
    /// It lost a name.
    Unlink,
    /// It was cut or grown to a size.
    Truncate,
}

/// The file that a rename took a name from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Which one; `None` where only its name was known.
    pub id: Option<FileId>,
}

/// A file got another name, one more, lost one, or was cut. Seen at a system call's exit it was done; at a security hook it was
/// allowed, and the file system had the last word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// What was done.
    pub change: Change,
    /// The file, before the change at a security hook, after it otherwise; without an id where only the words are known that the
    /// process used.
    pub file: File,
    /// Rename and link: the name that it got.
    pub new_path: Box<str>,
    /// Rename: the new name was another file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    /// Truncate: its new size in bytes, where the hook tells.
    pub new_size: Option<u64>,
    /// An io_uring request did it.
    pub io_uring: bool,
}
