//! How the bytes leave. One process sends; it says how many bytes, whereto, and when the first one left.

mod datagram;
mod dns;
mod packet;
mod straight;
mod stream;

pub use dns::{ResolveArgs, resolve};
pub use straight::straight;
pub use stream::connect;

use super::{Args, say};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

/// How the bytes leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Over {
    /// One TCP connection.
    Tcp,
    /// sendfile(2) from the file to a TCP connection (carrier `none`).
    Sendfile,
    /// splice(2) from the file through a pipe to a TCP connection (carrier `none`).
    Splice,
    /// TCP, connected and sent by io_uring.
    IoUring,
    /// TCP, behind a TLS greeting that names a server.
    Tls,
    /// An equal part over a TCP connection to each destination.
    Split,
    /// TCP whose first data leave with the connect (MSG_FASTOPEN): connect(2) is never called.
    FastOpen,
    /// Multipath TCP: the packets are those of sockets that the kernel makes.
    Mptcp,
    /// Little by little, each part over a TCP connection of its own.
    Drip,
    /// A TCP connection that somebody outside asks for.
    Accepted,
    /// UDP datagrams.
    Udp,
    /// UDP datagrams, the destination named at each.
    UdpUnconnected,
    /// The payload of ICMP echo requests (raw socket).
    Icmp,
    /// The same by a socket that needs no privilege (a datagram socket of ICMP).
    Ping,
    /// A protocol of IP that nobody uses (raw socket).
    Raw,
    /// UDP packets made by hand (packet socket).
    Packet,
    /// Names asked for of a DNS server.
    Dns,
}

impl Over {
    /// The bytes go from the file to the socket without passing through the process.
    pub fn is_straight(self) -> bool {
        matches!(self, Over::Sendfile | Over::Splice)
    }
}

/// What was sent.
pub struct Sent {
    /// Bytes of payload that the kernel took.
    pub bytes: u64,
    /// Nanoseconds since 1970, before the first of them.
    pub began: u64,
    /// Whereto; of an accepted connection, who asked for it.
    pub destinations: Vec<SocketAddr>,
    /// More that is true, by name.
    pub more: Map<String, Value>,
}

impl Sent {
    /// Nothing yet; called right before the first byte, whose time this takes.
    fn begin(destinations: Vec<SocketAddr>) -> io::Result<Sent> {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        Ok(Sent { bytes: 0, began: began.as_nanos() as u64, destinations, more: Map::new() })
    }
}

/// Sends all of `source` and says so.
pub fn send(args: &Args, source: &mut dyn Read) -> io::Result<()> {
    let mut source = Source { from: source, key: args.scramble.then_some(0x5a) };
    let sent = match args.over {
        Over::Tcp => stream::tcp(connect(args.first_target()?)?, &mut source)?,
        Over::FastOpen => stream::fast_open(args.first_target()?, &mut source)?,
        Over::Mptcp => match stream::mptcp(args.first_target()?)? {
            Ok(stream) => stream::tcp(stream, &mut source)?,
            Err(why) => return super::say_skipped(why),
        },
        Over::Tls => stream::tls(connect(args.first_target()?)?, &args.name, &mut source)?,
        Over::Split => stream::split(args, &mut source)?,
        Over::Drip => stream::drip(args, &mut source)?,
        Over::Accepted => stream::accepted(args.first_target()?, &mut source)?,
        Over::IoUring => match stream::io_uring(args.first_target()?, &mut source)? {
            Ok(sent) => sent,
            Err(why) => return super::say_skipped(why),
        },
        Over::Udp => datagram::udp(args.first_target()?, &mut source)?,
        Over::UdpUnconnected => datagram::udp_unconnected(args.first_target()?, &mut source)?,
        Over::Icmp => datagram::icmp(args.first_target()?, &mut source)?,
        Over::Ping => datagram::ping(args.first_target()?, &mut source)?,
        Over::Raw => datagram::raw(args.first_target()?, &mut source)?,
        Over::Packet => packet::packet(args.first_target()?, &mut source)?,
        Over::Dns => dns::dns(args.first_target()?, &args.name, &mut source)?,
        Over::Sendfile | Over::Splice => {
            return Err(io::Error::other("bytes that passed through a process cannot be sent without"));
        }
    };
    say_sent(sent)
}

/// Sends all of `source` over a connection that is there, and says so.
pub fn send_on(args: &Args, stream: TcpStream, source: &mut dyn Read) -> io::Result<()> {
    say_sent(stream::tcp(stream, &mut Source { from: source, key: args.scramble.then_some(0x5a) })?)
}

fn say_sent(sent: Sent) -> io::Result<()> {
    let mut truth = sent.more;
    let destinations: Vec<String> = sent.destinations.iter().map(ToString::to_string).collect();
    truth.insert("bytes_sent".into(), sent.bytes.into());
    truth.insert("began".into(), sent.began.into());
    truth.insert("destinations".into(), json!(destinations));
    say("sender", truth)
}

/// What is sent, in the form in which it is sent.
struct Source<'a> {
    from: &'a mut dyn Read,
    key: Option<u8>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        if let (Some(key), Some(part)) = (self.key, buffer.get_mut(..read)) {
            part.iter_mut().for_each(|byte| *byte ^= key);
        }
        Ok(read)
    }
}

/// Fills `buffer` as far as `from` reaches; how far.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
