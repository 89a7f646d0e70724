//! Records about sockets: connects, flows, and sockets past them.

use super::Header;
use crate::label::Label;
use crate::plain;

plain! {
    /// One side's addresses. IPv4 uses the first four bytes of an address, the rest being 0.
    pub struct Endpoints {
        /// Own address, network byte order; all zero where it is not chosen yet.
        pub local_address: [u8; 16],
        /// Peer's address, network byte order.
        pub peer_address: [u8; 16],
        /// Own port, host byte order; 0 where it is not chosen yet.
        pub local_port: u16,
        /// Peer's port, host byte order.
        pub peer_port: u16,
        /// `AF_INET` (2) or `AF_INET6` (10).
        pub family: u16,
        /// `IPPROTO_TCP` (6), `IPPROTO_UDP` (17), or another of `IPPROTO_*`.
        pub protocol: u16,
    }
}

plain! {
    /// `Kind::Connect`: what was asked for, before it is known whether it succeeds.
    pub struct Connect {
        /// The beginning of every record.
        pub header: Header,
        /// From where to where.
        pub endpoints: Endpoints,
        /// The socket (`bpf_get_socket_cookie`).
        pub cookie: u64,
        /// What the process held at that moment.
        pub held: Label,
    }
}

plain! {
    /// `Kind::Listen`: a TCP socket waits for connections.
    pub struct Listen {
        /// The beginning of every record.
        pub header: Header,
        /// Where; there is no peer. The port is 0 where the kernel is still to choose one.
        pub endpoints: Endpoints,
        /// The socket (`sock.__sk_common.skc_cookie`); 0 if it has no number yet.
        pub cookie: u64,
    }
}

/// Why a [`Flow`] was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum FlowReason {
    /// Its first payload byte left.
    First = 1,
    /// Its bytes passed the floor, or twice what was last reported.
    Grown = 2,
    /// It ended; the bytes are final.
    Closed = 3,
}

impl FlowReason {
    /// The reason of a wire value.
    pub const fn from_wire(value: u32) -> Option<FlowReason> {
        match value {
            1 => Some(FlowReason::First),
            2 => Some(FlowReason::Grown),
            3 => Some(FlowReason::Closed),
            _ => None,
        }
    }

    /// The value of the field `weir.flow.reason`.
    pub const fn name(self) -> &'static str {
        match self {
            FlowReason::First => "first",
            FlowReason::Grown => "grown",
            FlowReason::Closed => "closed",
        }
    }
}

/// What is known of a [`Flow`].
pub mod flow_flags {
    /// This side asked for the connection (or sent first, unconnected).
    pub const INITIATED: u32 = 1;
    /// The socket was made before the sensor saw it: its owner is unknown or a guess.
    pub const OWNER_GUESSED: u32 = 2;
    /// The bytes are those of several peers of one unconnected socket, for which the flow table had no room.
    pub const PEERS_MERGED: u32 = 4;
}

plain! {
    /// `Kind::Flow`. The header's process made the socket; for an accepted connection, it made the listening one.
    pub struct Flow {
        /// The beginning of every record.
        pub header: Header,
        /// From where to where.
        pub endpoints: Endpoints,
        /// The socket (`bpf_get_socket_cookie`).
        pub cookie: u64,
        /// Payload bytes sent so far. TCP: each byte once, however often it was retransmitted.
        pub bytes: u64,
        /// Packets that carried them, before segmentation (one for a GSO packet).
        pub packets: u64,
        /// When its first payload byte left, nanoseconds of `CLOCK_BOOTTIME`.
        pub first_time: u64,
        /// A [`FlowReason`].
        pub reason: u32,
        /// [`flow_flags`].
        pub flags: u32,
        /// What the socket's maker, and whoever gave something to the socket, held at that moment.
        pub held: Label,
    }
}

plain! {
    /// `Kind::Socket`.
    pub struct Socket {
        /// The beginning of every record.
        pub header: Header,
        /// `AF_*`.
        pub family: u32,
        /// `SOCK_*`, without flags.
        pub kind: u32,
        /// The family's protocol number.
        pub protocol: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}
