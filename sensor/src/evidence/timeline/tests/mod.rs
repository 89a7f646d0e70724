//! Timelines of a theft across two containers that a sensor recorded (`samples/theft.jsonl`: names and paths of the machine are
//! others, fields that timelines do not need are left out), and of small scenes.

mod formats;
mod scenes;
mod theft;

use super::super::lines::Lines;
use super::super::source::{Filter, Gap, Row, Rows, Source, SourceError, Told};
use super::anchor::{Anchor, CutError, Limits, Question};
use super::cut::cut;
use super::model::Timeline;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::PathBuf;

const INCIDENT: &str = "c549871d-cc31-8e60-ba0b-a2861f6de8cd";

fn theft() -> Lines {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/src/evidence/timeline/samples/theft.jsonl");
    Lines::open(&[PathBuf::from(sample)]).unwrap()
}

fn ask(source: &mut dyn Source, anchor: Anchor) -> Result<Timeline, CutError> {
    ask_within(source, anchor, Limits::default())
}

fn ask_within(source: &mut dyn Source, anchor: Anchor, limits: Limits) -> Result<Timeline, CutError> {
    cut(source, &Question { anchor, since: 0, until: u64::MAX, limits }, Some("node-1"))
}

/// Events of a scene, in memory.
#[derive(Default)]
struct Scene {
    rows: Vec<Row>,
    gaps: Vec<Gap>,
    /// How often it was asked.
    asked: usize,
}

impl Scene {
    /// Adds an event of a process a second after the one before.
    fn does(&mut self, process: &str, attributes: Value) -> &mut Scene {
        let sequence = self.rows.len() as u64;
        let Value::Object(mut attributes) = attributes else { panic!("no object") };
        let more: Map<String, Value> = [("weir.process.id".to_owned(), process.into())].into_iter().collect();
        attributes.extend(more);
        attributes.entry("process.executable.path").or_insert_with(|| format!("/bin/{process}").into());
        self.rows.push(Row { time: 1_700_000_000_000_000_000 + sequence * 1_000_000_000, sequence, attributes });
        self
    }
}

impl Source for Scene {
    fn rows(&mut self, filter: &Filter) -> Result<Rows, SourceError> {
        self.asked += 1;
        let mut matching = self.rows.iter().filter(|row| filter.takes(row.time, &row.attributes));
        let rows = matching.by_ref().take(filter.limit).cloned().collect();
        Ok(Rows { rows, cut: matching.next().is_some() })
    }

    fn told(&mut self, _: u64, _: u64, _: &BTreeSet<Box<str>>) -> Result<Vec<Told>, SourceError> {
        Ok(Vec::new())
    }

    fn gaps(&mut self, from: u64, to: u64) -> Result<Vec<Gap>, SourceError> {
        Ok(self.gaps.iter().filter(|gap| gap.is_of(from, to)).cloned().collect())
    }

    fn span(&mut self) -> Result<Option<(u64, u64)>, SourceError> {
        Ok(self.rows.first().zip(self.rows.last()).map(|(first, last)| (first.time, last.time)))
    }
}

/// Those who are in a timeline, by what is before the dash of their ids.
fn names(timeline: &Timeline) -> BTreeSet<&str> {
    timeline.processes.iter().filter_map(|process| process.id.split('-').next()).collect()
}

/// The sentences of entries of a kind, each with who did it.
fn said<'a>(timeline: &'a Timeline, kind: &str) -> Vec<(&'a str, &'a str)> {
    let of_kind = timeline.entries.iter().filter(|entry| entry.kind == kind);
    of_kind.map(|entry| (entry.process.as_deref().unwrap_or_default(), &*entry.sentence)).collect()
}
