//! Going to a server as clients do: ask a resolver for its address, connect, begin with a ClientHello that names it.

use super::upload;
use crate::Context;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// Ask this resolver for the address, by UDP.
    #[arg(long)]
    resolver: Option<SocketAddr>,
    /// The name to ask for.
    #[arg(long, default_value = "models.example.org")]
    name: String,
    /// Do not connect the socket that asks.
    #[arg(long)]
    unconnected: bool,
    /// The address to go to, if no resolver is asked.
    #[arg(long, required_unless_present = "resolver")]
    address: Option<IpAddr>,
    /// The port to go to.
    #[arg(long)]
    port: u16,
    /// How to begin.
    #[arg(long, default_value = "tls")]
    begin: Begin,
    /// The name in the ClientHello of TLS; that of QUIC is always example.com.
    #[arg(long, default_value = "models.example.org")]
    hello: String,
    /// Send the ClientHello in pieces of so many bytes, each in a packet of its own.
    #[arg(long)]
    pieces: Option<u16>,
}

/// How a flow begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Begin {
    /// A ClientHello in TLS records over TCP.
    Tls,
    /// An Initial packet of QUIC over UDP.
    Quic,
    /// Bytes that say nothing, over TCP.
    Plain,
}

/// The client's Initial packet of RFC 9001, appendix A.2.
const INITIAL: &[u8; 1200] = include_bytes!("initial.bin");
/// A server that says nothing for so long has not heard.
const SILENCE: Duration = Duration::from_secs(10);

/// Goes there; says where it went.
pub fn visit(args: &Args) -> io::Result<Value> {
    let address = match (args.resolver, args.address) {
        (Some(resolver), _) => resolve(args, resolver)?,
        (None, Some(address)) => address,
        (None, None) => return Err(io::Error::other("give --resolver or --address")),
    };
    let to = SocketAddr::new(address, args.port);
    match args.begin {
        Begin::Tls => stream(args, to, &client_hello(&args.hello))?,
        Begin::Plain => stream(args, to, b"nothing that is a ClientHello")?,
        Begin::Quic => {
            let socket = any(to)?;
            socket.send_to(INITIAL, to).context(|| to.to_string())?;
            socket.recv(&mut [0; 8]).context(|| format!("the sink at {to} did not answer"))?;
        }
    }
    Ok(json!({
        "network.transport": if args.begin == Begin::Quic { "udp" } else { "tcp" },
        "network.peer.address": address.to_string(),
        "network.peer.port": args.port,
        "process.vpid": std::process::id(),
    }))
}

fn stream(args: &Args, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect(to).context(|| to.to_string())?;
    stream.set_nodelay(true)?;
    for piece in bytes.chunks(args.pieces.map_or(usize::MAX, usize::from).max(1)) {
        stream.write_all(piece)?;
    }
    // Something to report after the hello.
    stream.write_all(&[0; 100_000])?;
    upload::close_orderly(&mut stream)
}

fn any(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16, 0, 0, 0, 0, 0, 0, 0], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(SILENCE))?;
    Ok(socket)
}

/// The address that the resolver gives for the name: the last four bytes of its answer, of which the scene's resolvers take care.
fn resolve(args: &Args, resolver: SocketAddr) -> io::Result<IpAddr> {
    let socket = any(resolver)?;
    let mut query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0".to_vec();
    for label in args.name.split('.') {
        query.push(u8::try_from(label.len()).map_err(io::Error::other)?);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    if args.unconnected {
        socket.send_to(&query, resolver)?;
    } else {
        socket.connect(resolver)?;
        socket.send(&query)?;
    }
    let mut answer = [0; 1232];
    let length = socket.recv(&mut answer).context(|| format!("{resolver} does not answer"))?;
    let address: Option<&[u8; 4]> = answer.get(..length).and_then(<[u8]>::last_chunk);
    address.map(|bytes| Ipv4Addr::from(*bytes).into()).ok_or_else(|| io::Error::other("a short answer"))
}

/// A ClientHello of TLS 1.3 (RFC 8446, section 4.1.2), 1800 bytes long, as long as with a post-quantum key share.
fn client_hello(name: &str) -> Vec<u8> {
    let counted = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let extension = |kind: u16, content: &[u8]| [&kind.to_be_bytes()[..], &counted(content)].concat();
    let host = [&[0][..], &counted(name.as_bytes())].concat();
    let extensions = [extension(21, &[0; 1700]), extension(0, &counted(&host)), extension(43, &[2, 3, 4])];
    let body = [&[3, 3][..], &[0x5a; 32], &[0, 0, 2, 0x13, 1, 1, 0], &counted(&extensions.concat())].concat();
    let message = [&[1, 0][..], &counted(&body)].concat();
    [&[22, 3, 1][..], &counted(&message)].concat()
}
