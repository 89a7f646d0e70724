//! What the processes of an incident did, as log records of their own under its ids: whoever has only the SIEM has the timeline as well.
//!
//! A record of an incident names at most 32 processes and what of each matters; each of these deeds becomes one record, with the trace id of
//! the incident and the span id of its process in that revision's trace. An incident is told again when it grows, and so are its
//! deeds: under the same `log.record.uid`, since that is made of who did what and when.

use super::log::Form;
use super::resource::is_resource;
use super::trace;
use super::value::{any, nanos, pair, str_of, text, uid_bytes};
use crate::evidence::words::Facts;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value};

/// OpenTelemetry's INFO.
const INFO: i32 = 9;
/// Most processes and most deeds of one that become records; an incident's record has fewer.
const PROCESSES_MAX: usize = 64;
const DEEDS_MAX: usize = 64;

/// The records of an incident's deeds, by process; none of what is no incident.
pub(super) fn records(object: &Map<String, Value>, form: &Form<'_>) -> Vec<(Resource, LogRecord)> {
    let Some(attributes) = object.get("attributes").and_then(Value::as_object) else { return Vec::new() };
    let incident = str_of(attributes, "weir.incident.id");
    let (Some(id), Some(revision)) =
        (uid_bytes(incident), attributes.get("weir.incident.revision").and_then(Value::as_u64))
    else {
        return Vec::new();
    };
    let processes = object.get("incident").and_then(|whole| whole.get("processes")?.as_array());
    let mut records = Vec::new();
    for process in processes.into_iter().flatten().take(PROCESSES_MAX).filter_map(Value::as_object) {
        let deeds = process.get("weir.process.deeds").and_then(Value::as_array);
        for deed in deeds.into_iter().flatten().take(DEEDS_MAX).filter_map(Value::as_object) {
            let span = trace::span_id(&id, revision, str_of(process, "weir.process.id"));
            records.push(record(incident, &id, span, process, deed, form));
        }
    }
    records
}

fn record(
    incident: &str,
    id: &[u8; 16],
    span: [u8; 8],
    process: &Map<String, Value>,
    deed: &Map<String, Value>,
    form: &Form<'_>,
) -> (Resource, LogRecord) {
    // Who did it, and then what.
    let own = ["weir.process.deeds", "weir.process.roles", "weir.process.last", "time"];
    let mut all: Map<String, Value> =
        process.iter().filter(|(name, _)| !own.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect();
    all.extend(deed.iter().filter(|(name, _)| *name != "time").map(|(name, value)| (name.clone(), value.clone())));
    let (kind, time) = (str_of(deed, "weir.event.kind"), str_of(deed, "time"));
    let uid = format!("{incident}/{}/{time}/{kind}", str_of(process, "weir.process.id"));
    let who = str_of(process, "process.executable.path").rsplit('/').next().unwrap_or_default();
    let body = format!("{who}[{}] {}", process.get("process.pid").unwrap_or(&Value::Null), Facts(&all).deed());
    let mut attributes: Vec<_> =
        all.iter().filter(|(name, _)| !is_resource(name)).map(|(name, value)| pair(name, any(value))).collect();
    attributes.push(text("log.record.uid", &uid));
    attributes.push(text("weir.incident.id", incident));
    let record = LogRecord {
        time_unix_nano: nanos(time),
        observed_time_unix_nano: nanos(time),
        severity_number: INFO,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue { value: Some(Any::StringValue(body)) }),
        attributes,
        dropped_attributes_count: 0,
        flags: 0,
        trace_id: id.to_vec(),
        span_id: span.to_vec(),
        event_name: format!("weir.event.{kind}"),
    };
    (form.resources.of(&all), record)
}
