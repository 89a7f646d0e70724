use super::*;
use crate::event::{SavedAccount, SavedDestination, SavedPlace, SavedWindow};
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

fn save(file: &mut LedgerFile, saved: SavedLedger) {
    runs(async {
        file.save(saved, BootTime(1)).await;
        file.end_write().await;
    });
}

#[test]
fn what_is_saved_is_there_after_a_restart_and_nobody_else_can_read_it() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("a/state");
    let (mut file, saved) = LedgerFile::open(&directory);
    assert!(file.is_ready() && saved == SavedLedger::default());
    save(&mut file, ledger(1));
    save(&mut file, ledger(2));
    assert!(!file.said);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join("ledger"))), (0o700, 0o600));
    drop(file);
    // A crash in the middle of a write.
    fs::write(directory.join("ledger.new"), "weir-led").unwrap();
    let (mut file, saved) = LedgerFile::open(&directory);
    assert_eq!(saved, ledger(2));
    save(&mut file, ledger(3));
    assert_eq!(read(&directory.join("ledger")).unwrap(), ledger(3));
}

#[test]
fn what_cannot_be_read_is_set_aside_and_kept() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    let path = directory.join("ledger");
    write(directory, &ledger(1)).unwrap();
    let good = fs::read(&path).unwrap();
    assert_eq!(read(&path).unwrap(), ledger(1));
    let later = String::from_utf8(good.clone()).unwrap().replace("weir-ledger 1", "weir-ledger 2");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cut = good.get(..good.len() - 1).unwrap().to_vec();
    for (number, bad) in
        (1..).zip([vec![], cut, flipped, later.into_bytes(), b"\xff\n{}".to_vec(), b"weir-ledger 1\n{}".to_vec()])
    {
        fs::write(&path, &bad).unwrap();
        let (file, saved) = LedgerFile::open(directory);
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
        let (mut file, saved) = LedgerFile::open(&directory);
        assert!(!file.is_ready() && saved == SavedLedger::default(), "{}", directory.display());
        save(&mut file, ledger(1));
    }
    let ours = place.path().join("ours");
    let (first, _) = LedgerFile::open(&ours);
    assert!(!LedgerFile::open(&ours).0.is_ready(), "one sensor at a time");
    drop(first);
    assert!(LedgerFile::open(&ours).0.is_ready());
}

#[test]
fn a_write_that_fails_is_said_once_and_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("state");
    let (mut file, _) = LedgerFile::open(&directory);
    // Root can write anywhere, but not into a directory under the name of a file.
    fs::create_dir_all(directory.join("ledger.new/x")).unwrap();
    save(&mut file, ledger(1));
    assert!(file.said && file.is_ready());
    fs::remove_dir_all(directory.join("ledger.new")).unwrap();
    save(&mut file, ledger(2));
    assert!(!file.said);
    assert_eq!(read(&directory.join("ledger")).unwrap(), ledger(2));
}
