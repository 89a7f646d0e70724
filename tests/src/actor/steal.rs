//! The theft, harmless: a file is read and sent to a sink, by one process or by two.

use super::{observe, upload};
use crate::Context;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub struct Args {
    /// The file.
    #[arg(long)]
    read: PathBuf,
    /// The sink, by TCP.
    #[arg(long)]
    to: SocketAddr,
    /// One process reads and writes into a pipe, another reads the pipe and sends.
    #[arg(long)]
    via_pipe: bool,
}

#[derive(clap::Args)]
pub struct CatArgs {
    /// The file.
    file: PathBuf,
}

#[derive(clap::Args)]
pub struct SendArgs {
    /// The sink, by TCP.
    #[arg(long)]
    to: SocketAddr,
}

/// Steals; says who read what and who sent how much.
pub fn steal(args: &Args) -> io::Result<Value> {
    if args.via_pipe { by_two(args) } else { by_one(args) }
}

fn by_one(args: &Args) -> io::Result<Value> {
    let file = File::open(&args.read).context(|| args.read.display().to_string())?;
    let read = observe::file(file.as_fd())?;
    let sent = upload::stream(file, args.to)?;
    Ok(json!({ "reader": with(read, "bytes_read", sent), "sender": sender(sent, args.to) }))
}

fn by_two(args: &Args) -> io::Result<Value> {
    let program = std::env::current_exe()?;
    let mut reader = Command::new(&program)
        .arg("cat")
        .arg(&args.read)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pipe = reader.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let sender = Command::new(&program)
        .args(["send", "--to"])
        .arg(args.to.to_string())
        .stdin(pipe)
        .stderr(Stdio::inherit())
        .output()?;
    let reader = reader.wait_with_output()?;
    if !reader.status.success() || !sender.status.success() {
        let complaint = String::from_utf8_lossy(&reader.stderr).trim().to_owned();
        return Err(io::Error::other(format!("reader: {} {complaint}; sender: {}", reader.status, sender.status)));
    }
    let (reader, sender): (Value, Value) =
        (serde_json::from_slice(&reader.stderr)?, serde_json::from_slice(&sender.stdout)?);
    Ok(json!({ "reader": reader, "sender": sender }))
}

/// Copies the file to standard output, then the truth to standard error.
pub fn cat(args: &CatArgs) -> io::Result<u8> {
    let truth = copy_out(&args.file)?;
    writeln!(io::stderr(), "{truth}")?;
    Ok(0)
}

fn copy_out(path: &Path) -> io::Result<Value> {
    let mut file = File::open(path).context(|| path.display().to_string())?;
    let truth = observe::file(file.as_fd())?;
    // By read and write: `io::copy` would splice, and another test may want to know which of the two it looks at.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0u64;
    loop {
        let read = file.read(&mut buffer).context(|| path.display().to_string())?;
        if read == 0 {
            break;
        }
        out.write_all(buffer.get(..read).unwrap_or_default())?;
        bytes += read as u64;
    }
    Ok(with(truth, "bytes_read", bytes))
}

/// Sends standard input.
pub fn send(args: &SendArgs) -> io::Result<Value> {
    let sent = upload::stream(File::from(io::stdin().as_fd().try_clone_to_owned()?), args.to)?;
    Ok(sender(sent, args.to))
}

fn sender(sent: u64, to: SocketAddr) -> Value {
    json!({
        "bytes_sent": sent,
        "network.transport": "tcp",
        "network.peer.address": to.ip().to_string(),
        "network.peer.port": to.port(),
        "process.vpid": std::process::id(),
    })
}

fn with(mut truth: Map<String, Value>, name: &str, value: u64) -> Value {
    truth.insert(name.into(), value.into());
    truth.into()
}
