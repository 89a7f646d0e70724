//! Datagrams, each of which is answered before the next few leave, so that none is lost unnoticed.

use super::{Sent, fill};
use crate::Context;
use std::io::{self, Read};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Bytes of payload a datagram: with all headers within an Ethernet frame.
pub const PAYLOAD: usize = 1_440;
const SILENCE: Duration = Duration::from_secs(10);

/// A UDP socket of the destination's family that gives up on a peer that is silent.
pub fn udp_socket(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16, 0, 0, 0, 0, 0, 0, 0], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(SILENCE))?;
    Ok(socket)
}

/// UDP; the sink answers each with the sum so far.
pub fn udp(to: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    let socket = udp_socket(to)?;
    socket.connect(to).context(|| to.to_string())?;
    let mut sent = Sent::begin(vec![to])?;
    each(&mut sent, from, |part, _| {
        socket.send(part)?;
        socket.recv(&mut [0; 8]).context(|| "the sink does not confirm".into()).map(drop)
    })?;
    Ok(sent)
}

/// The same without a connect.
pub fn udp_unconnected(to: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    let socket = udp_socket(to)?;
    let mut sent = Sent::begin(vec![to])?;
    each(&mut sent, from, |part, _| {
        socket.send_to(part, to)?;
        socket.recv(&mut [0; 8]).context(|| "the sink does not confirm".into()).map(drop)
    })?;
    Ok(sent)
}

/// The payload of echo requests (RFC 792); the peer's kernel answers each.
pub fn icmp(to: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    echo(&socket(libc::SOCK_RAW, libc::IPPROTO_ICMP, to)?, true, to, from)
}

/// The same by a socket that sysctl net.ipv4.ping_group_range allows; the kernel fills in identifier and checksum.
pub fn ping(to: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    echo(&socket(libc::SOCK_DGRAM, libc::IPPROTO_ICMP, to)?, false, to, from)
}

/// `headers`: what is received begins with the IP header, and the identifier is ours.
fn echo(socket: &OwnedFd, headers: bool, to: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    let identifier = std::process::id() as u16;
    let mut sent = Sent::begin(vec![to])?;
    each(&mut sent, from, |part, number| {
        let mut message = vec![8, 0, 0, 0];
        message.extend(identifier.to_be_bytes());
        message.extend((number as u16).to_be_bytes());
        message.extend(part);
        let sum = checksum(&message).to_be_bytes();
        if let Some(place) = message.get_mut(2..4) {
            place.copy_from_slice(&sum);
        }
        rustix::net::send(socket, &message, rustix::net::SendFlags::empty())?;
        let mut answer = [0; 2_048];
        // Echo replies (type 0) with our identifier and number, behind the IP header; whatever else comes is not for us.
        loop {
            let (length, _) = rustix::net::recv(socket, &mut answer, rustix::net::RecvFlags::empty())
                .context(|| "no echo comes back".into())?;
            let header = if headers { usize::from(answer[0] & 15) * 4 } else { 0 };
            let own = if headers { 4..8 } else { 6..8 };
            let answer = answer.get(header..length).unwrap_or_default();
            if answer.first() == Some(&0) && answer.get(own.clone()) == message.get(own) {
                return Ok(());
            }
        }
    })?;
    Ok(sent)
}

/// IP protocol 253, which is for experiments (RFC 3692); the sink answers each.
pub const EXPERIMENTAL: i32 = 253;

/// Payloads of a protocol of our own.
pub fn raw(to: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    let socket = socket(libc::SOCK_RAW, EXPERIMENTAL, to)?;
    let mut sent = Sent::begin(vec![to])?;
    each(&mut sent, from, |part, _| {
        rustix::net::send(&socket, part, rustix::net::SendFlags::empty())?;
        rustix::net::recv(&socket, &mut [0; 64], rustix::net::RecvFlags::empty())
            .context(|| "the sink does not confirm".into())
            .map(drop)
    })?;
    Ok(sent)
}

/// Hands `send` one payload after the other, with its number, and adds them up.
pub fn each(
    sent: &mut Sent,
    from: &mut dyn Read,
    mut send: impl FnMut(&[u8], usize) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = [0; PAYLOAD];
    for number in 0.. {
        let read = fill(from, &mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        send(part, number).context(|| format!("after {} bytes", sent.bytes))?;
        sent.bytes += read as u64;
    }
    Ok(())
}

/// An IPv4 socket, connected.
fn socket(kind: i32, protocol: i32, to: SocketAddr) -> io::Result<OwnedFd> {
    // SAFETY: numbers only.
    let socket = unsafe { libc::socket(libc::AF_INET, kind | libc::SOCK_CLOEXEC, protocol) };
    if socket < 0 {
        return Err(io::Error::last_os_error()).context(|| format!("a socket of protocol {protocol}"));
    }
    // SAFETY: the kernel just gave it to us, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    rustix::net::connect(&socket, &SocketAddr::new(to.ip(), 0)).context(|| to.to_string())?;
    rustix::net::sockopt::set_socket_timeout(socket.as_fd(), rustix::net::sockopt::Timeout::Recv, Some(SILENCE))?;
    Ok(socket)
}

/// The Internet checksum (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        u32::from(u16::from_be_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
