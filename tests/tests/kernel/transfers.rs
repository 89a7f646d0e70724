//! Each way that content can move is told once, as the actor says: which way, by what, and how much.

use crate::watch::{Outcome, actor_on_host, events_in, nothing_lost, skipped};
use serde_json::Value;
use tests::scene::{Container, Directory, Spec};
use tests::sensor::Event;
use tests::{skip, weights};

/// As the actor calls them.
const WAYS: [&str; 22] = [
    "read",
    "readv",
    "pread",
    "preadv2",
    "sendfile",
    "splice_to_file",
    "splice_from_file",
    "tee",
    "vmsplice",
    "copy_file_range",
    "mmap_shared",
    "mmap_private",
    "ficlone",
    "uring_read",
    "uring_splice",
    "uring_send",
    "unix_stream",
    "unix_seqpacket",
    "unix_datagram",
    "rights",
    "mmsg",
    "inet",
];
/// What tells things apart.
const THING: [&str; 3] = ["weir.transfer.direction", "file.inode", "weir.socket.cookie"];
const FIELDS: [&str; 4] = ["weir.transfer.carrier", "weir.transfer.bytes", "weir.transfer.bound", "weir.io_uring"];

/// The events about what the actor says it did, which are to be one each; other things it may have given to are its standard output.
fn compare(events: &[Event], pid: u32, way: &str, truth: &Value) -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    let of_the_actor = |event: &&Event| event.kind() == "transfer" && event.pid() == Some(pid.into());
    for transfer in truth["transfers"].as_array().ok_or("the actor does not say what moved")? {
        let is_it = |event: &&Event| {
            THING.iter().all(|name| event.field(name) == transfer.get(*name).filter(|value| !value.is_null()))
        };
        match events.iter().filter(of_the_actor).filter(is_it).collect::<Vec<_>>().as_slice() {
            [event] => {
                for name in FIELDS {
                    if event.field(name) != transfer.get(name) {
                        wrong.push(format!("{way}: {name} is {:?} where it is {transfer}", event.field(name)));
                    }
                }
            }
            others => wrong.push(format!("{way}: {} events instead of one of {transfer}: {others:#?}", others.len())),
        }
    }
    Ok(wrong)
}

#[test]
fn every_way_is_told_once_with_what_moved() -> Outcome {
    if skipped("content that moves") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let source = directory.path().join("model.safetensors");
    weights::safetensors(&source, 1, 1)?;
    let container = Container::start(&Spec::default())?;
    let sensor = events_in(&container, &["--kind", "transfer", "--kind", "lost"])?;
    let mut all = Vec::new();
    for way in WAYS {
        let place = directory.path().join(way);
        std::fs::create_dir(&place)?;
        let (source, place) = (source.to_string_lossy(), place.to_string_lossy());
        let actor = actor_on_host(&container, &["transfer", "--what", way, "--source", &source, &place])?;
        let pid = actor.pid();
        let truth = actor.truth()?;
        if !skip::if_skipped(&truth) {
            all.push((way, pid, truth));
        }
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let mut wrong = Vec::new();
    for (way, pid, truth) in &all {
        wrong.extend(compare(&events, *pid, way, truth)?);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    container.stop()?;
    Ok(())
}
