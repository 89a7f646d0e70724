//! From what was asked about, backwards to causes and forwards to effects, a step at a time.
//!
//! Backwards: who made a process ([`Step::Ancestor`]: its programs and the forks that lead here, nothing else that it did); who wrote what
//! it read ([`Step::FileBack`]), and what those had read and received until then ([`Step::Writer`]). Forwards: its children, who read what it
//! wrote ([`Step::FileForward`]), and all that these did from then on ([`Step::Effect`]). Files, pipes and unix sockets are followed by
//! device and inode, so that names and containers do not matter. Somebody who only shares a container, or reads the same file, is
//! not reached. Each generation of steps is one question to the source for each direction. [`steps`] takes
//! them, [`finish`] rounds it off.

mod finish;
mod steps;

use super::super::source::{Filter, Row, Source};
use super::super::words::Facts;
use super::anchor::{CutError, Question};
use super::known::{Key, Known};
use super::model::Role;
use super::subject::Subject;
use super::touch::touch;
use std::collections::{BTreeMap, BTreeSet};

/// One step: about whom, or what file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// All that a process did that was asked about.
    Subject(Box<str>),
    /// What it ran before it made the one that leads here.
    Ancestor(Box<str>),
    /// What it read before it wrote what leads here.
    Writer(Box<str>),
    /// What it did since something reached it.
    Effect(Box<str>),
    /// Who wrote the file before.
    FileBack(Box<str>),
    /// Who read the file after.
    FileForward(Box<str>),
}

impl Step {
    /// Whether it looks back from its time; else forward.
    fn is_back(&self) -> bool {
        matches!(self, Step::Ancestor(_) | Step::Writer(_) | Step::FileBack(_))
    }
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// Everything that the source gave.
    pub known: Known,
    /// What of it is in the timeline.
    pub rows: BTreeMap<Key, Role>,
    /// Who is in the timeline.
    pub processes: BTreeMap<Box<str>, Role>,
    /// What was left out.
    pub notes: Vec<String>,
}

struct Walk<'a> {
    question: &'a Question,
    window: (u64, u64),
    found: Found,
    /// Each step with the time from or until which it was taken.
    done: BTreeMap<Step, u64>,
    next: BTreeMap<Step, u64>,
    /// Carriers that took next to nothing.
    small: BTreeSet<Box<str>>,
    /// Processes for which there was no room.
    refused: BTreeSet<Box<str>>,
}

/// Walks.
///
/// # Errors
/// The source cannot be read.
pub fn walk(source: &mut dyn Source, subject: &Subject, question: &Question) -> Result<Found, CutError> {
    let found = Found {
        known: Known::new(question.limits.rows),
        rows: BTreeMap::new(),
        processes: BTreeMap::new(),
        notes: Vec::new(),
    };
    let (done, next) = (BTreeMap::new(), BTreeMap::new());
    let (small, refused) = (BTreeSet::new(), BTreeSet::new());
    let mut walk = Walk { question, window: subject.window, found, done, next, small, refused };
    walk.begin(source, subject)?;
    let mut hops = 0;
    while !walk.next.is_empty() && hops < question.limits.hops {
        walk.generation(source)?;
        hops += 1;
    }
    walk.prove(subject);
    walk.finish(source)?;
    Ok(walk.found)
}

impl Walk<'_> {
    fn begin(&mut self, source: &mut dyn Source, subject: &Subject) -> Result<(), CutError> {
        let (from, to) = self.window;
        if subject.everything || !subject.workloads.is_empty() || !subject.paths.is_empty() {
            let (workloads, paths) = (subject.workloads.clone(), subject.paths.clone());
            self.found.known.fetch(source, Filter { workloads, paths, ..Filter::of_time(from, to, 0) })?;
        }
        for process in &subject.processes {
            self.step(Step::Subject(process.clone()), from);
        }
        let given: Vec<(Key, Row)> = self.found.known.all().map(|(key, row)| (key, row.clone())).collect();
        for (key, row) in given {
            let facts = Facts(&row.attributes);
            if is_context(facts.kind()) {
                continue;
            }
            let process = facts.text("weir.process.id").map(Box::<str>::from);
            if subject.paths.is_empty() {
                self.take(key, Role::Subject);
                match process {
                    Some(process) if subject.everything => drop(self.person(&process, Role::Subject)),
                    Some(process) => self.step(Step::Subject(process), from),
                    None => {}
                }
            } else {
                self.touched(key, &row);
            }
        }
        Ok(())
    }

    /// A file was asked about: who wrote it, and who read it.
    fn touched(&mut self, key: Key, row: &Row) {
        self.take(key, Role::Subject);
        let process = Facts(&row.attributes).text("weir.process.id").map(Box::<str>::from);
        match touch(row) {
            Some(touch) => {
                self.step(Step::FileBack(touch.file.clone()), self.window.1);
                self.step(Step::FileForward(touch.file.clone()), self.window.0);
                let Some(process) = process else { return };
                if touch.reads {
                    self.step(Step::Effect(process.clone()), key.0);
                }
                if touch.writes {
                    self.step(Step::Writer(process), key.0);
                }
            }
            None => {
                if let Some(process) = process {
                    self.person(&process, Role::Cause);
                }
            }
        }
    }

    /// Plans a step, if it leads further than it did before.
    fn step(&mut self, step: Step, bound: u64) {
        let is_back = step.is_back();
        let leads =
            |known: Option<&u64>| known.is_none_or(|known| if is_back { bound > *known } else { bound < *known });
        if leads(self.done.get(&step)) && leads(self.next.get(&step)) {
            self.next.insert(step, bound);
        }
    }

    /// Takes an event into the timeline. What was asked about stays what it is; a cause that is also an effect is a cause.
    fn take(&mut self, key: Key, role: Role) {
        merge(self.found.rows.entry(key).or_insert(role), role);
    }

    /// Takes a process into it; `false` if there is no room.
    fn person(&mut self, process: &str, role: Role) -> bool {
        if let Some(known) = self.found.processes.get_mut(process) {
            merge(known, role);
        } else if self.found.processes.len() < self.question.limits.processes {
            self.found.processes.insert(process.into(), role);
        } else {
            self.refused.insert(process.into());
            return false;
        }
        true
    }

    /// Asks for what the planned steps need, and takes them.
    fn generation(&mut self, source: &mut dyn Source) -> Result<(), CutError> {
        let steps = std::mem::take(&mut self.next);
        let (since, until) = (self.question.since, self.question.until);
        let mut own = Filter::of_time(self.window.0, self.window.1, 0);
        let mut up = Filter::of_time(since, since, 0);
        up.kinds = ["exec", "fork", "process_found"].map(Box::from).into();
        let mut back = Filter::of_time(since, since, 0);
        let mut forward = Filter::of_time(until, until, 0);
        for (step, bound) in &steps {
            match step {
                Step::Subject(process) => drop(own.processes.insert(process.clone())),
                Step::Ancestor(process) => {
                    up.processes.insert(process.clone());
                    up.to = up.to.max(*bound).min(until);
                }
                Step::Writer(_) | Step::FileBack(_) => back.to = back.to.max(*bound).min(until),
                Step::Effect(_) | Step::FileForward(_) => forward.from = forward.from.min(*bound).max(since),
            }
            match step {
                Step::Writer(process) => drop(back.processes.insert(process.clone())),
                Step::FileBack(file) => drop(back.files.insert(file.clone())),
                Step::Effect(process) => drop(forward.processes.insert(process.clone())),
                Step::FileForward(file) => drop(forward.files.insert(file.clone())),
                Step::Subject(_) | Step::Ancestor(_) => {}
            }
        }
        for filter in [own, up, back, forward] {
            if !filter.is_of_time_only() {
                self.found.known.fetch(source, filter)?;
            }
        }
        for (step, bound) in steps {
            self.done.insert(step.clone(), bound);
            match step {
                Step::Subject(process) => self.subject(&process),
                Step::Ancestor(process) => self.ancestor(&process, bound),
                Step::Writer(process) => self.writer(&process, bound),
                Step::Effect(process) => self.effect(&process, bound),
                Step::FileBack(file) => self.file_back(&file, bound),
                Step::FileForward(file) => self.file_forward(&file, bound),
            }
        }
        Ok(())
    }
}

fn merge(known: &mut Role, role: Role) {
    *known = match (*known, role) {
        (Role::Subject, _) | (_, Role::Subject) => Role::Subject,
        (Role::Cause, _) | (_, Role::Cause) => Role::Cause,
        (Role::Effect, Role::Effect) => Role::Effect,
    };
}

/// What colours nothing: time, counters that flows have told, and what is there before something happens.
fn is_context(kind: &str) -> bool {
    ["tick", "egress", "cgroup", "process_found", "ledger_restored", "correlations_restored"].contains(&kind)
}
