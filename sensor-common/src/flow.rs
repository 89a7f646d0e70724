//! What the kernel side keeps of sockets and flows, in maps that the agent can read.
//!
//! TCP has one flow a socket, kept with the socket ([`Socket`], map `SOCKETS`, socket storage): it cannot be evicted, and its
//! number is bounded by the sockets themselves. Everything else can have many peers a socket: those flows are in the hash
//! map `FLOWS` ([`FlowKey`] -> [`Counters`]); when it is full, they are summed in the socket's own counters.
//!
//! Beside them, every payload byte that leaves the machine is counted in the hash map `EGRESS` ([`EgressKey`] -> bytes), by whose
//! it is and where it goes: what the agent's ledger is exact by, whatever becomes of the flows' reports.

use crate::plain;
use crate::record::{Endpoints, Header};

/// Most flows other than TCP that are told apart.
pub const FLOWS: u32 = 32_768;

plain! {
    /// Key of the map `FLOWS`: a socket and one of its peers.
    pub struct FlowKey {
        /// `bpf_get_socket_cookie`
        pub cookie: u64,
        /// Peer's address; IPv4 in the first four bytes.
        pub peer_address: [u8; 16],
        /// Peer's port, host byte order; 0 where the protocol has none.
        pub peer_port: u16,
        /// `IPPROTO_*`
        pub protocol: u16,
        /// `AF_INET` or `AF_INET6`.
        pub family: u32,
    }
}

plain! {
    /// What was counted of one flow.
    pub struct Counters {
        /// Payload bytes sent; of TCP each once.
        pub bytes: u64,
        /// Packets with payload, before segmentation.
        pub packets: u64,
        /// First payload, `CLOCK_BOOTTIME` nanoseconds; 0 if there was none yet.
        pub first_time: u64,
        /// Last payload, `CLOCK_BOOTTIME` nanoseconds.
        pub last_time: u64,
        /// Report again when `bytes` reaches this.
        pub next_report: u64,
        /// TCP: sequence number behind the last payload byte that was counted.
        pub sequence: u32,
        /// [`crate::record::flow_flags`]
        pub flags: u32,
    }
}

plain! {
    /// Value of the map `SOCKETS`: who made a socket, and its own flow.
    pub struct Socket {
        /// The maker, as it was when it made the socket; ready to be sent.
        pub owner: Header,
        /// TCP: the flow's ends. Else those of the last packet.
        pub endpoints: Endpoints,
        /// TCP: the flow. Else what found no room in `FLOWS`.
        pub counters: Counters,
        /// Not 0: `owner` is filled.
        pub known: u32,
        /// [`crate::record::flow_flags`] that hold for all flows of the socket.
        pub flags: u32,
        /// TCP: bytes that are still to come of the TLS record that the flow began with.
        pub hello_bytes: u32,
        /// TCP: packets of it that may still be sent to the agent.
        pub hello_packets: u32,
    }
}

plain! {
    /// Value of the map `FLOWS`.
    pub struct FlowValue {
        /// The socket's maker.
        pub owner: Header,
        /// From where to where.
        pub endpoints: Endpoints,
        /// What was counted.
        pub counters: Counters,
    }
}

/// Entries of the map `EGRESS`.
pub const EGRESS: u32 = 16_384;

plain! {
    /// Key of the map `EGRESS`: a cgroup and a peer.
    pub struct EgressKey {
        /// Inode number of the cgroup of whoever made the socket; of the socket, where that is not known.
        pub cgroup: u64,
        /// Peer's address; IPv4 in the first four bytes.
        pub peer_address: [u8; 16],
        /// The cgroup's hierarchy, 0 for v2.
        pub hierarchy: u32,
        /// `AF_INET` or `AF_INET6`.
        pub family: u16,
        /// `IPPROTO_*`
        pub protocol: u16,
        /// 1: this side asked for the connection, or sent first.
        pub initiated: u32,
        /// 0
        pub reserved: u32,
    }
}

/// Entries of the map `EGRESS_REST`. A map of its own, so that whoever fills `EGRESS` with peers leaves it empty.
pub const EGRESS_REST: u32 = 4096;

plain! {
    /// Key of the map `EGRESS_REST`: a cgroup, of all whose peers together is counted what found no room in `EGRESS`. With `cgroup` and
    /// `hierarchy` 0 it is that of all cgroups for which there was no room here either; these entries the agent makes before any
    /// packet can be counted.
    pub struct EgressRestKey {
        /// As in [`EgressKey`].
        pub cgroup: u64,
        /// As in [`EgressKey`].
        pub hierarchy: u32,
        /// As in [`EgressKey`].
        pub initiated: u32,
    }
}
