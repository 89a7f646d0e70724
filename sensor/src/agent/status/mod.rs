//! How the sensor is: one document, asked for over a local socket by `weir status`, or by whatever can read JSON.
//!
//! Here lives the document, a section a struct; [`collect`] fills it, [`control`] serves it, [`client`] asks for it. What a later
//! part of the agent has to say is one more section. A reader of another version fills in what is missing, and leaves out what it
//! does not know.

mod client;
mod collect;
mod control;

#[cfg(test)]
mod tests;

pub use client::{StatusError, ask};
pub use collect::Collected;
pub use control::{Control, path_in};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The document. Times are RFC 3339 in UTC; totals are since the start, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Weir's version.
    pub version: String,
    /// The sensor's process id, in its own pid namespace.
    pub pid: u32,
    /// The kernel's release.
    pub kernel: String,
    /// Since when it watches.
    pub since: String,
    /// When this was written.
    pub time: String,
    /// Seconds that it has watched.
    pub seconds: u64,
    /// What is not as it should be, each a sentence; empty when all is well.
    pub problems: Vec<String>,
    /// What it takes itself.
    pub process: Usage,
    /// What stays in the kernel when it ends; absent where nothing does.
    pub pinned: Option<Pinned>,
    /// What it may still do.
    pub privileges: Privileges,
    /// What is watched, and by which hooks.
    pub hooks: Vec<Watched>,
    /// Seconds that rates are over: since the last status, or the start.
    pub rate_seconds: f64,
    /// What became of the events of each kind in the kernel.
    pub events: Vec<Events>,
    /// What was lost, by kind and cause.
    pub lost: Vec<Loss>,
    /// The tables of the line.
    pub tables: Vec<Table>,
    /// The rules in effect.
    pub rules: Rules,
    /// What each filter took.
    pub filters: Vec<Filter>,
    /// The state of each correlation.
    pub correlations: Vec<Correlation>,
    /// What became of findings, alerts and incidents, by name.
    pub alerts: Counts,
    /// What became of looks into files, by name.
    pub looks: Counts,
    /// What became of the sweeps of the kernel's table of carriers, by name.
    pub carriers: Counts,
    /// The container runtimes that are asked who the containers are.
    pub runtimes: Vec<Runtime>,
    /// The API server that is asked for the pods of this node; absent where none is asked.
    pub kube: Option<ApiServer>,
    /// The egress ledger.
    pub ledger: Ledger,
    /// The fullest that the ring between kernel and agent was in the last one to two minutes, bytes.
    pub ring_bytes: u64,
    /// Its size, bytes.
    pub ring_limit: u64,
    /// Rounds of the canary that are over.
    pub canary_rounds: u64,
    /// Of their deeds, those that did not come out at the end of the line.
    pub canary_missing: u64,
    /// The store of evidence; absent where none is kept.
    pub evidence: Option<Counts>,
    /// What is kept and sent to a collector; absent where there is none.
    pub delivery: Option<Delivery>,
}

/// Programs that stay in the kernel, for the next sensor to go on from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pinned {
    /// The how manyth sensor on the same maps it is.
    pub generation: u32,
    /// It went on from what the sensor before had left.
    pub taken_over: bool,
}

/// What is kept and sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delivery {
    /// Records in the spool.
    pub waiting: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What they may take, bytes.
    pub limit: u64,
    /// How long the oldest has waited, seconds.
    pub oldest_seconds: Option<u64>,
    /// When the collector last took any.
    pub last: Option<String>,
    /// Why they wait, if they do.
    pub trouble: Option<String>,
    /// What had to go for want of room, by severity.
    pub evicted: Counts,
    /// What else was lost or is in doubt.
    pub losses: Counts,
    /// What became of what was sent.
    pub results: Counts,
}

/// Numbers by name.
pub type Counts = BTreeMap<String, u64>;

/// What the sensor takes itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Memory in RAM now, bytes; absent if `/proc` does not tell.
    pub memory_bytes: Option<u64>,
    /// The most that it was.
    pub memory_peak_bytes: Option<u64>,
    /// CPU time, seconds.
    pub cpu_seconds: f64,
}

/// What the sensor may still do: of its main thread, which the others are like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Privileges {
    /// Permitted capabilities; those that the sensor never uses as one number (`0x...`).
    pub capabilities: Vec<String>,
    /// What it starts can have no more (`no_new_privs`).
    pub no_new_privileges: bool,
    /// It has a seccomp filter.
    pub seccomp: bool,
}

/// A concern, and how far it is watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watched {
    /// Its name, as in `--hooks`.
    pub concern: String,
    /// `trampoline` or `portable`, where there is a choice.
    pub family: Option<String>,
    /// The hooks that are live.
    pub hooks: Vec<String>,
    /// Why a better family was passed over.
    pub passed_over: Option<String>,
    /// What is not watched.
    pub missing: Vec<Missing>,
}

/// A program that does not run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Missing {
    /// Its name.
    pub program: String,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub mend: String,
}

/// What became of the events of a kind in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Events {
    /// The kind (`weir.event.kind`).
    pub kind: String,
    /// Seen a second, since the last status.
    pub seen_per_second: f64,
    /// Sent to the agent a second, likewise.
    pub sent_per_second: f64,
    /// Seen.
    pub seen: u64,
    /// Sent to the agent.
    pub sent: u64,
    /// Lost.
    pub lost: u64,
}

/// Events that were lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Loss {
    /// The kind.
    pub kind: String,
    /// Why (`weir.lost.cause`).
    pub cause: String,
    /// How many.
    pub count: u64,
}

/// A table of the line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    /// What is in it.
    pub name: String,
    /// How many are in it now.
    pub entries: u64,
    /// How many there can be.
    pub limit: u64,
    /// How many were forgotten for want of room.
    pub evicted: u64,
}

/// The rules in effect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// The set's version (`security_rule.version`).
    pub version: String,
    /// The version of the classes (`weir.classes.version`).
    pub classes: String,
    /// Detections and correlations.
    pub rules: u32,
    /// Filters.
    pub filters: u32,
    /// Since when they are in effect.
    pub since: String,
    /// How often others came into effect since the start.
    pub reloads: u64,
    /// The last ones that were not taken, unless others were taken since.
    pub refused: Option<Refusal>,
}

/// Rules that were not taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// When they were read.
    pub time: String,
    /// What is wrong with them, the first few.
    pub problems: Vec<String>,
    /// How much is wrong with them in all.
    pub count: u64,
}

/// What a filter took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Its title.
    pub title: String,
    /// Matches that are no findings because of it.
    pub taken: u64,
}

/// The state of a correlation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Correlation {
    /// Its name.
    pub name: String,
    /// Groups now.
    pub groups: u64,
    /// Events that they keep.
    pub events: u64,
    /// Matches without a value to group them by.
    pub without_key: u64,
    /// Matches without a value to count.
    pub without_value: u64,
    /// Groups that were forgotten for want of room.
    pub evicted: u64,
}

/// A container runtime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// Its socket.
    pub socket: String,
    /// Its name and version, once it has answered.
    pub name: Option<String>,
    /// Whether it answers.
    pub connected: bool,
    /// Since when it does, or does not.
    pub since: Option<String>,
    /// Why it does not, and the mend.
    pub reason: Option<String>,
    /// How it tells of containers by itself; absent where it has to be asked.
    pub watch: Option<String>,
    /// Containers and pods that it has named and that are kept.
    pub known: u64,
    /// Containers that it was asked for.
    pub asked: u64,
    /// Of these, those that it named.
    pub answered: u64,
    /// Of these, those that it does not know.
    pub unknown: u64,
    /// Questions that failed.
    pub failed: u64,
    /// Containers that it could not be asked for, for want of room.
    pub refused: u64,
}

/// The API server of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiServer {
    /// Its URL, once it is known.
    pub server: Option<String>,
    /// The node whose pods are asked for.
    pub node: String,
    /// Whether it answers.
    pub connected: bool,
    /// Since when it does, or does not.
    pub since: Option<String>,
    /// Why it does not, and the mend.
    pub reason: Option<String>,
    /// Pods of the node now.
    pub pods: u64,
    /// Pods that it told of, each time that it did.
    pub told: u64,
    /// How often it was away.
    pub failed: u64,
}

/// The egress ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Whether it is kept over restarts.
    pub kept: bool,
    /// When it was last saved, if it was; only what has changed is saved.
    pub saved: Option<String>,
    /// Accounts in it.
    pub accounts: u64,
    /// Flows and growths of which nobody knows the workload, and their bytes, which are not accounted for.
    pub unattributed: u64,
    /// Their payload bytes.
    pub unattributed_bytes: u64,
}
