//! What hangs together is told as one.

use super::stage::{Alert, MODEL, Outcome, Stage};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use tests::scene::Directory;

/// A rule each at low for these programs, every process a finding of its own.
const RULES: &str = "\
title: NAME was run
id: 00000000-0000-4000-8000-00000000000NUMBER
name: ran_NAME
status: test
description: A signal that says nothing by itself.
author: Weir
date: 2026-08-01
logsource:
  product: linux
  category: process_creation
detection:
  signal:
    process.command_args: SIGNAL-NAME
  # What enters the container has the program's arguments in its own.
  entering:
    process.executable.path|endswith: /weir-actor
  condition: signal and not entering
falsepositives: [Everything]
level: low
weir:
  sentence: '{process.executable.path} was run as NAME'
  subject: [process.pid]
  tests:
    match:
      - process.command_args: [/bin/true, SIGNAL-NAME]
    no_match:
      - process.command_args: [/bin/true]
";
/// How this harness enters a container is told, at low, as what it is; here it would only be one more signal.
const ENTERED: &str = "\
title: Namespaces of another process entered
id: 64ece29a-65ee-456c-af8d-feefa47ad7ed
status: deprecated
logsource:
  product: linux
  category: namespace
detection:
  enters:
    weir.namespace.how: setns
  condition: enters
level: low
";
const SIGNALS: [&str; 3] = ["alpha", "beta", "gamma"];

fn with_rules(play: impl FnOnce(Stage) -> Outcome) -> Outcome {
    let rules = Directory::new()?;
    fs::write(rules.path().join("entered.yml"), ENTERED)?;
    for (number, name) in (1..).zip(SIGNALS) {
        let rule = RULES.replace("NAME", name).replace("NUMBER", &format!("{number}"));
        fs::write(rules.path().join(format!("{name}.yml")), rule)?;
    }
    match Stage::set_with(&["run", "--rules", &rules.path().to_string_lossy()])? {
        Some(stage) => play(stage),
        None => Ok(()),
    }
}

fn texts(values: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    values.into_iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn three_low_signals_of_one_lineage_are_one_high_incident() -> Outcome {
    with_rules(|stage| {
        // Children of one shell; the first signal forty times.
        let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 \
            35 36 37 38 39 40; do /bin/true SIGNAL-alpha; done; (/bin/true SIGNAL-beta; :); /bin/true SIGNAL-gamma; :";
        stage.run("/bin/sh", &["-c", script])?;
        let alerts = stage.alerts()?;
        let rules: Vec<&str> = alerts.iter().map(Alert::rule).collect();
        assert_eq!(rules, ["ran_alpha", "ran_beta", "ran_gamma"], "each once");
        let levels: Vec<&Value> = alerts.iter().map(|alert| alert.get("weir.incident.level")).collect();
        assert_eq!(levels, ["low", "low", "high"]);

        let records = stage.incidents();
        let told =
            |record: &Alert| ["level", "revision"].map(|name| record.get(&format!("weir.incident.{name}")).clone());
        let told: Vec<_> = records.iter().map(told).collect();
        assert_eq!(told, [[json!("high"), json!(0)]], "the rise, once");
        let last = records.last().ok_or("no record")?;
        assert_eq!(*last.get("weir.incident.rules"), json!(["ran_alpha", "ran_beta", "ran_gamma"]));
        assert_eq!((last.get("weir.incident.alerts"), last.get("weir.incident.suppressed")), (&json!(42), &json!(39)));
        assert!(last.sentence().ends_with("42 findings of 3 rules, added last: gamma was run"), "{}", last.sentence());
        let ids = texts(alerts.iter().chain(&records).map(|one| one.get("weir.incident.id").clone()));
        assert_eq!(ids.len(), 1, "{ids:?}");
        stage.strike()
    })
}

#[test]
fn the_same_signals_by_processes_that_have_nothing_to_do_with_each_other_are_none() -> Outcome {
    with_rules(|stage| {
        for name in SIGNALS {
            stage.run("/bin/true", &[&format!("SIGNAL-{name}")])?;
        }
        let alerts = stage.alerts()?;
        assert_eq!(alerts.iter().map(Alert::rule).collect::<Vec<_>>(), ["ran_alpha", "ran_beta", "ran_gamma"]);
        assert!(alerts.iter().all(|alert| *alert.get("weir.incident.level") == "low"), "{alerts:#?}");
        assert_eq!(texts(alerts.iter().map(|alert| alert.get("weir.incident.id").clone())).len(), 3);
        stage.stays_silent()
    })
}

#[test]
fn a_theft_is_one_incident_that_names_reader_sender_file_and_destination() -> Outcome {
    let rules = Directory::new()?;
    fs::write(rules.path().join("entered.yml"), ENTERED)?;
    let Some(stage) = Stage::set_with(&["run", "--rules", &rules.path().to_string_lossy()])? else { return Ok(()) };
    let (sink, to) = stage.sink()?;
    let truth = stage.act(&["steal", "--via-pipe", "--read", MODEL, "--to", &to])?;
    sink.finish()?;
    let alerts = stage.alerts()?;
    let uids =
        texts(alerts.iter().filter(|alert| alert.rule() == "model_theft").map(|a| a.get("weir.alert.uid").clone()));
    assert_eq!(uids.len(), 1, "one alert, in revisions");
    let records = stage.incidents();
    let [record] = records.as_slice() else {
        return Err(format!("one record, not {}: {records:#?}", records.len()).into());
    };
    let ids = texts(alerts.iter().chain(&records).map(|one| one.get("weir.incident.id").clone()));
    assert_eq!(ids.len(), 1, "{ids:?}");
    // Reading and sending are high together; that all of it left, the sums say, and that is critical.
    assert_eq!(*record.get("weir.incident.level"), "critical");
    assert_eq!(*record.get("weir.incident.sources"), json!([MODEL]));
    assert_eq!(*record.get("weir.incident.destinations"), json!([to]));
    assert!(record.get("weir.incident.bytes").as_u64() > Some(0));
    let processes = record.whole("processes");
    // Theft alerts are true to the actor's account of itself, which `deeds` shows.
    let theft = alerts.iter().find(|alert| alert.rule() == "model_theft").ok_or("no theft")?;
    for (role, pid) in [("reader", theft.first("process.pid")), ("sender", theft.get("process.pid"))] {
        let has_role =
            |process: &&Value| process["weir.process.roles"].as_array().is_some_and(|all| all.contains(&role.into()));
        let pids: Vec<&Value> = processes.iter().filter(has_role).map(|process| &process["process.pid"]).collect();
        assert_eq!(pids, [pid], "{role}: {processes:#?}");
    }
    assert_eq!(record.whole("sources")[0]["file.inode"], truth["reader"]["file.inode"]);
    for word in [MODEL, &to, "it travelled by pipe:", "added last: "] {
        assert!(record.sentence().contains(word), "{word} is not in: {}", record.sentence());
    }
    stage.strike()
}
