//! The state of a group of the temporal kinds: a few pinned events a rule, whatever the number of events.

use super::spec::Spec;
use super::state::{Held, Row, Seen, Time};
use std::sync::Arc;

/// temporal: each rule's latest event. All of them are within the timespan exactly if these are.
#[derive(Debug, Default)]
pub struct Together {
    first: Option<Seen>,
    latest: Vec<Option<Seen>>,
}

impl Together {
    /// `steps` are the rules that the event matched; `seen.step` is one of them.
    pub fn advance(&mut self, spec: &Spec, steps: &[usize], seen: &Seen, now: Time) -> Option<Held> {
        pin(&mut self.first, spec, seen, now);
        for step in steps {
            if let Some(latest) = self.latest.get_mut(*step) {
                *latest = Some(Seen { step: *step, time: now, ..seen.clone() });
            }
        }
        if self.latest.iter().any(|latest| latest.as_ref().is_none_or(|latest| latest.left(spec, now))) {
            return None;
        }
        let mut others: Vec<Seen> =
            self.latest.iter().flatten().filter(|latest| latest.sequence != seen.sequence).cloned().collect();
        others.sort_by_key(Seen::moment);
        Some(Held { measure: None, proof: with_first(&self.first, others, seen) })
    }

    /// The first event, then each rule's latest.
    pub fn rows(&self) -> Vec<Row> {
        let latest = self.latest.iter().flatten().map(|latest| Row::plain(1 + latest.step, latest));
        self.first.iter().map(|first| Row::plain(0, first)).chain(latest).collect()
    }

    pub fn of(spec: &Spec, rows: Vec<Row>) -> Together {
        let mut state = Together { first: None, latest: vec![None; spec.steps.len()] };
        for row in rows {
            let place = match row.list.checked_sub(1) {
                None => Some(&mut state.first),
                Some(step) => state.latest.get_mut(step),
            };
            if let Some(place) = place {
                *place = Some(row.seen);
            }
        }
        state
    }

    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.latest.iter().flatten().count()
    }
}

/// temporal_ordered: for each rule, of the chains of events that match the rules up to it one after the other, the one that
/// began last. It is the one that can be continued for longest, so no other has to be kept: O(rules) a group, and no search.
#[derive(Debug, Default)]
pub struct Ordered {
    first: Option<Seen>,
    chains: Vec<Option<Arc<Link>>>,
}

/// The end of a chain.
#[derive(Debug)]
struct Link {
    seen: Seen,
    begun: Time,
    before: Option<Arc<Link>>,
}

impl Ordered {
    /// `steps` are the rules that the event matched, in ascending order.
    pub fn advance(&mut self, spec: &Spec, steps: &[usize], seen: &Seen, now: Time) -> Option<Held> {
        if steps.first() == Some(&0) {
            pin(&mut self.first, spec, seen, now);
        }
        let mut complete = None;
        // From the last rule to the first, so that one event does not serve for two rules.
        for step in steps.iter().rev() {
            let seen = Seen { step: *step, ..seen.clone() };
            let link = match step.checked_sub(1) {
                None => Arc::new(Link { begun: seen.time, seen, before: None }),
                Some(previous) => {
                    let before = self.chains.get(previous).and_then(Option::as_ref);
                    let continued = |before: &&Arc<Link>| {
                        before.seen.moment() < seen.moment() && seen.time.since(before.begun) <= spec.window
                    };
                    let Some(before) = before.filter(continued) else { continue };
                    Arc::new(Link { begun: before.begun, seen, before: Some(before.clone()) })
                }
            };
            if *step + 1 == spec.steps.len() {
                complete = Some(link.clone());
            }
            if let Some(chain) = self.chains.get_mut(*step)
                && chain.as_ref().is_none_or(|chain| chain.begun <= link.begun)
            {
                *chain = Some(link);
            }
        }
        let complete = complete?;
        let mut others: Vec<Seen> = std::iter::successors(complete.before.as_deref(), |link| link.before.as_deref())
            .map(|l| l.seen.clone())
            .collect();
        others.reverse();
        Some(Held { measure: None, proof: with_first(&self.first, others, &complete.seen) })
    }

    /// The first event, then each rule's chain.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.first.iter().map(|first| Row::plain(0, first)).collect();
        for (step, chain) in self.chains.iter().enumerate() {
            let start = rows.len();
            let links = std::iter::successors(chain.as_deref(), |link| link.before.as_deref());
            rows.extend(links.map(|link| Row::plain(1 + step, &link.seen)));
            if let Some(chain) = rows.get_mut(start..) {
                chain.reverse();
            }
        }
        rows
    }

    pub fn of(spec: &Spec, rows: Vec<Row>) -> Ordered {
        let mut state = Ordered { first: None, chains: vec![None; spec.steps.len()] };
        for row in rows {
            let Some(step) = row.list.checked_sub(1) else {
                state.first = Some(row.seen);
                continue;
            };
            let Some(chain) = state.chains.get_mut(step) else { continue };
            // A chain has one link for each rule up to its own.
            let next = chain.as_ref().map_or(0, |before| before.seen.step + 1);
            if row.seen.step != next || next > step {
                continue;
            }
            let before = chain.take();
            let begun = before.as_ref().map_or(row.seen.time, |before| before.begun);
            *chain = Some(Arc::new(Link { begun, seen: row.seen, before }));
        }
        state
    }

    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.chains.iter().flatten().count()
    }
}

/// Keeps the first event of the group for as long as it is in the timespan.
fn pin(first: &mut Option<Seen>, spec: &Spec, seen: &Seen, now: Time) {
    if first.as_ref().is_none_or(|first| first.left(spec, now)) {
        *first = Some(seen.clone());
    }
}

/// The first event of all, if it is before the others; they; and the one that decided.
fn with_first(first: &Option<Seen>, others: Vec<Seen>, decisive: &Seen) -> Vec<Seen> {
    let mut proof = Vec::with_capacity(others.len() + 2);
    let earliest = others.first().unwrap_or(decisive).moment();
    proof.extend(first.as_ref().filter(|first| first.moment() < earliest).cloned());
    proof.extend(others);
    proof.push(decisive.clone());
    proof
}
