//! The groups of one correlation, bounded. Each correlation has its own table, so that a flood of keys for one evicts nobody
//! from another; and each workload has its share of it, so that one container's flood evicts, first, its own. When several flood
//! and the whole is full, the workload that has the most loses: what a quiet one has stays.

use super::spec::Spec;
use super::state::{Group, Time};
use hashlink::LruCache;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A group's values, in the order of `group-by`.
pub type Key = Arc<[Box<str>]>;

/// How much may be kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Groups of one correlation.
    pub groups: usize,
    /// Events of one correlation, over all groups.
    pub events: usize,
    /// One workload's share of both: one in so many.
    pub share: usize,
    /// How long a match waits for earlier ones, in event time ([`super::order`]).
    pub reorder: Duration,
}

impl Default for Limits {
    /// An event is about 1 KiB: 32 MiB a correlation at the very most.
    fn default() -> Limits {
        Limits { groups: 8_192, events: 32_768, share: 4, reorder: super::order::BOUND }
    }
}

/// Groups by key; and the keys by the workload that made them, both in order of last use.
#[derive(Debug)]
pub struct Table {
    groups: HashMap<Key, Slot>,
    owners: LruCache<Arc<str>, Owned>,
    /// Every owner by how much it has, and of those that have the same the one that has been quiet for longest is the last.
    by_size: BTreeSet<(usize, Reverse<u64>, Arc<str>)>,
    /// Rises with each use.
    uses: u64,
    limits: Limits,
    events: usize,
    evicted: u64,
}

/// What one workload made.
#[derive(Debug)]
struct Owned {
    keys: LruCache<Key, ()>,
    /// Events that these groups keep.
    events: usize,
    /// Its place in `by_size`.
    size: usize,
    used: u64,
}

#[derive(Debug)]
struct Slot {
    group: Group,
    /// The workload whose event made it; others may use it as well.
    owner: Arc<str>,
}

impl Table {
    pub fn new(limits: Limits) -> Table {
        // The bounds are over all lists together, so each is unbounded for itself.
        Table {
            groups: HashMap::new(),
            owners: LruCache::new_unbounded(),
            by_size: BTreeSet::new(),
            uses: 0,
            limits,
            events: 0,
            evicted: 0,
        }
    }

    /// The groups with their owners, those of the owner that was used last first, and of these the last used one.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Key, &Group)> {
        let keys = self.owners.iter().rev().flat_map(|(_, owned)| owned.keys.iter().rev());
        keys.filter_map(|(key, ())| self.groups.get(key).map(|slot| (&slot.owner, key, &slot.group)))
    }

    /// How many groups there are, and how many events they keep.
    pub fn size(&self) -> (usize, usize) {
        (self.groups.len(), self.events)
    }

    /// Groups that were forgotten before their time.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Gives the group `key` to `change`; if there is none, it is made anew and counts for `owner`.
    pub fn with<R>(
        &mut self,
        owner: &str,
        key: &Key,
        spec: &Spec,
        now: Time,
        change: impl FnOnce(&mut Group) -> R,
    ) -> R {
        // Two a call forget faster than one a call can add.
        for _ in 0..2 {
            self.forget_one_expired(spec, now);
        }
        let owner = match self.groups.get(key) {
            Some(slot) => slot.owner.clone(),
            None => {
                self.make_room(owner);
                owner.into()
            }
        };
        self.touch(&owner, key);
        let slot =
            self.groups.entry(key.clone()).or_insert_with(|| Slot { group: Group::new(spec), owner: owner.clone() });
        let before = slot.group.len();
        let result = change(&mut slot.group);
        let after = slot.group.len();
        self.events = (self.events + after).saturating_sub(before);
        let share = self.limits.events / self.limits.share.max(1);
        if let Some(owned) = self.owners.peek_mut(&owner) {
            owned.events = (owned.events + after).saturating_sub(before);
        }
        self.resize(&owner);
        while self.owners.peek(&owner).is_some_and(|owned| owned.events > share && owned.keys.len() > 1) {
            self.remove_oldest_of(&owner);
            self.evicted += 1;
        }
        while self.events > self.limits.events && self.groups.len() > 1 {
            self.evict_from_largest();
        }
        result
    }

    /// Makes `owner` the last used one, and `key` its last used key.
    fn touch(&mut self, owner: &Arc<str>, key: &Key) {
        self.uses += 1;
        if let Some(owned) = self.owners.get_mut(owner) {
            if owned.keys.get_mut(key).is_none() {
                owned.keys.insert(key.clone(), ());
            }
        } else {
            let mut keys = LruCache::new_unbounded();
            keys.insert(key.clone(), ());
            self.owners.insert(owner.clone(), Owned { keys, events: 0, size: 0, used: 0 });
        }
    }

    /// Puts `owner` where it belongs by what it has now. A group costs about as much as an event.
    fn resize(&mut self, owner: &Arc<str>) {
        let Some(owned) = self.owners.peek_mut(owner) else { return };
        self.by_size.remove(&(owned.size, Reverse(owned.used), owner.clone()));
        (owned.size, owned.used) = (owned.keys.len() + owned.events, self.uses);
        self.by_size.insert((owned.size, Reverse(owned.used), owner.clone()));
    }

    fn make_room(&mut self, owner: &str) {
        let share = (self.limits.groups / self.limits.share.max(1)).max(1);
        if self.owners.peek(owner).is_some_and(|owned| owned.keys.len() >= share) {
            self.remove_oldest_of(&Arc::from(owner));
            self.evicted += 1;
        }
        while self.groups.len() >= self.limits.groups.max(1) {
            self.evict_from_largest();
        }
    }

    /// Of the workload that has the most, the group that has been quiet for longest.
    fn evict_from_largest(&mut self) {
        if let Some((_, _, owner)) = self.by_size.last().cloned() {
            self.remove_oldest_of(&owner);
            self.evicted += 1;
        }
    }

    fn forget_one_expired(&mut self, spec: &Spec, now: Time) {
        let Some((owner, owned)) = self.owners.iter().next() else { return };
        let latest = owned.keys.iter().next().and_then(|(key, ())| Some(self.groups.get(key)?.group.latest));
        if latest.is_none_or(|latest| now.since(latest) > spec.window) {
            self.remove_oldest_of(&owner.clone());
        }
    }

    fn remove_oldest_of(&mut self, owner: &Arc<str>) {
        let Some(owned) = self.owners.peek_mut(owner) else { return };
        if let Some(slot) = owned.keys.remove_lru().and_then(|(key, ())| self.groups.remove(&key)) {
            let events = slot.group.len();
            owned.events = owned.events.saturating_sub(events);
            self.events = self.events.saturating_sub(events);
        }
        self.by_size.remove(&(owned.size, Reverse(owned.used), owner.clone()));
        if owned.keys.is_empty() {
            self.owners.remove(owner);
        } else {
            owned.size = owned.keys.len() + owned.events;
            self.by_size.insert((owned.size, Reverse(owned.used), owner.clone()));
        }
    }
}
