//! Events as JSON objects, with the vocabulary's names as keys.

use crate::event::{Attributes, Event, Kind, WallClock};
use crate::kernel::{Totals, counters::MISSED_BY_KERNEL};
use sensor_common::count::Outcome;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One flat object an event: `time` (RFC 3339, UTC) and every field that the event has.
pub struct EventObject<'a> {
    /// The event.
    pub event: &'a Event,
    /// What tells its wall time.
    pub clock: WallClock,
}

impl Serialize for EventObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.clock.rfc3339(self.event.time).to_string())?;
        Attributes(self.event).add_to(&mut map)?;
        map.end()
    }
}

/// An event in the form of an alert's record, as it is exported.
pub struct EventRecord<'a> {
    /// The event.
    pub event: &'a Event,
    /// What tells its wall time.
    pub clock: WallClock,
    /// `log.record.uid`
    pub uid: &'a str,
}

impl Serialize for EventRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("time", &self.clock.rfc3339(self.event.time).to_string())?;
        map.serialize_entry("event_name", &format!("weir.event.{}", self.event.body.kind_name()))?;
        // OpenTelemetry's INFO.
        map.serialize_entry("severity_number", &9)?;
        map.serialize_entry("severity_text", "INFO")?;
        map.serialize_entry("body", &super::console::sentence(self.event))?;
        map.serialize_entry("attributes", &Identified(self))?;
        map.end()
    }
}

/// The attributes of an event with its id.
struct Identified<'a>(&'a EventRecord<'a>);

impl Serialize for Identified<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("log.record.uid", self.0.uid)?;
        Attributes(self.0.event).add_to(&mut map)?;
        map.end()
    }
}

/// `{"weir.event.kind": "statistics", "open": {"seen": 7, ...}, ..., "looks": {"asked": 3, ...}}`
pub struct TotalsObject<'a>(pub &'a Totals, pub &'a [Section]);

/// Counts of a part of the agent, by name.
pub type Section = (&'static str, Vec<(Cow<'static, str>, u64)>);

impl Serialize for TotalsObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("weir.event.kind", "statistics")?;
        for kind in Kind::ALL {
            map.serialize_entry(kind.name(), &outcomes(self.0, kind).collect::<BTreeMap<_, _>>())?;
        }
        for (name, counts) in self.1 {
            map.serialize_entry(name, &counts.iter().map(|(name, count)| (name, count)).collect::<BTreeMap<_, _>>())?;
        }
        map.end()
    }
}

/// What became of the events of a kind: each outcome's name and how often.
pub fn outcomes(totals: &Totals, kind: Kind) -> impl Iterator<Item = (&'static str, u64)> {
    let kernel = Outcome::ALL.into_iter().map(move |outcome| (outcome.name(), totals.get(kind, outcome)));
    kernel.chain([(MISSED_BY_KERNEL, totals.missed(kind))])
}
