//! The egress ledger as it is kept over restarts: plain data, in wall time.

use serde::{Deserialize, Serialize};

/// What the agent found when it started, told to the line before anything else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LedgerRestored {
    /// Nanoseconds since the Unix epoch at boot time zero: how the ledger's wall time comes of the events' boot time. It is not
    /// changed again while the agent runs, so that a clock that is set moves no sums.
    pub boot_unix_nanos: i128,
    /// The kernel's counters of egress are read: what is merged in reports of flows is told apart by them.
    pub counters: bool,
    /// What was saved; empty at a first start.
    pub saved: SavedLedger,
}

/// The ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLedger {
    /// The ledger's time when it was saved, seconds since the Unix epoch.
    pub time: u64,
    /// What each account has sent.
    pub accounts: Vec<SavedAccount>,
}

/// An account: one workload identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAccount {
    /// Its identity.
    pub id: Box<str>,
    /// What its workloads held of weights when they last did.
    pub holdings: Vec<SavedHolding>,
    /// Bytes to all undeclared destinations, since it held weights.
    pub burst: SavedWindow,
    /// The same, the day's clock.
    pub day: SavedWindow,
    /// The same, the month's clock.
    pub month: SavedWindow,
    /// Bytes over accepted connections, since it held weights.
    pub accepted: SavedWindow,
    /// Each destination.
    pub destinations: Vec<SavedDestination>,
}

/// What a workload of an account held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedHolding {
    /// Which workload (`weir.workload.id`).
    pub workload: Box<str>,
    /// When that was last known, seconds since the Unix epoch.
    pub time: u64,
    /// Distinct sources.
    pub sources: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// The size of the largest.
    pub largest: u64,
    /// Paths, the largest first.
    pub paths: Vec<Box<str>>,
}

/// What went to one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedDestination {
    /// Which one.
    pub place: SavedPlace,
    /// Initiated, the day's clock.
    pub day: SavedWindow,
    /// Initiated, the month's clock.
    pub month: SavedWindow,
    /// Accepted, the day's clock.
    pub accepted: SavedWindow,
}

/// What a row of the ledger stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedPlace {
    /// A registered domain.
    Domain(Box<str>),
    /// An address.
    Address(std::net::IpAddr),
    /// An entry of the declared destinations, as it is written there.
    Declared(Box<str>),
    /// Whatever there was no room to tell apart.
    #[default]
    Others,
}

/// A sliding sum: the numbers of its buckets (seconds since the epoch over the bucket's width) that are not empty, each with its
/// bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SavedWindow(pub Vec<(u64, u64)>);
