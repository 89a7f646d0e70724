//! The event line: identify, trace provenance, detect, raise alerts, join them to incidents. One page, in the order in which events pass.
//!
//! A pure function of the events that are pushed: no clock, no I/O, no global state. What the agent learns elsewhere enters
//! as an event, so that the same stream gives the same alerts again, in a test or years later.

use crate::alert::{Incidents, Notice, Raiser, incident};
use crate::detection::{Engine, RuleSet};
use crate::event::{Ancestor, Event, Workload};
use crate::provenance::graph::{self, Graph, Mark};
use crate::provenance::{self, ClassTable, Declared, Ledger};
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
    ledger: Ledger,
    graph: Graph,
    engine: Engine,
    raiser: Raiser,
    incidents: Incidents,
}

impl Line {
    /// A line that has seen nothing yet.
    pub fn new(rules: RuleSet, classes: ClassTable, limits: Limits) -> Line {
        let declared = Declared::new(rules.lists().networks("declared_destinations"));
        let raiser = Raiser::new(&rules);
        Line {
            processes: process::Table::new(limits.processes),
            workloads: workload::Table::new(limits.workloads),
            ledger: Ledger::with(classes, declared, provenance::Limits::default()),
            graph: Graph::new(graph::Limits::default()),
            engine: Engine::new(rules),
            raiser,
            incidents: Incidents::new(incident::Limits::default()),
        }
    }

    /// Takes an event through the line. What comes out is the event with everything that is known about it, and what is to
    /// be told: the alerts that it decided, and the incidents that these make worse.
    pub fn push(&mut self, mut event: Event) -> (Arc<Event>, Vec<Notice>) {
        self.processes.identify(&mut event);
        self.workloads.identify(&mut event);
        self.ledger.trace(&mut event);
        self.graph.learn(&event);
        event.trail = self.graph.held(&event).map(|(_, trail)| Box::new(trail));
        let event = Arc::new(event);
        let findings = self.engine.evaluate(&event);
        let workloads = &self.workloads;
        let within = |ancestor: &Ancestor, workload: &Workload| {
            workloads.of(&ancestor.key, &ancestor.cgroup).is_some_and(|own| own.id == workload.id)
        };
        let alerts = findings.into_iter().filter_map(|finding| self.raiser.raise(finding));
        let notices = alerts.flat_map(|alert| self.incidents.push(alert, &within)).collect();
        (event, notices)
    }

    /// The classes that files are judged by.
    pub fn classes(&self) -> &ClassTable {
        self.ledger.classes()
    }

    /// What the kernel side has to be told of who holds what.
    pub fn take_marks(&mut self) -> Vec<Mark> {
        self.graph.take_marks()
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
