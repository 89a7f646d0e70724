//! What a timeline is asked about.

use std::fmt;

/// What a timeline is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// An incident, by the beginning of its id.
    Incident(String),
    /// An alert, by the beginning of its uid.
    Alert(String),
    /// A container by the beginning of its id or its name, or another workload by its id.
    Workload(String),
    /// A pod.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A process, by `process.pid` or `weir.process.id`.
    Process(String),
    /// A file, by a path of it.
    File(String),
    /// Everything of the time that is asked for.
    Time,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anchor::Incident(id) => write!(f, "incident {id}"),
            Anchor::Alert(uid) => write!(f, "alert {uid}"),
            Anchor::Workload(id) => write!(f, "container {id}"),
            Anchor::Pod { namespace, name } => write!(f, "pod {namespace}/{name}"),
            Anchor::Process(id) => write!(f, "process {id}"),
            Anchor::File(path) => write!(f, "file {path}"),
            Anchor::Time => f.write_str("everything of a time"),
        }
    }
}

/// A question to a source.
#[derive(Clone, Debug)]
pub struct Question {
    /// About what.
    pub anchor: Anchor,
    /// From when, nanoseconds since 1970, inclusive.
    pub since: u64,
    /// Until when, inclusive.
    pub until: u64,
    /// How much is looked at and shown.
    pub limits: Limits,
}

/// How much is looked at and shown at most; what is left out is said in the timeline's notes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries shown.
    pub entries: usize,
    /// Events looked at.
    pub rows: usize,
    /// Processes.
    pub processes: usize,
    /// Steps from what was asked about: from a process to its parent, to a file that it wrote, to who read that.
    pub hops: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { entries: 10_000, rows: 200_000, processes: 2_000, hops: 32 }
    }
}

/// Why there is no timeline.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The source cannot answer.
    #[error(transparent)]
    Source(#[from] super::super::source::SourceError),
    /// There is nothing about it.
    #[error("nothing is known of {asked}: {hint}")]
    Nothing {
        /// What was asked about.
        asked: String,
        /// What to do.
        hint: String,
    },
    /// It is several.
    #[error("{asked} is not one but several: {found}; give more of it, or a time with --since and --until")]
    Ambiguous {
        /// What was asked about.
        asked: String,
        /// Which.
        found: String,
    },
}
