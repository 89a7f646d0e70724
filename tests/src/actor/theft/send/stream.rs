//! TCP, in one piece and in many, asked for by this side and by the other.

use super::{Sent, fill};
use crate::Context;
use crate::actor::theft::Args;
use crate::actor::upload::close_orderly;
use crate::actor::uring::{Mode, Ring};
use io_uring::opcode;
use io_uring::types::Fd;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

const PART: usize = 1 << 16;

/// A connection.
pub fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(to).context(|| to.to_string())
}

/// All of it over a connection.
pub fn tcp(mut stream: TcpStream, from: &mut dyn Read) -> io::Result<Sent> {
    let mut sent = Sent::begin(vec![stream.peer_addr()?])?;
    sent.bytes = pour(&mut stream, from)?;
    close_orderly(&mut stream)?;
    Ok(sent)
}

fn pour(stream: &mut TcpStream, from: &mut dyn Read) -> io::Result<u64> {
    let mut buffer = vec![0; PART];
    let mut bytes = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => {
                stream.write_all(buffer.get(..read).unwrap_or_default()).context(|| format!("after {bytes} bytes"))?;
                bytes += read as u64;
            }
        }
    }
}

/// Connected by its first data.
pub fn fast_open(to: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    let SocketAddr::V4(address) = to else { return Err(io::Error::other("fast open: IPv4 only here")) };
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
    let name = sockaddr(address);
    let mut first = vec![0; 1_000];
    let filled = fill(from, &mut first)?;
    let mut sent = Sent::begin(vec![to])?;
    // SAFETY: the data and the address live through the call, which only reads them.
    let taken = unsafe {
        let name = (&raw const name).cast();
        let length = size_of::<libc::sockaddr_in>() as u32;
        libc::sendto(socket.as_raw_fd(), first.as_ptr().cast(), filled, libc::MSG_FASTOPEN, name, length)
    };
    let taken = usize::try_from(taken).map_err(|_| io::Error::last_os_error()).context(|| "MSG_FASTOPEN".into())?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(first.get(taken..filled).unwrap_or_default())?;
    sent.bytes = filled as u64 + pour(&mut stream, from)?;
    close_orderly(&mut stream)?;
    Ok(sent)
}

/// A connection of multipath TCP; the inner error says so if the kernel has none.
pub fn mptcp(to: SocketAddr) -> io::Result<Result<TcpStream, String>> {
    // SAFETY: numbers only.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, libc::IPPROTO_MPTCP) };
    if socket < 0 {
        return Ok(Err(format!("the kernel has no multipath TCP: {}", io::Error::last_os_error())));
    }
    // SAFETY: the kernel just gave it to us, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    rustix::net::connect(&socket, &to).context(|| to.to_string())?;
    Ok(Ok(socket.into()))
}

fn sockaddr(address: std::net::SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}

/// The same behind a greeting that names `server`, which is what a look at the first record sees.
pub fn tls(mut stream: TcpStream, server: &str, from: &mut dyn Read) -> io::Result<Sent> {
    let mut sent = Sent::begin(vec![stream.peer_addr()?])?;
    let greeting = client_hello(server)?;
    stream.write_all(&greeting)?;
    sent.more.insert("greeting_bytes".into(), greeting.len().into());
    // Records of application data: type 23, version 3.3, length.
    let mut buffer = vec![0; 16_384];
    loop {
        let read = fill(from, &mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        let mut record = vec![23, 3, 3];
        record.extend((read as u16).to_be_bytes());
        record.extend(part);
        stream.write_all(&record)?;
        sent.bytes += record.len() as u64;
    }
    sent.bytes += greeting.len() as u64;
    close_orderly(&mut stream)?;
    Ok(sent)
}

/// A ClientHello of TLS 1.3 with the extensions server_name (RFC 6066, 3) and supported_versions (RFC 8446, 4.2.1), in one record.
fn client_hello(server: &str) -> io::Result<Vec<u8>> {
    fn vector(width: usize, content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_be_bytes();
        [length.get(4 - width..).unwrap_or_default(), content].concat()
    }
    if server.len() > 255 {
        return Err(io::Error::other("a server's name has at most 255 bytes"));
    }
    let name = vector(2, &[&[0u8][..], &vector(2, server.as_bytes())].concat());
    let extensions = [&[0, 0][..], &vector(2, &name), &[0, 43], &vector(2, &vector(1, &[3, 4]))].concat();
    let body = [
        &[3, 3][..],
        &[0x5a; 32],
        &vector(1, &[0x17; 32]),
        &vector(2, &[0x13, 0x01, 0x13, 0x02]),
        &vector(1, &[0]),
        &vector(2, &extensions),
    ]
    .concat();
    let handshake = [&[1][..], &vector(3, &body)].concat();
    Ok([&[22, 3, 1][..], &vector(2, &handshake)].concat())
}

/// An equal part to each destination, over a connection of its own.
pub fn split(args: &Args, from: &mut dyn Read) -> io::Result<Sent> {
    let mut whole = Vec::new();
    from.read_to_end(&mut whole)?;
    let part = whole.len().div_ceil(args.to.len().max(1)).max(1);
    let mut sent = Sent::begin(args.to.clone())?;
    for (to, mut part) in args.to.iter().zip(whole.chunks(part)) {
        let mut stream = connect(*to)?;
        sent.bytes += pour(&mut stream, &mut part)?;
        close_orderly(&mut stream)?;
    }
    Ok(sent)
}

/// Part after part, over a connection of its own each, with pauses. The pauses are the deed, not a wait.
pub fn drip(args: &Args, from: &mut dyn Read) -> io::Result<Sent> {
    let [connections, bytes, pause] = args.drip[..] else { return Err(io::Error::other("--drip takes three numbers")) };
    let to = args.first_target()?;
    let mut sent = Sent::begin(vec![to])?;
    for _ in 0..connections {
        let mut stream = connect(to)?;
        let poured = pour(&mut stream, &mut Read::take(&mut *from, bytes))?;
        close_orderly(&mut stream)?;
        sent.bytes += poured;
        if poured < bytes {
            break;
        }
        std::thread::sleep(Duration::from_millis(pause));
    }
    Ok(sent)
}

/// Listens, and gives all of it to whoever connects first.
pub fn accepted(at: SocketAddr, from: &mut dyn Read) -> io::Result<Sent> {
    let (mut stream, peer) = TcpListener::bind(at).context(|| at.to_string())?.accept()?;
    let mut sent = Sent::begin(vec![peer])?;
    sent.bytes = pour(&mut stream, from)?;
    close_orderly(&mut stream)?;
    Ok(sent)
}

/// Connected and sent by requests; the inner error says so if the kernel does not offer it.
pub fn io_uring(to: SocketAddr, from: &mut dyn Read) -> io::Result<Result<Sent, String>> {
    let mut ring = match Ring::new(Mode::default())? {
        Ok(ring) => ring,
        Err(why) => return Ok(Err(why)),
    };
    let SocketAddr::V4(address) = to else { return Err(io::Error::other("io_uring: IPv4 only here")) };
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
    let name = sockaddr(address);
    let length = size_of_val(&name) as u32;
    let entry = opcode::Connect::new(Fd(socket.as_raw_fd()), (&raw const name).cast(), length).build();
    // SAFETY: the address lives through the request and is only read.
    match unsafe { ring.request(entry) }.context(|| to.to_string())? {
        Ok(_) => {}
        Err(why) => return Ok(Err(why)),
    }
    let mut stream = TcpStream::from(socket);
    let mut sent = Sent::begin(vec![to])?;
    let mut buffer = vec![0; PART];
    loop {
        let read = from.read(&mut buffer)?;
        let mut part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        while !part.is_empty() {
            let taken = ring.send(stream.as_raw_fd(), part)?;
            sent.bytes += taken as u64;
            part = part.get(taken..).unwrap_or_default();
        }
    }
    close_orderly(&mut stream)?;
    Ok(Ok(sent))
}
