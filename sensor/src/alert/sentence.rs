//! The sentence: a rule's template with the values of its events.

use super::escape::{VALUE_MAX, escape};
use crate::detection::template::{Form, Part, Placeholder, Source, Template};
use crate::detection::{Evidence, Finding};
use crate::event::{Event, Field, Value, Workload, WorkloadKind};
use std::net::IpAddr;

/// Longest sentence, in characters.
const SENTENCE_MAX: usize = 2_000;
/// What stands for a value that is not known.
const UNKNOWN: &str = "unknown";

/// The sentence of `finding`. `{rule_name.field}` is of the last event that matched that rule before the deciding one: the
/// nearest to it; the first one is in the evidence.
pub fn sentence(finding: &Finding) -> String {
    let Template(parts) = &finding.rule.sentence;
    let mut text = String::new();
    write(parts, finding, &mut text, true);
    match text.char_indices().nth(SENTENCE_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "\u{2026}",
        None => text,
    }
}

/// Whether every value was known.
fn write(parts: &[Part], finding: &Finding, into: &mut String, required: bool) -> bool {
    for part in parts {
        match part {
            Part::Text(text) => into.push_str(text),
            Part::Value(placeholder) => match value(placeholder, finding) {
                Some(value) => into.push_str(&value),
                None if required => into.push_str(UNKNOWN),
                None => return false,
            },
            Part::Optional(parts) => {
                let before = into.len();
                if !write(parts, finding, into, false) {
                    into.truncate(before);
                }
            }
        }
    }
    true
}

fn value(placeholder: &Placeholder, finding: &Finding) -> Option<String> {
    let event = match &placeholder.rule_name {
        None => &*finding.decisive,
        Some(name) => {
            let matched = |evidence: &&Evidence| *evidence.rule_name == **name;
            // A rule that matched in the deciding event alone is found there.
            let earlier = finding.evidence.iter().rev().skip(1).find(|e| matched(e) && !is_decisive(e, finding));
            &*earlier.or_else(|| finding.evidence.iter().rev().find(matched))?.event
        }
    };
    match placeholder.source {
        Source::Workload => Some(workload(event.workload.as_deref()?)),
        Source::Peer => peer(event),
        Source::Field(field) => {
            let value = field.get(event)?;
            let text = match (placeholder.form, value) {
                (Form::Bytes, Value::Number(bytes)) => quantity(bytes),
                (Form::Percent, Value::Ratio(ratio)) => percent(ratio),
                (_, Value::Text(text)) => text.into_owned(),
                (_, Value::Number(number)) => number.to_string(),
                (_, Value::Ratio(ratio)) => ratio.to_string(),
                (_, Value::Flag(flag)) => if flag { "yes" } else { "no" }.to_owned(),
                (_, Value::List(list)) => list.join(", "),
            };
            Some(escape(&text, VALUE_MAX))
        }
    }
}

fn is_decisive(evidence: &Evidence, finding: &Finding) -> bool {
    std::sync::Arc::ptr_eq(&evidence.event, &finding.decisive)
}

/// What a workload is called: the kind of thing, and its name as short as people use it.
pub fn workload(workload: &Workload) -> String {
    let id = workload.id.split_once(':').map_or(&*workload.id, |(_, id)| id);
    let named = |kind: &str, name: Option<&str>| format!("{kind} {}", escape(name.unwrap_or(id), VALUE_MAX));
    match workload.kind {
        WorkloadKind::Container => {
            let id = workload.container_id.as_deref().unwrap_or(id);
            // As container runtimes shorten them.
            named("container", Some(id.get(..12).unwrap_or(id)))
        }
        WorkloadKind::SlurmJob => named("Slurm job", workload.slurm_job.as_deref()),
        WorkloadKind::SystemdUnit => named("unit", workload.systemd_unit.as_deref()),
        WorkloadKind::Host => "the host".to_owned(),
    }
}

/// `ADDRESS:PORT`, `[ADDRESS]:PORT`.
fn peer(event: &Event) -> Option<String> {
    let Value::Text(address) = Field::NetworkPeerAddress.get(event)? else { return None };
    let Value::Number(port) = Field::NetworkPeerPort.get(event)? else { return None };
    Some(match address.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Ok(IpAddr::V4(address)) => format!("{address}:{port}"),
        Err(_) => escape(&address, VALUE_MAX),
    })
}

/// Bytes in powers of 1,000, with one digit after the point below 100 of a unit: `512 bytes`, `4.1 GB`, `141 GB`.
pub fn quantity(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    match bytes {
        0 => return "no bytes".to_owned(),
        1 => return "1 byte".to_owned(),
        2..1_000 => return format!("{bytes} bytes"),
        _ => {}
    }
    let mut value = bytes as f64 / 1_000.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    // 999.95 would be written as 1000.0.
    while value >= 999.5
        && let Some(next) = units.next()
    {
        value /= 1_000.0;
        unit = next;
    }
    if value < 99.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A share as percent, with one digit after the point below 10 %; `less than 0.1 %`, but never `0 %` of something.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    match percent {
        p if p.is_nan() => UNKNOWN.to_owned(),
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 0.1 => "less than 0.1 %".to_owned(),
        p if p < 9.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}
