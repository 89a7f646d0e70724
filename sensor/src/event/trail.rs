//! The proof of what a sender holds: which file, who opened it, and how it came to who sends.

use super::{FileId, ProcessKey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How it is known that the sender holds something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// The sending process opened it, or it came to it on a known way.
    Process,
    /// Somebody in the same workload opened it: what goes on between its processes past all that is followed is covered so.
    #[default]
    Workload,
    /// The kernel side says so of the process; how it came there is not known, since events were lost.
    Kernel,
}

impl HeldBy {
    /// Every one.
    pub const ALL: [HeldBy; 3] = [HeldBy::Process, HeldBy::Workload, HeldBy::Kernel];

    /// The value of the field `weir.held.by`.
    pub const fn name(self) -> &'static str {
        match self {
            HeldBy::Process => "process",
            HeldBy::Workload => "workload",
            HeldBy::Kernel => "kernel",
        }
    }
}

/// A file of classified content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Tells it apart from a file that had the same number before: inode numbers are used again.
    pub number: u64,
    /// Which one; `None`: it was not resolved, and the path is all that is known.
    pub id: Option<FileId>,
    /// Its path when it was opened.
    pub path: Box<str>,
    /// Bytes when it was opened.
    pub size: u64,
    /// Who opened it.
    pub reader: Party,
}

/// A process that plays a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Party {
    /// Which one.
    pub key: ProcessKey,
    /// Its program when it did; empty where it is not known.
    pub executable: Arc<str>,
}

/// What is known of how the sender came to what it holds; on connects and flows of who holds weights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trail {
    /// How it is known.
    pub by: HeldBy,
    /// The quantity is a bound: more than what is counted is assumed where nothing counts.
    pub bound: bool,
    /// The largest file held.
    pub source: Option<Arc<Source>>,
    /// Who sends; of a socket that several send over, who last did and holds something.
    pub sender: Option<Arc<Party>>,
    /// How it came from its reader to its sender, step by step: `pipe`, `file:/tmp/x`, `fork` and the like.
    pub carriers: Box<[Box<str>]>,
}
