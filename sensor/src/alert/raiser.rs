//! From findings to alerts: the same is said once, and again only when it has grown.

use super::trailing::{Key, Pace, Total, Trailing, has_grown};
use super::{Alert, Uid, sentence};
use crate::bounded::Bounded;
use crate::detection::{Finding, RuleSet};
use crate::event::{Body, BootTime, Event, Field, Flow, FlowReason, Value};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Alerts that are known as said.
    pub said: usize,
    /// Alerts that have grown and whose total waits to be said. Each keeps its proof: some 10 kB, mostly less.
    pub trailing: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { said: 16_384, trailing: 1_024 }
    }
}

/// What became of the findings: `raised + updated + suppressed` is all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Alerts that were new.
    pub raised: u64,
    /// Alerts that were said again, because they grew.
    pub updated: u64,
    /// Findings that were not said, because the same was before.
    pub suppressed: u64,
    /// Alerts that were said again later, with a total that was held back: each a finding that is among the suppressed ones.
    pub trailing: u64,
    /// Totals that were said before their time, for want of room; they are among `trailing`.
    pub hurried: u64,
    /// Totals that nobody was told of, because their alert was forgotten as said.
    pub lost: u64,
    /// Alerts that were forgotten as said, for want of room: they may be said once too often.
    pub evicted: u64,
}

/// Makes alerts of findings.
///
/// The same are findings of one rule about one subject: a correlation's group, else the values of the rule's `subject`. They
/// are not said again within the rule's `suppress`, counted from the last time; findings that only continue an episode are not
/// said again ever. But when the bytes that are at stake have at least doubled since, or the flow that was said has closed with
/// more, the alert is said again, under the same id and with a higher revision: O(log n) times.
///
/// What has grown by less, but by a fiftieth at least, waits, and is said by itself ([`Raiser::due`]): so that the last that was
/// said of something is what it came to, within 2 %. The first total of an alert waits for a second, the next for two, then four and
/// so on up to an hour.
#[derive(Debug)]
pub struct Raiser {
    ruleset: Arc<str>,
    said: Bounded<Key, Said>,
    trailing: Trailing,
    limits: Limits,
    statistics: Statistics,
}

/// What was said.
#[derive(Debug)]
struct Said {
    uid: Uid,
    revision: u32,
    at: BootTime,
    size: u128,
    socket: Option<u64>,
    suppressed: u64,
    pace: Pace,
}

/// Within this time what has doubled is not said again, only what is four times as much: a theft takes seconds, and a person
/// reads each line of it.
const SOON: Duration = Duration::from_secs(30);

impl Raiser {
    /// With nothing said yet; the alerts will name the set's version.
    pub fn new(set: &RuleSet) -> Raiser {
        Raiser::with_limits(set, Limits::default())
    }

    /// With another bound for what is remembered.
    pub fn with_limits(set: &RuleSet, limits: Limits) -> Raiser {
        let said = Bounded::new(limits.said, Duration::ZERO);
        let trailing = Trailing::new(limits.trailing);
        Raiser { ruleset: set.digest().clone(), said, trailing, limits, statistics: Statistics::default() }
    }

    /// From now on findings are of the set of that version. What was said stays said; totals that wait are said under the version
    /// that found them.
    pub fn set_version(&mut self, ruleset: Arc<str>) {
        self.ruleset = ruleset;
    }

    /// What became of the findings so far.
    pub fn statistics(&self) -> Statistics {
        Statistics { evicted: self.said.evictions().live, ..self.statistics }
    }

    /// How many alerts are known as said.
    pub fn said_len(&self) -> usize {
        self.said.len()
    }

    /// How many alerts have a total that waits to be said.
    pub fn trailing_len(&self) -> usize {
        self.trailing.len()
    }

    /// Whether [`Raiser::due`] has something to say at `now`.
    pub fn is_due(&self, now: BootTime) -> bool {
        self.trailing.is_due(now)
    }

    /// The totals that have waited long enough at `now`. To be asked before the findings of that time are raised.
    pub fn due(&mut self, now: BootTime) -> Vec<Alert> {
        let mut alerts = Vec::new();
        while self.trailing.is_due(now) {
            let hurried = self.trailing.len() > self.limits.trailing;
            alerts.extend(self.say_first(now));
            self.statistics.hurried += u64::from(hurried);
        }
        alerts
    }

    /// All totals that wait: nothing comes after `now`.
    pub fn rest(&mut self, now: BootTime) -> Vec<Alert> {
        let mut alerts = Vec::new();
        while self.trailing.len() > 0 {
            alerts.extend(self.say_first(now));
        }
        alerts
    }

    /// The alert whose total is due first.
    fn say_first(&mut self, now: BootTime) -> Option<Alert> {
        let Total { key, finding, ruleset, size } = self.trailing.take_first()?;
        let Some(said) = self.said.get(&key) else {
            self.statistics.lost += 1;
            return None;
        };
        self.statistics.trailing += 1;
        said.revision = said.revision.saturating_add(1);
        (said.at, said.size, said.socket) = (said.at.max(now), size, socket(&finding));
        said.pace.slow_down();
        // It is one of those that were not said.
        let suppressed = std::mem::take(&mut said.suppressed).saturating_sub(1);
        let (uid, revision) = (said.uid, said.revision);
        let group = group(&finding);
        Some(alert(finding, ruleset, group, uid, revision, suppressed))
    }

    /// The alert that `finding` is worth, if any.
    pub fn raise(&mut self, finding: Finding) -> Option<Alert> {
        let group = group(&finding);
        let key = key(&finding, &group);
        let (size, socket, closed) = (size(&finding), socket(&finding), is_closed(&finding));
        let statistics = &mut self.statistics;
        let mut suppressed = 0;
        let (uid, revision) = match self.said.get(&key) {
            None => {
                statistics.raised += 1;
                let uid = uid(&finding, &group);
                let pace = Pace::default();
                self.said.insert(key, Said { uid, revision: 0, at: finding.time, size, socket, suppressed, pace });
                (uid, 0)
            }
            Some(said) => {
                let pace = if finding.time.since(said.at) < SOON { 4 } else { 2 };
                let grown = size >= said.size.saturating_mul(pace) && said.size > 0
                    || closed && socket == said.socket && size > said.size;
                let over = finding.time.since(said.at) > finding.rule.suppress;
                if over && !finding.continued {
                    (said.uid, said.revision, said.pace) = (uid(&finding, &group), 0, Pace::default());
                    self.trailing.remove(&key);
                    statistics.raised += 1;
                } else if grown {
                    said.revision = said.revision.saturating_add(1);
                    statistics.updated += 1;
                } else {
                    said.suppressed += 1;
                    statistics.suppressed += 1;
                    if has_grown(size, said.size) {
                        let wait = said.pace.wait(finding.time.since(said.at));
                        self.trailing.hold(Total { key, finding, ruleset: self.ruleset.clone(), size }, wait);
                    }
                    return None;
                }
                self.trailing.said(&key, size);
                (said.at, said.size, said.socket) = (finding.time, size, socket);
                suppressed = std::mem::take(&mut said.suppressed);
                (said.uid, said.revision)
            }
        };
        Some(alert(finding, self.ruleset.clone(), group, uid, revision, suppressed))
    }
}

fn alert(finding: Finding, ruleset: Arc<str>, group: Group, uid: Uid, revision: u32, suppressed: u64) -> Alert {
    Alert {
        uid,
        revision,
        sentence: sentence::sentence(&finding),
        ruleset,
        time: finding.time,
        begun: finding.evidence.first().map_or(finding.time, |first| first.event.time),
        decisive: finding.decisive,
        evidence: finding.evidence,
        group,
        suppressed,
        rule: finding.rule,
        incident: None,
    }
}

type Group = Arc<[(Box<str>, Box<str>)]>;

/// What the finding is about.
fn group(finding: &Finding) -> Group {
    if !finding.group.is_empty() {
        return finding.group.clone();
    }
    let value = |field: &Field| {
        let value = field.get(&finding.decisive);
        (field.name().into(), value.map(text).unwrap_or_default().into())
    };
    finding.rule.subject.iter().map(value).collect()
}

fn text(value: Value<'_>) -> Cow<'_, str> {
    match value {
        Value::Text(text) => text,
        Value::Number(number) => number.to_string().into(),
        Value::Ratio(ratio) => ratio.to_string().into(),
        Value::Flag(flag) => flag.to_string().into(),
        Value::List(list) => list.join("\n").into(),
    }
}

/// By digest, so that the table's size does not depend on what attackers call things.
fn key(finding: &Finding, group: &[(Box<str>, Box<str>)]) -> Key {
    digest(finding, group).finalize().first_chunk().copied().unwrap_or_default()
}

fn digest(finding: &Finding, group: &[(Box<str>, Box<str>)]) -> Sha256 {
    let mut digest = Sha256::new();
    update(&mut digest, &finding.rule.id);
    for (name, value) in group {
        update(&mut digest, name);
        update(&mut digest, value);
    }
    digest
}

fn update(digest: &mut Sha256, text: &str) {
    digest.update((text.len() as u64).to_le_bytes());
    digest.update(text.as_bytes());
}

/// Of rule, group and everything that is known of the first event.
fn uid(finding: &Finding, group: &[(Box<str>, Box<str>)]) -> Uid {
    let mut digest = digest(finding, group);
    let first: &Event = finding.evidence.first().map_or(&finding.decisive, |first| &first.event);
    digest.update(first.time.0.to_le_bytes());
    for field in Field::ALL {
        if let Some(value) = field.get(first) {
            update(&mut digest, field.name());
            update(&mut digest, &text(value));
        }
    }
    Uid::from_digest(&digest.finalize())
}

/// How much is at stake: what a counting correlation counted; else what the workload sent away of what it holds; else the
/// flow's bytes.
fn size(finding: &Finding) -> u128 {
    let flow = flow(finding);
    let sent = finding.decisive.egress.as_deref().map(|egress| match &egress.exfil {
        _ if egress.destination.declared => egress.destination.day_bytes,
        Some(exfil) => exfil.bytes,
        None => 0,
    });
    let bytes = match (flow, &finding.decisive.body) {
        (Some(flow), _) => Some(sent.unwrap_or(0).max(flow.bytes)),
        (None, Body::Egress(_)) => sent,
        _ => None,
    };
    finding.measure.or(bytes.map(u128::from)).unwrap_or(0)
}

fn socket(finding: &Finding) -> Option<u64> {
    flow(finding).map(|flow| flow.socket_cookie)
}

fn is_closed(finding: &Finding) -> bool {
    flow(finding).is_some_and(|flow| flow.reason == FlowReason::Closed)
}

fn flow(finding: &Finding) -> Option<&Flow> {
    match &finding.decisive.body {
        Body::Flow(flow) => Some(flow),
        _ => None,
    }
}
