//! A relay on the loopback interface that counts what goes through it.

use anyhow::Result;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Hands connections on to a port. Its threads end with their connections, the first one with the program.
pub struct Relay {
    /// Where it listens.
    pub port: u16,
    sent: Arc<AtomicU64>,
}

impl Relay {
    /// Listens at a port of its own.
    pub fn start(to: u16) -> Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (port, sent) = (listener.local_addr()?.port(), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&sent);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A receiver that has gone ends the client's connection, too.
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
                let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { continue };
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || pump(from_client, server, &counter));
                std::thread::spawn(move || pump(from_server, client, &AtomicU64::new(0)));
            }
        });
        Ok(Relay { port, sent })
    }

    /// Bytes that clients have sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }
}

/// Until either side ends.
fn pump(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut buffer = [0; 16 << 10];
    let mut copy = || -> io::Result<()> {
        loop {
            let count = from.read(&mut buffer)?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { return Ok(()) };
            counter.fetch_add(count as u64, Relaxed);
            to.write_all(read)?;
        }
    };
    // That one side has gone is how a connection ends.
    let _ = copy();
    let _ = to.shutdown(Shutdown::Both);
}
