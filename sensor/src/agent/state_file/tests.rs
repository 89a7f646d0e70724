use super::*;
use crate::event::{SavedAccount, SavedCorrelations, SavedDestination, SavedLedger, SavedPlace, SavedWindow};
use std::os::unix::fs::PermissionsExt as _;

fn ledger(bytes: u64) -> SavedLedger {
    let place = SavedPlace::Address("2001:db8::1".parse().unwrap());
    let row = SavedDestination { place, day: SavedWindow(vec![(5, bytes)]), ..SavedDestination::default() };
    let id = "pod:\u{fc}\"\n".into();
    SavedLedger { time: 7, accounts: vec![SavedAccount { id, destinations: vec![row], ..SavedAccount::default() }] }
}

fn runs<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The ledger in `directory`, as the agent opens it.
fn ledger_in(directory: &Path) -> (StateFile, SavedLedger) {
    StateFile::open(&StateDirectory::open(directory), LEDGER)
}

fn save(file: &mut StateFile, saved: SavedLedger) {
    runs(async {
        file.save(BootTime(1), move || saved).await;
        file.end_write().await;
    });
}

#[test]
fn what_is_saved_is_there_after_a_restart_and_nobody_else_can_read_it() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("a/state");
    let (mut file, saved) = ledger_in(&directory);
    assert!(file.is_ready() && saved == SavedLedger::default());
    save(&mut file, ledger(1));
    save(&mut file, ledger(2));
    assert!(!file.said);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join("ledger"))), (0o700, 0o600));
    drop(file);
    // A crash in the middle of a write.
    fs::write(directory.join("ledger.new"), "weir-led").unwrap();
    let (mut file, saved) = ledger_in(&directory);
    assert_eq!(saved, ledger(2));
    save(&mut file, ledger(3));
    assert_eq!(read::<SavedLedger>(&directory.join("ledger"), LEDGER).unwrap(), ledger(3));
}

#[test]
fn what_cannot_be_read_is_set_aside_and_kept() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    let path = directory.join("ledger");
    write(directory, LEDGER, &ledger(1)).unwrap();
    let good = fs::read(&path).unwrap();
    assert_eq!(read::<SavedLedger>(&path, LEDGER).unwrap(), ledger(1));
    let later = String::from_utf8(good.clone()).unwrap().replace("weir-ledger 1", "weir-ledger 2");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cut = good.get(..good.len() - 1).unwrap().to_vec();
    for (number, bad) in
        (1..).zip([vec![], cut, flipped, later.into_bytes(), b"\xff\n{}".to_vec(), b"weir-ledger 1\n{}".to_vec()])
    {
        fs::write(&path, &bad).unwrap();
        let (file, saved) = ledger_in(directory);
        assert_eq!(saved, SavedLedger::default());
        assert!(file.is_ready(), "a new one can be written");
        assert_eq!(fs::read(directory.join(format!("ledger.unreadable.{number}"))).unwrap(), bad);
        assert!(!path.exists());
    }
}

#[test]
fn a_directory_of_no_use_is_done_without() {
    let place = tempfile::tempdir().unwrap();
    let taken = place.path().join("file");
    fs::write(&taken, "").unwrap();
    let open = place.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    for directory in [taken.clone(), taken.join("below"), open] {
        let (mut file, saved) = ledger_in(&directory);
        assert!(!file.is_ready() && saved == SavedLedger::default(), "{}", directory.display());
        save(&mut file, ledger(1));
    }
    let ours = place.path().join("ours");
    let (first, _) = ledger_in(&ours);
    assert!(!ledger_in(&ours).0.is_ready(), "one sensor at a time");
    drop(first);
    assert!(ledger_in(&ours).0.is_ready());
}

#[test]
fn a_write_that_fails_is_said_once_and_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("state");
    let (mut file, _) = ledger_in(&directory);
    // Root can write anywhere, but not into a directory under the name of a file.
    fs::create_dir_all(directory.join("ledger.new/x")).unwrap();
    save(&mut file, ledger(1));
    assert!(file.said && file.is_ready());
    fs::remove_dir_all(directory.join("ledger.new")).unwrap();
    save(&mut file, ledger(2));
    assert!(!file.said);
    assert_eq!(read::<SavedLedger>(&directory.join("ledger"), LEDGER).unwrap(), ledger(2));
}

#[test]
fn two_files_of_one_directory_are_kept_apart() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state");
    let directory = StateDirectory::open(&path);
    let (mut first, _) = StateFile::open::<SavedLedger>(&directory, LEDGER);
    let (mut second, _) = StateFile::open::<SavedCorrelations>(&directory, CORRELATIONS);
    let seen = SavedCorrelations { sequence: 5, ..SavedCorrelations::default() };
    save(&mut first, ledger(1));
    let also = seen.clone();
    runs(async {
        second.save(BootTime(1), move || also).await;
        second.end_write().await;
    });
    assert_eq!(StateFile::open::<SavedLedger>(&directory, LEDGER).1, ledger(1));
    assert_eq!(StateFile::open::<SavedCorrelations>(&directory, CORRELATIONS).1, seen);
    // One under the name of the other is not taken for it.
    fs::copy(path.join("ledger"), path.join("correlations")).unwrap();
    assert_eq!(StateFile::open::<SavedCorrelations>(&directory, CORRELATIONS).1, SavedCorrelations::default());
    assert!(path.join("correlations.unreadable.1").exists());
}
