//! The event line: identify, trace provenance, detect, raise alerts, join them to incidents. One page, in the order in which events pass.
//!
//! A pure function of the events that are pushed: no clock, no I/O, no global state. What the agent learns elsewhere enters
//! as an event, so that the same stream gives the same alerts again, in a test or years later.

mod occupancy;
mod reload;
#[cfg(test)]
mod tests;

pub use occupancy::Occupancy;
pub use reload::Reload;

use crate::alert::enrichment::Unnamed;
use crate::alert::{Alert, Incidents, Notice, Raiser, incident};
use crate::bounded::Evictions;
use crate::detection::correlation::saved::Snapshot;
use crate::detection::{self, Engine, RuleSet};
use crate::event::{Ancestor, Body, BootTime, Event, File, Open, SavedLedger, Tick, Workload};
use crate::evidence::recording;
use crate::policy::{self, Policy};
use crate::provenance::candidates::{self, Candidates, Look};
use crate::provenance::graph::Mark;
use crate::provenance::names::{Names, Resolvers};
use crate::provenance::{self, ClassTable, Tracer};
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

impl From<Limits> for recording::Limits {
    fn from(limits: Limits) -> recording::Limits {
        let fits = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        recording::Limits { processes: fits(limits.processes), workloads: fits(limits.workloads) }
    }
}

/// The line, with all that it remembers.
pub struct Line {
    processes: process::Table,
    workloads: workload::Table,
    policy: policy::Table,
    entries: workload::Entries,
    names: Names,
    candidates: Candidates,
    tracer: Tracer,
    engine: Engine,
    raiser: Raiser,
    incidents: Incidents,
    unnamed: Unnamed,
    derived: Vec<(Arc<Event>, Vec<Notice>)>,
    limits: Limits,
}

impl Line {
    /// A line that has seen nothing yet, without a policy.
    pub fn new(rules: RuleSet, classes: ClassTable, limits: Limits) -> Line {
        let everywhere = rules.lists().declared().collect();
        let raiser = Raiser::new(&rules);
        Line {
            processes: process::Table::new(limits.processes),
            workloads: workload::Table::new(limits.workloads),
            policy: policy::Table::new(Policy::default(), everywhere, limits.workloads),
            entries: workload::Entries::new(limits.processes),
            names: Names::new(Resolvers::new(rules.lists().networks("resolvers"))),
            candidates: Candidates::new(classes.look_size(), candidates::Limits::default()),
            tracer: Tracer::new(classes, provenance::Limits::default()),
            engine: Engine::new(rules),
            raiser,
            incidents: Incidents::new(incident::Limits::default()),
            unnamed: Unnamed::default(),
            derived: Vec::new(),
            limits,
        }
    }

    /// Goes by this policy from now on; what the rules' lists declare for all workloads stays.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy.set_policy(policy);
    }

    /// Takes an event through the line. What comes out is the event with everything that is known about it, and what is to
    /// be told: the alerts that were due by then, those that it decided, and the incidents that these make worse. What follows
    /// from it besides is to be had from [`Line::take_derived`].
    pub fn push(&mut self, mut event: Event) -> (Arc<Event>, Vec<Notice>) {
        self.processes.identify(&mut event);
        self.workloads.identify(&mut event);
        self.policy.select(&mut event, &self.workloads);
        self.entries.trace(&mut event);
        if let Body::Recognized(recognized) = &event.body {
            for open in self.candidates.recognise(recognized) {
                let judged = self.judge(open, false);
                self.derived.push(judged);
            }
        }
        let mut due = self.due(&event);
        let (event, notices) = self.judge(event, true);
        due.extend(notices);
        (event, due)
    }

    /// What has waited until now to be said; all that waits if nothing comes any more.
    fn due(&mut self, event: &Event) -> Vec<Notice> {
        let alerts = match event.body {
            Body::Tick(Tick { last: true }) => {
                let findings = self.engine.rest();
                let raised: Vec<_> = findings.into_iter().filter_map(|finding| self.raiser.raise(finding)).collect();
                raised.into_iter().chain(self.raiser.rest(event.time)).collect()
            }
            _ => self.raiser.due(event.time),
        };
        self.join(alerts)
    }

    /// The part of the line behind identification; `first`: it was not here before.
    fn judge(&mut self, mut event: Event, first: bool) -> (Arc<Event>, Vec<Notice>) {
        if first {
            self.names.trace(&mut event);
        }
        self.candidates.trace(&mut event);
        self.tracer.trace(&mut event, &self.policy);
        // Behind the tracer, which knows what is in a file.
        self.policy.declare(&mut event);
        let event = Arc::new(event);
        if first {
            self.candidates.keep(&event);
        }
        if let Body::Open(Open { created: true, file: File { id: Some(id), .. }, .. }) = &event.body {
            self.incidents.forget(*id);
        }
        let findings = self.engine.evaluate(&event);
        let alerts = findings.into_iter().filter_map(|finding| self.raiser.raise(finding)).collect();
        let mut notices = self.join(alerts);
        let named = self.unnamed.named(&event).into_iter();
        notices.extend(named.map(|enrichment| Notice::Enrichment(Box::new(enrichment))));
        (event, notices)
    }

    /// Alerts through the incidents: what of them is to be told.
    fn join(&mut self, alerts: Vec<Alert>) -> Vec<Notice> {
        let workloads = &self.workloads;
        let within = |ancestor: &Ancestor, workload: &Workload| {
            workloads.of(&ancestor.key, &ancestor.cgroup).is_some_and(|own| own.id == workload.id)
        };
        let notices: Vec<_> = alerts.into_iter().flat_map(|alert| self.incidents.push(alert, &within)).collect();
        notices.iter().filter_map(Notice::alert).for_each(|alert| self.unnamed.said(alert));
        notices
    }

    /// Whether something waits that is to be said at `now`. Any event of that time calls it up; where none comes, a
    /// [`Body::Tick`] is to be pushed.
    pub fn is_due(&self, now: BootTime) -> bool {
        self.raiser.is_due(now) || self.engine.is_due(now)
    }

    /// When matches that wait to be in order are due, if there are any: as [`Line::is_due`].
    pub fn next_match_due(&self) -> Option<BootTime> {
        self.engine.next_due()
    }

    /// What the rules did, and had to do without.
    pub fn detection(&self) -> detection::Statistics {
        self.engine.statistics()
    }

    /// The classes that files are judged by.
    pub fn classes(&self) -> &ClassTable {
        self.tracer.classes()
    }

    /// What the kernel side has to be told of who holds what.
    pub fn take_marks(&mut self) -> Vec<Mark> {
        self.tracer.take_marks()
    }

    /// Events that came up again with the last ones pushed, judged anew, and their alerts: opens of files that were recognised since.
    /// To be shown like what [`Line::push`] returns, never to be pushed; a recording leaves them out.
    pub fn take_derived(&mut self) -> Vec<(Arc<Event>, Vec<Notice>)> {
        std::mem::take(&mut self.derived)
    }

    /// Files whose content is worth a look. What was found is to be pushed as a [`Body::Recognized`], also that nothing was.
    pub fn take_unlooked(&mut self) -> Vec<Look> {
        self.candidates.take_unlooked()
    }

    /// How many files wait for a look, and what was lost on the way.
    pub fn candidates(&self) -> candidates::Counts {
        self.candidates.counts()
    }

    /// State and losses of what is known of what is declared.
    pub fn policy(&self) -> policy::Counts {
        self.policy.counts()
    }

    /// State and losses of what is known of who holds what, and of what has left.
    pub fn provenance(&self) -> provenance::Counts {
        self.tracer.counts()
    }

    /// Processes, and containers, of which it was forgotten how they came to where they are.
    pub fn entries_evicted(&self) -> [Evictions; 2] {
        self.entries.evictions()
    }

    /// The egress ledger as it is to be kept over restarts, if it has changed since this was last asked. It comes back as
    /// [`crate::event::LedgerRestored`].
    pub fn save_ledger(&mut self) -> Option<SavedLedger> {
        self.tracer.save()
    }

    /// The egress ledger to be kept over restarts, changed or not.
    pub fn saved_ledger(&mut self) -> SavedLedger {
        self.tracer.saved()
    }

    /// What the correlations have seen, to be kept over restarts, if it has changed since this was last asked. It comes back as
    /// [`crate::event::CorrelationsRestored`].
    pub fn save_correlations(&mut self) -> Option<Snapshot> {
        self.engine.save()
    }

    /// Containers that came up and of which no runtime has told: worth asking the runtimes for.
    pub fn take_unidentified(&mut self) -> Vec<Box<str>> {
        self.workloads.take_unidentified()
    }

    /// How many containers are known by name, and how many names had to go for want of room.
    pub fn workloads(&self) -> workload::Counts {
        self.workloads.counts()
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
