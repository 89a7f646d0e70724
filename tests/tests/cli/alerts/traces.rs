//! A theft at the other end: its alerts are log records of the container, its incident is a trace.

use super::stage::{MODEL, Outcome, Stage};
use std::path::Path;
use tests::receiver::Receiver;
use tests::scene::Container;

#[test]
fn a_theft_arrives_as_log_records_and_as_the_trace_of_its_incident() -> Outcome {
    let mut receiver = Receiver::start(Path::new(env!("CARGO_BIN_EXE_weir-receiver")), &[])?;
    let directory = tempfile::tempdir()?;
    let config = directory.path().join("weir.yml");
    std::fs::write(&config, format!("otlp: {{endpoint: \"http://127.0.0.1:{}\", protocol: grpc}}\n", receiver.port))?;
    let Some(stage) = Stage::set_with(&["run", "--config", &config.to_string_lossy()])? else { return Ok(()) };
    let (sink, to) = stage.sink()?;
    stage.act(&["steal", "--read", MODEL, "--to", &to, "--via-pipe"])?;
    sink.finish()?;
    let container = stage.container.id.clone();
    let alert = stage.alerts_of("model_theft")?.pop().ok_or("no alert")?;
    let uid = alert.get("log.record.uid").clone();
    receiver.until("the alert, as a record of the container", |requests| {
        let records = requests.iter().filter_map(|request| request["records"].as_array()).flatten();
        let mut same = records.filter(|record| record["attributes"]["log.record.uid"] == uid);
        same.any(|record| record["resource"]["container.id"] == container.as_str())
    })?;
    let incident = alert.get("weir.incident.id").as_str().ok_or("no incident")?.replace('-', "");
    // Each revision is a span with its processes below it: some revision has both.
    let is_whole = |requests: &[serde_json::Value]| {
        let requests =
            requests.iter().filter(|request| request["path"].as_str().is_some_and(|path| path.contains("race")));
        let spans = requests.filter_map(|request| request["records"].as_array()).flatten();
        let spans: Vec<_> = spans.filter(|span| span["trace_id"] == incident.as_str()).collect();
        let of = |role: &str| {
            let has = |span: &&&serde_json::Value| {
                span["attributes"]["weir.process.roles"]
                    .as_array()
                    .is_some_and(|roles| roles.iter().any(|one| one == role))
            };
            spans.iter().find(has)
        };
        let root = spans.iter().any(|span| span["name"] == "weir.incident" && span["parent_span_id"] == "");
        let (Some(reader), Some(sender)) = (of("reader"), of("sender")) else { return false };
        let did = |span: &serde_json::Value, kind: &str| {
            span["events"].as_array().is_some_and(|all| all.iter().any(|one| one == kind))
        };
        let is_actor = |span: &serde_json::Value| span["attributes"]["process.executable.path"] == Container::ACTOR;
        let apart = reader["span_id"] != sender["span_id"] && reader["parent_span_id"] == sender["parent_span_id"];
        root && apart
            && is_actor(reader)
            && is_actor(sender)
            && did(reader, "open")
            && (did(sender, "flow") || did(sender, "egress"))
    };
    receiver.until("reader and sender are spans of the incident's trace", is_whole)?;
    let logs = receiver.records("ogs");
    let of_incident =
        logs.iter().find(|log| log["event_name"] == "weir.incident" && log["trace_id"] == incident.as_str());
    let span = of_incident.ok_or("the incident has a log record")?["span_id"].clone();
    assert!(receiver.records("race").iter().any(|one| one["span_id"] == span), "which names the span of its revision");
    let is_of_it =
        |log: &&&serde_json::Value, kind: &str| log["event_name"] == kind && log["trace_id"] == incident.as_str();
    for kind in ["weir.event.open", "weir.event.flow"] {
        let deed = logs.iter().find(|log| is_of_it(log, kind)).ok_or("its deeds are log records under its ids")?;
        assert!(receiver.records("race").iter().any(|one| one["span_id"] == deed["span_id"]), "{deed}");
    }
    stage.strike()
}
