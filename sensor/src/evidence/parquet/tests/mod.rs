//! What is exported is what was kept, and nothing else is there.

mod docs;
mod place;
mod values;

use super::table::Table;
use super::{ExportError, Options, Report, export};
use crate::event::{BootTime, Event, WallClock};
use crate::evidence::recording::{self, Header};
use crate::evidence::store::{Limits, Settings, Store};
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::{Field, Row};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 2026-11-21T16:34:27Z
const CLOCK: WallClock = WallClock { boot_unix_nanos: 1_795_278_867_265_325_375 };
const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// A store that begins a new segment after so many events.
fn store(directory: &Path, segment_events: u64) -> Store {
    let header = Header {
        format: recording::VERSION,
        sensor: "0.1.0".into(),
        clock: CLOCK,
        rules: "ab".into(),
        policy: None,
        classes: "cd".into(),
        limits: recording::Limits { processes: 100, workloads: 50 },
    };
    let limits = Limits { segment_events, ..Limits::new(64 << 20) };
    Store::open(Settings { directory: directory.to_owned(), limits }, header).unwrap()
}

/// Puts these in, one batch, and waits until they are written.
fn keep(store: &mut Store, events: &[Event]) {
    let before = store.counts().events;
    for event in events {
        store.before_line(event);
        store.behind_line(&Arc::new(event.clone()));
    }
    store.flush(events.last().map_or(BootTime(0), |event| event.time));
    wait_for("events are written", || store.counts().events == before + events.len() as u64);
}

/// Waits until so many segments are closed.
fn closed(directory: &Path, count: u64) {
    wait_for("segments are signed", || {
        (1..=count).all(|number| directory.join(format!("segments/{number:010}.sig")).exists())
    });
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A store of these events, in closed segments of so many, the last one of what is left.
fn kept(directory: &Path, events: &[Event], each: usize) {
    // One that has any is full.
    let mut store = store(directory, 1);
    let parts = events.chunks(each);
    let count = parts.len() as u64;
    parts.for_each(|part| keep(&mut store, part));
    closed(directory, count);
    store.finish();
}

fn exported(from: &Path, out: &Path) -> Report {
    export(from, out, Options { host: Some("node-1"), open: false }).unwrap_or_else(|error| panic!("{error}"))
}

/// The files below a directory, with their paths in it, but the exporter's own.
fn files(out: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut directories = vec![out.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(out).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "_weir" {
                directories.push(path);
            } else if path.is_file() {
                found.insert(name, path);
            }
        }
    }
    found
}

/// The rows of a table in all of its files, by path; what is null is left out.
fn rows(out: &Path, table: Table) -> Vec<Map<String, Value>> {
    let mut all = Vec::new();
    let files = files(out);
    for (_, path) in files.iter().filter(|(name, _)| name.starts_with(&format!("{}/", table.name()))) {
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        all.extend(reader.get_row_iter(None).unwrap().map(|row| object(&row.unwrap())));
    }
    all
}

/// The metadata of a file.
fn about(path: &Path) -> BTreeMap<String, String> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let about = reader.metadata().file_metadata().key_value_metadata().unwrap();
    about.iter().map(|pair| (pair.key.clone(), pair.value.clone().unwrap())).collect()
}

fn object(row: &Row) -> Map<String, Value> {
    let fields = row.get_column_iter().filter(|(_, field)| **field != Field::Null);
    fields.map(|(name, field)| (name.clone(), value(field))).collect()
}

fn value(field: &Field) -> Value {
    match field {
        Field::Bool(flag) => Value::from(*flag),
        Field::Long(number) => Value::from(*number),
        Field::Double(ratio) => Value::from(*ratio),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Bytes(bytes) => Value::from(bytes.as_utf8().unwrap()),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => panic!("{other:?}"),
    }
}
