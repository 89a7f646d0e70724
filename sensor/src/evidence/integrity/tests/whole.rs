//! Nothing is wrong.

use super::super::{Key, PublicKey, Report, SignError, close, rotate, seal, verify};
use super::store::{self, BEGIN, file, store};
use std::fs;
use std::path::Path;

fn checked(place: &Path, keys: &[PublicKey]) -> Report {
    verify(place, keys).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_store_is_whole_and_what_is_not_signed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let key = store(directory.path(), 1, 3);
    let report = checked(directory.path(), &[key.public_key()]);
    assert_eq!((report.segments, report.batches, report.rows), (Some((1, 4)), 12, [60, 12, 12]));
    assert_eq!(report.unsigned, Some((4, 4, Some(BEGIN + 50_000_000_000))));
    let said = report.to_string();
    for words in [
        "whole: segments 1 to 4, 12 batches, 60 events",
        &format!("signed by {}: segments 1 to 3", key.public_key().fingerprint()),
        "not signed yet: segment 4, from 2026-05-28T20:27:30.000000000Z on",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("not checked"), "{said}");
    assert!(checked(directory.path(), &[]).to_string().contains("not checked against a key of yours"));
}

#[test]
fn an_open_segment_is_read_with_its_log_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let key = store(directory.path(), 1, 1);
    let last = store::segment(&file(directory.path(), 3), 3, last_digest(directory.path(), 2));
    store::add(&last, 7, last_digest(directory.path(), 2));
    assert!(file(directory.path(), 3).with_extension("db-wal").metadata().unwrap().len() > 0);
    let report = checked(directory.path(), &[key.public_key()]);
    assert_eq!((report.segments, report.batches), (Some((1, 3)), 7));
    assert!(report.unsigned.is_some_and(|(first, last, _)| (first, last) == (2, 3)));
}

#[test]
fn what_was_rotated_away_is_told_and_no_fault() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path(), 4, 2);
    let said = checked(directory.path(), &[]).to_string();
    assert!(said.contains("segments 4 to 6") && said.contains("not there: segments 1 to 3, rotated away"), "{said}");
    // The head says that segment 4 is kept, and a crash kept it from being removed.
    let key = Key::load_or_create(directory.path()).unwrap();
    rotate(directory.path(), 5, &key).unwrap();
    assert_eq!(checked(directory.path(), &[]).segments, Some((4, 6)));
}

#[test]
fn a_segment_is_checked_alone_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let key = store(directory.path(), 1, 2);
    let names = || -> Vec<_> {
        let mut names: Vec<_> =
            fs::read_dir(directory.path().join("segments")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let report = checked(&file(directory.path(), 2), &[key.public_key()]);
    assert_eq!((report.segments, report.batches), (Some((2, 2)), 3));
    assert_eq!(names(), before);
    // Under another name, and in a directory whose name SQLite could take for a question.
    let odd = directory.path().join("a?mode=rwc#%20b");
    fs::create_dir(&odd).unwrap();
    fs::copy(file(directory.path(), 2), odd.join("copy.db")).unwrap();
    assert_eq!(checked(&odd.join("copy.db"), &[]).batches, 3);
}

#[test]
fn a_crash_between_the_head_and_the_signature_is_no_fault() {
    let directory = tempfile::tempdir().unwrap();
    let key = store(directory.path(), 1, 3);
    fs::remove_file(file(directory.path(), 3).with_extension("sig")).unwrap();
    let report = checked(directory.path(), &[key.public_key()]);
    assert!(report.unsigned.is_some_and(|(first, last, _)| (first, last) == (3, 4)), "{report}");
    close(directory.path(), &file(directory.path(), 3), 3, 1, &key).unwrap();
    assert!(checked(directory.path(), &[]).unsigned.is_some_and(|(first, _, _)| first == 4));
}

#[test]
fn a_signature_that_was_removed_is_not_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let key = store(directory.path(), 1, 3);
    let again = |number| close(directory.path(), &file(directory.path(), number), number, 1, &key);
    fs::remove_file(file(directory.path(), 2).with_extension("sig")).unwrap();
    assert!(matches!(again(2), Err(SignError::Signed { .. })));
    // The last one, with other content than the head knows.
    let connection = rusqlite::Connection::open(file(directory.path(), 3)).unwrap();
    connection.execute("UPDATE events SET bytes = 7", []).unwrap();
    store::rechain(&connection, last_digest(directory.path(), 2));
    assert!(matches!(again(3), Err(SignError::Signed { .. })));
    fs::write(directory.path().join("head"), "{}").unwrap();
    assert!(matches!(again(4), Err(SignError::Head { .. })));
}

#[test]
fn a_segment_without_a_batch_is_signed_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    let key = store(directory.path(), 1, 1);
    let end = last_digest(directory.path(), 2);
    close(directory.path(), &file(directory.path(), 2), 2, 1, &key).unwrap();
    store::close(directory.path(), store::segment(&file(directory.path(), 3), 3, end), 3, 1, &key);
    store::add(&store::segment(&file(directory.path(), 4), 4, end), 7, end);
    let report = checked(directory.path(), &[key.public_key()]);
    assert_eq!((report.segments, report.batches), (Some((1, 4)), 7));
}

#[test]
fn sealed_incidents_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path(), 1, 1);
    fs::create_dir(directory.path().join("incidents")).unwrap();
    let incident = directory.path().join("incidents/incident-1.db");
    store::add(&store::segment(&incident, 0, [0; 32]), 1, [0; 32]);
    assert_eq!(checked(directory.path(), &[]).incidents, (1, 1));
    let key = Key::load_or_create(directory.path()).unwrap();
    rusqlite::Connection::open(&incident).unwrap().pragma_update(None, "journal_mode", "DELETE").unwrap();
    seal(&incident, &key).unwrap();
    let report = checked(directory.path(), &[key.public_key()]);
    assert_eq!(report.incidents, (1, 0));
    assert_eq!(report.segments, Some((1, 2)), "it is none");
    rusqlite::Connection::open(&incident).unwrap().execute("UPDATE events SET bytes = 1", []).unwrap();
    let said = verify(directory.path(), &[]).unwrap_err().to_string();
    assert!(said.contains("incidents/incident-1.db, batch 1") && said.contains("edited"), "{said}");
}

fn last_digest(directory: &Path, number: i64) -> [u8; 32] {
    let connection = rusqlite::Connection::open(file(directory, number)).unwrap();
    connection.query_row("SELECT digest FROM batches ORDER BY number DESC LIMIT 1", [], |row| row.get(0)).unwrap()
}
