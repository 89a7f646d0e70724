//! What alerts have grown to since they were last said, until it is time to say it: their last totals.

use crate::detection::Finding;
use crate::event::BootTime;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// What is known of an alert by: a digest of its rule and group.
pub type Key = [u8; 16];

/// A total waits at least so long, so that what takes a moment is told once, whole.
const SHORTEST: Duration = Duration::from_secs(1);
/// And at most so long; an alert of which nothing was said for longer begins with [`SHORTEST`] again.
const LONGEST: Duration = Duration::from_secs(3600);

/// Whether `size` is more than `said` by so much that it is worth saying: a fiftieth, 2 %.
pub fn has_grown(size: u128, said: u128) -> bool {
    size > said && size - said >= said / 50
}

/// How long an alert's next total waits: twice as long each time, so that a slow drip is not chatty.
#[derive(Clone, Copy, Debug)]
pub struct Pace(Duration);

impl Default for Pace {
    fn default() -> Pace {
        Pace(SHORTEST)
    }
}

impl Pace {
    /// The wait of a total that is held back when nothing was said of its alert for `quiet`.
    pub fn wait(&mut self, quiet: Duration) -> Duration {
        if quiet > LONGEST {
            *self = Pace::default();
        }
        self.0
    }

    /// A total was said.
    pub fn slow_down(&mut self) {
        self.0 = self.0.saturating_mul(2).min(LONGEST);
    }
}

/// The latest finding of each alert that has grown, by when it is due.
///
/// At most as many as the limit: what is over it is due at once, the earliest first, so that no total is lost for want of room.
#[derive(Debug)]
pub struct Trailing {
    pending: HashMap<Key, Pending, ahash::RandomState>,
    /// As many as `pending`, the earliest first.
    due: BTreeSet<(BootTime, Key)>,
    limit: usize,
}

#[derive(Debug)]
struct Pending {
    total: Total,
    due: BootTime,
}

/// What an alert has grown to.
#[derive(Debug)]
pub struct Total {
    /// Which alert.
    pub key: Key,
    /// What shows it.
    pub finding: Finding,
    /// The version of the rule set that found it.
    pub ruleset: Arc<str>,
    /// How much.
    pub size: u128,
}

impl Trailing {
    /// With nothing held back.
    pub fn new(limit: usize) -> Trailing {
        Trailing { pending: HashMap::default(), due: BTreeSet::new(), limit }
    }

    /// How many alerts have a total that is held back.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Holds a total back, for `wait` if it is the first of its alert; the largest is kept, of the same size the latest.
    pub fn hold(&mut self, total: Total, wait: Duration) {
        let key = total.key;
        if let Some(pending) = self.pending.get_mut(&key) {
            if total.size >= pending.total.size {
                pending.total = total;
            }
            return;
        }
        let due = total.finding.time.plus(wait);
        self.due.insert((due, key));
        self.pending.insert(key, Pending { total, due });
    }

    /// The alert was said with `size`: what is not more than that need not be.
    pub fn said(&mut self, key: &Key, size: u128) {
        if self.pending.get(key).is_some_and(|pending| !has_grown(pending.total.size, size)) {
            self.remove(key);
        }
    }

    /// What the alert was is over.
    pub fn remove(&mut self, key: &Key) {
        if let Some(pending) = self.pending.remove(key) {
            self.due.remove(&(pending.due, *key));
        }
    }

    /// Whether something is due at `now`.
    pub fn is_due(&self, now: BootTime) -> bool {
        self.due.first().is_some_and(|(due, _)| *due <= now) || self.pending.len() > self.limit
    }

    /// Takes what was due first, whether or not it is due yet.
    pub fn take_first(&mut self) -> Option<Total> {
        let (_, key) = self.due.pop_first()?;
        self.pending.remove(&key).map(|pending| pending.total)
    }
}
