//! Each thing that somebody can do to a store is found, and the first place of it is named.

use super::super::{Fault, Key, PublicKey, VerifyError, What, verify};
use super::store::{self, file, store};
use rusqlite::Connection;
use std::fs;
use std::path::Path;

/// A store of three closed segments and an open one, batches 1 to 12, and what is wrong with it after `change`.
fn found(change: impl Fn(&Path, &Key)) -> Fault {
    let directory = tempfile::tempdir().unwrap();
    let key = store(directory.path(), 1, 3);
    change(directory.path(), &key);
    fault(directory.path(), &[key.public_key()])
}

fn fault(directory: &Path, keys: &[PublicKey]) -> Fault {
    match verify(directory, keys) {
        Err(VerifyError::Fault(fault)) => *fault,
        other => panic!("{other:?}"),
    }
}

/// Where, and what.
fn told(fault: &Fault) -> (Option<i64>, Option<i64>, &What) {
    (fault.segment, fault.batch, &fault.what)
}

fn sql(directory: &Path, segment: i64, statements: &str) {
    Connection::open(file(directory, segment)).unwrap().execute_batch(statements).unwrap();
}

#[test]
fn an_edited_row() {
    for change in [
        "UPDATE events SET bytes = 7 WHERE time = (SELECT min(time) FROM events WHERE batch = 5)",
        "UPDATE objects SET name = '/models/other' WHERE batch = 5",
        "UPDATE told SET record = '{\"severity\":\"low\"}' WHERE batch = 5",
        "UPDATE gaps SET count = 0 WHERE batch = 5",
        "UPDATE batches SET raw = X'00' WHERE number = 5",
        "UPDATE batches SET last = last + 1 WHERE number = 5",
        "UPDATE batches SET digest = zeroblob(32) WHERE number = 5",
        "UPDATE batches SET digest = NULL WHERE number = 5",
        "UPDATE batches SET rows = 4 WHERE number = 5; DELETE FROM events WHERE time = (SELECT min(time) FROM events WHERE batch = 5)",
        "ALTER TABLE told RENAME COLUMN uid TO id; UPDATE events SET bytes = 7 WHERE batch = 6",
        "UPDATE events SET bytes = 7 WHERE batch IN (5, 6)",
    ] {
        let fault = found(|directory, _| sql(directory, 2, change));
        // A column's name is in each batch that has rows of its table.
        let batch = if change.contains("RENAME") { 4 } else { 5 };
        assert_eq!(told(&fault), (Some(2), Some(batch), &What::Edited), "{change}");
    }
    let said = found(|directory, _| sql(directory, 2, "UPDATE events SET bytes = 7 WHERE batch = 5")).to_string();
    let expected = "segments/0000000002.db, segment 2, batch 5 (2026-05-28T20:27:05.000000000Z to 2026-05-28T20:27:09.000000000Z): rows of it were edited";
    assert!(said.ends_with(expected), "{said}");
}

#[test]
fn a_deleted_row_and_an_added_one() {
    let rows: [(&str, What); 5] = [
        ("DELETE FROM events WHERE batch = 5 AND bytes < 2000", What::Deleted("events", 2)),
        ("DELETE FROM told WHERE batch = 5", What::Deleted("told", 1)),
        ("DELETE FROM gaps WHERE batch = 5", What::Deleted("gaps", 1)),
        ("DELETE FROM objects WHERE batch = 5", What::Edited),
        ("INSERT INTO events VALUES (1, 5, 1, 1, 1)", What::Added("events", 1)),
    ];
    for (change, what) in rows {
        let fault = found(|directory, _| sql(directory, 2, change));
        assert_eq!(told(&fault), (Some(2), Some(5), &what), "{change}");
    }
    let said = found(|directory, _| sql(directory, 2, "DELETE FROM told WHERE batch = 5")).to_string();
    assert!(said.ends_with("1 row of `told` was deleted"), "{said}");
}

#[test]
fn rows_of_no_batch() {
    for (batch, before) in [("NULL", None), ("'5'", Some(6)), ("99", Some(6)), ("1", None), ("-3", None)] {
        let fault = found(|directory, _| {
            sql(directory, 2, &format!("INSERT INTO events VALUES (1, CAST({batch} AS BLOB), 1, 1, 1)"))
        });
        assert_eq!(fault.what, What::Stray, "{batch} as blob");
        if batch == "'5'" {
            continue;
        }
        let fault =
            found(|directory, _| sql(directory, 2, &format!("INSERT INTO events VALUES (1, {batch}, 1, 1, 1)")));
        assert_eq!(told(&fault), (Some(2), before, &What::Stray), "{batch}");
    }
}

#[test]
fn a_removed_batch_and_its_rows() {
    let remove = |batch| {
        format!(
            "DELETE FROM events WHERE batch = {batch}; DELETE FROM objects WHERE batch = {batch}; DELETE FROM told WHERE batch = {batch};
             DELETE FROM gaps WHERE batch = {batch}; DELETE FROM batches WHERE number = {batch}"
        )
    };
    let fault = found(|directory, _| sql(directory, 2, &remove(5)));
    assert_eq!(told(&fault), (Some(2), Some(6), &What::BatchesMissing(5..=5)));
    // At the ends of a segment the batch before is another segment's, and the one after it is not there to tell.
    let fault = found(|directory, _| sql(directory, 2, &remove(4)));
    assert_eq!(told(&fault), (Some(2), Some(5), &What::BatchesMissing(4..=4)));
    let fault = found(|directory, _| sql(directory, 2, &remove(6)));
    assert_eq!(told(&fault), (Some(2), None, &What::BatchesMissing(6..=6)));
}

#[test]
fn reordered_batches() {
    let swap = "UPDATE batches SET number = 0 WHERE number = 4; UPDATE batches SET number = 4 WHERE number = 5; UPDATE batches SET number = 5 WHERE number = 0;";
    let swap_rows: String = ["events", "objects", "told", "gaps"]
        .map(|table| format!("UPDATE {table} SET batch = 9 - batch WHERE batch IN (4, 5);"))
        .concat();
    let fault = found(|directory, _| sql(directory, 2, &format!("{swap}{swap_rows}")));
    assert_eq!(told(&fault), (Some(2), Some(4), &What::Edited), "its number is in its digest");
    // With digests that are right for what is there now, but not for what came before.
    let fault = found(|directory, _| {
        let connection = Connection::open(file(directory, 4)).unwrap();
        let swapped = format!("{swap}{swap_rows}").replace("(4, 5)", "(10, 11)").replace("9 - ", "21 - ");
        let swapped = swapped.replace("= 4", "= 10").replace("= 5", "= 11");
        connection.execute_batch(&swapped).unwrap();
        for batch in [10, 11] {
            let digest = super::super::super::store::chain::digest(&connection, batch).unwrap();
            connection.execute("UPDATE batches SET digest = ?1 WHERE number = ?2", (digest, batch)).unwrap();
        }
    });
    assert_eq!(told(&fault), (Some(4), Some(10), &What::Unlinked), "in the open segment, too");
}

#[test]
fn swapped_segments() {
    let swap = |directory: &Path, end: &str| {
        let [two, three, aside] = [2, 3, 9].map(|number| file(directory, number).with_extension(end));
        fs::rename(&two, &aside).unwrap();
        fs::rename(&three, &two).unwrap();
        fs::rename(&aside, &three).unwrap();
    };
    let fault = found(|directory, _| ["db", "sig"].iter().for_each(|end| swap(directory, end)));
    assert_eq!(told(&fault), (Some(2), None, &What::Swapped("3".into())));
    let fault = found(|directory, _| swap(directory, "sig"));
    assert_eq!(told(&fault), (Some(2), None, &What::Signature("it is the one of segment 3".into())));
    // Who swaps them also changes what they say of themselves.
    let fault = found(|directory, _| {
        swap(directory, "db");
        sql(directory, 2, "UPDATE meta SET value = 2 WHERE name = 'segment'");
        sql(directory, 3, "UPDATE meta SET value = 3 WHERE name = 'segment'");
    });
    assert_eq!(told(&fault), (Some(2), None, &What::SegmentUnlinked));
    let fault = found(|directory, _| {
        swap(directory, "db");
        let before = "(SELECT lower(hex(previous)) FROM batches ORDER BY number LIMIT 1)";
        sql(directory, 2, "UPDATE meta SET value = 2 WHERE name = 'segment'");
        let known: String = Connection::open(file(directory, 3))
            .unwrap()
            .query_row(&format!("SELECT {before}"), [], |row| row.get(0))
            .unwrap();
        sql(directory, 2, &format!("UPDATE meta SET value = '{known}' WHERE name = 'previous'"));
    });
    assert_eq!(told(&fault), (Some(2), Some(7), &What::BatchesMissing(4..=6)));
}

#[test]
fn a_truncated_file() {
    let cut = |number: i64, bytes: u64| {
        move |directory: &Path, _: &Key| {
            let file = fs::OpenOptions::new().write(true).open(file(directory, number)).unwrap();
            let has = file.metadata().unwrap().len();
            file.set_len(has.min(bytes)).unwrap();
        }
    };
    let whole = tempfile::tempdir().unwrap();
    store(whole.path(), 1, 3);
    let needs = file(whole.path(), 2).metadata().unwrap().len();
    for bytes in [1, 99, 100, 4_096, 5_000, needs - 1] {
        let fault = found(cut(2, bytes));
        let size = if bytes < 100 { 100 } else { needs };
        assert_eq!(told(&fault), (Some(2), None, &What::CutOff(bytes, size)), "{bytes}");
    }
    let fault = found(cut(2, 0));
    assert!(matches!(fault.what, What::Damaged(_)) && fault.segment == Some(2), "{fault}");
}

#[test]
fn a_removed_segment_and_a_removed_end() {
    let remove = |numbers: &'static [i64]| {
        move |directory: &Path, _: &Key| {
            for number in numbers {
                fs::remove_file(file(directory, *number)).unwrap();
                let _ = fs::remove_file(file(directory, *number).with_extension("sig"));
            }
        }
    };
    assert_eq!(told(&found(remove(&[2]))), (Some(3), None, &What::SegmentsMissing(2..=2)));
    assert_eq!(
        told(&found(remove(&[1]))),
        (Some(2), None, &What::SegmentsMissing(1..=1)),
        "the head says that it is kept"
    );
    assert_eq!(told(&found(remove(&[3]))), (Some(4), None, &What::SegmentsMissing(3..=3)));
    assert_eq!(told(&found(remove(&[3, 4]))), (None, None, &What::EndMissing(3..=3)));
    assert_eq!(told(&found(remove(&[2, 3, 4]))), (None, None, &What::EndMissing(2..=3)));
    assert_eq!(told(&found(remove(&[1, 2, 3, 4]))), (None, None, &What::EndMissing(1..=3)));
    // With the word of which one is the last.
    let fault = found(|directory, key| {
        remove(&[3, 4])(directory, key);
        fs::remove_file(directory.join("head")).unwrap();
    });
    assert_eq!(told(&fault), (None, None, &What::HeadMissing));
    let fault = found(|directory, _| {
        let head = fs::read_to_string(directory.join("head")).unwrap();
        fs::write(directory.join("head"), head.replace("\"segment\":3", "\"segment\":2")).unwrap();
    });
    assert!(matches!(&fault.what, What::Head(reason) if reason.contains("not of what it says")), "{fault}");
    // An old head that was kept for this.
    let fault = found(|directory, key| {
        let head = fs::read(directory.join("head")).unwrap();
        store::sign(directory, 1, 1, key);
        let old = fs::read(directory.join("head")).unwrap();
        assert_ne!(head, old);
    });
    assert!(matches!(&fault.what, What::Head(reason) if reason.contains("an old one was put back")), "{fault}");
}

#[test]
fn a_rewritten_segment() {
    // All digests made anew: segment 2 agrees with itself.
    let fault = found(|directory, _| {
        let connection = Connection::open(file(directory, 2)).unwrap();
        let previous =
            connection.query_row("SELECT previous FROM batches WHERE number = 4", [], |row| row.get(0)).unwrap();
        connection.execute("UPDATE events SET bytes = 7 WHERE batch = 5", []).unwrap();
        store::rechain(&connection, previous);
    });
    assert_eq!(told(&fault), (Some(2), None, &What::Rewritten));
    // And without its signature.
    let fault = found(|directory, _| fs::remove_file(file(directory, 2).with_extension("sig")).unwrap());
    assert_eq!(told(&fault), (Some(2), None, &What::SignatureMissing));
    let fault = found(|directory, _| {
        let connection = Connection::open(file(directory, 3)).unwrap();
        let previous =
            connection.query_row("SELECT previous FROM batches WHERE number = 7", [], |row| row.get(0)).unwrap();
        connection.execute("UPDATE events SET bytes = 7 WHERE batch = 8", []).unwrap();
        store::rechain(&connection, previous);
        fs::remove_file(file(directory, 3).with_extension("sig")).unwrap();
    });
    assert_eq!(told(&fault), (Some(3), None, &What::Rewritten), "the head knows");
}

#[test]
fn a_view_that_shows_something_else() {
    let fault = found(|directory, _| {
        sql(directory, 2, "DROP VIEW event; CREATE VIEW event AS SELECT time, 'nothing' AS \"file.path\" FROM events");
    });
    assert_eq!(told(&fault), (Some(2), None, &What::AroundBatches));
    let fault = found(|directory, _| sql(directory, 3, "UPDATE meta SET value = 'node-2' WHERE name = 'host'"));
    assert_eq!(told(&fault), (Some(3), None, &What::AroundBatches));
}

#[test]
fn a_replaced_key() {
    let directory = tempfile::tempdir().unwrap();
    let key = store(directory.path(), 1, 3);
    let (old, other) = (key.public_key(), tempfile::tempdir().unwrap());
    let new = Key::load_or_create(other.path()).unwrap();
    store::sign(directory.path(), 3, 1, &new);
    for keys in [&[old][..], &[]] {
        let fault = fault(directory.path(), keys);
        assert_eq!(told(&fault), (Some(3), None, &What::OtherKey(new.public_key())));
    }
    assert!(verify(directory.path(), &[old, new.public_key()]).is_ok(), "both are known");
    // Somebody who signs all of it anew is found out by who knows the old key.
    (1..=3).for_each(|number| store::sign(directory.path(), number, 1, &new));
    assert!(verify(directory.path(), &[]).is_ok());
    assert_eq!(told(&fault(directory.path(), &[old])), (Some(1), None, &What::OtherKey(new.public_key())));
    // A signature with the right key's name and another's hand.
    let file = file(directory.path(), 1).with_extension("sig");
    let statement = fs::read_to_string(&file).unwrap().replace(&new.public_key().to_string(), &old.to_string());
    fs::write(&file, statement).unwrap();
    assert!(matches!(fault(directory.path(), &[old]).what, What::Signature(_)));
}

#[test]
fn what_is_no_segment() {
    let fault = found(|directory, _| fs::write(file(directory, 2), [7; 8_192]).unwrap());
    assert!(matches!(fault.what, What::Damaged(_)) && fault.segment == Some(2), "{fault}");
    let fault = found(|directory, _| sql(directory, 2, "DROP TABLE batches"));
    assert!(matches!(fault.what, What::Damaged(_)) && fault.segment == Some(2), "{fault}");
    let fault = found(|directory, _| sql(directory, 2, "UPDATE meta SET value = 2 WHERE name = 'version'"));
    assert!(fault.to_string().contains("use a later weir"), "{fault}");
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(verify(nothing.path(), &[]), Err(VerifyError::NotOne { .. })));
    assert!(matches!(verify(&nothing.path().join("x"), &[]), Err(VerifyError::Io { .. })));
}
