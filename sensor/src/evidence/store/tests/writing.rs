//! What is written, in which order, and what is said of what is not.

use super::super::directory::Directory;
use super::super::segment::hex;
use super::super::{chain, reader};
use super::*;
use crate::event::Lost;
use crate::evidence::source::Gap;
use base64::Engine as _;
use rusqlite::Connection;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn gaps(path: &Path, place: &str) -> Vec<Gap> {
    let gaps = Reader::open(path).unwrap().gaps(0, u64::MAX).unwrap();
    gaps.into_iter().filter(|gap| &*gap.place == place).collect()
}

/// Every batch of every segment has the digest that it should have, and follows the one before.
pub fn assert_chained(path: &Path) {
    let directory = Directory::at(path);
    let mut before = chain::NOTHING;
    for number in directory.numbers().unwrap() {
        let connection = Connection::open(directory.segment(number)).unwrap();
        let sql = "SELECT value FROM meta WHERE name = 'previous'";
        let previous: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(previous, hex(&before), "segment {number}");
        let mut statement = connection.prepare("SELECT number, previous, digest FROM batches ORDER BY number").unwrap();
        let batches = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        for batch in batches {
            let (batch, previous, digest): (i64, [u8; 32], [u8; 32]) = batch.unwrap();
            assert_eq!(previous, before, "batch {batch} of segment {number}");
            assert_eq!(chain::digest(&connection, batch).unwrap(), digest, "batch {batch} of segment {number}");
            before = digest;
        }
    }
}

#[test]
fn events_are_ordered_by_time_and_those_of_one_time_as_they_came() {
    let directory = TempDir::new().unwrap();
    let mut store = open(directory.path(), limits());
    for (nanos, pid) in [(50, 1), (20, 2), (50, 3), (50, 4), (51, 5)] {
        put(&mut store, tick(nanos, "container:a", pid));
    }
    store.flush(BootTime(60));
    for (nanos, pid) in [(50, 6), (10, 7)] {
        put(&mut store, tick(nanos, "container:a", pid));
    }
    store.finish();
    let rows = everything(&mut Reader::open(directory.path()).unwrap());
    let pids: Vec<u64> = rows.iter().map(|row| row.attributes["process.pid"].as_u64().unwrap()).collect();
    assert_eq!(pids, [7, 2, 1, 3, 4, 5, 6], "the last one came when its time was taken");
    let at = |nanos| CLOCK.unix_nanos(BootTime(nanos));
    assert_eq!(rows.iter().map(|row| row.time).collect::<Vec<_>>(), [10, 20, 50, 51, 52, 53, 54].map(at));
    assert_chained(directory.path());
}

#[test]
fn what_there_is_no_room_for_is_counted_and_a_gap() {
    let directory = TempDir::new().unwrap();
    let mut store = open(directory.path(), limits());
    put(&mut store, tick(1, "container:a", 1));
    store.flush(BootTime(2));
    wait_for("the first batch is written", || store.counts().events == 1);
    let other = Connection::open(Directory::at(directory.path()).segment(1)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut put_in = 1;
    let mut nanos = SECOND;
    while store.counts().dropped_busy == 0 {
        put(&mut store, tick(nanos, "container:a", 1));
        (put_in, nanos) = (put_in + 1, nanos + 10);
    }
    other.execute_batch("ROLLBACK").unwrap();
    wait_for("it goes on", || {
        put(&mut store, tick(nanos, "container:a", 1));
        (put_in, nanos) = (put_in + 1, nanos + 10);
        store.flush(BootTime(nanos));
        store.counts().gaps > 0
    });
    wait_for("what waits is written", || {
        let counts = store.counts();
        counts.events + counts.dropped_busy + counts.dropped_disk == put_in
    });
    store.finish();
    let counts = store.counts();
    assert_eq!(counts.events + counts.dropped_busy + counts.dropped_disk, put_in);
    let rows = everything(&mut Reader::open(directory.path()).unwrap());
    assert_eq!(rows.len() as u64, counts.events);
    let gaps = gaps(directory.path(), "store");
    let missing: u64 = gaps.iter().map(|gap| gap.count.unwrap()).sum();
    assert_eq!(missing, counts.dropped_busy + counts.dropped_disk);
    for gap in &gaps {
        assert!(
            rows.iter().all(|row| row.time < gap.from || row.time > gap.to),
            "nothing is where something is missing"
        );
    }
    assert_chained(directory.path());
}

#[test]
fn losses_of_the_kernel_and_times_without_a_sensor_are_gaps() {
    let directory = TempDir::new().unwrap();
    let mut store = open(directory.path(), limits());
    let lost = Lost { since: BootTime(3 * SECOND), kind: "open".into(), cause: "ring_full".into(), count: 17 };
    put(&mut store, Event::new(BootTime(5 * SECOND), None, Actor::default(), Body::Lost(lost)));
    store.finish();
    let mut store = open(directory.path(), limits());
    put(&mut store, tick(60 * SECOND, "container:a", 1));
    store.finish();
    let at = |seconds| CLOCK.unix_nanos(BootTime(seconds * SECOND));
    let kernel = Gap {
        from: at(3),
        to: at(5),
        place: "kernel".into(),
        cause: "ring_full".into(),
        kind: Some("open".into()),
        count: Some(17),
    };
    assert_eq!(gaps(directory.path(), "kernel"), [kernel]);
    let sensor = gaps(directory.path(), "sensor");
    assert_eq!(sensor.iter().map(|gap| (gap.from, gap.to, gap.count)).collect::<Vec<_>>(), [(at(5), at(60), None)]);
    assert_eq!(Directory::at(directory.path()).numbers().unwrap(), [1], "the next run goes on with the segment");
    assert_chained(directory.path());
}

#[test]
fn full_segments_are_closed_indexed_and_signed_and_follow_each_other() {
    let path = TempDir::new().unwrap();
    let mut store = open(path.path(), Limits { segment_events: 100, ..limits() });
    for number in 0..1_000 {
        put(&mut store, tick(number * SECOND, "container:a", 7));
        if number % 30 == 0 {
            store.flush(BootTime(number * SECOND));
            wait_for("it is written", || store.counts().events == number + 1);
        }
    }
    let directory = Directory::at(path.path());
    store.flush(BootTime(1_000 * SECOND));
    wait_for("all is written", || store.counts().events == 1_000);
    let numbers = directory.numbers().unwrap();
    assert!(numbers.len() >= 7, "{numbers:?}");
    let (_, closed) = numbers.split_last().unwrap();
    wait_for("they are signed", || {
        closed.iter().all(|number| directory.segment(*number).with_extension("sig").exists())
    });
    let base64 = |text: &serde_json::Value| base64::prelude::BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap();
    let key = std::fs::read_to_string(path.path().join("key.pub")).unwrap();
    for number in closed {
        let file = directory.segment(*number);
        assert!(!file.with_extension("db-wal").exists(), "the file stands alone");
        let connection = reader::connect(&file).unwrap();
        let index: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'events_by_workload'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(index, 1);
        let statement = std::fs::read_to_string(file.with_extension("sig")).unwrap();
        let statement: serde_json::Value = serde_json::from_str(&statement).unwrap();
        assert_eq!(statement["key"], key.trim_end());
        let (_, digest, _) = reader::end_of(&file).unwrap();
        assert_eq!(statement["digest"], hex(&digest));
        let line = format!(
            "weir.segment.v1|{number}|{}|{}|{}|{}|{}",
            statement["batches"][0],
            statement["batches"][1],
            statement["previous"].as_str().unwrap(),
            hex(&digest),
            statement["file_sha256"].as_str().unwrap()
        );
        let public = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, base64(&statement["key"]));
        public.verify(line.as_bytes(), &base64(&statement["signature"])).unwrap();
        use sha2::Digest as _;
        assert_eq!(statement["file_sha256"], hex(&sha2::Sha256::digest(std::fs::read(&file).unwrap())));
    }
    store.finish();
    assert_chained(path.path());
    assert_eq!(everything(&mut Reader::open(path.path()).unwrap()).len(), 1_000);
}

#[test]
fn one_sensor_at_a_time_writes() {
    let directory = TempDir::new().unwrap();
    let mut store = open(directory.path(), limits());
    put(&mut store, tick(1, "container:a", 1));
    store.flush(BootTime(2));
    wait_for("it is written", || store.counts().events == 1);
    let mut other = open(directory.path(), limits());
    put(&mut other, tick(5, "container:a", 1));
    other.finish();
    assert_eq!((other.counts().events, other.counts().dropped_disk), (0, 1));
}
