//! What a timeline is cut out of: events, what was told of them, and gaps, wherever they are kept.
//!
//! A [`Source`] is asked for what matches a [`Filter`] and answers in the order of time. Times are nanoseconds since 1970; attributes
//! have the vocabulary's names, as in `weir events --format json` (`docs/fields.md`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One event, as the line left it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// When it happened.
    pub time: u64,
    /// Rises in the order in which the events came; not used twice within a source.
    pub sequence: u64,
    /// All of its fields but `time`, `weir.event.kind` among them.
    pub attributes: Map<String, Value>,
}

/// An alert, an incident's revision or a coverage record, as it was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The time that it tells of itself.
    pub time: u64,
    /// What it is.
    pub kind: ToldKind,
    /// `log.record.uid`: the same each time the same thing is told.
    pub uid: Box<str>,
    /// The incident that it is, or is part of.
    pub incident: Option<Box<str>>,
    /// The whole JSON object, as `weir run --format json` prints it.
    pub record: Map<String, Value>,
}

/// See [`Told`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToldKind {
    /// One alert.
    Alert,
    /// One revision of an incident.
    Incident,
    /// What was seen and not seen in an interval.
    Coverage,
}

/// Something of this time is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// From when it can be missing.
    pub from: u64,
    /// Until when.
    pub to: u64,
    /// Where it was lost: `kernel` (a ring that was full and the like), `store` (not written in time, or the disk refused), `sensor`
    /// (no sensor ran), `retention` (removed by age or size), `damage` (cannot be read).
    pub place: Box<str>,
    /// Why, one sentence.
    pub cause: Box<str>,
    /// The kind of event; `None`: any.
    pub kind: Option<Box<str>>,
    /// How many events; `None`: not known.
    pub count: Option<u64>,
}

/// What is asked for: what is in the time, and matches one of the sets, if there is anything in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// From when, inclusive.
    pub from: u64,
    /// Until when, inclusive.
    pub to: u64,
    /// `weir.process.id`, or `weir.process.child.id` of forks.
    pub processes: BTreeSet<Box<str>>,
    /// `weir.lineage.id`.
    pub lineages: BTreeSet<Box<str>>,
    /// `weir.workload.id`.
    pub workloads: BTreeSet<Box<str>>,
    /// Files, as DEVICE/INODE of `weir.file.device` and `file.inode`: "254:0/1234".
    pub files: BTreeSet<Box<str>>,
    /// `file.path`, or `weir.file.new_path`.
    pub paths: BTreeSet<Box<str>>,
    /// Of what matches, only these kinds (`weir.event.kind`), if there is anything in it.
    pub kinds: BTreeSet<Box<str>>,
    /// Most rows; the first ones by time are given.
    pub limit: usize,
}

impl Filter {
    /// Everything of a time.
    pub fn of_time(from: u64, to: u64, limit: usize) -> Filter {
        Filter { from, to, limit, ..Filter::default() }
    }

    /// Whether an event of this time with these attributes is asked for.
    pub fn takes(&self, time: u64, attributes: &Map<String, Value>) -> bool {
        let has = |set: &BTreeSet<Box<str>>, name: &str| {
            attributes.get(name).and_then(Value::as_str).is_some_and(|text| set.contains(text))
        };
        if time < self.from || time > self.to || !(self.kinds.is_empty() || has(&self.kinds, "weir.event.kind")) {
            return false;
        }
        has(&self.processes, "weir.process.id")
            || has(&self.processes, "weir.process.child.id")
            || has(&self.lineages, "weir.lineage.id")
            || has(&self.workloads, "weir.workload.id")
            || has(&self.paths, "file.path")
            || has(&self.paths, "weir.file.new_path")
            || (!self.files.is_empty() && file_of(attributes).is_some_and(|file| self.files.contains(&*file)))
            || self.is_of_time_only()
    }

    /// Whether there is nothing in the sets.
    pub fn is_of_time_only(&self) -> bool {
        let sets = [&self.processes, &self.lineages, &self.workloads, &self.files, &self.paths];
        sets.iter().all(|set| set.is_empty())
    }
}

/// The attributes that a [`Filter`] asks for, besides files: what an index over events has to know.
pub const ASKED: [&str; 7] = [
    "weir.event.kind",
    "weir.process.id",
    "weir.process.child.id",
    "weir.lineage.id",
    "weir.workload.id",
    "file.path",
    "weir.file.new_path",
];

impl Told {
    /// Whether it is of this time, or of one of these incidents: what [`Source::told`] asks.
    pub fn is_asked(&self, from: u64, to: u64, incidents: &BTreeSet<Box<str>>) -> bool {
        (from..=to).contains(&self.time) || self.incident.as_ref().is_some_and(|id| incidents.contains(id))
    }
}

impl Gap {
    /// Whether anything of this time can be missing by it.
    pub fn is_of(&self, from: u64, to: u64) -> bool {
        self.from <= to && self.to >= from
    }
}

/// The file that an event is about, as DEVICE/INODE.
pub fn file_of(attributes: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    Some(format!("{}/{}", text("weir.file.device")?, text("file.inode")?))
}

/// Rows that match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// By time, then by sequence.
    pub rows: Vec<Row>,
    /// There are more than the limit.
    pub cut: bool,
}

/// Why a source cannot answer.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct SourceError {
    /// The file or directory.
    pub place: String,
    /// What is wrong and what to do about it.
    pub reason: String,
}

/// Where events are kept. What of it is damaged is left out and a [`Gap`].
pub trait Source {
    /// Events.
    ///
    /// # Errors
    /// Nothing of it can be read.
    fn rows(&mut self, filter: &Filter) -> Result<Rows, SourceError>;

    /// What was told in this time, or of these incidents at any time.
    ///
    /// # Errors
    /// As [`Source::rows`].
    fn told(&mut self, from: u64, to: u64, incidents: &BTreeSet<Box<str>>) -> Result<Vec<Told>, SourceError>;

    /// What is missing of this time.
    ///
    /// # Errors
    /// As [`Source::rows`].
    fn gaps(&mut self, from: u64, to: u64) -> Result<Vec<Gap>, SourceError>;

    /// The first and the last time of which there is anything; `None`: it is empty.
    ///
    /// # Errors
    /// As [`Source::rows`].
    fn span(&mut self) -> Result<Option<(u64, u64)>, SourceError>;
}
