//! A collector that takes everything, in the test's own process: for tests that need nothing of what was sent but its texts.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

/// A request of OTLP over HTTP.
pub struct Request {
    pub line: String,
    pub headers: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    /// Whether the body has this text in it: nothing is packed.
    pub fn has(&self, text: &str) -> bool {
        self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// Takes requests and answers each with success; ends with the test's process.
pub fn collector(at: SocketAddr) -> io::Result<(SocketAddr, Receiver<Request>)> {
    let listener = TcpListener::bind(at)?;
    let (sender, requests) = channel();
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut stream = BufReader::new(connection);
                while let Ok(Some(request)) = read(&mut stream) {
                    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                    if stream.get_mut().write_all(answer.as_bytes()).is_err() || sender.send(request).is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok((address, requests))
}

/// `None`: the connection has ended.
fn read(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header)?;
        match header.trim_end() {
            "" => break,
            header => headers.push(header.to_ascii_lowercase()),
        }
    }
    let length = headers.iter().find_map(|header| header.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some(Request { line: line.trim_end().to_owned(), headers, body }))
}
