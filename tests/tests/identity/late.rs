//! A name that comes after the alert, and a runtime that comes after the sensor.

use super::image::SERVING;
use super::{Outcome, node};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tests::receiver::Receiver;
use tests::scene::Directory;
use tests::sensor::{Event, Sensor};
use tests::wait::PATIENCE;

const RULE: &str = "title: Sleeps
id: 5d0c8b2e-0000-4000-8000-000000000077
name: sleeps
level: informational
logsource:
  product: linux
  category: process_creation
detection:
  x:
    process.command_args: WORD
  condition: x
weir:
  subject: [weir.process.id]
";

fn attribute<'e>(record: &'e Event, name: &str) -> Option<&'e str> {
    record.field("attributes")?.get(name).and_then(Value::as_str)
}

/// The first record of that name about that container.
fn record(sensor: &Sensor, name: &str, container: &str) -> std::io::Result<Event> {
    sensor.wait_for(&format!("{name} of {container}"), PATIENCE, |event| {
        event.text("event_name") == Some(name) && attribute(event, "container.id") == Some(container)
    })
}

#[test]
fn an_alert_is_said_at_once_and_named_when_the_runtime_comes() -> Outcome {
    let Some(mut node) = node()? else { return Ok(()) };
    let (directory, rules) = (Directory::new()?, Directory::new()?);
    let socket = directory.path().join("runtime.sock");
    let word = "31.4159";
    fs::write(rules.path().join("sleeps.yml"), RULE.replace("WORD", &format!("'{word}'")))?;
    let mut receiver = Receiver::start(Path::new(env!("CARGO_BIN_EXE_weir-receiver")), &[])?;
    let config = directory.path().join("weir.yml");
    fs::write(&config, format!("otlp: {{endpoint: \"http://127.0.0.1:{}\", protocol: grpc}}\n", receiver.port))?;
    let sensor = Sensor::start(&[
        "run",
        "--config",
        &config.to_string_lossy(),
        "--rules",
        &rules.path().to_string_lossy(),
        "--runtime-socket",
        &socket.to_string_lossy(),
    ])?;
    sensor.wait_for_log("the runtime is missed", PATIENCE, |log| {
        log.iter().any(|line| line.contains("there is no socket"))
    })?;
    let pod = node.pod()?;
    let id = node.run(&pod, "server", &["/bin/sleep", word])?;
    let alert = record(&sensor, "weir.alert", &id)?;
    assert_eq!(attribute(&alert, "container.name"), None, "nobody can know it yet");
    assert_eq!(attribute(&alert, "k8s.pod.uid"), Some(&*pod.uid), "the cgroup tells that");
    assert_eq!(attribute(&alert, "weir.workload.id"), Some(&*format!("container:{id}")));

    symlink(node.containerd.socket(), &socket)?;
    let named = record(&sensor, "weir.enrichment", &id)?;
    assert_eq!(attribute(&named, "weir.alert.uid"), attribute(&alert, "weir.alert.uid"));
    assert!(attribute(&named, "weir.alert.uid").is_some());
    assert_ne!(attribute(&named, "log.record.uid"), attribute(&alert, "log.record.uid"), "it is no duplicate");
    assert_eq!(attribute(&named, "k8s.pod.name"), Some(&*pod.name));
    assert_eq!(attribute(&named, "k8s.namespace.name"), Some("prod-llm"));
    assert_eq!(attribute(&named, "container.name"), Some("server"));
    assert_eq!(attribute(&named, "container.image.name"), SERVING.strip_suffix(":v1"));

    // The collector gets both, and can tell whose the name is.
    let uid = attribute(&named, "weir.alert.uid").unwrap_or_default().to_owned();
    receiver.until("the name, as a record of the container", |requests| {
        let records = requests.iter().filter_map(|request| request["records"].as_array()).flatten();
        let mut named = records.filter(|record| record["event_name"] == "weir.enrichment");
        named.any(|record| {
            record["attributes"]["weir.alert.uid"] == uid && record["resource"]["k8s.pod.name"] == *pod.name
        })
    })?;

    // From now on alerts have their names themselves, and none is named twice.
    let second = node.run(&pod, "sidecar", &["/bin/sleep", word])?;
    let alert = record(&sensor, "weir.alert", &second)?;
    assert_eq!(attribute(&alert, "container.name"), Some("sidecar"));
    let stopped = sensor.stop()?;
    let named = stopped.events.iter().filter(|event| event.text("event_name") == Some("weir.enrichment"));
    assert_eq!(named.filter_map(|event| attribute(event, "container.id")).collect::<Vec<_>>(), [&*id]);
    let said = stopped.log.iter().filter(|line| line.contains("runtime.sock")).count();
    assert_eq!(said, 1, "once, though tried again and again: {:?}", stopped.log);
    Ok(())
}
