//! The process table.
//!
//! Decisions that a reader should know:
//! - A process keeps the lineage it was born with. When its parent ends and the kernel gives it to another (a double fork),
//!   who started it is still who started it; the new parent is an accident.
//! - An ancestor in a lineage is what it was when the child was born; what it runs later does not change that.
//! - What is not known is not guessed: a process that only an event named is `incomplete` and has no executable, whatever the
//!   thread's name says, since that is the process's own choice.

use crate::bounded::{Bounded, Evictions};
use crate::event::{
    Actor, Ancestor, Body, BootTime, CgroupKey, Event, Exec, Fork, Process, ProcessAccess, ProcessFound, ProcessKey,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long an ended process stays known, in event time: flows are closed, and opens are decoded, after their process ended.
pub const EXITED_KEPT: Duration = Duration::from_secs(30);
/// Most bytes of arguments that are kept of a process (an exec event carries all that the kernel sent).
pub const ARGS_BYTES: usize = 2048;
/// Most arguments that are kept of a process.
pub const ARGS_COUNT: usize = 64;
/// Bytes that the processes of a table may have together, for each process that it may hold; most have less.
pub const BYTES_EACH: usize = 1024;
/// Most pids that wait to be looked up.
pub const UNKNOWN_MAX: usize = 1024;

/// The table's state and losses, for metrics. Totals since the start, but for `processes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes in the table now, ended ones that linger included.
    pub processes: usize,
    /// Processes that went, by reason.
    pub evictions: Evictions,
    /// Processes that an event named and nobody knew.
    pub unknown: u64,
    /// Look-ups that were not asked for because [`UNKNOWN_MAX`] were waiting; the next event of the process asks again.
    pub unknown_refused: u64,
    /// Processes whose arguments were too long to keep whole.
    pub args_cut: u64,
}

/// Processes by key, filled from events alone.
#[derive(Debug)]
pub struct Table {
    processes: Bounded<ProcessKey, Entry>,
    /// The latest process of each pid.
    pids: Bounded<u32, ProcessKey>,
    /// The latest process of each id in a pid namespace.
    local: Bounded<(u32, u32), ProcessKey>,
    unknown: VecDeque<u32>,
    now: BootTime,
    counts: Counts,
}

#[derive(Debug)]
struct Entry {
    process: Arc<Process>,
    /// When what it runs was last told.
    changed: BootTime,
    /// A look-up was asked for.
    asked: bool,
    /// The lineage of its children, made at the first one.
    children: Option<Arc<[Ancestor]>>,
}

impl Table {
    /// An empty table of at most `limit` processes, and at most `limit` times [`BYTES_EACH`] bytes.
    pub fn new(limit: usize) -> Table {
        Table {
            processes: Bounded::new(limit, EXITED_KEPT).with_budget(limit.saturating_mul(BYTES_EACH)),
            pids: Bounded::new(limit, Duration::ZERO),
            local: Bounded::new(limit, Duration::ZERO),
            unknown: VecDeque::new(),
            now: BootTime::default(),
            counts: Counts::default(),
        }
    }

    /// Learns from the event and sets `event.process`: who acted; for an exec, as it is after it.
    pub fn identify(&mut self, event: &mut Event) {
        self.now = self.now.max(event.time);
        self.processes.advance(self.now);
        self.note_local(event);
        if let Body::ProcessAccess(access) = &mut event.body {
            self.access(access, event.actor.pid_namespace);
        }
        event.process = match (&event.body, event.actor.process) {
            (Body::ProcessFound(found), _) => Some(self.found(found, event.time)),
            (Body::Exec(exec), Some(key)) => Some(self.exec(key, exec, &event.actor, event.time)),
            (Body::Fork(fork), Some(key)) => Some(self.fork(key, fork, &event.actor, event.time)),
            (Body::Exit(_), Some(key)) => {
                let process = self.actor(key, &event.actor, false);
                self.exited(key, event.time);
                Some(process)
            }
            (Body::Lost(_) | Body::Tamper(_) | Body::Recognized(_), _) | (_, None) => None,
            (_, Some(key)) => Some(self.actor(key, &event.actor, true)),
        };
    }

    /// Which process an id means in a pid namespace, as far as events tell.
    fn note_local(&mut self, event: &Event) {
        let namespace = event.actor.pid_namespace;
        let noted = match (&event.body, event.actor.process) {
            (Body::ProcessFound(found), _) => Some((found.pid_namespace, found.vpid, found.key)),
            // One that is the first of a new namespace is not in its parent's.
            (Body::Fork(fork), _) if fork.child_vpid != 1 => Some((namespace, fork.child_vpid, fork.child)),
            (Body::Exec(_), Some(key)) => Some((namespace, event.actor.vpid, key)),
            _ => None,
        };
        if let Some((namespace, vpid, key)) = noted.filter(|(namespace, vpid, _)| *namespace != 0 && *vpid != 0) {
            self.local.remove(&(namespace, vpid));
            self.local.insert((namespace, vpid), key);
        }
    }

    /// Whom an access was to.
    fn access(&mut self, access: &mut ProcessAccess, namespace: u32) {
        access.target = access.target.or_else(|| self.local.peek(&(namespace, access.target_vpid)).copied());
        let Some(target) = access.target else { return };
        access.target_process = self.get(&target).cloned();
    }

    /// The process, if it is known.
    pub fn get(&self, key: &ProcessKey) -> Option<&Arc<Process>> {
        self.processes.peek(key).map(|entry| &entry.process)
    }

    /// Pids that events named and nobody knows, oldest first; each is given once. The agent looks for them in `/proc`.
    pub fn take_unknown(&mut self) -> Vec<u32> {
        self.unknown.drain(..).collect()
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts { processes: self.processes.len(), evictions: self.processes.evictions(), ..self.counts }
    }

    /// The process of an event that tells nothing more about it than that it is there; `ask`: look it up if unknown.
    fn actor(&mut self, key: ProcessKey, actor: &Actor, ask: bool) -> Arc<Process> {
        if let Some(entry) = self.processes.get(&key) {
            if entry.process.vpid == 0 && actor.vpid != 0 {
                Arc::make_mut(&mut entry.process).vpid = actor.vpid;
            }
        } else {
            let told = Process { vpid: actor.vpid, uid: actor.uid, gid: actor.gid, ..Process::default() };
            self.unknown_process(key, told);
        }
        if ask {
            self.ask(key);
        }
        self.get(&key).cloned().unwrap_or_default()
    }

    fn fork(&mut self, parent: ProcessKey, fork: &Fork, actor: &Actor, time: BootTime) -> Arc<Process> {
        let parent_process = self.actor(parent, actor, true);
        self.note_cgroup(parent, actor.cgroup);
        // Read out of order, or found in `/proc` meanwhile: what was told later stands.
        if self.processes.peek(&fork.child).is_some_and(|entry| !entry.process.incomplete && entry.changed >= time) {
            return parent_process;
        }
        let child = Process {
            key: fork.child,
            vpid: fork.child_vpid,
            executable: Arc::clone(&parent_process.executable),
            args: Arc::clone(&parent_process.args),
            working_directory: Arc::clone(&parent_process.working_directory),
            uid: parent_process.uid,
            gid: parent_process.gid,
            lineage: self.children_of(parent),
            // As it is now that its cgroup has been noted.
            root: self.get(&parent).map_or(fork.child, |parent| parent.root),
            cgroup: actor.cgroup,
            incomplete: parent_process.incomplete,
        };
        self.put(child, time);
        parent_process
    }

    /// A process that was moved (a runtime's, before it starts the container's) has children in the new place from now on.
    fn note_cgroup(&mut self, key: ProcessKey, cgroup: CgroupKey) {
        if let Some(entry) = self.processes.get(&key)
            && entry.process.cgroup != cgroup
        {
            let process = Arc::make_mut(&mut entry.process);
            process.root = moved_root(process, cgroup).unwrap_or(process.root);
            process.cgroup = cgroup;
            entry.children = None;
        }
    }

    fn exec(&mut self, key: ProcessKey, exec: &Exec, actor: &Actor, time: BootTime) -> Arc<Process> {
        let before = self.processes.get(&key).map(|entry| Arc::clone(&entry.process));
        let (born, vpid) =
            before.as_ref().map(|process| (Arc::clone(&process.lineage), process.vpid)).unwrap_or_default();
        let root = match &before {
            Some(process) => moved_root(process, actor.cgroup).unwrap_or(process.root),
            None => self.root_of(key, exec.parent, actor.cgroup),
        };
        let lineage = match exec.parent {
            Some(parent) if born.is_empty() => self.children_of(parent),
            _ => born,
        };
        let process = Process {
            key,
            vpid: if actor.vpid == 0 { vpid } else { actor.vpid },
            executable: (*exec.file.path).into(),
            args: exec.args.iter().cloned().collect(),
            working_directory: (*exec.working_directory).into(),
            uid: actor.uid,
            gid: actor.gid,
            lineage,
            root,
            cgroup: actor.cgroup,
            incomplete: false,
        };
        // Rules see all the arguments at the exec; what is kept for the process's later events is bounded.
        match self.kept_args(&process.args) {
            None => self.put(process, time),
            Some(args) => {
                self.put(Process { args, ..process.clone() }, time);
                Arc::new(process)
            }
        }
    }

    fn found(&mut self, found: &ProcessFound, time: BootTime) -> Arc<Process> {
        let parent = found.parent_pid.and_then(|pid| self.pids.peek(&pid).copied());
        // A pid that was taken again is not the parent: a parent starts before its child.
        let parent = parent.filter(|parent| parent.start_ticks <= found.key.start_ticks && *parent != found.key);
        let mut process = Process {
            key: found.key,
            vpid: found.vpid,
            executable: (*found.executable).into(),
            args: found.args.iter().cloned().collect(),
            working_directory: (*found.working_directory).into(),
            uid: found.uid,
            gid: found.gid,
            cgroup: found.cgroup.as_ref().map(|cgroup| cgroup.key).unwrap_or_default(),
            ..Process::default()
        };
        process.root = self.root_of(found.key, parent, process.cgroup);
        if let Some(args) = self.kept_args(&process.args) {
            process.args = args;
        }
        let was_named = match self.processes.get(&found.key) {
            None => false,
            Some(entry) => {
                let known = &entry.process;
                // `/proc` is right about the program only if it was read after the last that events told (an exec was lost);
                // arguments alone are no news: programs rewrite their own.
                if !known.incomplete && (entry.changed >= time || known.executable == process.executable) {
                    if known.vpid == 0 && found.vpid != 0 {
                        Arc::make_mut(&mut entry.process).vpid = found.vpid;
                    }
                    return Arc::clone(&entry.process);
                }
                process.lineage = Arc::clone(&known.lineage);
                known.incomplete
            }
        };
        if process.lineage.is_empty()
            && let Some(parent) = parent
        {
            process.lineage = self.children_of(parent);
        }
        let process = self.put(process, time);
        if was_named {
            self.tell_descendants(&process);
        }
        process
    }

    /// Puts a process in; an older one of the same pid has ended, even if its exit was lost.
    fn put(&mut self, process: Process, time: BootTime) -> Arc<Process> {
        let key = process.key;
        let process = Arc::new(process);
        let entry = Entry { process: Arc::clone(&process), changed: time, asked: false, children: None };
        let is_new = self.processes.peek(&key).is_none();
        // An ended process stays ended: what two CPUs tell can be read out of order.
        self.processes.set(key, entry, bytes_of(&process));
        if is_new {
            self.note_pid(key);
        }
        process
    }

    fn note_pid(&mut self, key: ProcessKey) {
        match self.pids.get(&key.pid) {
            Some(latest) if latest.start_ticks >= key.start_ticks => {
                if *latest != key {
                    self.processes.retire(&key, self.now);
                }
            }
            Some(latest) => {
                let ended = std::mem::replace(latest, key);
                self.processes.retire(&ended, self.now);
            }
            None => {
                self.pids.insert(key.pid, key);
            }
        }
    }

    fn exited(&mut self, key: ProcessKey, time: BootTime) {
        self.processes.retire(&key, time);
        if self.pids.peek(&key.pid) == Some(&key) {
            self.pids.remove(&key.pid);
        }
    }

    /// Takes in a process that an event names and nobody knows.
    fn unknown_process(&mut self, key: ProcessKey, told: Process) {
        self.counts.unknown += 1;
        self.put(Process { key, root: key, incomplete: true, ..told }, BootTime::default());
    }

    /// Asks for a look-up, once, if the process is incomplete.
    fn ask(&mut self, key: ProcessKey) {
        let Some(entry) = self.processes.get(&key) else { return };
        if !entry.process.incomplete || entry.asked {
            return;
        }
        if self.unknown.len() < UNKNOWN_MAX {
            entry.asked = true;
            self.unknown.push_back(key.pid);
        } else {
            self.counts.unknown_refused += 1;
        }
    }

    /// The lineage of the children of `parent`: itself, and its own ancestors.
    fn children_of(&mut self, parent: ProcessKey) -> Arc<[Ancestor]> {
        if self.processes.peek(&parent).is_none() {
            self.unknown_process(parent, Process::default());
        }
        self.ask(parent);
        let Some(entry) = self.processes.get(&parent) else { return Arc::default() };
        let process = &entry.process;
        let lineage = entry.children.get_or_insert_with(|| {
            let first = ancestor(process);
            let rest = process.lineage.iter().take(Process::LINEAGE_MAX - 1).cloned();
            std::iter::once(first).chain(rest).collect()
        });
        Arc::clone(lineage)
    }

    /// Completes the lineages that had `process` in them before it was known. Walks the whole table: this is rare, at the
    /// start and after losses.
    fn tell_descendants(&mut self, process: &Process) {
        let told = ancestor(process);
        let blank = |known: &Ancestor| known.key == told.key && known.executable.is_empty();
        for entry in self.processes.values_mut() {
            if entry.process.root == process.key && process.root != process.key {
                Arc::make_mut(&mut entry.process).root = process.root;
            }
            if let Some(place) = entry.process.lineage.iter().position(blank) {
                let mut lineage: Vec<Ancestor> = entry.process.lineage.to_vec();
                lineage.truncate(place);
                lineage.push(told.clone());
                let above = entry.process.lineage.iter().skip(place + 1);
                // Nothing was above it if nobody knew it.
                if above.len() == 0 {
                    lineage.extend(process.lineage.iter().cloned())
                } else {
                    lineage.extend(above.cloned())
                }
                lineage.truncate(Process::LINEAGE_MAX);
                Arc::make_mut(&mut entry.process).lineage = lineage.into();
                entry.children = None;
            }
        }
    }

    /// The first of the line of a process that is told of only now: its parent's, if that is in the same cgroup.
    fn root_of(&self, key: ProcessKey, parent: Option<ProcessKey>, cgroup: CgroupKey) -> ProcessKey {
        let parent = parent.and_then(|parent| self.get(&parent));
        parent.filter(|parent| parent.cgroup == cgroup && cgroup.id != 0).map_or(key, |parent| parent.root)
    }

    /// The part of `args` that is kept; `None` if that is all of them.
    fn kept_args(&mut self, args: &[Box<str>]) -> Option<Arc<[Box<str>]>> {
        let mut left = ARGS_BYTES;
        if args.len() <= ARGS_COUNT && args.iter().map(|arg| arg.len()).sum::<usize>() <= left {
            return None;
        }
        self.counts.args_cut += 1;
        let mut kept = Vec::new();
        for arg in args.iter().take(ARGS_COUNT) {
            let part = arg.get(..arg.floor_char_boundary(left)).unwrap_or_default();
            left -= part.len();
            kept.push(part.into());
            if part.len() < arg.len() {
                break;
            }
        }
        Some(kept.into())
    }
}

/// The process itself, if it goes into another cgroup: it is the first of its line there.
fn moved_root(process: &Process, cgroup: CgroupKey) -> Option<ProcessKey> {
    (process.cgroup.id != 0 && cgroup.id != 0 && process.cgroup != cgroup).then_some(process.key)
}

/// The process as its children remember it.
fn ancestor(process: &Process) -> Ancestor {
    Ancestor {
        key: process.key,
        executable: Arc::clone(&process.executable),
        command_line: process.command_line().into(),
        vpid: process.vpid,
        cgroup: process.cgroup,
    }
}

/// What a process takes in the table, about, and what it shares with others as if it were its own.
fn bytes_of(process: &Process) -> usize {
    const FIXED: usize = 400;
    const ARG: usize = 48;
    let parent = process.lineage.first().map_or(0, |parent| parent.executable.len() + parent.command_line.len());
    let args: usize = process.args.iter().map(|arg| arg.len() + ARG).sum();
    let lineage = process.lineage.len() * size_of::<Ancestor>();
    FIXED + process.executable.len() + process.working_directory.len() + args + lineage + parent
}
