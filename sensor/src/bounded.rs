//! A map that never outgrows its limit: what every table of the line is made of.
//!
//! Entries whose subject is gone are *retired*: they linger for a while of event time, because news of them can come late (a
//! flow closed after its process ended), and are the first to go when the map is full. After them goes what was least
//! recently used. Besides the number of entries their bytes can be bounded, where an attacker chooses how large they are.
//! Everything that is evicted is counted. No clock, no I/O: the same calls give the same contents.

use crate::event::BootTime;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::RawEntryMut;
use std::borrow::Borrow;
use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

/// Entries that went, by reason. Totals since the map was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evictions {
    /// Retired entries that had lingered long enough: the normal end.
    pub expired: u64,
    /// Retired entries that had to go early, because the map was full or too many lingered.
    pub retired: u64,
    /// Entries still in use that had to go, because the map was full: knowledge was lost.
    pub live: u64,
}

/// So many entries may linger in any map.
const LINGERING_MIN: usize = 64;

/// A map with a limit. See the module's text.
#[derive(Debug)]
pub struct Bounded<K, V> {
    /// The least recently used first.
    entries: LinkedHashMap<K, Entry<V>, ahash::RandomState>,
    /// In the order of retirement; an element that its entry no longer agrees with is void.
    retired: VecDeque<(BootTime, K)>,
    limit: usize,
    linger: Duration,
    /// So many may linger.
    lingering: usize,
    /// Bytes that all entries may have together, and have.
    budget: usize,
    bytes: usize,
    evictions: Evictions,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    retired: Option<BootTime>,
}

impl<K: Hash + Eq + Clone, V> Bounded<K, V> {
    /// An empty map of at most `limit` entries (at least one), whose retired entries stay for `linger` of event time.
    pub fn new(limit: usize, linger: Duration) -> Self {
        Bounded {
            entries: LinkedHashMap::with_hasher(ahash::RandomState::default()),
            retired: VecDeque::new(),
            limit: limit.max(1),
            linger,
            lingering: (limit / 4).max(LINGERING_MIN),
            budget: usize::MAX,
            bytes: 0,
            evictions: Evictions::default(),
        }
    }

    /// The same map, whose entries have at most `budget` bytes together; a single one may have more.
    #[must_use]
    pub fn with_budget(self, budget: usize) -> Self {
        Bounded { budget, ..self }
    }

    /// The same map, in which all entries may linger: where the retired are worth keeping as long as there is room.
    #[must_use]
    pub fn lingering(self) -> Self {
        Bounded { lingering: usize::MAX, ..self }
    }

    /// Entries in it, retired ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What was evicted so far.
    pub fn evictions(&self) -> Evictions {
        self.evictions
    }

    /// Takes everything out. That is no eviction.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.retired.clear();
        self.bytes = 0;
    }

    /// The value of `key`, without counting as use.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value of `key`, which is now the most recently used.
    pub fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self.entries.raw_entry_mut().from_key(key) {
            RawEntryMut::Occupied(mut entry) => {
                entry.to_back();
                Some(&mut entry.into_mut().value)
            }
            RawEntryMut::Vacant(_) => None,
        }
    }

    /// Puts a value in, evicting what must go; the value that was there before comes back. A retired entry is live again.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.remove(&key);
        self.make_room(0);
        self.entries.insert(key, Entry { value, bytes: 0, retired: None });
        before
    }

    /// The value of `key`, which is now the most recently used; made, and what must go evicted, if there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.entries.contains_key(&key) {
            self.make_room(0);
        }
        match self.entries.raw_entry_mut().from_key(&key) {
            RawEntryMut::Occupied(mut entry) => {
                entry.to_back();
                &mut entry.into_mut().value
            }
            RawEntryMut::Vacant(entry) => {
                &mut entry.insert(key, Entry { value: make(), bytes: 0, retired: None }).1.value
            }
        }
    }

    /// Puts a value of so many bytes in, evicting what must go. Unlike with [`Bounded::insert`], a retired entry stays retired.
    pub fn set(&mut self, key: K, value: V, bytes: usize) {
        let retired = self.take(&key).and_then(|entry| entry.retired);
        self.make_room(bytes);
        self.bytes += bytes;
        self.entries.insert(key, Entry { value, bytes, retired });
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.take(key).map(|entry| entry.value)
    }

    /// The subject of `key` is gone since `time`: the entry may go after the linger, or at once when room is needed or a quarter
    /// of the map lingers (short lives in great number would fill all of it). A second call changes nothing.
    pub fn retire(&mut self, key: &K, time: BootTime) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.retired.is_none()
        {
            entry.retired = Some(time);
            // Void elements are few (only what was removed or revived), but nothing here may grow without bound.
            if self.retired.len() >= self.limit.saturating_mul(2) {
                self.drop_void();
            }
            self.retired.push_back((time, key.clone()));
            if self.retired.len() > self.lingering && self.pop_retired() {
                self.evictions.retired += 1;
            }
        }
    }

    /// The subject of `key` is there after all: the entry stays.
    pub fn revive(&mut self, key: &K) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.retired = None;
        }
    }

    /// Drops retired entries that have lingered long enough at `now`.
    pub fn advance(&mut self, now: BootTime) {
        while let Some((time, _)) = self.retired.front()
            && now.since(*time) >= self.linger
        {
            if self.pop_retired() {
                self.evictions.expired += 1;
            }
        }
    }

    /// Every value, the least recently used first.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(|entry| &mut entry.value)
    }

    /// Every entry, the least recently used first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|(key, entry)| (key, &mut entry.value))
    }

    fn take(&mut self, key: &K) -> Option<Entry<V>> {
        let entry = self.entries.remove(key)?;
        self.bytes -= entry.bytes;
        Some(entry)
    }

    /// Evicts until one more entry, of so many bytes, fits.
    fn make_room(&mut self, bytes: usize) {
        while !self.entries.is_empty()
            && (self.entries.len() >= self.limit || self.bytes.saturating_add(bytes) > self.budget)
        {
            self.evict();
        }
    }

    fn evict(&mut self) {
        while !self.retired.is_empty() {
            if self.pop_retired() {
                self.evictions.retired += 1;
                return;
            }
        }
        if let Some((_, entry)) = self.entries.pop_front() {
            self.bytes -= entry.bytes;
            self.evictions.live += 1;
        }
    }

    /// Drops the entry that was retired first; `false` if that element was void.
    fn pop_retired(&mut self) -> bool {
        match self.retired.pop_front() {
            Some((time, key)) if self.entries.get(&key).is_some_and(|entry| entry.retired == Some(time)) => {
                self.take(&key).is_some()
            }
            _ => false,
        }
    }

    fn drop_void(&mut self) {
        let entries = &self.entries;
        self.retired.retain(|(time, key)| entries.get(key).is_some_and(|entry| entry.retired == Some(*time)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn map(limit: usize) -> Bounded<u32, char> {
        Bounded::new(limit, Duration::from_secs(30))
    }

    #[test]
    fn the_least_recently_used_goes_when_full_and_is_counted() {
        let mut map = map(2);
        map.insert(1, 'a');
        map.insert(2, 'b');
        assert_eq!(map.get(&1), Some(&mut 'a'));
        map.insert(3, 'c');
        assert_eq!((map.peek(&1), map.peek(&2), map.peek(&3)), (Some(&'a'), None, Some(&'c')));
        assert_eq!(map.evictions(), Evictions { live: 1, ..Evictions::default() });
        assert_eq!(map.insert(3, 'd'), Some('c'), "replacing needs no room");
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn what_is_not_there_is_made_and_takes_the_place_of_another() {
        let mut map = map(2);
        map.insert(1, 'a');
        map.insert(2, 'b');
        assert_eq!(*map.get_or_insert_with(1, || 'x'), 'a');
        assert_eq!(*map.get_or_insert_with(3, || 'c'), 'c');
        assert_eq!((map.len(), map.peek(&2), map.evictions().live), (2, None, 1));
    }

    #[test]
    fn retired_entries_go_before_live_ones_and_by_themselves_in_time() {
        let mut map = map(3);
        for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c')] {
            map.insert(key, value);
        }
        map.retire(&3, BootTime(SECOND));
        map.insert(4, 'd');
        assert_eq!(map.peek(&3), None, "though most recently used");
        assert_eq!(map.evictions(), Evictions { retired: 1, ..Evictions::default() });

        map.retire(&2, BootTime(10 * SECOND));
        map.retire(&2, BootTime(20 * SECOND));
        map.advance(BootTime(40 * SECOND - 1));
        assert_eq!(map.peek(&2), Some(&'b'), "still lingers");
        map.advance(BootTime(40 * SECOND));
        assert_eq!(map.peek(&2), None);
        assert_eq!(map.evictions(), Evictions { retired: 1, expired: 1, live: 0 });
    }

    #[test]
    fn an_entry_put_in_anew_does_not_inherit_the_end_of_the_old_one() {
        let mut map = map(3);
        map.insert(1, 'a');
        map.retire(&1, BootTime(SECOND));
        map.insert(1, 'b');
        map.advance(BootTime(100 * SECOND));
        assert_eq!(map.peek(&1), Some(&'b'));
        for round in 0..100 {
            map.retire(&1, BootTime(round));
            map.insert(1, 'c');
        }
        assert!(map.retired.len() <= LINGERING_MIN, "void elements are bounded: {}", map.retired.len());
    }

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let mut map = map(100).with_budget(10);
        map.set(1, 'a', 4);
        map.set(2, 'b', 4);
        map.set(1, 'c', 5);
        assert_eq!((map.len(), map.bytes, map.evictions().live), (2, 9, 0), "what is replaced is given back first");
        map.set(3, 'd', 2);
        assert_eq!((map.peek(&1), map.peek(&2), map.bytes), (Some(&'c'), None, 7));
        map.set(4, 'e', 1_000);
        assert_eq!((map.len(), map.bytes, map.evictions().live), (1, 1_000, 3), "one may be too large");
        map.retire(&4, BootTime(SECOND));
        map.set(4, 'f', 3);
        map.advance(BootTime(40 * SECOND));
        assert_eq!((map.len(), map.bytes, map.evictions().expired), (0, 0, 1), "what is set stays retired");
    }

    #[test]
    fn all_may_linger_where_that_is_wanted_and_what_is_revived_stays() {
        let mut map = map(400).lingering();
        for key in 0..400 {
            map.insert(key, 'x');
            map.retire(&key, BootTime(SECOND));
        }
        assert_eq!((map.len(), map.evictions().retired), (400, 0));
        map.revive(&0);
        map.insert(400, 'y');
        assert_eq!((map.peek(&0), map.peek(&1), map.evictions().retired), (Some(&'x'), None, 1));
        map.retire(&0, BootTime(2 * SECOND));
        map.advance(BootTime(31 * SECOND));
        assert_eq!((map.peek(&0), map.len()), (Some(&'x'), 2), "retired later than the others");
    }

    #[test]
    fn at_most_a_quarter_lingers() {
        let mut map = map(400);
        for key in 0..300 {
            map.insert(key, 'x');
            map.retire(&key, BootTime(SECOND));
        }
        assert_eq!((map.len(), map.evictions().retired), (100, 200));
        assert_eq!(map.peek(&299), Some(&'x'), "the latest");
    }
}
