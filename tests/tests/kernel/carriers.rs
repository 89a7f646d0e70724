//! The kernel's table of what carries content has room again when what carried it is gone.

use crate::watch::{Outcome, actor_on_host, events_in, skipped};
use std::time::Duration;
use tests::scene::{Container, Directory, Spec};
use tests::sensor::Event;
use tests::{skip, weights};

/// Entries that the table has room for.
const ROOM: usize = 64;
/// Pipes that are written to first: each with its actor's own output, that fills more than half of the table, and not all.
const FIRST: usize = 13;
/// And then: all together are more than there is room for.
const THEN: usize = 12;
/// A machine on which somebody always has files in flight lets no sweep be certain.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn pipes_that_are_no_more_make_room_for_others() -> Outcome {
    if skipped("pipes that a holder writes to") {
        return Ok(());
    }
    if let Err(error) = std::fs::read_link("/proc/1/fd/0") {
        skip::say(&format!(
            "/proc/1/fd/0 cannot be read ({error}), and so nothing is known to be gone (CAP_SYS_PTRACE)"
        ));
        return Ok(());
    }
    let directory = Directory::new()?;
    let model = directory.path().join("model.safetensors");
    weights::safetensors(&model, 1, 5)?;
    let model = model.to_string_lossy();
    let container = Container::start(&Spec::default())?;
    let room = ROOM.to_string();
    let sensor = events_in(&container, &["--log", "info", "--statistics", "--carriers", &room, "--carrier-idle", "1"])?;
    let write = |times: usize| -> Outcome {
        for _ in 0..times {
            let arguments = ["bench", "write-pipe", "--hold", &model, "--batches", "1", "--operations", "1"];
            actor_on_host(&container, &arguments)?.truth()?;
        }
        Ok(())
    };
    write(FIRST)?;
    sensor.wait_for_log("pipes are gone, and so they are told to be", PATIENCE, |log| {
        log.iter().any(|line| line.contains("is no more was taken out"))
    })?;
    write(THEN)?;
    let events = sensor.stop()?.events;

    let written = |event: &&Event| event.kind() == "transfer" && event.text("weir.transfer.carrier") == Some("pipe");
    let written = events.iter().filter(written).count();
    assert!(written > ROOM, "{written} pipes were written to: the test fills the table");
    let full: Vec<_> = events.iter().filter(|event| event.text("weir.lost.cause") == Some("table_full")).collect();
    assert!(full.is_empty(), "there was no room: {full:?}");
    let statistics = events.iter().find(|event| event.kind() == "statistics").ok_or("no statistics")?;
    let removed = statistics.field("carriers").and_then(|carriers| carriers["removed"].as_u64());
    assert!(removed.is_some_and(|removed| removed > 0), "{statistics:?}");
    Ok(())
}
