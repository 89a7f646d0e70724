//! What went into the line comes out again, and what is damaged costs itself only.

use super::super::directory::Directory;
use super::*;
use crate::evidence::recording::Reader as Recording;
use std::fs;
use std::os::unix::fs::FileExt as _;
use tempfile::TempDir;

/// A hundred events a segment.
fn segments(path: &Path, events: u64) -> Directory {
    let totals = Arc::default();
    let limits = Limits { segment_events: 100, ..limits() };
    let mut writer = super::super::writer::Writer::new(Directory::at(path), limits, header(), totals);
    for first in (0..events).step_by(50) {
        writer.take(batch((first..first + 50).map(|number| tick(number * SECOND, "container:a", 7)).collect()));
    }
    writer.end();
    Directory::at(path)
}

fn raw_times(path: &Path) -> Vec<u64> {
    let raw = Reader::open(path).unwrap().raw();
    let mut recording = Recording::new(raw, path.to_owned(), None).unwrap();
    assert_eq!(recording.header().rules, header().rules);
    let mut times = Vec::new();
    while let Some(record) = recording.next().unwrap() {
        if let Record::Event(event) = record {
            times.push(event.time.0 / SECOND);
        }
    }
    assert_eq!(recording.damage(), Default::default());
    times
}

#[test]
fn what_went_in_comes_out_also_when_the_beginning_is_gone() {
    let path = TempDir::new().unwrap();
    let directory = segments(path.path(), 500);
    assert_eq!(raw_times(path.path()), (0..500).collect::<Vec<_>>());
    fs::remove_file(directory.segment(1)).unwrap();
    assert_eq!(raw_times(path.path()), (100..500).collect::<Vec<_>>());
    assert_eq!(raw_times(&directory.segment(3)), (200..300).collect::<Vec<_>>(), "one file is enough");
}

#[test]
fn a_copy_with_the_log_of_a_running_sensor_is_read() {
    let path = TempDir::new().unwrap();
    let mut store = open(path.path(), limits());
    for number in 0..10 {
        put(&mut store, tick(number * SECOND, "container:a", 7));
    }
    store.flush(BootTime(10 * SECOND));
    super::writing::wait_for("they are written", || store.counts().events == 10);
    assert_eq!(everything(&mut Reader::open(path.path()).unwrap()).len(), 10, "while it runs");
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(path.path().join("segments")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    store.finish();
    assert_eq!(everything(&mut Reader::open(copy.path()).unwrap()).len(), 10);
}

#[test]
fn what_is_damaged_is_a_gap_and_the_rest_is_read() {
    let path = TempDir::new().unwrap();
    let directory = segments(path.path(), 500);
    let good = everything(&mut Reader::open(path.path()).unwrap());
    // Not a database any more; a tree with its pages overwritten.
    fs::write(directory.segment(2), b"nothing of the kind").unwrap();
    let file = fs::OpenOptions::new().write(true).open(directory.segment(4)).unwrap();
    let connection = rusqlite::Connection::open(directory.segment(4)).unwrap();
    let root: i64 =
        connection.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'events'", [], |row| row.get(0)).unwrap();
    drop(connection);
    file.write_all_at(&[0xff; 4_096], (root as u64 - 1) * 4_096).unwrap();
    let mut reader = Reader::open(path.path()).unwrap();
    let rows = everything(&mut reader);
    let of = |rows: &[Row], range: std::ops::Range<usize>| rows[range].to_vec();
    assert_eq!(rows[..200], [of(&good, 0..100), of(&good, 200..300)].concat());
    assert_eq!(rows[200..], good[400..]);
    let gaps = reader.gaps(0, u64::MAX).unwrap();
    let damage: Vec<_> = gaps.iter().filter(|gap| &*gap.place == "damage").map(|gap| (gap.from, gap.to)).collect();
    assert_eq!(damage, [(good[99].time, good[200].time), (good[300].time, good[399].time)]);
    assert!(gaps.iter().all(|gap| &*gap.place != "retention"), "{gaps:?}");
    assert!(Reader::open(&directory.segment(2)).unwrap().rows(&Filter::default()).is_err());
    assert!(Reader::open(&path.path().join("nowhere")).is_err());
}

#[test]
fn a_filter_finds_by_process_workload_file_and_path() {
    let path = TempDir::new().unwrap();
    let mut store = open(path.path(), limits());
    let events = every_event();
    for event in &events {
        put(&mut store, event.clone());
    }
    store.finish();
    let mut reader = Reader::open(path.path()).unwrap();
    let all = everything(&mut reader);
    let mut check = |set: &str, value: &str, filter: Filter, fits: &dyn Fn(&Row) -> bool| {
        let filter = Filter { to: u64::MAX, limit: 1_000, ..filter };
        let expected: Vec<Row> = all.iter().filter(|row| fits(row)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{set} {value}: {}", expected.len());
        assert_eq!(reader.rows(&filter).unwrap().rows, expected, "{set} {value}");
        let first = Filter { limit: 1, ..filter.clone() };
        let first = reader.rows(&first).unwrap();
        assert_eq!((first.rows.len(), first.cut), (1, expected.len() > 1));
        let window = Filter { from: expected[0].time, to: expected[0].time, ..filter };
        assert_eq!(reader.rows(&window).unwrap().rows, [expected[0].clone()]);
    };
    let value = |name: &str| {
        let found = all.iter().find_map(|row| row.attributes.get(name)?.as_str().map(ToOwned::to_owned));
        found.unwrap_or_else(|| panic!("{name}"))
    };
    let is = |row: &Row, name: &str, value: &str| row.attributes.get(name).is_some_and(|own| own == value);
    let one = |value: &str| std::collections::BTreeSet::from([Box::from(value)]);
    let child = value("weir.process.child.id");
    let by = Filter { processes: one(&child), ..Filter::default() };
    check("process", &child, by, &|row| is(row, "weir.process.id", &child) || is(row, "weir.process.child.id", &child));
    let id = value("weir.process.id");
    let by = Filter { processes: one(&id), ..Filter::default() };
    check("process", &id, by, &|row| is(row, "weir.process.id", &id) || is(row, "weir.process.child.id", &id));
    let workload = value("weir.workload.id");
    let by = Filter { workloads: one(&workload), ..Filter::default() };
    check("workload", &workload, by, &|row| is(row, "weir.workload.id", &workload));
    let lineage = value("weir.lineage.id");
    let by = Filter { lineages: one(&lineage), ..Filter::default() };
    check("lineage", &lineage, by, &|row| is(row, "weir.lineage.id", &lineage));
    let new = value("weir.file.new_path");
    let by = Filter { paths: one(&new), ..Filter::default() };
    check("path", &new, by, &|row| is(row, "file.path", &new) || is(row, "weir.file.new_path", &new));
    let (device, inode) = (value("weir.file.device"), value("file.inode"));
    let by = Filter { files: one(&format!("{device}/{inode}")), ..Filter::default() };
    check("file", &inode, by, &|row| is(row, "weir.file.device", &device) && is(row, "file.inode", &inode));
}
