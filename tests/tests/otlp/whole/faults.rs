//! A collector that is away, or does wrong.

use super::{Outcome, Scene, all_arrive, free_port, is_skipped, receiver_at};
use crate::support::PROTOCOLS;
use std::collections::BTreeSet;
use std::fs;
use tests::wait::{PATIENCE, until};

#[test]
fn whatever_it_does_wrong_every_alert_arrives_and_a_second_time_only_under_the_same_uid() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let wrong = [
        "unavailable,unavailable",
        "retry-after:1",
        // All of them at once, then a half: what is refused alone is set aside, see below.
        "refuse,refuse",
        "slow:4000",
        "partial:3,partial:1",
        "cut,cut",
        "page",
    ];
    for (number, faults) in wrong.into_iter().enumerate() {
        let protocol = PROTOCOLS[number % PROTOCOLS.len()];
        let (scene, port) = (Scene::new()?, free_port());
        let sensor = scene.sensor(port, protocol, &[])?;
        let marks = scene.deeds(8)?;
        scene.shown(&sensor, &marks)?;
        let mut receiver = receiver_at(port, &["--faults", faults]);
        all_arrive(&mut receiver, &marks, faults)?;
        receiver.until(faults, |requests| requests.len() > faults.split(',').count())?;
        sensor.stop()?;
    }
    Ok(())
}

#[test]
fn away_for_longer_than_a_batch_it_gets_all_of_it_when_it_is_back() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let (scene, port) = (Scene::new()?, free_port());
    let sensor = scene.sensor(port, "grpc", &[])?;
    // A request has 256 records at most.
    let marks = scene.deeds(400)?;
    scene.shown(&sensor, &marks)?;
    sensor.wait_for_log("said once", PATIENCE, |log| log.iter().any(|line| line.contains("cannot be reached")))?;
    let mut receiver = receiver_at(port, &[]);
    all_arrive(&mut receiver, &marks, "400 alerts")?;
    let stopped = sensor.stop()?;
    let said = stopped.log.iter().filter(|line| line.contains("records wait for the collector")).count();
    assert_eq!(said, 1, "{:?}", stopped.log);
    Ok(())
}

#[test]
fn one_that_is_refused_for_good_is_set_aside_and_the_others_arrive() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let (scene, port) = (Scene::new()?, free_port());
    let sensor = scene.sensor(port, "http/protobuf", &[])?;
    let marks = scene.deeds(6)?;
    scene.shown(&sensor, &marks)?;
    let poisoned = marks.first().ok_or("none")?.clone();
    let uid = sensor.events().iter().find_map(|event| {
        let attributes = event.field("attributes")?;
        (super::mark(attributes)? == poisoned).then(|| attributes["log.record.uid"].as_str().map(str::to_owned))?
    });
    let mut receiver = receiver_at(port, &["--poison", &uid.ok_or("no uid")?]);
    let others: BTreeSet<_> = marks.iter().filter(|mark| **mark != poisoned).cloned().collect();
    all_arrive(&mut receiver, &others, "the others")?;
    let file = super::spool(&sensor).join("aside.jsonl");
    let aside =
        until(PATIENCE, "it is set aside", || fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')))?;
    assert!(aside.lines().count() == 1 && aside.contains(&poisoned) && aside.contains("poisoned"), "{aside:.600}");
    let said = sensor.stop()?.log;
    assert!(said.iter().any(|line| line.contains("refused for good") && line.contains("poisoned")), "{said:?}");
    Ok(())
}
