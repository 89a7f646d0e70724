//! The form in which an alert leaves: OpenTelemetry's log data model as one JSON object.
//!
//! What the conventions have a name for goes by it (`security_rule.*`, and every field of the deciding event); ATT&CK and ATLAS
//! have no convention and are under `weir.`, as is the alert itself.

use super::Alert;
use crate::event::{Attributes, WallClock};
use serde::ser::{SerializeMap, SerializeSeq as _};
use serde::{Serialize, Serializer};

/// Low in cardinality, as event names have to be: which rule it was is in the attributes.
const EVENT_NAME: &str = "weir.alert";

/// An alert with its wall time; serialises.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    alert: &'a Alert,
    clock: WallClock,
}

impl Alert {
    /// The alert as it is written out, with `clock` to tell its wall time.
    pub fn record(&self, clock: WallClock) -> Record<'_> {
        Record { alert: self, clock }
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let severity = self.alert.severity();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.clock.rfc3339(self.alert.time).to_string())?;
        map.serialize_entry("event_name", EVENT_NAME)?;
        map.serialize_entry("severity_number", &severity.number)?;
        map.serialize_entry("severity_text", severity.text)?;
        map.serialize_entry("body", &self.alert.sentence)?;
        map.serialize_entry("attributes", &Described(*self))?;
        map.serialize_entry("evidence", &Proof(*self))?;
        map.end()
    }
}

struct Described<'a>(Record<'a>);

impl Serialize for Described<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record { alert, clock } = self.0;
        let rule = &alert.rule;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("log.record.uid", &format!("{}/{}", alert.uid, alert.revision))?;
        map.serialize_entry("weir.alert.uid", &alert.uid.to_string())?;
        map.serialize_entry("weir.alert.revision", &alert.revision)?;
        map.serialize_entry("weir.alert.begun", &clock.rfc3339(alert.begun).to_string())?;
        map.serialize_entry("weir.alert.suppressed", &alert.suppressed)?;
        if let Some(incident) = alert.incident {
            map.serialize_entry("weir.incident.id", &incident.uid.to_string())?;
            map.serialize_entry("weir.incident.level", incident.level.name())?;
        }
        map.serialize_entry("security_rule.uuid", &rule.id)?;
        map.serialize_entry("security_rule.name", &rule.title)?;
        map.serialize_entry("security_rule.version", &alert.ruleset)?;
        map.serialize_entry("security_rule.ruleset.name", "weir")?;
        some(&mut map, "security_rule.description", &rule.description)?;
        map.serialize_entry("weir.rule.name", &rule.name)?;
        map.serialize_entry("weir.rule.level", rule.level.name())?;
        list(&mut map, "weir.attack.ids", &rule.attack)?;
        list(&mut map, "weir.attack.tactics", &rule.tactics)?;
        some(&mut map, "weir.attack.version", &rule.attack_version)?;
        list(&mut map, "weir.atlas.ids", &rule.atlas)?;
        some(&mut map, "weir.atlas.version", &rule.atlas_version)?;
        list(&mut map, "weir.rule.innocent_causes", &rule.innocent_causes)?;
        list(&mut map, "weir.rule.first_steps", &rule.first_steps)?;
        Attributes(&alert.decisive).add_to(&mut map)?;
        map.end()
    }
}

fn some<M: SerializeMap>(map: &mut M, name: &str, text: &str) -> Result<(), M::Error> {
    if text.is_empty() { Ok(()) } else { map.serialize_entry(name, text) }
}

fn list<M: SerializeMap>(map: &mut M, name: &str, list: &[Box<str>]) -> Result<(), M::Error> {
    if list.is_empty() { Ok(()) } else { map.serialize_entry(name, list) }
}

/// The events that prove it, in order.
struct Proof<'a>(Record<'a>);

impl Serialize for Proof<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record { alert, clock } = self.0;
        let mut sequence = serializer.serialize_seq(Some(alert.evidence.len()))?;
        for evidence in &alert.evidence {
            let time = evidence.event.rfc3339(clock).to_string();
            let attributes = Attributes(&evidence.event);
            sequence.serialize_element(&Piece { rule: &evidence.rule_name, time, attributes })?;
        }
        sequence.end()
    }
}

#[derive(Serialize)]
struct Piece<'a> {
    rule: &'a str,
    time: String,
    attributes: Attributes<'a>,
}
