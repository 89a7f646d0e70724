//! `weir status`: how a running sensor is, and what the exit status says of it.

use super::weir::{Ended, Nobody, end_of, run};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::process::Command;
use tests::scene::Directory;
use tests::sensor::Sensor;
use tests::skip;
use tests::wait::{PATIENCE, until};

type Outcome = Result<(), Box<dyn Error>>;

/// The status of that sensor, in that format.
fn status(sensor: &Sensor, format: &str) -> Result<Ended, Box<dyn Error>> {
    Ok(run(&["status", "--state-dir", &sensor.state().to_string_lossy(), "--format", format])?)
}

fn document(sensor: &Sensor) -> Result<(Option<i32>, Value), Box<dyn Error>> {
    let ended = status(sensor, "json")?;
    Ok((ended.status, serde_json::from_str(&ended.out)?))
}

#[test]
fn a_sensor_that_is_well_says_so() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let sensor = Sensor::start(&["run"])?;
    for _ in 0..20 {
        assert!(Command::new("/bin/true").status()?.success());
    }
    let execs = |document: &Value| {
        let events = document["events"].as_array().cloned().unwrap_or_default();
        events.into_iter().find(|events| events["kind"] == "exec").unwrap_or_default()
    };
    let (_, document) = until(PATIENCE, "the programs are counted", || {
        let (exit, document) = document(&sensor).ok()?;
        (execs(&document)["seen"].as_u64() >= Some(20)).then_some((exit, document))
    })?;
    assert_eq!(document["pid"], sensor.pid());
    assert!(execs(&document)["sent"].as_u64() >= Some(20), "{}", execs(&document));
    assert_eq!(document["rules"]["version"].as_str().map(str::len), Some(64));
    assert_eq!(document["rules"]["refused"], Value::Null);
    assert_eq!(document["ledger"]["kept"], true);
    for section in ["hooks", "tables", "correlations"] {
        assert!(document[section].as_array().is_some_and(|all| !all.is_empty()), "{section}");
    }
    assert!(document["process"]["memory_bytes"].as_u64() > Some(1 << 20), "{}", document["process"]);
    assert!(document["process"]["cpu_seconds"].as_f64() > Some(0.0));
    // Who else works on this machine can make it lose something; then it says so, and so does the exit status.
    let problems = document["problems"].as_array().ok_or("no problems")?.len();
    let text = status(&sensor, "text")?;
    assert_eq!(text.status, Some(i32::from(problems > 0)), "{text:?}");
    assert_eq!(text.out.contains("all is well"), problems == 0, "{}", text.out);
    for words in ["exec", "egress_accounts", "rules and ", "memory "] {
        assert!(text.out.contains(words), "{words} is not in {}", text.out);
    }
    assert!(text.out.lines().all(|line| line.len() <= 120), "{}", text.out);

    // What probes ask: of all problems, missing hooks alone matter, and only to `whole`.
    let state = sensor.state().to_string_lossy().into_owned();
    let check = |what: &str| run(&["status", "--state-dir", &state, "--check", what]);
    let running = check("running")?;
    running.is_quiet();
    assert!(running.out.contains(&format!("process {}", sensor.pid())), "{running:?}");
    let whole = check("whole")?;
    let missing =
        document["hooks"].as_array().into_iter().flatten().map(|hooks| hooks["missing"].as_array().map_or(0, Vec::len));
    let gaps = missing.sum::<usize>() > 0;
    assert_eq!((whole.status, whole.out.contains("every hook is live")), (Some(i32::from(gaps)), !gaps), "{whole:?}");
    assert!([running.out, whole.out].iter().all(|out| out.lines().count() == 1 && !out.contains('\u{1b}')));

    let nobody = Nobody::new()?;
    let path = sensor.state().to_string_lossy().into_owned();
    let refused = end_of(&mut nobody.weir(&["status", "--state-dir", &path]))?;
    refused.refuses(3, &["weir.sock", "root"]);
    let state = sensor.state();
    assert!(sensor.stop()?.log.is_empty(), "quiet when all is well");
    assert!(!state.join("weir.sock").exists());
    Ok(())
}

#[test]
fn rules_that_were_not_taken_show_and_what_filters_took() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let path = directory.path();
    let word = format!("filtered-{}", std::process::id());
    let rule = format!(
        "title: Started\nid: 5d0c8b2e-0000-4000-8000-000000000101\nname: started\nlevel: informational\nlogsource:\n  \
         product: linux\n  category: process_creation\ndetection:\n  x:\n    process.command_args: {word}\n  \
         condition: x\n---\ntitle: Not this one\nid: 5d0c8b2e-0000-4000-8000-000000000102\nfilter:\n  rules: [started]\n  \
         selection:\n    process.command_args: {word}\n  condition: not selection\n"
    );
    fs::write(path.join("own.yml"), &rule)?;
    let sensor = Sensor::start(&["run", "--rules", &path.to_string_lossy()])?;
    assert!(Command::new("/bin/true").arg(&word).status()?.success());
    until(PATIENCE, "the filter's count", || {
        let (_, document) = document(&sensor).ok()?;
        (document["filters"][0] == serde_json::json!({ "title": "Not this one", "taken": 1 })).then_some(())
    })?;

    fs::write(path.join("own.yml"), rule.replace("command_args", "comand_args"))?;
    let (exit, refused) = until(PATIENCE, "the refusal", || {
        let (exit, document) = document(&sensor).ok()?;
        (document["rules"]["refused"] != Value::Null).then_some((exit, document))
    })?;
    assert_eq!(exit, Some(1));
    assert_eq!(refused["rules"]["refused"]["count"], 2);
    let text = status(&sensor, "text")?;
    assert!(text.out.contains("own.yml:10") && text.out.contains("own.yml:18"), "{}", text.out);
    assert!(text.out.contains("did you mean `process.command_args`"), "{}", text.out);

    fs::write(path.join("own.yml"), &rule)?;
    until(PATIENCE, "the refusal is over", || {
        let (_, document) = document(&sensor).ok()?;
        (document["rules"]["refused"] == Value::Null).then_some(())
    })?;
    sensor.stop()?;
    Ok(())
}

#[test]
fn without_a_sensor_it_says_what_to_do() -> Outcome {
    let directory = Directory::new()?;
    let path = directory.path().to_string_lossy();
    run(&["status", "--state-dir", &path])?.refuses(3, &["no sensor is running", "weir.sock", "weir run"]);
    run(&["status", "--control", &format!("{path}/other")])?.refuses(3, &["no sensor is running", "/other"]);
    for check in ["running", "whole"] {
        run(&["status", "--state-dir", &path, "--check", check])?.refuses(3, &["no sensor is running"]);
    }
    run(&["status", "--state-dir", &path, "--check", "alive"])?.complains(2, &["alive", "running", "whole"]);
    Ok(())
}
