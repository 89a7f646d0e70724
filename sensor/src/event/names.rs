//! Names of destinations: DNS messages, ClientHellos, and what a destination goes by.

use super::text::{TEXT_MAX, lossless};
use super::{Endpoints, serial};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

pub use sensor_common::record::DnsDirection;

/// A DNS message left or arrived, over UDP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// The container's side is local, whichever way the message goes.
    pub endpoints: Endpoints,
    /// The kernel's number of the socket.
    pub socket_cookie: u64,
    /// Which way it goes.
    #[serde(with = "serial")]
    pub direction: DnsDirection,
    /// Bytes of the datagram's payload.
    pub size: u32,
    /// What it says; `None` if it is no DNS message.
    pub message: Option<Box<DnsMessage>>,
    /// A query: what its workload asks for, added up; set by provenance.
    pub channel: Option<DnsChannel>,
}

/// A DNS message: its first question, and what was answered to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsMessage {
    /// The number that an answer has from its question.
    pub id: u16,
    /// It is an answer.
    pub response: bool,
    /// `RCODE`, low four bits; 0 is no error, 3 is a name that does not exist.
    pub code: u8,
    /// The name asked for, in lower case, without the dot at the end; bytes that are no plain text as `\DDD`.
    pub name: Box<str>,
    /// Bytes of that name, with the dot at its end.
    pub name_bytes: u16,
    /// The type asked for (`A` is 1, `AAAA` 28).
    pub kind: u16,
    /// Addresses that the name has, by way of its aliases (CNAME), each with the seconds for which it may be kept.
    pub addresses: Vec<(IpAddr, u32)>,
}

/// What a workload has asked for below a registered domain during the last hour. Bounds that nothing that was asked is missing from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsChannel {
    /// The registered domain; of what is no DNS message, the address that it went to.
    pub registered_domain: Arc<str>,
    /// Bytes of the names asked for; of messages that carry more than a name, all bytes.
    pub query_bytes: u64,
    /// About how many different names below it.
    pub distinct_labels: u64,
}

/// What may be a ClientHello, as it left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// From where to where.
    pub endpoints: Endpoints,
    /// The kernel's number of the socket.
    pub socket_cookie: u64,
    /// TCP: bytes of the flow before these. UDP: datagrams of the flow before this one.
    pub offset: u32,
    /// Bytes that the packet had.
    pub size: u32,
    /// The first of them.
    #[serde(with = "serial::hexadecimal")]
    pub bytes: Box<[u8]>,
    /// The server's name that it asked for, where it is complete; set by provenance.
    pub server_name: Option<Arc<str>>,
}

/// Where the name of a destination comes from (`weir.destination.by`).
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// The answer of a declared resolver that the workload itself received.
    Dns,
    /// The flow's own ClientHello: what the client says.
    Tls,
    /// The same, in QUIC's Initial packets.
    Quic,
    /// Nothing: it has no name.
    #[default]
    Address,
}

impl NamedBy {
    /// Every source, the best first.
    pub const ALL: [NamedBy; 4] = [NamedBy::Dns, NamedBy::Tls, NamedBy::Quic, NamedBy::Address];

    /// The value of the field.
    pub const fn name(self) -> &'static str {
        match self {
            NamedBy::Dns => "dns",
            NamedBy::Tls => "tls",
            NamedBy::Quic => "quic",
            NamedBy::Address => "address",
        }
    }
}

/// What the destination of a connect or flow goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its name (`server.address`); `None` where only the address is known.
    pub name: Option<Arc<str>>,
    /// Where that comes from.
    pub by: NamedBy,
    /// The name in the flow's own ClientHello (`weir.tls.server_name`), whatever DNS says.
    pub tls: Option<Arc<str>>,
    /// That one is in another registered domain than what DNS says: domain fronting, or a hello that lies.
    pub disagrees: bool,
}

/// A host's name as the field has it: lower case, without dots at the end, what is no plain text escaped.
pub fn host_name(bytes: &[u8]) -> Box<str> {
    let mut name = lossless(bytes, TEXT_MAX);
    name.make_ascii_lowercase();
    name.trim_end_matches('.').into()
}
