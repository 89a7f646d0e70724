//! A disk that is full, for real: a small tmpfs.

use super::writing::{assert_chained, gaps, wait_for};
use super::*;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A tmpfs of four megabytes, until it is dropped.
struct Mounted(TempDir);

impl Mounted {
    fn new() -> Option<Mounted> {
        let directory = TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "weir-evidence-test"])
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
fn a_full_disk_stops_recording_and_nothing_else_and_it_recovers() {
    let Some(mounted) = Mounted::new() else {
        eprintln!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let (path, other) = (mounted.0.path().join("evidence"), mounted.0.path().join("other"));
    fs::write(&other, vec![0; 2 << 20]).unwrap();
    let mut store = open(&path, limits());
    let mut nanos = 0;
    let mut some = |store: &mut Store| {
        for _ in 0..500 {
            nanos += 1_000;
            put(store, tick(nanos, "container:a", 7));
        }
        store.flush(BootTime(nanos));
    };
    wait_for("it is full", || {
        some(&mut store);
        store.counts().dropped_disk > 0
    });
    assert!(store.counts().events > 500, "there was room for some");
    let before = store.counts();
    for _ in 0..20 {
        some(&mut store);
    }
    wait_for("the others are refused too", || store.counts().dropped_disk > before.dropped_disk);
    fs::remove_file(&other).unwrap();
    wait_for("there is room again", || {
        some(&mut store);
        store.counts().events > before.events + 5_000
    });
    store.finish();
    let counts = store.counts();
    assert_eq!(counts.events + counts.dropped_disk + counts.dropped_busy, nanos / 1_000);
    let rows = everything(&mut Reader::open(&path).unwrap());
    assert_eq!(rows.len() as u64, counts.events);
    let gaps = gaps(&path, "store");
    let missing: u64 = gaps.iter().map(|gap| gap.count.unwrap()).sum();
    assert_eq!(missing, counts.dropped_disk + counts.dropped_busy);
    assert!(gaps.iter().any(|gap| gap.cause.contains("full")), "{gaps:?}");
    assert_chained(&path);
}

#[test]
fn a_directory_that_cannot_be_used_is_tried_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("evidence");
    fs::write(&path, "in the way").unwrap();
    let mut store = open(&path, limits());
    let mut nanos = 0;
    let mut one = |store: &mut Store| {
        nanos += 1_000;
        put(store, tick(nanos, "container:a", 7));
        store.flush(BootTime(nanos));
    };
    one(&mut store);
    wait_for("it is refused", || store.counts().dropped_disk > 0);
    fs::remove_file(&path).unwrap();
    wait_for("it goes on", || {
        one(&mut store);
        store.counts().events > 0
    });
    store.finish();
    let counts = store.counts();
    assert_eq!(counts.events + counts.dropped_disk + counts.dropped_busy, nanos / 1_000);
    assert_eq!(
        gaps(&path, "store").iter().map(|gap| gap.count.unwrap()).sum::<u64>(),
        counts.dropped_disk + counts.dropped_busy
    );
}
