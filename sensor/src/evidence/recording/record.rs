//! What the lines of a recording are.

use crate::event::{BootTime, Event, WallClock};
use serde::{Deserialize, Serialize};

/// The form of the file. It changes when a reader of the old one would misunderstand the new one; not when something is added.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// What was recorded, and by whom: the first line.
    Recording(Header),
    /// Something that went into the line.
    Event(Box<Event>),
    /// How the clocks stand to each other from here on: outputs tell wall time by it.
    Clock(WallClock),
    /// Events are missing here.
    Gap(Gap),
}

/// What a recording is of. Digests tell whether a replay has the same to go by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`]
    pub format: u32,
    /// The version of the sensor.
    pub sensor: Box<str>,
    /// How the clocks stood to each other at the start.
    pub clock: WallClock,
    /// The version of the rule set: SHA-256, hexadecimal.
    #[serde(default)]
    pub rules: Box<str>,
    /// The version of the policy, if there was one: SHA-256, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<str>>,
    /// The version of the classes: SHA-256 of their file and of what rules ask for, hexadecimal.
    #[serde(default)]
    pub classes: Box<str>,
    /// Limits of the line's tables.
    pub limits: Limits,
}

/// Limits of the line's tables, as far as they can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processes.
    pub processes: u32,
    /// Cgroups.
    pub workloads: u32,
}

/// Events that went into the line and are not in the recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gap {
    /// The time of the first of them.
    pub since: BootTime,
    /// The time of the last of them.
    pub until: BootTime,
    /// How many.
    pub events: u64,
    /// Why.
    pub reason: Box<str>,
}

impl Gap {
    /// This gap and a later one, as one; the reason is the first one's.
    pub fn and(self, later: Gap) -> Gap {
        if self.events == 0 {
            return later;
        }
        Gap { until: self.until.max(later.until), events: self.events.saturating_add(later.events), ..self }
    }
}
