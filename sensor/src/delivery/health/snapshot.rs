//! How the sensor is at a moment: the numbers from which the status, the coverage record and the metrics are made.

use super::canary::Deed;
use crate::event::{BootTime, Event};
use crate::evidence::store;
use crate::kernel::{self, Totals};
use crate::line::Occupancy;
use std::sync::Arc;
use std::time::Duration;

/// Numbers by name.
pub type Counts = Vec<(&'static str, u64)>;

/// Everything that is counted. Totals are since the start.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When it was taken.
    pub time: BootTime,
    /// The same in wall time, seconds since the Unix epoch.
    pub unix_seconds: f64,
    /// Since when the sensor watches.
    pub since: BootTime,
    /// What became of every event in the kernel.
    pub totals: Totals,
    /// How far each concern is watched.
    pub hooks: Arc<[kernel::Coverage]>,
    /// When somebody last was found to have tampered with the programs or tables.
    pub tampered: Option<BootTime>,
    /// The ring between kernel and agent.
    pub ring: RingUse,
    /// The programs in the kernel, and how long they ran.
    pub programs: Vec<Program>,
    /// Records of the kernel side that could not be read.
    pub malformed: u64,
    /// What came out at the end of the line.
    pub passed: Passed,
    /// The tables of the line.
    pub tables: Vec<Occupancy>,
    /// Detections and correlations in effect.
    pub rules: u32,
    /// How often others came into effect.
    pub reloads: u64,
    /// What became of findings, alerts and incidents, by name.
    pub alerts: Counts,
    /// What became of looks into files, by name.
    pub looks: Counts,
    /// What became of the sweeps of the kernel's table of carriers, by name.
    pub carriers: Counts,
    /// Container runtimes: how many answer, how many do not, and what became of the questions.
    pub runtimes: Runtimes,
    /// Payload bytes that no workload could be charged with.
    pub unattributed_bytes: u64,
    /// What became of the canaries.
    pub canaries: Canaries,
    /// What the sensor takes itself.
    pub usage: Usage,
    /// The spool and what became of deliveries; `None` where nothing is delivered.
    pub delivery: Option<Delivery>,
    /// The store of evidence; `None` where none is kept.
    pub evidence: Option<store::Counts>,
    /// Exports of these metrics that the collector took, and that failed.
    pub exports: [u64; 2],
}

/// The ring between kernel and agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingUse {
    /// The most that waited in it when the agent came to empty it, in the last one to two minutes; bytes.
    pub bytes: u64,
    /// Its size, bytes.
    pub limit: u64,
}

/// A program in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The function's name.
    pub name: &'static str,
    /// Runs; 0 unless `kernel.bpf_stats_enabled` is set.
    pub runs: u64,
    /// How long they took; zero unless `kernel.bpf_stats_enabled` is set.
    pub time: Duration,
}

/// What came out at the end of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Events, those of the agent included.
    pub events: u64,
    /// Events of the kernel whose process nobody knows.
    pub without_process: u64,
    /// Events of the kernel whose workload nobody knows.
    pub without_workload: u64,
}

impl Passed {
    /// Counts an event that has gone through the line.
    pub fn count(&mut self, event: &Event) {
        self.events += 1;
        if event.hook.is_some() {
            self.without_process += u64::from(event.process.is_none());
            self.without_workload += u64::from(event.workload.is_none());
        }
    }
}

/// What became of the canaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canaries {
    /// Rounds that are over.
    pub rounds: u64,
    /// Deeds of these that did not come out though they were done, by [`Deed`].
    pub missing: [u64; Deed::ALL.len()],
}

/// The container runtimes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runtimes {
    /// Sockets at which one answers.
    pub connected: u64,
    /// Sockets at which one is expected and does not answer.
    pub away: u64,
    /// Containers that were asked for, by what became of it.
    pub requests: Counts,
}

/// What the sensor takes itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Memory in RAM now, bytes; `None` if `/proc` does not tell.
    pub memory_bytes: Option<u64>,
    /// The most that it was.
    pub memory_peak_bytes: Option<u64>,
    /// CPU time of all threads.
    pub cpu: Duration,
}

/// The spool, and what became of deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Records that wait.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What they may take, bytes.
    pub limit: u64,
    /// How long the oldest has waited; `None`: nothing waits.
    pub oldest: Option<Duration>,
    /// When the collector last took any, seconds since 1970.
    pub last: Option<u64>,
    /// Why records wait for the collector, if they do.
    pub trouble: Option<String>,
    /// Why the disk takes none, if it does not.
    pub disk_trouble: Option<String>,
    /// Records that had to go for want of room, by severity.
    pub evicted: Counts,
    /// What else was lost or is in doubt in the spool and on the console, by name.
    pub losses: Counts,
    /// Records that will never arrive, since the spool was made: those of other runs with it, whose last record may not have told of them.
    pub lost_ever: u64,
    /// Records by what became of them: accepted, retried, set aside, and the like.
    pub results: Counts,
    /// Requests that the collector took, and that failed.
    pub requests: [u64; 2],
}
