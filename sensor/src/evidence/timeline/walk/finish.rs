//! When there is nowhere left to go: the proof of alerts, lives of those who are in it, and what was left out.

use super::super::super::source::{Filter, Row, Source};
use super::super::super::words::Facts;
use super::super::anchor::CutError;
use super::super::model::Role;
use super::super::subject::Subject;
use super::Walk;

impl Walk<'_> {
    /// What alerts have as their proof is in it, also where the source has it no more.
    pub(super) fn prove(&mut self, subject: &Subject) {
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
    pub(super) fn finish(&mut self, source: &mut dyn Source) -> Result<(), CutError> {
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
