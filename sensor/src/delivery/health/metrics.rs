//! The metrics: one table, from which they are registered with the SDK and documented (docs/metrics.md).
//!
//! Names and units follow OpenTelemetry's conventions: `process.*` is theirs, what they have no name for is under `weir.`; units are
//! UCUM. All but the histograms are read from the [`Snapshot`] when the SDK collects, and counted nowhere else.

use super::canary::Deed;
use super::snapshot::{Counts, Delivery, Snapshot};
use crate::event::Kind;
use crate::evidence::store;
use crate::kernel::counters::MISSED_BY_KERNEL;
use sensor_common::count::Outcome;

/// What a metric is in OpenTelemetry's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// A sum that only grows.
    Counter,
    /// A sum that grows and shrinks.
    UpDownCounter,
    /// A value that is not to be added up.
    Gauge,
}

impl Instrument {
    /// The name in the reference.
    pub const fn name(self) -> &'static str {
        match self {
            Instrument::Counter => "counter",
            Instrument::UpDownCounter => "up-down counter",
            Instrument::Gauge => "gauge",
        }
    }
}

/// A value, by its attributes in the order in which the metric names them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The values of the attributes.
    pub attributes: [&'static str; 2],
    /// The value.
    pub value: f64,
}

/// A metric that is read from the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub instrument: Instrument,
    /// Its unit (UCUM).
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub description: &'static str,
    /// The names of its attributes, at most two.
    pub attributes: &'static [&'static str],
    /// Reads it.
    pub read: fn(&Snapshot) -> Vec<Point>,
}

/// A metric that is recorded as it happens.
#[derive(Clone, Copy, Debug)]
pub struct Histogram {
    /// Its name.
    pub name: &'static str,
    /// Its unit (UCUM).
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub description: &'static str,
    /// The upper bounds of its buckets.
    pub boundaries: &'static [f64],
}

/// One event of so many is timed: two readings of the clock are some 50 ns, a tenth of what the line takes for an event.
pub const SAMPLED: u32 = 64;

/// How long the line takes for an event, all rules included.
pub const EVALUATION: Histogram = Histogram {
    name: "weir.line.duration",
    unit: "s",
    description: "Time that the line takes for an event: identification, provenance, all rules. One event of 64 is timed.",
    boundaries: &[1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 5e-3, 2e-2, 1e-1],
};

/// How long after it happened an event has been judged.
pub const LATENCY: Histogram = Histogram {
    name: "weir.event.latency",
    unit: "s",
    description: "Time from what happened in the kernel to the end of the line, the wait in the ring included. One event of 64 is timed.",
    boundaries: &[1e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 1e-1, 2e-1, 3e-1, 5e-1, 1.0, 2.0, 5.0, 10.0, 30.0],
};

/// Every metric that is read from the snapshot, in the order of the reference.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "weir.heartbeat",
        instrument: Instrument::Gauge,
        unit: "s",
        description: "When the agent last turned to these numbers, seconds since the Unix epoch: it stands still when the agent hangs.",
        attributes: &[],
        read: |snapshot| one(snapshot.unix_seconds),
    },
    Metric {
        name: "process.uptime",
        instrument: Instrument::Gauge,
        unit: "s",
        description: "How long the sensor has watched.",
        attributes: &[],
        read: |snapshot| one(snapshot.time.since(snapshot.since).as_secs_f64()),
    },
    Metric {
        name: "process.cpu.time",
        instrument: Instrument::Counter,
        unit: "s",
        description: "CPU time of the sensor's own process, user and system together.",
        attributes: &[],
        read: |snapshot| one(snapshot.usage.cpu.as_secs_f64()),
    },
    Metric {
        name: "process.memory.usage",
        instrument: Instrument::UpDownCounter,
        unit: "By",
        description: "Physical memory of the sensor's own process. Maps and ring in the kernel are not in it.",
        attributes: &[],
        read: |snapshot| snapshot.usage.memory_bytes.into_iter().flat_map(count).collect(),
    },
    Metric {
        name: "weir.event.seen",
        instrument: Instrument::Counter,
        unit: "{event}",
        description: "Events that the programs in the kernel saw.",
        attributes: &["weir.event.kind"],
        read: |snapshot| by_kind(snapshot, &[Outcome::Seen]),
    },
    Metric {
        name: "weir.event.sent",
        instrument: Instrument::Counter,
        unit: "{event}",
        description: "Events that the kernel side sent to the agent.",
        attributes: &["weir.event.kind"],
        read: |snapshot| by_kind(snapshot, &[Outcome::Sent]),
    },
    Metric {
        name: "weir.event.filtered",
        instrument: Instrument::Counter,
        unit: "{event}",
        description: "Events that the kernel side counted and left out, because nothing asks for them or the agent did them itself.",
        attributes: &["weir.event.kind"],
        read: |snapshot| by_kind(snapshot, &[Outcome::Unmatched, Outcome::Own]),
    },
    Metric {
        name: "weir.event.dropped",
        instrument: Instrument::Counter,
        unit: "{event}",
        description: "Events that were lost, by why.",
        attributes: &["weir.event.kind", "weir.lost.cause"],
        read: dropped,
    },
    Metric {
        name: "weir.event.malformed",
        instrument: Instrument::Counter,
        unit: "{event}",
        description: "Records of the kernel side that the agent could not read.",
        attributes: &[],
        read: |snapshot| count(snapshot.malformed),
    },
    Metric {
        name: "weir.event.evaluated",
        instrument: Instrument::Counter,
        unit: "{event}",
        description: "Events that went through the line to its end, where the rules were held against them; those of the agent included.",
        attributes: &[],
        read: |snapshot| count(snapshot.passed.events),
    },
    Metric {
        name: "weir.event.unenriched",
        instrument: Instrument::Counter,
        unit: "{event}",
        description: "Events of the kernel of which the process or the workload is not known.",
        attributes: &["weir.enrichment"],
        read: |snapshot| {
            let passed = snapshot.passed;
            points([("process", passed.without_process), ("workload", passed.without_workload)])
        },
    },
    Metric {
        name: "weir.ring.usage",
        instrument: Instrument::Gauge,
        unit: "By",
        description: "The most that waited in the ring between kernel and agent when the agent came to it, in the last one to two minutes.",
        attributes: &[],
        read: |snapshot| count(snapshot.ring.bytes),
    },
    Metric {
        name: "weir.ring.limit",
        instrument: Instrument::UpDownCounter,
        unit: "By",
        description: "Size of the ring.",
        attributes: &[],
        read: |snapshot| count(snapshot.ring.limit),
    },
    Metric {
        name: "weir.hook.live",
        instrument: Instrument::UpDownCounter,
        unit: "{hook}",
        description: "Kernel hooks that are watched.",
        attributes: &["weir.concern"],
        read: |snapshot| {
            points(snapshot.hooks.iter().map(|watched| (watched.concern.name(), watched.hooks.len() as u64)))
        },
    },
    Metric {
        name: "weir.hook.missing",
        instrument: Instrument::UpDownCounter,
        unit: "{program}",
        description: "Programs that do not run: what they watch goes unseen.",
        attributes: &["weir.concern"],
        read: |snapshot| {
            points(snapshot.hooks.iter().map(|watched| (watched.concern.name(), watched.gaps.len() as u64)))
        },
    },
    Metric {
        name: "weir.program.run.time",
        instrument: Instrument::Counter,
        unit: "s",
        description: "Time in a program in the kernel; only while the sysctl kernel.bpf_stats_enabled is 1.",
        attributes: &["weir.program.name"],
        read: |snapshot| {
            let run = snapshot.programs.iter().filter(|program| program.runs > 0);
            run.map(|program| Point { attributes: [program.name, ""], value: program.time.as_secs_f64() }).collect()
        },
    },
    Metric {
        name: "weir.program.runs",
        instrument: Instrument::Counter,
        unit: "{run}",
        description: "Runs of a program in the kernel; only while the sysctl kernel.bpf_stats_enabled is 1.",
        attributes: &["weir.program.name"],
        read: |snapshot| {
            points(
                snapshot.programs.iter().filter(|program| program.runs > 0).map(|program| (program.name, program.runs)),
            )
        },
    },
    Metric {
        name: "weir.table.usage",
        instrument: Instrument::UpDownCounter,
        unit: "{entry}",
        description: "Entries of a table of the line.",
        attributes: &["weir.table.name"],
        read: |snapshot| points(snapshot.tables.iter().map(|table| (table.name, table.entries as u64))),
    },
    Metric {
        name: "weir.table.limit",
        instrument: Instrument::UpDownCounter,
        unit: "{entry}",
        description: "Most entries of a table of the line.",
        attributes: &["weir.table.name"],
        read: |snapshot| points(snapshot.tables.iter().map(|table| (table.name, table.limit as u64))),
    },
    Metric {
        name: "weir.table.evicted",
        instrument: Instrument::Counter,
        unit: "{entry}",
        description: "Entries that were forgotten for want of room though they were in use.",
        attributes: &["weir.table.name"],
        read: |snapshot| points(snapshot.tables.iter().map(|table| (table.name, table.evicted))),
    },
    Metric {
        name: "weir.rule.loaded",
        instrument: Instrument::UpDownCounter,
        unit: "{rule}",
        description: "Detections and correlations in effect.",
        attributes: &[],
        read: |snapshot| count(u64::from(snapshot.rules)),
    },
    Metric {
        name: "weir.ruleset.reloads",
        instrument: Instrument::Counter,
        unit: "{reload}",
        description: "How often other rules, classes or another policy came into effect.",
        attributes: &[],
        read: |snapshot| count(snapshot.reloads),
    },
    Metric {
        name: "weir.alert.outcomes",
        instrument: Instrument::Counter,
        unit: "{alert}",
        description: "What became of findings, alerts and incidents.",
        attributes: &["weir.outcome"],
        read: |snapshot| named(&snapshot.alerts),
    },
    Metric {
        name: "weir.runtime.sockets",
        instrument: Instrument::UpDownCounter,
        unit: "{socket}",
        description: "Sockets of container runtimes, by whether one answers there (connected) or is expected and does not (away).",
        attributes: &["weir.runtime.state"],
        read: |snapshot| points([("connected", snapshot.runtimes.connected), ("away", snapshot.runtimes.away)]),
    },
    Metric {
        name: "weir.runtime.requests",
        instrument: Instrument::Counter,
        unit: "{container}",
        description: "Containers that a runtime was asked for (asked), named (answered) or does not know (unknown), questions that failed, and containers that it could not be asked for (refused).",
        attributes: &["weir.outcome"],
        read: |snapshot| named(&snapshot.runtimes.requests),
    },
    Metric {
        name: "weir.egress.unattributed",
        instrument: Instrument::Counter,
        unit: "By",
        description: "Payload bytes that left and that no workload could be charged with.",
        attributes: &[],
        read: |snapshot| count(snapshot.unattributed_bytes),
    },
    Metric {
        name: "weir.canary.rounds",
        instrument: Instrument::Counter,
        unit: "{round}",
        description: "Rounds of the canary that are over.",
        attributes: &[],
        read: |snapshot| count(snapshot.canaries.rounds),
    },
    Metric {
        name: "weir.canary.missing",
        instrument: Instrument::Counter,
        unit: "{deed}",
        description: "Deeds of the canary that did not come out at the end of the line in time.",
        attributes: &["weir.canary.deed"],
        read: |snapshot| points(Deed::ALL.into_iter().map(|deed| deed.name()).zip(snapshot.canaries.missing)),
    },
    Metric {
        name: "weir.spool.usage",
        instrument: Instrument::UpDownCounter,
        unit: "{record}",
        description: "Records in the spool that no collector has taken yet.",
        attributes: &[],
        read: |snapshot| delivery(snapshot, |delivery| count(delivery.entries)),
    },
    Metric {
        name: "weir.spool.size",
        instrument: Instrument::UpDownCounter,
        unit: "By",
        description: "Bytes of these records.",
        attributes: &[],
        read: |snapshot| delivery(snapshot, |delivery| count(delivery.bytes)),
    },
    Metric {
        name: "weir.spool.oldest.age",
        instrument: Instrument::Gauge,
        unit: "s",
        description: "How long the oldest of these records has waited; 0 when none waits.",
        attributes: &[],
        read: |snapshot| delivery(snapshot, |delivery| one(delivery.oldest.unwrap_or_default().as_secs_f64())),
    },
    Metric {
        name: "weir.spool.evicted",
        instrument: Instrument::Counter,
        unit: "{record}",
        description: "Records that had to leave the spool for want of room, never delivered.",
        attributes: &["weir.severity"],
        read: |snapshot| delivery(snapshot, |delivery| named(&delivery.evicted)),
    },
    Metric {
        name: "weir.delivery.outcomes",
        instrument: Instrument::Counter,
        unit: "{record}",
        description: "What became of records that were sent to the collector.",
        attributes: &["weir.outcome"],
        read: |snapshot| delivery(snapshot, |delivery| named(&delivery.results)),
    },
    Metric {
        name: "weir.delivery.requests",
        instrument: Instrument::Counter,
        unit: "{request}",
        description: "Requests with records that the collector took, and that failed.",
        attributes: &["weir.outcome"],
        read: |snapshot| {
            delivery(snapshot, |delivery| points(["accepted", "failed"].into_iter().zip(delivery.requests)))
        },
    },
    Metric {
        name: "weir.spool.losses",
        instrument: Instrument::Counter,
        unit: "{record}",
        description: "What else was lost or is in doubt: records refused for their size, set aside, torn, flipped, unreadable; writes that failed; lines that the console did not take.",
        attributes: &["weir.cause"],
        read: |snapshot| delivery(snapshot, |delivery| named(&delivery.losses)),
    },
    Metric {
        name: "weir.evidence.events",
        instrument: Instrument::Counter,
        unit: "{event}",
        description: "Events of the evidence store: kept, or dropped because batches came faster than they were written (dropped_busy) or the disk refused them (dropped_disk).",
        attributes: &["weir.outcome"],
        read: |snapshot| {
            evidence(snapshot, |store| {
                points([
                    ("kept", store.events),
                    ("dropped_busy", store.dropped_busy),
                    ("dropped_disk", store.dropped_disk),
                ])
            })
        },
    },
    Metric {
        name: "weir.evidence.size",
        instrument: Instrument::UpDownCounter,
        unit: "By",
        description: "Bytes of the evidence store on disk.",
        attributes: &[],
        read: |snapshot| evidence(snapshot, |store| count(store.bytes)),
    },
    Metric {
        name: "weir.evidence.oldest.age",
        instrument: Instrument::Gauge,
        unit: "s",
        description: "How far back the evidence store goes; 0 when it is empty.",
        attributes: &[],
        read: |snapshot| {
            evidence(snapshot, |store| match store.oldest {
                0 => one(0.0),
                oldest => one((snapshot.unix_seconds - oldest as f64 / 1e9).max(0.0)),
            })
        },
    },
    Metric {
        name: "weir.evidence.incident.kept",
        instrument: Instrument::UpDownCounter,
        unit: "{incident}",
        description: "Incidents whose evidence is kept beyond that of all else.",
        attributes: &[],
        read: |snapshot| evidence(snapshot, |store| count(store.incidents)),
    },
    Metric {
        name: "weir.evidence.incident.early",
        instrument: Instrument::Counter,
        unit: "{incident}",
        description: "Incidents whose evidence went before its time, for want of room.",
        attributes: &[],
        read: |snapshot| evidence(snapshot, |store| count(store.incidents_early)),
    },
    Metric {
        name: "weir.metrics.exports",
        instrument: Instrument::Counter,
        unit: "{export}",
        description: "Exports of these metrics, up to the one before this.",
        attributes: &["weir.outcome"],
        read: |snapshot| points(["accepted", "failed"].into_iter().zip(snapshot.exports)),
    },
];

fn one(value: f64) -> Vec<Point> {
    vec![Point { attributes: [""; 2], value }]
}

/// Exact up to 2^53.
fn count(count: u64) -> Vec<Point> {
    one(count as f64)
}

fn points(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Vec<Point> {
    counts.into_iter().map(|(name, count)| Point { attributes: [name, ""], value: count as f64 }).collect()
}

fn named(counts: &Counts) -> Vec<Point> {
    points(counts.iter().copied())
}

fn delivery(snapshot: &Snapshot, read: impl Fn(&Delivery) -> Vec<Point>) -> Vec<Point> {
    snapshot.delivery.as_ref().map(read).unwrap_or_default()
}

fn evidence(snapshot: &Snapshot, read: impl Fn(&store::Counts) -> Vec<Point>) -> Vec<Point> {
    snapshot.evidence.as_ref().map(read).unwrap_or_default()
}

fn by_kind(snapshot: &Snapshot, outcomes: &[Outcome]) -> Vec<Point> {
    let sum = |kind| outcomes.iter().map(|outcome| snapshot.totals.get(kind, *outcome)).fold(0, u64::saturating_add);
    points(Kind::ALL.into_iter().map(|kind| (kind.name(), sum(kind))))
}

/// A cause that never was is left out: some hundred series that say nothing.
fn dropped(snapshot: &Snapshot) -> Vec<Point> {
    let totals = &snapshot.totals;
    let mut points = Vec::new();
    for kind in Kind::ALL {
        let drops = Outcome::ALL.into_iter().filter(|outcome| outcome.is_drop());
        let causes = drops.map(|outcome| (outcome.name(), totals.get(kind, outcome)));
        for (cause, count) in causes.chain([(MISSED_BY_KERNEL, totals.missed(kind))]) {
            // That of a full ring always: a series to set an alarm on.
            if count > 0 || cause == Outcome::RingFull.name() {
                points.push(Point { attributes: [kind.name(), cause], value: count as f64 });
            }
        }
    }
    points
}
