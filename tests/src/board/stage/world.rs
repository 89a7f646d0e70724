//! The world outside: what receives there, and what it has received.

use super::Stage;
use crate::board::Trouble;
use crate::scene::Network;
use crate::sink::{Heard, Received, Sink, Tap, sum};
use crate::wait::{PATIENCE, scaled, until};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

/// Waits outside for one connection.
pub struct Listener(TcpListener);

impl Listener {
    /// Listens.
    pub fn bind(network: &Network, address: IpAddr, port: u16) -> Result<Listener, Trouble> {
        Ok(Listener(network.outside.enter(|| TcpListener::bind((address, port)))??))
    }

    /// Says `words` to whoever connects first, and takes all that comes: how many bytes, and their sum.
    pub fn command(self, words: &[u8]) -> Result<(u64, u64), Trouble> {
        self.0.set_nonblocking(true)?;
        let (mut stream, _) = until(PATIENCE, "somebody connects", || self.0.accept().ok())?;
        stream.set_nonblocking(false)?;
        converse(&mut stream, words)
    }
}

/// Says `words`, and takes all that comes.
fn converse(stream: &mut TcpStream, words: &[u8]) -> Result<(u64, u64), Trouble> {
    stream.set_read_timeout(Some(scaled(PATIENCE)))?;
    stream.write_all(words)?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    Ok((all.len() as u64, sum(&all)))
}

/// What receives in the world outside.
pub struct World {
    sink: Sink,
    tap: Tap,
}

/// What the world outside has received.
pub struct Truth {
    /// Over TCP and UDP.
    pub received: Vec<Received>,
    /// Otherwise.
    pub heard: Heard,
}

impl Truth {
    /// All bytes, and their sum.
    pub fn all(&self) -> (u64, u64) {
        let streams = self.received.iter().map(|peer| (peer.bytes, peer.sum));
        let rest = [self.heard.icmp, self.heard.raw, (self.heard.dns.1, 0)];
        streams.chain(rest).fold((0, 0), |(bytes, sum), (more, its)| (bytes + more, sum.wrapping_add(its)))
    }
}

/// Connects from outside, once somebody listens, says `request`, and takes all that comes: how many bytes, and their sum.
pub fn fetch(network: &Network, at: &str, request: &[u8]) -> Result<(u64, u64), Trouble> {
    network.outside.enter(|| -> Result<(u64, u64), Trouble> {
        let mut stream = until(PATIENCE, "the server listens", || TcpStream::connect(at).ok())?;
        converse(&mut stream, request)
    })?
}

impl World {
    /// Listens on these addresses.
    pub fn open(network: &Network, addresses: &[IpAddr]) -> Result<World, Trouble> {
        let at: Vec<_> = addresses.iter().map(|address| SocketAddr::new(*address, Stage::PORT)).collect();
        let sink = Sink::start_at(&at, Some(&network.outside))?;
        let names = [
            ("huggingface.co", Stage::HUB),
            ("own-bucket.s3.eu-central-1.amazonaws.com", Stage::BUCKET),
            ("other-bucket.s3.eu-central-1.amazonaws.com", Stage::BUCKET),
            ("collector.monitoring.svc.cluster.local", Stage::COLLECTOR),
        ];
        let tap = Tap::start(&network.outside, &[Stage::OUTSIDE, Stage::RESOLVER], &names)?;
        Ok(World { sink, tap })
    }

    /// Ends it; all that came.
    pub fn finish(self) -> Result<Truth, Trouble> {
        Ok(Truth { received: self.sink.finish()?, heard: self.tap.finish()? })
    }
}
