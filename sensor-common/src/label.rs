//! What the kernel side keeps of who holds classified content, and of what carries it, in maps that the agent can read and add to.
//!
//! Labels are bounds: who could have read so many bytes of a class holds them. They decide what is sent, so that nobody can
//! outrun the agent; which file it was, the agent knows.

use crate::plain;

/// Most processes that hold something, in the map `HOLDERS`. An entry goes when its process ends.
pub const HOLDERS: u32 = 32_768;
/// Most things that carry something, in the map `CARRIERS`. The agent removes those that are no more.
pub const CARRIERS: u32 = 131_072;
/// Pairs of a process and a thing, in the map `TRANSFERS`, of which it is known how much has been reported; the least recently used
/// goes first, and is then reported again.
pub const TRANSFERS: u32 = 65_536;

/// A bit beside those of the classes: got at the memory or the descriptors of another process; the agent knows what that one held.
pub const PERHAPS: u32 = 1 << 28;

/// In the place of a device in [`crate::classify::InodeKey`]: the number is a socket's cookie.
pub const COOKIE: u32 = u32::MAX;
/// The same: the number is the address of a `struct sock` that nobody has accepted yet.
pub const NOT_ACCEPTED: u32 = u32::MAX - 1;
/// The same: the number is the end of a name that a unix datagram was sent to, whose receiver is known by that only.
pub const NAMED: u32 = u32::MAX - 2;

plain! {
    /// Value of the maps `HOLDERS` (by `task_struct.tgid`) and `CARRIERS` (by [`crate::classify::InodeKey`]).
    pub struct Label {
        /// Most bytes of these classes that it can have.
        pub bytes: u64,
        /// Bits of the classes, and [`PERHAPS`].
        pub classes: u32,
        /// [`label_flags`]
        pub flags: u32,
        /// When it last took or gave, nanoseconds of `CLOCK_BOOTTIME`.
        pub used: u64,
    }
}

/// What else is known of a [`Label`].
pub mod label_flags {
    /// The thing is itself of the classes; else it was written by somebody who holds them.
    pub const SOURCE: u32 = 1;
    /// It has no name in any file system: it is gone when nobody has it open.
    pub const ANONYMOUS: u32 = 2;
}

/// What carries content from one process to another. The discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Carrier {
    /// A file.
    File = 1,
    /// A file in memory only: memfd, tmpfs, hugetlbfs.
    Memory = 2,
    /// A pipe or a FIFO.
    Pipe = 3,
    /// A unix socket; by the end that receives.
    UnixSocket = 4,
    /// An IPv4 or IPv6 socket: what is given to it leaves.
    InetSocket = 5,
    /// A block device.
    Device = 6,
}

impl Carrier {
    /// Every carrier, in wire order.
    pub const ALL: [Carrier; 6] =
        [Carrier::File, Carrier::Memory, Carrier::Pipe, Carrier::UnixSocket, Carrier::InetSocket, Carrier::Device];

    /// The carrier of a wire value.
    pub fn from_wire(value: u32) -> Option<Carrier> {
        Carrier::ALL.get(usize::try_from(value).ok()?.checked_sub(1)?).copied()
    }

    /// The value of the field `weir.transfer.carrier`.
    pub const fn name(self) -> &'static str {
        match self {
            Carrier::File => "file",
            Carrier::Memory => "memory",
            Carrier::Pipe => "pipe",
            Carrier::UnixSocket => "unix_socket",
            Carrier::InetSocket => "inet_socket",
            Carrier::Device => "device",
        }
    }
}

/// Which way content goes. The discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Direction {
    /// From the thing to the process.
    In = 1,
    /// From the process to the thing.
    Out = 2,
    /// Both, at any time from now on: it is mapped, shared and writable.
    Both = 3,
}

impl Direction {
    /// The direction of a wire value.
    pub const fn from_wire(value: u32) -> Option<Direction> {
        match value {
            1 => Some(Direction::In),
            2 => Some(Direction::Out),
            3 => Some(Direction::Both),
            _ => None,
        }
    }

    /// The value of the field `weir.transfer.direction`.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::Both => "both",
        }
    }
}

plain! {
    /// Key of the map `TRANSFERS`.
    pub struct TransferKey {
        /// As in [`crate::classify::InodeKey`].
        pub inode: u64,
        /// As in [`crate::classify::InodeKey`].
        pub device: u32,
        /// `task_struct.tgid`
        pub tgid: u32,
        /// A [`Direction`].
        pub direction: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

plain! {
    /// Value of the map `TRANSFERS`.
    pub struct Transferred {
        /// Bytes so far.
        pub bytes: u64,
        /// Report again when `bytes` reaches this.
        pub next_report: u64,
    }
}
