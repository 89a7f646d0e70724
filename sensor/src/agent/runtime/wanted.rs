//! Containers that a runtime is to be asked for, again and again for a while: it can tell of one before it answers questions about it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// Most that wait at a time, of one runtime.
pub const WANTED_MAX: usize = 4096;

/// When one is asked for, after the time before: within some seconds a runtime has registered what it made. Of one that is another
/// runtime's it never knows anything.
const DELAYS_MS: [u64; 7] = [0, 5, 20, 100, 500, 2_000, 8_000];

/// See the module's text.
#[derive(Debug, Default)]
pub struct Wanted {
    due: BTreeMap<(Instant, u64), (Box<str>, usize)>,
    ids: HashSet<Box<str>, ahash::RandomState>,
    sequence: u64,
}

impl Wanted {
    /// A container is wanted. False if there is no room.
    pub fn want(&mut self, id: Box<str>) -> bool {
        if self.ids.contains(&id) {
            return true;
        }
        if self.ids.len() >= WANTED_MAX {
            return false;
        }
        self.ids.insert(id.clone());
        self.put(id, 0, Instant::now());
        true
    }

    /// When the next is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// The next that is due, with how often it was asked for.
    pub fn take(&mut self) -> Option<(Box<str>, usize)> {
        let due = self.next_due().filter(|due| *due <= Instant::now());
        due.and_then(|_| self.due.pop_first()).map(|(_, what)| what)
    }

    /// It was asked for, and the runtime knows nothing of it yet. False if it is given up.
    pub fn again(&mut self, id: Box<str>, asked: usize) -> bool {
        match DELAYS_MS.get(asked + 1) {
            Some(delay) => {
                self.put(id, asked + 1, Instant::now() + Duration::from_millis(*delay));
                true
            }
            None => {
                self.ids.remove(&id);
                false
            }
        }
    }

    /// It could not be asked for: to be asked for first of all, the next time.
    pub fn put_back(&mut self, id: Box<str>, asked: usize) {
        self.put(id, asked, Instant::now());
    }

    /// It is known now.
    pub fn done(&mut self, id: &str) {
        self.ids.remove(id);
    }

    fn put(&mut self, id: Box<str>, asked: usize, at: Instant) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), (id, asked));
    }
}
