//! The coverage record: what was watched, seen and lost between two moments, and whether the canary came out.
//!
//! It has the form of an alert's record, and goes the same way. Its number grows by one: a gap shows at the collector that one is
//! missing, and a record that does not come in time shows that the sensor is not there.

use super::canary::{Deed, Fate};
use super::snapshot::{Counts, Snapshot};
use crate::event::{Kind, WallClock};
use crate::kernel::{Gap, counters::MISSED_BY_KERNEL};
use sensor_common::count::Outcome;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const EVENT_NAME: &str = "weir.coverage";

/// OpenTelemetry's numbers and names for the two severities that a record has.
const INFO: (u8, &str) = (9, "INFO");
const WARN: (u8, &str) = (13, "WARN");

/// Why a record is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The sensor has started.
    Start,
    /// The interval is over.
    Interval,
    /// The sensor ends by itself: nothing comes after it.
    End,
}

impl Occasion {
    /// The name in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Occasion::Start => "start",
            Occasion::Interval => "interval",
            Occasion::End => "end",
        }
    }
}

/// What a record is made of.
#[derive(Clone, Copy, Debug)]
pub struct Coverage<'a> {
    /// Which run of the sensor (`service.instance.id`).
    pub instance: &'a str,
    /// The record's number in this run, from 0.
    pub sequence: u64,
    /// Why it is made.
    pub occasion: Occasion,
    /// The next one is to come within about so long.
    pub interval: Duration,
    /// How it was at the last record.
    pub before: &'a Snapshot,
    /// How the clocks stood then: as that record ended, this one begins, to the microsecond.
    pub begun: WallClock,
    /// How it is now.
    pub now: &'a Snapshot,
    /// What became of each deed of the canary; `None`: there was none in this interval.
    pub canary: Option<[Fate; Deed::ALL.len()]>,
    /// The longest that a deed took to the end of the line.
    pub latency: Duration,
}

/// The record, as it is written out.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    time: String,
    event_name: &'static str,
    severity_number: u8,
    severity_text: &'static str,
    body: String,
    attributes: Map<String, Value>,
    coverage: Detail,
}

impl Record {
    /// OpenTelemetry's severity number.
    pub fn severity(&self) -> u8 {
        self.severity_number
    }

    /// Whether everything was watched, nothing was lost, and the canary came out.
    pub fn is_whole(&self) -> bool {
        self.severity_number == INFO.0
    }

    /// When it was made: RFC 3339, UTC.
    pub fn time(&self) -> &str {
        &self.time
    }

    /// `log.record.uid`
    pub fn uid(&self) -> &str {
        self.attributes.get("log.record.uid").and_then(Value::as_str).unwrap_or_default()
    }

    /// What it says, in a sentence.
    pub fn body(&self) -> &str {
        &self.body
    }
}

#[derive(Clone, Debug, Serialize)]
struct Detail {
    hooks: Vec<Watched>,
    events: Vec<Events>,
    evicted: BTreeMap<&'static str, u64>,
    unenriched: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Delivered>,
}

/// What became of what was told; of what is counted, what was added since the last record.
#[derive(Clone, Debug, Serialize)]
struct Delivered {
    waiting: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_seconds: Option<u64>,
    /// For want of room, by severity.
    evicted: BTreeMap<&'static str, u64>,
    /// In the spool and on the console, by what happened.
    lost: BTreeMap<&'static str, u64>,
    /// By what the collector did with it.
    results: BTreeMap<&'static str, u64>,
    /// Records that will never arrive, since the spool was made: if it grew between two runs, the one before could not tell.
    lost_ever: u64,
}

impl Delivered {
    /// Records that will never arrive.
    fn lost(&self) -> u64 {
        let lost = |name| self.lost.get(name).copied().unwrap_or(0);
        let evicted = self.evicted.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
        evicted.saturating_add(lost("refused")).saturating_add(lost("set_aside")).saturating_add(lost("flipped"))
    }
}

#[derive(Clone, Debug, Serialize)]
struct Watched {
    concern: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
    hooks: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Events {
    kind: &'static str,
    seen: u64,
    sent: u64,
    filtered: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dropped: BTreeMap<&'static str, u64>,
}

impl Coverage<'_> {
    /// As it is written out, with `clock` to tell wall time.
    pub fn record(&self, clock: WallClock) -> Record {
        let coverage = self.detail();
        let problems = self.problems(&coverage);
        let (severity_number, severity_text) = if problems.is_empty() { INFO } else { WARN };
        let time = clock.rfc3339(self.now.time).to_string();
        let attributes = self.attributes(&coverage, problems.is_empty());
        let body = self.sentence(&coverage, &problems);
        Record { time, event_name: EVENT_NAME, severity_number, severity_text, body, attributes, coverage }
    }

    fn detail(&self) -> Detail {
        let missing = |gap: &Gap| format!("{}: {}", gap.program, gap.reason);
        let hooks = self.now.hooks.iter().map(|watched| Watched {
            concern: watched.concern.name(),
            family: watched.family.map(|family| family.name()),
            hooks: watched.hooks.clone(),
            missing: watched.gaps.iter().map(missing).collect(),
        });
        let passed = (self.before.passed, self.now.passed);
        let unenriched = [
            ("process", passed.1.without_process.saturating_sub(passed.0.without_process)),
            ("workload", passed.1.without_workload.saturating_sub(passed.0.without_workload)),
            ("malformed", self.now.malformed.saturating_sub(self.before.malformed)),
        ];
        Detail {
            hooks: hooks.collect(),
            events: Kind::ALL.into_iter().map(|kind| self.events(kind)).filter(|events| !events.is_idle()).collect(),
            evicted: self.evicted(),
            unenriched: unenriched.into_iter().filter(|(_, count)| *count > 0).collect(),
            delivery: self.delivered(),
        }
    }

    fn delivered(&self) -> Option<Delivered> {
        let now = self.now.delivery.as_ref()?;
        let before = self.before.delivery.clone().unwrap_or_default();
        let more = |now: &Counts, before: &Counts| {
            let before = |name| before.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count);
            let more = now.iter().map(|(name, count)| (*name, count.saturating_sub(before(*name))));
            more.filter(|(_, count)| *count > 0).collect()
        };
        Some(Delivered {
            waiting: now.entries,
            oldest_seconds: now.oldest.map(|oldest| oldest.as_secs()),
            evicted: more(&now.evicted, &before.evicted),
            lost: more(&now.losses, &before.losses),
            results: more(&now.results, &before.results),
            lost_ever: now.lost_ever,
        })
    }

    fn events(&self, kind: Kind) -> Events {
        let (before, now) = (&self.before.totals, &self.now.totals);
        let more = |outcome| now.get(kind, outcome).saturating_sub(before.get(kind, outcome));
        let drops = Outcome::ALL.into_iter().filter(|outcome| outcome.is_drop());
        let missed = now.missed(kind).saturating_sub(before.missed(kind));
        let dropped = drops.map(|outcome| (outcome.name(), more(outcome))).chain([(MISSED_BY_KERNEL, missed)]);
        Events {
            kind: kind.name(),
            seen: more(Outcome::Seen),
            sent: more(Outcome::Sent),
            filtered: more(Outcome::Unmatched) + more(Outcome::Own),
            dropped: dropped.filter(|(_, count)| *count > 0).collect(),
        }
    }

    fn evicted(&self) -> BTreeMap<&'static str, u64> {
        let before = |name| self.before.tables.iter().find(|table| table.name == name).map_or(0, |table| table.evicted);
        let more = self.now.tables.iter().map(|table| (table.name, table.evicted.saturating_sub(before(table.name))));
        more.filter(|(_, count)| *count > 0).collect()
    }

    /// What makes it less than whole, each a clause.
    fn problems(&self, detail: &Detail) -> Vec<String> {
        let mut problems = Vec::new();
        let gaps = detail.hooks.iter().filter(|watched| !watched.missing.is_empty());
        let gaps: Vec<_> = gaps.map(|watched| watched.concern).collect();
        if !gaps.is_empty() {
            problems.push(format!("not watched whole: {}", gaps.join(", ")));
        }
        if detail.dropped() > 0 {
            let lossy = detail.events.iter().filter(|events| !events.dropped.is_empty());
            let each: Vec<_> = lossy.map(|events| format!("{} {}", events.lost(), events.kind)).collect();
            problems.push(format!("lost: {}", each.join(", ")));
        }
        if !detail.evicted.is_empty() {
            let each: Vec<_> = detail.evicted.iter().map(|(name, count)| format!("{count} {name}")).collect();
            problems.push(format!("forgotten for want of room: {}", each.join(", ")));
        }
        let fates = self.canary.into_iter().flat_map(|fates| Deed::ALL.into_iter().zip(fates));
        let astray = fates.filter(|(_, fate)| *fate == Fate::Missing || *fate == Fate::NotDone);
        let astray: Vec<_> = astray.map(|(deed, fate)| format!("{} {}", deed.name(), fate.name())).collect();
        if !astray.is_empty() {
            problems.push(format!("the canary did not come out: {}", astray.join(", ")));
        }
        if let Some(delivered) = &detail.delivery
            && delivered.lost() > 0
        {
            let all = delivered.evicted.iter().chain(&delivered.lost);
            let each: Vec<_> = all.map(|(name, count)| format!("{count} {name}")).collect();
            problems.push(format!("records that were told and will not arrive: {}", each.join(", ").replace('_', " ")));
        }
        if self.now.tampered > self.before.tampered {
            problems.push("somebody changed the sensor's own programs or tables".to_owned());
        }
        problems
    }

    fn sentence(&self, detail: &Detail, problems: &[String]) -> String {
        let seconds = self.now.time.since(self.before.time).as_secs();
        let seen = detail.sum(|events| events.seen);
        let state = match (problems, self.canary) {
            ([], Some(_)) => "nothing was lost and the canary came out".to_owned(),
            ([], None) => "nothing was lost".to_owned(),
            (problems, _) => problems.join("; "),
        };
        format!("Weir watched for {seconds} s and saw {seen} events; {state}.")
    }

    fn attributes(&self, detail: &Detail, whole: bool) -> Map<String, Value> {
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| drop(map.insert(name.to_owned(), value));
        put("log.record.uid", json!(format!("coverage-{}-{}", self.instance, self.sequence)));
        put("service.instance.id", json!(self.instance));
        put("weir.coverage.sequence", json!(self.sequence));
        put("weir.coverage.occasion", json!(self.occasion.name()));
        put("weir.coverage.begun", json!(self.begun.rfc3339(self.before.time).to_string()));
        put("weir.coverage.interval", json!(self.interval.as_secs()));
        put("weir.coverage.whole", json!(whole));
        put("weir.coverage.seen", json!(detail.sum(|events| events.seen)));
        put("weir.coverage.sent", json!(detail.sum(|events| events.sent)));
        put("weir.coverage.filtered", json!(detail.sum(|events| events.filtered)));
        put("weir.coverage.dropped", json!(detail.dropped()));
        put("weir.coverage.evicted", json!(detail.evicted.values().sum::<u64>()));
        put("weir.coverage.without_process", json!(detail.unenriched.get("process").copied().unwrap_or(0)));
        put("weir.coverage.without_workload", json!(detail.unenriched.get("workload").copied().unwrap_or(0)));
        if let Some(delivered) = &detail.delivery {
            put("weir.coverage.undelivered", json!(delivered.waiting));
            put("weir.coverage.delivery_lost", json!(delivered.lost()));
        }
        put("weir.coverage.tampered", json!(self.now.tampered > self.before.tampered));
        for (deed, fate) in self.canary.into_iter().flat_map(|fates| Deed::ALL.into_iter().zip(fates)) {
            put(&format!("weir.canary.{}", deed.name()), json!(fate.name()));
        }
        if self.canary.is_some_and(|fates| fates.contains(&Fate::Seen)) {
            put("weir.canary.latency", json!(self.latency.as_secs_f64()));
        }
        map
    }
}

impl Detail {
    fn sum(&self, of: impl Fn(&Events) -> u64) -> u64 {
        self.events.iter().map(of).fold(0, u64::saturating_add)
    }

    fn dropped(&self) -> u64 {
        self.sum(Events::lost)
    }
}

impl Events {
    fn lost(&self) -> u64 {
        self.dropped.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn is_idle(&self) -> bool {
        self.seen == 0 && self.sent == 0 && self.filtered == 0 && self.dropped.is_empty()
    }
}
