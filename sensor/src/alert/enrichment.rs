//! What is learnt of an alert's container after the alert was said: said again, under the alert's id.
//!
//! An alert waits for nobody. The container is known by its id at once, from its cgroup; its name, image and pod are what a runtime
//! answers, mostly before the alert and sometimes after it. [`Unnamed`] remembers the alerts that were said of a container nobody had
//! named, for [`KEPT`]; when it is named, each of them gets one [`Enrichment`].

use super::{Alert, Severity, Uid};
use crate::bounded::Bounded;
use crate::detection::Level;
use crate::event::{Attributes, Body, BootTime, Event, WallClock};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::sync::Arc;
use std::time::Duration;

/// Low in cardinality, as event names have to be.
const EVENT_NAME: &str = "weir.enrichment";
/// An alert of before this time is not enriched any more.
pub const KEPT: Duration = Duration::from_secs(600);
/// Most containers whose alerts are remembered, and most alerts of one of them.
const CONTAINERS_MAX: usize = 1024;
const ALERTS_MAX: usize = 32;

/// Whose alert was said before its container was named, and what the container is.
#[derive(Clone, Debug)]
pub struct Enrichment {
    /// The alert (`weir.alert.uid`).
    pub alert: Uid,
    /// Its incident, as it was then.
    pub incident: Option<Uid>,
    /// The runtime's answer, with the workload that it names.
    pub event: Arc<Event>,
}

/// What became of alerts without a name. Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Alerts that were said of a container that nobody had named.
    pub unnamed: u64,
    /// Enrichments that were said of them.
    pub enriched: u64,
    /// What will not be enriched for want of room: alerts of a container that has many, and containers that had to be forgotten.
    pub refused: u64,
}

/// Alerts of containers that nobody has named.
#[derive(Debug)]
pub struct Unnamed {
    containers: Bounded<Box<str>, Vec<Said>>,
    statistics: Statistics,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    alert: Uid,
    incident: Option<Uid>,
    time: BootTime,
}

impl Default for Unnamed {
    fn default() -> Unnamed {
        Unnamed { containers: Bounded::new(CONTAINERS_MAX, Duration::ZERO), statistics: Statistics::default() }
    }
}

impl Unnamed {
    /// An alert is said.
    pub fn said(&mut self, alert: &Alert) {
        let Some(workload) = alert.workload() else { return };
        let (Some(container), None) = (&workload.container_id, &workload.identity) else { return };
        let full = self.containers.evictions().live;
        let alerts = self.containers.get_or_insert_with(container.clone(), Vec::new);
        let incident = alert.incident.map(|incident| incident.uid);
        if let Some(said) = alerts.iter_mut().find(|said| said.alert == alert.uid) {
            (said.incident, said.time) = (incident.or(said.incident), alert.time);
        } else if alerts.len() < ALERTS_MAX {
            self.statistics.unnamed += 1;
            alerts.push(Said { alert: alert.uid, incident, time: alert.time });
        } else {
            self.statistics.refused += 1;
        }
        self.statistics.refused += self.containers.evictions().live - full;
    }

    /// A runtime has said what a container is: what is to be said of its alerts.
    pub fn named(&mut self, event: &Arc<Event>) -> Vec<Enrichment> {
        let Body::WorkloadIdentified(told) = &event.body else { return Vec::new() };
        let alerts = self.containers.remove(&told.container_id).unwrap_or_default();
        let recent = alerts.into_iter().filter(|said| event.time.since(said.time) < KEPT);
        let enrich = |said: Said| Enrichment { alert: said.alert, incident: said.incident, event: Arc::clone(event) };
        let enrichments: Vec<_> = recent.map(enrich).collect();
        self.statistics.enriched += enrichments.len() as u64;
        enrichments
    }

    /// What became of them.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }
}

impl Enrichment {
    /// When the container was named.
    pub fn time(&self) -> BootTime {
        self.event.time
    }

    /// Its own id (`log.record.uid`). By the conventions a record with an id that was there before is a duplicate, which may be thrown
    /// away: so it is not the alert's.
    pub fn record_uid(&self) -> String {
        format!("{}/identity", self.alert)
    }

    /// What it says, in a sentence.
    pub fn sentence(&self) -> String {
        let Body::WorkloadIdentified(told) = &self.event.body else { return String::new() };
        let identity = &told.identity;
        let mut words = format!("container {}", super::escape(&told.container_id, super::VALUE_MAX));
        let parts = [
            (" is ", &identity.container_name),
            (" of image ", &identity.image),
            (", pod ", &identity.pod_name),
            (" of namespace ", &identity.namespace),
        ];
        for (word, value) in parts {
            if let Some(value) = value {
                words += &format!("{word}{}", super::escape(value, super::VALUE_MAX));
            }
        }
        words
    }

    /// As it is written out, with `clock` to tell its wall time.
    pub fn record(&self, clock: WallClock) -> Record<'_> {
        Record { enrichment: self, clock }
    }
}

/// An enrichment with its wall time; serialises in the form of an alert. `weir.alert.uid` is the alert's.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    enrichment: &'a Enrichment,
    clock: WallClock,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let severity = Severity::of(Level::Informational);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.clock.rfc3339(self.enrichment.time()).to_string())?;
        map.serialize_entry("event_name", EVENT_NAME)?;
        map.serialize_entry("severity_number", &severity.number)?;
        map.serialize_entry("severity_text", severity.text)?;
        map.serialize_entry("body", &self.enrichment.sentence())?;
        map.serialize_entry("attributes", &Described(self.enrichment))?;
        map.end()
    }
}

struct Described<'a>(&'a Enrichment);

impl Serialize for Described<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Enrichment { alert, incident, event } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("log.record.uid", &self.0.record_uid())?;
        map.serialize_entry("weir.alert.uid", &alert.to_string())?;
        if let Some(incident) = incident {
            map.serialize_entry("weir.incident.id", &incident.to_string())?;
        }
        Attributes(event).add_to(&mut map)?;
        map.end()
    }
}
