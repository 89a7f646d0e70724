//! One trace an incident: its id is the incident's, its processes are spans below the revision that tells of them.
//!
//! A span can be sent once: a viewer that gets an id twice shows it twice, keeps the first, or mixes the two (nothing in the
//! protocol replaces a span). But an incident grows. So each revision is a span of its own with its own processes below it: the first
//! revision is the root of the trace, later ones are its children, each linked to the one before. All ids follow from incident, revision
//! and process, so that what is delivered twice is the same span, and no state is kept. What it costs is that a process
//! comes again with each revision (at most 32 of them, and a record is told only when there is something new).

use super::resource::{Resources, scope};
use super::value::{any, nanos, pair, str_of, uid_bytes};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, status::StatusCode};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Most processes and most events of one that become spans; records have fewer.
const PROCESSES_MAX: usize = 64;
const EVENTS_MAX: usize = 64;

/// The span of a revision.
pub(super) fn revision_id(incident: &[u8; 16], revision: u64) -> [u8; 8] {
    span_id(incident, revision, "")
}

/// Eight bytes of a digest; the lowest bit is set, because an id of zeros is invalid.
pub(super) fn span_id(incident: &[u8; 16], revision: u64, process: &str) -> [u8; 8] {
    let digest = Sha256::new().chain_update(b"weir.span").chain_update(incident).chain_update(revision.to_be_bytes());
    let digest = digest.chain_update(process).finalize();
    let mut id: [u8; 8] = digest.first_chunk().copied().unwrap_or_default();
    id[7] |= 1;
    id
}

/// A request with the spans of these incidents. Records that are no incidents give none.
pub fn request<'a>(
    objects: impl Iterator<Item = &'a Map<String, Value>>,
    resources: &Resources,
) -> ExportTraceServiceRequest {
    let spans: Vec<Span> = objects.flat_map(spans).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, schema_url: String::new() }];
    // An incident is of several containers: its trace is the sensor's, and the spans say which process it was.
    let resource = Some(resources.sensor());
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }],
    }
}

/// The spans of one revision of an incident, the revision's own first.
pub fn spans(object: &Map<String, Value>) -> Vec<Span> {
    let Some(attributes) = object.get("attributes").and_then(Value::as_object) else { return Vec::new() };
    let Some(incident) = uid_bytes(str_of(attributes, "weir.incident.id")) else { return Vec::new() };
    let Some(revision) = attributes.get("weir.incident.revision").and_then(Value::as_u64) else { return Vec::new() };
    let whole = object.get("incident").and_then(Value::as_object);
    let processes = whole.and_then(|whole| whole.get("processes")).and_then(Value::as_array);
    let processes: Vec<Process<'_>> =
        processes.into_iter().flatten().take(PROCESSES_MAX).filter_map(Process::of).collect();
    let one = Revision { incident, revision, processes };
    let mut spans = vec![one.root(object, attributes)];
    spans.extend(one.processes.iter().map(|process| one.process(process)));
    spans
}

struct Revision<'a> {
    incident: [u8; 16],
    revision: u64,
    processes: Vec<Process<'a>>,
}

/// A process of an incident's record.
struct Process<'a> {
    object: &'a Map<String, Value>,
    id: &'a str,
    begin: u64,
    end: u64,
}

impl<'a> Process<'a> {
    fn of(value: &'a Value) -> Option<Process<'a>> {
        let object = value.as_object()?;
        let id = Some(str_of(object, "weir.process.id")).filter(|id| !id.is_empty())?;
        let first = nanos(str_of(object, "time"));
        let known = |key| Some(nanos(str_of(object, key))).filter(|time| *time > 0);
        // A record of before it had these tells only when the process was first seen.
        let begin = known("process.creation.time").unwrap_or(first).min(first);
        let end = known("process.exit.time").or_else(|| known("weir.process.last")).unwrap_or(first).max(first);
        Some(Process { object, id, begin, end })
    }

    fn name(&self) -> String {
        let path = str_of(self.object, "process.executable.path");
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.is_empty() { "process".to_owned() } else { name.to_owned() }
    }

    fn events(&self) -> Vec<Event> {
        let deeds = self.object.get("weir.process.deeds").and_then(Value::as_array);
        let event = |deed: &Value| {
            let deed = deed.as_object()?;
            let attributes = deed.iter().filter(|(key, _)| *key != "time");
            Some(Event {
                time_unix_nano: nanos(str_of(deed, "time")),
                name: str_of(deed, "weir.event.kind").to_owned(),
                attributes: attributes.map(|(key, value)| pair(key, any(value))).collect(),
                dropped_attributes_count: 0,
            })
        };
        deeds.into_iter().flatten().take(EVENTS_MAX).filter_map(event).collect()
    }
}

impl Revision<'_> {
    fn root(&self, object: &Map<String, Value>, attributes: &Map<String, Value>) -> Span {
        let end = nanos(str_of(object, "time"));
        let began = nanos(str_of(attributes, "weir.incident.began"));
        let begin =
            self.processes.iter().map(|process| process.begin).chain([began, end]).filter(|time| *time > 0).min();
        let merged = attributes.get("weir.incident.merged").and_then(Value::as_array);
        let merged = merged.into_iter().flatten().filter_map(|uid| uid_bytes(uid.as_str()?));
        let before = self.revision.checked_sub(1).map(|before| link(&self.incident, before));
        let is_bad = object.get("severity_number").and_then(Value::as_u64).is_some_and(|number| number >= 17);
        Span {
            parent_span_id: match self.revision {
                0 => Vec::new(),
                _ => revision_id(&self.incident, 0).to_vec(),
            },
            links: before.into_iter().chain(merged.map(|incident| link(&incident, 0))).collect(),
            // Viewers find what is bad by this.
            status: is_bad
                .then(|| Status { code: StatusCode::Error.into(), message: str_of(object, "body").to_owned() }),
            name: str_of(object, "event_name").to_owned(),
            attributes: attributes.iter().map(|(key, value)| pair(key, any(value))).collect(),
            ..self.span("", begin.unwrap_or(end), end)
        }
    }

    fn process(&self, process: &Process<'_>) -> Span {
        // Its nearest ancestor among the processes of the incident; below the revision if none is.
        let parent = str_of(process.object, "weir.process.parent.id");
        let parent = if self.processes.iter().any(|other| other.id == parent) { parent } else { "" };
        let attributes = process.object.iter().filter(|(key, _)| *key != "weir.process.deeds" && *key != "time");
        Span {
            parent_span_id: span_id(&self.incident, self.revision, parent).to_vec(),
            name: process.name(),
            attributes: attributes.map(|(key, value)| pair(key, any(value))).collect(),
            events: process.events(),
            ..self.span(process.id, process.begin, process.end)
        }
    }

    fn span(&self, process: &str, begin: u64, end: u64) -> Span {
        Span {
            trace_id: self.incident.to_vec(),
            span_id: span_id(&self.incident, self.revision, process).to_vec(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: begin,
            end_time_unix_nano: end.max(begin),
            ..Span::default()
        }
    }
}

fn link(incident: &[u8; 16], revision: u64) -> Link {
    let span_id = revision_id(incident, revision).to_vec();
    Link { trace_id: incident.to_vec(), span_id, ..Link::default() }
}
