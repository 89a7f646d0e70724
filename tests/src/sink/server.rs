//! The sink's thread: one `poll` over everything.

use super::{Received, Shared, Transport, sum};
use crate::Context;
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

/// Room for what an uploader's window lets be under way, with the kernel's overhead for small datagrams.
const UDP_BUFFER: usize = 16 << 20;

/// The sockets of one address.
pub struct Sockets {
    listener: TcpListener,
    udp: UdpSocket,
}

impl Sockets {
    /// Port 0 is one of the kernel's choice.
    pub fn bind(address: SocketAddr) -> io::Result<Sockets> {
        let listener = TcpListener::bind(address).context(|| format!("TCP on {address}"))?;
        let udp = UdpSocket::bind(address).context(|| format!("UDP on {address}"))?;
        // A longer queue than the library's: a connection that finds it full, and is reset at once, was never there.
        rustix::net::listen(&listener, 4096)?;
        listener.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        // The limit for everybody is too small; above it only an administrator may go. If not allowed, senders may be told of losses.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&udp, UDP_BUFFER);
        Ok(Sockets { listener, udp })
    }

    /// Where they listen.
    pub fn addresses(&self) -> io::Result<Vec<(Transport, SocketAddr)>> {
        Ok(vec![(Transport::Tcp, self.listener.local_addr()?), (Transport::Udp, self.udp.local_addr()?)])
    }
}

struct Connection {
    stream: TcpStream,
    /// Its place in the list of what was received.
    index: usize,
}

/// Receives until the other end of `lifeline` is closed.
pub fn run(sockets: Vec<Sockets>, shared: &Shared, lifeline: OwnedFd) -> io::Result<()> {
    let mut connections: Vec<Connection> = Vec::new();
    let mut datagram_peers = HashMap::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let mut waiting = vec![PollFd::new(&lifeline, PollFlags::IN)];
        for socket in &sockets {
            waiting.push(PollFd::from_borrowed_fd(socket.listener.as_fd(), PollFlags::IN));
            waiting.push(PollFd::from_borrowed_fd(socket.udp.as_fd(), PollFlags::IN));
        }
        waiting.extend(connections.iter().map(|c| PollFd::from_borrowed_fd(c.stream.as_fd(), PollFlags::IN)));
        match poll(&mut waiting, None) {
            Err(rustix::io::Errno::INTR) => continue,
            done => done?,
        };
        let ready: Vec<bool> = waiting.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ready = ready.into_iter();
        if ready.next() == Some(true) {
            return Ok(());
        }
        let mut accepted = Vec::new();
        for socket in &sockets {
            if ready.next() == Some(true) {
                accept(&socket.listener, shared, &mut accepted)?;
            }
            if ready.next() == Some(true) {
                datagrams(&socket.udp, shared, &mut datagram_peers, &mut buffer)?;
            }
        }
        // `retain_mut` asks in order, which is that of `ready`.
        connections.retain_mut(|connection| ready.next() != Some(true) || still_open(connection, shared, &mut buffer));
        connections.append(&mut accepted);
        shared.changed.notify_all();
    }
}

fn accept(listener: &TcpListener, shared: &Shared, accepted: &mut Vec<Connection>) -> io::Result<()> {
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(new) => new,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // The peer was gone before we came to it (a storm of connects): it sent nothing.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        let mut received = shared.lock();
        received.push(Received {
            transport: Transport::Tcp,
            peer,
            local,
            bytes: 0,
            sum: 0,
            datagrams: 0,
            closed: false,
        });
        accepted.push(Connection { stream, index: received.len() - 1 });
    }
}

/// Reads what there is of a connection; false when it has ended.
fn still_open(connection: &mut Connection, shared: &Shared, buffer: &mut [u8]) -> bool {
    loop {
        let (bytes, closed, open) = match connection.stream.read(buffer) {
            Ok(0) => (0, true, false),
            Ok(read) => (read as u64, false, true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => (0, false, false),
        };
        if let Some(received) = shared.lock().get_mut(connection.index) {
            received.bytes += bytes;
            received.sum = received.sum.wrapping_add(sum(buffer.get(..bytes as usize).unwrap_or_default()));
            received.closed |= closed;
        }
        if !open {
            return false;
        }
    }
}

fn datagrams(
    udp: &UdpSocket,
    shared: &Shared,
    peers: &mut HashMap<(SocketAddr, SocketAddr), usize>,
    buffer: &mut [u8],
) -> io::Result<()> {
    let local = udp.local_addr()?;
    loop {
        let (bytes, peer) = match udp.recv_from(buffer) {
            Ok(datagram) => datagram,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // An earlier answer was refused: its peer is gone.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        let so_far = {
            let mut received = shared.lock();
            let index = *peers.entry((local, peer)).or_insert_with(|| {
                received.push(Received {
                    transport: Transport::Udp,
                    peer,
                    local,
                    bytes: 0,
                    sum: 0,
                    datagrams: 0,
                    closed: false,
                });
                received.len() - 1
            });
            received.get_mut(index).map(|received| {
                received.bytes += bytes as u64;
                received.sum = received.sum.wrapping_add(sum(buffer.get(..bytes).unwrap_or_default()));
                received.datagrams += 1;
                received.bytes
            })
        };
        // A sender that does not listen, or has gone, is none of our business: the sum is cumulative.
        let _ = udp.send_to(&so_far.unwrap_or_default().to_be_bytes(), peer);
    }
}
