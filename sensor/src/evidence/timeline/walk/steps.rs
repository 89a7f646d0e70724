//! The steps themselves, on what the source has said.

use super::super::super::source::Row;
use super::super::super::words::Facts;
use super::super::known::Key;
use super::super::model::Role;
use super::super::touch::{is_cause, is_small, touch};
use super::{Step, Walk, is_context};

impl Walk<'_> {
    fn of_process(&self, process: &str) -> Vec<(Key, Row)> {
        self.found.known.of_process(process).map(|(key, row)| (key, row.clone())).collect()
    }

    pub(super) fn subject(&mut self, process: &str) {
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

    pub(super) fn ancestor(&mut self, process: &str, until: u64) {
        // Who made an effect and is one is no cause of it all.
        let is_more = self.found.processes.get(process).is_some_and(|role| *role != Role::Cause);
        if !is_more && self.person(process, Role::Cause) {
            self.start(process, until);
            self.up(process, until);
        }
    }

    pub(super) fn writer(&mut self, process: &str, until: u64) {
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

    pub(super) fn effect(&mut self, process: &str, from: u64) {
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

    pub(super) fn file_back(&mut self, file: &str, until: u64) {
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

    pub(super) fn file_forward(&mut self, file: &str, from: u64) {
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
}
