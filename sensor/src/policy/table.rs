//! The policy on the line: which entries are a workload's, and what a process is by them.
//!
//! What is declared is decided when a workload is first seen, and again when a runtime has said what it is, or the policy is
//! another: a process that makes a cgroup of its own below its container's does not become another workload by that.

use super::declared::{Declared, DeclaredEntry};
use super::document::Policy;
use super::entrance::{Entrance, Learnt};
use super::entry::Program;
use crate::bounded::{Bounded, Evictions};
use crate::event::{Access, Ancestor, Body, Class, DeclaredAs, Declares, Event, Role, Workload, WorkloadKind};
use crate::workload;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Most different sets of entries whose outcome is kept; beyond, each workload has its own.
const OUTCOMES_MAX: usize = 1024;

/// The table's state and losses, for metrics. Totals since the start, but for `workloads`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Workloads of which is known what is declared, now.
    pub workloads: usize,
    /// Workloads that went, all for lack of room (`live`): what was learnt of them is forgotten.
    pub workloads_evicted: Evictions,
    /// Programs that were learnt to be loaders.
    pub loaders_learnt: u64,
    /// Early processes and loaders for which a container had no room.
    pub refused: u64,
}

/// What is declared for a workload, of all entries that are its.
#[derive(Clone, Debug, Default)]
pub struct Selected {
    /// The positions of the entries.
    pub entries: Box<[usize]>,
    /// What it is for: by the first entry that says so.
    pub role: Option<Role>,
    /// What the entries say anything about.
    pub declares: Declares,
    /// What may load weights; `None`: no entry says anything about that.
    pub loaders: Option<Vec<Arc<[Program]>>>,
    /// What may write artefacts; `None`: no entry says anything about that.
    pub writers: Option<Vec<Arc<[Program]>>>,
    /// Where its bytes may go: by its entries in their order, then by the list for all workloads.
    pub destinations: Declared,
}

impl Selected {
    /// What `policy` declares for `workload`; `everywhere` is declared for all.
    pub fn new(policy: &Policy, workload: &Workload, everywhere: &[DeclaredEntry]) -> Selected {
        Selected::of(policy, select(policy, workload), everywhere)
    }

    fn of(policy: &Policy, entries: Box<[usize]>, everywhere: &[DeclaredEntry]) -> Selected {
        let own = || entries.iter().filter_map(|at| policy.entries().get(*at));
        let all = |programs: Vec<Arc<[Program]>>| (!programs.is_empty()).then_some(programs);
        let destinations = own().flat_map(|entry| &entry.destinations).chain(everywhere).cloned();
        let (loaders, writers) = (own().any(|e| e.loaders.is_some()), own().any(|e| e.writers.is_some()));
        Selected {
            declares: Declares { loaders, writers, destinations: own().any(|e| !e.destinations.is_empty()) },
            role: own().find_map(|entry| entry.role),
            loaders: all(own().filter_map(|entry| entry.loaders.clone()).collect()),
            writers: all(own().filter_map(|entry| entry.writers.clone()).collect()),
            destinations: Declared::new(destinations),
            entries,
        }
    }
}

/// The positions of the entries that are a workload's.
fn select(policy: &Policy, workload: &Workload) -> Box<[usize]> {
    let entries = policy.entries().iter().enumerate();
    entries.filter(|(_, entry)| entry.select.takes(workload)).map(|(at, _)| at).collect()
}

/// What is known of a workload.
#[derive(Debug)]
struct Known {
    /// As it was first seen, with what a runtime has said since: what it is selected by.
    workload: Arc<Workload>,
    selected: Arc<Selected>,
    entrance: Entrance,
}

/// What is declared for each workload.
#[derive(Debug)]
pub struct Table {
    policy: Policy,
    everywhere: Vec<DeclaredEntry>,
    /// Of what no entry is about.
    plain: Arc<Selected>,
    outcomes: HashMap<Box<[usize]>, Arc<Selected>, ahash::RandomState>,
    workloads: Bounded<Box<str>, Known>,
    counts: Counts,
}

impl Default for Table {
    fn default() -> Table {
        Table::new(Policy::default(), Vec::new(), 1024)
    }
}

impl Table {
    /// By `policy`, for at most `limit` workloads; to `everywhere` bytes of all of them may go.
    pub fn new(policy: Policy, everywhere: Vec<DeclaredEntry>, limit: usize) -> Table {
        let mut table = Table {
            policy: Policy::default(),
            everywhere: Vec::new(),
            plain: Arc::default(),
            outcomes: HashMap::default(),
            workloads: Bounded::new(limit, Duration::ZERO),
            counts: Counts::default(),
        };
        table.replace(policy, everywhere);
        table
    }

    /// Goes by this policy from now on; what is declared for all workloads stays.
    pub fn set_policy(&mut self, policy: Policy) {
        let everywhere = std::mem::take(&mut self.everywhere);
        self.replace(policy, everywhere);
    }

    /// Goes by another policy from now on. What was learnt of containers stays.
    pub fn replace(&mut self, policy: Policy, everywhere: Vec<DeclaredEntry>) {
        self.plain = Arc::new(Selected::of(&policy, Box::default(), &everywhere));
        (self.policy, self.everywhere) = (policy, everywhere);
        self.outcomes.clear();
        let mut workloads = std::mem::replace(&mut self.workloads, Bounded::new(1, Duration::ZERO));
        for known in workloads.values_mut() {
            known.selected = self.outcome(&known.workload);
        }
        self.workloads = workloads;
    }

    /// Sets `event.role` and `event.declares`, and learns who the container's own processes are. Expects process and workload to be known.
    pub fn select(&mut self, event: &mut Event, workloads: &workload::Table) {
        let Some(workload) = event.workload.clone() else { return };
        let learns = workload.kind == WorkloadKind::Container;
        if self.is_idle(&workload) {
            return;
        }
        let Some(known) = self.known(&workload) else { return };
        (event.role, event.declares) = (known.selected.role, known.selected.declares);
        if !learns || known.selected.loaders.is_some() {
            return;
        }
        let is_here = |ancestor: &Ancestor| {
            workloads.of(&ancestor.key, &ancestor.cgroup).is_some_and(|own| own.id == workload.id)
        };
        let learnt = known.entrance.learn(event, is_here);
        self.count(learnt);
    }

    /// Sets `event.declared`, and learns who loads. Expects files to have their classes, besides what [`Table::select`] expects
    /// and sets.
    pub fn declare(&mut self, event: &mut Event) {
        let (Some(workload), Some(process)) = (event.workload.as_deref(), event.process.as_deref()) else { return };
        if self.is_idle(workload) {
            return;
        }
        let Some(known) = self.workloads.get(&workload.id) else { return };
        let file = match &event.body {
            Body::Open(open) => Some(&*open.file.path),
            // Of what gets another name, the one that it gets is written.
            Body::FileChange(change) if !change.new_path.is_empty() => Some(&*change.new_path),
            Body::FileChange(change) => Some(&*change.file.path),
            _ => None,
        };
        let allows = |programs: &Option<Vec<Arc<[Program]>>>| {
            let mut programs = programs.iter().flatten().flat_map(|programs| programs.iter());
            programs.any(|program| program.allows(&process.executable, file))
        };
        let Known { selected, entrance, .. } = known;
        let writer = allows(&selected.writers);
        let mut learnt = Learnt::Nothing;
        let loader = match &selected.loaders {
            Some(_) => allows(&selected.loaders),
            None => {
                if reads_weights(event) {
                    learnt = entrance.opened(process);
                }
                entrance.is_loader(process)
            }
        };
        event.declared = DeclaredAs { loader, writer };
        self.count(learnt);
    }

    /// Where the bytes of a workload may go.
    pub fn destinations(&self, workload: Option<&Workload>) -> &Declared {
        let known = workload.and_then(|workload| self.workloads.peek(&workload.id));
        &known.map_or(&self.plain, |known| &known.selected).destinations
    }

    /// The policy that is in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts { workloads: self.workloads.len(), workloads_evicted: self.workloads.evictions(), ..self.counts }
    }

    /// Whether nothing can be declared for it or learnt of it.
    fn is_idle(&self, workload: &Workload) -> bool {
        self.policy.entries().is_empty() && workload.kind != WorkloadKind::Container
    }

    fn count(&mut self, learnt: Learnt) {
        self.counts.loaders_learnt += u64::from(learnt == Learnt::Loader);
        self.counts.refused += u64::from(learnt == Learnt::Refused);
    }

    /// What is known of a workload, selected for if it is new or is now known better.
    fn known(&mut self, workload: &Arc<Workload>) -> Option<&mut Known> {
        let seen = self.workloads.get(&workload.id).map(|known| Arc::clone(&known.workload));
        match seen {
            None => {
                let selected = self.outcome(workload);
                let known = Known { workload: Arc::clone(workload), selected, entrance: Entrance::default() };
                self.workloads.insert(workload.id.clone(), known);
            }
            Some(seen) if seen.identity != workload.identity => {
                let better = Workload { identity: workload.identity.clone(), ..Workload::clone(&seen) };
                let selected = self.outcome(&better);
                if let Some(known) = self.workloads.get(&workload.id) {
                    (known.workload, known.selected) = (Arc::new(better), selected);
                }
            }
            Some(_) => {}
        }
        self.workloads.get(&workload.id)
    }

    fn outcome(&mut self, workload: &Workload) -> Arc<Selected> {
        let entries = select(&self.policy, workload);
        if entries.is_empty() {
            return Arc::clone(&self.plain);
        }
        if let Some(selected) = self.outcomes.get(&entries) {
            return Arc::clone(selected);
        }
        let selected = Arc::new(Selected::of(&self.policy, entries, &self.everywhere));
        if self.outcomes.len() < OUTCOMES_MAX {
            self.outcomes.insert(selected.entries.clone(), Arc::clone(&selected));
        }
        selected
    }
}

fn reads_weights(event: &Event) -> bool {
    match &event.body {
        Body::Open(open) => {
            open.file.classes.contains(Class::Weights) && matches!(open.access, Access::Read | Access::ReadWrite)
        }
        _ => false,
    }
}
