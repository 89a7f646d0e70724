//! What arrives of everything else: incidents as traces, coverage records, events, findings of OCSF, metrics; and through a real collector.

use super::{Outcome, Scene, all_arrive, is_skipped};
use crate::support::receiver;
use serde_json::Value;
use tests::receiver::{Authority, Receiver};
use tests::sensor::Sensor;

fn has_record(receiver: &mut Receiver, what: &str, wanted: impl Fn(&Value) -> bool) -> Outcome {
    Ok(receiver.until(what, |requests| {
        requests.iter().filter_map(|request| request["records"].as_array()).flatten().any(&wanted)
    })?)
}

#[test]
fn coverage_events_and_findings_arrive_as_they_were_asked_for() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let (scene, mut receiver) = (Scene::new()?, receiver(&[]));
    let more = ["--export", "events", "--body", "ocsf", "--coverage-interval", "1"];
    let sensor = scene.sensor(receiver.port, "http/protobuf", &more)?;
    let marks = scene.deeds(3)?;
    all_arrive(&mut receiver, &marks, "the alerts")?;
    let mark = marks.first().ok_or("none")?;
    has_record(&mut receiver, "an alert as a finding", |record| {
        super::mark(&record["attributes"]).as_ref() == Some(mark) && record["body"]["class_uid"] == 2004
    })?;
    has_record(&mut receiver, "the event itself", |record| {
        let args = record["attributes"]["process.command_args"].as_array();
        record["event_name"] == "weir.event.exec"
            && args.is_some_and(|args| args.contains(&Value::from(mark.as_str())))
            && record["body"].as_str().is_some_and(|body| body.contains("ran /"))
    })?;
    has_record(&mut receiver, "two coverage records", |record| {
        record["event_name"] == "weir.coverage"
            && record["attributes"]["weir.coverage.sequence"].as_u64().is_some_and(|sequence| sequence > 0)
            && record["attributes"]["weir.canary.exec"] == "seen"
    })?;
    // Events go apart: no request has both.
    let mixed = receiver.requests.iter().filter_map(|request| request["records"].as_array()).any(|records| {
        let is_event =
            |record: &&Value| record["event_name"].as_str().is_some_and(|name| name.starts_with("weir.event."));
        let events = records.iter().filter(is_event).count();
        events > 0 && events < records.len()
    });
    assert!(!mixed);
    sensor.stop()?;
    receiver.drain();
    has_record(&mut receiver, "the last coverage record", |record| {
        record["attributes"]["weir.coverage.occasion"] == "end"
    })
}

#[test]
fn metrics_go_by_the_file_as_well_also_over_tls() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let scene = Scene::new()?;
    let authority = Authority::new(scene.path(), "authority")?;
    let server = authority.issue("localhost")?;
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    for protocol in crate::support::PROTOCOLS {
        let mut receiver = receiver(&["--certificate", &text(&server.certificate), "--key", &text(&server.key)]);
        let otlp = format!(
            "  endpoint: https://localhost:{}\n  protocol: {protocol}\n  certificate: {}\n  headers: {{x-weir-test: by-file}}\n",
            receiver.port,
            text(&authority.certificate)
        );
        let arguments = scene.arguments(&otlp, &[])?;
        let config = std::fs::read_to_string(scene.path().join("weir.yml"))?;
        std::fs::write(scene.path().join("weir.yml"), config.replace("  metrics: {exporter: none}\n", ""))?;
        // The last export is at the end.
        let sensor = Sensor::start(&arguments)?;
        let marks = scene.deeds(2)?;
        all_arrive(&mut receiver, &marks, protocol)?;
        sensor.stop()?;
        receiver.until("the metrics", |requests| {
            let metrics = requests.iter().filter(|request| request["test"] == "by-file");
            let mut metrics = metrics.filter_map(|request| request["metrics"].as_array()).flatten();
            metrics.any(|metric| {
                metric["name"] == "weir.delivery.outcomes"
                    && metric["resource"]["host.name"].as_str().is_some_and(|name| !name.is_empty())
            })
        })?;
    }
    Ok(())
}
