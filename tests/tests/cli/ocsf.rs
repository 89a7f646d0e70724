//! `weir run --format ocsf`: what a real sensor finds is valid against the published schema.

use super::alerts::stage::{MODEL, Outcome, Stage};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::sensor::Event;
use tests::skip;
use tests::wait::PATIENCE;

#[test]
fn findings_of_a_theft_are_valid() -> Outcome {
    let Some(stage) = Stage::set_with(&["run", "--format", "ocsf"])? else { return Ok(()) };
    let (_sink, to) = stage.sink()?;
    stage.act(&["steal", "--read", MODEL, "--to", &to])?;
    let here = |event: &Event| {
        let containers = event.field("evidences").and_then(Value::as_array).into_iter().flatten();
        let mut ids = containers.filter_map(|evidence| evidence.pointer("/container/uid"));
        ids.any(|id| *id == stage.container.id)
    };
    let uid = |event: &Event, pointer: &str| event.field("metadata")?.pointer(pointer)?.as_str().map(str::to_owned);
    let is = |code: &'static str| move |event: &Event| uid(event, "/event_code").as_deref() == Some(code);
    let theft = stage.sensor.wait_until("the finding of the theft", PATIENCE, |events| {
        events.iter().filter(|event| here(event)).find(|event| is("model_theft")(event)).cloned()
    })?;
    let numbers = ["class_uid", "type_uid", "category_uid"].map(|name| theft.field(name).and_then(Value::as_u64));
    assert_eq!(numbers, [Some(2004), Some(200_401), Some(2)]);
    assert_eq!(theft.field("device").map(|device| device["hostname"].is_string()), Some(true), "{theft:?}");
    let findings = stage.sensor.events();
    assert!(findings.iter().all(|event| event.field("class_uid").is_some()), "every line is a finding");
    let lines: Vec<String> = findings.iter().map(|event| Value::Object(event.fields().clone()).to_string()).collect();
    validate(&lines)?;
    stage.strike()
}

#[test]
fn events_have_no_findings() -> Outcome {
    super::weir::run(&["events", "--format", "ocsf"])?.refuses(2, &["--format json", "weir run --format ocsf"]);
    Ok(())
}

/// Holds findings, one a line, against the schema; says so where it cannot be had.
pub fn validate(findings: &[String]) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new("python3");
    command.arg(root.join("tests/ocsf/validate.py")).arg(root.join("target"));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match piped.spawn() {
        Ok(child) => child,
        Err(error) => {
            skip::say(&format!("findings against the schema of OCSF: python3: {error}"));
            return Ok(());
        }
    };
    // It may end without reading: then its status says why.
    let _ = child.stdin.take().ok_or("no pipe")?.write_all((findings.join("\n") + "\n").as_bytes());
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), findings.len().to_string()),
        Some(77) => skip::say(&format!("findings against the schema of OCSF: {}", said.trim())),
        status => return Err(format!("{status:?}: {said}").into()),
    }
    Ok(())
}
