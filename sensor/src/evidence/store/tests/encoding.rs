//! What is read is what the event was.

use super::super::segment::Segment;
use super::super::{chain, directory::Directory};
use super::*;
use crate::event::{Attributes, Field};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use tempfile::TempDir;

fn attributes(event: &Event) -> Map<String, Value> {
    let Ok(Value::Object(fields)) = serde_json::to_value(Attributes(event)) else { panic!("{event:?}") };
    fields
}

#[test]
fn every_field_of_every_kind_comes_back() {
    let directory = TempDir::new().unwrap();
    let mut store = open(directory.path(), limits());
    let events = every_event();
    for event in &events {
        put(&mut store, event.clone());
    }
    store.finish();
    let rows = everything(&mut Reader::open(directory.path()).unwrap());
    assert_eq!(rows.len(), events.len());
    let mut seen = BTreeSet::new();
    for (row, event) in rows.iter().zip(&events) {
        assert_eq!(row.attributes, attributes(event), "{}", event.body.kind_name());
        assert_eq!(row.time, CLOCK.unix_nanos(event.time));
        seen.extend(row.attributes.keys().cloned());
    }
    let missing: Vec<_> = Field::ALL.iter().map(|field| field.name()).filter(|name| !seen.contains(*name)).collect();
    assert!(missing.len() < 8, "the test is to see nearly every field: {missing:?}");
}

#[test]
fn the_view_has_the_vocabularys_names() {
    let directory = TempDir::new().unwrap();
    let mut store = open(directory.path(), limits());
    let events = every_event();
    for event in &events {
        put(&mut store, event.clone());
    }
    store.finish();
    let connection = rusqlite::Connection::open(Directory::at(directory.path()).segment(1)).unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    assert_eq!(rows as usize, events.len());
    let open = events.iter().find(|event| matches!(event.body, Body::Open(_))).unwrap();
    let (path, mode, access, time): (String, String, String, String) = connection
        .query_row(
            "SELECT \"file.path\", \"file.mode\", json_extract(attributes, '$.\"weir.file.access\"'), time FROM event \
             WHERE \"weir.event.kind\" = 'open' LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .unwrap();
    let expected = attributes(open);
    assert_eq!(
        [&path, &mode, &access],
        ["file.path", "file.mode", "weir.file.access"].map(|name| expected[name].as_str().unwrap())
    );
    // The view has nanoseconds, the console microseconds.
    assert!(time.starts_with(CLOCK.rfc3339(open.time).to_string().trim_end_matches('Z')), "{time}");
    for view in ["alert", "incident", "coverage", "gap"] {
        connection.query_row(&format!("SELECT count(*) FROM {view}"), [], |row| row.get::<_, i64>(0)).unwrap();
    }
}

#[test]
fn the_writers_digest_is_that_of_the_database() {
    let directory = TempDir::new().unwrap();
    let mut store = open(directory.path(), limits());
    for part in every_event().chunks(7) {
        for event in part {
            put(&mut store, event.clone());
        }
        store.flush(part[0].time);
    }
    store.finish();
    let path = Directory::at(directory.path()).segment(1);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut statement = connection.prepare("SELECT number, previous, digest FROM batches ORDER BY number").unwrap();
    let batches: Vec<(i64, [u8; 32], [u8; 32])> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(batches.len() > 3);
    let mut before = chain::NOTHING;
    for (number, previous, digest) in batches {
        assert_eq!((number, previous), (number, before));
        assert_eq!(chain::digest(&connection, number).unwrap(), digest, "batch {number}");
        before = digest;
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let (segment, _) = Segment::resume(&path, 1, boot.trim()).unwrap();
    assert_eq!(segment.last_digest, before);
}
