//! Sending bytes to a sink ([`crate::sink`]), exactly so many.
//!
//! TCP: the socket is shut down and read until the sink closes too, so that all bytes have arrived when this ends.
//! UDP: payloads carry nothing but noise; the sink answers each with the sum that it has received (8 bytes, big-endian), and no more
//! than a window is under way, so that no buffer overflows. Nothing is sent twice: a lost datagram is an error, not a repetition.

use super::observe;
use super::uring::{Mode, Ring};
use crate::Context;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// The sink.
    #[arg(long)]
    to: SocketAddr,
    /// The transport protocol.
    #[arg(long, default_value = "tcp")]
    proto: Proto,
    /// How many bytes of payload.
    #[arg(long)]
    bytes: u64,
    /// Bytes a call: 65536 with TCP, 1200 with UDP unless given; a UDP datagram has at most 65507.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16 << 20))]
    chunk: Option<u32>,
    /// Send by io_uring (IORING_OP_SEND).
    #[arg(long)]
    io_uring: bool,
    /// UDP: name the destination at each datagram, instead of connecting.
    #[arg(long, conflicts_with = "io_uring")]
    unconnected: bool,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Proto {
    Tcp,
    Udp,
}

/// At most so many datagrams, and so many bytes, without an answer: the sink's buffer has room for them.
const WINDOW_DATAGRAMS: u64 = 128;
const WINDOW_BYTES: u64 = 1 << 20;
/// A sink that says nothing for so long has lost something.
const SILENCE: Duration = Duration::from_secs(10);

/// Sends; says how many bytes the kernel took.
pub fn upload(args: &Args) -> io::Result<Value> {
    let mut ring = match args.io_uring.then(|| Ring::new(Mode::default())).transpose()? {
        Some(Err(why)) => return Ok(observe::skipped(why)),
        Some(Ok(ring)) => Some(ring),
        None => None,
    };
    let (local, sent) = match args.proto {
        Proto::Tcp => {
            let mut stream = TcpStream::connect(args.to).context(|| args.to.to_string())?;
            let chunk = args.chunk.unwrap_or(65_536);
            let sent = by_chunks(args.bytes, chunk, |part, _| transmit(stream.as_raw_fd(), ring.as_mut(), part))?;
            let local = stream.local_addr()?;
            close_orderly(&mut stream)?;
            (local, sent)
        }
        Proto::Udp => udp(args, ring)?,
    };
    Ok(json!({
        "bytes_sent": sent,
        "network.transport": if args.proto == Proto::Tcp { "tcp" } else { "udp" },
        "network.type": if args.to.is_ipv4() { "ipv4" } else { "ipv6" },
        "network.peer.address": args.to.ip().to_string(),
        "network.peer.port": args.to.port(),
        "network.local.address": local.ip().to_string(),
        "network.local.port": local.port(),
        "process.vpid": std::process::id(),
    }))
}

/// Ends the sending side and waits until the peer has read all of it and closed too.
pub fn close_orderly(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(SILENCE))?;
    io::copy(stream, &mut io::sink()).context(|| "waiting for the sink to close".into())?;
    Ok(())
}

fn udp(args: &Args, mut ring: Option<Ring>) -> io::Result<(SocketAddr, u64)> {
    let any: SocketAddr =
        if args.to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16, 0, 0, 0, 0, 0, 0, 0], 0).into() };
    let socket = UdpSocket::bind(any)?;
    if !args.unconnected {
        socket.connect(args.to).context(|| args.to.to_string())?;
    }
    socket.set_read_timeout(Some(SILENCE))?;
    let chunk = args.chunk.unwrap_or(1_200);
    if chunk > 65_507 {
        return Err(io::Error::other(format!("--chunk {chunk}: a UDP datagram has at most 65507 bytes")));
    }
    let window = WINDOW_BYTES.min(WINDOW_DATAGRAMS * u64::from(chunk)).max(u64::from(chunk));
    let mut acknowledged = 0;
    let sent = by_chunks(args.bytes, chunk, |part, sent| {
        // Until the first answer one at a time: a burst would overflow the queue of packets that wait for the neighbour's address.
        let window = if acknowledged == 0 { u64::from(chunk) } else { window };
        while sent + part.len() as u64 - acknowledged > window {
            acknowledged = acknowledgement(&socket, sent)?.max(acknowledged);
        }
        match args.unconnected {
            true => socket.send_to(part, args.to),
            false => transmit(socket.as_raw_fd(), ring.as_mut(), part),
        }
    })?;
    while acknowledged < sent {
        acknowledged = acknowledgement(&socket, sent)?.max(acknowledged);
    }
    Ok((socket.local_addr()?, sent))
}

/// The sum that the sink says it has received.
fn acknowledgement(socket: &UdpSocket, sent: u64) -> io::Result<u64> {
    let mut answer = [0; 8];
    socket.recv(&mut answer).context(|| format!("the sink did not confirm {sent} bytes"))?;
    Ok(u64::from_be_bytes(answer))
}

/// Sends `bytes` bytes, at most `chunk` a call; `send` gets what to send and how much was sent before. The sum of what it returns.
fn by_chunks(bytes: u64, chunk: u32, mut send: impl FnMut(&[u8], u64) -> io::Result<usize>) -> io::Result<u64> {
    let buffer: Vec<u8> = (0..chunk).map(|index| (index % 251) as u8).collect();
    let mut sent = 0;
    while sent < bytes {
        let part = usize::try_from(bytes - sent).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get(..part).unwrap_or(&buffer);
        match send(part, sent).context(|| format!("after {sent} of {bytes} bytes"))? {
            0 => return Err(io::Error::other(format!("the kernel takes no more after {sent} of {bytes} bytes"))),
            taken => sent += taken as u64,
        }
    }
    Ok(sent)
}

/// One `send`, by the system call or by the ring.
fn transmit(socket: RawFd, ring: Option<&mut Ring>, part: &[u8]) -> io::Result<usize> {
    match ring {
        Some(ring) => ring.send(socket, part),
        None => {
            // SAFETY: `part` is read for its length only, during the call.
            let sent = unsafe { libc::send(socket, part.as_ptr().cast(), part.len(), libc::MSG_NOSIGNAL) };
            usize::try_from(sent).map_err(|_| io::Error::last_os_error())
        }
    }
}

/// Sends all of `from` over TCP; how many bytes.
pub fn stream(from: impl Read, to: SocketAddr) -> io::Result<u64> {
    stream_over(TcpStream::connect(to).context(|| to.to_string())?, from)
}

/// Sends all of `from` over a connection and ends it; how many bytes.
pub fn stream_over(mut stream: TcpStream, mut from: impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut sent = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        stream.write_all(buffer.get(..read).unwrap_or_default()).context(|| format!("after {sent} bytes"))?;
        sent += read as u64;
    }
    close_orderly(&mut stream)?;
    Ok(sent)
}
