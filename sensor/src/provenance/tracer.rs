//! Provenance on the line: judges files, learns who holds what, and charges what leaves.

use super::ClassTable;
use super::brought::Brought;
use super::egress::{self, Ledger};
use super::graph::{self, Graph, Mark};
use super::holdings::{self, Holding, Holdings};
use super::replaced::Replaced;
use crate::bounded::Evictions;
use crate::event::{Body, Class, Classes, Direction, DnsDirection, Event, Held, HeldBy, Open, SavedLedger, Trail};
use crate::policy;

/// Limits of all tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Who holds what.
    pub graph: graph::Limits,
    /// What workloads hold.
    pub holdings: holdings::Limits,
    /// What has left.
    pub egress: egress::Limits,
}

/// State and losses of all tables, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Who holds what.
    pub graph: graph::Counts,
    /// What workloads hold.
    pub holdings: holdings::Counts,
    /// What has left.
    pub egress: egress::Counts,
    /// Files whose maker was forgotten.
    pub makers_evicted: Evictions,
    /// Names of files that were forgotten.
    pub names_evicted: Evictions,
}

/// Who holds what, and what has left.
#[derive(Debug)]
pub struct Tracer {
    classes: ClassTable,
    graph: Graph,
    holdings: Holdings,
    ledger: Ledger,
    brought: Brought,
    replaced: Replaced,
}

impl Tracer {
    /// With nothing seen yet.
    pub fn new(classes: ClassTable, limits: Limits) -> Tracer {
        Tracer {
            classes,
            graph: Graph::new(limits.graph),
            holdings: Holdings::new(limits.holdings),
            ledger: Ledger::new(limits.egress),
            brought: Brought::new(),
            replaced: Replaced::new(),
        }
    }

    /// Sets the classes of the event's file, learns what it tells, and sets `held` where the workload holds weights and bytes
    /// can leave by it, and `egress` where they do. Expects the workload to be known; the policy says where it
    /// may send to.
    pub fn trace(&mut self, event: &mut Event, policy: &policy::Table) {
        let mut before = Classes::default();
        match &mut event.body {
            Body::Open(Open { file, .. }) => file.classes = self.classes.settle(file),
            Body::Exec(exec) => exec.file.classes = self.classes.settle(&exec.file),
            Body::FileChange(change) => (before, change.file.classes) = self.classes.settle_change(change),
            Body::LedgerRestored(restored) => self.ledger.restore(restored, event.time),
            _ => {}
        }
        self.replaced.trace(event, before);
        self.brought.trace(event, before);
        self.graph.learn(event);
        if self.holdings.learn(event)
            && let Some(holding) = self.holdings.held(event)
        {
            self.ledger.hold(event, &holding);
        }
        if is_deed(event) {
            event.held = self.held_by_doer(event);
            return;
        }
        let sends = matches!(event.body, Body::Connect(_) | Body::Flow(_) | Body::Egress(_));
        if !sends && !is_uncounted(event) && !asks(event) {
            return;
        }
        let holding = self.held(event);
        event.held = holding.as_ref().map(|holding| Held { sources: holding.sources, bytes: holding.bytes });
        if sends {
            let declared = policy.destinations(event.workload.as_deref());
            self.ledger.charge(event, holding.as_ref(), declared);
        }
    }

    /// What the sender holds as far as it is known of its process; else what somebody in its workload does. With the proof of it.
    fn held(&mut self, event: &mut Event) -> Option<Holding> {
        let workload = self.holdings.held(event).or_else(|| self.ledger.remembered(event));
        if let Some((held, trail)) = self.graph.held(event) {
            event.trail = Some(Box::new(trail));
            let holding = Holding::of(&held);
            return match workload {
                // The rest of it came to others in the workload.
                Some(workload) if workload.bytes > holding.bytes => Some(workload),
                Some(_) => Some(holding),
                // What came from elsewhere its workload holds from now on, though none of its processes opened it.
                None => {
                    self.ledger.hold(event, &holding);
                    Some(holding)
                }
            };
        }
        let workload = workload?;
        let source = self.graph.source_of(event);
        event.trail = Some(Box::new(Trail { by: HeldBy::Workload, bound: true, source, ..Trail::default() }));
        Some(workload)
    }

    /// From now on files are judged by these. What was held before is held on.
    pub fn set_classes(&mut self, classes: ClassTable) {
        self.classes = classes;
    }

    /// What somebody holds who does something else than to send; else what their workload does. It charges nobody.
    fn held_by_doer(&mut self, event: &mut Event) -> Option<Held> {
        let told = |holding: &Holding| Held { sources: holding.sources, bytes: holding.bytes };
        if let Some((held, trail)) = self.graph.held(event) {
            // A program that a server starts has what the server has. Which file that is says nothing of the program, and would join
            // all that a server ever starts to one incident.
            let known = !matches!(event.body, Body::Exec(_));
            event.trail =
                Some(Box::new(if known { trail } else { Trail { by: trail.by, bound: true, ..Trail::default() } }));
            return Some(told(&Holding::of(&held)));
        }
        let workload = self.holdings.held(event).or_else(|| self.ledger.remembered(event))?;
        event.trail = Some(Box::new(Trail { by: HeldBy::Workload, bound: true, ..Trail::default() }));
        Some(told(&workload))
    }

    /// The classes that files are judged by.
    pub fn classes(&self) -> &ClassTable {
        &self.classes
    }

    /// What the kernel side has to be told of who holds what.
    pub fn take_marks(&mut self) -> Vec<Mark> {
        self.graph.take_marks()
    }

    /// The ledger as it is to be kept, if it has changed since this was last asked.
    pub fn save(&mut self) -> Option<SavedLedger> {
        self.ledger.save()
    }

    /// The ledger as it is to be kept, changed or not.
    pub fn saved(&mut self) -> SavedLedger {
        self.ledger.saved()
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts {
            graph: self.graph.counts(),
            holdings: self.holdings.counts(),
            egress: self.ledger.counts(),
            makers_evicted: self.brought.evictions(),
            names_evicted: self.replaced.evictions(),
        }
    }
}

/// Whether it is something that means more when a holder does it: a program started, content given away, another process's memory
/// got at (who does that holds from then on what the other one does).
fn is_deed(event: &Event) -> bool {
    match &event.body {
        Body::Exec(_) | Body::ProcessAccess(_) => true,
        Body::Transfer(transfer) => transfer.direction != Direction::In,
        _ => false,
    }
}

/// Whether it asks for a name, which can be a message to whoever answers for it. Its bytes are counted as a flow's.
fn asks(event: &Event) -> bool {
    matches!(&event.body, Body::Dns(dns) if dns.direction == DnsDirection::Query)
}

/// Whether a way was opened by which bytes can leave that nobody counts.
fn is_uncounted(event: &Event) -> bool {
    match &event.body {
        Body::Socket(_) => true,
        Body::Open(open) => open.file.classes.contains(Class::UncountedPath),
        _ => false,
    }
}
