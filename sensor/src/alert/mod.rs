//! Alerts: what of the findings is worth a person's time, said in one sentence.
//!
//! [`Raiser`] takes findings, says the same thing once, and says it again when it has grown; [`sentence`] writes what a rule's
//! template asks for with what attackers wrote made harmless; [`incident`] joins what belongs together; [`record`](Alert::record)
//! is the form in which an alert leaves; [`enrichment`] adds to what was said the names that come late.
//! Neither clock nor randomness: ids follow from the evidence, wall time comes in when an alert is written out.

pub mod enrichment;
mod escape;
pub mod incident;
mod raiser;
mod record;
mod sentence;
mod trailing;

#[cfg(test)]
mod tests;

pub use enrichment::Enrichment;
pub use escape::{VALUE_MAX, escape};
pub use incident::{Incident, Incidents, Membership, Notice};
pub use raiser::{Limits, Raiser, Statistics};
pub use record::Record;
pub use sentence::quantity;

use crate::detection::{Evidence, Level, Rule};
use crate::event::{BootTime, Event, WallClock, Workload};
use std::fmt;
use std::sync::Arc;

/// Something that a person should know.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The same in every revision.
    pub uid: Uid,
    /// 0 when it is new; each time it is said again because it grew, one more.
    pub revision: u32,
    /// The rule, with its level, techniques, innocent causes and first steps.
    pub rule: Arc<Rule>,
    /// The version of the rule set: SHA-256, hexadecimal.
    pub ruleset: Arc<str>,
    /// When the deciding event happened.
    pub time: BootTime,
    /// When the first event of the evidence happened.
    pub begun: BootTime,
    /// What happened; harmless on a terminal.
    pub sentence: String,
    /// The deciding event.
    pub decisive: Arc<Event>,
    /// The proof, in order, the deciding event at the end.
    pub evidence: Vec<Evidence>,
    /// For a correlation: its group-by names and values; else its subject's.
    pub group: Arc<[(Box<str>, Box<str>)]>,
    /// How many findings of the same were not said since the last time.
    pub suppressed: u64,
    /// The incident that it is part of, once that is known.
    pub incident: Option<Membership>,
}

impl Alert {
    /// What the deciding process is part of.
    pub fn workload(&self) -> Option<&Arc<Workload>> {
        self.decisive.workload.as_ref()
    }

    /// ATT&CK and ATLAS ids of what it shows.
    pub fn techniques(&self) -> Vec<&str> {
        self.rule.attack.iter().chain(&self.rule.atlas).map(|id| &**id).collect()
    }

    /// The alert as one JSON object, with `clock` to tell its wall time.
    pub fn to_json(&self, clock: WallClock) -> serde_json::Value {
        // Strings for keys and plain values only: it cannot fail.
        serde_json::to_value(self.record(clock)).unwrap_or_default()
    }

    /// How bad it is, as a number and text of OpenTelemetry's log data model.
    pub fn severity(&self) -> Severity {
        Severity::of(self.rule.level)
    }
}

/// Severity of OpenTelemetry's log data model, with the text that Sigma has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Severity {
    /// 1 to 24.
    pub number: u8,
    /// `record`, `low`, `medium`, `high`, `critical`.
    pub text: &'static str,
    /// `severity_id` of OCSF: 1 informational, 2 low, 3 medium, 4 high, 5 critical.
    pub ocsf: u8,
}

impl Severity {
    /// Of a rule's level: INFO, INFO2, WARN, ERROR, FATAL.
    pub const fn of(level: Level) -> Severity {
        match level {
            Level::Informational => Severity { number: 9, text: "record", ocsf: 1 },
            Level::Low => Severity { number: 10, text: "low", ocsf: 2 },
            Level::Medium => Severity { number: 13, text: "medium", ocsf: 3 },
            Level::High => Severity { number: 17, text: "high", ocsf: 4 },
            Level::Critical => Severity { number: 21, text: "critical", ocsf: 5 },
        }
    }
}

/// An alert's id: a UUID (version 8, RFC 9562) made of a digest of rule, group and first evidence. The same events give the
/// same id, so that what is delivered twice, or replayed, is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub [u8; 16]);

impl Uid {
    /// From a digest; the six bits that say version and variant are set.
    pub fn from_digest(digest: &[u8]) -> Uid {
        let mut bytes = digest.first_chunk().copied().unwrap_or([0; 16]);
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uid(bytes)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
