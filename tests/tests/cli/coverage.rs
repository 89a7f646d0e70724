//! The coverage record: what a sensor says of what it watched, saw and lost, and of its canary.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::process::Command;
use tests::sensor::{Event, Sensor};
use tests::skip;
use tests::wait::{PATIENCE, until};

type Outcome = Result<(), Box<dyn Error>>;

const CANARY: [&str; 3] = ["weir.canary.exec", "weir.canary.open", "weir.canary.connect"];

fn is_coverage(event: &Event) -> bool {
    event.text("event_name") == Some("weir.coverage")
}

fn attribute<'a>(record: &'a Event, name: &str) -> &'a Value {
    record.field("attributes").map_or(&Value::Null, |attributes| &attributes[name])
}

/// So many records, or more.
fn records(sensor: &Sensor, count: usize) -> Result<Vec<Event>, Box<dyn Error>> {
    Ok(sensor.wait_until(&format!("{count} coverage records"), PATIENCE, |events| {
        let records: Vec<_> = events.iter().filter(|event| is_coverage(event)).cloned().collect();
        (records.len() >= count).then_some(records)
    })?)
}

#[test]
fn records_are_numbered_and_the_canary_comes_out_and_raises_nothing() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let sensor = Sensor::start(&["run", "--coverage-interval", "1"])?;
    records(&sensor, 3)?;
    until(PATIENCE, "nothing is left of a canary", || {
        let mut names = fs::read_dir(sensor.state()).ok()?.filter_map(|entry| Some(entry.ok()?.file_name()));
        (!names.any(|name| name.to_string_lossy().ends_with("weir-canary"))).then_some(())
    })?;
    let stopped = sensor.stop()?;
    let records: Vec<_> = stopped.events.iter().filter(|event| is_coverage(event)).collect();
    let occasions: Vec<_> = records.iter().map(|record| attribute(record, "weir.coverage.occasion").clone()).collect();
    let between = occasions.len() - 2;
    assert_eq!(occasions, [&["start"][..], &vec!["interval"; between], &["end"]].concat());
    for (number, record) in records.iter().enumerate() {
        assert_eq!(attribute(record, "weir.coverage.sequence"), number);
        assert_eq!(attribute(record, "service.instance.id"), attribute(records[0], "service.instance.id"));
    }
    // Each begins where the one before ends.
    for two in records.windows(2) {
        assert_eq!(attribute(two[1], "weir.coverage.begun"), two[0].text("time").unwrap_or_default());
    }
    for record in &records[..records.len() - 1] {
        for name in CANARY {
            assert_eq!(attribute(record, name), "seen", "{name}: {record:?}");
        }
        assert!(
            attribute(record, "weir.canary.latency").as_f64().is_some_and(|latency| latency > 0.0 && latency < 10.0),
            "{record:?}"
        );
        let hooks = record.field("coverage").map_or(&Value::Null, |coverage| &coverage["hooks"]);
        let open = hooks.as_array().into_iter().flatten().find(|watched| watched["concern"] == "open");
        assert!(open.is_some_and(|open| !open["hooks"].as_array().is_none_or(Vec::is_empty)), "{hooks}");
    }
    let of_weir = |event: &&Event| event.text("body").is_some_and(|body| body.contains("/weir "));
    let alerts: Vec<_> = stopped.events.iter().filter(|event| !is_coverage(event)).filter(of_weir).collect();
    assert!(alerts.is_empty(), "the canary raises nothing: {alerts:?}");
    Ok(())
}

#[test]
fn without_being_asked_there_is_no_record() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let stopped = Sensor::start(&["run"])?.stop()?;
    assert!(!stopped.events.iter().any(is_coverage));
    Ok(())
}

#[test]
fn it_says_by_which_hooks_and_which_deeds_it_could_not_do() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let sensor = Sensor::start(&["run", "--coverage-interval", "1", "--hooks", "portable"])?;
    let first = records(&sensor, 1)?.remove(0);
    let hooks = first.field("coverage").map_or(&Value::Null, |coverage| &coverage["hooks"]);
    let open = hooks.as_array().into_iter().flatten().find(|watched| watched["concern"] == "open");
    assert_eq!(open.map(|open| &open["family"]), Some(&Value::from("portable")));
    for name in CANARY {
        assert_eq!(attribute(&first, name), "seen", "by the exits of system calls as well: {first:?}");
    }
    // The place of its file is gone: the open cannot be done, and the record says that, not that all is well.
    fs::rename(sensor.state(), sensor.state().with_extension("away"))?;
    let broken = sensor.wait_for("a record without an open", PATIENCE, |event| {
        is_coverage(event) && attribute(event, "weir.canary.open") == "not_done"
    })?;
    assert_eq!(attribute(&broken, "weir.canary.exec"), "seen");
    assert_eq!(attribute(&broken, "weir.coverage.whole"), false);
    assert_eq!(broken.text("severity_text"), Some("WARN"));
    fs::rename(sensor.state().with_extension("away"), sensor.state())?;
    sensor.wait_for("a whole canary again", PATIENCE, {
        let sequence = attribute(&broken, "weir.coverage.sequence").as_u64();
        move |event| {
            is_coverage(event)
                && attribute(event, "weir.coverage.sequence").as_u64() > sequence
                && attribute(event, "weir.canary.open") == "seen"
        }
    })?;
    sensor.stop()?;
    Ok(())
}

#[test]
fn what_a_full_ring_loses_is_in_the_record() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let sensor = Sensor::start(&["run", "--coverage-interval", "1", "--ring-size", "1"])?;
    records(&sensor, 1)?;
    let agent = i32::try_from(sensor.pid()).ok().and_then(Pid::from_raw).ok_or("no pid")?;
    kill_process(agent, Signal::STOP)?;
    until(PATIENCE, "the agent sleeps", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", sensor.pid())).ok()?;
        stat.rsplit_once(") ")?.1.starts_with('T').then_some(())
    })?;
    // An exec with long arguments is some kilobytes in the ring; with fork and exit, this is some times its size.
    let long = "x".repeat(4000);
    for _ in 0..1500 {
        assert!(Command::new("/bin/true").arg(&long).status()?.success());
    }
    kill_process(agent, Signal::CONT)?;
    let record = sensor.wait_for("a record of what was lost", PATIENCE, |event| {
        is_coverage(event) && attribute(event, "weir.coverage.dropped").as_u64() > Some(0)
    })?;
    let kinds = record.field("coverage").map_or(&Value::Null, |coverage| &coverage["events"]);
    let lossy = kinds.as_array().into_iter().flatten().filter(|events| events["dropped"].is_object());
    let causes: Vec<_> = lossy.flat_map(|events| events["dropped"].as_object().cloned().unwrap_or_default()).collect();
    let sum: u64 = causes.iter().filter_map(|(_, count)| count.as_u64()).sum();
    assert!(causes.iter().any(|(cause, _)| cause == "ring_full" || cause == "over_budget"), "{causes:?}");
    assert_eq!(attribute(&record, "weir.coverage.dropped").as_u64(), Some(sum));
    assert_eq!(attribute(&record, "weir.coverage.whole"), false);
    assert!(record.text("body").is_some_and(|body| body.contains("lost: ")), "{record:?}");
    sensor.stop()?;
    Ok(())
}

#[test]
fn within_a_cgroup_the_canary_is_out_of_scope_and_that_is_no_fault() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let container = tests::scene::Container::start(&tests::scene::Spec::default())?;
    let cgroup = container.cgroup_directories.first().ok_or("no cgroup")?.to_string_lossy().into_owned();
    let sensor = Sensor::start(&["run", "--coverage-interval", "1", "--cgroup", &cgroup])?;
    let record = records(&sensor, 1)?.remove(0);
    for name in CANARY {
        assert_eq!(attribute(&record, name), "out_of_scope");
    }
    sensor.stop()?;
    Ok(container.stop().map(drop)?)
}
