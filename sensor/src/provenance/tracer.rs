//! Provenance on the line: judges files, learns who holds what, and charges what leaves.

use super::egress::{self, Ledger};
use super::holdings::{self, Holdings};
use super::{ClassTable, Declared};
use crate::event::{Body, Class, Event, FileChange, Held, Open, SavedLedger};

/// Limits of all tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// What is held.
    pub holdings: holdings::Limits,
    /// What has left.
    pub egress: egress::Limits,
}

/// State and losses of all tables, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What is held.
    pub holdings: holdings::Counts,
    /// What has left.
    pub egress: egress::Counts,
}

/// Who holds what, and what has left.
#[derive(Debug)]
pub struct Tracer {
    classes: ClassTable,
    holdings: Holdings,
    ledger: Ledger,
}

impl Tracer {
    /// With nothing seen yet.
    pub fn new(classes: ClassTable, declared: Declared, limits: Limits) -> Tracer {
        Tracer { classes, holdings: Holdings::new(limits.holdings), ledger: Ledger::new(declared, limits.egress) }
    }

    /// Sets the classes of the event's file, learns what it tells, and sets `held` where the workload holds weights and bytes
    /// can leave by it, and `egress` where they do. Expects the workload to be known.
    pub fn trace(&mut self, event: &mut Event) {
        match &mut event.body {
            Body::Open(Open { file, .. }) => file.classes = self.classes.settle(file),
            Body::Exec(exec) => exec.file.classes = self.classes.settle(&exec.file),
            Body::FileChange(FileChange { file, .. }) => file.classes = self.classes.settle(file),
            Body::LedgerRestored(restored) => self.ledger.restore(restored, event.time),
            _ => {}
        }
        if self.holdings.learn(event)
            && let Some(holding) = self.holdings.held(event)
        {
            self.ledger.hold(event, &holding);
        }
        let sends = matches!(event.body, Body::Connect(_) | Body::Flow(_) | Body::Egress(_));
        if !sends && !is_uncounted(event) {
            return;
        }
        let holding = self.holdings.held(event).or_else(|| self.ledger.remembered(event));
        event.held = holding.as_ref().map(|holding| Held { sources: holding.sources, bytes: holding.bytes });
        if sends {
            self.ledger.charge(event, holding.as_ref());
        }
    }

    /// The ledger as it is to be kept, if it has changed since this was last asked.
    pub fn save(&mut self) -> Option<SavedLedger> {
        self.ledger.save()
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts { holdings: self.holdings.counts(), egress: self.ledger.counts() }
    }
}

/// Whether a way was opened by which bytes can leave that nobody counts.
fn is_uncounted(event: &Event) -> bool {
    match &event.body {
        Body::Socket(_) => true,
        Body::Open(open) => open.file.classes.contains(Class::UncountedPath),
        _ => false,
    }
}
