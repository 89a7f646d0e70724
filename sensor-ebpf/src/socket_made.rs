//! Sockets whose bytes the flows do not count: raw, packet, vsock, XDP and other families that can carry bytes off the machine.
//!
//! At `security_socket_post_create`, which io_uring passes as well; or, where there are no trampolines, as `socket(2)` returns or
//! an io_uring request completes. All read the socket itself.

use crate::globals::{offset, read};
use crate::header::{self, admit};
use crate::{agent, ring};
use aya_ebpf::{macros::fexit, programs::FExitContext};
use sensor_common::count::Outcome;
use sensor_common::record::{Hook, Kind, Socket};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;
const AF_ALG: u16 = 38;
const SOCK_RAW: u16 = 3;

/// Whether bytes can leave the machine by such a socket without being counted as a flow's.
#[inline(always)]
fn is_uncounted(family: u16, kind: u16) -> bool {
    match family {
        AF_UNIX | AF_NETLINK | AF_ALG => false,
        AF_INET | AF_INET6 => kind == SOCK_RAW,
        _ => true,
    }
}

/// A socket was made, and has this file.
#[inline(always)]
pub fn of_file(file: u64, hook: Hook) {
    record(read(file + offset!(file_private)), hook)
}

/// A socket (`struct socket *`) was made.
#[inline(always)]
fn record(socket: u64, hook: Hook) {
    if !admit(Kind::Socket) {
        return;
    }
    let inner: u64 = read(socket + offset!(socket_sk));
    if inner == 0 {
        return ring::count(Kind::Socket, Outcome::Fault);
    }
    let (family, kind): (u16, u16) = (read(inner + offset!(sock_family)), read(socket + offset!(socket_type)));
    if !is_uncounted(family, kind) {
        return ring::count(Kind::Socket, Outcome::Unmatched);
    }
    ring::send_with::<Socket>(Kind::Socket, |record| {
        header::fill(&mut record.header, Kind::Socket, hook, size_of::<Socket>() as u32);
        record.family = family.into();
        record.kind = kind.into();
        record.protocol = read::<u16>(inner + offset!(sock_protocol)).into();
        record.reserved = 0;
    });
}

/// `int security_socket_post_create(struct socket *sock, int family, int type, int protocol, int kern)`; `kern`: the kernel made
/// it for itself.
#[fexit(function = "security_socket_post_create")]
pub fn on_socket_post_create(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(5) as i32 == 0 && context.arg::<u64>(4) as i32 == 0 {
        record(context.arg(0), Hook::SocketPostCreate);
    }
    0
}
