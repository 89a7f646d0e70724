//! UDP packets made by hand and put on the wire: no socket of the Internet families sends.

use super::Sent;
use super::datagram::{checksum, each, udp_socket};
use crate::Context;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const INTERFACE: &std::ffi::CStr = c"eth0";

/// Sends through a packet socket; the sink's answers come to a UDP socket that itself never sends.
pub fn packet(to: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    // SAFETY: a constant string that ends with NUL.
    let interface = unsafe { libc::if_nametoindex(INTERFACE.as_ptr()) };
    let ethertype = (libc::ETH_P_IP as u16).to_be();
    // SAFETY: numbers only. Protocol 0: it receives nothing.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error()).context(|| "a packet socket".into());
    }
    // SAFETY: the kernel just gave it to us, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // To everybody on the link: there is one.
    let link = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ethertype,
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [255, 255, 255, 255, 255, 255, 0, 0],
    };
    let answers = udp_socket(to)?;
    let port = answers.local_addr()?.port();
    let mut sent = Sent::begin(vec![to])?;
    each(&mut sent, from, |part, number| {
        let packet = by_hand(crate::scene::Network::INSIDE_V4.into(), port, to, part, number as u16)?;
        // SAFETY: the packet and the address live through the call, which only reads them.
        let taken = unsafe {
            let link = (&raw const link).cast();
            libc::sendto(
                socket.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                link,
                size_of::<libc::sockaddr_ll>() as u32,
            )
        };
        if taken < 0 {
            return Err(io::Error::last_os_error());
        }
        answers.recv(&mut [0; 8]).context(|| "the sink does not confirm".into()).map(drop)
    })?;
    Ok(sent)
}

/// An IPv4 packet (RFC 791) with a UDP datagram (RFC 768) without a checksum.
fn by_hand(from: IpAddr, port: u16, to: SocketAddr, payload: &[u8], number: u16) -> io::Result<Vec<u8>> {
    let (IpAddr::V4(from), IpAddr::V4(address)) = (from, to.ip()) else {
        return Err(io::Error::other("IPv4 only here"));
    };
    let length = (20 + 8 + payload.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.extend([0, 0, 64, libc::IPPROTO_UDP as u8, 0, 0]);
    packet.extend(from.octets());
    packet.extend(address.octets());
    let sum = checksum(&packet).to_be_bytes();
    if let Some(place) = packet.get_mut(10..12) {
        place.copy_from_slice(&sum);
    }
    packet.extend(port.to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend((length - 20).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    Ok(packet)
}
