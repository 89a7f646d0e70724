//! What the line has left and the keeper has not taken yet. Bounded: the least severe and oldest goes first.

use super::Parcel;
use std::collections::{BTreeMap, VecDeque};

/// Most bytes of what waits.
const BYTES_MAX: usize = 16 << 20;
/// What a parcel costs beside its texts, about.
const OVERHEAD: usize = 128;

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    /// With the number of its arrival.
    by_severity: BTreeMap<u8, VecDeque<(u64, Parcel)>>,
    arrived: u64,
    bytes: usize,
    bytes_max: usize,
    lost: BTreeMap<u8, u64>,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::with_room(BYTES_MAX)
    }
}

impl Queue {
    pub(super) fn with_room(bytes_max: usize) -> Queue {
        Queue { by_severity: BTreeMap::new(), arrived: 0, bytes: 0, bytes_max, lost: BTreeMap::new() }
    }

    /// Takes a parcel in; what had to go for it, or itself, is counted.
    pub(super) fn push(&mut self, parcel: Parcel) {
        let (severity, size) = (parcel.severity, size(&parcel));
        while self.bytes + size > self.bytes_max {
            if !self.lose_one(severity) {
                *self.lost.entry(severity).or_default() += 1;
                return;
            }
        }
        self.bytes += size;
        self.arrived += 1;
        self.by_severity.entry(severity).or_default().push_back((self.arrived, parcel));
    }

    /// Whether there was one of this severity or less to lose.
    fn lose_one(&mut self, severity: u8) -> bool {
        let Some(mut least) = self.by_severity.first_entry() else { return false };
        if *least.key() > severity {
            return false;
        }
        *self.lost.entry(*least.key()).or_default() += 1;
        if let Some((_, parcel)) = least.get_mut().pop_front() {
            self.bytes = self.bytes.saturating_sub(size(&parcel));
        }
        if least.get().is_empty() {
            least.remove();
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_severity.is_empty()
    }

    /// All of it, in the order in which it came.
    pub(super) fn take(&mut self) -> Vec<Parcel> {
        self.bytes = 0;
        let mut all: Vec<_> = std::mem::take(&mut self.by_severity).into_values().flatten().collect();
        all.sort_by_key(|(arrived, _)| *arrived);
        all.into_iter().map(|(_, parcel)| parcel).collect()
    }

    /// What was lost here since the start, by severity number.
    pub(super) fn lost(&self) -> &BTreeMap<u8, u64> {
        &self.lost
    }
}

fn size(parcel: &Parcel) -> usize {
    OVERHEAD + parcel.uid.len() + parcel.record.len() + parcel.shown.len()
}
