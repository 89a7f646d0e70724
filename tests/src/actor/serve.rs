//! Servers and their clients: what runs in a cluster every day.

use super::observe;
use super::process::Child;
use crate::Context;
use crate::wait::{PATIENCE, scaled, until};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

/// How every request ends.
const END: &[u8] = b"\r\n\r\n";
/// A request has no more bytes.
const REQUEST_MAX: usize = 8_192;

#[derive(clap::Args)]
pub struct ServeArgs {
    /// Where to listen, by TCP.
    #[arg(long, required_unless_present = "unix")]
    bind: Option<SocketAddr>,
    /// Where to listen instead, by a unix socket.
    #[arg(long)]
    unix: Option<PathBuf>,
    /// A file that is loaded into memory first, as a model is.
    #[arg(long)]
    load: Option<PathBuf>,
    /// How many connections it answers before it ends.
    #[arg(long, default_value_t = 1)]
    connections: u32,
    /// Bytes of an answer.
    #[arg(long)]
    answer: usize,
    /// In how many parts each answer is sent, with a millisecond between.
    #[arg(long, default_value_t = 1)]
    parts: usize,
    /// A forked process answers each connection.
    #[arg(long)]
    workers: bool,
    /// A file to which a line is added for every connection.
    #[arg(long)]
    log: Option<PathBuf>,
}

/// Loads, listens, answers; says how much it sent.
pub fn serve(args: &ServeArgs) -> io::Result<Value> {
    let mut truth = serde_json::Map::new();
    let mut loaded = Vec::new();
    if let Some(path) = &args.load {
        let mut file = File::open(path).context(|| path.display().to_string())?;
        truth = observe::file(file.as_fd())?;
        file.read_to_end(&mut loaded)?;
    }
    let listener = match (&args.unix, args.bind) {
        (Some(path), _) => Listener::Unix(UnixListener::bind(path).context(|| path.display().to_string())?),
        (None, Some(address)) => Listener::Tcp(TcpListener::bind(address).context(|| address.to_string())?),
        (None, None) => return Err(io::Error::other("--bind or --unix is needed")),
    };
    for number in 0..args.connections {
        let mut stream = listener.accept()?;
        if args.workers {
            Child::start(|| answer(args, &mut stream))?.join()?;
        } else {
            answer(args, &mut stream)?;
        }
        if let Some(path) = &args.log {
            let mut log =
                File::options().create(true).append(true).open(path).context(|| path.display().to_string())?;
            writeln!(log, "request {number}: 200 {}", "GET /v1/chat/completions ".repeat(20))?;
        }
    }
    truth.insert("bytes_sent".into(), (args.answer as u64 * u64::from(args.connections)).into());
    Ok(truth.into())
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Listener {
    fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Listener::Tcp(listener) => Box::new(listener.accept()?.0),
            Listener::Unix(listener) => Box::new(listener.accept()?.0),
        })
    }
}

fn answer(args: &ServeArgs, stream: &mut dyn Stream) -> io::Result<()> {
    request(stream)?;
    let tokens = vec![b't'; args.answer];
    for part in tokens.chunks(args.answer.div_ceil(args.parts.max(1)).max(1)) {
        stream.write_all(part)?;
        if args.parts > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    stream.flush()
}

/// Reads a request to its end.
fn request(stream: &mut dyn Stream) -> io::Result<Vec<u8>> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(END) {
        if request.len() >= REQUEST_MAX || stream.read(&mut byte)? == 0 {
            return Err(io::Error::other("not a request"));
        }
        request.extend(byte);
    }
    Ok(request)
}

#[derive(clap::Args)]
pub struct RelayArgs {
    /// Where to listen, by TCP.
    #[arg(long)]
    bind: SocketAddr,
    /// The server, by a unix socket.
    #[arg(long)]
    to: PathBuf,
    /// How many connections it relays before it ends.
    #[arg(long, default_value_t = 1)]
    connections: u32,
}

/// What a sidecar does: passes each request on, and the answer back.
pub fn relay(args: &RelayArgs) -> io::Result<Value> {
    let listener = TcpListener::bind(args.bind).context(|| args.bind.to_string())?;
    let mut bytes = 0;
    for _ in 0..args.connections {
        let (mut client, _) = listener.accept()?;
        let mut server = until(PATIENCE, "the server listens", || UnixStream::connect(&args.to).ok())?;
        server.write_all(&request(&mut client)?)?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        client.write_all(&answer)?;
        bytes += answer.len() as u64;
    }
    Ok(json!({ "bytes_sent": bytes, "process.vpid": std::process::id() }))
}

#[derive(clap::Args)]
pub struct DownloadArgs {
    /// The server, by TCP.
    #[arg(long)]
    from: SocketAddr,
    /// Where to put what comes.
    #[arg(long)]
    save: PathBuf,
    /// How many requests, one after the other; the last answer is kept.
    #[arg(long, default_value_t = 1)]
    requests: u32,
}

/// Asks and saves.
pub fn download(args: &DownloadArgs) -> io::Result<Value> {
    let mut bytes = 0;
    for _ in 0..args.requests {
        let mut stream = until(PATIENCE, "the server listens", || TcpStream::connect(args.from).ok())?;
        stream.set_read_timeout(Some(scaled(PATIENCE)))?;
        stream
            .write_all(b"GET /resolve/main/model.safetensors HTTP/1.1\r\nHost: huggingface.co\r\nUser-Agent: hf/1")?;
        stream.write_all(END)?;
        let mut file = File::create(&args.save).context(|| args.save.display().to_string())?;
        bytes = io::copy(&mut stream, &mut file)?;
    }
    Ok(json!({ "bytes_received": bytes, "process.vpid": std::process::id() }))
}
