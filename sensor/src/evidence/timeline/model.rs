//! A timeline, as it is before it is written: the same facts for a terminal, a page or another tool.
//!
//! Its JSON is what the page has in it and what is in an archive as `timeline.json`. Nanoseconds are texts there, because
//! JavaScript's numbers do not hold them.

use super::super::source::Gap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// What happened around something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// [`VERSION`].
    pub version: u32,
    /// What was asked for: "incident 4f...", "container web".
    pub asked: String,
    /// What it is about, one sentence: an incident's, else what was asked for.
    pub sentence: String,
    /// `low`, `medium`, `high`, `critical`, where an alert or an incident tells.
    pub severity: Option<String>,
    /// The incident's id.
    pub incident: Option<String>,
    /// The machine, where it is known.
    pub host: Option<String>,
    /// The version of the sensor that cut it.
    pub sensor: String,
    /// Versions (digests) of the rule sets that the alerts name.
    pub rulesets: Vec<String>,
    /// From when.
    pub from: Time,
    /// Until when.
    pub to: Time,
    /// Times are also told relative to this one: the first alert's, else the first entry's.
    pub zero: Time,
    /// Everyone who did something in it, and the ancestors that lead to them; parents before children.
    pub processes: Vec<Process>,
    /// What they are part of.
    pub workloads: Vec<Workload>,
    /// What happened, by time.
    pub entries: Vec<Entry>,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// How much was held, and how much had left, over time.
    pub series: Vec<Series>,
    /// What was left out and why, a sentence each: more entries than were asked for, and the like.
    pub notes: Vec<String>,
}

/// A point in time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time {
    /// Nanoseconds since 1970.
    #[serde(with = "as_text")]
    pub nanos: u64,
    /// RFC 3339, UTC, nine digits.
    pub text: String,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// `weir.process.id`.
    pub id: String,
    /// The nearest ancestor that is in the timeline.
    pub parent: Option<String>,
    /// In the initial pid namespace.
    pub pid: u32,
    /// The program that it ran last.
    pub executable: String,
    /// Its arguments, joined by spaces.
    pub command_line: String,
    /// Index in [`Timeline::workloads`].
    pub workload: Option<usize>,
    /// When it began, or was first seen.
    pub begin: Time,
    /// When it ended, where that was seen.
    pub end: Option<Time>,
    /// How it ended: "exit 0", "signal 9".
    pub ended: Option<String>,
    /// Most bytes of classified content that it held.
    pub held: u64,
    /// Bytes that it sent.
    pub sent: u64,
    /// Why it is in the timeline.
    pub role: Role,
}

/// What something is to what was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It led there.
    Cause,
    /// It is what was asked about.
    Subject,
    /// It came of it.
    Effect,
}

/// What processes are part of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// `weir.workload.id`.
    pub id: String,
    /// What people call it: pod/container, else the id, shortened.
    pub name: String,
}

/// Something that happened, or was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub time: Time,
    /// Seconds since [`Timeline::zero`], with a sign: "-0.003120", "+12.000001".
    pub relative: String,
    /// `weir.event.kind`; `alert` or `incident` for what was told.
    pub kind: String,
    /// What happened, a sentence without its subject for events ("opened /models/a.safetensors for read (4.1 GB)"), a whole one for
    /// alerts. Attackers' text in it is escaped for a terminal; it is not for HTML.
    pub sentence: String,
    /// Who did it: an id of [`Timeline::processes`].
    pub process: Option<String>,
    /// Index in [`Timeline::workloads`].
    pub workload: Option<usize>,
    /// Of alerts and incidents: `low`, `medium`, `high` or `critical`.
    pub severity: Option<String>,
    /// What it is to what was asked about.
    pub role: Role,
    /// Bytes that it is about, where it is about bytes.
    pub bytes: Option<u64>,
    /// All that is known, by the vocabulary's names.
    pub attributes: Map<String, Value>,
}

/// A quantity over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What it counts.
    pub quantity: Quantity,
    /// Index in [`Timeline::workloads`].
    pub workload: Option<usize>,
    /// Where it went, for what was sent.
    pub destination: Option<String>,
    /// What it is from each time on; it never falls.
    pub points: Vec<Point>,
}

/// See [`Series`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Bytes of classified content held.
    Held,
    /// Bytes sent.
    Sent,
}

/// From `time` on it is `bytes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When.
    pub time: Time,
    /// How many.
    pub bytes: u64,
}

/// Nanoseconds as decimal text.
mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
