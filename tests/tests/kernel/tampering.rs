//! Whoever reaches for what the sensor has in the kernel is told of, and so is what came of it.

use crate::watch::{Outcome, events, nothing_lost, skipped};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tests::bpf::Objects;
use tests::sensor::{Event, Sensor};
use tests::{Place, actor_in, skip};

/// Within so long the sensor looks whether all is as it was.
const SOON: Duration = Duration::from_secs(5);

/// The sensor's own objects of that name: others may run meanwhile, with objects of the same names.
struct Found {
    maps: Vec<u32>,
    links: Vec<u32>,
}

fn find(sensor: &Sensor, name: &str) -> Result<Found, Box<dyn std::error::Error>> {
    let own = Objects::of(sensor.pid())?;
    let truth = actor_in(Place::Host, &["deed", "--what", "bpf_find", "--name", name])?.truth()?;
    let of = |kind: &str, own: &BTreeSet<u32>| -> Vec<u32> {
        let ids = truth[kind].as_array().into_iter().flatten().filter_map(Value::as_u64);
        ids.filter_map(|id| u32::try_from(id).ok()).filter(|id| own.contains(id)).collect()
    };
    Ok(Found { maps: of("maps", &own.maps), links: of("links", &own.links) })
}

/// The actor does it; the sensor tells of the commands by their pid, and of what they did by its name.
fn tamper(sensor: Sensor, what: &str, id: u32, object: &str) -> Outcome {
    let actor = actor_in(Place::Host, &["deed", "--what", what, "--id", &id.to_string()])?;
    let pid = actor.pid();
    let truth = actor.truth()?;
    let told = sensor.wait_for(&format!("tamper of {object}"), SOON, |event| event.kind() == "tamper")?;
    assert_eq!(told.text("weir.tamper.object"), Some(object));
    assert!(told.text("weir.tamper.what").is_some_and(|what| !what.is_empty()), "{told:?}");
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let told: Vec<_> = events.iter().filter(|event| event.kind() == "tamper").collect();
    assert_eq!(told.len(), 1, "each thing is said once: {told:#?}");
    let deeds = truth["deeds"].as_array().map_or(&[][..], Vec::as_slice);
    let found: Vec<&Event> = events.iter().filter(|e| e.kind() == "bpf" && e.pid() == Some(pid.into())).collect();
    assert_eq!(found.len(), deeds.len(), "{found:#?}");
    for (event, deed) in found.into_iter().zip(deeds) {
        let names = ["weir.bpf.command", "weir.bpf.object", "weir.bpf.object.id", "weir.bpf.own"];
        assert_eq!(event.differences(deed, &names), [""; 0]);
        assert_eq!(event.field("weir.bpf.own"), Some(&json!(true)));
    }
    Ok(())
}

#[test]
fn a_link_that_is_detached() -> Outcome {
    if skipped("tampering with a link") {
        return Ok(());
    }
    let sensor = events(&["--kind", "bpf", "--kind", "tamper"])?;
    let found = find(&sensor, "on_connect4")?;
    let [link] = found.links.as_slice() else {
        // Without links to programs on cgroups (5.7) they go with the sensor, and nobody can detach them by an id.
        return Err(format!("one link of on_connect4: {:?}", found.links).into());
    };
    tamper(sensor, "bpf_link_detach", *link, "link on_connect4")
}

#[test]
fn a_key_that_is_deleted() -> Outcome {
    if skipped("tampering with a map") {
        return Ok(());
    }
    let sensor = events(&["--kind", "bpf", "--kind", "tamper"])?;
    let found = find(&sensor, "SUFFIXES")?;
    let [map] = found.maps.as_slice() else { return Err(format!("one map SUFFIXES: {:?}", found.maps).into()) };
    tamper(sensor, "bpf_map_delete_elem", *map, "map SUFFIXES")
}

/// Who only looks is told of as well, and nothing is said to be changed.
#[test]
fn a_map_that_is_only_opened() -> Outcome {
    if skipped("reaching for a map") {
        return Ok(());
    }
    let sensor = events(&["--kind", "bpf", "--kind", "tamper"])?;
    let found = find(&sensor, "SUFFIXES")?;
    let [map] = found.maps.as_slice() else { return Err(format!("one map SUFFIXES: {:?}", found.maps).into()) };
    let actor = actor_in(Place::Host, &["deed", "--what", "bpf_map_get_fd_by_id", "--id", &map.to_string()])?;
    let pid = actor.pid();
    if skip::if_skipped(&actor.truth()?) {
        return Ok(());
    }
    let is_it = |event: &Event| {
        event.kind() == "bpf"
            && event.pid() == Some(pid.into())
            && event.text("weir.bpf.command") == Some("map_get_fd_by_id")
            && event.number("weir.bpf.object.id") == Some((*map).into())
    };
    let event = sensor.wait_for("the command", SOON, is_it)?;
    assert_eq!(event.field("weir.bpf.own"), Some(&json!(true)));
    let events = sensor.stop()?.events;
    assert_eq!(events.iter().filter(|event| event.kind() == "tamper").count(), 0);
    Ok(())
}
