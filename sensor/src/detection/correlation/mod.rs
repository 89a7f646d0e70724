//! Correlations: rules on the matches of other rules. Here lives their evaluation, and nothing that knows what the rules are
//! about.
//!
//! Time comes from the events, in nanoseconds; the order of events is (time, order of arrival). Several CPUs tell of what happened
//! in another order than it did, so matches wait for a moment until they are in order ([`order`]). A timespan slides with the
//! events: what lies at most that long before an event is together with it. State is bounded in every direction, and so is
//! the time that one event can cost, whatever an attacker makes happen:
//! - groups: a table for each correlation, a share of it for each workload ([`table`]);
//! - events of a group: only those that can still make a difference ([`counting`]), a bounded number of sums of them
//!   ([`portions`]), or one a rule ([`sequence`]);
//! - an event without the value that it would be grouped by belongs to no group, and is counted.
//!
//! State is kept over a restart ([`saved`]).
//!
//! A correlation that comes to hold gives a finding. While it goes on to hold for the same group, each further event that
//! decides it again gives one that is marked as continued, with the first event of the episode as proof: whether anything is
//! worth saying again is for the alert to decide. After a timespan in which it did not hold, it begins anew.

mod counting;
pub mod order;
mod portions;
pub mod saved;
mod sequence;
mod spec;
mod state;
mod table;

#[cfg(test)]
mod tests;

pub use spec::{Kind, Spec, THRESHOLD_MAX};
pub use state::Time;
pub use table::Limits;

use super::{Evidence, Finding, Rule};
use crate::event::{Event, Field, Value};
use sha2::{Digest as _, Sha256};
use state::Seen;
use std::borrow::Cow;
use std::sync::Arc;
use table::{Key, Table};

/// What could not be taken in, and what was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Matches that had no value to group them by.
    pub without_key: u64,
    /// Matches that had no value to count, or no number to add.
    pub without_value: u64,
    /// Groups that were forgotten before their time, for want of room.
    pub evicted: u64,
    /// Portions of a sum, average or percentile that were merged, for want of room.
    pub merged: u64,
    /// Groups that were not kept over the last restart, for want of room.
    pub unsaved: u64,
    /// Groups now.
    pub groups: usize,
    /// Events that they keep.
    pub events: usize,
}

/// A correlation and its state.
#[derive(Debug)]
pub struct Correlation {
    rule: Arc<Rule>,
    spec: Spec,
    table: Table,
    counters: Counters,
    now: Time,
}

impl Correlation {
    /// With nothing seen yet.
    pub fn new(rule: Arc<Rule>, spec: Spec, limits: Limits) -> Correlation {
        Correlation { rule, spec, table: Table::new(limits), counters: Counters::default(), now: Time(0) }
    }

    /// The rule.
    pub fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// What could not be taken in so far, and how large the state is now.
    pub fn counters(&self) -> Counters {
        let (groups, events) = self.table.size();
        Counters { evicted: self.table.evicted(), groups, events, ..self.counters }
    }

    /// Goes on from what another one has seen that asks for the same.
    pub fn go_on_from(&mut self, other: Correlation) {
        (self.table, self.counters, self.now) = (other.table, other.counters, other.now);
    }

    /// Takes in an event of `time` that matched the correlation's rules `steps`, in ascending order. `sequence` rises by the event.
    /// Gives as many findings as groups came to hold; more than one only if aliases put the event into several.
    pub fn observe(
        &mut self,
        steps: &[usize],
        time: Time,
        sequence: u64,
        event: &Arc<Event>,
        findings: &mut Vec<Finding>,
    ) {
        self.now = self.now.max(time);
        let mut rest = steps.to_vec();
        while let Some(first) = rest.first().copied() {
            let Some(key) = self.key(first, event) else {
                self.counters.without_key += 1;
                rest.remove(0);
                continue;
            };
            let (same, others) =
                rest.iter().partition(|step| **step == first || self.key(**step, event).as_ref() == Some(&key));
            rest = others;
            let Some(step) = same.first().copied() else { continue };
            let seen = Seen { time, sequence, step, event: event.clone() };
            findings.extend(self.advance(&same, key, &seen));
        }
    }

    fn advance(&mut self, steps: &[usize], key: Key, seen: &Seen) -> Option<Finding> {
        let event = &seen.event;
        let owner = Field::WorkloadId.get(event);
        let owner = owner.as_ref().map(text).unwrap_or_default();
        let (spec, counters) = (&self.spec, &mut self.counters);
        let (held, continued) =
            self.table.with(&owner, &key, spec, self.now, |group| group.advance(spec, steps, seen, counters))?;
        let name = |step: usize| self.spec.steps.get(step).cloned().unwrap_or_default();
        let group = self.spec.group_names.iter().cloned().zip(key.iter().cloned()).collect();
        Some(Finding {
            rule: self.rule.clone(),
            time: event.time,
            decisive: event.clone(),
            evidence: held.proof.iter().map(|s| Evidence { rule_name: name(s.step), event: s.event.clone() }).collect(),
            group,
            continued,
            measure: held.measure,
        })
    }

    fn key(&self, step: usize, event: &Event) -> Option<Key> {
        let fields = self.spec.group_fields.get(step)?;
        fields.iter().map(|field| field.get(event).map(|value| bounded(&text(&value)))).collect()
    }
}

/// A value as text, for comparing and showing.
fn text<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Ratio(ratio) => Cow::Owned(ratio.to_string()),
        Value::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Value::List(list) => Cow::Owned(list.join("\n")),
    }
}

/// A part of a key: as it is if it is short; else its beginning, and a digest that tells it from all others.
fn bounded(text: &str) -> Box<str> {
    const LONGEST: usize = 256;
    if text.len() <= LONGEST {
        return text.into();
    }
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let start = text.get(..text.floor_char_boundary(LONGEST / 2)).unwrap_or_default();
    format!("{start}\u{2026}sha256:{hex}").into()
}
