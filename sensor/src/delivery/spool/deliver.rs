//! Taking out: what is to be sent, and what became of it.

use super::open::Key;
use super::record::decode;
use super::segment::{Slot, State};
use super::{Entry, Files, Spool, SpoolError, acknowledged, aside};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The highest severity number.
const SEVERITIES: std::ops::RangeInclusive<u8> = 0..=24;

impl<F: Files> Spool<F> {
    /// Up to `records` records of up to `bytes` bytes that nobody has taken: the most severe first, the oldest of those first. One that is
    /// larger comes alone. They are in flight until they are acknowledged, put back or set aside.
    pub fn take(&mut self, records: usize, bytes: usize) -> Vec<Entry> {
        let (mut entries, mut size, mut spent) = (Vec::new(), 0, Vec::new());
        'segments: for (key, segment) in &mut self.segments {
            let (name, mut from) = (segment.name(), 0);
            while let Some(at) = segment.next_queued(from) {
                let Some(slot) = segment.slots.get(at).copied() else { break };
                if entries.len() >= records || (size + slot.length as usize > bytes && !entries.is_empty()) {
                    break 'segments;
                }
                from = at + 1;
                match read(&mut self.files, &name, &slot) {
                    Ok(Some(entry)) => {
                        segment.set(at, State::Taken);
                        size += slot.length as usize;
                        entries.push(entry);
                    }
                    Ok(None) => {
                        segment.set(at, State::Done);
                        self.flipped += 1;
                        spent.push(*key);
                    }
                    // It stays, and is tried again when next something is taken.
                    Err(_) => self.unreadable += 1,
                }
            }
        }
        self.remove_spent(spent);
        entries
    }

    /// They have arrived. Ids that are not there, because they were evicted, are passed over.
    pub fn acknowledge(&mut self, ids: &[u64]) {
        let mut done: BTreeMap<Key, Vec<u8>> = BTreeMap::new();
        for id in ids {
            let Some((key, at)) = self.locate(*id) else { continue };
            let Some(segment) = self.segments.get_mut(&key) else { continue };
            if segment.set(at, State::Done).is_some_and(State::is_live)
                && let Some(slot) = segment.slots.get(at)
            {
                acknowledged::encode(slot.id, slot.sum, done.entry(key).or_default());
            }
        }
        let keys: Vec<Key> = done.keys().copied().collect();
        self.remove_spent(keys);
        for (key, bytes) in done {
            if let Some(segment) = self.segments.get(&key)
                && self.files.append(&segment.acknowledged(), &bytes).is_err()
            {
                // Not known after a restart: they are delivered again, with the same uid.
                self.failed += 1;
            }
        }
    }

    /// They have not arrived: they can be taken again, in their old place.
    pub fn put_back(&mut self, ids: &[u64]) {
        for id in ids {
            self.put(*id, State::Queued);
        }
    }

    /// The receiver refuses them for good: they are written to `aside.jsonl` with the reason, and are done.
    ///
    /// After an error they stay, are not taken again by this process, and are offered once more after a restart.
    pub fn set_aside(&mut self, ids: &[u64], reason: &str) -> Result<(), SpoolError> {
        let mut entries = Vec::new();
        for id in ids {
            let Some((key, at)) = self.locate(*id) else { continue };
            let Some(segment) = self.segments.get_mut(&key) else { continue };
            let Some(slot) = segment.slots.get(at).copied().filter(|slot| slot.state == State::Taken) else { continue };
            segment.set(at, State::Held);
            match read(&mut self.files, &segment.name(), &slot) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => {
                    segment.set(at, State::Done);
                    self.flipped += 1;
                }
                Err(_) => self.unreadable += 1,
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        aside::write(&mut self.files, &entries, reason).map_err(|error| {
            self.failed += 1;
            SpoolError::Write { file: aside::NAME.to_owned(), error }
        })?;
        let ids: Vec<u64> = entries.iter().map(|entry| entry.id).collect();
        self.losses.set_aside += ids.len() as u64;
        self.losses_changed = true;
        self.keep_losses();
        self.acknowledge(&ids);
        Ok(())
    }

    /// Changes the state of a record that is in flight.
    fn put(&mut self, id: u64, state: State) {
        if let Some((key, at)) = self.locate(id)
            && let Some(segment) = self.segments.get_mut(&key)
            && segment.slots.get(at).is_some_and(|slot| slot.state == State::Taken)
        {
            segment.set(at, state);
        }
    }

    /// Where a record is.
    fn locate(&self, id: u64) -> Option<(Key, usize)> {
        SEVERITIES.map(Reverse).find_map(|severity| {
            let (key, segment) = self.segments.range((severity, 0)..=(severity, id)).next_back()?;
            Some((*key, segment.find(id)?))
        })
    }

    /// Removes those of which all is done; not those that are still appended to, since a new file costs two syncs.
    fn remove_spent(&mut self, keys: Vec<Key>) {
        for key in keys {
            let active = self.active.values().any(|active| *active == key);
            if !active && self.segments.get(&key).is_some_and(|segment| segment.is_spent()) {
                self.remove_segment(key);
            }
        }
    }
}

/// A record; nothing if it is not the one that was written.
fn read(files: &mut impl Files, name: &str, slot: &Slot) -> std::io::Result<Option<Entry>> {
    let bytes = files.read_at(name, u64::from(slot.offset), slot.length as usize)?;
    Ok(decode(&bytes, slot.id, slot.sum))
}
