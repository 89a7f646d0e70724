//! Records about processes that come and go, and of the programs that they run, and what stands behind their first descriptors.

use super::{File, Header, Path, Process};
use crate::plain;

/// How an [`Exec`] came out.
pub mod exec_flags {
    /// The arguments were longer than [`super::ARGS_MAX`].
    pub const ARGS_CUT: u16 = 1;
    /// The arguments could not be read (their pages were not present).
    pub const ARGS_FAULT: u16 = 2;
    /// The program runs with another effective user than its real one (`cred.euid`, `cred.uid`).
    pub const SETUID: u16 = 4;
}

/// What stands behind a descriptor. The discriminant is the wire value; [`Stream::name`] is the value of `weir.process.stdin` and the
/// like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stream {
    /// It is closed.
    #[default]
    None = 0,
    /// A regular file.
    File = 1,
    /// A regular file that is in memory only: memfd, tmpfs, ramfs, hugetlbfs.
    Memory = 2,
    /// `/dev/null`
    Null = 3,
    /// A terminal, or a pseudo-terminal.
    Terminal = 4,
    /// A pipe or FIFO.
    Pipe = 5,
    /// An IPv4 or IPv6 socket.
    InetSocket = 6,
    /// A unix socket.
    UnixSocket = 7,
    /// A socket of another family.
    Socket = 8,
    /// A directory, another device, or what is in no file system.
    Other = 9,
}

impl Stream {
    /// Every stream, in wire order.
    pub const ALL: [Stream; 10] = [
        Stream::None,
        Stream::File,
        Stream::Memory,
        Stream::Null,
        Stream::Terminal,
        Stream::Pipe,
        Stream::InetSocket,
        Stream::UnixSocket,
        Stream::Socket,
        Stream::Other,
    ];

    /// The stream of a wire value.
    pub fn from_wire(value: u8) -> Option<Stream> {
        Stream::ALL.get(usize::from(value)).copied()
    }

    /// The name in rules and output.
    pub const fn name(self) -> &'static str {
        match self {
            Stream::None => "none",
            Stream::File => "file",
            Stream::Memory => "memory",
            Stream::Null => "null",
            Stream::Terminal => "terminal",
            Stream::Pipe => "pipe",
            Stream::InetSocket => "inet_socket",
            Stream::UnixSocket => "unix_socket",
            Stream::Socket => "socket",
            Stream::Other => "other",
        }
    }
}

plain! {
    /// `Kind::Exec`. Tail: `path`, then `directory`, then `args` bytes of NUL-separated arguments.
    pub struct Exec {
        /// The beginning of every record.
        pub header: Header,
        /// The program's file; for a script its interpreter, as `/proc/PID/exe` shows it.
        pub file: File,
        /// The parent at that moment (`real_parent`).
        pub parent: Process,
        /// The executable's path.
        pub path: Path,
        /// The working directory's path.
        pub directory: Path,
        /// Bytes of arguments in the tail.
        pub args: u16,
        /// [`exec_flags`].
        pub flags: u16,
        /// What stands behind descriptors 0, 1 and 2 when the program begins, those that exec closes being closed: [`Stream`]s.
        pub streams: [u8; 3],
        /// Reserved, 0.
        pub reserved: u8,
    }
}

plain! {
    /// `Kind::Fork`. The header's process is the one that called fork or clone, whatever parent it gave the child (`CLONE_PARENT`).
    pub struct Fork {
        /// The beginning of every record.
        pub header: Header,
        /// The new process.
        pub child: Process,
    }
}

plain! {
    /// `Kind::Exit`: the last thread of the process ended.
    pub struct Exit {
        /// The beginning of every record.
        pub header: Header,
        /// As `wait(2)` encodes it: `exit code << 8 | signal`.
        pub status: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}
