//! What tells the names of destinations: DNS questions and answers, and the ClientHello that a TLS or QUIC flow begins with. Copied
//! from the packets as they are; the agent parses them.
//!
//! Not seen: DNS over TCP (its bytes are counted like any others), over TLS and HTTPS (their servers' names are).

use crate::globals::{bounded, config};
use crate::header::now;
use crate::packet::{self, IPPROTO_UDP, Payload, at};
use crate::{agent, ring, socket};
use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_get_socket_cookie, bpf_sk_fullsock, bpf_skb_load_bytes},
    macros::cgroup_skb,
    programs::SkBuffContext,
};
use core::mem::offset_of;
use sensor_common::count::Outcome;
use sensor_common::flow::Socket;
use sensor_common::record::{
    DNS_MAX, DNS_SHORT, Dns, DnsDirection, Endpoints, HELLO_MAX, HELLO_SHORT, Header, Hello, Hook, Kind, VERSION,
};

const DNS_PORT: u16 = 53;
/// Packets of a TCP flow, and datagrams of a UDP flow, in which a ClientHello is looked for.
const HELLO_PACKETS: u32 = 4;
/// Least bytes of a datagram with a client's Initial packet (RFC 9000, section 14.1).
const INITIAL_MIN: u64 = 1200;
/// QUIC version 2 (RFC 9369, section 3.1).
const QUIC_2: u32 = 0x6b33_43cf;

/// A record's fixed part and room for `N` bytes of a packet; `N` is a power of two.
#[repr(C)]
struct Copied<T, const N: usize> {
    fixed: T,
    tail: [u8; N],
}

/// Copies at most `N` bytes of the packet, from `offset` on, behind the record's fixed part; how many, and 0 if it cannot be read.
#[inline(always)]
fn copy<T, const N: usize>(context: &SkBuffContext, record: *mut Copied<T, N>, offset: u32, bytes: u64) -> u32 {
    const { assert!(N.is_power_of_two()) }
    let length = if bytes > N as u64 { N as u64 } else { bytes };
    // From 1 to N, in one register and in a way that the verifier of 5.10 follows.
    let length = match N {
        256 => bounded::<0xff>(length.wrapping_sub(1)) + 1,
        1024 => bounded::<0x3ff>(length.wrapping_sub(1)) + 1,
        _ => bounded::<0x7ff>(length.wrapping_sub(1)) + 1,
    };
    // SAFETY: the record has room for N bytes there; the helper writes `length` bytes or fails.
    let failed = unsafe {
        let place = record.cast::<u8>().add(offset_of!(Copied<T, N>, tail));
        bpf_skb_load_bytes(context.as_ptr().cast(), offset, place.cast(), length as u32)
    };
    if failed == 0 { length as u32 } else { 0 }
}

/// The beginning of a record about a socket of `owner`.
#[inline(always)]
fn begin(header: &mut Header, owner: &Header, kind: Kind, hook: Hook, size: usize) {
    *header = *owner;
    header.version = VERSION;
    header.kind = kind as u8;
    header.hook = hook as u8;
    header.size = size as u32;
    header.time = now();
}

#[inline(always)]
fn send_dns<const N: usize>(
    context: &SkBuffContext,
    owner: &Header,
    payload: &Payload,
    cookie: u64,
    direction: DnsDirection,
) {
    ring::send_if::<Copied<Dns, N>>(Kind::Dns, |record| {
        let length = copy(context, record, payload.offset, payload.bytes);
        // SAFETY: in place in the ring; all of the fixed part is written.
        let dns = unsafe { &mut (*record).fixed };
        let hook =
            if direction as u32 == DnsDirection::Query as u32 { Hook::CgroupSkb } else { Hook::CgroupSkbIngress };
        begin(&mut dns.header, owner, Kind::Dns, hook, size_of::<Copied<Dns, N>>());
        dns.endpoints = payload.ends;
        dns.cookie = cookie;
        dns.direction = direction as u32;
        dns.size = payload.bytes as u32;
        dns.length = length;
        dns.reserved = 0;
        length != 0
    });
}

#[inline(always)]
fn dns(context: &SkBuffContext, owner: &Header, payload: &Payload, cookie: u64, direction: DnsDirection) {
    ring::count(Kind::Dns, Outcome::Seen);
    if payload.bytes <= DNS_SHORT as u64 {
        send_dns::<DNS_SHORT>(context, owner, payload, cookie, direction);
    } else {
        send_dns::<DNS_MAX>(context, owner, payload, cookie, direction);
    }
}

#[inline(always)]
fn send_hello<const N: usize>(context: &SkBuffContext, owner: &Header, payload: &Payload, cookie: u64, before: u32) {
    ring::send_if::<Copied<Hello, N>>(Kind::Hello, |record| {
        let length = copy(context, record, payload.offset, payload.bytes);
        // SAFETY: in place in the ring; all of the fixed part is written.
        let hello = unsafe { &mut (*record).fixed };
        begin(&mut hello.header, owner, Kind::Hello, Hook::CgroupSkb, size_of::<Copied<Hello, N>>());
        hello.endpoints = payload.ends;
        hello.cookie = cookie;
        hello.offset = before;
        hello.size = payload.bytes as u32;
        hello.length = length;
        hello.reserved = 0;
        length != 0
    });
}

/// `before`: [`Hello::offset`].
#[inline(always)]
fn hello(context: &SkBuffContext, owner: &Header, payload: &Payload, cookie: u64, before: u32) {
    ring::count(Kind::Hello, Outcome::Seen);
    if payload.bytes <= HELLO_SHORT as u64 {
        send_hello::<HELLO_SHORT>(context, owner, payload, cookie, before);
    } else {
        send_hello::<HELLO_MAX>(context, owner, payload, cookie, before);
    }
}

/// A datagram leaves: a question, if it goes to port 53, or if its socket is connected to port 53 and something on the way out
/// (a rule of netfilter, such as that of Docker's resolver) has changed the packet's port already.
#[inline(always)]
pub fn query(context: &SkBuffContext, socket: &Socket, payload: &Payload, cookie: u64, connected_to: u16) {
    if payload.ends.protocol == IPPROTO_UDP && (payload.ends.peer_port == DNS_PORT || connected_to == DNS_PORT) {
        dns(context, &socket.owner, payload, cookie, DnsDirection::Query);
    }
}

/// `new` bytes of a TCP flow leave that have not been counted yet: part of a ClientHello, if the flow begins with one.
#[inline(always)]
pub fn stream(context: &SkBuffContext, socket: &mut Socket, payload: &Payload, cookie: u64, new: u64) {
    if socket.counters.bytes == 0 {
        socket.hello_packets = 0;
        // The record's type, version and length (RFC 8446, section 5.1), the message's type and length (section 4).
        let Some(start) = at::<[u8; 9]>(context, payload.offset) else { return };
        if start[0] != 0x16 || start[1] != 3 || start[5] != 1 {
            return;
        }
        socket.hello_packets = HELLO_PACKETS;
        // The rest of a message in several records has more headers than this one; the packet that has the end has them too.
        socket.hello_bytes = 9 + (u32::from(start[7]) << 8 | u32::from(start[8]));
    } else if socket.hello_packets == 0 {
        return;
    }
    let before = socket.counters.bytes as u32;
    socket.hello_packets -= 1;
    let cut = payload.bytes > HELLO_MAX as u64 || new >= u64::from(socket.hello_bytes);
    if cut {
        socket.hello_packets = 0;
    } else {
        socket.hello_bytes -= new as u32;
    }
    // Bytes that were sent before with the new ones would stand in the wrong place.
    if new == payload.bytes {
        hello(context, &socket.owner, payload, cookie, before);
    }
}

/// A datagram leaves, after `packets` others of its flow: a client's Initial packet, if it looks like one (RFC 9000, section
/// 17.2.2; of version 2, RFC 9369, section 3.2).
#[inline(always)]
pub fn datagram(context: &SkBuffContext, owner: &Header, payload: &Payload, cookie: u64, packets: u64) {
    if packets >= u64::from(HELLO_PACKETS) || payload.bytes < INITIAL_MIN || payload.ends.protocol != IPPROTO_UDP {
        return;
    }
    let Some(start) = at::<[u8; 5]>(context, payload.offset) else { return };
    let version = u32::from_be_bytes([start[1], start[2], start[3], start[4]]);
    if (version == 1 && start[0] & 0xf0 == 0xc0) || (version == QUIC_2 && start[0] & 0xf0 == 0xd0) {
        hello(context, owner, payload, cookie, packets as u32);
    }
}

/// `BPF_CGROUP_INET_INGRESS` (4.10), called in `sk_filter_trim_cap` for each packet that a socket is about to receive. Of those
/// only answers of DNS matter, and everything else is let go as early as can be.
#[cgroup_skb(ingress)]
pub fn on_ingress(context: SkBuffContext) -> i32 {
    if !agent::at_work() {
        return 1;
    }
    answer(&context);
    // Never stand in a packet's way.
    1
}

#[inline(always)]
fn answer(context: &SkBuffContext) {
    // SAFETY: a field of the context, null-checked as the verifier wants it; the helper gives a full socket or null.
    let sock = unsafe {
        let sock = (*context.skb.skb).__bindgen_anon_2.sk;
        if sock.is_null() {
            return;
        }
        bpf_sk_fullsock(sock)
    };
    // SAFETY: a field of a full socket.
    if sock.is_null() || unsafe { (*sock).protocol } != u32::from(IPPROTO_UDP) {
        return;
    }
    // The source port, where it is in nearly all packets; the whole packet is read only if it is the one.
    let Some(version) = at::<u8>(context, 0) else { return };
    let transport = if version >> 4 == 4 { u32::from(version & 0xf) * 4 } else { 40 };
    let Some(port) = at::<[u8; 2]>(context, transport) else { return };
    if u16::from_be_bytes(port) != DNS_PORT {
        return;
    }
    let Some(mut payload) = packet::payload(context) else { return };
    if payload.ends.protocol != IPPROTO_UDP || payload.ends.local_port != DNS_PORT {
        return;
    }
    let everything = config!(scope_cgroup_low) == 0 && config!(scope_cgroup_high) == 0;
    // SAFETY: a full socket.
    let Some(socket) = (unsafe { socket::get(sock.cast(), everything) }) else {
        return ring::count(Kind::Dns, Outcome::OutOfScope);
    };
    if socket.known != 0 && agent::is(socket.owner.process.tgid) {
        return;
    }
    // SAFETY: the context is what the helper takes.
    let cookie = unsafe { bpf_get_socket_cookie(context.as_ptr().cast()) };
    payload.ends = turned(&payload.ends);
    dns(context, &socket.owner, &payload, cookie, DnsDirection::Answer);
}

/// The ends of a packet that arrived, seen from here.
#[inline(always)]
fn turned(ends: &Endpoints) -> Endpoints {
    Endpoints {
        local_address: ends.peer_address,
        peer_address: ends.local_address,
        local_port: ends.peer_port,
        peer_port: ends.local_port,
        family: ends.family,
        protocol: ends.protocol,
    }
}
