//! The state of one group, of whatever kind.

use super::Counters;
use super::counting::{Count, Distinct, Sum};
use super::sequence::{Ordered, Together};
use super::spec::{Kind, Spec};
use crate::event::{BootTime, Event};
use std::sync::Arc;

/// A place in the order of events: time, and among events of the same nanosecond the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub time: BootTime,
    pub sequence: u64,
}

/// An event that matched a rule.
#[derive(Clone, Debug)]
pub struct Seen {
    pub time: BootTime,
    pub sequence: u64,
    /// Which of the correlation's rules.
    pub step: usize,
    pub event: Arc<Event>,
}

impl Seen {
    /// Whether it is no longer in the timespan that ends now.
    pub fn left(&self, spec: &Spec, now: BootTime) -> bool {
        now.0.saturating_sub(self.time.0) > spec.window
    }
}

/// The condition holds.
pub struct Held {
    /// The count or sum.
    pub measure: Option<u128>,
    /// What shows it, the deciding event at the end.
    pub proof: Vec<Seen>,
}

/// The state of one group.
#[derive(Debug)]
pub struct Group {
    state: State,
    episode: Option<Episode>,
    /// The latest time that was seen: when nothing comes for a timespan, the group is forgotten.
    pub latest: BootTime,
}

/// A time in which the condition holds again and again, never a timespan without.
#[derive(Debug)]
struct Episode {
    first: Seen,
    latest: BootTime,
}

#[derive(Debug)]
enum State {
    Count(Count),
    Distinct(Distinct),
    Sum(Sum),
    Together(Together),
    Ordered(Ordered),
}

impl Group {
    pub fn new(spec: &Spec) -> Group {
        let state = match spec.kind {
            Kind::EventCount => State::Count(Count::default()),
            Kind::ValueCount => State::Distinct(Distinct::default()),
            Kind::ValueSum => State::Sum(Sum::default()),
            Kind::Temporal => State::Together(Together::default()),
            Kind::TemporalOrdered => State::Ordered(Ordered::default()),
        };
        Group { state, episode: None, latest: BootTime(0) }
    }

    /// How many events it keeps.
    pub fn len(&self) -> usize {
        match &self.state {
            State::Count(state) => state.len(),
            State::Distinct(state) => state.len(),
            State::Sum(state) => state.len(),
            State::Together(state) => state.len(),
            State::Ordered(state) => state.len(),
        }
    }

    /// Takes in an event that matched the rules `steps`, in ascending order. If the condition holds with it: what shows it,
    /// and whether that only continues an episode.
    ///
    /// An event that comes after a later one counts for the timespan at the later one's time; for the order at its own.
    pub fn advance(
        &mut self,
        spec: &Spec,
        steps: &[usize],
        seen: &Seen,
        counters: &mut Counters,
    ) -> Option<(Held, bool)> {
        let now = self.latest.max(seen.time);
        self.latest = now;
        let mut missing = false;
        let held = match &mut self.state {
            State::Count(state) => state.advance(spec, seen, now),
            State::Distinct(state) => state.advance(spec, seen, now, &mut missing),
            State::Sum(state) => state.advance(spec, seen, now, &mut missing, &mut counters.merged),
            State::Together(state) => state.advance(spec, steps, seen, now),
            State::Ordered(state) => state.advance(spec, steps, seen, now),
        };
        counters.without_value += u64::from(missing);
        let mut held = held?;
        let continued =
            self.episode.as_ref().is_some_and(|episode| now.0.saturating_sub(episode.latest.0) <= spec.window);
        match &mut self.episode {
            Some(episode) if continued => {
                episode.latest = now;
                if held.proof.iter().all(|seen| seen.sequence != episode.first.sequence) {
                    held.proof.insert(0, episode.first.clone());
                }
            }
            episode => {
                *episode = held.proof.first().map(|first| Episode { first: first.clone(), latest: now });
            }
        }
        Some((held, continued))
    }
}
