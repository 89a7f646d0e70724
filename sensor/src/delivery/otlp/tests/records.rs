//! JSON records as log records and spans.

use crate::delivery::otlp::resource::Resources;
use crate::delivery::otlp::value::{any, nanos, uid_bytes};
use crate::delivery::otlp::{Body, log, trace};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const UID: &str = "07070707-0707-8707-8707-070707070707";

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn alert(number: u64, container: Option<&str>) -> Map<String, Value> {
    let mut attributes = map(json!({
        "log.record.uid": format!("{number}/0"), "weir.incident.id": UID, "process.pid": 7, "weir.exfil.fraction": 0.5,
    }));
    if let Some(container) = container {
        attributes.insert("container.id".to_owned(), container.into());
        attributes.insert("k8s.pod.name".to_owned(), "p".into());
    }
    map(json!({
        "time": "2026-07-01T12:00:00.000001Z", "event_name": "weir.alert", "severity_number": 17,
        "severity_text": "high", "body": "It left.", "attributes": attributes,
        "evidence": [{"rule": "r", "attributes": {"file.path": "/m"}}],
    }))
}

fn incident(revision: u64) -> Map<String, Value> {
    let process = |id: &str, parent: &str, time: &str| {
        json!({"weir.process.id": id, "weir.process.parent.id": parent, "process.executable.path": "/bin/sh", "time": time,
            "weir.process.last": "2026-07-01T12:00:03.000000Z",
            "weir.process.deeds": [{"time": time, "weir.event.kind": "open", "file.path": "/m"}]})
    };
    map(json!({
        "time": "2026-07-01T12:00:05.000000Z", "event_name": "weir.incident", "severity_number": 21,
        "severity_text": "critical", "body": "All of it.",
        "attributes": {"weir.incident.id": UID, "weir.incident.revision": revision,
            "weir.incident.began": "2026-07-01T12:00:00.000000Z", "weir.incident.merged": ["08080808-0808-8808-8808-080808080808"]},
        "incident": {"processes": [
            process("1-1", "", "2026-07-01T12:00:01.000000Z"), process("2-2", "1-1", "2026-07-01T12:00:02.000000Z"),
            process("3-3", "9-9", "2026-07-01T12:00:02.000000Z"),
        ]},
    }))
}

fn form(resources: &Resources) -> log::Form<'_> {
    log::Form { resources, body: Body::Sentence, host: Some("node") }
}

fn keys(attributes: &[KeyValue]) -> Vec<&str> {
    attributes.iter().map(|attribute| &*attribute.key).collect()
}

#[test]
fn an_alert_is_a_log_record_of_its_container() {
    let configured =
        [("service.name", "mine"), ("k8s.cluster.name", "east"), ("k8s.pod.name", "weir-x"), ("team", "ml")];
    let configured = configured.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let (resource, record) = log::record(&alert(1, Some("abc")), &form(&Resources::new(&configured, Some("node"))));
    assert_eq!(keys(&resource.attributes), ["container.id", "host.name", "k8s.cluster.name", "k8s.pod.name", "team"]);
    let pod = resource.attributes.iter().find(|one| one.key == "k8s.pod.name").unwrap();
    assert_eq!(pod.value, Some(any(&"p".into())), "the observed pod, not the sensor's");
    assert_eq!((record.severity_number, &*record.severity_text, &*record.event_name), (17, "high", "weir.alert"));
    assert_eq!(record.time_unix_nano, 1_782_907_200_000_001_000);
    assert_eq!(record.body, Some(any(&"It left.".into())));
    assert_eq!((record.trace_id, record.span_id), (uid_bytes(UID).unwrap().to_vec(), Vec::new()));
    let names = ["log.record.uid", "process.pid", "weir.exfil.fraction", "weir.incident.id", "weir.alert.evidence"];
    assert_eq!(keys(&record.attributes), names);
    let evidence = record.attributes.last().and_then(|one| one.value.as_ref()?.value.as_ref());
    assert!(matches!(evidence, Some(Any::ArrayValue(list)) if list.values.len() == 1), "{evidence:?}");
}

#[test]
fn the_body_can_be_a_finding_of_ocsf() {
    let record_of = |object| {
        let resources = Resources::default();
        log::record(object, &log::Form { body: Body::Ocsf, ..form(&resources) }).1
    };
    let mut alert = alert(1, Some("abc"));
    let attributes = alert.get_mut("attributes").and_then(Value::as_object_mut).unwrap();
    attributes.insert("weir.alert.uid".to_owned(), "1".into());
    let Some(Any::KvlistValue(finding)) = record_of(&alert).body.and_then(|body| body.value) else { panic!("a map") };
    let class = finding.values.iter().find(|pair| pair.key == "class_uid").unwrap();
    assert_eq!(class.value, Some(any(&2004.into())));
    let coverage = map(json!({"event_name": "weir.coverage", "body": "All is well."}));
    assert_eq!(record_of(&coverage).body, Some(any(&"All is well.".into())), "which has no such form");
}

#[test]
fn records_of_one_container_are_together_and_others_are_the_sensors() {
    let alerts = [alert(1, Some("abc")), alert(2, None), alert(3, Some("abc")), alert(4, Some("def"))];
    let request = log::request(alerts.iter(), &form(&Resources::new(&Default::default(), Some("node"))));
    let sizes: Vec<usize> = request.resource_logs.iter().map(|logs| logs.scope_logs[0].log_records.len()).collect();
    assert_eq!(sizes, [2, 1, 1]);
    let own = request.resource_logs[1].resource.as_ref().unwrap();
    assert_eq!(keys(&own.attributes), ["host.name", "service.name", "service.version"]);
    let scope = request.resource_logs[0].scope_logs[0].scope.as_ref().unwrap();
    assert_eq!((&*scope.name, &*scope.version), ("weir", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_incident_is_a_trace_of_its_processes() {
    let first = trace::spans(&incident(0));
    let [root, parent, child, other] = &first[..] else { panic!("{first:#?}") };
    assert!(first.iter().all(|span| span.trace_id == uid_bytes(UID).unwrap()));
    assert!(root.parent_span_id.is_empty() && root.name == "weir.incident");
    assert_eq!((&parent.parent_span_id, &child.parent_span_id), (&root.span_id, &parent.span_id));
    assert_eq!(other.parent_span_id, root.span_id, "its parent is not in the incident");
    assert_eq!((parent.events[0].name.as_str(), keys(&parent.events[0].attributes).len()), ("open", 2));
    assert_eq!(parent.start_time_unix_nano, nanos("2026-07-01T12:00:01.000000Z"));
    assert_eq!(parent.end_time_unix_nano, nanos("2026-07-01T12:00:03.000000Z"));
    assert_eq!(root.start_time_unix_nano, nanos("2026-07-01T12:00:00.000000Z"));
    assert_eq!(root.links[0].trace_id, [8, 8, 8, 8, 8, 8, 0x88, 8, 0x88, 8, 8, 8, 8, 8, 8, 8]);
    assert_eq!(first, trace::spans(&incident(0)), "what is sent twice is the same");

    let second = trace::spans(&incident(1));
    assert_eq!((&second[0].parent_span_id, &second[0].links[0].span_id), (&root.span_id, &root.span_id));
    assert!(second.iter().all(|span| first.iter().all(|old| old.span_id != span.span_id)), "no id twice");
    let (_, record) = log::record(&incident(1), &form(&Resources::default()));
    assert_eq!(record.span_id, second[0].span_id);
}

#[test]
fn what_its_processes_did_comes_with_an_incident_under_its_ids() {
    let send = |revision| {
        let incidents = [incident(revision)];
        let request = log::request(incidents.iter(), &form(&Resources::default()));
        let logs: Vec<_> = request.resource_logs.into_iter().flat_map(|of| of.scope_logs).collect();
        logs.into_iter().flat_map(|logs| logs.log_records).collect::<Vec<_>>()
    };
    let (records, spans) = (send(0), trace::spans(&incident(0)));
    let [whole, deeds @ ..] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&*whole.event_name, deeds.len()), ("weir.incident", 3));
    assert!(deeds.iter().all(|deed| deed.event_name == "weir.event.open" && deed.trace_id == whole.trace_id));
    let of_processes: Vec<_> = spans[1..].iter().map(|span| span.span_id.clone()).collect();
    assert_eq!(deeds.iter().map(|deed| deed.span_id.clone()).collect::<Vec<_>>(), of_processes);
    assert_eq!(deeds[0].time_unix_nano, nanos("2026-07-01T12:00:01.000000Z"));
    let body = deeds[0].body.clone().and_then(|body| body.value);
    assert!(
        matches!(&body, Some(Any::StringValue(text)) if text.starts_with("sh[") && text.contains("opened /m")),
        "{body:?}"
    );
    let uids = |records: &[opentelemetry_proto::tonic::logs::v1::LogRecord]| {
        let uid = |record: &opentelemetry_proto::tonic::logs::v1::LogRecord| {
            record.attributes.iter().find(|one| one.key == "log.record.uid").map(|one| format!("{:?}", one.value))
        };
        records.iter().map(uid).collect::<Vec<_>>()
    };
    assert_eq!(uids(deeds), uids(&send(1)[1..]), "told again, it is the same deed");
}

proptest! {
    #[test]
    fn any_json_object_becomes_something(text in "[a-z\\[\\]{}:,\"0-9.-]{0,64}", number in proptest::num::u64::ANY) {
        let value = serde_json::from_str(&text).unwrap_or(json!({"time": text.clone(), "attributes": {"weir.incident.id": text, "weir.incident.revision": number, "log.record.uid": number}}));
        if let Value::Object(object) = value {
            let (_, record) = log::record(&object, &form(&Resources::default()));
            prop_assert!((1..=24).contains(&record.severity_number));
            trace::spans(&object);
        }
    }
}

#[test]
fn values_are_exact_or_text_and_bounded() {
    assert_eq!(any(&json!(u64::MAX)).value, Some(Any::StringValue(u64::MAX.to_string())));
    assert_eq!(any(&json!(-1)).value, Some(Any::IntValue(-1)));
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let mut depth = 0;
    let mut value = any(&deep);
    while let Some(Any::ArrayValue(list)) = value.value {
        value = list.values.into_iter().next().unwrap();
        depth += 1;
    }
    assert_eq!(depth, 8);
    assert_eq!((nanos("yesterday"), nanos("1969-01-01T00:00:00Z")), (0, 0));
    assert_eq!((uid_bytes("x"), uid_bytes("00000000-0000-0000-0000-000000000000")), (None, None));
}
