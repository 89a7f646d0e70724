//! Events that the source has given so far, by who did them and by the file that they are about.

use super::super::source::{Filter, Row, Source, SourceError, file_of};
use super::super::words::Facts;
use std::collections::{BTreeMap, BTreeSet};

/// Time and sequence.
pub type Key = (u64, u64);

/// What a child says of its parent.
#[derive(Debug)]
pub struct Told {
    /// When it said so.
    pub time: u64,
    /// `weir.process.parent.executable.path`.
    pub executable: Box<str>,
    /// `weir.process.parent.command_line`.
    pub command_line: Box<str>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Known {
    rows: BTreeMap<Key, Row>,
    processes: BTreeMap<Box<str>, BTreeSet<Key>>,
    files: BTreeMap<Box<str>, BTreeSet<Key>>,
    parents: BTreeMap<Box<str>, Box<str>>,
    /// What a child says of its parent, first. Of those who began before the sensor there may be no more.
    programs: BTreeMap<Box<str>, Told>,
    /// Most rows.
    limit: usize,
    /// The limit was reached.
    pub cut: bool,
}

impl Known {
    /// Nothing yet; at most `limit` events.
    pub fn new(limit: usize) -> Known {
        Known { limit, ..Known::default() }
    }

    /// Asks for what matches `filter`.
    pub fn fetch(&mut self, source: &mut dyn Source, mut filter: Filter) -> Result<(), SourceError> {
        filter.limit = self.limit.saturating_sub(self.rows.len());
        if filter.limit == 0 {
            self.cut = true;
            return Ok(());
        }
        let found = source.rows(&filter)?;
        self.cut |= found.cut;
        for row in found.rows {
            self.add(row);
        }
        Ok(())
    }

    /// One more.
    pub fn add(&mut self, row: Row) {
        let key = (row.time, row.sequence);
        if self.rows.contains_key(&key) {
            return;
        }
        let facts = Facts(&row.attributes);
        if let Some(process) = facts.text("weir.process.id") {
            self.processes.entry(process.into()).or_default().insert(key);
            if let Some(parent) = facts.text("weir.process.parent.id") {
                self.parents.entry(process.into()).or_insert_with(|| parent.into());
                self.programs.entry(parent.into()).or_insert_with(|| {
                    let text = |name: &str| facts.text(name).unwrap_or_default().into();
                    Told {
                        time: key.0,
                        executable: text("weir.process.parent.executable.path"),
                        command_line: text("weir.process.parent.command_line"),
                    }
                });
            }
            if let Some(child) = facts.text("weir.process.child.id") {
                self.processes.entry(child.into()).or_default().insert(key);
                self.parents.insert(child.into(), process.into());
            }
        }
        if let Some(file) = file_of(&row.attributes) {
            self.files.entry(file.into()).or_default().insert(key);
        }
        self.rows.insert(key, row);
    }

    /// One of them.
    pub fn get(&self, key: Key) -> Option<&Row> {
        self.rows.get(&key)
    }

    /// All, by time.
    pub fn all(&self) -> impl Iterator<Item = (Key, &Row)> {
        self.rows.iter().map(|(key, row)| (*key, row))
    }

    /// What happened from one time until another.
    pub fn between(&self, from: u64, to: u64) -> impl Iterator<Item = (Key, &Row)> {
        self.rows.range((from, 0)..=(to, u64::MAX)).map(|(key, row)| (*key, row))
    }

    /// What a process did, by time.
    pub fn of_process<'a>(&'a self, process: &'a str) -> impl Iterator<Item = (Key, &'a Row)> {
        let is_own = move |(_, row): &(Key, &Row)| Facts(&row.attributes).text("weir.process.id") == Some(process);
        self.about_process(process).filter(is_own)
    }

    /// The same, and the fork that it comes from.
    pub fn about_process<'a>(&'a self, process: &str) -> impl Iterator<Item = (Key, &'a Row)> {
        self.found(self.processes.get(process))
    }

    /// What was done to a file, by time.
    pub fn of_file<'a>(&'a self, file: &str) -> impl Iterator<Item = (Key, &'a Row)> {
        self.found(self.files.get(file))
    }

    fn found<'a>(&'a self, keys: Option<&'a BTreeSet<Key>>) -> impl Iterator<Item = (Key, &'a Row)> {
        keys.into_iter().flatten().filter_map(|key| Some((*key, self.rows.get(key)?)))
    }

    /// What a child of a process says of it.
    pub fn program(&self, process: &str) -> Option<&Told> {
        self.programs.get(process)
    }

    /// Who made a process.
    pub fn parent(&self, process: &str) -> Option<&str> {
        self.parents.get(process).map(|parent| &**parent)
    }
}
