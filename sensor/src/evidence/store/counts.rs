//! What the store counts of itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// State and losses of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that are in a segment.
    pub events: u64,
    /// Events that are in none, because batches came faster than they were written.
    pub dropped_busy: u64,
    /// Events that are in none, because the disk or the file refused them.
    pub dropped_disk: u64,
    /// Gaps that were recorded.
    pub gaps: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// The time of the oldest event that is kept in a segment, nanoseconds since 1970; 0: there is none.
    pub oldest: u64,
    /// Incidents that are kept beyond their segments.
    pub incidents: u64,
    /// Incidents that went before their time, because there was no room.
    pub incidents_early: u64,
}

impl Counts {
    /// The counts by name.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("events", self.events),
            ("dropped_busy", self.dropped_busy),
            ("dropped_disk", self.dropped_disk),
            ("gaps", self.gaps),
            ("bytes", self.bytes),
            ("segments", self.segments),
            ("oldest", self.oldest),
            ("incidents", self.incidents),
            ("incidents_early", self.incidents_early),
        ]
    }
}

/// The same, shared by the threads.
#[derive(Debug, Default)]
pub struct Totals {
    pub events: AtomicU64,
    pub dropped_busy: AtomicU64,
    pub dropped_disk: AtomicU64,
    pub gaps: AtomicU64,
    pub bytes: AtomicU64,
    pub segments: AtomicU64,
    pub oldest: AtomicU64,
    pub incidents: AtomicU64,
    pub incidents_early: AtomicU64,
}

impl Totals {
    pub fn counts(&self) -> Counts {
        // Each for itself: nobody adds them up.
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            events: read(&self.events),
            dropped_busy: read(&self.dropped_busy),
            dropped_disk: read(&self.dropped_disk),
            gaps: read(&self.gaps),
            bytes: read(&self.bytes),
            segments: read(&self.segments),
            oldest: read(&self.oldest),
            incidents: read(&self.incidents),
            incidents_early: read(&self.incidents_early),
        }
    }
}

/// Adds to one of [`Totals`].
pub fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
