//! Putting in: durable when it returns, within the limit, the least severe and oldest going first.

use super::losses::Losses;
use super::open::Key;
use super::record::{encode, severity, size};
use super::segment::{OVERHEAD, Segment, Slot};
use super::{Draft, Files, Spool, SpoolError, acknowledged};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

/// What became of drafts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Of each draft, in their order: nothing if it was refused, or is less severe than all for which there is room. Both are counted.
    pub ids: Vec<Option<u64>>,
    /// Records that had to go for room or found none, by severity number.
    pub evicted: BTreeMap<u8, u64>,
    /// Drafts that cannot be records: too large, or with bytes that no UTF-8 text has.
    pub refused: u64,
}

/// Drafts of one severity that are written at once.
#[derive(Default)]
struct Batch {
    drafts: Vec<usize>,
    bytes: u64,
}

impl Batch {
    /// What it will count for in a new segment.
    fn charge(&self) -> u64 {
        OVERHEAD + self.bytes + (self.drafts.len() * acknowledged::SIZE) as u64
    }
}

impl<F: Files> Spool<F> {
    /// Writes drafts, with one sync for those of one severity, the most severe first. When it returns, they are durable.
    ///
    /// After an error some may be durable: those are delivered as well. Append all of them again; the uid says that they are the same.
    pub fn append(&mut self, drafts: &[Draft<'_>]) -> Result<Appended, SpoolError> {
        self.sweep();
        let before = self.losses.clone();
        let mut ids = vec![None; drafts.len()];
        let mut order: Vec<(u8, usize)> = drafts.iter().map(severity).zip(0..).collect();
        order.sort_by_key(|(severity, _)| Reverse(*severity));
        let written =
            order.chunk_by(|a, b| a.0 == b.0).try_for_each(|group| self.append_group(drafts, group, &mut ids));
        self.keep_losses();
        written?;
        let refused = self.losses.refused - before.refused;
        Ok(Appended { ids, evicted: self.losses.evicted_since(&before), refused })
    }

    /// Drafts of one severity, in their order.
    fn append_group(
        &mut self,
        drafts: &[Draft<'_>],
        group: &[(u8, usize)],
        ids: &mut [Option<u64>],
    ) -> Result<(), SpoolError> {
        let mut batch = Batch::default();
        let Some((severity, _)) = group.first().copied() else { return Ok(()) };
        for (_, index) in group {
            let size = drafts.get(*index).and_then(size).filter(|size| *size <= self.limits.record);
            let Some(size) = size else {
                self.losses.refused += 1;
                self.losses_changed = true;
                continue;
            };
            let written =
                self.active.get(&severity).and_then(|key| self.segments.get(key)).map_or(0, |active| active.bytes);
            if written + batch.bytes + size > self.limits.segment {
                self.flush(severity, &batch, drafts, ids)?;
                batch = Batch::default();
                self.seal(severity);
            }
            if self.make_room(severity, batch.charge() + size + acknowledged::SIZE as u64) {
                batch.drafts.push(*index);
                batch.bytes += size;
            } else {
                self.losses.evict(severity, 1);
                self.losses_changed = true;
            }
        }
        self.flush(severity, &batch, drafts, ids)
    }

    /// Writes a batch; when the disk is full, as often as something less severe can go.
    fn flush(
        &mut self,
        severity: u8,
        batch: &Batch,
        drafts: &[Draft<'_>],
        ids: &mut [Option<u64>],
    ) -> Result<(), SpoolError> {
        if batch.drafts.is_empty() {
            return Ok(());
        }
        loop {
            let Err((file, error)) = self.write(severity, batch, drafts, ids) else { return Ok(()) };
            self.failed += 1;
            let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if !full || !self.evict(|least| least < severity) {
                return Err(SpoolError::Write { file, error });
            }
        }
    }

    /// Writes and syncs a batch to the active segment, or to a new one.
    fn write(
        &mut self,
        severity: u8,
        batch: &Batch,
        drafts: &[Draft<'_>],
        ids: &mut [Option<u64>],
    ) -> Result<(), (String, io::Error)> {
        let first = self.next;
        let (mut bytes, mut found) = (Vec::with_capacity(batch.bytes as usize), Vec::new());
        for draft in batch.drafts.iter().filter_map(|index| drafts.get(*index)) {
            found.push(encode(draft, self.next, &mut bytes));
            // Whatever becomes of it: what was written in part has its id.
            self.next += 1;
        }
        let active = self.active.get(&severity).copied();
        let key = active.unwrap_or((Reverse(severity), first));
        let segment = self.segments.entry(key).or_insert_with(|| Segment::new(severity, first));
        let (name, base) = (segment.name(), segment.bytes as u32);
        self.used = self.used.saturating_sub(if active.is_some() { segment.charge() } else { 0 });
        let mut written = if active.is_none() { self.files.create(&name) } else { Ok(()) };
        written = written.and_then(|()| self.files.append(&name, &bytes)).and_then(|()| self.files.sync(&name));
        if active.is_none() {
            written = written.and_then(|()| self.files.sync_directory());
        }
        segment.bytes += bytes.len() as u64;
        if written.is_ok() {
            for (index, found) in batch.drafts.iter().zip(&found) {
                segment.push(Slot::new(found, base));
                if let Some(id) = ids.get_mut(*index) {
                    *id = Some(found.id);
                }
            }
        }
        self.used += segment.charge();
        match written {
            Ok(()) => {
                self.active.insert(severity, key);
                Ok(())
            }
            Err(error) => {
                // What is behind a failed write or sync is unknown: nothing is appended to it any more.
                let spent = segment.is_spent();
                self.seal(severity);
                if spent {
                    self.remove_segment(key);
                }
                Err((name, error))
            }
        }
    }

    /// Ends the active segment of a severity.
    fn seal(&mut self, severity: u8) {
        let Some(key) = self.active.remove(&severity) else { return };
        let Some(segment) = self.segments.get(&key) else { return };
        self.files.close(&segment.name());
        if segment.is_spent() {
            self.remove_segment(key);
        }
    }

    /// Whether `charge` more bytes of this severity fit, after what must go for them has gone.
    fn make_room(&mut self, severity: u8, charge: u64) -> bool {
        while self.used + charge > self.limits.bytes {
            if !self.evict(|least| least <= severity) {
                return false;
            }
        }
        true
    }

    /// Removes a segment of which all is done, or else the oldest of the least severe, if that may go.
    fn evict(&mut self, may_go: impl Fn(u8) -> bool) -> bool {
        if let Some(key) = self.segments.iter().find(|(_, segment)| segment.is_spent()).map(|(key, _)| *key) {
            self.remove_segment(key);
            return true;
        }
        let Some(key) = self.least() else { return false };
        let Some(segment) = self.segments.get(&key).filter(|segment| may_go(segment.severity)) else { return false };
        self.losses.evict(segment.severity, segment.live());
        self.losses_changed = true;
        self.keep_losses();
        self.remove_segment(key);
        true
    }

    /// The oldest segment of the least severity.
    fn least(&self) -> Option<Key> {
        let ((severity, _), _) = self.segments.last_key_value()?;
        self.segments.range((*severity, 0)..).next().map(|(key, _)| *key)
    }

    /// Writes the losses if they changed. If that fails, they are written with the next.
    pub(super) fn keep_losses(&mut self) {
        if self.losses_changed {
            let written = Losses::write(&self.losses, &mut self.files);
            self.failed += u64::from(written.is_err());
            self.losses_changed = written.is_err();
        }
    }
}
