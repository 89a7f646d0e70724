//! Cutting a timeline: from a question and a source to a [`Timeline`].

use super::super::source::{Row, Source, Told, ToldKind};
use super::super::words::Facts;
use super::anchor::{CutError, Question};
use super::known::Key;
use super::model::{Entry, Role, Time, Timeline, VERSION};
use super::people::People;
use super::subject::{self, Subject, attributes};
use super::time::relative;
use super::walk::{Found, walk};
use super::{series, touch::touch};
use crate::alert::{VALUE_MAX, escape};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Most records that are shown of alerts and incidents.
const TOLD_MAX: usize = 1_000;
/// From here on gaps concern a timeline that has no more than one time.
const MOMENT: u64 = 1_000_000_000;

/// Cuts the timeline that `question` asks for out of `source`.
///
/// # Errors
/// There is nothing about it, it is not clear what is meant, or the source cannot be read.
pub fn cut(source: &mut dyn Source, question: &Question, host: Option<&str>) -> Result<Timeline, CutError> {
    let subject = subject::find(source, question)?;
    let mut found = walk(source, &subject, question)?;
    let told = told(source, question, &subject, &found)?;
    if found.rows.is_empty() && told.is_empty() {
        let asked = escape(&question.anchor.to_string(), VALUE_MAX);
        let hint = match source.span()? {
            Some((from, to)) => format!("what was given is from {} until {}", Time::of(from).text, Time::of(to).text),
            None => "what was given is empty".to_owned(),
        };
        return Err(CutError::Nothing { asked, hint });
    }
    let kept = kept(&mut found, question, &told);
    let first =
        kept.first().map(|(key, _)| key.0).into_iter().chain(told.first().map(|told| told.time)).min().unwrap_or(0);
    let last =
        kept.last().map(|(key, _)| key.0).into_iter().chain(told.last().map(|told| told.time)).max().unwrap_or(first);
    let zero = told.iter().find(|told| told.kind == ToldKind::Alert).map_or(first, |told| told.time);
    let people = People::of(&found);
    let rows: Vec<&Row> = kept.iter().filter_map(|(key, _)| found.known.get(*key)).collect();
    let mut entries: Vec<Entry> =
        kept.iter().filter_map(|(key, role)| Some(event(found.known.get(*key)?, *role, zero, &people))).collect();
    entries.extend(told.iter().map(|told| record(told, zero, &people)));
    entries.sort_by(|one, other| one.time.nanos.cmp(&other.time.nanos));
    let rulesets: BTreeSet<String> =
        told.iter().filter_map(|told| attributes(told).text("security_rule.version").map(str::to_owned)).collect();
    Ok(Timeline {
        version: VERSION,
        asked: subject.asked.unwrap_or_else(|| question.anchor.to_string()),
        sentence: subject.sentence,
        severity: subject.severity.or_else(|| worst(&told)),
        incident: subject.incident,
        host: host.map(str::to_owned),
        sensor: env!("CARGO_PKG_VERSION").to_owned(),
        rulesets: rulesets.into_iter().collect(),
        from: Time::of(first),
        to: Time::of(last),
        zero: Time::of(zero),
        series: series::of(&rows, &people),
        processes: people.processes,
        workloads: people.workloads,
        entries,
        gaps: source.gaps(first.saturating_sub(MOMENT), last.saturating_add(MOMENT))?,
        notes: found.notes,
    })
}

/// The severity of the worst that was told.
fn worst(told: &[Told]) -> Option<String> {
    let number = |told: &&Told| told.record.get("severity_number").and_then(Value::as_u64).unwrap_or(0);
    told.iter().max_by_key(number)?.record.get("severity_text")?.as_str().map(str::to_owned)
}

/// What was told of it: what was asked about, and alerts about those who are in it. Of an incident the last that was told.
fn told(source: &mut dyn Source, question: &Question, subject: &Subject, found: &Found) -> Result<Vec<Told>, CutError> {
    let mut all = subject.told.clone();
    if all.is_empty() {
        let times = found.rows.keys().map(|key| key.0);
        let (first, last) = (times.clone().min().unwrap_or(question.since), times.max().unwrap_or(question.until));
        let (first, last) =
            if subject.everything { (question.since, question.until) } else { (first, last.saturating_add(MOMENT)) };
        let is_of = |told: &Told| {
            let facts = attributes(told);
            let ids = facts.text("weir.process.id").into_iter().chain(facts.list("weir.incident.processes"));
            let is_theirs = |id: &str| found.processes.get(id).is_some_and(|role| *role != Role::Cause);
            let is_there = |id: &str| subject.workloads.contains(id);
            subject.everything || ids.into_iter().any(is_theirs) || facts.text("weir.workload.id").is_some_and(is_there)
        };
        all = source.told(first, last, &BTreeSet::new())?;
        all.retain(|told| told.kind != ToldKind::Coverage && is_of(told));
    }
    let mut last_of: BTreeMap<Box<str>, usize> = BTreeMap::new();
    for (index, told) in all.iter().enumerate() {
        if let (ToldKind::Incident, Some(id)) = (told.kind, &told.incident) {
            last_of.insert(id.clone(), index);
        }
    }
    let is_last = |index: usize, told: &Told| {
        told.incident.as_ref().is_none_or(|id| last_of.get(id).is_none_or(|last| *last == index))
    };
    let mut index = 0;
    all.retain(|told| {
        index += 1;
        told.kind == ToldKind::Alert || told.kind == ToldKind::Incident && is_last(index - 1, told)
    });
    all.sort_by_key(|told| told.time);
    all.truncate(TOLD_MAX);
    Ok(all)
}

/// The events that there is room for: those of what was asked about first, then the nearest to it.
fn kept(found: &mut Found, question: &Question, told: &[Told]) -> Vec<(Key, Role)> {
    let mut rows: Vec<(Key, Role)> = found.rows.iter().map(|(key, role)| (*key, *role)).collect();
    let limit = question.limits.entries.saturating_sub(told.len());
    if rows.len() > limit {
        let times = || rows.iter().filter(|(_, role)| *role == Role::Subject).map(|(key, _)| key.0);
        let middle = told.first().map(|told| told.time).or_else(|| times().next()).unwrap_or(0);
        let left_out = rows.len() - limit;
        rows.sort_by_key(|(key, role)| (*role != Role::Subject, key.0.abs_diff(middle)));
        rows.truncate(limit);
        rows.sort_by_key(|(key, _)| *key);
        found.notes.push(format!(
            "{left_out} events are left out, those farthest from what was asked about: there is room for {} entries (--limit).",
            question.limits.entries
        ));
    }
    rows
}

fn event(row: &Row, role: Role, zero: u64, people: &People) -> Entry {
    let facts = Facts(&row.attributes);
    Entry {
        time: Time::of(row.time),
        relative: relative(row.time, zero),
        kind: facts.kind().to_owned(),
        sentence: facts.deed(),
        process: people.acting(&row.attributes),
        workload: facts.text("weir.workload.id").and_then(|id| people.workload(id)),
        severity: None,
        role,
        bytes: bytes(row),
        attributes: row.attributes.clone(),
    }
}

/// How many bytes an event is about.
fn bytes(row: &Row) -> Option<u64> {
    let facts = Facts(&row.attributes);
    match facts.kind() {
        "flow" => facts.number("weir.flow.bytes"),
        "transfer" => facts.number("weir.transfer.bytes"),
        "truncate" => facts.number("weir.file.new_size"),
        "open" => touch(row).and_then(|_| facts.number("file.size")),
        _ => None,
    }
}

fn record(told: &Told, zero: u64, people: &People) -> Entry {
    let facts = attributes(told);
    let text = |name: &str| told.record.get(name).and_then(Value::as_str);
    let mut all: Map<String, Value> = facts.0.clone();
    // What a record knows beyond its attributes.
    for name in ["incident", "evidence"] {
        if let Some(whole) = told.record.get(name) {
            all.insert(name.to_owned(), whole.clone());
        }
    }
    Entry {
        time: Time::of(told.time),
        relative: relative(told.time, zero),
        kind: if told.kind == ToldKind::Alert { "alert" } else { "incident" }.to_owned(),
        sentence: escape(text("body").unwrap_or_default(), 4 * VALUE_MAX),
        process: people.acting(facts.0),
        workload: facts.text("weir.workload.id").and_then(|id| people.workload(id)),
        severity: text("severity_text").map(str::to_owned),
        role: Role::Subject,
        bytes: facts.number("weir.incident.bytes"),
        attributes: all,
    }
}
