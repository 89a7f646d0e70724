//! A segment as it is known in memory: 32 bytes a record, and none of its content.

use super::acknowledged;
use super::record::Found;

/// Room on disk that a segment may take beside its records: the last blocks of two files.
pub(super) const OVERHEAD: u64 = 8 << 10;

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// To be taken.
    Queued,
    /// Taken, and not heard of since.
    Taken,
    /// Refused by the receiver, and there was no room to set it aside: not taken again before a restart.
    Held,
    /// Acknowledged, set aside or found damaged.
    Done,
}

impl State {
    pub(super) fn is_live(self) -> bool {
        self != State::Done
    }
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub id: u64,
    pub time: u64,
    pub offset: u32,
    pub length: u32,
    pub sum: u32,
    pub state: State,
}

impl Slot {
    pub(super) fn new(found: &Found, base: u32) -> Slot {
        let Found { id, time, severity: _, offset, length, sum } = *found;
        Slot { id, time, offset: base + offset, length, sum, state: State::Queued }
    }
}

/// A file of records of one severity.
#[derive(Debug)]
pub(super) struct Segment {
    /// Of all its records.
    pub severity: u8,
    /// Id of its first record.
    pub first: u64,
    /// Of the file, as far as it may have been written.
    pub bytes: u64,
    /// By id.
    pub slots: Vec<Slot>,
    /// It is there and could not be read.
    pub unread: bool,
    live: usize,
    queued: usize,
    /// Nothing before it is queued.
    cursor: usize,
    /// All before it are done.
    done: usize,
}

impl Segment {
    pub(super) fn new(severity: u8, first: u64) -> Segment {
        Segment { severity, first, bytes: 0, slots: Vec::new(), unread: false, live: 0, queued: 0, cursor: 0, done: 0 }
    }

    /// The name of its file.
    pub(super) fn name(&self) -> String {
        format!("{:02}-{:020}{RECORDS}", self.severity, self.first)
    }

    /// The name of the file of its acknowledgements.
    pub(super) fn acknowledged(&self) -> String {
        format!("{:02}-{:020}{ACKNOWLEDGED}", self.severity, self.first)
    }

    /// What it counts for: at least what its files take on disk, acknowledgements to come among it.
    pub(super) fn charge(&self) -> u64 {
        OVERHEAD + self.bytes + (self.slots.len() * acknowledged::SIZE) as u64
    }

    /// Nothing of it is to be delivered any more.
    pub(super) fn is_spent(&self) -> bool {
        self.live == 0 && !self.unread
    }

    /// Records that are not done, one if that is unknown.
    pub(super) fn live(&self) -> u64 {
        if self.unread { 1 } else { self.live as u64 }
    }

    /// Records that can be taken.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// The oldest that is not done.
    pub(super) fn oldest(&self) -> Option<&Slot> {
        self.slots.get(self.done..)?.iter().find(|slot| slot.state.is_live())
    }

    pub(super) fn push(&mut self, slot: Slot) {
        self.live += usize::from(slot.state.is_live());
        self.queued += usize::from(slot.state == State::Queued);
        self.slots.push(slot);
    }

    pub(super) fn find(&self, id: u64) -> Option<usize> {
        self.slots.binary_search_by_key(&id, |slot| slot.id).ok()
    }

    /// The first that can be taken, at `from` or after it.
    pub(super) fn next_queued(&mut self, from: usize) -> Option<usize> {
        let start = from.max(self.cursor);
        let at = start + self.slots.get(start..)?.iter().position(|slot| slot.state == State::Queued)?;
        if from <= self.cursor {
            self.cursor = at;
        }
        Some(at)
    }

    /// What it was; nothing if there is no such record.
    pub(super) fn set(&mut self, at: usize, state: State) -> Option<State> {
        let slot = self.slots.get_mut(at)?;
        let was = std::mem::replace(&mut slot.state, state);
        self.live = self.live + usize::from(state.is_live()) - usize::from(was.is_live());
        self.queued = self.queued + usize::from(state == State::Queued) - usize::from(was == State::Queued);
        if state == State::Queued {
            self.cursor = self.cursor.min(at);
        }
        while self.slots.get(self.done).is_some_and(|slot| !slot.state.is_live()) {
            self.done += 1;
        }
        Some(was)
    }
}

const RECORDS: &str = ".records";
const ACKNOWLEDGED: &str = ".acknowledged";

/// What a name in the directory means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    Segment { severity: u8, first: u64 },
    Acknowledged { severity: u8, first: u64 },
}

impl Name {
    /// Nothing for what this module never makes.
    pub(super) fn parse(name: &str) -> Option<Name> {
        let (stem, is_segment) = match name.strip_suffix(RECORDS) {
            Some(stem) => (stem, true),
            None => (name.strip_suffix(ACKNOWLEDGED)?, false),
        };
        let (severity, first) = stem.split_once('-')?;
        let (severity, first) = (severity.parse().ok()?, first.parse().ok()?);
        let segment = Segment::new(severity, first);
        let made = if is_segment { segment.name() } else { segment.acknowledged() };
        let parsed =
            if is_segment { Name::Segment { severity, first } } else { Name::Acknowledged { severity, first } };
        (made == name).then_some(parsed)
    }
}
