//! The receiver that keeps the truth: how many bytes came from whom.
//!
//! TCP and UDP, IPv4 and IPv6, on ports of the kernel's choice. A TCP connection is read to its end and then closed. Each UDP datagram
//! is answered with the sum of what its sender has sent so far, 8 bytes big-endian: so the sender can keep to a window
//! ([`crate::actor`], `upload`). The answers are egress of the sink's own process, which a test of whole machines has to know.
//! What comes without a port (ICMP, other protocols of IP) and what comes in questions (DNS), a [`Tap`] receives.

mod server;
mod tap;

pub use tap::{Heard, Tap};

use crate::Context;
use crate::scene::NetNs;
use crate::wait::scaled;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// IPPROTO_TCP
    Tcp,
    /// IPPROTO_UDP
    Udp,
}

impl Transport {
    /// The value of `network.transport`.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}

/// What came from one peer: a TCP connection, or a UDP socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Over what.
    pub transport: Transport,
    /// From where.
    pub peer: SocketAddr,
    /// To which of the sink's addresses.
    pub local: SocketAddr,
    /// Bytes of payload.
    pub bytes: u64,
    /// The sum of these bytes, wrapping: says whether it was the weights that came, in whatever order.
    pub sum: u64,
    /// Datagrams; 0 for TCP.
    pub datagrams: u64,
    /// The peer closed its connection in order; never for UDP.
    pub closed: bool,
}

/// The sum of `bytes`, wrapping.
pub fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum: u64, byte| sum.wrapping_add(u64::from(*byte)))
}

/// A running sink; dropping it ends it.
pub struct Sink {
    addresses: Vec<(Transport, SocketAddr)>,
    shared: Arc<Shared>,
    /// Closing it ends the thread.
    lifeline: Option<OwnedFd>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    /// Listens on each of `addresses`, with TCP and UDP, in the network namespace `namespace`, or in that of the caller.
    pub fn start(addresses: &[IpAddr], namespace: Option<&NetNs>) -> io::Result<Sink> {
        let addresses: Vec<_> = addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect();
        Sink::start_at(&addresses, namespace)
    }

    /// The same on ports of the caller's choice; 0 is the kernel's choice, one for each protocol.
    pub fn start_at(addresses: &[SocketAddr], namespace: Option<&NetNs>) -> io::Result<Sink> {
        let bind = || addresses.iter().map(|address| server::Sockets::bind(*address)).collect::<io::Result<Vec<_>>>();
        // A socket stays in the namespace that it was made in, wherever the thread that reads it is.
        let sockets = match namespace {
            Some(namespace) => namespace.enter(bind)??,
            None => bind()?,
        };
        let addresses = sockets.iter().map(server::Sockets::addresses).collect::<io::Result<Vec<_>>>()?.concat();
        let (end, lifeline) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("sink".into()).spawn(move || server::run(sockets, &shared, end))?
        };
        Ok(Sink { addresses, shared, lifeline: Some(lifeline), thread: Some(thread) })
    }

    /// Where it listens for `transport`, at the first of its addresses of the same family as `like`.
    pub fn address(&self, transport: Transport, like: IpAddr) -> io::Result<SocketAddr> {
        self.addresses
            .iter()
            .find(|(own, address)| *own == transport && address.is_ipv4() == like.is_ipv4())
            .map(|(_, address)| *address)
            .ok_or_else(|| io::Error::other(format!("the sink has no {} address like {like}", transport.name())))
    }

    /// What has come so far, in the order in which peers first sent.
    pub fn received(&self) -> Vec<Received> {
        self.shared.lock().clone()
    }

    /// Waits until `enough` says so of what has come; returns that.
    pub fn wait_for(
        &self,
        patience: Duration,
        mut enough: impl FnMut(&[Received]) -> bool,
    ) -> io::Result<Vec<Received>> {
        let patience = scaled(patience);
        let deadline = Instant::now() + patience;
        let mut received = self.shared.lock();
        while !enough(&received) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("not within {patience:?}; the sink has {:?}", *received);
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            received = self.shared.changed.wait_timeout(received, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(received.clone())
    }

    /// Ends it; all that came.
    pub fn finish(mut self) -> io::Result<Vec<Received>> {
        drop(self.lifeline.take());
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| io::Error::other("the sink's thread died"))?.context(|| "the sink".into())?;
        }
        Ok(self.received())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The subcommand `sink`.
#[derive(clap::Args)]
pub struct Args {
    /// An address to listen on, with TCP and UDP; may be given several times.
    #[arg(long, required = true)]
    bind: Vec<IpAddr>,
}

/// Prints where it listens, as one line of JSON; counts until standard input ends; what came.
pub fn serve(args: &Args) -> io::Result<Value> {
    let sink = Sink::start(&args.bind, None)?;
    let listening: Vec<Value> = sink
        .addresses
        .iter()
        .map(|(transport, address)| json!({ "network.transport": transport.name(), "address": address.to_string() }))
        .collect();
    writeln!(io::stdout(), "{}", json!({ "listening": listening }))?;
    io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink())?;
    let received: Vec<Value> = sink
        .finish()?
        .iter()
        .map(|peer| {
            json!({
                "network.transport": peer.transport.name(),
                "peer": peer.peer.to_string(),
                "local": peer.local.to_string(),
                "bytes": peer.bytes,
                "sum": peer.sum,
                "datagrams": peer.datagrams,
                "closed": peer.closed,
            })
        })
        .collect();
    Ok(json!({ "received": received }))
}
