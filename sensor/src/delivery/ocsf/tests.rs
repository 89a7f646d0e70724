use super::{attack, finding, rest::Rest, time};
use crate::alert::{Incidents, Notice, Raiser};
use crate::detection::{Category, Engine, Logic, RuleSet};
use crate::event::{BootTime, WallClock};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The records that the examples of all shipped rules make, alerts and incidents.
fn records() -> Vec<Value> {
    let set = RuleSet::embedded().unwrap();
    let clock = WallClock::new(1_790_000_000_000_000_000, BootTime(0));
    let (mut raiser, mut incidents) = (Raiser::new(&set), Incidents::default());
    let mut engine = Engine::new(set.clone());
    let mut records = Vec::new();
    for (rule, examples) in set.examples() {
        let category = match rule.logic {
            Logic::Detection(category) => Some(category),
            Logic::Correlation { .. } => None,
        };
        for example in &examples.matching {
            for event in example.events(category).unwrap().into_iter().map(Arc::new) {
                for alert in engine.evaluate(&event).into_iter().filter_map(|finding| raiser.raise(finding)) {
                    for notice in incidents.push(alert, &|_, _| true) {
                        records.push(match &notice {
                            Notice::Alert(alert) => serde_json::to_value(alert.record(clock)).unwrap(),
                            Notice::Incident(incident) => serde_json::to_value(incident.record(clock)).unwrap(),
                            Notice::Enrichment(enrichment) => serde_json::to_value(enrichment.record(clock)).unwrap(),
                        });
                    }
                }
            }
        }
    }
    records
}

/// Events of every category with every field that they can have, each as the proof of an alert.
fn full_records() -> Vec<Value> {
    let attributes = Category::ALL.into_iter().map(|category| {
        serde_json::to_value(crate::event::Attributes(&crate::detection::example::full(category))).unwrap()
    });
    attributes.map(theft).collect()
}

/// An alert that was decided by an event of these attributes.
fn theft(decisive: Value) -> Value {
    let mut attributes = json!({
        "log.record.uid": "u/1", "weir.alert.uid": "u", "weir.alert.revision": 1,
        "weir.alert.begun": "2026-08-01T12:00:00.000000Z", "weir.alert.suppressed": 2,
        "weir.incident.id": "i", "security_rule.uuid": "r", "security_rule.name": "Weights sent",
        "security_rule.version": "abc", "weir.rule.name": "model_theft", "weir.attack.ids": ["T1048", "T1059.004"],
        "weir.attack.tactics": ["command-and-control"], "weir.attack.version": "v19", "weir.atlas.ids": ["AML.T0048.004"],
        "weir.atlas.version": "5.6", "weir.rule.first_steps": ["Stop it", "Look"], "weir.rule.level": "high",
    });
    attributes.as_object_mut().unwrap().extend(decisive.as_object().unwrap().clone());
    json!({
        "time": "2026-08-01T12:00:01.500000Z", "event_name": "weir.alert", "severity_number": 17, "severity_text": "high",
        "body": "somebody sent it", "attributes": attributes,
        "evidence": [{ "rule": "undeclared_egress", "time": "2026-08-01T12:00:01.500000Z", "attributes": decisive }],
    })
}

fn flow() -> Value {
    json!({
        "weir.event.kind": "flow", "process.pid": 7, "weir.process.id": "7-1", "process.user.id": 4_294_967_294u64,
        "process.executable.path": "/usr/bin/curl", "process.executable.name": "curl", "process.command_line": "curl -T x",
        "process.parent_pid": 6, "container.id": "3f4e", "container.image.name": "vllm", "weir.workload.id": "container:3f4e",
        "k8s.pod.uid": "0f1e2d3c-0000-4000-8000-000000000001", "k8s.pod.name": "serve-0", "k8s.namespace.name": "ml",
        "network.peer.address": "203.0.113.9", "network.peer.port": 443, "network.transport": "tcp", "network.type": "ipv4",
        "network.local.address": "10.0.0.2", "network.local.port": 5000, "weir.connection.initiated": true,
        "server.address": "evil.example", "weir.flow.bytes": 5_000_000_000u64, "weir.source.path": "/m/a.safetensors",
        "weir.source.device": "8:1", "weir.source.inode": "42",
    })
}

#[test]
fn an_alert_is_a_detection_finding() {
    let made = finding(&theft(flow()), Some("node-1")).unwrap();
    let at = |pointer: &str| made.pointer(pointer).unwrap_or(&Value::Null).clone();
    assert_eq!((at("/class_uid"), at("/type_uid"), at("/activity_id")), (2004.into(), 200_402.into(), 2.into()));
    assert_eq!((at("/severity_id"), at("/status_id"), at("/is_alert")), (4.into(), 1.into(), true.into()));
    assert_eq!((at("/time"), at("/start_time")), (1_785_585_601_500i64.into(), 1_785_585_600_000i64.into()));
    assert_eq!((at("/message"), at("/count")), ("somebody sent it".into(), 3.into()));
    assert_eq!((at("/metadata/uid"), at("/metadata/correlation_uid")), ("u/1".into(), "i".into()));
    assert_eq!(at("/metadata/profiles"), json!(["container", "host"]));
    assert_eq!((at("/finding_info/uid"), at("/finding_info/analytic/uid")), ("u".into(), "r".into()));
    assert_eq!((at("/device/hostname"), at("/remediation/desc")), ("node-1".into(), "Stop it; Look".into()));
    assert_eq!((at("/actor/process/name"), at("/actor/process/parent_process/pid")), ("curl".into(), 6.into()));
    assert_eq!(at("/evidences/0/dst_endpoint"), json!({"ip": "203.0.113.9", "port": 443, "hostname": "evil.example"}));
    assert_eq!(at("/evidences/0/src_endpoint"), json!({"ip": "10.0.0.2", "port": 5000}));
    assert_eq!(
        (at("/evidences/0/connection_info/direction_id"), at("/evidences/0/container/uid")),
        (2.into(), "3f4e".into())
    );
    let resources: Vec<Value> = at("/resources").as_array().unwrap().iter().map(|one| one["type"].clone()).collect();
    assert_eq!(resources, ["Container", "Pod", "File"]);
    // What has no place is still there; what has one is not said twice.
    assert_eq!(
        (at("/evidences/0/data/weir.flow.bytes"), at("/unmapped/weir.rule.level")),
        (5_000_000_000u64.into(), "high".into())
    );
    assert_eq!((at("/unmapped/weir.flow.bytes"), at("/unmapped/process.pid")), (Value::Null, Value::Null));
    // The user id does not fit OCSF's integers.
    assert_eq!(at("/evidences/0/data/process.user.id"), 4_294_967_294u64);
}

#[test]
fn who_was_asked_is_the_destination() {
    let mut accepted = flow();
    accepted["weir.connection.initiated"] = false.into();
    let made = finding(&theft(accepted), None).unwrap();
    let evidence = &made["evidences"][0];
    assert_eq!((&evidence["dst_endpoint"]["ip"], &evidence["src_endpoint"]["port"]), (&"10.0.0.2".into(), &443.into()));
    assert_eq!(evidence["connection_info"]["direction_id"], 1);
    assert_eq!(made.get("device"), None);
}

#[test]
fn everything_that_a_record_says_is_in_its_finding() {
    for record in records().into_iter().chain(full_records()) {
        let text = finding(&record, None).unwrap().to_string();
        let pieces = record["evidence"].as_array().into_iter().flatten().map(|piece| &piece["attributes"]);
        for (name, value) in pieces.chain([&record["attributes"]]).filter_map(Value::as_object).flatten() {
            let said = match value {
                Value::String(text) if text.ends_with('Z') && name.starts_with("weir.") => continue,
                Value::String(text) => serde_json::to_string(text).unwrap().trim_matches('"').to_owned(),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            // These are numbers and words of OCSF's own.
            let own = [
                "network.type",
                "network.transport",
                "weir.alert.suppressed",
                "weir.alert.revision",
                "weir.incident.revision",
            ];
            assert!(own.contains(&&**name) || text.contains(&said), "{name}: {said} is not in {text}");
        }
    }
}

#[test]
fn what_is_no_alert_has_no_finding() {
    for record in [
        json!(null),
        json!({}),
        json!({"event_name": "weir.coverage"}),
        json!({"event_name": "weir.alert"}),
        json!([1]),
    ] {
        assert_eq!(finding(&record, Some("x")), None, "{record}");
    }
    // Whatever else is wrong with it.
    let odd = json!({"event_name": "weir.alert", "time": 7, "body": [], "evidence": [3, {"attributes": {"file.path": ""}}],
        "attributes": {"weir.alert.uid": "u", "process.pid": "seven", "weir.attack.ids": ["", "é", "T", 4], "network.peer.port": -1}});
    let made = finding(&odd, Some("")).unwrap();
    assert_eq!((&made["time"], &made["severity_id"]), (&0.into(), &0.into()));
    assert_eq!(made["unmapped"]["process.pid"], "seven");
}

#[test]
fn techniques_have_their_parent_and_times_are_milliseconds() {
    let mut rest = Rest::of(Some(&theft(json!({}))["attributes"]));
    let attacks = attack::of(&mut rest);
    assert_eq!(
        Value::Array(attacks),
        json!([
            {"technique": {"uid": "T1048"}, "version": "v19"},
            {"technique": {"uid": "T1059"}, "sub_technique": {"uid": "T1059.004"}, "version": "v19"},
            {"tactic": {"name": "Command and Control"}, "version": "v19"},
            {"technique": {"uid": "AML.T0048"}, "sub_technique": {"uid": "AML.T0048.004"}, "version": "5.6"},
        ])
    );
    for seconds in [0, 951_782_400, 1_709_164_799, 1_785_585_600, 4_107_542_399] {
        let text = WallClock::new(seconds * 1_000_000_000, BootTime(0)).rfc3339(BootTime(7_000_000)).to_string();
        assert_eq!(time::millis(&text), i64::try_from(seconds * 1000 + 7).ok(), "{text}");
    }
    for text in
        ["", "Z", "2026-08-01", "2026-13-01T00:00:00Z", "2026-08-01T24:00:00Z", "2026-08-01T00:00:00", "1-1-1T1:1:é.1Z"]
    {
        assert_eq!(time::millis(text), None, "{text}");
    }
}

#[test]
fn findings_of_all_shipped_rules_are_valid() {
    let records: Vec<Value> = records().into_iter().chain(full_records()).collect();
    assert!(records.iter().any(|record| record["event_name"] == "weir.incident"), "none of them is an incident");
    let lines: String =
        records.iter().map(|record| finding(record, Some("node-1")).unwrap().to_string() + "\n").collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = root.join("tests/ocsf/validate.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(root.join("target")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return skip(&format!("python3: {error}")),
    };
    // It may end without reading: then its status says why.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), records.len().to_string()),
        Some(77) => skip(&said),
        status => panic!("{status:?}: {}", said.chars().take(4_000).collect::<String>()),
    }
}

fn skip(why: &str) {
    // Past the test runner, which shows what passing tests print only when asked to.
    let _ = writeln!(std::io::stderr(), "skipped: findings against the schema of OCSF: {}", why.trim());
}
