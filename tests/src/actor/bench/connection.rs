//! Connections over the loopback interface: made and closed, and a lot sent over one.

use super::timed;
use crate::Context;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Bytes that are sent at once.
pub const SEND: usize = 64 << 10;

pub fn connect(kind: SocketType, to: SocketAddrV4) -> io::Result<OwnedFd> {
    let socket = net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
    net::connect(&socket, &to).context(|| to.to_string())?;
    Ok(socket)
}

/// The client's side is timed; the server's accept(2) and close(2) lie between the two parts of it.
pub fn connect_tcp(listener: &TcpListener, to: SocketAddrV4) -> io::Result<Duration> {
    let start = Instant::now();
    let client = connect(SocketType::STREAM, to)?;
    let connected = start.elapsed();
    let (server, _) = listener.accept()?;
    // Closing by RST keeps no port in TIME_WAIT: there are not enough of them.
    net::sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
    let start = Instant::now();
    drop(client);
    let closed = start.elapsed();
    drop(server);
    Ok(connected + closed)
}

/// A connection whose receive queue has room for a whole send, since nobody reads meanwhile.
pub fn pair() -> io::Result<(TcpStream, TcpStream)> {
    const ROOM: usize = 4 * SEND;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    net::sockopt::set_socket_recv_buffer_size(listener.as_fd(), ROOM)?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    net::sockopt::set_socket_send_buffer_size(here.as_fd(), ROOM)?;
    here.set_nodelay(true)?;
    // An error instead of waiting for ever, should there be no room.
    here.set_write_timeout(Some(Duration::from_secs(5)))?;
    Ok((here, listener.accept()?.0))
}

pub fn send(here: &mut TcpStream, there: &mut TcpStream, bytes: &mut [u8]) -> io::Result<Duration> {
    let took = timed(|| here.write_all(bytes))?;
    there.read_exact(bytes)?;
    Ok(took)
}

pub fn v4(address: std::net::SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        std::net::SocketAddr::V4(address) => Ok(address),
        other => Err(io::Error::other(format!("{other} is not IPv4"))),
    }
}
