//! The canary: an exec, an open and a connect that the agent has done, and waits for at the end of its own line.
//!
//! The kernel leaves out what the agent itself does, so a child does it: this program once more, by its hidden command `canary`. Each
//! deed carries a nonce of 128 random bits that is new in every round, so that nobody can do it beforehand, or replay an old one:
//! - the exec has it for an argument, and the agent for its parent;
//! - the open is of a file in the state directory that is named by it. The suffix [`CANARY_SUFFIX`] is in the class `watched`, so
//!   the kernel sends the open, and nobody holds anything by it;
//! - the connect is of a UDP socket to an address of 127.0.0.0/8 and a port that follow from it. No packet is ever sent.
//!
//! No rule that comes with Weir matches any of it. Nothing is left out for it either: an event is not spared by being called a
//! canary. A rule of one's own that matches every exec matches this one, too.

use crate::event::{Body, BootTime, Event, ProcessKey};
use crate::provenance::CANARY_SUFFIX;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{self, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// This program's file, also when another one has its name by now.
const OWN_FILE: &str = "/proc/self/exe";
/// The hidden command.
const COMMAND: &str = "canary";

/// What a canary does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Starts a program.
    Exec = 0,
    /// Opens a file.
    Open = 1,
    /// Connects a socket.
    Connect = 2,
}

impl Deed {
    /// Every deed, in the order in which they are done.
    pub const ALL: [Deed; 3] = [Deed::Exec, Deed::Open, Deed::Connect];

    /// The name in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Deed::Exec => "exec",
            Deed::Open => "open",
            Deed::Connect => "connect",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What became of a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It came out at the end of the line.
    Seen,
    /// It was done, and did not come out in time.
    Missing,
    /// It could not be done; the log says why.
    NotDone,
    /// The sensor watches a cgroup (`--cgroup`) in which the canary is not.
    OutOfScope,
}

impl Fate {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Seen => "seen",
            Fate::Missing => "missing",
            Fate::NotDone => "not_done",
            Fate::OutOfScope => "out_of_scope",
        }
    }
}

/// What marks the deeds of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// A new one; `None` where the system has no randomness.
    pub fn new() -> Option<Nonce> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Nonce(bytes))
    }

    /// Of 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Nonce> {
        let number = u128::from_str_radix(text, 16).ok()?;
        // A sign is taken for one of a number.
        (text.len() == 32 && !text.starts_with('+')).then_some(Nonce(number.to_be_bytes()))
    }

    /// 32 hexadecimal digits.
    pub fn text(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    fn file_name(self) -> String {
        format!("{}.{CANARY_SUFFIX}", self.text())
    }

    /// Somewhere in 127.0.0.0/9, so that it is never the broadcast address, and no port that needs privileges to be listened on.
    fn address(self) -> SocketAddrV4 {
        let [one, two, three, four, five, ..] = self.0;
        let port = u16::from_be_bytes([four, five]) | 0x8000;
        SocketAddrV4::new(Ipv4Addr::new(127, one & 0x7f, two, three), port)
    }
}

/// A round: what was asked for and what came out.
#[derive(Debug)]
pub struct Round {
    nonce: Nonce,
    file: String,
    peer: SocketAddrV4,
    /// The agent's process id in the initial pid namespace.
    parent: u32,
    /// Once its exec has come out.
    process: Option<ProcessKey>,
    seen: u8,
    /// Once the child has ended: what it did.
    done: Option<u8>,
    latency: Duration,
}

impl Round {
    /// A round with that nonce, done by a child of `parent`.
    pub fn new(nonce: Nonce, parent: u32) -> Round {
        let (file, peer) = (nonce.file_name(), nonce.address());
        Round { nonce, file, peer, parent, process: None, seen: 0, done: None, latency: Duration::ZERO }
    }

    /// What marks it.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// Looks at an event at the end of the line, at the time `now` tells.
    pub fn see(&mut self, event: &Event, now: impl FnOnce() -> BootTime) {
        let Some(process) = event.actor.process else { return };
        // Where the exec was seen, the rest has to be by the same process; where it was lost, the nonce has to do.
        let same = self.process.is_none_or(|known| known == process);
        let deed = match &event.body {
            Body::Exec(exec)
                if exec.parent.is_some_and(|parent| parent.pid == self.parent)
                    && exec.args.get(2).and_then(|text| Nonce::parse(text)) == Some(self.nonce) =>
            {
                self.process = Some(process);
                Deed::Exec
            }
            Body::Open(open) if same && open.file.path.ends_with(&self.file) => Deed::Open,
            Body::Connect(connect)
                if same
                    && connect.endpoints.peer_address == *self.peer.ip()
                    && connect.endpoints.peer_port == self.peer.port() =>
            {
                Deed::Connect
            }
            _ => return,
        };
        self.seen |= deed.bit();
        self.latency = self.latency.max(now().since(event.time));
    }

    /// The child has ended, and has done these.
    pub fn done(&mut self, done: Done) {
        self.done = Some(done.0);
    }

    /// Whether all that was done has come out.
    pub fn is_over(&self) -> bool {
        self.done.is_some_and(|done| self.seen & done == done)
    }

    /// What became of each deed, as far as is known now. While the child runs, what has not come out is not known to be done.
    pub fn fates(&self) -> [Fate; Deed::ALL.len()] {
        Deed::ALL.map(|deed| match (self.seen & deed.bit() != 0, self.done) {
            (true, _) => Fate::Seen,
            (false, Some(done)) if done & deed.bit() != 0 => Fate::Missing,
            (false, _) => Fate::NotDone,
        })
    }

    /// The longest that a deed took from the kernel to the end of the line.
    pub fn latency(&self) -> Duration {
        self.latency
    }
}

/// The deeds that were done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done(u8);

impl Done {
    /// These.
    pub fn of(deeds: &[Deed]) -> Done {
        Done(deeds.iter().fold(0, |bits, deed| bits | deed.bit()))
    }
}

/// A file that goes with its guard.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Has a child do the deeds, and waits for its end: some milliseconds. Without a directory there is no open.
///
/// # Errors
/// The child could not be started: nothing was done.
pub fn perform(nonce: Nonce, directory: Option<&Path>) -> io::Result<Done> {
    if fs::metadata(OWN_FILE)?.nlink() == 0 {
        // To start a deleted file is what an attacker does, and an alert.
        return Err(io::Error::other("the sensor's own file was deleted: restart the sensor after an upgrade"));
    }
    let file = directory.map(|directory| make(&directory.join(nonce.file_name()))).transpose();
    let file = file.unwrap_or_else(|error| {
        tracing::warn!(%error, directory = ?directory, "the canary cannot open a file in the state directory");
        None
    });
    let mut command = Command::new(OWN_FILE);
    command.arg0("weir").args([COMMAND, &nonce.text()]).args(file.iter().map(|file| &file.0));
    // No environment: it may have secrets, which are nothing to this child.
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status()?;
    let undone = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
    Ok(Done(Done::of(&Deed::ALL).0 & !undone))
}

fn make(path: &Path) -> io::Result<Passing> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(Passing(path.to_owned()))
}

/// Removes what canaries left that were killed: files in `directory` that are named as theirs are.
pub fn clean_up(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let nonce = name.to_str().and_then(|name| Nonce::parse(name.split('.').next()?));
        if nonce.is_some_and(|nonce| *nonce.file_name() == *name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What the child does; the exec was done by starting it. Its exit status: the deeds that could not be done.
pub fn act(nonce: Nonce, file: Option<&Path>) -> u8 {
    let opened = file.is_some_and(|file| fs::File::open(file).is_ok());
    // The hook is before the kernel looks for a way there, so that it does not matter whether there is one.
    let asked =
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(|socket| socket.connect(SocketAddr::V4(nonce.address()))).is_ok();
    let undone = |done: bool, deed: Deed| if done { 0 } else { deed.bit() };
    undone(opened, Deed::Open) | undone(asked, Deed::Connect)
}
