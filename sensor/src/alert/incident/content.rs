//! What an incident is about: it grows with every alert, within bounds.

use super::deed::Deed;
use super::key::{events, named, named_list};
use super::list::List;
use super::part::{Destination, Participant, Role, Source, Told, shortened};
use crate::alert::{Alert, Uid};
use crate::detection::Level;
use crate::event::{Access, Body, BootTime, Event, FileChange, FileId, Open, Process, Workload};
use std::sync::Arc;

/// An incident as it is at one time: what a record of it tells. At most about 100 kB.
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

/// What an alert added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// The first alert of its rule; of one that is bad by itself, the first in this workload: who looks after that one has to know.
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
            for carrier in event.trail.iter().flat_map(|trail| &trail.carriers) {
                let carrier = shortened(carrier);
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
            workloads: List::default(),
        };
        let (told, is_new) = self.rules.entry(|told| told.rule.id == alert.rule.id, new);
        if let Some(told) = told {
            told.alerts = told.alerts.saturating_add(1);
            // An alert that is said again because it grew is no other signal than it was.
            told.independent |= alert.revision == 0 && told.first_event != event;
            if let Some(workload) = alert.workload() {
                let (_, elsewhere) = told.workloads.entry(|known| *known == workload.id, || workload.id.clone());
                // What there was no room for may have been there before.
                let is_known = told.workloads.beyond() > 0;
                return is_new || elsewhere && !is_known && alert.rule.level >= Level::High;
            }
        }
        is_new
    }

    /// Whether one of them is new.
    fn event_sources(&mut self, event: &Event) -> bool {
        let mut is_new = false;
        match &event.body {
            Body::Open(Open { file, access, .. }) if !file.classes.is_worthless() => {
                is_new |=
                    self.source(file.id, &file.path, file.size, matches!(access, Access::Read | Access::ReadWrite));
            }
            Body::FileChange(FileChange { file, .. }) if !file.classes.is_worthless() => {
                is_new |= self.source(file.id, &file.path, file.size, false);
            }
            _ => {}
        }
        if let Some(held) = event.trail.as_ref().and_then(|trail| trail.source.as_ref()) {
            is_new |= self.source(held.id, &held.path, held.size, true);
        }
        for path in named_list(event, "weir.exfil.sources") {
            is_new |= self.source(None, &path, 0, true);
        }
        is_new
    }

    fn source(&mut self, id: Option<FileId>, path: &str, size: u64, read: bool) -> bool {
        let path = shortened(path);
        let new = || Source { id, path: path.clone(), size: 0, read };
        let (source, is_new) = self.sources.entry(|known| known.is(id, &path), new);
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
        let (destination, is_new) =
            self.destinations.entry(|known| known.name == name, || Destination::new(name.clone(), peer));
        match (destination, flow) {
            (Some(destination), Some(flow)) => destination.sent(flow, event.time),
            // The ledger's own events have no flow.
            (Some(destination), None) => {
                let told = named(event, "weir.destination.bytes").and_then(|bytes| bytes.parse().ok());
                destination.told(told.unwrap_or(0));
            }
            (None, _) => {}
        }
        is_new
    }

    fn event_processes(&mut self, event: &Event) {
        let trail = event.trail.as_deref();
        let sender = trail.and_then(|trail| trail.sender.as_ref());
        let role = match &event.body {
            Body::Open(Open { file, access, .. }) => match access {
                Access::Write => Some(Role::Carrier),
                _ if file.classes.is_worthless() => None,
                _ => Some(Role::Reader),
            },
            Body::FileChange(_) => Some(Role::Carrier),
            // Who made the socket; where provenance knows who sends over it, that is who does.
            Body::Flow(_) | Body::Connect(_) => Some(Role::Sender).filter(|_| sender.is_none()),
            Body::Transfer(_) => Some(Role::Carrier),
            _ => None,
        };
        if let Some(key) = event.actor.process {
            let executable = event.process.as_deref().map_or("", |process: &Process| &process.executable);
            let mut actor = Participant::new(key, executable, role.into(), event.time);
            let lineage = event.process.as_deref().map(|process| &process.lineage);
            actor.ancestors = lineage.into_iter().flat_map(|lineage| lineage.iter()).map(|one| one.key).collect();
            actor.ended = matches!(event.body, Body::Exit(_)).then_some(event.time);
            actor.deeds.entry(|_| false, || Deed::of(event));
            self.process(actor);
        }
        let reader = trail.and_then(|trail| trail.source.as_ref()).map(|source| &source.reader);
        for (party, role) in [(reader, Role::Reader), (sender.map(|sender| &**sender), Role::Sender)] {
            if let Some(party) = party {
                self.process(Participant::new(party.key, &party.executable, Some(role).into(), event.time));
            }
        }
    }

    fn process(&mut self, participant: Participant) {
        let (process, is_new) = self.processes.entry(|known| known.key == participant.key, || participant.clone());
        if let (Some(process), false) = (process, is_new) {
            process.absorb(participant);
        }
    }

    /// Takes in another incident, which turned out to be this one.
    pub fn absorb(&mut self, other: Incident) {
        self.level = self.level.max(other.level);
        self.began = self.began.min(other.began);
        self.time = self.time.max(other.time);
        self.alerts = self.alerts.saturating_add(other.alerts);
        self.suppressed = self.suppressed.saturating_add(other.suppressed);
        self.rules.absorb(other.rules, |known, other| known.rule.id == other.rule.id, Told::absorb);
        self.workloads.absorb(other.workloads, |known, other| known.id == other.id, |_, _| {});
        self.sources.absorb(other.sources, |known, other| known.is(other.id, &other.path), Source::absorb);
        self.processes.absorb(other.processes, |known, other| known.key == other.key, Participant::absorb);
        self.processes.sort_by_key(|process| process.first);
        self.carriers.absorb(other.carriers, |known, other| known == other, |_, _| {});
        self.destinations.absorb(other.destinations, |known, other| known.name == other.name, Destination::absorb);
        self.merged.entry(|known| *known == other.uid, || other.uid);
        self.merged.absorb(other.merged, |known, other| known == other, |_, _| {});
    }
}
