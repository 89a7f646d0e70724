//! Alerts and incidents as findings of the Open Cybersecurity Schema Framework: class 2004, Detection Finding.
//!
//! Made from the record (the JSON object that the console writes and the spool keeps), never from the alert itself: what one version
//! wrote, the next can still send. [`evidence`] turns the attributes of an event into OCSF's objects, [`attack`] techniques and
//! tactics; [`alert`] and [`incident`] put the finding together. What OCSF has no place for is kept as it is, by its name in
//! docs/fields.md: in `evidences[].data` what an event says, in `unmapped` the rest.
//!
//! Here is no I/O and no clock; whose host it is, the caller says.

mod alert;
mod attack;
mod evidence;
mod incident;
mod rest;
mod time;

#[cfg(test)]
mod tests;

use evidence::Evidence;
use rest::{Rest, object};
use serde_json::{Map, Value, json};

/// The version of the schema that findings are written in. Later versions of 1.x only add to it; tests hold findings against the
/// newest one as well.
pub const VERSION: &str = "1.5.0";

/// Most observables of a finding.
const OBSERVABLES_MAX: usize = 64;

const CATEGORY_UID: u64 = 2;
const CLASS_UID: u64 = 2004;
const CREATE: u64 = 1;
const UPDATE: u64 = 2;

/// The Detection Finding of a record, seen on `host`. Nothing, if the record is of another kind than an alert or an incident (those have no
/// form in this class), or has no id.
pub fn finding(record: &Value, host: Option<&str>) -> Option<Value> {
    let part = match record.get("event_name")?.as_str()? {
        "weir.alert" => alert::part(record)?,
        "weir.incident" => incident::part(record)?,
        _ => return None,
    };
    Some(Value::Object(whole(record, part, host)))
}

/// What alerts and incidents have in common, as it is put into the finding.
struct Part {
    /// `log.record.uid`: of this revision.
    record_uid: Option<String>,
    /// What it belongs to.
    incident: Option<String>,
    /// The short name of what found it.
    code: Option<String>,
    /// 0 when it is new.
    revision: u64,
    /// Milliseconds since the Unix epoch.
    begun: Option<i64>,
    /// Findings of the same that this one stands for.
    count: Option<u64>,
    /// `finding_info`, without what every finding has.
    info: Map<String, Value>,
    /// What to do.
    remediation: Option<Value>,
    /// The proof; the deciding one at the end.
    evidences: Vec<Evidence>,
    /// What none of these took.
    rest: Rest,
}

fn whole(record: &Value, part: Part, host: Option<&str>) -> Map<String, Value> {
    let time = record.get("time").and_then(Value::as_str).and_then(time::millis);
    let severity = severity(record.get("severity_number").and_then(Value::as_u64).unwrap_or(0));
    let (activity, activity_name) = if part.revision == 0 { (CREATE, "Create") } else { (UPDATE, "Update") };
    let decisive = part.evidences.last();
    let container = part.evidences.iter().any(|evidence| evidence.container.is_some());
    let profiles: Vec<&str> = container.then_some("container").into_iter().chain(["host"]).collect();
    let mut info = part.info;
    info.extend(present([
        ("first_seen_time", part.begun.or(time).map(Value::from)),
        ("last_seen_time", time.map(Value::from)),
        ("modified_time", time.map(Value::from)),
    ]));
    let host = host.filter(|host| !host.is_empty());
    present([
        ("activity_id", Some(activity.into())),
        ("activity_name", Some(activity_name.into())),
        ("category_uid", Some(CATEGORY_UID.into())),
        ("category_name", Some("Findings".into())),
        ("class_uid", Some(CLASS_UID.into())),
        ("class_name", Some("Detection Finding".into())),
        ("type_uid", Some((CLASS_UID * 100 + activity).into())),
        ("type_name", Some(format!("Detection Finding: {activity_name}").into())),
        // Required: a record without a time is one of 1970, not none.
        ("time", Some(time.unwrap_or(0).into())),
        ("start_time", part.begun.map(Value::from)),
        ("end_time", time.map(Value::from)),
        ("severity_id", Some(severity.0.into())),
        ("severity", Some(severity.1.into())),
        // People close it, in the SIEM; here it is always new.
        ("status_id", Some(1.into())),
        ("status", Some("New".into())),
        ("is_alert", Some((severity.0 > 1).into())),
        ("count", part.count.map(Value::from)),
        ("message", record.get("body").filter(|body| body.is_string()).cloned()),
        ("metadata", Some(metadata(part.record_uid, part.incident, part.code, &profiles))),
        ("finding_info", Some(Value::Object(info))),
        ("remediation", part.remediation),
        ("resources", list(resources(&part.evidences))),
        ("observables", list(observables(&part.evidences))),
        ("actor", decisive.and_then(|evidence| object([("process", evidence.process.clone())]))),
        ("device", host.map(|host| json!({ "hostname": host, "type_id": 0, "type": "Unknown", "os": { "name": "Linux", "type_id": 200, "type": "Linux" } }))),
        ("unmapped", part.rest.left()),
        ("evidences", list(part.evidences.into_iter().filter_map(Evidence::object).collect())),
    ])
}

fn metadata(uid: Option<String>, incident: Option<String>, code: Option<String>, profiles: &[&str]) -> Value {
    let product = json!({ "name": "Weir", "vendor_name": "Weir", "uid": "weir", "version": env!("CARGO_PKG_VERSION") });
    Value::Object(present([
        ("version", Some(VERSION.into())),
        ("product", Some(product)),
        ("profiles", Some(profiles.into())),
        ("uid", uid.map(Value::from)),
        ("correlation_uid", incident.map(Value::from)),
        ("event_code", code.map(Value::from)),
    ]))
}

/// `severity_id` and its caption, of a number of OpenTelemetry's log data model (the inverse of `alert::Severity`).
fn severity(number: u64) -> (u64, &'static str) {
    match number {
        1..=9 => (1, "Informational"),
        10..=12 => (2, "Low"),
        13..=16 => (3, "Medium"),
        17..=20 => (4, "High"),
        21..=24 => (5, "Critical"),
        _ => (0, "Unknown"),
    }
}

/// What the activity was about: each container, pod, job or unit, and each classified file, once.
fn resources(evidences: &[Evidence]) -> Vec<Value> {
    let mut resources: Vec<Value> = Vec::new();
    for resource in evidences.iter().flat_map(|evidence| &evidence.resources) {
        if !resources.contains(resource) {
            resources.push(resource.clone());
        }
    }
    resources
}

/// What a SIEM looks things up by: each value of each type, once.
fn observables(evidences: &[Evidence]) -> Vec<Value> {
    let mut observables: Vec<Value> = Vec::new();
    for observable in evidences.iter().flat_map(Evidence::observables) {
        if observables.len() < OBSERVABLES_MAX && !observables.contains(&observable) {
            observables.push(observable);
        }
    }
    observables
}

fn list(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then_some(Value::Array(values))
}

/// The members that are there.
fn present<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
