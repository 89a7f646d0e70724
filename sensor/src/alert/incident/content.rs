//! What an incident is about: it grows with every alert, within bounds.

use super::key::{carriers, events, named, named_list, process_key, source_held};
use super::list::List;
use crate::alert::{Alert, Uid};
use crate::detection::{Level, Rule};
use crate::event::{
    Access, Body, BootTime, Endpoints, Event, FileChange, FileId, Flow, FlowReason, Open, Process, ProcessKey, Workload,
};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Most bytes that are kept of a path or a name; attackers choose how long they are. Both ends say most.
const TEXT_MAX: usize = 256;

/// An incident as it is at one time: what a record of it tells. At most about 30 kB.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Follows from its first alert's id; the same in all its records.
    pub uid: Uid,
    /// How bad all of it is. Never falls.
    pub level: Level,
    /// 0 in its first record, then one more each.
    pub revision: u32,
    /// The first event of any proof.
    pub began: BootTime,
    /// The latest deciding event.
    pub time: BootTime,
    /// Alerts that joined it, told or not, revisions of one included.
    pub alerts: u64,
    /// Those of them that were not told.
    pub suppressed: u64,
    /// Distinct rules, in the order in which they came; at most 32.
    pub rules: List<Told, 32>,
    /// Workloads that it touches; at most 8.
    pub workloads: List<Arc<Workload>, 8>,
    /// Classified files that were opened, changed or held; at most 16.
    pub sources: List<Source, 16>,
    /// Who took part, in the order of first appearance; at most 32.
    pub processes: List<Participant, 32>,
    /// How it travelled, in provenance's words; at most 16.
    pub carriers: List<Box<str>, 16>,
    /// Where bytes went or were to go; at most 16.
    pub destinations: List<Destination, 16>,
    /// Incidents that turned out to be this one; at most 16.
    pub merged: List<Uid, 16>,
    /// What the latest alert added: the last words of the record's sentence.
    pub added: Box<str>,
}

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
    /// Another event decided a later one.
    pub independent: bool,
    /// When an alert of it was last told.
    pub told: Option<BootTime>,
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

    fn add(&mut self, roles: Roles) {
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
}

/// Where bytes went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// What it is judged by: a name where one is known, else the address.
    pub name: Box<str>,
    /// Address and port that were first used.
    pub peer: Option<Endpoints>,
    /// Bytes of flows that have closed.
    settled: u64,
    /// Flows that are open, and their bytes; at most 16.
    open: List<(FlowKey, u64), 16>,
    /// What the ledger told of it, where an alert was about its sums and no flow.
    summed: u64,
}

/// A flow: its socket, and the peer where an unconnected one has several.
type FlowKey = (u64, IpAddr, u16);

impl Destination {
    /// Payload bytes that the incident's alerts tell were sent there; at least this many.
    pub fn bytes(&self) -> u64 {
        let flows = self.open.items().iter().fold(self.settled, |sum, (_, bytes)| sum.saturating_add(*bytes));
        flows.max(self.summed)
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

    fn sent(&mut self, flow: &Flow) {
        let key = (flow.socket_cookie, flow.endpoints.peer_address, flow.endpoints.peer_port);
        // A report tells all bytes so far; after the last one of a flow there is none.
        if let (Some((_, bytes)), _) = self.open.entry(|(known, _)| *known == key, || (key, 0)) {
            *bytes = flow.bytes.max(*bytes);
        }
        if flow.reason == FlowReason::Closed {
            let closed = self.open.take(|(known, _)| *known == key);
            self.settled = self.settled.saturating_add(closed.map_or(0, |(_, bytes)| bytes));
        }
    }
}

/// What an alert added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// The first alert of its rule.
    pub rule: bool,
    /// A source that was not there before.
    pub source: bool,
    /// A destination that was not there before.
    pub destination: bool,
}

impl Incident {
    /// One that has nothing in it yet.
    pub fn new(uid: Uid, time: BootTime) -> Incident {
        Incident {
            uid,
            level: Level::Informational,
            revision: 0,
            began: time,
            time,
            alerts: 0,
            suppressed: 0,
            rules: List::default(),
            workloads: List::default(),
            sources: List::default(),
            processes: List::default(),
            carriers: List::default(),
            destinations: List::default(),
            merged: List::default(),
            added: Box::default(),
        }
    }

    /// Payload bytes sent to all destinations; at least this many.
    pub fn bytes(&self) -> u64 {
        self.destinations.items().iter().fold(0, |sum, to| sum.saturating_add(to.bytes()))
    }

    /// Takes an alert in.
    pub fn take_in(&mut self, alert: &Alert) -> Growth {
        self.alerts = self.alerts.saturating_add(1);
        self.began = self.began.min(alert.begun);
        self.time = self.time.max(alert.time);
        self.added = alert.rule.title.clone();
        let mut growth = Growth { rule: self.rule(alert), ..Growth::default() };
        // The proof in order, so that the list is in the order of events where nothing was there before.
        let mut events: Vec<&Event> = events(alert).collect();
        events.reverse();
        for event in events {
            if let Some(workload) = &event.workload {
                self.workloads.entry(|known| known.id == workload.id, || Arc::clone(workload));
            }
            growth.source |= self.event_sources(event);
            growth.destination |= self.event_destination(event);
            self.event_processes(event);
            for carrier in carriers(event) {
                let carrier = shortened(&carrier);
                self.carriers.entry(|known| *known == carrier, || carrier.clone());
            }
        }
        self.processes.sort_by_key(|process| process.first);
        growth
    }

    fn rule(&mut self, alert: &Alert) -> bool {
        let decisive = &alert.decisive;
        let event = (decisive.time, decisive.actor.process, decisive.body.kind_name());
        let new = || Told {
            rule: Arc::clone(&alert.rule),
            level: alert.rule.level,
            alerts: 0,
            first_event: event,
            independent: false,
            told: None,
        };
        let (told, is_new) = self.rules.entry(|told| told.rule.id == alert.rule.id, new);
        if let Some(told) = told {
            told.alerts = told.alerts.saturating_add(1);
            told.independent |= told.first_event != event;
        }
        is_new
    }

    /// Whether one of them is new.
    fn event_sources(&mut self, event: &Event) -> bool {
        let mut is_new = false;
        match &event.body {
            Body::Open(Open { file, access, .. }) if !file.classes.is_empty() => {
                is_new |=
                    self.source(file.id, &file.path, file.size, matches!(access, Access::Read | Access::ReadWrite));
            }
            Body::FileChange(FileChange { file, .. }) if !file.classes.is_empty() => {
                is_new |= self.source(file.id, &file.path, file.size, false);
            }
            _ => {}
        }
        if let Some(path) = named(event, "weir.source.path") {
            let size = named(event, "weir.source.size").and_then(|size| size.parse().ok());
            is_new |= self.source(source_held(event), &path, size.unwrap_or(0), true);
        }
        for path in named_list(event, "weir.exfil.sources") {
            is_new |= self.source(None, &path, 0, true);
        }
        is_new
    }

    fn source(&mut self, id: Option<FileId>, path: &str, size: u64, read: bool) -> bool {
        let path = shortened(path);
        // By inode where it is known on both sides: one file has many names, and one name has many files.
        let is = |known: &Source| match (known.id, id) {
            (Some(known), Some(id)) => known == id,
            _ => known.path == path,
        };
        let (source, is_new) = self.sources.entry(is, || Source { id, path: path.clone(), size: 0, read });
        if let Some(source) = source {
            source.id = source.id.or(id);
            source.size = source.size.max(size);
            source.read |= read;
        }
        is_new
    }

    /// Whether it is new.
    fn event_destination(&mut self, event: &Event) -> bool {
        let (peer, flow) = match &event.body {
            Body::Flow(flow) => (Some(flow.endpoints), Some(flow)),
            Body::Connect(connect) => (Some(connect.endpoints), None),
            _ => (None, None),
        };
        let name = named(event, "weir.destination.id").or_else(|| named(event, "server.address"));
        let Some(name) = name.or_else(|| peer.map(|peer| peer.peer_address.to_string())) else { return false };
        let name = shortened(&name);
        let new = || Destination { name: name.clone(), peer, settled: 0, open: List::default(), summed: 0 };
        let (destination, is_new) = self.destinations.entry(|known| known.name == name, new);
        if let Some(destination) = destination {
            match flow {
                Some(flow) => destination.sent(flow),
                // The ledger's own events have no flow.
                None => {
                    let told = named(event, "weir.destination.bytes").and_then(|bytes| bytes.parse().ok());
                    destination.summed = destination.summed.max(told.unwrap_or(0));
                }
            }
        }
        is_new
    }

    fn event_processes(&mut self, event: &Event) {
        let role = match &event.body {
            Body::Open(Open { file, access, .. }) => match access {
                Access::Write => Some(Role::Carrier),
                _ if file.classes.is_empty() => None,
                _ => Some(Role::Reader),
            },
            Body::FileChange(_) => Some(Role::Carrier),
            Body::Flow(_) | Body::Connect(_) => Some(Role::Sender),
            _ => None,
        };
        if let Some(key) = event.actor.process {
            let executable = event.process.as_deref().map_or("", |process: &Process| &process.executable);
            self.process(key, executable, role.into(), event.time);
        }
        for (id, executable, role) in [
            ("weir.reader.id", "weir.reader.executable.path", Role::Reader),
            ("weir.sender.id", "weir.sender.executable.path", Role::Sender),
        ] {
            if let Some(key) = named(event, id).and_then(|id| process_key(&id)) {
                let executable = named(event, executable).unwrap_or_default();
                self.process(key, &executable, Some(role).into(), event.time);
            }
        }
    }

    fn process(&mut self, key: ProcessKey, executable: &str, roles: Roles, time: BootTime) {
        let new = || Participant { key, executable: shortened(executable), roles, first: time };
        if let (Some(process), _) = self.processes.entry(|known| known.key == key, new) {
            process.first = process.first.min(time);
            process.roles.add(roles);
            if process.executable.is_empty() {
                process.executable = shortened(executable);
            }
        }
    }

    /// Takes in another incident, which turned out to be this one.
    pub fn absorb(&mut self, other: Incident) {
        self.level = self.level.max(other.level);
        self.began = self.began.min(other.began);
        self.time = self.time.max(other.time);
        self.alerts = self.alerts.saturating_add(other.alerts);
        self.suppressed = self.suppressed.saturating_add(other.suppressed);
        self.rules.absorb(
            other.rules,
            |known, other| known.rule.id == other.rule.id,
            |known, other| {
                known.alerts = known.alerts.saturating_add(other.alerts);
                known.independent |= other.independent || known.first_event != other.first_event;
                known.told = known.told.max(other.told);
            },
        );
        self.workloads.absorb(other.workloads, |known, other| known.id == other.id, |_, _| {});
        let same = |known: &Source, other: &Source| match (known.id, other.id) {
            (Some(known), Some(other)) => known == other,
            _ => known.path == other.path,
        };
        self.sources.absorb(other.sources, same, |known, other| {
            known.id = known.id.or(other.id);
            known.size = known.size.max(other.size);
            known.read |= other.read;
        });
        self.processes.absorb(
            other.processes,
            |known, other| known.key == other.key,
            |known, other| {
                known.first = known.first.min(other.first);
                known.roles.add(other.roles);
            },
        );
        self.processes.sort_by_key(|process| process.first);
        self.carriers.absorb(other.carriers, |known, other| known == other, |_, _| {});
        self.destinations.absorb(
            other.destinations,
            |known, other| known.name == other.name,
            |known, other| {
                known.settled = known.settled.saturating_add(other.settled);
                known.summed = known.summed.max(other.summed);
                known.open.absorb(
                    other.open,
                    |known, other| known.0 == other.0,
                    |known, other| {
                        known.1 = known.1.max(other.1);
                    },
                );
            },
        );
        self.merged.entry(|known| *known == other.uid, || other.uid);
        self.merged.absorb(other.merged, |known, other| known == other, |_, _| {});
    }
}

fn shortened(text: &str) -> Box<str> {
    if text.len() <= TEXT_MAX {
        return text.into();
    }
    let half = TEXT_MAX / 2;
    let head = text.get(..text.floor_char_boundary(half)).unwrap_or_default();
    let tail = text.get(text.ceil_char_boundary(text.len() - half + '\u{2026}'.len_utf8())..).unwrap_or_default();
    [head, "\u{2026}", tail].concat().into()
}
