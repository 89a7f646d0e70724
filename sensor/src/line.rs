//! The event line: identify, trace provenance, detect, raise alerts. One page, in the order in which events pass.
//!
//! A pure function of the events that are pushed: no clock, no I/O, no global state. What the agent learns elsewhere enters
//! as an event, so that the same stream gives the same alerts again, in a test or years later.

use crate::alert::{Alert, Raiser};
use crate::detection::{Engine, RuleSet};
use crate::event::{Event, SavedLedger};
use crate::provenance::{self, ClassTable, Declared, Tracer};
use crate::{process, workload};
use std::sync::Arc;

/// Most entries of each table. An entry is a few hundred bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Processes, running and just ended.
    pub processes: usize,
    /// Cgroups.
    pub workloads: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { processes: 32_768, workloads: 16_384 }
    }
}

/// The line, with all that it remembers.
pub struct Line {
    processes: process::Table,
    workloads: workload::Table,
    tracer: Tracer,
    engine: Engine,
    raiser: Raiser,
}

impl Line {
    /// A line that has seen nothing yet.
    pub fn new(rules: RuleSet, classes: ClassTable, limits: Limits) -> Line {
        let declared = Declared::new(rules.lists().declared());
        let raiser = Raiser::new(&rules);
        Line {
            processes: process::Table::new(limits.processes),
            workloads: workload::Table::new(limits.workloads),
            tracer: Tracer::new(classes, declared, provenance::Limits::default()),
            engine: Engine::new(rules),
            raiser,
        }
    }

    /// Takes an event through the line. What comes out is the event with everything that is known about it, and the alerts
    /// that it decided.
    pub fn push(&mut self, mut event: Event) -> (Arc<Event>, Vec<Alert>) {
        self.processes.identify(&mut event);
        self.workloads.identify(&mut event);
        self.tracer.trace(&mut event);
        let event = Arc::new(event);
        let findings = self.engine.evaluate(&event);
        let alerts = findings.into_iter().filter_map(|finding| self.raiser.raise(finding)).collect();
        (event, alerts)
    }

    /// The egress ledger as it is to be kept over restarts, if it has changed since this was last asked. It comes back as
    /// [`crate::event::LedgerRestored`].
    pub fn save_ledger(&mut self) -> Option<SavedLedger> {
        self.tracer.save()
    }

    /// Processes that events named and that nobody has told of: worth looking up in `/proc`.
    pub fn take_unknown(&mut self) -> Vec<u32> {
        let mut unknown = self.processes.take_unknown();
        unknown.extend(self.workloads.take_unknown());
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }
}

#[cfg(test)]
mod tests;
