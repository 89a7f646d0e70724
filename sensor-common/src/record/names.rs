//! Records about the names of destinations: DNS messages and ClientHellos, as the packets have them. They are parsed in the agent.

use super::{Endpoints, Header};
use crate::plain;

/// Most bytes of a DNS message that are kept; resolvers seldom send more than 1232 (RFC 9715).
pub const DNS_MAX: usize = 2048;
/// Room for most DNS messages; longer ones get [`DNS_MAX`]. Powers of two: so the verifier can follow their bounds.
pub const DNS_SHORT: usize = 256;
/// Most bytes of a packet that are kept of a ClientHello; those with post-quantum key shares are 1800 bytes long.
pub const HELLO_MAX: usize = 2048;
/// Room for most ClientHellos without them; longer ones get [`HELLO_MAX`].
pub const HELLO_SHORT: usize = 1024;

/// Which way a [`Dns`] message goes. The discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum DnsDirection {
    /// It left, to port 53.
    Query = 1,
    /// It arrived, from port 53.
    Answer = 2,
}

impl DnsDirection {
    /// The direction of a wire value.
    pub const fn from_wire(value: u32) -> Option<DnsDirection> {
        match value {
            1 => Some(DnsDirection::Query),
            2 => Some(DnsDirection::Answer),
            _ => None,
        }
    }

    /// The value of the field `weir.dns.direction`.
    pub const fn name(self) -> &'static str {
        match self {
            DnsDirection::Query => "query",
            DnsDirection::Answer => "answer",
        }
    }
}

plain! {
    /// `Kind::Dns`: a UDP datagram to or from port 53. Tail: `length` bytes of its payload, then bytes without meaning up to
    /// [`DNS_SHORT`] or [`DNS_MAX`]. The header's process made the socket.
    pub struct Dns {
        /// The beginning of every record.
        pub header: Header,
        /// The container's side is local, whichever way the message goes.
        pub endpoints: Endpoints,
        /// The socket (`bpf_get_socket_cookie`).
        pub cookie: u64,
        /// A [`DnsDirection`].
        pub direction: u32,
        /// Bytes of the payload.
        pub size: u32,
        /// Bytes of it in the tail.
        pub length: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

plain! {
    /// `Kind::Hello`: the beginning of a TCP flow that looks like a TLS record with a ClientHello, or one of the first datagrams
    /// of a UDP flow that looks like a QUIC Initial packet. Tail: `length` bytes, then bytes without meaning up to
    /// [`HELLO_SHORT`] or [`HELLO_MAX`]. The header's process made the socket.
    pub struct Hello {
        /// The beginning of every record.
        pub header: Header,
        /// From where to where.
        pub endpoints: Endpoints,
        /// The socket (`bpf_get_socket_cookie`).
        pub cookie: u64,
        /// TCP: bytes of the flow before these. UDP: datagrams of the flow before this one.
        pub offset: u32,
        /// Bytes that the packet has.
        pub size: u32,
        /// Bytes of it in the tail.
        pub length: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}
