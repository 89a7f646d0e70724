//! Alerts and incidents of a timeline as OCSF Detection Findings ([`crate::delivery::ocsf`]), one a line.
//!
//! Events have no finding of their own: those that prove an alert are in its `evidences`.

use super::super::model::{Entry, Timeline};
use crate::delivery::ocsf;
use serde_json::{Value, json};
use std::io::{self, Write};

pub fn write(timeline: &Timeline, out: &mut dyn Write) -> io::Result<()> {
    for finding in timeline.entries.iter().filter_map(|entry| ocsf::finding(&record(entry)?, timeline.host.as_deref()))
    {
        serde_json::to_writer(&mut *out, &finding)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// The record again that an entry was made of, as far as it is in there.
fn record(entry: &Entry) -> Option<Value> {
    let name = match &*entry.kind {
        "alert" => "weir.alert",
        "incident" => "weir.incident",
        _ => return None,
    };
    let mut attributes = entry.attributes.clone();
    let (evidence, incident) = (attributes.remove("evidence"), attributes.remove("incident"));
    let number = match entry.severity.as_deref() {
        Some("low") => 10,
        Some("medium") => 13,
        Some("high") => 17,
        Some("critical") => 21,
        _ => 9,
    };
    Some(json!({
        "event_name": name,
        "time": entry.time.text,
        "severity_number": number,
        "severity_text": entry.severity,
        "body": entry.sentence,
        "attributes": attributes,
        "evidence": evidence.unwrap_or_default(),
        "incident": incident.unwrap_or_default(),
    }))
}
