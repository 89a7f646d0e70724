//! A server that answers requests on connections that stay, and its client, over the loopback interface.

use super::super::process::Child;
use super::sum;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Connections, each with a thread of the server.
const CONNECTIONS: usize = 8;
const REQUEST: &[u8] =
    b"POST /v1/completions HTTP/1.1\r\nHost: model\r\nContent-Length: 16\r\n\r\n{\"prompt\":\"hi\"}\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n";
const BODY: usize = 2000;
const ANSWER: usize = HEAD.len() + BODY;
const PATIENCE: Duration = Duration::from_secs(5);

/// The server is a process of its own, which does `prepare` first; it ends with the client.
pub struct Web {
    connections: Vec<TcpStream>,
    server: Child,
}

impl Web {
    pub fn start(prepare: impl FnOnce() -> io::Result<Option<std::fs::File>>) -> io::Result<Web> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let server = Child::start(|| {
            let _held = prepare()?;
            let connections: io::Result<Vec<_>> = (0..CONNECTIONS).map(|_| Ok(listener.accept()?.0)).collect();
            let threads: Vec<_> = connections?.into_iter().map(|one| thread::spawn(move || serve(one))).collect();
            threads.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| Err(io::Error::other("it panicked"))))
        })?;
        let connect = |_| {
            let connection = TcpStream::connect(address)?;
            connection.set_nodelay(true)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            Ok(connection)
        };
        let connections: io::Result<Vec<_>> = (0..CONNECTIONS).map(connect).collect();
        Ok(Web { connections: connections?, server })
    }

    /// Times `count` requests, one at a time on each connection.
    pub fn ask(&mut self, count: u64) -> io::Result<Duration> {
        sum(count.div_ceil(CONNECTIONS as u64), || {
            let start = Instant::now();
            for connection in &mut self.connections {
                connection.write_all(REQUEST)?;
            }
            for connection in &mut self.connections {
                connection.read_exact(&mut [0; ANSWER])?;
            }
            Ok(start.elapsed())
        })
    }

    /// How many operations a batch of `count` is.
    pub fn rounded(count: u64) -> u64 {
        count.div_ceil(CONNECTIONS as u64) * CONNECTIONS as u64
    }

    /// Ends both.
    pub fn end(self) -> io::Result<()> {
        drop(self.connections);
        self.server.join()
    }
}

fn serve(mut connection: TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let answer = [HEAD, &[b'x'; BODY]].concat();
    loop {
        match connection.read_exact(&mut [0; REQUEST.len()]) {
            Ok(()) => connection.write_all(&answer)?,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
