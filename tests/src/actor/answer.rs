//! What a server does: it reads a file and sends it, over a connection that somebody else asked for.

use super::{observe, upload};
use crate::Context;
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// The file.
    #[arg(long)]
    read: PathBuf,
    /// Where to listen, by TCP.
    #[arg(long)]
    bind: SocketAddr,
}

/// Opens the file, then waits for one connection and answers it; says who read what, and how many bytes it sent.
pub fn answer(args: &Args) -> io::Result<Value> {
    let file = File::open(&args.read).context(|| args.read.display().to_string())?;
    let mut truth = observe::file(file.as_fd())?;
    let (stream, peer) = TcpListener::bind(args.bind).context(|| args.bind.to_string())?.accept()?;
    let sent = upload::stream_over(stream, file)?;
    truth.insert("bytes_sent".into(), sent.into());
    truth.insert("network.peer.address".into(), peer.ip().to_string().into());
    truth.insert("network.peer.port".into(), peer.port().into());
    Ok(json!(truth))
}
