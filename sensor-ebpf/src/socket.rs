//! Who made a socket, kept with the socket itself; and the end of a socket's flows.
//!
//! An accepted connection gets a copy of what its listener holds (`BPF_F_CLONE`, `bpf_sk_storage_clone`): it belongs to the
//! listener's maker and is not marked as initiated.

use crate::globals::{config, offset, read};
use crate::header::{self, admit, excluded, now};
use crate::{agent, label, packet, ring};
use aya_ebpf::{
    bindings::{BPF_F_CLONE, BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE},
    helpers::generated::{bpf_get_socket_cookie, bpf_sk_storage_get},
    macros::{btf_map, btf_tracepoint, cgroup_sock},
    programs::{BtfTracePointContext, SockContext},
};
use aya_log_ebpf::debug;
use core::ffi::c_void;
use core::ptr;
use sensor_common::classify::InodeKey;
use sensor_common::config::ABSENT;
use sensor_common::count::Outcome;
use sensor_common::flow::{Counters, Socket};
use sensor_common::label::COOKIE;
use sensor_common::record::{Endpoints, Flow, FlowReason, Header, Hook, Kind, Listen, flow_flags};

const IPPROTO_TCP: u16 = 6;
/// `TCP_CLOSE` and `TCP_LISTEN` (include/net/tcp_states.h).
const TCP_CLOSE: i32 = 7;
const TCP_LISTEN: i32 = 10;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// `BPF_MAP_TYPE_SK_STORAGE` with `BPF_F_CLONE`, which aya-ebpf's own type does not offer; the fields' types are the
/// definition (libbpf's BTF-defined maps).
#[repr(C)]
struct SocketStorage {
    r#type: *const [i32; 24],
    key: *const i32,
    value: *const Socket,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize],
}
// SAFETY: never read at run time; the loader reads its type.
unsafe impl Sync for SocketStorage {}

#[btf_map]
static SOCKETS: SocketStorage = SocketStorage {
    r#type: ptr::null(),
    key: ptr::null(),
    value: ptr::null(),
    max_entries: ptr::null(),
    map_flags: ptr::null(),
};

/// What is kept with a socket; `None` if there is nothing, or no room when `create` asks for it.
///
/// # Safety
/// `socket` is a socket pointer of a type that the verifier accepts for `bpf_sk_storage_get`.
#[inline(always)]
pub unsafe fn get(socket: *mut c_void, create: bool) -> Option<&'static mut Socket> {
    let flags = if create { u64::from(BPF_SK_STORAGE_GET_F_CREATE) } else { 0 };
    // SAFETY: by the contract above; new storage is zeroed.
    let place = unsafe { bpf_sk_storage_get((&raw const SOCKETS).cast_mut().cast(), socket, ptr::null_mut(), flags) };
    // SAFETY: valid as long as the program runs (RCU). Other CPUs may count into it at the same time: single words only.
    unsafe { place.cast::<Socket>().as_mut() }
}

/// `BPF_CGROUP_INET_SOCK_CREATE`: every IPv4 and IPv6 socket, raw ones included, in the process that makes it.
#[cgroup_sock(sock_create)]
pub fn on_sock_create(context: SockContext) -> i32 {
    if !agent::at_work() {
        return 1;
    }
    if let Some(Outcome::OutOfScope) = excluded() {
        return 1;
    }
    // SAFETY: the context is the socket.
    if let Some(socket) = unsafe { get(context.sock.cast(), true) } {
        header::fill(&mut socket.owner, Kind::Flow, Hook::CgroupSkb, size_of::<Flow>() as u32);
        socket.known = 1;
    } else {
        debug!(&context, "no room to keep a socket's maker");
        ring::count(Kind::Flow, Outcome::Seen);
        ring::count(Kind::Flow, Outcome::TableFull);
    }
    1
}

/// `BPF_CGROUP_INET_SOCK_RELEASE` (5.9): the last descriptor of a socket is closed. Of TCP, bytes may still be on their way:
/// its end is `on_sock_state`'s, where that can read what is kept with a socket (5.11).
#[cgroup_sock(sock_release)]
pub fn on_sock_release(context: SockContext) -> i32 {
    if !agent::at_work() {
        return 1;
    }
    // SAFETY: the context is the socket.
    let Some(socket) = (unsafe { get(context.sock.cast(), false) }) else { return 1 };
    // SAFETY: a field of the context.
    let protocol = unsafe { (*context.sock).protocol } as u16;
    // SAFETY: the context is what the helper takes.
    let cookie = unsafe { bpf_get_socket_cookie(context.sock.cast()) };
    if protocol == IPPROTO_TCP && config!(typed_loads) != 0 {
        return 1;
    }
    if protocol != IPPROTO_TCP {
        packet::close_last_peer(cookie, socket);
    }
    if socket.counters.bytes > 0 {
        let flags = socket.flags | if protocol == IPPROTO_TCP { 0 } else { flow_flags::PEERS_MERGED };
        close(cookie, socket, Hook::CgroupSockRelease, flags);
    }
    label::forget(&of_cookie(cookie));
    1
}

/// The current process has a socket wait for connections (`inet_csk_listen_start`, net/ipv4/inet_connection_sock.c): called by
/// listen(2) and by io_uring's. A port that the kernel is to choose is chosen only after this.
#[inline(always)]
fn listens(sock: u64) {
    let family: u16 = read(sock + offset!(sock_family));
    let is_ipv6 = family == AF_INET6 && offset!(sock_local_v6) != u64::from(ABSENT);
    if (family != AF_INET && !is_ipv6) || !admit(Kind::Listen) {
        return;
    }
    ring::send_with::<Listen>(Kind::Listen, |listen| {
        header::fill(&mut listen.header, Kind::Listen, Hook::InetSockSetState, size_of::<Listen>() as u32);
        listen.endpoints = Endpoints::ZERO;
        listen.endpoints.family = family;
        listen.endpoints.protocol = read(sock + offset!(sock_protocol));
        listen.endpoints.local_port = read(sock + offset!(sock_local_port));
        if is_ipv6 {
            listen.endpoints.local_address = read(sock + offset!(sock_local_v6));
        } else {
            let [a, b, c, d]: [u8; 4] = read(sock + offset!(sock_local_v4));
            listen.endpoints.local_address = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        }
        listen.cookie = read(sock + offset!(sock_cookie));
    });
}

/// `trace_inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`: TCP_CLOSE is the last state of
/// every connection, whoever ended it.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn on_sock_state(context: BtfTracePointContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let sock: u64 = context.arg(0);
    let state: i32 = context.arg(2);
    if state == TCP_LISTEN {
        listens(sock);
        return 0;
    }
    // Tracing programs may read socket storage since 5.11; before, the verifier drops what follows.
    if state != TCP_CLOSE || config!(typed_loads) == 0 {
        return 0;
    }
    if read::<u16>(sock + offset!(sock_protocol)) != IPPROTO_TCP {
        return 0;
    }
    // SAFETY: the argument is a `struct sock *` to the verifier.
    let Some(socket) = (unsafe { get(sock as *mut c_void, false) }) else { return 0 };
    let cookie: u64 = read(sock + offset!(sock_cookie));
    if socket.counters.bytes > 0 {
        close(cookie, socket, Hook::InetSockSetState, socket.flags);
    }
    label::forget(&of_cookie(cookie));
    0
}

/// Under which it is known what was given to a socket.
#[inline(always)]
fn of_cookie(cookie: u64) -> InodeKey {
    InodeKey { inode: cookie, device: COOKIE, reserved: 0 }
}

#[inline(always)]
fn close(cookie: u64, socket: &mut Socket, hook: Hook, flags: u32) {
    ring::count(Kind::Flow, Outcome::Seen);
    report(hook, &socket.owner, &socket.endpoints, &socket.counters, cookie, FlowReason::Closed, flags);
    // Closed once, even if the socket is used again.
    socket.counters = Counters::ZERO;
}

/// Sends a [`Flow`].
#[inline(always)]
pub fn report(
    hook: Hook,
    owner: &Header,
    endpoints: &Endpoints,
    counters: &Counters,
    cookie: u64,
    reason: FlowReason,
    flags: u32,
) {
    ring::send_with::<Flow>(Kind::Flow, |flow| {
        flow.header = *owner;
        flow.header.version = sensor_common::record::VERSION;
        flow.header.kind = Kind::Flow as u8;
        flow.header.hook = hook as u8;
        flow.header.size = size_of::<Flow>() as u32;
        flow.header.time = now();
        flow.endpoints = *endpoints;
        flow.cookie = cookie;
        flow.bytes = counters.bytes;
        flow.packets = counters.packets;
        flow.first_time = counters.first_time;
        flow.reason = reason as u32;
        flow.flags = flags;
        label::held(owner.process.tgid, cookie, &mut flow.held);
    });
}
