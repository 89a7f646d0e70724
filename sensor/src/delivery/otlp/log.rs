//! One LogRecord a record: an alert, an incident, a coverage record.

use super::deeds;
use super::resource::{Resources, is_resource, scope};
use super::settings::Body;
use super::trace;
use super::value::{MEMBERS_MAX, any, nanos, pair, str_of, uid_bytes};
use crate::delivery::ocsf;
use crate::delivery::spool::Entry;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value};

/// What of a record is a list or map of its own, and the attribute that it becomes.
const PARTS: [(&str, &str); 2] = [("evidence", "weir.alert.evidence"), ("incident", "weir.incident.contents")];

/// What a record cannot be sent for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no record that weir wrote ({0}); look at it with the spool's tool")]
pub struct NoRecord(pub(super) String);

/// The object in an entry's bytes.
pub(super) fn object(entry: &Entry) -> Result<Map<String, Value>, NoRecord> {
    serde_json::from_slice(&entry.bytes).map_err(|error| NoRecord(error.to_string()))
}

/// How log records are made.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// Whose they are.
    pub resources: &'a Resources,
    /// What their body is.
    pub body: Body,
    /// The name of this host, which OCSF asks for.
    pub host: Option<&'a str>,
}

impl Form<'_> {
    fn body(&self, object: &Map<String, Value>) -> AnyValue {
        let finding = match self.body {
            Body::Sentence => None,
            Body::Ocsf => ocsf::finding(&Value::Object(object.clone()), self.host),
        };
        let sentence = || AnyValue { value: Some(Any::StringValue(str_of(object, "body").to_owned())) };
        finding.as_ref().map_or_else(sentence, any)
    }
}

/// The log record of an object, and whose it is.
pub fn record(object: &Map<String, Value>, form: &Form<'_>) -> (Resource, LogRecord) {
    let empty = Map::new();
    let attributes = object.get("attributes").and_then(Value::as_object).unwrap_or(&empty);
    let own = attributes.iter().filter(|(key, _)| !is_resource(key));
    let mut list: Vec<_> = own.map(|(key, value)| pair(key, any(value))).collect();
    for (part, name) in PARTS {
        if let Some(value) = object.get(part) {
            list.push(pair(name, any(value)));
        }
    }
    let left_out = list.len().saturating_sub(MEMBERS_MAX);
    list.truncate(MEMBERS_MAX);
    let incident = uid_bytes(str_of(attributes, "weir.incident.id"));
    // An alert does not know which revision of its incident will tell of it: a trace id without a span id is allowed.
    let revision = attributes.get("weir.incident.revision").and_then(Value::as_u64);
    let span_id = incident.zip(revision).map(|(incident, revision)| trace::revision_id(&incident, revision));
    let time = nanos(str_of(object, "time"));
    let severity = object.get("severity_number").and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    let record = LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time,
        // 0 must not be used; 9 is INFO.
        severity_number: severity.filter(|number| (1..=24).contains(number)).unwrap_or(9),
        severity_text: str_of(object, "severity_text").to_owned(),
        body: Some(form.body(object)),
        attributes: list,
        dropped_attributes_count: u32::try_from(left_out).unwrap_or(u32::MAX),
        flags: 0,
        trace_id: incident.map(Vec::from).unwrap_or_default(),
        span_id: span_id.map(Vec::from).unwrap_or_default(),
        event_name: str_of(object, "event_name").to_owned(),
    };
    (form.resources.of(attributes), record)
}

/// A request with these objects, and with the deeds of incidents ([`super::deeds`]); those of one container together, in their order
/// otherwise.
pub fn request<'a>(objects: impl Iterator<Item = &'a Map<String, Value>>, form: &Form<'_>) -> ExportLogsServiceRequest {
    let mut resource_logs: Vec<ResourceLogs> = Vec::new();
    for (resource, record) in objects.flat_map(|object| {
        // An incident is followed by what its processes did.
        [record(object, form)].into_iter().chain(deeds::records(object, form))
    }) {
        let known = resource_logs.iter_mut().find(|logs| logs.resource.as_ref() == Some(&resource));
        match known.and_then(|logs| logs.scope_logs.first_mut()) {
            Some(logs) => logs.log_records.push(record),
            None => {
                let logs = ScopeLogs { scope: Some(scope()), log_records: vec![record], schema_url: String::new() };
                let resource = Some(resource);
                resource_logs.push(ResourceLogs { resource, scope_logs: vec![logs], schema_url: String::new() });
            }
        }
    }
    ExportLogsServiceRequest { resource_logs }
}
