//! Example events: a rule's `weir.tests`, written as fields, made into the events that the kernel would have given ([`build`]),
//! and run.

pub(crate) mod build;
mod egress;
mod system;
mod trail;

pub use build::{carries, full};

use super::document::Document;
use super::fault::{Place, Problem};
use super::{Category, Engine, Logic, Rule, RuleSet, vet};
use crate::event::{BootTime, Event, Field};
use build::event;
use std::fmt;
use std::sync::Arc;
use yaml_serde::Value;

/// Events that a rule must match, and such that it must not.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// Each must match.
    pub matching: Vec<Example>,
    /// Each must not match.
    pub not_matching: Vec<Example>,
}

/// One event, or for a correlation several in order.
#[derive(Clone, Debug)]
pub struct Example {
    /// Where it is written.
    pub place: Place,
    events: Vec<Written>,
}

/// An event as it is written: its fields.
#[derive(Clone, Debug)]
struct Written {
    /// Seconds after the first one (`at`).
    at: u64,
    /// How often it happens (`repeat`), at least once.
    repeat: usize,
    kind: Option<Box<str>>,
    fields: Vec<(Field, Value)>,
}

impl Examples {
    /// Reads `tests: {match: [...], no_match: [...]}`; each item is a mapping of fields, or a list of such.
    pub(super) fn read(tests: Option<&Value>, document: &Document<'_>, problems: &mut Vec<Problem>) -> Examples {
        document.check_mapping(tests, "tests", &["match", "no_match"], problems);
        let mut list = |key: &str| -> Vec<Example> {
            let items = tests.and_then(|tests| tests.get(key)).and_then(Value::as_sequence);
            let item = |(index, item)| read(item, document.item(&["weir", "tests", key], index), document, problems);
            items.into_iter().flatten().enumerate().map(item).collect()
        };
        Examples { matching: list("match"), not_matching: list("no_match") }
    }
}

fn read(item: &Value, place: Place, document: &Document<'_>, problems: &mut Vec<Problem>) -> Example {
    let one = std::slice::from_ref(item);
    let events = item.as_sequence().map_or(one, Vec::as_slice).iter().map(|event| {
        let mut written = Written { at: 0, repeat: 1, kind: None, fields: Vec::new() };
        for (key, value) in event.as_mapping().into_iter().flatten() {
            match key.as_str().unwrap_or_default() {
                "at" => written.at = value.as_u64().unwrap_or(0),
                "repeat" => written.repeat = repeats(value),
                "weir.event.kind" => written.kind = value.as_str().map(Box::from),
                name => match vet::field(name) {
                    Ok(field) => written.fields.push((field, value.clone())),
                    Err(fault) => problems.push(Problem { place: document.text(name), fault }),
                },
            }
        }
        written
    });
    Example { place, events: events.collect() }
}

/// How often an event is repeated: as often as a threshold of a correlation can ask for, and once more.
fn repeats(value: &Value) -> usize {
    let most = super::correlation::THRESHOLD_MAX + 1;
    usize::try_from(value.as_u64().unwrap_or(1).clamp(1, most)).unwrap_or(1)
}

impl Example {
    /// The events; `category` says what those are that do not say it themselves. The error is a sentence.
    pub fn events(&self, category: Option<Category>) -> Result<Vec<Event>, String> {
        let event = |(index, written): (usize, &Written)| {
            let category = match written.kind.as_deref() {
                Some("exec") => Some(Category::ProcessCreation),
                Some("open") => Some(Category::FileAccess),
                Some("connect") => Some(Category::NetworkConnection),
                Some("flow") => Some(Category::NetworkFlow),
                Some("rename") => Some(Category::FileRename),
                Some("unlink") => Some(Category::FileDelete),
                Some("link" | "truncate") => Some(Category::FileChange),
                Some("transfer") => Some(Category::Transfer),
                Some("process_access") => Some(Category::ProcessAccess),
                Some("socket") => Some(Category::SocketCreation),
                Some("module") => Some(Category::DriverLoad),
                Some("bpf") => Some(Category::Bpf),
                Some("mount") => Some(Category::Mount),
                Some("namespace") => Some(Category::Namespace),
                Some("dns") => Some(Category::DnsQuery),
                Some("tamper") => Some(Category::SensorTampering),
                Some(other) => {
                    return Err(format!(
                        "`weir.event.kind: {other}` is none that rules are held against: exec, open, rename, link, unlink, \
                         truncate, connect, flow, transfer, socket, process_access, bpf, module, mount, namespace, dns or tamper"
                    ));
                }
                None => category,
            };
            let category = category.ok_or("an event of a correlation must say its `weir.event.kind`")?;
            let nanos = written.at.saturating_mul(1_000_000_000).saturating_add(index as u64);
            event(category, BootTime(nanos), &written.fields)
        };
        let written = self.events.iter().flat_map(|written| std::iter::repeat_n(written, written.repeat));
        written.enumerate().map(event).collect()
    }
}

/// An example that did not come out as it should, or a rule that has none.
#[derive(Debug)]
pub struct Failure {
    /// Where it is written.
    pub place: Place,
    /// Whose it is.
    pub rule: Arc<Rule>,
    /// `match` or `no_match`.
    pub list: &'static str,
    /// Which one in that list, from 1; `None`: there is none.
    pub example: Option<usize>,
    /// What is wrong and what to do about it, a clause.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`: {}", self.place, self.rule.title, self.reason)
    }
}

/// What running the examples came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Rules whose examples were run.
    pub rules: usize,
    /// Examples that were run.
    pub examples: usize,
    /// What did not come out as it should.
    pub failures: Vec<Failure>,
}

/// Runs the examples of every rule of `set`, each against the whole set with nothing seen before. A rule that has no example of
/// either kind is a failure too.
pub fn run(set: &RuleSet) -> Report {
    let mut report = Report::default();
    for (rule, examples) in set.examples() {
        report.rules += 1;
        let lists = [("match", &examples.matching, true), ("no_match", &examples.not_matching, false)];
        for (name, list, expected) in lists {
            let mut fail = |place: &Place, example, reason| {
                let (place, rule) = (place.clone(), Arc::clone(rule));
                report.failures.push(Failure { place, rule, list: name, example, reason });
            };
            if list.is_empty() {
                fail(&rule.place, None, format!("it has no example under `tests: {name}`; add one"));
            }
            for (number, example) in (1..).zip(list) {
                let reason = match outcome(set, rule, example) {
                    Ok(matched) if matched == expected => continue,
                    Ok(true) => "matches, and must not".to_owned(),
                    Ok(false) => "does not match, and must".to_owned(),
                    Err(reason) => format!("cannot be made: {reason}"),
                };
                let reason = format!("example {number} under `tests: {name}` {reason}; correct it or the rule");
                fail(&example.place, Some(number), reason);
            }
            report.examples += list.len();
        }
    }
    report
}

fn outcome(set: &RuleSet, rule: &Rule, example: &Example) -> Result<bool, String> {
    let mut engine = Engine::with_limits(set, super::correlation::Limits::default());
    Ok(match rule.logic {
        Logic::Detection(category) => {
            example.events(Some(category))?.iter().any(|event| engine.matching(event).any(|found| found.id == rule.id))
        }
        Logic::Correlation { .. } => {
            let events = example.events(None)?.into_iter().map(Arc::new);
            let mut findings: Vec<_> = events.flat_map(|event| engine.evaluate(&event)).collect();
            findings.extend(engine.rest());
            findings.iter().any(|finding| finding.rule.id == rule.id)
        }
    })
}
