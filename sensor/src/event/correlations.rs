//! The state of the correlations as it is kept over restarts: plain data.

use super::Remembered;
use serde::{Deserialize, Serialize};

/// What the agent found when it started, told to the line before anything else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorrelationsRestored {
    /// Which boot of the kernel this is (`/proc/sys/kernel/random/boot_id`).
    pub boot: Box<str>,
    /// Nanoseconds since the Unix epoch at boot time zero: how far apart two boots are.
    pub boot_unix_nanos: i128,
    /// What was saved; empty at a first start.
    pub saved: SavedCorrelations,
}

/// The state of the correlations. Times are nanoseconds of their own clock, which goes on from boot to boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedCorrelations {
    /// The boot in which it was saved.
    pub boot: Box<str>,
    /// Nanoseconds since the Unix epoch at that boot's time zero.
    pub boot_unix_nanos: i64,
    /// That boot's time zero on the correlations' clock.
    pub offset: u64,
    /// The latest time that was seen.
    pub time: u64,
    /// How many events were seen.
    pub sequence: u64,
    /// Each correlation that keeps anything.
    pub correlations: Vec<SavedCorrelation>,
}

/// The state of one correlation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedCorrelation {
    /// The rule's id.
    pub rule: Box<str>,
    /// A digest of the rule's logic.
    pub digest: Box<str>,
    /// Groups that there was no room for.
    pub unsaved: u64,
    /// The events that the groups name, by their place.
    pub events: Vec<SavedEvent>,
    /// Its groups, the last used first.
    pub groups: Vec<SavedGroup>,
}

/// An event that a group keeps, reduced to what an alert says of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedEvent {
    /// When it happened, nanoseconds of its boot's clock.
    pub time: u64,
    /// Nanoseconds since the Unix epoch then.
    pub unix_nanos: u64,
    /// Its fields.
    pub fields: Remembered,
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedGroup {
    /// The workload that made it.
    pub owner: Box<str>,
    /// Its values.
    pub key: Vec<Box<str>>,
    /// The latest time that it saw.
    pub latest: u64,
    /// When its session began.
    pub begun: Option<u64>,
    /// The first event of the time in which it held, and when it held last.
    pub episode: Option<(SavedSeen, u64)>,
    /// What it keeps.
    pub rows: Vec<SavedRow>,
}

/// A piece of a group's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedRow {
    /// Which list it is of.
    pub list: usize,
    /// The event.
    pub seen: SavedSeen,
    /// What else its kind of correlation keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<u64>,
}

/// An event in a group's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSeen {
    /// When it counts as seen.
    pub time: u64,
    /// Its place in the order of arrival.
    pub sequence: u64,
    /// Which rule it matched.
    pub step: usize,
    /// Its place in [`SavedCorrelation::events`].
    pub event: usize,
}
