//! From what was asked about, backwards to causes and forwards to effects, a step at a time.
//!
//! Backwards: who made a process ([`Step::Ancestor`]: its programs and the forks that lead here, nothing else that it did); who wrote what
//! it read ([`Step::FileBack`]), and what those had read and received until then ([`Step::Writer`]). Forwards: its children, who read what it
//! wrote ([`Step::FileForward`]), and all that these did from then on ([`Step::Effect`]). Files, pipes and unix sockets are followed by
//! device and inode, so that names and containers do not matter. Somebody who only shares a container, or reads the same file, is
//! not reached. Each generation of steps is one question to the source for each direction.

use super::super::source::{Filter, Row, Source};
use super::super::words::Facts;
use super::anchor::{CutError, Question};
use super::known::{Key, Known};
use super::model::Role;
use super::subject::Subject;
use super::touch::{is_cause, is_small, touch};
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
            if subject.everything {
                self.take(key, Role::Subject);
                process.map(|process| self.person(&process, Role::Subject));
            } else if subject.paths.is_empty() {
                self.take(key, Role::Subject);
                process.map(|process| self.step(Step::Subject(process), from));
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
                process.map(|process| self.person(&process, Role::Cause));
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

    fn of_process(&self, process: &str) -> Vec<(Key, Row)> {
        self.found.known.of_process(process).map(|(key, row)| (key, row.clone())).collect()
    }

    fn subject(&mut self, process: &str) {
        if !self.person(process, Role::Subject) {
            return;
        }
        let (from, to) = self.window;
        for (key, row) in self.of_process(process) {
            if (from..=to).contains(&key.0) && !is_context(Facts(&row.attributes).kind()) {
                self.take(key, Role::Subject);
                self.back(key, &row);
                self.forward(key, &row);
            }
        }
        self.up(process, to);
    }

    fn ancestor(&mut self, process: &str, until: u64) {
        // Who made an effect and is one is no cause of it all.
        let is_more = self.found.processes.get(process).is_some_and(|role| *role != Role::Cause);
        if !is_more && self.person(process, Role::Cause) {
            self.start(process, until);
            self.up(process, until);
        }
    }

    fn writer(&mut self, process: &str, until: u64) {
        if !self.person(process, Role::Cause) {
            return;
        }
        self.start(process, until);
        for (key, row) in self.of_process(process) {
            if key.0 <= until && is_cause(&row) && Facts(&row.attributes).kind() != "exec" {
                self.take(key, Role::Cause);
                self.back(key, &row);
            }
        }
        self.up(process, until);
    }

    fn effect(&mut self, process: &str, from: u64) {
        if !self.person(process, Role::Effect) {
            return;
        }
        for (key, row) in self.of_process(process) {
            if key.0 >= from && key.0 <= self.question.until && !is_context(Facts(&row.attributes).kind()) {
                self.take(key, Role::Effect);
                self.forward(key, &row);
            }
        }
        self.up(process, from);
    }

    /// The program that a process ran at a time.
    fn start(&mut self, process: &str, until: u64) {
        let is_start = |(key, row): &(Key, &Row)| key.0 <= until && Facts(&row.attributes).kind() == "exec";
        let last = self.found.known.of_process(process).filter(is_start).last().map(|(key, _)| key);
        if let Some(key) = last {
            self.take(key, Role::Cause);
        }
    }

    /// To who made it.
    fn up(&mut self, process: &str, until: u64) {
        let begun = self.found.known.about_process(process).map(|(key, _)| key.0).next().unwrap_or(until);
        if let Some(parent) = self.found.known.parent(process).map(Box::<str>::from) {
            self.step(Step::Ancestor(parent), begun);
        }
    }

    /// To where what an event read came from.
    fn back(&mut self, key: Key, row: &Row) {
        if let Some(touch) = touch(row).filter(|touch| touch.reads) {
            self.step(Step::FileBack(touch.file), key.0);
        }
        if let Some(target) = Facts(&row.attributes).text("weir.access.target.id") {
            self.step(Step::Writer(target.into()), key.0);
        }
    }

    /// To what comes of an event.
    fn forward(&mut self, key: Key, row: &Row) {
        if let Some(child) = Facts(&row.attributes).text("weir.process.child.id") {
            self.step(Step::Effect(child.into()), key.0);
        }
        let Some(touch) = touch(row).filter(|touch| touch.writes && !touch.ends) else { return };
        if is_small(row) {
            self.small.insert(touch.file);
        } else {
            self.small.remove(&touch.file);
            self.step(Step::FileForward(touch.file), key.0);
        }
    }

    fn file_back(&mut self, file: &str, until: u64) {
        let before: Vec<(Key, Row)> = self
            .found
            .known
            .of_file(file)
            .filter(|(key, _)| key.0 <= until)
            .map(|(key, row)| (key, row.clone()))
            .collect();
        // What had the number before the file was made is another one.
        let made = before.iter().rposition(|(_, row)| touch(row).is_some_and(|touch| touch.creates)).unwrap_or(0);
        for (key, row) in before.into_iter().skip(made) {
            if touch(&row).is_some_and(|touch| touch.writes) {
                self.take(key, Role::Cause);
                if let Some(process) = Facts(&row.attributes).text("weir.process.id") {
                    self.step(Step::Writer(process.into()), key.0);
                }
            }
        }
    }

    fn file_forward(&mut self, file: &str, from: u64) {
        let after: Vec<(Key, Row)> = self
            .found
            .known
            .of_file(file)
            .filter(|(key, _)| key.0 >= from)
            .map(|(key, row)| (key, row.clone()))
            .collect();
        for (index, (key, row)) in after.into_iter().enumerate() {
            let Some(touch) = touch(&row) else { continue };
            if key.0 > self.question.until || (touch.creates && index > 0) {
                // Made anew: another file with the same number.
                return;
            }
            self.take(key, Role::Effect);
            match Facts(&row.attributes).text("weir.process.id") {
                Some(process) if touch.reads => self.step(Step::Effect(process.into()), key.0),
                Some(process) => drop(self.person(process, Role::Effect)),
                None => {}
            }
        }
    }

    /// What alerts have as their proof is in it, also where the source has it no more.
    fn prove(&mut self, subject: &Subject) {
        for (number, (time, attributes)) in (0_u64..).zip(&subject.proof) {
            let same = |row: &Row| {
                ["weir.event.kind", "weir.process.id", "file.path", "weir.socket.cookie"]
                    .iter()
                    .all(|name| row.attributes.get(*name) == attributes.get(*name))
            };
            // Records tell microseconds.
            let micros = *time / 1_000;
            let known = self.found.known.between(micros * 1_000, micros * 1_000 + 999).find(|(_, row)| same(row));
            let key = match known {
                Some((key, _)) => key,
                None => {
                    let key = (*time, u64::MAX - number);
                    self.found.known.add(Row { time: key.0, sequence: key.1, attributes: attributes.clone() });
                    key
                }
            };
            self.take(key, Role::Subject);
        }
    }

    /// Starts and ends of everyone who is in it, the forks between them; and no event of somebody who is not.
    fn finish(&mut self, source: &mut dyn Source) -> Result<(), CutError> {
        let mut lives = Filter::of_time(self.question.since, self.question.until, 0);
        lives.processes = self.found.processes.keys().cloned().collect();
        lives.kinds = ["exec", "exit", "fork", "process_found"].map(Box::from).into();
        if !lives.processes.is_empty() {
            self.found.known.fetch(source, lives)?;
        }
        let mut rows = std::mem::take(&mut self.found.rows);
        for (process, role) in &self.found.processes {
            for (key, row) in self.found.known.of_process(process) {
                let facts = Facts(&row.attributes);
                let is_life = match facts.kind() {
                    "exec" | "exit" => *role != Role::Cause,
                    "fork" => true,
                    _ => false,
                };
                if is_life {
                    rows.entry(key).or_insert(*role);
                }
            }
        }
        let has = |process: Option<&str>| process.is_some_and(|process| self.found.processes.contains_key(process));
        rows.retain(|key, _| {
            let Some(row) = self.found.known.get(*key) else { return false };
            let facts = Facts(&row.attributes);
            facts.kind() != "fork" || has(facts.text("weir.process.id")) && has(facts.text("weir.process.child.id"))
        });
        self.found.rows = rows;
        self.say_what_is_missing();
        Ok(())
    }

    fn say_what_is_missing(&mut self) {
        let limits = self.question.limits;
        let mut say = |note: String| self.found.notes.push(note);
        if !self.next.is_empty() {
            say(format!("More than {} steps away from what was asked about nothing was looked for.", limits.hops));
        }
        if self.found.known.cut {
            say(format!(
                "Only the first {} events were looked at; give a shorter time with --since and --until.",
                limits.rows
            ));
        }
        if !self.refused.is_empty() {
            let refused = self.refused.len();
            say(format!(
                "{refused} more processes took part, for which there was no room beside {}.",
                limits.processes
            ));
        }
        if !self.small.is_empty() {
            say(format!(
                "Not followed further: {} that took less than a thousandth of what was held.",
                if self.small.len() == 1 { "1 carrier".to_owned() } else { format!("{} carriers", self.small.len()) }
            ));
        }
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
