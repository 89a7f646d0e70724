//! The state of one group, of whatever kind.

use super::Counters;
use super::counting::{Count, Distinct};
use super::portions::Portions;
use super::sequence::{Ordered, Together};
use super::spec::{Kind, Spec};
use crate::event::Event;
use std::sync::Arc;

/// A correlation's time, nanoseconds: the boot clock, and what lies before the boot ([`super::saved`]), so that what an earlier boot
/// left has a time as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// Nanoseconds from `earlier` to this, zero if it is later.
    pub fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A place in the order of events: time, and among events of the same nanosecond the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub time: Time,
    pub sequence: u64,
}

/// An event that matched a rule.
#[derive(Clone, Debug)]
pub struct Seen {
    pub time: Time,
    pub sequence: u64,
    /// Which of the correlation's rules.
    pub step: usize,
    pub event: Arc<Event>,
}

impl Seen {
    /// Its place in the order of events.
    pub fn moment(&self) -> Moment {
        Moment { time: self.time, sequence: self.sequence }
    }

    /// Whether it is no longer in the timespan that ends now.
    pub fn left(&self, spec: &Spec, now: Time) -> bool {
        now.since(self.time) > spec.window
    }
}

/// The condition holds.
pub struct Held {
    /// The count, sum or average.
    pub measure: Option<u128>,
    /// What shows it, the deciding event at the end.
    pub proof: Vec<Seen>,
}

/// A piece of a group's state as it is kept over a restart: whatever its kind, a state is some lists of these.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which of the lists.
    pub list: usize,
    pub seen: Seen,
    /// What else the kind has to know of it.
    pub numbers: Vec<u64>,
}

impl Row {
    pub fn plain(list: usize, seen: &Seen) -> Row {
        Row { list, seen: seen.clone(), numbers: Vec::new() }
    }
}

/// The state of one group.
#[derive(Debug)]
pub struct Group {
    state: State,
    episode: Option<Episode>,
    /// The latest time that was seen: when nothing comes for a timespan, the group is forgotten.
    pub latest: Time,
    /// When the session began; `None` before the first event.
    begun: Option<Time>,
}

/// A time in which the condition holds again and again, never a timespan without.
#[derive(Clone, Debug)]
pub struct Episode {
    pub first: Seen,
    pub latest: Time,
}

#[derive(Debug)]
enum State {
    Count(Count),
    Distinct(Distinct),
    Portions(Portions),
    Together(Together),
    Ordered(Ordered),
}

impl State {
    fn of(spec: &Spec, rows: Vec<Row>) -> State {
        match spec.kind {
            Kind::EventCount => State::Count(Count::of(rows)),
            Kind::ValueCount => State::Distinct(Distinct::of(rows)),
            Kind::ValueSum | Kind::ValueAvg | Kind::ValuePercentile(_) => State::Portions(Portions::of(rows)),
            Kind::Temporal => State::Together(Together::of(spec, rows)),
            Kind::TemporalOrdered => State::Ordered(Ordered::of(spec, rows)),
        }
    }
}

impl Group {
    pub fn new(spec: &Spec) -> Group {
        Group { state: State::of(spec, Vec::new()), episode: None, latest: Time(0), begun: None }
    }

    /// What was kept of it.
    pub fn of(spec: &Spec, rows: Vec<Row>, episode: Option<Episode>, latest: Time, begun: Option<Time>) -> Group {
        Group { state: State::of(spec, rows), episode, latest, begun }
    }

    /// What is to be kept of it.
    pub fn rows(&self) -> Vec<Row> {
        match &self.state {
            State::Count(state) => state.rows(),
            State::Distinct(state) => state.rows(),
            State::Portions(state) => state.rows(),
            State::Together(state) => state.rows(),
            State::Ordered(state) => state.rows(),
        }
    }

    /// The time in which the condition held, if it did.
    pub fn episode(&self) -> Option<&Episode> {
        self.episode.as_ref()
    }

    /// When its session began.
    pub fn begun(&self) -> Option<Time> {
        self.begun
    }

    /// How many events it keeps.
    pub fn len(&self) -> usize {
        match &self.state {
            State::Count(state) => state.len(),
            State::Distinct(state) => state.len(),
            State::Portions(state) => state.len(),
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
        self.begin_session(spec, now);
        self.latest = now;
        let mut missing = false;
        let held = match &mut self.state {
            State::Count(state) => state.advance(spec, seen, now),
            State::Distinct(state) => state.advance(spec, seen, now, &mut missing),
            State::Portions(state) => state.advance(spec, seen, now, &mut missing, &mut counters.merged),
            State::Together(state) => state.advance(spec, steps, seen, now),
            State::Ordered(state) => state.advance(spec, steps, seen, now),
        };
        counters.without_value += u64::from(missing);
        let mut held = held?;
        let continued = self.episode.as_ref().is_some_and(|episode| now.since(episode.latest) <= spec.window);
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

    /// Forgets what an earlier session left, if the rule asks for sessions and another one begins now.
    fn begin_session(&mut self, spec: &Spec, now: Time) {
        let Some(gap) = spec.gap else { return };
        let goes_on = |begun: Time| now.since(self.latest) <= gap && now.since(begun) <= spec.window;
        if !self.begun.is_some_and(goes_on) {
            *self = Group { begun: Some(now), ..Group::new(spec) };
        }
    }
}
