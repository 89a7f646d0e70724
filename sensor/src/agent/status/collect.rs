//! Filling the document in.

use super::{
    ApiServer, Correlation, Counts, Delivery, Events, Filter, Ledger, Loss, Missing, Pinned, Privileges, Refusal,
    Rules, Runtime, Status, Table, Usage, Watched,
};
use crate::agent::reload::InEffect;
use crate::agent::{Agent, privileges as own, runtime, system};
use crate::delivery::health::{self, Snapshot};
use crate::event::{BootTime, Kind, Rfc3339, WallClock};
use crate::kernel::{Coverage, Totals};
use sensor_common::count::Outcome;
use std::sync::Arc;
use std::time::Duration;

/// What was lost, or done to the sensor's own programs, counts as a problem for so long.
const RECENT: Duration = Duration::from_secs(600);
/// Most problems of refused rules that are told.
const PROBLEMS: usize = 20;

/// What is kept for the next status.
pub struct Collected {
    /// How far each concern is watched.
    pub coverage: Arc<[Coverage]>,
    /// Since when.
    pub since: BootTime,
    /// When the last status was written, and the totals then.
    before: (BootTime, Totals),
    /// When something was last lost.
    pub lost: Option<BootTime>,
    /// When somebody last was found to have tampered with the programs or tables.
    pub tampered: Option<BootTime>,
}

impl Collected {
    /// At the start, with these hooks.
    pub fn new(coverage: Vec<Coverage>, now: BootTime) -> Collected {
        Collected {
            coverage: coverage.into(),
            since: now,
            before: (now, Totals::default()),
            lost: None,
            tampered: None,
        }
    }

    /// What was counted up to then is not this run's.
    pub fn goes_on_from(&mut self, time: BootTime, totals: &Totals) {
        self.before = (time, *totals);
    }
}

impl Agent {
    /// How the sensor is now. Rates are counted from here on.
    pub(in crate::agent) fn status(&mut self) -> Status {
        let (snapshot, clock) = (self.snapshot(), system::wall_clock());
        let time = |at: BootTime| clock.rfc3339(at).to_string();
        let (now, totals) = (snapshot.time, snapshot.totals);
        let (last, before) = std::mem::replace(&mut self.collected.before, (now, totals));
        let rate_seconds = now.since(last).as_secs_f64();
        let provenance = self.line.provenance();
        let detection = self.line.detection();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            since: time(snapshot.since),
            time: time(now),
            seconds: now.since(snapshot.since).as_secs(),
            problems: self.problems(&snapshot),
            process: usage(&snapshot.usage),
            pinned: self.pinned.map(|pinned| Pinned { generation: pinned.generation, taken_over: self.taken_over }),
            privileges: privileges(own::left()),
            hooks: snapshot.hooks.iter().map(watched).collect(),
            rate_seconds,
            events: Kind::ALL.into_iter().map(|kind| events(kind, &totals, &before, rate_seconds)).collect(),
            lost: losses(&totals),
            tables: snapshot.tables.into_iter().map(table).collect(),
            rules: rules(&self.in_effect, clock),
            filters: detection
                .filters
                .iter()
                .map(|(title, taken)| Filter { title: title.to_string(), taken: *taken })
                .collect(),
            correlations: detection
                .correlations
                .iter()
                .map(|(rule, counters)| Correlation {
                    name: rule.name.to_string(),
                    groups: counters.groups as u64,
                    events: counters.events as u64,
                    without_key: counters.without_key,
                    without_value: counters.without_value,
                    evicted: counters.evicted,
                })
                .collect(),
            alerts: named(snapshot.alerts),
            looks: named(snapshot.looks),
            carriers: named(snapshot.carriers),
            runtimes: self.runtimes.states().into_iter().map(runtime).collect(),
            kube: self.runtimes.kube().map(api_server),
            ledger: Ledger {
                kept: self.ledger.is_kept(),
                saved: self.ledger.saved().map(time),
                accounts: provenance.egress.accounts as u64,
                unattributed: provenance.egress.unattributed,
                unattributed_bytes: provenance.egress.unattributed_bytes,
            },
            evidence: snapshot.evidence.map(|store| named(store.named())),
            ring_bytes: snapshot.ring.bytes,
            ring_limit: snapshot.ring.limit,
            canary_rounds: snapshot.canaries.rounds,
            canary_missing: snapshot.canaries.missing.iter().sum(),
            delivery: snapshot.delivery.map(|delivery| Delivery {
                waiting: delivery.entries,
                bytes: delivery.bytes,
                limit: delivery.limit,
                oldest_seconds: delivery.oldest.map(|oldest| oldest.as_secs()),
                last: delivery.last.map(|seconds| Rfc3339::new(seconds.saturating_mul(1_000_000_000)).to_string()),
                trouble: delivery.trouble.or(delivery.disk_trouble),
                evicted: named(delivery.evicted),
                losses: named(delivery.losses),
                results: named(delivery.results),
            }),
        }
    }

    /// What makes the sensor less than it should be.
    fn problems(&self, snapshot: &Snapshot) -> Vec<String> {
        let (mut problems, now) = (Vec::new(), snapshot.time);
        if let Some(store) = snapshot.evidence.filter(|store| store.incidents_early > 0) {
            let early = store.incidents_early;
            problems.push(format!("the evidence of {early} incidents went before its time for want of room: give it more with evidence.bytes in weir.yml, or export what matters"));
        }
        if let Some(store) = snapshot.evidence.filter(|store| store.dropped_disk > 0) {
            let dropped = store.dropped_disk;
            problems.push(format!(
                "{dropped} events are not in the evidence because the disk refused them: see that there is room"
            ));
        }
        if let Some(delivery) = &snapshot.delivery {
            if let Some(reason) = &delivery.disk_trouble {
                problems.push(format!("alerts are in memory only, where a crash would lose them: {reason}"));
            }
            if let Some(reason) = &delivery.trouble {
                problems.push(format!("{} records wait for the collector: {reason}", delivery.entries));
            }
        }
        problems.extend(self.privileges.problems.iter().cloned());
        for coverage in self.collected.coverage.iter().filter(|coverage| !coverage.is_whole()) {
            for gap in &coverage.gaps {
                let (concern, program, reason, mend) = (coverage.concern.name(), gap.program, &gap.reason, gap.mend);
                problems.push(format!("{concern} is not watched whole, {program} does not run: {reason}; {mend}"));
            }
        }
        let recent = |at: &Option<BootTime>| at.is_some_and(|at| now.since(at) < RECENT);
        if recent(&self.collected.lost) {
            problems.push("events were lost within the last ten minutes: see what and why below".to_owned());
        }
        if recent(&self.collected.tampered) {
            let what = "somebody has changed the sensor's own programs or tables within the last ten minutes";
            problems.push(format!("{what}: see the alert, and restart the sensor"));
        }
        if let Some((_, refused)) = &self.in_effect.refused {
            let first = refused.problems.first().map(String::as_str).unwrap_or_default();
            problems.push(format!("rules were not taken, and those before them go on: {first}"));
        }
        for state in self.runtimes.states().into_iter().filter(|state| !state.connected) {
            let reason = state.reason.unwrap_or_else(|| "it has not answered yet".to_owned());
            problems.push(format!("no container runtime answers at {}: {reason}", state.path.display()));
        }
        if let Some(state) = self.runtimes.kube().filter(|state| !state.connected) {
            let reason = state.reason.unwrap_or_else(|| "it has not answered yet".to_owned());
            problems.push(format!("the API server does not answer: {reason}"));
        }
        if self.ledger.is_wanted() && !self.ledger.is_kept() {
            problems.push("what has left is not kept over restarts: give a directory with --state-dir".to_owned());
        }
        if self.malformed > 0 {
            let malformed = self.malformed;
            problems.push(format!("{malformed} records of the kernel side could not be read: agent and object differ"));
        }
        problems
    }
}

fn runtime(state: runtime::State) -> Runtime {
    Runtime {
        socket: state.path.display().to_string(),
        name: state.runtime,
        connected: state.connected,
        since: state.since.map(|since| humantime::format_rfc3339_seconds(since).to_string()),
        reason: state.reason,
        watch: state.watch.map(str::to_owned),
        known: state.known,
        asked: state.asked,
        answered: state.answered,
        unknown: state.unknown,
        failed: state.failed,
        refused: state.refused,
    }
}

fn privileges(left: own::Left) -> Privileges {
    let own::Left { capabilities, no_new_privileges, seccomp } = left;
    Privileges { capabilities, no_new_privileges, seccomp }
}

fn api_server(state: runtime::kube::State) -> ApiServer {
    ApiServer {
        server: state.server,
        node: state.node.into(),
        connected: state.connected,
        since: state.since.map(|since| humantime::format_rfc3339_seconds(since).to_string()),
        reason: state.reason,
        pods: state.pods,
        told: state.told,
        failed: state.failed,
    }
}

fn named(counts: Vec<(&'static str, u64)>) -> Counts {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn watched(coverage: &Coverage) -> Watched {
    let missing = |gap: &crate::kernel::Gap| Missing {
        program: gap.program.to_owned(),
        reason: gap.reason.clone(),
        mend: gap.mend.to_owned(),
    };
    Watched {
        concern: coverage.concern.name().to_owned(),
        family: coverage.family.map(|family| family.name().to_owned()),
        hooks: coverage.hooks.iter().map(|hook| (*hook).to_owned()).collect(),
        passed_over: coverage.passed_over.clone(),
        missing: coverage.gaps.iter().map(missing).collect(),
    }
}

fn events(kind: Kind, now: &Totals, before: &Totals, seconds: f64) -> Events {
    let rate = |outcome| {
        let more = now.get(kind, outcome).saturating_sub(before.get(kind, outcome));
        if seconds > 0.0 { more as f64 / seconds } else { 0.0 }
    };
    Events {
        kind: kind.name().to_owned(),
        seen_per_second: rate(Outcome::Seen),
        sent_per_second: rate(Outcome::Sent),
        seen: now.get(kind, Outcome::Seen),
        sent: now.get(kind, Outcome::Sent),
        lost: now.lost(kind),
    }
}

fn losses(totals: &Totals) -> Vec<Loss> {
    let all = totals.lost_since(&Totals::default(), BootTime(0));
    all.into_iter().map(|lost| Loss { kind: lost.kind.into(), cause: lost.cause.into(), count: lost.count }).collect()
}

fn table(occupancy: crate::line::Occupancy) -> Table {
    Table {
        name: occupancy.name.to_owned(),
        entries: occupancy.entries as u64,
        limit: occupancy.limit as u64,
        evicted: occupancy.evicted,
    }
}

fn rules(in_effect: &InEffect, clock: WallClock) -> Rules {
    let refused = in_effect.refused.as_ref().map(|(at, refused)| Refusal {
        time: clock.rfc3339(*at).to_string(),
        problems: refused.problems.iter().take(PROBLEMS).cloned().collect(),
        count: refused.problems.len() as u64,
    });
    Rules {
        version: in_effect.what.ruleset.to_string(),
        classes: in_effect.what.classes.to_string(),
        rules: in_effect.what.rules,
        filters: in_effect.what.filters,
        since: clock.rfc3339(in_effect.since).to_string(),
        reloads: in_effect.reloads,
        refused,
    }
}

fn usage(usage: &health::Usage) -> Usage {
    Usage {
        memory_bytes: usage.memory_bytes,
        memory_peak_bytes: usage.memory_peak_bytes,
        cpu_seconds: usage.cpu.as_secs_f64(),
    }
}
