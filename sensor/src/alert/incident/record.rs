//! The form in which an incident leaves: like an alert a record of OpenTelemetry's log data model, as one JSON object.
//!
//! `attributes` are flat and short, for a SIEM's table; `incident` has all of it, in the vocabulary of events.

use super::content::Incident;
use super::deed::{Deed, Object as DeedObject};
use super::list::List;
use super::part::{Destination, Participant, Source, Told};
use super::sentence::sentence;
use crate::alert::Severity;
use crate::event::{ProcessKey, WallClock};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Low in cardinality, as event names have to be.
const EVENT_NAME: &str = "weir.incident";

/// An incident with its wall time; serialises.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    incident: &'a Incident,
    clock: WallClock,
}

impl Incident {
    /// The incident as it is written out, with `clock` to tell its wall time.
    pub fn record(&self, clock: WallClock) -> Record<'_> {
        Record { incident: self, clock }
    }

    /// What happened, all together, in one sentence; harmless on a terminal.
    pub fn sentence(&self) -> String {
        sentence(self)
    }

    /// How bad it is, as a number and text of OpenTelemetry's log data model.
    pub fn severity(&self) -> Severity {
        Severity::of(self.level)
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let severity = self.incident.severity();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.clock.rfc3339(self.incident.time).to_string())?;
        map.serialize_entry("event_name", EVENT_NAME)?;
        map.serialize_entry("severity_number", &severity.number)?;
        map.serialize_entry("severity_text", severity.text)?;
        map.serialize_entry("body", &self.incident.sentence())?;
        map.serialize_entry("attributes", &Described(*self))?;
        map.serialize_entry("incident", &Whole(*self))?;
        map.end()
    }
}

struct Described<'a>(Record<'a>);

impl Serialize for Described<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record { incident, clock } = self.0;
        let texts = |texts: &mut dyn Iterator<Item = String>| -> Vec<String> { texts.collect() };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("log.record.uid", &format!("{}/{}", incident.uid, incident.revision))?;
        map.serialize_entry("weir.incident.id", &incident.uid.to_string())?;
        map.serialize_entry("weir.incident.level", incident.level.name())?;
        map.serialize_entry("weir.incident.revision", &incident.revision)?;
        map.serialize_entry("weir.incident.began", &clock.rfc3339(incident.began).to_string())?;
        map.serialize_entry("weir.incident.alerts", &incident.alerts)?;
        map.serialize_entry("weir.incident.suppressed", &incident.suppressed)?;
        map.serialize_entry("weir.incident.bytes", &incident.bytes())?;
        let rules = &mut incident.rules.items().iter().map(|told| told.rule.name.to_string());
        map.serialize_entry("weir.incident.rules", &texts(rules))?;
        let workloads = &mut incident.workloads.items().iter().map(|workload| workload.id.to_string());
        map.serialize_entry("weir.incident.workloads", &texts(workloads))?;
        let sources = &mut incident.sources.items().iter().map(|source| source.path.to_string());
        map.serialize_entry("weir.incident.sources", &texts(sources))?;
        let processes = &mut incident.processes.items().iter().map(|process| process.key.to_string());
        map.serialize_entry("weir.incident.processes", &texts(processes))?;
        map.serialize_entry("weir.incident.carriers", incident.carriers.items())?;
        let destinations = &mut incident.destinations.items().iter().map(Destination::shown);
        map.serialize_entry("weir.incident.destinations", &texts(destinations))?;
        if incident.merged.total() > 0 {
            let merged = &mut incident.merged.items().iter().map(ToString::to_string);
            map.serialize_entry("weir.incident.merged", &texts(merged))?;
        }
        map.end()
    }
}

struct Whole<'a>(Record<'a>);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record { incident, clock } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("rules", &objects(&incident.rules, rule))?;
        map.serialize_entry("sources", &objects(&incident.sources, source))?;
        map.serialize_entry("processes", &objects(&incident.processes, |one| process(one, incident, clock)))?;
        map.serialize_entry("destinations", &objects(&incident.destinations, destination))?;
        let left_out = [
            ("rules", incident.rules.beyond()),
            ("workloads", incident.workloads.beyond()),
            ("sources", incident.sources.beyond()),
            ("processes", incident.processes.beyond()),
            ("carriers", incident.carriers.beyond()),
            ("destinations", incident.destinations.beyond()),
            ("merged", incident.merged.beyond()),
        ];
        let left_out: BTreeMap<_, _> = left_out.into_iter().filter(|(_, count)| *count > 0).collect();
        map.serialize_entry("left_out", &left_out)?;
        map.end()
    }
}

type Object = BTreeMap<&'static str, serde_json::Value>;

fn objects<T, const MAX: usize>(list: &List<T, MAX>, object: impl Fn(&T) -> Object) -> Vec<Object> {
    list.items().iter().map(object).collect()
}

fn rule(told: &Told) -> Object {
    [
        ("security_rule.uuid", (*told.rule.id).into()),
        ("weir.rule.name", (*told.rule.name).into()),
        ("weir.rule.level", told.level.name().into()),
        ("weir.incident.alerts", told.alerts.into()),
    ]
    .into()
}

fn source(source: &Source) -> Object {
    let mut object: Object = [("file.path", (*source.path).into()), ("file.size", source.size.into())].into();
    if let Some(id) = source.id {
        object.insert("file.inode", id.inode.to_string().into());
        object.insert("weir.file.device", format!("{}:{}", id.device >> 20, id.device & 0xf_ffff).into());
    }
    object
}

fn process(process: &Participant, incident: &Incident, clock: WallClock) -> Object {
    let roles: Vec<&str> = process.roles.iter().map(|role| role.name()).collect();
    let time = |time| clock.rfc3339(time).to_string();
    let deeds: Vec<Object> = process.deeds.items().iter().map(|done| deed(done, clock)).collect();
    let mut object: Object = [
        ("weir.process.id", process.key.to_string().into()),
        ("process.pid", process.key.pid.into()),
        ("process.executable.path", (*process.executable).into()),
        ("weir.process.roles", roles.into()),
        ("weir.process.deeds", deeds.into_iter().map(|done| serde_json::json!(done)).collect()),
        ("weir.process.last", time(process.last).into()),
        ("time", time(process.first).into()),
    ]
    .into();
    // A process of which no start is known has 0 there.
    if process.key.start_ticks > 0 {
        object.insert("process.creation.time", time(process.key.start()).into());
    }
    if let Some(ended) = process.ended {
        object.insert("process.exit.time", time(ended).into());
    }
    let has = |ancestor: &&ProcessKey| incident.processes.items().iter().any(|other| other.key == **ancestor);
    if let Some(parent) = process.ancestors.iter().find(has) {
        object.insert("weir.process.parent.id", parent.to_string().into());
    }
    object
}

fn deed(deed: &Deed, clock: WallClock) -> Object {
    let mut object: Object =
        [("time", clock.rfc3339(deed.time).to_string().into()), ("weir.event.kind", deed.kind.into())].into();
    match &deed.object {
        DeedObject::File(path) => object.insert("file.path", (**path).into()),
        DeedObject::Destination(name) => object.insert("weir.destination.id", (**name).into()),
        DeedObject::Other => None,
    };
    object
}

fn destination(destination: &Destination) -> Object {
    let mut object: Object =
        [("weir.destination.id", (*destination.name).into()), ("weir.incident.bytes", destination.bytes().into())]
            .into();
    if let Some(peer) = destination.peer {
        object.insert("network.peer.address", peer.peer_address.to_string().into());
        object.insert("network.peer.port", peer.peer_port.into());
        object.insert("network.transport", peer.transport.to_string().into());
    }
    object
}
