//! Bytes that leave: `cgroup_skb/egress` on the root cgroup sees every IP packet of every socket of the machine, before it
//! is segmented or fragmented, whichever way the program sent it.
//!
//! Payload is counted, not headers; of TCP each byte once, by sequence number. A flow is reported at its first byte, when
//! it passes the floor, at each doubling after that, and at its end.

use crate::globals::config;
use crate::header::now;
use crate::{agent, egress, names, ring, socket};
use aya_ebpf::{
    EbpfContext,
    btf_maps::HashMap,
    helpers::generated::{bpf_get_socket_cookie, bpf_sk_fullsock, bpf_skb_load_bytes},
    macros::{btf_map, cgroup_skb},
    programs::SkBuffContext,
};
use core::mem::MaybeUninit;
use sensor_common::count::Outcome;
use sensor_common::flow::{self, Counters, FlowKey, FlowValue, Socket};
use sensor_common::record::{Endpoints, FlowReason, Header, Hook, Kind, flow_flags};

const IPPROTO_TCP: u16 = 6;
pub const IPPROTO_UDP: u16 = 17;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Flows other than TCP.
#[btf_map]
static FLOWS: HashMap<FlowKey, FlowValue, { flow::FLOWS as usize }> = HashMap::new();

/// A packet's payload and its ends.
pub struct Payload {
    /// From where to where.
    pub ends: Endpoints,
    /// Its length.
    pub bytes: u64,
    /// Where in the packet it begins.
    pub offset: u32,
    /// TCP: sequence number of the first byte.
    pub sequence: u32,
}

/// The `T` at `offset` of the packet, which begins with the IP header.
#[inline(always)]
pub fn at<T>(context: &SkBuffContext, offset: u32) -> Option<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the helper writes `size_of::<T>()` bytes or fails; T is plain data.
    unsafe {
        let size = size_of::<T>() as u32;
        match bpf_skb_load_bytes(context.as_ptr().cast(), offset, value.as_mut_ptr().cast(), size) {
            0 => Some(value.assume_init()),
            _ => None,
        }
    }
}

/// IPv4: RFC 791. The total length is not used: it is 0 in packets over 64 KiB (BIG TCP, 6.3).
#[inline(always)]
fn ip4(context: &SkBuffContext) -> Option<(Endpoints, u32)> {
    let header: [u8; 20] = at(context, 0)?;
    let mut ends = Endpoints::ZERO;
    ends.family = AF_INET;
    ends.protocol = header[9].into();
    ends.local_address[..4].copy_from_slice(&header[12..16]);
    ends.peer_address[..4].copy_from_slice(&header[16..20]);
    Some((ends, u32::from(header[0] & 0xf) * 4))
}

/// IPv6: RFC 8200, with the extension headers that a program can have the kernel add (hop-by-hop 0, routing 43, destination
/// options 60), at most four.
#[inline(always)]
fn ip6(context: &SkBuffContext) -> Option<(Endpoints, u32)> {
    let header: [u8; 40] = at(context, 0)?;
    let mut ends = Endpoints::ZERO;
    ends.family = AF_INET6;
    ends.local_address.copy_from_slice(&header[8..24]);
    ends.peer_address.copy_from_slice(&header[24..40]);
    let mut next = header[6];
    let mut offset = 40;
    for _ in 0..4 {
        if next != 0 && next != 43 && next != 60 {
            break;
        }
        let extension: [u8; 2] = at(context, offset)?;
        next = extension[0];
        offset += u32::from(extension[1]) * 8 + 8;
    }
    ends.protocol = next.into();
    Some((ends, offset))
}

/// `None` if the packet is not IP, or has no payload.
#[inline(always)]
pub fn payload(context: &SkBuffContext) -> Option<Payload> {
    let version: u8 = at(context, 0)?;
    let (mut ends, mut offset) = if version >> 4 == 4 { ip4(context)? } else { ip6(context)? };
    let mut sequence = 0;
    if ends.protocol == IPPROTO_TCP || ends.protocol == IPPROTO_UDP {
        let ports: [u8; 4] = at(context, offset)?;
        ends.local_port = u16::from_be_bytes([ports[0], ports[1]]);
        ends.peer_port = u16::from_be_bytes([ports[2], ports[3]]);
        if ends.protocol == IPPROTO_TCP {
            let rest: [u8; 9] = at(context, offset + 4)?;
            sequence = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
            offset += u32::from(rest[8] >> 4) * 4;
        } else {
            offset += 8;
        }
    }
    let length = context.skb.len();
    (length > offset).then(|| Payload { ends, bytes: u64::from(length - offset), offset, sequence })
}

/// Whether a flow has been counted or told of.
#[inline(always)]
pub fn is_known(key: &FlowKey) -> bool {
    FLOWS.get_ptr(key).is_some()
}

/// Counts a payload. Whether and why the flow is to be reported now.
#[inline(always)]
fn add(counters: &mut Counters, bytes: u64) -> Option<FlowReason> {
    let time = now();
    let first = counters.bytes == 0;
    if first {
        counters.first_time = time;
    }
    counters.bytes += bytes;
    counters.packets += 1;
    counters.last_time = time;
    if counters.bytes >= counters.next_report && !first {
        counters.next_report = counters.bytes * 2;
        return Some(FlowReason::Grown);
    }
    if first {
        let floor = u64::from(config!(flow_floor));
        counters.next_report = if counters.bytes * 2 > floor { counters.bytes * 2 } else { floor };
        return Some(FlowReason::First);
    }
    None
}

/// Of a TCP payload, the bytes that were not sent before.
#[inline(always)]
fn new_bytes(counters: &mut Counters, payload: &Payload) -> u64 {
    let end = payload.sequence.wrapping_add(payload.bytes as u32);
    if counters.bytes == 0 {
        counters.sequence = payload.sequence;
    }
    let new = end.wrapping_sub(counters.sequence) as i32;
    if new <= 0 {
        return 0;
    }
    counters.sequence = end;
    new as u64
}

/// `BPF_CGROUP_INET_EGRESS` (4.10), called in `ip_finish_output` and `ip6_finish_output`.
#[cgroup_skb(egress)]
pub fn on_egress(context: SkBuffContext) -> i32 {
    if !agent::at_work() {
        return 1;
    }
    if let Some(payload) = payload(&context) {
        account(&context, payload);
    }
    // Never stand in a packet's way.
    1
}

#[inline(always)]
fn account(context: &SkBuffContext, payload: Payload) {
    // SAFETY: a field of the context, null-checked as the verifier wants it; the helper gives a full socket or null.
    let sock = unsafe {
        let sock = (*context.skb.skb).__bindgen_anon_2.sk;
        if sock.is_null() {
            return;
        }
        bpf_sk_fullsock(sock)
    };
    if sock.is_null() {
        return;
    }
    // With a scope, sockets outside it have nothing kept with them, and get nothing.
    let everything = config!(scope_cgroup_low) == 0 && config!(scope_cgroup_high) == 0;
    // SAFETY: a full socket.
    let Some(socket) = (unsafe { socket::get(sock.cast(), everything) }) else {
        if !everything {
            return ring::count(Kind::Flow, Outcome::OutOfScope);
        }
        // Who asked for the connection is not known; that they did is the worse case.
        egress::count(context, None, &payload.ends, payload.bytes, true);
        ring::count(Kind::Flow, Outcome::Seen);
        return ring::count(Kind::Flow, Outcome::TableFull);
    };
    if socket.known != 0 && agent::is(socket.owner.process.tgid) {
        ring::count(Kind::Flow, Outcome::Seen);
        return ring::count(Kind::Flow, Outcome::Own);
    }
    ring::count(Kind::Flow, Outcome::Seen);
    // SAFETY: the context is what the helper takes.
    let cookie = unsafe { bpf_get_socket_cookie(context.as_ptr().cast()) };
    let mut flags = socket.flags;
    if socket.known == 0 {
        flags |= flow_flags::OWNER_GUESSED;
    }
    if payload.ends.protocol == IPPROTO_TCP {
        let bytes = new_bytes(&mut socket.counters, &payload);
        if bytes == 0 {
            return ring::count(Kind::Flow, Outcome::Unmatched);
        }
        egress::count(context, Some(&socket.owner), &payload.ends, bytes, flags & flow_flags::INITIATED != 0);
        socket.endpoints = payload.ends;
        names::stream(context, socket, &payload, cookie, bytes);
        let reason = add(&mut socket.counters, bytes);
        return tell(&socket.owner, &socket.endpoints, &socket.counters, cookie, reason, flags);
    }
    egress::count(context, Some(&socket.owner), &payload.ends, payload.bytes, flags & flow_flags::INITIATED != 0);
    // SAFETY: a full socket; `dst_port` has two bytes in network order, which older kernels (before 5.18) give as four.
    let connected_to = u16::from_be(unsafe { (*sock).dst_port } as u16);
    names::query(context, socket, &payload, cookie, connected_to);
    datagram(context, cookie, socket, &payload, flags);
}

#[inline(always)]
fn datagram(context: &SkBuffContext, cookie: u64, socket: &mut Socket, payload: &Payload, flags: u32) {
    let key = FlowKey {
        cookie,
        peer_address: payload.ends.peer_address,
        peer_port: payload.ends.peer_port,
        protocol: payload.ends.protocol,
        family: payload.ends.family.into(),
    };
    socket.endpoints = payload.ends;
    if let Some(value) = entry(&key, &socket.owner) {
        // SAFETY: a value of a preallocated hash map stays readable and writable; two CPUs that send over one socket to one
        // peer at once can lose a count to each other, as the kernel's own statistics can.
        let value = unsafe { &mut *value };
        value.endpoints = payload.ends;
        value.counters.flags = flags;
        names::datagram(context, &value.owner, payload, cookie, value.counters.packets);
        let reason = add(&mut value.counters, payload.bytes);
        return tell(&value.owner, &value.endpoints, &value.counters, cookie, reason, flags);
    }
    // No room: the bytes are counted all the same, with those of the socket's other peers.
    let reason = add(&mut socket.counters, payload.bytes);
    match reason {
        Some(reason) => {
            let flags = flags | flow_flags::PEERS_MERGED;
            socket::report(Hook::CgroupSkb, &socket.owner, &socket.endpoints, &socket.counters, cookie, reason, flags);
        }
        None => ring::count(Kind::Flow, Outcome::TableFull),
    }
}

/// A new entry is made of this and then filled: on the stack it would leave no room for anything else.
#[unsafe(no_mangle)]
static EMPTY_FLOW: FlowValue = FlowValue::ZERO;

/// The entry of a flow, made if there is room for it.
#[inline(always)]
fn entry(key: &FlowKey, owner: &Header) -> Option<*mut FlowValue> {
    if let Some(value) = FLOWS.get_ptr_mut(key) {
        return Some(value);
    }
    #[allow(clippy::needless_borrows_for_generic_args, reason = "by value it would be on the stack")]
    let _ = FLOWS.insert(key, &EMPTY_FLOW, aya_ebpf::bindings::BPF_NOEXIST.into());
    let value = FLOWS.get_ptr_mut(key)?;
    // SAFETY: see `datagram`.
    unsafe { (*value).owner = *owner }
    Some(value)
}

#[inline(always)]
fn tell(owner: &Header, ends: &Endpoints, counters: &Counters, cookie: u64, reason: Option<FlowReason>, flags: u32) {
    match reason {
        Some(reason) => socket::report(Hook::CgroupSkb, owner, ends, counters, cookie, reason, flags),
        None => ring::count(Kind::Flow, Outcome::Unmatched),
    }
}

/// A socket other than TCP is gone: its flow to the last peer, which for most is the only one, ends. Flows to earlier peers
/// are ended by the agent when they have been idle.
#[inline(always)]
pub fn close_last_peer(cookie: u64, socket: &Socket) {
    let key = FlowKey {
        cookie,
        peer_address: socket.endpoints.peer_address,
        peer_port: socket.endpoints.peer_port,
        protocol: socket.endpoints.protocol,
        family: socket.endpoints.family.into(),
    };
    if let Some(value) = FLOWS.get_ptr(key) {
        // SAFETY: as in `datagram`.
        let value = unsafe { &*value };
        ring::count(Kind::Flow, Outcome::Seen);
        let (hook, flags) = (Hook::CgroupSockRelease, value.counters.flags);
        socket::report(hook, &value.owner, &value.endpoints, &value.counters, cookie, FlowReason::Closed, flags);
        let _ = FLOWS.remove(key);
    }
}
