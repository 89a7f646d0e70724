//! The spool itself: how it is opened, and what it says of itself.

use super::acknowledged;
use super::limits::SEGMENT_MAX;
use super::losses::Losses;
use super::record::{HEADER, scan};
use super::segment::{Name, Segment, Slot, State};
use super::{Directory, Files, Limits, SpoolError};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Most severe first, then oldest.
pub(super) type Key = (Reverse<u8>, u64);

/// What is to be delivered, on disk.
#[derive(Debug)]
pub struct Spool<F = Directory> {
    pub(super) files: F,
    pub(super) limits: Limits,
    pub(super) segments: BTreeMap<Key, Segment>,
    /// The segment of a severity that is appended to.
    pub(super) active: BTreeMap<u8, Key>,
    /// The id of the next record.
    pub(super) next: u64,
    /// What all segments count for, and what could not be removed.
    pub(super) used: u64,
    pub(super) losses: Losses,
    /// They are not on disk as they are here.
    pub(super) losses_changed: bool,
    /// Files that are to go and could not be removed, with what they count for.
    pub(super) debris: Vec<(String, u64)>,
    pub(super) torn: u64,
    pub(super) flipped: u64,
    pub(super) unreadable: u64,
    pub(super) failed: u64,
}

/// What was found when a spool was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Records that are to be delivered.
    pub entries: u64,
    /// Ends of segments that are not whole: a write that was cut. Nothing that was confirmed is lost by it.
    pub torn: u64,
    /// Records that are not as they were written, and are lost.
    pub flipped: u64,
    /// Segments that the disk did not give; they are left for the next start.
    pub unreadable: u64,
}

/// What the spool says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that are not done, those in flight among them.
    pub depth: u64,
    /// Records that can be taken.
    pub queued: u64,
    /// What they take on disk at most, in bytes.
    pub bytes: u64,
    /// What they may take, in bytes.
    pub limit: u64,
    /// When the oldest that is not done was told, in nanoseconds since 1970.
    pub oldest: Option<u64>,
    /// Records that had to go for room, or found none, by severity number; since the directory was made.
    pub evicted: BTreeMap<u8, u64>,
    /// Records that were too large or had bytes that no UTF-8 text has; since the directory was made.
    pub refused: u64,
    /// Records that the receiver refused for good; since the directory was made.
    pub set_aside: u64,
    /// Ends of segments that were not whole; since the spool was opened, as all that follows.
    pub torn: u64,
    /// Records that were not as they were written, and are lost.
    pub flipped: u64,
    /// Reads that failed; the records stay.
    pub unreadable: u64,
    /// Writes that failed.
    pub failed: u64,
}

impl Spool<Directory> {
    /// Opens the spool in `directory`, which is made if it is not there.
    pub fn open(directory: &Path, limits: Limits) -> Result<(Spool, Opened), SpoolError> {
        Spool::open_in(Directory::open(directory)?, limits)
    }
}

impl<F: Files> Spool<F> {
    /// Opens the spool in these files.
    pub fn open_in(mut files: F, limits: Limits) -> Result<(Spool<F>, Opened), SpoolError> {
        let names = files.list().map_err(|error| SpoolError::List { error })?;
        let losses = Losses::read(&mut files);
        let mut spool = Spool {
            files,
            limits: limits.fitting(),
            segments: BTreeMap::new(),
            active: BTreeMap::new(),
            next: 1,
            used: 0,
            losses_changed: losses.is_none(),
            flipped: u64::from(losses.is_none()),
            losses: losses.unwrap_or_default(),
            debris: Vec::new(),
            torn: 0,
            unreadable: 0,
            failed: 0,
        };
        let names: Vec<Name> = names.iter().filter_map(|name| Name::parse(name)).collect();
        for name in &names {
            if let Name::Segment { severity, first } = *name {
                spool.find_segment(severity, first);
            }
        }
        for name in &names {
            if let Name::Acknowledged { severity, first } = *name
                && !spool.segments.contains_key(&(Reverse(severity), first))
            {
                let alone = Segment::new(severity, first).acknowledged();
                let size = spool.files.size(&alone).unwrap_or_default();
                spool.discard(alone, size);
            }
        }
        let entries = spool.segments.values().filter(|segment| !segment.unread).map(Segment::live).sum();
        let opened = Opened { entries, torn: spool.torn, flipped: spool.flipped, unreadable: spool.unreadable };
        Ok((spool, opened))
    }

    /// Takes note of a segment that is there.
    fn find_segment(&mut self, severity: u8, first: u64) {
        let mut segment = Segment::new(severity, first);
        self.next = self.next.max(first.saturating_add(1));
        match self.read_segment(&mut segment) {
            Ok(()) if segment.is_spent() => {
                self.used += segment.charge();
                self.remove_files(&segment);
                return;
            }
            Ok(()) => {}
            Err(_) => {
                self.unreadable += 1;
                segment.unread = true;
                segment.bytes = self.files.size(&segment.name()).unwrap_or(self.limits.segment);
                // Its ids are not known, and must not be given again.
                self.next = self.next.max(first.saturating_add(SEGMENT_MAX / HEADER as u64));
            }
        }
        self.used += segment.charge();
        self.segments.insert((Reverse(severity), first), segment);
    }

    fn read_segment(&mut self, segment: &mut Segment) -> std::io::Result<()> {
        let bytes = self.files.read(&segment.name(), SEGMENT_MAX)?;
        let done: HashSet<(u64, u32)> = match self.files.read(&segment.acknowledged(), SEGMENT_MAX) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => HashSet::new(),
            result => acknowledged::scan(&result?).into_iter().collect(),
        };
        let found = scan(&bytes);
        segment.bytes = bytes.len() as u64;
        (self.torn, self.flipped) = (self.torn + found.torn, self.flipped + found.flipped);
        for record in found.records {
            self.next = self.next.max(record.id.saturating_add(1));
            if record.severity != segment.severity {
                self.flipped += 1;
                continue;
            }
            let mut slot = Slot::new(&record, 0);
            if done.contains(&(slot.id, slot.sum)) {
                slot.state = State::Done;
            }
            segment.push(slot);
        }
        Ok(())
    }

    /// Takes a segment and its files away.
    pub(super) fn remove_segment(&mut self, key: Key) {
        if let Some(segment) = self.segments.remove(&key) {
            self.active.retain(|_, active| *active != key);
            self.remove_files(&segment);
        }
    }

    fn remove_files(&mut self, segment: &Segment) {
        self.used = self.used.saturating_sub(segment.charge());
        // In this order: acknowledgements that are alone do no harm.
        let acknowledged = (segment.slots.len() * acknowledged::SIZE) as u64;
        self.discard(segment.name(), segment.charge() - acknowledged);
        self.discard(segment.acknowledged(), acknowledged);
    }

    /// Removes a file, or remembers that it is to go, and what it counts for until then.
    fn discard(&mut self, name: String, charge: u64) {
        self.files.close(&name);
        match self.files.remove(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                self.used += charge;
                self.debris.push((name, charge));
            }
            _ => {}
        }
    }

    /// Tries again to remove what could not be removed.
    pub(super) fn sweep(&mut self) {
        for (name, charge) in std::mem::take(&mut self.debris) {
            self.used = self.used.saturating_sub(charge);
            self.discard(name, charge);
        }
    }

    /// What the spool says of itself.
    pub fn counts(&self) -> Counts {
        let segments = || self.segments.values();
        Counts {
            depth: segments().map(Segment::live).sum(),
            queued: segments().map(|segment| segment.queued() as u64).sum(),
            bytes: self.used,
            limit: self.limits.bytes,
            oldest: segments().filter_map(Segment::oldest).map(|slot| slot.time).min(),
            evicted: self.losses.evicted.clone(),
            refused: self.losses.refused,
            set_aside: self.losses.set_aside,
            torn: self.torn,
            flipped: self.flipped,
            unreadable: self.unreadable,
            failed: self.failed,
        }
    }
}
