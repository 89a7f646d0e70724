//! What goes, what stays, and what is copied before something goes.

use super::super::content::ToldRow;
use super::super::counts::Totals;
use super::super::directory::Directory;
use super::super::keeper::Work;
use super::super::writer::Writer;
use super::super::{chain, reader};
use super::writing::{assert_chained, gaps};
use super::*;
use crate::evidence::source::ToldKind;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const MINUTE: u64 = 60 * SECOND;
const ID: &str = "0f0e0d0c-0b0a-8908-8706-050403020100";

/// Two containers that do something every ten seconds for so many minutes, 30 minutes a segment; an alert in the first one at minute 100.
fn written(path: &Path, minutes: u64) -> Work {
    let limits = Limits { segment_events: 2 * 6 * 30, ..limits() };
    let totals = Arc::new(Totals::default());
    let mut writer = Writer::new(Directory::at(path), limits, header(), Arc::clone(&totals));
    for minute in 0..minutes {
        let events = (0..6).flat_map(|tenth| {
            let nanos = minute * MINUTE + tenth * 10 * SECOND + 1;
            [tick(nanos, "container:a", 7), tick(nanos, "container:b", 8)]
        });
        let mut batch = batch(events.collect());
        if minute == 100 {
            let time = i64::try_from(batch.now).unwrap();
            let record = serde_json::json!({
                "body": "weights left",
                "attributes": {
                    "log.record.uid": "u/0", "weir.incident.id": ID, "weir.workload.id": "container:a",
                    "weir.alert.begun": CLOCK.rfc3339(BootTime(95 * MINUTE)).to_string(),
                }
            });
            batch.told.push(ToldRow {
                uid: "u/0".into(),
                revision: 0,
                time,
                kind: "alert".into(),
                incident: Some(ID.into()),
                record: record.to_string(),
            });
        }
        writer.take(batch);
    }
    writer.end();
    let directory = Directory::at(path);
    let current = *directory.numbers().unwrap().last().unwrap();
    let current = Arc::new(AtomicU64::new(current));
    Work { directory, limits, totals, current, signer: None, said: false }
}

fn at(minute: u64) -> u64 {
    CLOCK.unix_nanos(BootTime(minute * MINUTE))
}

#[test]
fn what_is_too_old_goes_and_what_belongs_to_an_incident_stays() {
    let path = TempDir::new().unwrap();
    let mut work = written(path.path(), 300);
    let before = everything(&mut Reader::open(path.path()).unwrap());
    work.limits.age = Duration::from_secs(10 * 60);
    work.turn(at(300));
    let numbers = work.directory.numbers().unwrap();
    assert_eq!(numbers.len(), 1, "all but the writer's: {numbers:?}");
    let mut reader = Reader::open(path.path()).unwrap();
    let after = everything(&mut reader);
    let first = reader.parts()[0].span.unwrap().0;
    // Ten minutes before it began until an hour after it was last told.
    let last_told = at(100) + 50 * SECOND + 1;
    let expected: Vec<&Row> = before
        .iter()
        .filter(|row| {
            let in_time = row.time >= at(85) && row.time <= last_told + 60 * MINUTE;
            row.time >= first || in_time && row.attributes["weir.workload.id"] == "container:a"
        })
        .collect();
    assert_eq!(after.iter().collect::<Vec<_>>(), expected);
    let told = reader.told(0, 0, &BTreeSet::from([ID.into()])).unwrap();
    assert_eq!(told.iter().map(|told| (told.kind, &*told.uid)).collect::<Vec<_>>(), [(ToldKind::Alert, "u/0")]);
    let removed = gaps(path.path(), "retention");
    assert_eq!(removed.iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>(), [(0, first - 1)]);
    assert_eq!(work.totals.counts().incidents, 1);
    assert_sealed(&work);
    // Again, and what was copied is there once.
    work.turn(at(301));
    assert_eq!(everything(&mut Reader::open(path.path()).unwrap()), after);
}

/// The copy is a chain of its own, signed, and says where it comes from.
fn assert_sealed(work: &Work) {
    let file = work.directory.incident(ID).unwrap();
    let connection = reader::connect(&file).unwrap();
    let batches: i64 = connection.query_row("SELECT max(number) FROM batches", [], |row| row.get(0)).unwrap();
    let mut before = chain::NOTHING;
    for number in 1..=batches {
        let sql = "SELECT previous, digest FROM batches WHERE number = ?1";
        let (previous, digest): ([u8; 32], [u8; 32]) =
            connection.query_row(sql, [number], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(previous, before);
        assert_eq!(chain::digest(&connection, number).unwrap(), digest);
        before = digest;
    }
    let statement = std::fs::read_to_string(file.with_extension("sig")).unwrap();
    assert!(statement.contains(&super::super::segment::hex(&before)), "what is signed is the last batch");
    let sources: i64 =
        connection.query_row("SELECT count(*) FROM meta WHERE name LIKE 'source.%'", [], |row| row.get(0)).unwrap();
    assert!(sources >= 2, "the incident is in more than one segment");
}

#[test]
fn the_directory_keeps_to_its_budget() {
    let path = TempDir::new().unwrap();
    let mut work = written(path.path(), 300);
    let segments = work.directory.numbers().unwrap();
    let used: u64 = segments.iter().map(|number| super::super::directory::size(&work.directory.segment(*number))).sum();
    work.limits = Limits { bytes: used / 2, segment_bytes: 0, ..work.limits };
    work.turn(at(300));
    let counts = work.totals.counts();
    assert!(counts.bytes <= used / 2 && counts.bytes > used / 8, "{} of {used}", counts.bytes);
    assert!(counts.segments < segments.len() as u64 && counts.segments > 1);
    assert!(counts.oldest > at(0) && counts.oldest < at(300));
    assert_eq!((counts.incidents, counts.incidents_early), (1, 0));
    // Less than the incident: it goes before its time, and that is counted.
    work.limits.bytes = 1;
    work.turn(at(300));
    let counts = work.totals.counts();
    assert_eq!((counts.segments, counts.incidents, counts.incidents_early), (1, 0, 1));
}

#[test]
fn incidents_go_when_they_are_old_without_a_word() {
    let path = TempDir::new().unwrap();
    let mut work = written(path.path(), 300);
    work.limits.age = Duration::from_secs(60);
    work.turn(at(300));
    assert_eq!(work.totals.counts().incidents, 1);
    work.turn(at(300) + 184 * 24 * 60 * MINUTE);
    assert_eq!((work.totals.counts().incidents, work.totals.counts().incidents_early), (0, 0));
}

#[test]
fn a_segment_that_was_left_open_is_closed_at_the_next_start() {
    let path = TempDir::new().unwrap();
    let mut work = written(path.path(), 100);
    let numbers = work.directory.numbers().unwrap();
    assert!(numbers.len() > 2);
    work.current.store(numbers.len() as u64 + 1, Ordering::Relaxed);
    work.turn(at(100));
    for number in numbers {
        assert!(work.directory.segment(number).with_extension("sig").exists());
    }
    assert_chained(path.path());
}
