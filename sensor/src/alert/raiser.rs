//! From findings to alerts: the same is said once, and again only when it has grown.

use super::{Alert, Uid, sentence};
use crate::bounded::Bounded;
use crate::detection::{Finding, RuleSet};
use crate::event::{Body, BootTime, Event, Field, FlowReason, Value};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Alerts that are known as said.
    pub said: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { said: 16_384 }
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
    /// Alerts that were forgotten as said, for want of room: they may be said once too often.
    pub evicted: u64,
}

/// Makes alerts of findings.
///
/// The same are findings of one rule about one subject: a correlation's group, else the values of the rule's `subject`. They
/// are not said again within the rule's `suppress`, counted from the last time; findings that only continue an episode are not
/// said again ever. But when the bytes that are at stake have at least doubled since, or the flow that was said has closed with
/// more, the alert is said again, under the same id and with a higher revision: O(log n) times.
#[derive(Debug)]
pub struct Raiser {
    ruleset: Arc<str>,
    said: Bounded<[u8; 16], Said>,
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
        Raiser { ruleset: set.digest().clone(), said, statistics: Statistics::default() }
    }

    /// What became of the findings so far.
    pub fn statistics(&self) -> Statistics {
        Statistics { evicted: self.said.evictions().live, ..self.statistics }
    }

    /// How many alerts are known as said.
    pub fn said_len(&self) -> usize {
        self.said.len()
    }

    /// The alert that `finding` is worth, if any.
    pub fn raise(&mut self, finding: Finding) -> Option<Alert> {
        let group = group(&finding);
        let key = key(&finding, &group);
        let (size, socket, closed) = size(&finding);
        let statistics = &mut self.statistics;
        let mut suppressed = 0;
        let (uid, revision) = match self.said.get(&key) {
            None => {
                statistics.raised += 1;
                let uid = uid(&finding, &group);
                self.said.insert(key, Said { uid, revision: 0, at: finding.time, size, socket, suppressed });
                (uid, 0)
            }
            Some(said) => {
                let pace = if finding.time.since(said.at) < SOON { 4 } else { 2 };
                let grown = size >= said.size.saturating_mul(pace) && said.size > 0
                    || closed && socket == said.socket && size > said.size;
                let over = finding.time.since(said.at) > finding.rule.suppress;
                if over && !finding.continued {
                    (said.uid, said.revision) = (uid(&finding, &group), 0);
                    statistics.raised += 1;
                } else if grown {
                    said.revision = said.revision.saturating_add(1);
                    statistics.updated += 1;
                } else {
                    said.suppressed += 1;
                    statistics.suppressed += 1;
                    return None;
                }
                (said.at, said.size, said.socket) = (finding.time, size, socket);
                suppressed = std::mem::take(&mut said.suppressed);
                (said.uid, said.revision)
            }
        };
        Some(Alert {
            uid,
            revision,
            sentence: sentence::sentence(&finding),
            ruleset: self.ruleset.clone(),
            time: finding.time,
            begun: finding.evidence.first().map_or(finding.time, |first| first.event.time),
            decisive: finding.decisive,
            evidence: finding.evidence,
            group,
            suppressed,
            rule: finding.rule,
            incident: None,
        })
    }
}

/// What the finding is about.
fn group(finding: &Finding) -> Arc<[(Box<str>, Box<str>)]> {
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
fn key(finding: &Finding, group: &[(Box<str>, Box<str>)]) -> [u8; 16] {
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
/// flow's bytes. With the flow's socket, and whether it has closed.
fn size(finding: &Finding) -> (u128, Option<u64>, bool) {
    let flow = match &finding.decisive.body {
        Body::Flow(flow) => Some(flow),
        _ => None,
    };
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
    let size = finding.measure.or(bytes.map(u128::from)).unwrap_or(0);
    (size, flow.map(|flow| flow.socket_cookie), flow.is_some_and(|flow| flow.reason == FlowReason::Closed))
}
