use super::{Digest, NOTHING, digest};
use rusqlite::Connection;
use rusqlite::types::ValueRef::{self, Blob, Integer, Null, Real, Text};
use sha2::{Digest as _, Sha256};

/// Two batches; the second has no rows of `gaps`, and of `names` one whose row is before one of the first batch.
fn segment() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE gaps(from_time INTEGER, batch INTEGER);
             CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT, batch INTEGER);
             CREATE TABLE events(time INTEGER PRIMARY KEY, batch INTEGER, \"a \"\" column\" REAL);
             CREATE TABLE told(uid TEXT, batch INTEGER);
             CREATE TABLE meta(name TEXT PRIMARY KEY, value);
             CREATE TABLE batches(number INTEGER PRIMARY KEY, rows INTEGER, previous BLOB, digest BLOB, raw BLOB);
             INSERT INTO names VALUES (1, 'two', 2), (2, 'one', 1);
             INSERT INTO events VALUES (30, 1, 0.5), (20, 1, NULL), (25, 2, 1.5);
             INSERT INTO told VALUES ('u', 2);
             INSERT INTO gaps VALUES (7, 1);
             INSERT INTO batches VALUES (1, 2, zeroblob(32), NULL, X'0102'), (2, 1, zeroblob(32), NULL, NULL);",
        )
        .unwrap();
    connection
}

/// The first batch of it, as its writer would say it.
fn written() -> Digest {
    let mut digest = Digest::new(&NOTHING);
    digest.table("events", ["time", "batch", "a \" column"]);
    digest.row([Integer(20), Integer(1), Null]);
    digest.row([Integer(30), Integer(1), Real(0.5)]);
    digest.table("names", ["id", "name", "batch"]);
    digest.row([Integer(2), Text(b"one"), Integer(1)]);
    digest.table("gaps", ["from_time", "batch"]);
    digest.row([Integer(7), Integer(1)]);
    digest.table("batches", ["number", "rows", "raw"]);
    digest.row([Integer(1), Integer(2), Blob(&[1, 2])]);
    digest
}

#[test]
fn writer_and_verifier_say_the_same() {
    let connection = segment();
    assert_eq!(digest(&connection, 1).unwrap(), written().finish());
    let mut second = Digest::new(&NOTHING);
    second.table("events", ["time", "batch", "a \" column"]);
    second.row([Integer(25), Integer(2), Real(1.5)]);
    second.table("names", ["id", "name", "batch"]);
    second.row([Integer(1), Text(b"two"), Integer(2)]);
    second.table("told", ["uid", "batch"]);
    second.row([Text(b"u"), Integer(2)]);
    second.table("batches", ["number", "rows", "raw"]);
    second.row([Integer(2), Integer(1), Null]);
    assert_eq!(digest(&connection, 2).unwrap(), second.finish());
    assert!(matches!(digest(&connection, 3), Err(rusqlite::Error::QueryReturnedNoRows)));
}

/// The format is for ever: this is the first batch, byte by byte.
#[test]
fn the_bytes_are_those_of_the_description() {
    let number = |number: i64| [&[1][..], &number.to_be_bytes()].concat();
    let bytes = [
        &[0; 32][..],
        b"\xffevents\xfdtime\xfdbatch\xfda \" column",
        &[&[0xfe][..], &number(20), &number(1), &[0]].concat(),
        &[&[0xfe][..], &number(30), &number(1), &[2, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0]].concat(),
        b"\xffnames\xfdid\xfdname\xfdbatch",
        &[&[0xfe][..], &number(2), b"\x03\0\0\0\x03one", &number(1)].concat(),
        b"\xffgaps\xfdfrom_time\xfdbatch",
        &[&[0xfe][..], &number(7), &number(1)].concat(),
        b"\xffbatches\xfdnumber\xfdrows\xfdraw",
        &[&[0xfe][..], &number(1), &number(2), b"\x04\0\0\0\x02\x01\x02"].concat(),
    ]
    .concat();
    assert_eq!(written().finish(), <[u8; 32]>::from(Sha256::digest(bytes)));
}

#[test]
fn every_change_of_a_batch_changes_its_digest_and_no_other() {
    for change in [
        "UPDATE events SET \"a \"\" column\" = 0.25 WHERE time = 30",
        "UPDATE events SET time = 21 WHERE time = 20",
        "UPDATE events SET \"a \"\" column\" = 0 WHERE time = 20",
        "DELETE FROM events WHERE time = 20",
        "INSERT INTO events VALUES (40, 1, NULL)",
        "UPDATE names SET name = 'other' WHERE id = 2",
        "UPDATE names SET name = CAST('one' AS BLOB) WHERE id = 2",
        "DELETE FROM gaps",
        "INSERT INTO told VALUES ('v', 1)",
        "UPDATE batches SET raw = X'0103' WHERE number = 1",
        "UPDATE batches SET rows = 1 WHERE number = 1",
        "UPDATE batches SET previous = randomblob(32) WHERE number = 1",
    ] {
        let connection = segment();
        let (one, two) = (digest(&connection, 1).unwrap(), digest(&connection, 2).unwrap());
        connection.execute_batch(change).unwrap();
        assert_ne!(digest(&connection, 1).unwrap(), one, "{change}");
        assert_eq!(digest(&connection, 2).unwrap(), two, "{change}");
    }
    let connection = segment();
    let (one, two) = (digest(&connection, 1).unwrap(), digest(&connection, 2).unwrap());
    connection.execute_batch("ALTER TABLE gaps RENAME COLUMN from_time TO to_time").unwrap();
    assert_ne!(digest(&connection, 1).unwrap(), one, "a column that is called otherwise says something else");
    assert_eq!(digest(&connection, 2).unwrap(), two, "it has no row there");
}

/// An index that has all that is asked for, and not the row that was added: it was made before, and hidden meanwhile.
#[test]
fn an_index_hides_no_row() {
    let connection = segment();
    let one = digest(&connection, 1).unwrap();
    connection.execute_batch("CREATE INDEX i ON events(batch, time, \"a \"\" column\")").unwrap();
    let index = "SELECT rootpage, sql FROM sqlite_schema WHERE name = 'i'";
    let (root, sql): (i64, String) = connection.query_row(index, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let hide =
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'i'; PRAGMA writable_schema = RESET;
                INSERT INTO events VALUES (40, 1, NULL); PRAGMA writable_schema = ON";
    connection.execute_batch(hide).unwrap();
    connection.execute("INSERT INTO sqlite_schema VALUES ('index', 'i', 'events', ?1, ?2)", (root, sql)).unwrap();
    connection.execute_batch("PRAGMA writable_schema = RESET").unwrap();
    let seen = |table: &str| -> i64 {
        let query = format!("SELECT count(*) FROM (SELECT batch, \"a \"\" column\" FROM {table} ORDER BY batch, time)");
        connection.query_row(&query, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((seen("events INDEXED BY i"), seen("events NOT INDEXED")), (3, 4), "it hides the row from who asks it");
    assert_ne!(digest(&connection, 1).unwrap(), one);
}

#[test]
fn no_two_rows_have_the_same_bytes() {
    let digest = |rows: &[&[ValueRef]]| {
        let mut digest = Digest::new(&NOTHING);
        digest.table("t", ["a"]);
        rows.iter().for_each(|row| digest.row(row.iter().copied()));
        digest.finish()
    };
    let all = [
        digest(&[&[Text(b"a"), Text(b"b")]]),
        digest(&[&[Text(b"ab"), Text(b"")]]),
        digest(&[&[Text(b"a")], &[Text(b"b")]]),
        digest(&[&[Blob(b"a"), Text(b"b")]]),
        digest(&[&[Integer(0)]]),
        digest(&[&[Real(0.0)]]),
        digest(&[&[Null, Null]]),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}
