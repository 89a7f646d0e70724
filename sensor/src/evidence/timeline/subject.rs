//! From what was asked to the processes, workloads and files that the cut begins with.

use super::super::source::{Filter, Row, Source, Told, ToldKind};
use super::super::words::Facts;
use super::anchor::{Anchor, CutError, Question};
use super::time::nanos;
use crate::alert::{VALUE_MAX, escape};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Before and after an incident or alert, what its processes did is shown for so long.
const AROUND: u64 = 10 * 60 * 1_000_000_000;
/// Most events that are looked through for a name.
const SEARCHED: usize = 500_000;
/// Most names in an error.
const NAMES_SHOWN: usize = 5;

/// What the cut begins with.
#[derive(Debug, Default)]
pub struct Subject {
    /// What was asked for, with its whole id, where only the beginning was given.
    pub asked: Option<String>,
    /// What it is about, one sentence.
    pub sentence: String,
    /// The severity of an incident or alert.
    pub severity: Option<String>,
    /// An incident's id.
    pub incident: Option<String>,
    /// Processes.
    pub processes: BTreeSet<Box<str>>,
    /// Workloads, by their ids.
    pub workloads: BTreeSet<Box<str>>,
    /// Files, by their paths.
    pub paths: BTreeSet<Box<str>>,
    /// Everything.
    pub everything: bool,
    /// Alerts and incidents that it is, as they were told.
    pub told: Vec<Told>,
    /// The events that prove them, as the alerts have them.
    pub proof: Vec<(u64, Map<String, Value>)>,
    /// What it did is taken from this time to that one.
    pub window: (u64, u64),
}

/// Finds it.
///
/// # Errors
/// There is no such thing, or there are several, or the source cannot be read.
pub fn find(source: &mut dyn Source, question: &Question) -> Result<Subject, CutError> {
    let mut subject = match &question.anchor {
        Anchor::Incident(id) => incident(source, id)?,
        Anchor::Alert(uid) => alert(source, uid)?,
        Anchor::Workload(id) => {
            workloads(source, question, id, |facts| names_of(facts).any(|name| name == id || name.starts_with(&**id)))?
        }
        Anchor::Pod { namespace, name } => {
            let is_of = |facts: Facts<'_>| {
                facts.text("k8s.namespace.name") == Some(namespace) && facts.text("k8s.pod.name") == Some(name)
            };
            workloads(source, question, &format!("{namespace}/{name}"), is_of)?
        }
        Anchor::Process(id) => process(source, question, id)?,
        Anchor::File(path) => Subject { paths: [path.as_str().into()].into(), ..Subject::default() },
        Anchor::Time => Subject { everything: true, ..Subject::default() },
    };
    let (from, to) = if subject.told.is_empty() { (0, u64::MAX) } else { around(&subject) };
    subject.window = (from.max(question.since), to.min(question.until));
    if subject.sentence.is_empty() {
        subject.sentence = format!("What is known of {}", escape(&question.anchor.to_string(), VALUE_MAX));
    }
    Ok(subject)
}

fn around(subject: &Subject) -> (u64, u64) {
    let told = subject.told.iter().map(|told| told.time);
    let times = || told.clone().chain(subject.proof.iter().map(|(time, _)| *time));
    let begun = subject.told.iter().filter_map(|told| {
        let facts = attributes(told);
        facts.text("weir.incident.began").or_else(|| facts.text("weir.alert.begun")).and_then(nanos)
    });
    let (first, last) = (times().chain(begun).min().unwrap_or(0), times().max().unwrap_or(u64::MAX));
    (first.saturating_sub(AROUND), last.saturating_add(AROUND))
}

/// The attributes of a record; none if it has none.
pub fn attributes(told: &Told) -> Facts<'_> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    Facts(told.record.get("attributes").and_then(Value::as_object).unwrap_or(&NONE))
}

fn incident(source: &mut dyn Source, id: &str) -> Result<Subject, CutError> {
    let asked = || format!("incident {}", escape(id, VALUE_MAX));
    // A whole id is asked for by itself, in a time that nothing is of.
    let exact: BTreeSet<Box<str>> = [id.into()].into();
    let mut told = if id.len() == 36 { source.told(1, 0, &exact)? } else { Vec::new() };
    if told.is_empty() {
        told = source.told(0, u64::MAX, &BTreeSet::new())?;
    }
    let ids: BTreeSet<Box<str>> = told.iter().filter_map(|told| told.incident.clone()).collect();
    let matching: Vec<&Box<str>> = ids.iter().filter(|known| known.starts_with(id)).collect();
    let id = match matching.as_slice() {
        [] => return Err(CutError::Nothing { asked: asked(), hint: others(&told, ToldKind::Incident) }),
        [one] => (*one).clone(),
        several => return Err(CutError::Ambiguous { asked: asked(), found: listed(several.iter().map(|id| &***id)) }),
    };
    // Incidents that turned out to be this one are told under their own ids.
    let latest = told.iter().rfind(|told| told.kind == ToldKind::Incident && told.incident.as_ref() == Some(&id));
    let merged: BTreeSet<Box<str>> =
        latest.iter().flat_map(|told| attributes(told).list("weir.incident.merged")).map(Box::from).collect();
    let (sentence, severity) = latest.or(told.first()).map(said).unwrap_or_default();
    if !merged.is_empty() {
        told.extend(source.told(1, 0, &merged)?);
    }
    let is_of = |told: &Told| told.incident.as_ref().is_some_and(|own| *own == id || merged.contains(own));
    let mut seen = BTreeSet::new();
    told.retain(|told| is_of(told) && seen.insert(told.uid.clone()));
    let asked = Some(Anchor::Incident(id.to_string()).to_string());
    Ok(Subject { asked, sentence, severity, incident: Some(id.into()), ..of_told(told) })
}

fn alert(source: &mut dyn Source, uid: &str) -> Result<Subject, CutError> {
    let asked = || format!("alert {}", escape(uid, VALUE_MAX));
    let mut told = source.told(0, u64::MAX, &BTreeSet::new())?;
    let own = |told: &Told| attributes(told).text("weir.alert.uid").map(Box::<str>::from);
    let uids: BTreeSet<Box<str>> = told.iter().filter_map(own).filter(|known| known.starts_with(uid)).collect();
    let uids: Vec<&Box<str>> = uids.iter().collect();
    let uid = match uids.as_slice() {
        [] => return Err(CutError::Nothing { asked: asked(), hint: others(&told, ToldKind::Alert) }),
        [one] => (*one).clone(),
        several => {
            return Err(CutError::Ambiguous { asked: asked(), found: listed(several.iter().map(|uid| &***uid)) });
        }
    };
    told.retain(|told| own(told).as_ref() == Some(&uid));
    let (sentence, severity) = told.last().map(said).unwrap_or_default();
    let incident = told.last().and_then(|told| told.incident.clone()).map(String::from);
    let asked = Some(Anchor::Alert(uid.into()).to_string());
    Ok(Subject { asked, sentence, severity, incident, ..of_told(told) })
}

fn said(told: &Told) -> (String, Option<String>) {
    let text = |name: &str| told.record.get(name).and_then(Value::as_str).map(str::to_owned);
    (escape(&text("body").unwrap_or_default(), 4 * VALUE_MAX), text("severity_text"))
}

/// Everyone whom records name, and what proves them.
fn of_told(told: Vec<Told>) -> Subject {
    let mut subject = Subject::default();
    for one in &told {
        let facts = attributes(one);
        subject.processes.extend(parties(facts));
        subject.processes.extend(facts.list("weir.incident.processes").map(Box::from));
        for piece in one.record.get("evidence").and_then(Value::as_array).into_iter().flatten() {
            let time = piece.get("time").and_then(Value::as_str).and_then(nanos);
            if let (Some(time), Some(attributes)) = (time, piece.get("attributes").and_then(Value::as_object)) {
                subject.processes.extend(parties(Facts(attributes)));
                subject.proof.push((time, attributes.clone()));
            }
        }
    }
    subject.told = told;
    subject
}

/// Who did it, who sends, who read what is sent.
fn parties(facts: Facts<'_>) -> impl Iterator<Item = Box<str>> {
    ["weir.process.id", "weir.sender.id", "weir.reader.id"]
        .into_iter()
        .filter_map(move |name| facts.text(name))
        .map(Box::from)
}

/// What a workload can be asked for by.
fn names_of<'a>(facts: Facts<'a>) -> impl Iterator<Item = &'a str> {
    ["weir.workload.id", "container.id", "container.name"].into_iter().filter_map(move |name| facts.text(name))
}

fn workloads(
    source: &mut dyn Source,
    question: &Question,
    asked: &str,
    is_it: impl Fn(Facts<'_>) -> bool,
) -> Result<Subject, CutError> {
    let exact = if asked.len() == 64 { format!("container:{asked}") } else { asked.to_owned() };
    if asked.len() == 64 || asked.contains(':') {
        let exact: BTreeSet<Box<str>> = [exact.into()].into();
        let filter = Filter { workloads: exact.clone(), ..Filter::of_time(question.since, question.until, 1) };
        if !source.rows(&filter)?.rows.is_empty() {
            return Ok(Subject { workloads: exact, ..Subject::default() });
        }
    }
    let rows = searched(source, question)?;
    let mut known: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in &rows {
        let facts = Facts(&row.attributes);
        if let Some(id) = facts.text("weir.workload.id") {
            known.entry(id).or_insert_with(|| names_of(facts).collect());
        }
    }
    let matching = |row: &&Row| is_it(Facts(&row.attributes));
    let found: BTreeSet<Box<str>> = rows
        .iter()
        .filter(matching)
        .filter_map(|row| Facts(&row.attributes).text("weir.workload.id"))
        .map(Box::from)
        .collect();
    let asked_name = escape(&question.anchor.to_string(), VALUE_MAX);
    match (found.len(), &question.anchor) {
        (0, _) => {
            let names: Vec<&str> = known.values().flatten().copied().collect();
            Err(CutError::Nothing { asked: asked_name, hint: meant(asked, &names) })
        }
        // A pod is all of its containers.
        (1, _) | (_, Anchor::Pod { .. }) => Ok(Subject { workloads: found, ..Subject::default() }),
        _ => Err(CutError::Ambiguous { asked: asked_name, found: listed(found.iter().map(|id| &**id)) }),
    }
}

fn process(source: &mut dyn Source, question: &Question, id: &str) -> Result<Subject, CutError> {
    let asked = || format!("process {}", escape(id, VALUE_MAX));
    let exact: BTreeSet<Box<str>> = [id.into()].into();
    let filter = Filter { processes: exact.clone(), ..Filter::of_time(question.since, question.until, 1) };
    if id.contains('-') && !source.rows(&filter)?.rows.is_empty() {
        return Ok(Subject { processes: exact, ..Subject::default() });
    }
    let rows = searched(source, question)?;
    let ids = rows.iter().flat_map(|row| {
        let facts = Facts(&row.attributes);
        [facts.text("weir.process.id"), facts.text("weir.process.child.id")].into_iter().flatten()
    });
    let found: BTreeSet<Box<str>> =
        ids.filter(|known| known.split_once('-').is_some_and(|(pid, _)| pid == id)).map(Box::from).collect();
    match found.len() {
        0 => {
            let programs: Vec<&str> =
                rows.iter().filter_map(|row| Facts(&row.attributes).text("weir.process.id")).collect();
            Err(CutError::Nothing { asked: asked(), hint: meant(id, &programs) })
        }
        1 => Ok(Subject { processes: found, ..Subject::default() }),
        _ => Err(CutError::Ambiguous { asked: asked(), found: listed(found.iter().map(|id| &**id)) }),
    }
}

/// What starts, of a time: everyone is in it, and it is little.
fn searched(source: &mut dyn Source, question: &Question) -> Result<Vec<Row>, CutError> {
    let mut filter = Filter::of_time(question.since, question.until, SEARCHED);
    let starts =
        Filter { kinds: ["exec", "fork", "process_found", "open", "flow"].map(Box::from).into(), ..filter.clone() };
    let rows = source.rows(&starts)?.rows;
    if !rows.is_empty() {
        return Ok(rows);
    }
    filter.limit = SEARCHED / 10;
    Ok(source.rows(&filter)?.rows)
}

/// What there is instead: the nearest names, else some.
fn meant(asked: &str, names: &[&str]) -> String {
    let names: BTreeSet<&str> = names.iter().copied().collect();
    let near = names.iter().map(|name| (strsim::jaro_winkler(asked, name), *name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        None => "no event in this time says anything of the kind; give another time or place".to_owned(),
        Some((likeness, name)) if likeness > 0.8 => format!("did you mean {}?", escape(name, VALUE_MAX)),
        Some(_) => format!("there are {}", listed(names.iter().copied())),
    }
}

/// What else was told.
fn others(told: &[Told], kind: ToldKind) -> String {
    let ids = told.iter().rev().filter(|told| told.kind == kind).filter_map(|told| match kind {
        ToldKind::Alert => attributes(told).text("weir.alert.uid"),
        _ => told.incident.as_deref(),
    });
    let mut known: Vec<&str> = Vec::new();
    for id in ids {
        if !known.contains(&id) {
            known.push(id);
        }
    }
    match known.as_slice() {
        [] => "none was told in what was given; `weir timeline` without an id lists what there is".to_owned(),
        known => format!("there are {}; `weir timeline` without an id lists them", listed(known.iter().copied())),
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| escape(name, VALUE_MAX)).collect();
    let shown = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
