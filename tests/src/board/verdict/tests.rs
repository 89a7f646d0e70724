//! What passes and what does not.

use super::{of_attack, of_look_alike};
use crate::board::Expected;
use crate::board::report::Status;
use crate::sensor::Event;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

fn expected() -> Expected {
    Expected {
        inodes: vec!["77".into()],
        readers: vec![10],
        senders: vec![11],
        destinations: vec![([198, 51, 100, 1], 443).into()],
        bytes: vec![("weir.exfil.bytes", 1_000_000), ("weir.flow.bytes", 1_000_000)],
        began: SystemTime::now(),
        containers: vec!["c1".into()],
        verbatim: true,
    }
}

/// An alert that says all of it rightly.
fn alert() -> Value {
    json!({
        "body": "sent",
        "attributes": {
            "weir.alert.uid": "a",
            "weir.rule.name": "model_theft",
            "weir.rule.level": "high",
            "container.id": "c1",
            "process.pid": 11,
            "network.peer.address": "198.51.100.1",
            "network.peer.port": 443,
            "weir.flow.bytes": 990_000,
        },
        "evidence": [{ "attributes": { "process.pid": 10, "file.inode": "77" } }],
    })
}

fn judge(alerts: &[Value]) -> (Status, Vec<&'static str>) {
    judge_by(&expected(), alerts)
}

fn judge_by(expected: &Expected, alerts: &[Value]) -> (Status, Vec<&'static str>) {
    let events: Vec<Event> = alerts.iter().filter_map(|alert| Event::parse(&alert.to_string()).ok()).collect();
    assert_eq!(events.len(), alerts.len());
    let (status, facts, _) = of_attack(&events, expected);
    (status, facts.wrong())
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut alert = alert();
    alert["attributes"][name] = value.into();
    alert
}

#[test]
fn all_of_it_is_told() {
    assert_eq!(judge(&[alert()]), (Status::Detected, vec![]));
    // What the field of the contract says goes before the fallback.
    assert_eq!(judge(&[with("weir.sender.pid", 11)]), (Status::Detected, vec![]));
    assert_eq!(judge(&[with("weir.sender.pid", 12)]), (Status::Wrong, vec!["the sender"]));
    assert_eq!(judge(&[with("weir.reader.pid", 12)]), (Status::Wrong, vec!["the reader"]));
    assert_eq!(judge(&[with("weir.source.inode", "78")]), (Status::Wrong, vec!["the file"]));
}

#[test]
fn bytes_within_two_percent() {
    assert_eq!(judge(&[with("weir.flow.bytes", 979_999)]), (Status::Wrong, vec!["the bytes"]));
    assert_eq!(judge(&[with("weir.flow.bytes", 1_020_001)]), (Status::Wrong, vec!["the bytes"]));
    // All undeclared destinations together go before one flow.
    assert_eq!(judge(&[with("weir.exfil.bytes", 500_000)]), (Status::Wrong, vec!["the bytes"]));
    // A later revision makes good.
    assert_eq!(judge(&[with("weir.flow.bytes", 1_000), alert()]), (Status::Detected, vec![]));
    assert_eq!(judge(&[with("weir.flow.bytes", Value::Null)]), (Status::Wrong, vec!["the bytes"]));
}

#[test]
fn what_is_no_detection() {
    assert_eq!(judge(&[]).0, Status::Missed);
    assert_eq!(judge(&[with("weir.rule.level", "medium")]).0, Status::Missed);
    assert_eq!(judge(&[with("container.id", "c2")]).0, Status::Missed);
    assert_eq!(judge(&[with("network.peer.address", "198.51.100.9")]).0, Status::Missed);
    assert_eq!(judge(&[with("network.peer.port", 80)]).0, Status::Missed);
}

#[test]
fn told_elsewhere_by_the_source() {
    let mut elsewhere = with("container.id", "c2");
    elsewhere["attributes"]["weir.source.inode"] = "77".into();
    assert_eq!(judge(&[elsewhere.clone()]), (Status::Detected, vec![]));
    // The number was another file's before.
    let later = Expected { began: SystemTime::now() + Duration::from_secs(60), ..expected() };
    assert_eq!(judge_by(&later, &[elsewhere]).0, Status::Missed);
}

#[test]
fn an_incident_is_told_as_well() {
    let mut incident = with("weir.incident.id", "i");
    for name in ["weir.alert.uid", "weir.rule.level"] {
        incident["attributes"][name] = Value::Null;
    }
    incident["attributes"]["weir.incident.level"] = "critical".into();
    assert_eq!(judge(&[incident]), (Status::Detected, vec![]));
}

#[test]
fn a_look_alike_is_loud_from_medium_on() {
    let containers = ["c1".to_owned()];
    let status = |alert: Value| {
        let events: Vec<Event> = Event::parse(&alert.to_string()).into_iter().collect();
        of_look_alike(&events, &containers).0
    };
    assert_eq!(status(with("weir.rule.level", "low")), Status::Silent);
    assert_eq!(status(with("weir.rule.level", "medium")), Status::Loud);
    assert_eq!(status(with("container.id", "c2")), Status::Silent);
}
