//! Sockets: such as the flows do not count, and such as they do.

use super::call::{Argument, By, Number, call};
use super::{Done, What};
use crate::actor::open::owned;
use crate::actor::uring::{Mode, Ring};
use io_uring::opcode;
use serde_json::json;
use std::io;

/// `SYS_SOCKET` (include/uapi/linux/net.h)
const SOCKET: i64 = 1;

/// Makes one and closes it.
pub fn make(what: What, by: By, mode: Mode) -> io::Result<Done> {
    let (family, kind, protocol, names) = match what {
        What::SocketPacket => (libc::AF_PACKET, libc::SOCK_RAW, 0, Some(("packet", "raw"))),
        What::SocketVsock => (libc::AF_VSOCK, libc::SOCK_STREAM, 0, Some(("vsock", "stream"))),
        What::SocketXdp => (libc::AF_XDP, libc::SOCK_RAW, 0, Some(("xdp", "raw"))),
        What::SocketInet => (libc::AF_INET, libc::SOCK_STREAM, 0, None),
        What::SocketUnix => (libc::AF_UNIX, libc::SOCK_DGRAM, 0, None),
        _ => (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP, Some(("inet", "raw"))),
    };
    let plain = [family, kind | libc::SOCK_CLOEXEC, protocol];
    let words: Vec<u8> = plain.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let by_number = plain.map(|word| Argument::Number(word.into()));
    let (number, arguments) = match what {
        What::SocketcallRaw => {
            (Number { here: None, ia32: Some(102) }, &[Argument::Number(SOCKET), Argument::Bytes(&words)][..])
        }
        _ => (Number { here: Some(libc::SYS_socket), ia32: Some(359) }, &by_number[..]),
    };
    let made = if by == By::IoUring {
        let entry = opcode::Socket::new(family, plain[1], protocol).build();
        match Ring::new(mode)? {
            Err(why) => Ok(Err(why)),
            // SAFETY: the request points to no memory.
            Ok(mut ring) => unsafe { ring.request(entry) }.map(|done| done.map(i64::from)),
        }
    } else {
        // SAFETY: numbers, or a pointer to three of them, which live through the call and are only read.
        unsafe { call(by, number, arguments) }
    };
    match made {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::ESOCKTNOSUPPORT)) => {
            return Ok(Err(format!("the kernel has no such sockets: {error}")));
        }
        Err(error) => return Err(error),
        Ok(Err(why)) => return Ok(Err(why)),
        Ok(Ok(descriptor)) => drop(owned(descriptor)?),
    }
    let truth = |(family, kind)| {
        json!({
            "weir.event.kind": "socket",
            "weir.socket.family": family,
            "weir.socket.type": kind,
            "weir.socket.protocol": protocol,
        })
    };
    Ok(Ok(names.map(truth).into_iter().collect()))
}
