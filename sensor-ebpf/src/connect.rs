//! Connections and unconnected sends as they are asked for: `cgroup/connect4`, `connect6`, `sendmsg4`, `sendmsg6`. TCP, UDP
//! and whatever else connects over IP, through system calls and io_uring alike.

use crate::header::{self, admit};
use crate::{agent, label, packet, ring, socket};
use aya_ebpf::{
    bindings::bpf_sock_addr, helpers::generated::bpf_get_socket_cookie, macros::cgroup_sock_addr,
    programs::SockAddrContext,
};
use sensor_common::count::Outcome;
use sensor_common::flow::FlowKey;
use sensor_common::label::Label;
use sensor_common::record::{Connect, Endpoints, Flow, Hook, Kind, flow_flags};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Where it goes, from the address that the kernel copied for the call.
#[inline(always)]
fn destination(address: *const bpf_sock_addr, family: u16) -> Endpoints {
    let mut ends = Endpoints::ZERO;
    ends.family = family;
    // SAFETY: fields of the context, loaded one by one as the verifier wants it.
    unsafe {
        ends.protocol = (*address).protocol as u16;
        ends.peer_port = u16::from_be((*address).user_port as u16);
        let words = if family == AF_INET {
            [(*address).user_ip4, 0, 0, 0]
        } else {
            [
                core::ptr::read_volatile(&raw const (*address).user_ip6[0]),
                core::ptr::read_volatile(&raw const (*address).user_ip6[1]),
                core::ptr::read_volatile(&raw const (*address).user_ip6[2]),
                core::ptr::read_volatile(&raw const (*address).user_ip6[3]),
            ]
        };
        ends.peer_address = core::mem::transmute::<[u32; 4], [u8; 16]>(words);
    }
    ends
}

#[inline(always)]
fn record(context: &SockAddrContext, family: u16, hook: Hook) -> i32 {
    if !admit(Kind::Connect) {
        return 1;
    }
    let address = context.sock_addr;
    let ends = destination(address, family);
    // SAFETY: the context is what the helper takes.
    let cookie = unsafe { bpf_get_socket_cookie(address.cast()) };
    // SAFETY: a field of the context, the socket.
    let kept = unsafe { socket::get((*address).__bindgen_anon_1.sk.cast(), true) };
    if let Some(kept) = kept {
        kept.flags |= flow_flags::INITIATED;
        if kept.known == 0 {
            // Older than the sensor: who connects it is the best guess.
            header::fill(&mut kept.owner, Kind::Flow, Hook::CgroupSkb, size_of::<Flow>() as u32);
            kept.flags |= flow_flags::OWNER_GUESSED;
            kept.known = 1;
        }
        if hook as u8 == Hook::CgroupSendmsg as u8 {
            // Every datagram comes by here; the first to a peer is the one to tell.
            let key = FlowKey {
                cookie,
                peer_address: ends.peer_address,
                peer_port: ends.peer_port,
                protocol: ends.protocol,
                family: family.into(),
            };
            if packet::is_known(&key) {
                ring::count(Kind::Connect, Outcome::Unmatched);
                return 1;
            }
        }
    } else {
        ring::count(Kind::Flow, Outcome::Seen);
        ring::count(Kind::Flow, Outcome::TableFull);
    }
    let mut held = Label::ZERO;
    label::at_connect(&mut held);
    ring::send_with::<Connect>(Kind::Connect, |connect| {
        header::fill(&mut connect.header, Kind::Connect, hook, size_of::<Connect>() as u32);
        connect.endpoints = ends;
        connect.cookie = cookie;
        connect.held = held;
    });
    1
}

/// `BPF_CGROUP_INET4_CONNECT` (4.17)
#[cgroup_sock_addr(connect4)]
pub fn on_connect4(context: SockAddrContext) -> i32 {
    if !agent::at_work() {
        return 1;
    }
    record(&context, AF_INET, Hook::CgroupConnect)
}

/// `BPF_CGROUP_INET6_CONNECT` (4.17)
#[cgroup_sock_addr(connect6)]
pub fn on_connect6(context: SockAddrContext) -> i32 {
    if !agent::at_work() {
        return 1;
    }
    record(&context, AF_INET6, Hook::CgroupConnect)
}

/// `BPF_CGROUP_UDP4_SENDMSG` (4.18)
#[cgroup_sock_addr(sendmsg4)]
pub fn on_sendmsg4(context: SockAddrContext) -> i32 {
    if !agent::at_work() {
        return 1;
    }
    record(&context, AF_INET, Hook::CgroupSendmsg)
}

/// `BPF_CGROUP_UDP6_SENDMSG` (4.18)
#[cgroup_sock_addr(sendmsg6)]
pub fn on_sendmsg6(context: SockAddrContext) -> i32 {
    if !agent::at_work() {
        return 1;
    }
    record(&context, AF_INET6, Hook::CgroupSendmsg)
}
