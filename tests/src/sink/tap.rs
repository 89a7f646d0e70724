//! The receiver of what comes without a port: ICMP echo requests, a protocol of IP for experiments, and questions to a DNS server.

use super::sum;
use crate::Context;
use crate::scene::NetNs;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Room for a burst.
const BUFFER: usize = 16 << 20;
/// The IP protocol for experiments (RFC 3692) that the actors use.
const EXPERIMENTAL: i32 = 253;

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Bytes of data in ICMP echo requests, and their sum.
    pub icmp: (u64, u64),
    /// Bytes behind the IP header of the experimental protocol, and their sum.
    pub raw: (u64, u64),
    /// Questions asked, bytes of their messages, and bytes of their names (each label with its length).
    pub dns: (u64, u64, u64),
}

/// A running receiver; dropping it ends it.
pub struct Tap {
    heard: Arc<Mutex<Heard>>,
    lifeline: Option<OwnedFd>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

struct Sockets {
    icmp: OwnedFd,
    raw: OwnedFd,
    dns: Vec<UdpSocket>,
}

impl Tap {
    /// Receives in `namespace`, and answers questions at each of `resolvers`, port 53: with the address of `names`, else that there is
    /// no such name. Needs root.
    pub fn start(namespace: &NetNs, resolvers: &[Ipv4Addr], names: &[(&str, Ipv4Addr)]) -> io::Result<Tap> {
        let sockets = namespace.enter(|| -> io::Result<Sockets> {
            let dns = resolvers.iter().map(|address| {
                let socket = UdpSocket::bind((*address, 53)).context(|| format!("DNS on {address}"))?;
                socket.set_nonblocking(true).map(|()| socket)
            });
            Ok(Sockets {
                icmp: raw(libc::IPPROTO_ICMP)?,
                raw: raw(EXPERIMENTAL)?,
                dns: dns.collect::<io::Result<_>>()?,
            })
        })??;
        let (end, lifeline) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let names: Vec<_> = names.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let thread = {
            let heard = Arc::clone(&heard);
            std::thread::Builder::new().name("tap".into()).spawn(move || run(&sockets, &names, &heard, &end))?
        };
        Ok(Tap { heard, lifeline: Some(lifeline), thread: Some(thread) })
    }

    /// Ends it; all that came.
    pub fn finish(mut self) -> io::Result<Heard> {
        drop(self.lifeline.take());
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| io::Error::other("the tap's thread died"))?.context(|| "the tap".into())?;
        }
        Ok(self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn raw(protocol: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: numbers only.
    let socket = unsafe { libc::socket(libc::AF_INET, kind, protocol) };
    if socket < 0 {
        return Err(io::Error::last_os_error()).context(|| format!("a raw socket of protocol {protocol}"));
    }
    // SAFETY: the kernel just gave it to us, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER);
    Ok(socket)
}

/// Receives until the other end of `end` is closed, and nothing is left.
fn run(sockets: &Sockets, names: &[(String, Ipv4Addr)], heard: &Mutex<Heard>, end: &OwnedFd) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let mut waiting = vec![PollFd::new(end, PollFlags::IN), PollFd::new(&sockets.icmp, PollFlags::IN)];
        waiting.push(PollFd::new(&sockets.raw, PollFlags::IN));
        waiting.extend(sockets.dns.iter().map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)));
        match poll(&mut waiting, None) {
            Err(rustix::io::Errno::INTR) => continue,
            done => done?,
        };
        let ended = waiting.first().is_some_and(|fd| !fd.revents().is_empty());
        while let Some((packet, _)) = packet(&sockets.icmp, &mut buffer)? {
            // Echo requests (RFC 792): 8 bytes of header, then the data.
            if let (Some(8), Some(data)) = (packet.first(), packet.get(8..)) {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.icmp = (heard.icmp.0 + data.len() as u64, heard.icmp.1.wrapping_add(sum(data)));
            }
        }
        while let Some((packet, from)) = packet(&sockets.raw, &mut buffer)? {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.raw = (heard.raw.0 + packet.len() as u64, heard.raw.1.wrapping_add(sum(packet)));
            if let Some(from) = from {
                let _ = sendto(&sockets.raw, &heard.raw.0.to_be_bytes(), SendFlags::empty(), &from);
            }
        }
        for socket in &sockets.dns {
            questions(socket, names, heard, &mut buffer)?;
        }
        if ended {
            return Ok(());
        }
    }
}

/// The next packet, without its IP header, and whom it is from.
fn packet<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> io::Result<Option<(&'a [u8], Option<SocketAddr>)>> {
    match recvfrom(socket, &mut *buffer, RecvFlags::empty()) {
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
        Ok((length, _, from)) => {
            let header = buffer.first().map_or(0, |byte| usize::from(byte & 15) * 4);
            let from = from.and_then(|from| SocketAddr::try_from(from).ok());
            Ok(Some((buffer.get(header..length).unwrap_or_default(), from)))
        }
    }
}

fn questions(
    socket: &UdpSocket,
    names: &[(String, Ipv4Addr)],
    heard: &Mutex<Heard>,
    buffer: &mut [u8],
) -> io::Result<()> {
    loop {
        let (length, from) = match socket.recv_from(buffer) {
            Ok(datagram) => datagram,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        let question = buffer.get(..length).unwrap_or_default();
        let (name, encoded) = name(question.get(12..).unwrap_or_default());
        {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.dns = (heard.dns.0 + 1, heard.dns.1 + length as u64, heard.dns.2 + encoded);
        }
        let address = names.iter().find(|(own, _)| *own == name).map(|(_, address)| *address);
        let _ = socket.send_to(&answer(question, address), from);
    }
}

/// The name in a question, and the bytes that its labels and their lengths take.
fn name(mut rest: &[u8]) -> (String, u64) {
    let (mut labels, mut bytes) = (Vec::new(), 0);
    while let Some((&length, after)) = rest.split_first() {
        let Some(label) = after.get(..usize::from(length)).filter(|label| !label.is_empty()) else { break };
        labels.push(String::from_utf8_lossy(label).into_owned());
        bytes += 1 + u64::from(length);
        rest = after.get(usize::from(length)..).unwrap_or_default();
    }
    (labels.join("."), bytes)
}

/// The question with its answer (RFC 1035, 4.1): one address, valid for a minute, or NXDOMAIN.
fn answer(question: &[u8], address: Option<Ipv4Addr>) -> Vec<u8> {
    let mut message = question.to_vec();
    let header: [u8; 6] = match address {
        Some(_) => [0x81, 0x80, 0, 1, 0, 1],
        None => [0x81, 0x83, 0, 1, 0, 0],
    };
    if let Some(place) = message.get_mut(2..8) {
        place.copy_from_slice(&header);
    }
    if let Some(address) = address {
        // The name of the question (a pointer to it), A, IN, TTL, length.
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        message.extend(address.octets());
    }
    message
}
