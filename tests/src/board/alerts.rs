//! Alerts and incidents as the sensor prints them, and what they say.

use crate::sensor::Event;
use serde_json::Value;

/// One alert or incident, in all its revisions so far.
pub struct Told<'a> {
    /// In the order in which they came; never empty.
    pub revisions: Vec<&'a Event>,
}

impl<'a> Told<'a> {
    /// The alerts and incidents among `events`, those of one id together.
    pub fn all(events: &'a [Event]) -> Vec<Told<'a>> {
        let mut all: Vec<(&Value, Told<'a>)> = Vec::new();
        for event in events {
            let Some(id) = ["weir.alert.uid", "weir.incident.id"].iter().find_map(|name| attribute(event, name)) else {
                continue;
            };
            match all.iter_mut().find(|(own, _)| *own == id) {
                Some((_, told)) => told.revisions.push(event),
                None => all.push((id, Told { revisions: vec![event] })),
            }
        }
        all.into_iter().map(|(_, told)| told).collect()
    }

    /// The last revision.
    pub fn last(&self) -> Option<&'a Event> {
        self.revisions.last().copied()
    }

    /// An attribute of the last revision.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        attribute(self.last()?, name)
    }

    /// An attribute of the last revision: its own, else that of any event that proves it.
    pub fn anywhere(&self, name: &str) -> Option<&'a Value> {
        self.get(name).or_else(|| evidence(self.last()?).find_map(|event| event.get("attributes")?.get(name)))
    }

    /// An attribute of the first event that proves it.
    pub fn first(&self, name: &str) -> Option<&'a Value> {
        evidence(self.last()?).next()?.get("attributes")?.get(name)
    }

    /// The greatest value that any revision has under this name.
    pub fn most(&self, name: &str) -> Option<u64> {
        self.revisions.iter().filter_map(|event| attribute(event, name)?.as_u64()).max()
    }

    /// The rule, for people.
    pub fn rule(&self) -> &'a str {
        let name = ["weir.rule.name", "weir.incident.id"].iter().find_map(|name| self.get(name)?.as_str());
        name.unwrap_or("?")
    }

    /// What it says, for people.
    pub fn sentence(&self) -> &'a str {
        self.last().and_then(|event| event.text("body")).unwrap_or("?").trim()
    }
}

/// Whether it is to wake somebody, at `level` or above.
pub fn reaches(event: &Event, level: &str) -> bool {
    const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
    let rank = |name: &str| LEVELS.iter().position(|own| *own == name);
    let own = ["weir.incident.level", "weir.rule.level"].iter().filter_map(|name| attribute(event, name)?.as_str());
    own.filter_map(rank).max() >= rank(level)
}

/// An attribute of one revision.
pub fn attribute<'a>(event: &'a Event, name: &str) -> Option<&'a Value> {
    event.field("attributes")?.get(name).filter(|value| !value.is_null())
}

fn evidence(event: &Event) -> impl Iterator<Item = &Value> {
    event.field("evidence").and_then(Value::as_array).map_or(&[][..], Vec::as_slice).iter()
}
