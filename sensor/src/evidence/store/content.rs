//! What a batch has in it, as rows.

use super::super::source::Gap;
use super::schema::Dictionary;
use rusqlite::types::Value;

/// A row of `events`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventRow {
    /// Nanoseconds since 1970; the row's number, so that it may be a little later than when it happened.
    pub time: i64,
    /// In `kinds`.
    pub kind: i64,
    /// In `processes`.
    pub process: Option<i64>,
    /// In `workloads`.
    pub workload: Option<i64>,
    /// In `objects`.
    pub object: Option<i64>,
    /// In `trails`.
    pub trail: Option<i64>,
    /// The thread's name, in `texts`.
    pub title: Option<i64>,
    /// The thread; 0: it has the process's id.
    pub thread: Option<i64>,
    /// In `shapes`.
    pub shape: Option<i64>,
    /// What the shape says that it counts.
    pub bytes: Option<i64>,
    /// JSON: the values of the shape's fields, in order.
    pub rest: Option<String>,
}

/// A row of `told`.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldRow {
    /// `log.record.uid`
    pub uid: String,
    /// Of an alert or an incident; of coverage 0.
    pub revision: i64,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// `alert`, `incident` or `coverage`.
    pub kind: String,
    /// The incident that it is, or is part of.
    pub incident: Option<String>,
    /// The JSON object.
    pub record: String,
}

/// A row of a dictionary that is not in the segment yet: its number and the columns after `batch`.
pub type NewRow = (i64, Vec<Value>);

/// What is to be written in one transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// By time, no two at the same.
    pub events: Vec<EventRow>,
    /// By [`Dictionary::ALL`]; each by number.
    pub dictionaries: [Vec<NewRow>; Dictionary::ALL.len()],
    /// What was told.
    pub told: Vec<ToldRow>,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// What went into the line, packed.
    pub raw: Vec<u8>,
    /// When it was written, for a batch without events.
    pub now: i64,
}

/// As SQLite has numbers: what is beyond is at the end.
pub fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
