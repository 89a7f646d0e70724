//! What the disk has not taken: kept in memory, within bounds, until it does or until a collector has it.

use super::Parcel;
use crate::delivery::spool::{Draft, Entry};
use std::collections::BTreeMap;

/// Most bytes of it.
const BYTES_MAX: usize = 16 << 20;
/// Ids of these, which no record of a spool has.
const ID: u64 = 1 << 63;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    entries: BTreeMap<u64, Held>,
    next: u64,
    bytes: usize,
    lost: BTreeMap<u8, u64>,
}

#[derive(Debug)]
struct Held {
    entry: Entry,
    taken: bool,
}

impl Unkept {
    /// Holds a parcel. What has to go for it, the least severe and oldest, is counted; that may be itself.
    pub(super) fn hold(&mut self, parcel: Parcel) {
        let id = ID | self.next;
        self.next += 1;
        let Parcel { kind, severity, time, uid, record: bytes, .. } = parcel;
        self.bytes += bytes.len();
        self.entries.insert(id, Held { entry: Entry { id, kind, severity, time, uid, bytes }, taken: false });
        while self.bytes > BYTES_MAX {
            let least = self.entries.iter().filter(|(_, held)| !held.taken);
            let Some(id) = least.min_by_key(|(id, held)| (held.entry.severity, **id)).map(|(id, _)| *id) else {
                return;
            };
            if let Some(entry) = self.remove(id) {
                *self.lost.entry(entry.severity).or_default() += 1;
            }
        }
    }

    /// Whether an id is one of these.
    pub(super) fn is_own(id: u64) -> bool {
        id & ID != 0
    }

    /// Those that nobody has taken, with their ids, to be written.
    pub(super) fn drafts(&self) -> (Vec<u64>, Vec<Draft<'_>>) {
        let waiting = self.entries.values().filter(|held| !held.taken).map(|held| &held.entry);
        let draft = |entry: &'_ Entry| entry.id;
        let ids = waiting.clone().map(draft).collect();
        let drafts = waiting.map(|entry| Draft {
            kind: entry.kind,
            severity: entry.severity,
            time: entry.time,
            uid: &entry.uid,
            bytes: &entry.bytes,
        });
        (ids, drafts.collect())
    }

    /// Up to so many that nobody has taken, the most severe first.
    pub(super) fn take(&mut self, records: usize, bytes: usize) -> Vec<Entry> {
        let mut waiting: Vec<_> = self.entries.iter_mut().filter(|(_, held)| !held.taken).collect();
        waiting.sort_by_key(|(id, held)| (std::cmp::Reverse(held.entry.severity), **id));
        let (mut entries, mut size) = (Vec::new(), 0);
        for (_, held) in waiting.into_iter().take(records) {
            size += held.entry.bytes.len();
            if size > bytes && !entries.is_empty() {
                break;
            }
            held.taken = true;
            entries.push(held.entry.clone());
        }
        entries
    }

    /// They have arrived, are on disk, or were set aside.
    pub(super) fn done(&mut self, ids: &[u64]) {
        for id in ids {
            self.remove(*id);
        }
    }

    /// They can be taken again.
    pub(super) fn put_back(&mut self, ids: &[u64]) {
        for id in ids {
            if let Some(held) = self.entries.get_mut(id) {
                held.taken = false;
            }
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let held = self.entries.remove(&id)?;
        self.bytes = self.bytes.saturating_sub(held.entry.bytes.len());
        Some(held.entry)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// When the oldest was told.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.entries.values().map(|held| held.entry.time).min()
    }

    /// What was lost here since the start, by severity number.
    pub(super) fn lost(&self) -> &BTreeMap<u8, u64> {
        &self.lost
    }
}
