//! What became of every event that a program saw, counted per CPU in the map `COUNTERS`.
//!
//! For each kind, `seen` equals the sum of all other outcomes once the programs are idle:
//! performed = sent + filtered + dropped.

use crate::plain;
use crate::record::Kind;

/// What became of one event. The discriminant is its place in the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Outcome {
    /// The program ran for it (and it was in scope).
    Seen = 0,
    /// It is in the ring.
    Sent = 1,
    /// Filtered: it matched no class, watched inode or label, or reported nothing new (flows).
    Unmatched = 2,
    /// Filtered: the agent did it itself.
    Own = 3,
    /// Dropped: the ring was full.
    RingFull = 4,
    /// Dropped: a kernel structure could not be read.
    Fault = 5,
    /// Dropped: a table was full, so that what the event needs could not be kept.
    TableFull = 6,
    /// Not counted as seen: the process is outside the cgroup that the sensor was told to watch.
    OutOfScope = 7,
    /// Dropped: the ring was more than half full, and the process's cgroup had sent more than its budget.
    OverBudget = 8,
}

impl Outcome {
    /// Every outcome, in map order.
    pub const ALL: [Outcome; 9] = [
        Outcome::Seen,
        Outcome::Sent,
        Outcome::Unmatched,
        Outcome::Own,
        Outcome::RingFull,
        Outcome::Fault,
        Outcome::TableFull,
        Outcome::OutOfScope,
        Outcome::OverBudget,
    ];

    /// The name used in output and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Seen => "seen",
            Outcome::Sent => "sent",
            Outcome::Unmatched => "unmatched",
            Outcome::Own => "own",
            Outcome::RingFull => "ring_full",
            Outcome::Fault => "fault",
            Outcome::TableFull => "table_full",
            Outcome::OutOfScope => "out_of_scope",
            Outcome::OverBudget => "over_budget",
        }
    }

    /// An event with this outcome is lost although it should have been sent.
    pub const fn is_drop(self) -> bool {
        matches!(self, Outcome::RingFull | Outcome::Fault | Outcome::TableFull | Outcome::OverBudget)
    }
}

/// Entries of the map `COUNTERS`.
pub const COUNTERS: u32 = (Kind::MAX * Outcome::ALL.len()) as u32;

/// The entry for a kind and an outcome; always below [`COUNTERS`].
pub const fn index(kind: Kind, outcome: Outcome) -> u32 {
    (kind as u32 - 1) * Outcome::ALL.len() as u32 + outcome as u32
}

/// Most cgroups whose sending is bounded apart, in the map `BUDGET`.
pub const BUDGETS: u32 = 4096;

plain! {
    /// Value of the map `BUDGET`, by cgroup: what it sent while the ring was more than half full.
    pub struct Budget {
        /// Since when `sent` is counted, nanoseconds of `CLOCK_BOOTTIME`.
        pub since: u64,
        /// Records in this window.
        pub sent: u64,
        /// Records that were dropped, in all.
        pub refused: u64,
    }
}
