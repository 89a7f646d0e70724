//! From a record's bytes to an [`Event`]. Pure: no clock, no I/O, no tables.
//!
//! The bytes come from a kernel that an attacker feeds: no sequence of them may panic, loop, or allocate more than a small
//! multiple of its own length. What cannot be right is [`Malformed`], never guessed; the caller counts it.

mod file;
mod names;
mod net;
#[doc(hidden)]
pub mod samples;
mod system;
mod transfer;
#[cfg(test)]
mod tests;

pub use names::message;
pub(super) use net::peer_address;

use crate::event::text::{TEXT_MAX, lossless};
use crate::event::{Actor, Body, BootTime, Cgroup, CgroupKey, Change, Event, Exit, Fork, ProcessKey};
use sensor_common::record::{self, Header, Hook, Kind, Process, VERSION};
use thiserror::Error;
use zerocopy::FromBytes;

/// Why a record could not be decoded. The agent and the programs then differ, or something else wrote into the ring.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than its fixed part.
    #[error(
        "record of {have} bytes is too short for {what}, which needs {need}; agent and programs differ, rebuild both"
    )]
    Short {
        /// The header, or the kind's name.
        what: &'static str,
        /// Bytes there.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// Another version of the layouts.
    #[error("record of version {0}, this agent reads {VERSION}; load the programs of this agent")]
    Version(u16),
    /// Not a [`Kind`].
    #[error("record of unknown kind {0}; load the programs of this agent")]
    Kind(u8),
    /// Not a [`Hook`].
    #[error("record from unknown hook {0}; load the programs of this agent")]
    Hook(u8),
    /// Says that it is longer than it is, or shorter than a header.
    #[error("record says it has {said} bytes, but has {have}; agent and programs differ, rebuild both")]
    Size {
        /// Bytes said.
        said: u32,
        /// Bytes there.
        have: usize,
    },
    /// Its strings are longer than its tail.
    #[error("record's strings need {said} bytes, but {have} are left; agent and programs differ, rebuild both")]
    Tail {
        /// Bytes said.
        said: usize,
        /// Bytes there.
        have: usize,
    },
    /// An address family other than IPv4 and IPv6.
    #[error("record with unknown address family {0}; load the programs of this agent")]
    Family(u16),
    /// Not a [`record::FlowReason`].
    #[error("record with unknown flow reason {0}; load the programs of this agent")]
    Reason(u32),
    /// Not one of the ways in which such a thing is done.
    #[error("record of {what} with unknown code {code}; load the programs of this agent")]
    Code {
        /// The kind's name.
        what: &'static str,
        /// The code.
        code: u32,
    },
}

impl Malformed {
    /// The cause under which it is counted.
    pub const fn name(&self) -> &'static str {
        match self {
            Malformed::Short { .. } => "malformed_short",
            Malformed::Version(_) => "malformed_version",
            Malformed::Kind(_) => "malformed_kind",
            Malformed::Hook(_) => "malformed_hook",
            Malformed::Size { .. } => "malformed_size",
            Malformed::Tail { .. } => "malformed_tail",
            Malformed::Family(_) => "malformed_family",
            Malformed::Reason(_) => "malformed_reason",
            Malformed::Code { .. } => "malformed_code",
        }
    }
}

/// Decodes one record. Bytes behind the record's own size, or behind its last string, are ignored.
///
/// # Errors
/// [`Malformed`] when the bytes cannot be a record of this version.
pub fn decode(bytes: &[u8]) -> Result<Event, Malformed> {
    let (header, _) = fixed::<Header>(bytes, "a header")?;
    if header.version != VERSION {
        return Err(Malformed::Version(header.version));
    }
    let kind = Kind::from_wire(header.kind).ok_or(Malformed::Kind(header.kind))?;
    let hook = Hook::from_wire(header.hook).ok_or(Malformed::Hook(header.hook))?;
    let bytes = usize::try_from(header.size)
        .ok()
        .and_then(|size| bytes.get(..size))
        .ok_or(Malformed::Size { said: header.size, have: bytes.len() })?;

    let body = match kind {
        Kind::Exec => Body::Exec(file::exec(bytes)?),
        Kind::Fork => Body::Fork(fork(bytes)?),
        Kind::Exit => Body::Exit(exit(bytes)?),
        Kind::Open => Body::Open(file::open(bytes)?),
        Kind::Connect => Body::Connect(net::connect(bytes)?),
        Kind::Flow => Body::Flow(net::flow(bytes)?),
        Kind::Cgroup => Body::Cgroup(cgroup(bytes)?),
        Kind::Rename => Body::FileChange(file::change(bytes, Change::Rename)?),
        Kind::Link => Body::FileChange(file::change(bytes, Change::Link)?),
        Kind::Unlink => Body::FileChange(file::change(bytes, Change::Unlink)?),
        Kind::Truncate => Body::FileChange(file::change(bytes, Change::Truncate)?),
        Kind::Socket => Body::Socket(system::socket(bytes)?),
        Kind::ProcessAccess => Body::ProcessAccess(system::access(bytes)?),
        Kind::Bpf => Body::Bpf(system::bpf(bytes)?),
        Kind::Module => Body::Module(system::module(bytes)?),
        Kind::Mount => Body::Mount(system::mount(bytes)?),
        Kind::Namespace => Body::Namespace(system::namespace(bytes)?),
        Kind::Transfer => Body::Transfer(transfer::transfer(bytes)?),
        Kind::Dns => Body::Dns(names::dns(bytes)?),
        Kind::Hello => Body::Hello(names::hello(bytes)?),
        Kind::Listen => Body::Listen(net::listen(bytes)?),
    };
    Ok(Event::new(BootTime(header.time), Some(hook), actor(&header), body))
}

fn actor(header: &Header) -> Actor {
    Actor {
        process: process_key(&header.process),
        vpid: header.process.vtgid,
        tid: header.tid,
        comm: text(until_nul(&header.comm)),
        uid: header.uid,
        gid: header.gid,
        cgroup: CgroupKey { hierarchy: header.cgroup_hierarchy, id: header.cgroup },
        mount_namespace: header.mount_namespace,
        pid_namespace: header.pid_namespace,
    }
}

fn fork(bytes: &[u8]) -> Result<Fork, Malformed> {
    let (fork, _) = fixed::<record::Fork>(bytes, "fork")?;
    let child = ProcessKey::from_start(fork.child.tgid, BootTime(fork.child.start_time));
    Ok(Fork { child, child_vpid: fork.child.vtgid })
}

/// `wait(2)`: the low seven bits are the signal, bit 7 tells of a core dump, bits 8 to 15 are the exit code.
fn exit(bytes: &[u8]) -> Result<Exit, Malformed> {
    let (exit, _) = fixed::<record::Exit>(bytes, "exit")?;
    Ok(match exit.status & 0x7f {
        0 => Exit { code: Some(exit.status >> 8 & 0xff), signal: None },
        signal => Exit { code: None, signal: Some(signal) },
    })
}

fn cgroup(bytes: &[u8]) -> Result<Cgroup, Malformed> {
    let (cgroup, tail) = fixed::<record::Cgroup>(bytes, "cgroup")?;
    let (path, _) = split(tail, usize::try_from(cgroup.path_len).unwrap_or(usize::MAX))?;
    Ok(Cgroup { key: CgroupKey { hierarchy: cgroup.hierarchy, id: cgroup.id }, path: text(until_nul(path)) })
}

/// `None` where the kernel did not know the process: its start is then 0. (So is that of pid 0, the idle task.)
fn process_key(process: &Process) -> Option<ProcessKey> {
    (process.start_time != 0).then(|| ProcessKey::from_start(process.tgid, BootTime(process.start_time)))
}

/// The fixed part at the start of `bytes`, copied out since they may lie unaligned, and what follows it.
fn fixed<'a, T: FromBytes>(bytes: &'a [u8], what: &'static str) -> Result<(T, &'a [u8]), Malformed> {
    T::read_from_prefix(bytes).map_err(|_| Malformed::Short { what, have: bytes.len(), need: size_of::<T>() })
}

/// The first `len` bytes of a record's tail, and the rest of it.
fn split(tail: &[u8], len: usize) -> Result<(&[u8], &[u8]), Malformed> {
    tail.split_at_checked(len).ok_or(Malformed::Tail { said: len, have: tail.len() })
}

/// `bytes` as [`lossless`] writes them. Nearly all names are plain, and need no look at each character.
fn text(bytes: &[u8]) -> Box<str> {
    plain(bytes).map_or_else(|| lossless(bytes, TEXT_MAX), Box::from)
}

/// `bytes`, if they are text in which nothing has to be escaped.
fn plain(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|_| bytes.len() <= TEXT_MAX && !bytes.contains(&b'\\'))
}

/// What is before the first NUL; everything if there is none.
fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or(bytes)
}
