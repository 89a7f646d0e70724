//! Which files there are, and when.

use super::*;
use crate::event::{Actor, Body, Tick};
use crate::evidence::integrity::Statement;
use crate::evidence::source::SourceError;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use tempfile::TempDir;

fn tick(nanos: u64) -> Event {
    Event::new(BootTime(nanos), None, Actor::default(), Body::Tick(Tick { last: false }))
}

/// Two closed segments of two events each, the second over midnight, and an open one.
fn three(from: &Path) {
    let mut store = store(from, 2);
    for part in [[tick(1), tick(2)], [tick(3), tick(DAY)], [tick(DAY + 1), tick(DAY + 2)]] {
        keep(&mut store, &part);
    }
    closed(from, 3);
    keep(&mut store, &[tick(DAY + 3)]);
    store.finish();
}

/// What a path says, without the digest.
fn shapes(out: &Path) -> BTreeSet<String> {
    files(out)
        .into_keys()
        .map(|name| name.split_once(".parquet").unwrap().0.rsplit_once('-').unwrap().0.to_owned())
        .collect()
}

#[test]
fn each_day_of_each_closed_segment_is_a_file_that_says_what_it_is_from() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    three(from.path());
    let report = exported(from.path(), out.path());
    let expected = Report { segments: 3, events: 6, files: 16, before: 0, open: Some(4) };
    assert_eq!(report, expected, "five tables for each, and a second day of one");
    let mut expected: BTreeSet<String> = ["events", "alerts", "incidents", "coverage", "gaps"]
        .iter()
        .flat_map(|table| [1, 2].map(|number| format!("{table}/date=2026-11-21/host=node-1/{number:010}")))
        .collect();
    expected.extend(
        ["events", "alerts", "incidents", "coverage", "gaps"]
            .map(|table| format!("{table}/date=2026-11-22/host=node-1/0000000003")),
    );
    expected.insert("events/date=2026-11-22/host=node-1/0000000002".to_owned());
    assert_eq!(shapes(out.path()), expected);
    let files = files(out.path());
    for (name, path) in &files {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600, "as the store's");
        let about = about(path);
        let number: u64 = about["weir.segment"].parse().unwrap();
        let signed = fs::read(from.path().join(format!("segments/{number:010}.sig"))).unwrap();
        let statement = Statement::parse(about["weir.segment.statement"].as_bytes()).unwrap();
        assert_eq!(statement, Statement::parse(&signed).unwrap());
        assert_eq!(about["weir.segment.digest"], crate::evidence::integrity::hex(&statement.digest));
        assert!(name.ends_with(&format!("/{number:010}-{}.parquet", &about["weir.segment.digest"][..16])), "{name}");
        assert_eq!([&about["weir.schema"], &about["weir.sensor"], &about["host.name"]], ["1", "0.1.0", "node-1"]);
        assert_eq!(name.split('/').next(), Some(&*about["weir.table"]));
    }
}

#[test]
fn what_was_exported_is_not_exported_again_and_anew_it_is_the_same() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    three(from.path());
    exported(from.path(), out.path());
    let read = |out: &Path| -> BTreeMap<String, Vec<u8>> {
        files(out).into_iter().map(|(name, path)| (name, fs::read(path).unwrap())).collect()
    };
    let first = read(out.path());
    // Shipped and taken away: it does not come again.
    let (_, shipped) = files(out.path()).pop_first().unwrap();
    fs::remove_file(&shipped).unwrap();
    let report = exported(from.path(), out.path());
    assert_eq!(report, Report { before: 3, open: Some(4), ..Report::default() });
    assert!(!shipped.exists());
    let again = TempDir::new().unwrap();
    exported(from.path(), again.path());
    assert_eq!(read(again.path()), first, "byte by byte");
    // What is closed later comes alone.
    let mut store = store(from.path(), 2);
    keep(&mut store, &[tick(2 * DAY)]);
    closed(from.path(), 4);
    store.finish();
    let report = exported(from.path(), out.path());
    assert_eq!((report.segments, report.events, report.before), (1, 2, 3));
    let gaps = rows(out.path(), Table::Gaps);
    assert_eq!(gaps.iter().map(|gap| gap["place"].as_str().unwrap()).collect::<Vec<_>>(), ["sensor"]);
}

#[test]
fn a_store_that_was_made_anew_does_not_hide_behind_its_numbers() {
    let (from, other, out) = (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    kept(from.path(), &[tick(1), tick(2)], 2);
    kept(other.path(), &[tick(5), tick(6)], 2);
    assert_eq!((exported(from.path(), out.path()).events, exported(other.path(), out.path()).events), (2, 2));
    assert_eq!(rows(out.path(), Table::Events).len(), 4);
}

#[test]
fn the_open_segment_is_only_for_a_look() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    three(from.path());
    let open = Options { host: None, open: true };
    let report = export(from.path(), &out.path().join("look"), open).unwrap();
    assert_eq!((report.segments, report.events, report.open), (4, 7, None));
    let names = files(&out.path().join("look"));
    let name = names.keys().find(|name| name.ends_with("/0000000004-open.parquet")).unwrap();
    assert!(!about(&names[name]).contains_key("weir.segment.statement"));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(about(&names[name])["host.name"], host.trim(), "as the segment says");
    let error = export(from.path(), &out.path().join("look"), open).unwrap_err();
    assert!(matches!(error, ExportError::NotEmpty(_)), "{error}");
}

#[test]
fn names_of_machines_stay_in_their_directory() {
    let from = TempDir::new().unwrap();
    kept(from.path(), &[tick(1)], 1);
    for (host, name) in [
        ("../../etc", "%2E.%2F..%2Fetc"),
        ("..", "%2E."),
        ("", "__HIVE_DEFAULT_PARTITION__"),
        ("a=b/c d\n\u{1b}[31mü", "a%3Db%2Fc%20d%0A%1B%5B31m%C3%BC"),
        ("gpu-7.example.org", "gpu-7.example.org"),
    ] {
        let out = TempDir::new().unwrap();
        export(from.path(), out.path(), Options { host: Some(host), open: false }).unwrap();
        let files = files(out.path());
        assert_eq!(files.len(), 5);
        assert!(files.keys().all(|file| file.split('/').nth(2) == Some(&format!("host={name}"))), "{files:?}");
        assert_eq!(rows(out.path(), Table::Events)[0]["host.name"], host);
    }
    let out = TempDir::new().unwrap();
    let long = "/".repeat(100);
    let error = export(from.path(), out.path(), Options { host: Some(&long), open: false }).unwrap_err();
    assert!(error.to_string().contains("give another with --host"), "{error}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn one_that_is_damaged_keeps_no_other_from_it_and_is_named() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    three(from.path());
    let first = from.path().join("segments/0000000001.db");
    let whole = fs::read(&first).unwrap();
    fs::write(&first, &whole[..whole.len() / 3]).unwrap();
    fs::write(from.path().join("segments/0000000002.sig"), "{}").unwrap();
    let error = export(from.path(), out.path(), Options { host: Some("node-1"), open: false }).unwrap_err().to_string();
    assert!(
        error.contains("2 of the segments")
            && error.contains("0000000001.db")
            && error.contains("weir evidence verify"),
        "{error}"
    );
    assert_eq!(shapes(out.path()).len(), 5);
    // As soon as it can be read it comes.
    fs::write(&first, whole).unwrap();
    let error = export(from.path(), out.path(), Options { host: Some("node-1"), open: false }).unwrap_err().to_string();
    assert!(
        error.contains("1 of the segments") && error.contains("0000000002.db: its signature cannot be used"),
        "{error}"
    );
    assert_eq!(shapes(out.path()).len(), 10);
}

#[test]
fn what_a_killed_export_left_is_removed_and_two_at_a_time_are_refused() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    kept(from.path(), &[tick(1)], 1);
    let own = out.path().join("_weir/host=node-1");
    fs::create_dir_all(own.join("new")).unwrap();
    fs::write(own.join("new/events-2026-11-21"), "half").unwrap();
    let lock = File::create(own.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let options = Options { host: Some("node-1"), open: false };
    let error = export(from.path(), out.path(), options).unwrap_err().to_string();
    assert!(error.contains("another export of node-1"), "{error}");
    // Another machine's is no other's business.
    export(from.path(), out.path(), Options { host: Some("node-2"), open: false }).unwrap();
    drop(lock);
    export(from.path(), out.path(), options).unwrap();
    let left: BTreeSet<String> =
        fs::read_dir(own).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left, ["exported", "lock"].map(ToOwned::to_owned).into());
    assert_eq!(rows(out.path(), Table::Events).len(), 2);
}

#[test]
fn where_nothing_can_be_written_or_read_one_sentence_says_so() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let missing = export(&from.path().join("none"), out.path(), Options::default()).unwrap_err();
    assert!(
        matches!(&missing, ExportError::Store(SourceError { .. }))
            && missing.to_string().contains("give the directory"),
        "{missing}"
    );
    kept(from.path(), &[tick(1)], 1);
    let file = out.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = export(from.path(), &file.join("below"), Options::default()).unwrap_err().to_string();
    assert!(refused.contains("file/below cannot be written (Not a directory"), "{refused}");
}

/// A tmpfs, until it is dropped.
struct Mounted(TempDir);

impl Mounted {
    fn new(size: &str) -> Option<Mounted> {
        let directory = TempDir::new().unwrap();
        let options = format!("size={size},mode=0700");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "weir-parquet-test"])
            .arg(directory.path())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Mounted(directory))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_leaves_no_half_file_and_when_there_is_room_it_goes_on() {
    let Some(mounted) = Mounted::new("256k") else {
        eprintln!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let (from, out) = (TempDir::new().unwrap(), mounted.0.path().join("out"));
    let many: Vec<Event> = (1..=4_000_u64).map(|number| tick(number * number * 1_009)).collect();
    kept(from.path(), &many, 2_000);
    let other = mounted.0.path().join("other");
    // 16 KiB are left: less than one segment takes.
    fs::write(&other, vec![0; 240 << 10]).unwrap();
    let options = Options { host: Some("node-1"), open: false };
    let error = export(from.path(), &out, options).unwrap_err().to_string();
    assert!(
        error.contains("cannot be written (No space left on device") && error.contains("see that there is room"),
        "{error}"
    );
    assert_eq!(files(&out), BTreeMap::new(), "nothing has its name");
    fs::remove_file(&other).unwrap();
    assert_eq!(exported(from.path(), &out).segments, 2);
    assert_eq!(rows(&out, Table::Events).len(), many.len());
}
