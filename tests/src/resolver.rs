//! A resolver that has one answer: every name is an alias of `edge.example.net`, which has one address.

use crate::scene::NetNs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running resolver; dropping it ends it.
pub struct Resolver {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Resolver {
    /// Answers `address` to whatever is asked at `at`, in that namespace. It listens when this returns.
    pub fn start(at: SocketAddr, network: &NetNs, address: Ipv4Addr) -> io::Result<Resolver> {
        let socket = network.enter(|| UdpSocket::bind(at))??;
        // How long dropping it takes; nobody waits for it otherwise.
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let mut query = [0; 1232];
                let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
                // Who asks and does not wait for the answer has gone.
                let _ = socket.send_to(&answer(&query[..length], address), from);
            }
        });
        Ok(Resolver { ended, thread: Some(thread) })
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// RFC 1035, section 4: the query's header and question, an alias (CNAME) of the name there, and that one's address (A).
fn answer(query: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let mut answer = query.to_vec();
    if let Some(flags) = answer.get_mut(2..8) {
        flags.copy_from_slice(&[0x81, 0x80, 0, 1, 0, 2]);
    }
    answer.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x12\x04edge\x07example\x03net\0");
    answer.extend_from_slice(b"\x04edge\x07example\x03net\0\0\x01\0\x01\0\0\0\x3c\0\x04");
    answer.extend_from_slice(&address.octets());
    answer
}
