//! Records about content on its way between processes and what carries it.

use super::{File, Header, Path};
use crate::plain;

/// How a [`Transfer`] came to be.
pub mod transfer_flags {
    /// An io_uring request did it.
    pub const IO_URING: u32 = 1;
    /// Mapped: from now on no system call tells of what is read or written there.
    pub const MAPPED: u32 = 2;
    /// How many bytes moved is not known: it is the most that can have.
    pub const BOUND: u32 = 4;
    /// The process has a descriptor of it, found when it connected.
    pub const FOUND: u32 = 8;
}

plain! {
    /// `Kind::Transfer`: a process took content out of a thing that carries some, or a process that holds some gave it to a thing.
    /// Told at the first time and at each doubling. Tail: `path`.
    pub struct Transfer {
        /// The beginning of every record.
        pub header: Header,
        /// The thing, from its inode. Of an IPv4 or IPv6 socket all zero; of a unix socket the end that receives, and all zero but
        /// `inode`, the address of that end, while nobody has accepted it.
        pub file: File,
        /// Classes of what it can have been, [`crate::label::PERHAPS`] among them.
        pub classes: u32,
        /// A [`crate::label::Carrier`].
        pub carrier: u32,
        /// A [`crate::label::Direction`].
        pub direction: u32,
        /// The file's path; empty for pipes and sockets.
        pub path: Path,
        /// Bytes between the two in this direction so far.
        pub bytes: u64,
        /// Nothing more is told before there are so many.
        pub until: u64,
        /// IPv4 and IPv6 sockets: `bpf_get_socket_cookie`; 0 if it has none yet.
        pub cookie: u64,
        /// [`transfer_flags`]
        pub flags: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}
