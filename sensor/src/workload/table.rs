//! Which cgroup is which workload, and which process is part of it.
//!
//! The kernel says the cgroup with every event, and that is believed first: it follows a process that is moved. On hosts where
//! the cgroup that the kernel tells is the root for everything (cgroup v2 beside v1 hierarchies that hold the containers, and
//! none of those could be told), the path that `/proc` gave for the process is used, and inherited by its children; since a
//! runtime moves a container's first process after its fork, such a process is asked for again when it runs a program.

use crate::bounded::{Bounded, Evictions};
use crate::event::{
    Body, BootTime, Cgroup, CgroupKey, Event, Identity, ProcessKey, Workload, WorkloadIdentified, WorkloadKind,
};
use crate::process::EXITED_KEPT;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Most pids that wait to be looked up.
pub const UNKNOWN_MAX: usize = 1024;

/// Most containers that wait to be asked for.
pub const UNIDENTIFIED_MAX: usize = 1024;

/// Most labels that are kept of a container, and most bytes of one of them, key and value together: more than Kubernetes allows a
/// label, but runtimes of other houses have no limit.
pub const LABELS_MAX: usize = 64;
/// See [`LABELS_MAX`].
pub const LABEL_BYTES_MAX: usize = 512;

/// The table's state and losses, for metrics. Totals since the start, but for `cgroups` and `processes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cgroups in the table now. Ones that are gone stay until room is needed: nothing tells of their end, and late events of
    /// their processes still find them.
    pub cgroups: usize,
    /// Processes now whose workload had to be remembered.
    pub processes: usize,
    /// Cgroups that went, all for lack of room (`live`).
    pub cgroups_evicted: Evictions,
    /// Remembered processes that went, by reason.
    pub processes_evicted: Evictions,
    /// Containers whose identity was told, now.
    pub identities: usize,
    /// Identities that went, all for lack of room (`live`): such a container's later cgroups have none.
    pub identities_evicted: Evictions,
    /// Labels that were not kept: too many of one container, or too long.
    pub labels_refused: u64,
    /// Events whose cgroup nobody had told of, and whose process was not remembered: they have no workload.
    pub unknown: u64,
    /// Look-ups that were not asked for because [`UNKNOWN_MAX`] were waiting.
    pub unknown_refused: u64,
    /// Containers that were not asked for because [`UNIDENTIFIED_MAX`] were waiting.
    pub unidentified_refused: u64,
}

/// Workloads by cgroup and by process.
#[derive(Debug)]
pub struct Table {
    cgroups: Bounded<CgroupKey, Arc<Workload>>,
    processes: Bounded<ProcessKey, Remembered>,
    /// What a runtime said, by the container's id.
    identities: Bounded<Box<str>, Arc<Identity>>,
    unknown: VecDeque<u32>,
    /// Containers of which no runtime has told.
    unidentified: VecDeque<Box<str>>,
    /// Cgroups that were asked for and not told of yet, so that a busy one is not asked for with every event.
    asked: Bounded<CgroupKey, BootTime>,
    now: BootTime,
    counts: Counts,
}

/// What `/proc` said of a process or of the one that it descends from.
#[derive(Clone, Debug)]
struct Remembered {
    workload: Arc<Workload>,
    /// The hierarchy that it was read from. Of use only where the kernel's events tell cgroups of another one.
    hierarchy: u32,
}

impl Table {
    /// An empty table of at most `limit` cgroups, and as many remembered processes.
    pub fn new(limit: usize) -> Table {
        Table {
            cgroups: Bounded::new(limit, Duration::ZERO),
            processes: Bounded::new(limit, EXITED_KEPT),
            identities: Bounded::new(limit, Duration::ZERO),
            unknown: VecDeque::new(),
            unidentified: VecDeque::new(),
            asked: Bounded::new(UNKNOWN_MAX, Duration::ZERO),
            now: BootTime::default(),
            counts: Counts::default(),
        }
    }

    /// Learns from the event and sets `event.workload`: what the actor is part of. `None` where nobody told of its cgroup.
    pub fn identify(&mut self, event: &mut Event) {
        self.now = self.now.max(event.time);
        self.processes.advance(self.now);
        event.workload = match (&event.body, event.actor.process) {
            (Body::ProcessFound(found), _) => found.cgroup.as_ref().map(|cgroup| {
                let workload = self.learn(cgroup);
                // A root says nothing that would have to be remembered.
                if is_root(&cgroup.path) {
                    self.processes.remove(&found.key);
                } else {
                    let hierarchy = cgroup.key.hierarchy;
                    self.processes.insert(found.key, Remembered { workload: Arc::clone(&workload), hierarchy });
                }
                workload
            }),
            // The kernel's counters know cgroups and no processes.
            (Body::Egress(_), None) => {
                let known = self.cgroups.get(&event.actor.cgroup).map(|known| Arc::clone(known));
                self.counts.unknown += u64::from(known.is_none());
                known
            }
            (Body::Cgroup(cgroup), process) => {
                self.learn(cgroup);
                process.and_then(|process| self.workload(process, event))
            }
            (Body::WorkloadIdentified(told), _) => Some(self.identified(told)),
            (_, Some(process)) => self.workload(process, event),
            (_, None) => None,
        };
        match (&event.body, event.actor.process) {
            (Body::Fork(fork), Some(parent)) => {
                if let Some(remembered) = self.remembered(parent, event.actor.cgroup) {
                    self.processes.insert(fork.child, remembered);
                }
            }
            (Body::Exit(_), Some(process)) => self.processes.retire(&process, event.time),
            _ => {}
        }
    }

    /// Pids whose cgroup nobody has told of, oldest first. The agent reads them in `/proc`; what it finds tells the cgroup.
    pub fn take_unknown(&mut self) -> Vec<u32> {
        self.unknown.drain(..).collect()
    }

    /// Containers that came up and of which no runtime has told, oldest first. The agent asks the runtimes; what they say is a
    /// [`Body::WorkloadIdentified`].
    pub fn take_unidentified(&mut self) -> Vec<Box<str>> {
        // Somebody may have told of them since.
        self.unidentified.drain(..).filter(|id| self.identities.peek(id).is_none()).collect()
    }

    /// What a process is part of that was last told to be in `cgroup`, as far as it is known now.
    pub fn of(&self, process: &ProcessKey, cgroup: &CgroupKey) -> Option<&Arc<Workload>> {
        match self.cgroups.peek(cgroup) {
            Some(known) if !is_root(&known.cgroup_path) => Some(known),
            root => self.processes.peek(process).map(|remembered| &remembered.workload).or(root),
        }
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts {
            cgroups: self.cgroups.len(),
            processes: self.processes.len(),
            cgroups_evicted: self.cgroups.evictions(),
            processes_evicted: self.processes.evictions(),
            identities: self.identities.len(),
            identities_evicted: self.identities.evictions(),
            ..self.counts
        }
    }

    fn workload(&mut self, process: ProcessKey, event: &Event) -> Option<Arc<Workload>> {
        let cgroup = event.actor.cgroup;
        let known = self.cgroups.get(&cgroup).map(|known| Arc::clone(known));
        match known {
            Some(known) if !is_root(&known.cgroup_path) => Some(known),
            Some(root) => match self.remembered(process, cgroup) {
                Some(remembered) => {
                    if matches!(event.body, Body::Exec(_)) {
                        self.ask(process.pid);
                    }
                    Some(remembered.workload)
                }
                None => Some(root),
            },
            None => {
                if !matches!(event.body, Body::Exit(_)) {
                    self.ask_cgroup(cgroup, process.pid);
                }
                let remembered = self.remembered(process, cgroup);
                if remembered.is_none() {
                    self.counts.unknown += 1;
                }
                remembered.map(|remembered| remembered.workload)
            }
        }
    }

    /// What is remembered of a process whose events tell `cgroup`, if that is of another hierarchy.
    fn remembered(&mut self, process: ProcessKey, cgroup: CgroupKey) -> Option<Remembered> {
        let remembered = self.processes.get(&process)?;
        if remembered.hierarchy != cgroup.hierarchy {
            return Some(remembered.clone());
        }
        // The kernel tells the same hierarchy, and tells it better.
        self.processes.remove(&process);
        None
    }

    /// The workload of a cgroup, learnt if its number is known (it is 0 if the cgroup was gone when it was looked at).
    fn learn(&mut self, cgroup: &Cgroup) -> Arc<Workload> {
        self.asked.remove(&cgroup.key);
        match self.cgroups.get(&cgroup.key) {
            Some(known) if known.cgroup_path == cgroup.path => return Arc::clone(known),
            _ => {}
        }
        // New, or another path: the number was taken again, or a v1 cgroup was renamed.
        let mut workload = super::parse(&cgroup.path);
        let identity = workload.container_id.as_ref().and_then(|id| self.identities.get(id));
        workload.identity = identity.map(|identity| Arc::clone(identity));
        self.ask_runtime(&workload);
        let workload = Arc::new(workload);
        if cgroup.key.id != 0 {
            self.cgroups.insert(cgroup.key, Arc::clone(&workload));
        }
        workload
    }

    /// Learns what a container is, and tells it of all its cgroups and processes. Walks both tables: once in a container's life.
    fn identified(&mut self, told: &WorkloadIdentified) -> Arc<Workload> {
        let identity = self.bounded(&told.identity);
        self.identities.insert(told.container_id.clone(), Arc::clone(&identity));
        let mut found = None;
        let cgroups = self.cgroups.values_mut();
        for workload in cgroups.chain(self.processes.values_mut().map(|remembered| &mut remembered.workload)) {
            if workload.container_id.as_ref() == Some(&told.container_id) {
                Arc::make_mut(workload).identity = Some(Arc::clone(&identity));
                found.get_or_insert_with(|| Arc::clone(workload));
            }
        }
        // Its cgroup is told of later, if at all.
        let alone = || Workload {
            kind: WorkloadKind::Container,
            id: format!("container:{}", told.container_id).into(),
            container_id: Some(told.container_id.clone()),
            identity: Some(identity),
            ..Workload::default()
        };
        found.unwrap_or_else(|| Arc::new(alone()))
    }

    /// The identity with no more labels than are kept.
    fn bounded(&mut self, identity: &Arc<Identity>) -> Arc<Identity> {
        let fits = |(key, value): &&(Box<str>, Box<str>)| key.len() + value.len() <= LABEL_BYTES_MAX;
        let kept: Box<[_]> = identity.labels.iter().filter(fits).take(LABELS_MAX).cloned().collect();
        if kept.len() == identity.labels.len() {
            return Arc::clone(identity);
        }
        self.counts.labels_refused += (identity.labels.len() - kept.len()) as u64;
        Arc::new(Identity { labels: kept, ..Identity::clone(identity) })
    }

    fn ask_runtime(&mut self, workload: &Workload) {
        let (Some(id), None) = (&workload.container_id, &workload.identity) else { return };
        if self.unidentified.contains(id) {
            return;
        }
        if self.unidentified.len() < UNIDENTIFIED_MAX {
            self.unidentified.push_back(id.clone());
        } else {
            self.counts.unidentified_refused += 1;
        }
    }

    fn ask_cgroup(&mut self, cgroup: CgroupKey, pid: u32) {
        const AGAIN: Duration = Duration::from_secs(1);
        if cgroup.id == 0 {
            return;
        }
        if self.asked.get(&cgroup).is_some_and(|asked| self.now.since(*asked) < AGAIN) {
            return;
        }
        self.asked.insert(cgroup, self.now);
        self.ask(pid);
    }

    fn ask(&mut self, pid: u32) {
        if self.unknown.len() < UNKNOWN_MAX {
            self.unknown.push_back(pid);
        } else {
            self.counts.unknown_refused += 1;
        }
    }
}

/// Whether a path is that of a hierarchy's root.
fn is_root(path: &str) -> bool {
    matches!(path, "" | "/")
}
