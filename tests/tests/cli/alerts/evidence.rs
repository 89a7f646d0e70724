//! A theft in the evidence: kept while it happens, cut into a timeline, exported, verified elsewhere, replayed.

use super::super::weir::run;
use super::stage::{MODEL, Outcome, Stage};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::scene::{Container, Directory};

/// The timeline's JSON.
fn timeline(place: &str, incident: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let cut = run(&["timeline", "--from", place, "--incident", incident, "--format", "json"])?;
    assert_eq!(cut.status, Some(0), "{}", cut.err);
    Ok(serde_json::from_str(&cut.out)?)
}

fn entries(timeline: &Value) -> Vec<(&str, &str)> {
    let entries = timeline["entries"].as_array().into_iter().flatten();
    entries
        .map(|entry| (entry["kind"].as_str().unwrap_or_default(), entry["sentence"].as_str().unwrap_or_default()))
        .collect()
}

#[test]
fn a_theft_is_kept_cut_exported_verified_and_replayed() -> Outcome {
    let Some(mut stage) = Stage::set()? else { return Ok(()) };
    let (sink, to) = stage.sink()?;
    // Others do other things meanwhile.
    stage.run("/bin/cat", &["/etc/passwd"])?;
    let truth = stage.act(&["steal", "--read", MODEL, "--to", &to, "--via-pipe"])?;
    let sent: u64 = sink.finish()?.iter().map(|peer| peer.bytes).sum();
    let alert = stage.alerts_of("model_theft")?.pop().ok_or("no alert")?;
    let uid = alert.get("log.record.uid").as_str().ok_or("no uid")?.to_owned();
    let incident = alert.get("weir.incident.id").as_str().ok_or("no incident")?.to_owned();
    let store = stage.sensor.state().join("evidence");
    let store = store.to_str().ok_or("a path")?;
    // As a sensor that is updated: what it kept is there for the next.
    stage.sensor.restart(Signal::TERM, &["run"])?;

    let cut = timeline(store, &incident)?;
    let all = entries(&cut);
    let at = |kind: &str, words: &str| {
        let found = all.iter().position(|(of, sentence)| *of == kind && sentence.contains(words));
        found.ok_or_else(|| format!("no {kind} with {words} in {all:#?}"))
    };
    let (started, read, send, told) =
        (at("exec", "weir-actor")?, at("open", MODEL)?, at("flow", &to)?, at("alert", "sent")?);
    assert!(started < read && read < send && send < told, "in order: {all:#?}");
    assert!(!all.iter().any(|(_, sentence)| sentence.contains("/etc/passwd")), "nothing unrelated: {all:#?}");
    let [reader, sender] = ["reader", "sender"].map(|who| truth[who]["process.vpid"].clone());
    let of = |vpid: &Value, kind: &str| {
        let mut entries = cut["entries"].as_array().into_iter().flatten();
        entries.any(|entry| entry["attributes"]["process.vpid"] == *vpid && entry["kind"] == kind)
    };
    assert!(of(&reader, "open") && of(&sender, "flow"), "{all:#?}");
    let series = cut["series"].as_array().into_iter().flatten().filter(|series| series["quantity"] == "sent");
    let most = series.filter_map(|series| series["points"].as_array()?.last()?["bytes"].as_u64()).max();
    assert_eq!(most, Some(sent), "what left, to the byte");
    assert_eq!(
        cut["processes"].as_array().map(|all| all.iter().any(|one| one["executable"] == Container::ACTOR)),
        Some(true)
    );

    let page = run(&["timeline", "--from", store, "--incident", &incident, "--format", "html"])?;
    assert!(
        page.out.to_lowercase().starts_with("<!doctype html>") && page.out.contains(&incident),
        "{:.200}",
        page.out
    );

    let verified = run(&["evidence", "verify", store])?;
    assert_eq!(verified.status, Some(0), "{} {}", verified.out, verified.err);
    let directory = Directory::new()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (archive, key) = (path("incident.tar.zst"), path("node.pub"));
    fs::copy(format!("{store}/key.pub"), &key)?;
    let exported = run(&["evidence", "export", "--incident", &incident, "--from", store, "--output", &archive])?;
    assert_eq!(exported.status, Some(0), "{}", exported.err);
    let report = sensor::evidence::archive::verify(Path::new(&archive), &[])?;
    let listed: Vec<&str> = report.manifest.files.iter().map(|file| &*file.name).collect();
    for name in ["timeline.html", "coverage.jsonl", "raw.weir", "rules/built-in/model_theft.yml"] {
        assert!(listed.contains(&name), "{name} is not in: {listed:?}");
    }
    stage.strike()?;

    // Elsewhere: there is nothing but the archive and the key.
    let verified = run(&["evidence", "verify", &archive, "--key", &key])?;
    assert_eq!(verified.status, Some(0), "{} {}", verified.out, verified.err);
    let again = timeline(&archive, &incident)?;
    assert_eq!(entries(&again), all, "the same timeline out of the archive");
    let replayed = run(&["replay", &archive, "--format", "json"])?;
    assert!(replayed.out.contains(&uid), "the same alert: {:.600} {}", replayed.out, replayed.err);

    let mut bytes = fs::read(&archive)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes)?;
    let refused = run(&["evidence", "verify", &archive, "--key", &key])?;
    assert_eq!(refused.status, Some(1), "{} {}", refused.out, refused.err);
    Ok(())
}
