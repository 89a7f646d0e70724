//! What the lists of an incident are made of: rules, files, processes, destinations.

use super::deed::Deed;
use super::list::List;
use crate::detection::{Level, Rule};
use crate::event::{BootTime, Endpoints, FileId, Flow, FlowReason, ProcessKey};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Most bytes that are kept of a path or a name; attackers choose how long they are. Both ends say most.
const TEXT_MAX: usize = 256;

/// A rule that the incident has alerts of.
#[derive(Clone, Debug)]
pub struct Told {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its level.
    pub level: Level,
    /// Its alerts in the incident, told or not.
    pub alerts: u64,
    /// What decided its first alert.
    pub first_event: Fingerprint,
    /// Another event decided a later one; revisions of one do not count.
    pub independent: bool,
    /// When an alert of it was last told.
    pub told: Option<BootTime>,
    /// In which workloads it was found; at most 16.
    pub workloads: List<Box<str>, 16>,
}

impl Told {
    /// Takes in the same rule of another incident.
    pub fn absorb(&mut self, other: Told) {
        self.alerts = self.alerts.saturating_add(other.alerts);
        self.independent |= other.independent || self.first_event != other.first_event;
        self.told = self.told.max(other.told);
        self.workloads.absorb(other.workloads, |known, other| known == other, |_, _| {});
    }
}

/// Tells one event from another: when, who, what kind.
pub type Fingerprint = (BootTime, Option<ProcessKey>, &'static str);

/// A classified file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Which one; `None` where only its name is known.
    pub id: Option<FileId>,
    /// Its path in the process's mount namespace.
    pub path: Box<str>,
    /// Bytes.
    pub size: u64,
    /// It was opened for reading, or is held; otherwise changed only.
    pub read: bool,
}

impl Source {
    /// Whether it is this file. By inode where it is known on both sides: one file has many names, and one name many files.
    pub fn is(&self, id: Option<FileId>, path: &str) -> bool {
        match (self.id, id) {
            (Some(known), Some(id)) => known == id,
            _ => *self.path == *path,
        }
    }

    /// Takes in the same file of another incident.
    pub fn absorb(&mut self, other: Source) {
        self.id = self.id.or(other.id);
        self.size = self.size.max(other.size);
        self.read |= other.read;
    }
}

/// What a process did in an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// It opened a source for reading.
    Reader = 1,
    /// It wrote or renamed what others read.
    Carrier = 2,
    /// It sent bytes, or asked for a connection.
    Sender = 4,
}

impl Role {
    /// Every role, in the order in which a theft has them.
    pub const ALL: [Role; 3] = [Role::Reader, Role::Carrier, Role::Sender];

    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Carrier => "carrier",
            Role::Sender => "sender",
        }
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Whether `role` is in it.
    pub const fn contains(self, role: Role) -> bool {
        self.0 & role as u8 != 0
    }

    /// The roles in it.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }

    /// Adds what is in another set.
    pub fn add(&mut self, roles: Roles) {
        self.0 |= roles.0;
    }
}

impl From<Option<Role>> for Roles {
    fn from(role: Option<Role>) -> Roles {
        Roles(role.map_or(0, |role| role as u8))
    }
}

/// A process that took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Which one.
    pub key: ProcessKey,
    /// Its program when it first appeared; empty if not known.
    pub executable: Box<str>,
    /// What it did.
    pub roles: Roles,
    /// When it first appeared.
    pub first: BootTime,
    /// When it last appeared.
    pub last: BootTime,
    /// When it ended, if that is part of a proof.
    pub ended: Option<BootTime>,
    /// Its ancestors, the parent first, as far as they are known; at most [`Process::LINEAGE_MAX`](crate::event::Process::LINEAGE_MAX).
    pub ancestors: Box<[ProcessKey]>,
    /// What it did first, each thing once; at most 4.
    pub deeds: List<Deed, 4>,
}

impl Participant {
    /// One that appears at `time`, of which nothing else is known.
    pub fn new(key: ProcessKey, executable: &str, roles: Roles, time: BootTime) -> Participant {
        Participant {
            key,
            executable: shortened(executable),
            roles,
            first: time,
            last: time,
            ended: None,
            ancestors: Box::default(),
            deeds: List::default(),
        }
    }

    /// Takes in the same process of another alert or incident.
    pub fn absorb(&mut self, other: Participant) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.ended = self.ended.max(other.ended);
        self.roles.add(other.roles);
        self.deeds.absorb(other.deeds, Deed::is, |known, other| known.time = known.time.min(other.time));
        if self.ancestors.is_empty() {
            self.ancestors = other.ancestors;
        }
        if self.executable.is_empty() {
            self.executable = other.executable;
        }
    }
}

/// Where bytes went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// What it is judged by: a name where one is known, else the address.
    pub name: Box<str>,
    /// Address and port that were first used.
    pub peer: Option<Endpoints>,
    /// Flows and their bytes; at most 16. A closed one stays until room is needed, because later proof tells of it again.
    flows: List<Sent, 16>,
    /// Bytes of flows that closed and had to make room.
    settled: u64,
    /// When the last of these closed: an earlier report of a flow that is not known may be of one of them, and is not counted.
    settled_until: Option<BootTime>,
    /// What the ledger told of it, where an alert was about its sums and no flow.
    summed: u64,
}

/// What was sent over a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    /// Its socket, and the peer where an unconnected one has several.
    flow: (u64, IpAddr, u16),
    bytes: u64,
    closed: Option<BootTime>,
}

impl Destination {
    /// One to which nothing was sent yet.
    pub fn new(name: Box<str>, peer: Option<Endpoints>) -> Destination {
        Destination { name, peer, flows: List::default(), settled: 0, settled_until: None, summed: 0 }
    }

    /// Takes in what the ledger tells of all that was sent there.
    pub fn told(&mut self, bytes: u64) {
        self.summed = self.summed.max(bytes);
    }

    /// Takes in the same destination of another incident.
    pub fn absorb(&mut self, other: Destination) {
        self.settled = self.settled.saturating_add(other.settled);
        self.settled_until = self.settled_until.max(other.settled_until);
        self.summed = self.summed.max(other.summed);
        self.flows.absorb(
            other.flows,
            |known, other| known.flow == other.flow,
            |known, other| {
                known.bytes = known.bytes.max(other.bytes);
                known.closed = known.closed.max(other.closed);
            },
        );
    }

    /// Payload bytes that the incident's alerts tell were sent there; at least this many.
    pub fn bytes(&self) -> u64 {
        let flows = self.flows.items().iter().fold(self.settled, |sum, sent| sum.saturating_add(sent.bytes));
        flows.max(self.summed)
    }

    /// Whether all flows are counted in [`Destination::bytes`].
    pub fn counts_all(&self) -> bool {
        self.flows.beyond() == 0
    }

    /// The name with the port, as people write it.
    pub fn shown(&self) -> String {
        match self.peer.filter(|peer| peer.peer_port != 0) {
            Some(peer) if *self.name == *peer.peer_address.to_string() => {
                SocketAddr::new(peer.peer_address, peer.peer_port).to_string()
            }
            Some(peer) => format!("{}:{}", self.name, peer.peer_port),
            None => self.name.to_string(),
        }
    }

    /// Takes in what a report of a flow told at `time`.
    pub fn sent(&mut self, flow: &Flow, time: BootTime) {
        let key = (flow.socket_cookie, flow.endpoints.peer_address, flow.endpoints.peer_port);
        let is_known = self.flows.items().iter().any(|sent| sent.flow == key);
        if !is_known && self.settled_until.is_some_and(|until| time <= until) {
            return;
        }
        if !is_known
            && self.flows.is_full()
            && let Some(Sent { bytes, closed: Some(closed), .. }) = self.flows.take(|sent| sent.closed.is_some())
        {
            self.settled = self.settled.saturating_add(bytes);
            self.settled_until = self.settled_until.max(Some(closed));
        }
        let new = || Sent { flow: key, bytes: 0, closed: None };
        if let (Some(sent), _) = self.flows.entry(|sent| sent.flow == key, new) {
            // A report tells all bytes so far.
            sent.bytes = flow.bytes.max(sent.bytes);
            if flow.reason == FlowReason::Closed {
                sent.closed = sent.closed.max(Some(time));
            }
        }
    }
}

/// A path or a name, of at most [`TEXT_MAX`] bytes.
pub fn shortened(text: &str) -> Box<str> {
    if text.len() <= TEXT_MAX {
        return text.into();
    }
    let half = TEXT_MAX / 2;
    let head = text.get(..text.floor_char_boundary(half)).unwrap_or_default();
    let tail = text.get(text.ceil_char_boundary(text.len() - half + '\u{2026}'.len_utf8())..).unwrap_or_default();
    [head, "\u{2026}", tail].concat().into()
}
