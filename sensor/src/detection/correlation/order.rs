//! The reorder buffer: matches wait until they are in the order in which they happened.
//!
//! The kernel's records come from several CPUs: one that was interrupted between the event and its record tells of it after others.
//! So a match waits until the line's time, the latest that any event had, is [`BOUND`] past its own; then it goes on in its place.
//! What happened within that bound comes out the same in whatever order it arrived (of the same nanosecond, in the order of
//! arrival). Nothing waits for events of its kind: any event moves time, and where none comes the agent's tick does
//! ([`Order::is_due`]). Only matches of rules that correlations are made of wait; what a rule finds in one event is told at once.
//!
//! What comes later than the bound goes on at once, out of order, and is counted.

use crate::event::{BootTime, Event};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a match waits for earlier ones, in event time. Between the time that a record has and its place in the ring lie
/// microseconds, and a time slice where the CPU was taken away.
pub const BOUND: Duration = Duration::from_millis(50);
/// Most matches that wait; an event is about 1 KiB. When there are more, the earliest go on before their time.
pub const WAITING_MAX: usize = 4_096;

/// What waits, and what did not come in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Matches that wait.
    pub waiting: usize,
    /// Matches that came when later ones had already gone on.
    pub late: u64,
    /// Matches that went on before their time, for want of room.
    pub hurried: u64,
}

/// A match: an event, and which rules of which correlations it matched.
#[derive(Debug)]
pub struct Match {
    /// Its place among all events that arrived.
    pub sequence: u64,
    /// The event.
    pub event: Arc<Event>,
    /// The correlations, in ascending order, each with which of its rules.
    pub steps: Vec<(usize, usize)>,
}

/// Matches that wait.
#[derive(Debug)]
pub struct Order {
    bound: Duration,
    waiting: BTreeMap<(BootTime, u64), Match>,
    /// The latest that went on.
    passed: Option<(BootTime, u64)>,
    now: BootTime,
    late: u64,
    hurried: u64,
}

impl Order {
    /// With nothing waiting; `bound` zero: nothing ever waits.
    pub fn new(bound: Duration) -> Order {
        Order { bound, waiting: BTreeMap::new(), passed: None, now: BootTime(0), late: 0, hurried: 0 }
    }

    /// The same, of correlations that have other places now; `None`: that is no more.
    pub fn renumbered(mut self, place: impl Fn(usize) -> Option<usize>) -> Order {
        for matched in self.waiting.values_mut() {
            let steps = matched.steps.iter();
            matched.steps = steps.filter_map(|(index, step)| Some((place(*index)?, *step))).collect();
            matched.steps.sort_unstable();
        }
        self
    }

    /// Takes a match in.
    pub fn push(&mut self, matched: Match) {
        let moment = (matched.event.time, matched.sequence);
        self.late += u64::from(self.passed.is_some_and(|passed| moment < passed));
        self.waiting.insert(moment, matched);
    }

    /// It is `now`, or later.
    pub fn advance(&mut self, now: BootTime) {
        self.now = self.now.max(now);
    }

    /// The earliest match, if nothing that happened before it is waited for any more.
    pub fn take(&mut self) -> Option<Match> {
        let is_due = self.is_due(self.now);
        if !is_due && self.waiting.len() <= WAITING_MAX {
            return None;
        }
        self.hurried += u64::from(!is_due);
        self.take_first()
    }

    /// The earliest match, due or not: nothing comes any more.
    pub fn take_first(&mut self) -> Option<Match> {
        let (moment, matched) = self.waiting.pop_first()?;
        self.passed = self.passed.max(Some(moment));
        Some(matched)
    }

    /// Whether a match is due at `now`: an event of that time, whatever it is, lets it go on.
    pub fn is_due(&self, now: BootTime) -> bool {
        self.waiting.first_key_value().is_some_and(|((time, _), _)| time.plus(self.bound) <= now)
    }

    /// When the next match is due, if one waits.
    pub fn next_due(&self) -> Option<BootTime> {
        self.waiting.first_key_value().map(|((time, _), _)| time.plus(self.bound))
    }

    /// What waits, and what did not come in order.
    pub fn counters(&self) -> Counters {
        Counters { waiting: self.waiting.len(), late: self.late, hurried: self.hurried }
    }
}
