//! What was said, against what is true.

use super::alerts::{Told, attribute, reaches};
use super::expected::Expected;
use super::report::{Facts, Status};
use crate::sensor::Event;
use serde_json::Value;
use std::time::Duration;

/// Bytes told may differ from bytes true by this part.
const TOLERANCE: f64 = 0.02;

/// What an alert says, measured.
struct Judged<'a> {
    told: Told<'a>,
    facts: Facts,
}

/// Of an attack: the facts as the best alert has them, and what is wrong with it.
pub fn of_attack(events: &[Event], expected: &Expected) -> (Status, Facts, String) {
    let about = |event: &&Event| reaches(event, "high") && is_about(event, expected);
    let all = Told::all(events).into_iter().filter(|told| told.revisions.iter().any(&about));
    let judged = all.map(|told| Judged { facts: facts(&told, expected), told });
    let best = judged.max_by_key(|judged| judged.facts.right());
    let Some(best) = best else {
        return (Status::Missed, Facts::missed(expected.sent()), "no alert at high or above".into());
    };
    let mut facts = best.facts;
    let first = best.told.revisions.iter().find(|event| about(event));
    facts.seconds = first.map(|event| event.received().duration_since(expected.began).unwrap_or(Duration::ZERO));
    facts.rule = best.told.rule().to_owned();
    let wrong = facts.wrong();
    if wrong.is_empty() {
        return (Status::Detected, facts, best.told.sentence().into());
    }
    let status = if facts.destination == Some(false) { Status::Missed } else { Status::Wrong };
    (status, facts, format!("{}: not true of: {}", best.told.sentence(), wrong.join(", ")))
}

/// Of a look-alike in these containers: whether it was told at medium or above.
pub fn of_look_alike(events: &[Event], containers: &[String]) -> (Status, String) {
    let loud = events.iter().filter(|event| reaches(event, "medium") && in_one_of(event, containers));
    let said: Vec<&str> = loud.filter_map(|event| event.text("body")).map(str::trim).collect();
    if said.is_empty() { (Status::Silent, String::new()) } else { (Status::Loud, said.join("; ")) }
}

fn is_about(event: &Event, expected: &Expected) -> bool {
    // An inode's number was another scenario's before.
    let is_later = event.received() >= expected.began;
    in_one_of(event, &expected.containers)
        || is_later && is_any(attribute(event, "weir.source.inode"), &expected.inodes)
}

fn in_one_of(event: &Event, containers: &[String]) -> bool {
    containers.iter().any(|id| is(attribute(event, "container.id"), id))
}

fn facts(told: &Told<'_>, expected: &Expected) -> Facts {
    let named = |name| told.first(name).or_else(|| told.get(name));
    let source = told.anywhere("weir.source.inode").or_else(|| named("file.inode"));
    // Of a rename that is told in words only what was replaced is known.
    let source = source.or_else(|| named("weir.file.replaced.inode"));
    let reader = told.anywhere("weir.reader.pid").or_else(|| told.first("process.pid"));
    let sender = told.anywhere("weir.sender.pid").or_else(|| told.get("process.pid"));
    let tamper = expected.destinations.is_empty();
    let (bytes_told, bytes_true) = bytes(told, expected);
    Facts {
        seconds: None,
        rule: String::new(),
        carriers: list(told.anywhere("weir.carriers")),
        held_by: told.anywhere("weir.held.by").and_then(Value::as_str).map(str::to_owned),
        bytes_told,
        bytes_true,
        bytes: (!tamper).then(|| bytes_told.is_some_and(|told| is_near(told, bytes_true))),
        source: Some(is_any(source, &expected.inodes)),
        reader: Some(is_one_of(reader, &expected.readers)),
        sender: (!expected.senders.is_empty()).then(|| is_one_of(sender, &expected.senders)),
        destination: (!tamper).then(|| goes_there(told, expected)),
    }
}

/// The bytes that are told, under the first of the names that is there, and what they should be.
fn bytes(told: &Told<'_>, expected: &Expected) -> (Option<u64>, u64) {
    let found = expected.bytes.iter().find_map(|(name, right)| Some((told.most(name)?, *right)));
    found.map_or((None, expected.sent()), |(told, right)| (Some(told), right))
}

fn is_near(told: u64, right: u64) -> bool {
    told.abs_diff(right) as f64 <= right as f64 * TOLERANCE
}

/// Any of the destinations, in any revision: the last one tells of the last flow only.
fn goes_there(told: &Told<'_>, expected: &Expected) -> bool {
    told.revisions.iter().any(|event| {
        let address = attribute(event, "network.peer.address").and_then(Value::as_str);
        let port = attribute(event, "network.peer.port").and_then(Value::as_u64);
        expected.destinations.iter().any(|right| {
            let is_port = right.port() == 0 || port.is_none_or(|port| port == u64::from(right.port()));
            address == Some(right.ip().to_string().as_str()) && is_port
        })
    })
}

fn list(value: Option<&Value>) -> Vec<String> {
    let texts = value.and_then(Value::as_array).into_iter().flatten();
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn is(value: Option<&Value>, text: &str) -> bool {
    value.and_then(Value::as_str) == Some(text)
}

fn is_any(value: Option<&Value>, texts: &[String]) -> bool {
    texts.iter().any(|text| is(value, text))
}

fn is_one_of(value: Option<&Value>, pids: &[u32]) -> bool {
    value.and_then(Value::as_u64).is_some_and(|pid| pids.iter().any(|own| u64::from(*own) == pid))
}

#[cfg(test)]
mod tests;
