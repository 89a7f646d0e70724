//! A small writer of stores, by the description of the schema and nothing else.

use super::super::super::store::chain::{self, NOTHING};
use super::super::super::store::signer::Signer;
use super::super::{Head, Key, Statement, hex};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// When the first event happens; one a second follows.
pub const BEGIN: i64 = 1_780_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
const ROWS: i64 = 5;

/// A store with so many closed segments of three batches each, and an open one. The first has the number `first`.
pub fn store(directory: &Path, first: i64, closed: i64) -> Key {
    fs::create_dir_all(directory.join("segments")).unwrap();
    let key = Key::load_or_create(directory).unwrap();
    write(directory, first, closed, &key);
    key
}

/// Writes the segments of [`store`], signed by `key`.
pub fn write(directory: &Path, first: i64, closed: i64, key: &dyn Signer) {
    let (mut previous, mut batch) = (NOTHING, 3 * (first - 1) + 1);
    for number in first..=first + closed {
        let connection = segment(&file(directory, number), number, previous);
        for at in batch..batch + 3 {
            previous = add(&connection, at, previous);
        }
        batch += 3;
        if number < first + closed {
            close(directory, connection, number, first, key);
        }
    }
}

/// The file of a segment.
pub fn file(directory: &Path, number: i64) -> PathBuf {
    directory.join(format!("segments/{number:010}.db"))
}

/// A new segment.
pub fn segment(file: &Path, number: i64, previous: [u8; 32]) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE meta(name TEXT PRIMARY KEY, value);
             CREATE TABLE batches(number INTEGER PRIMARY KEY, first INTEGER, last INTEGER, rows INTEGER, told INTEGER,
                 gaps INTEGER, previous BLOB, digest BLOB, raw BLOB);
             CREATE TABLE events(time INTEGER PRIMARY KEY, batch INTEGER, kind INTEGER, object INTEGER, bytes INTEGER);
             CREATE TABLE kinds(id INTEGER PRIMARY KEY, name TEXT, batch INTEGER);
             CREATE TABLE objects(id INTEGER PRIMARY KEY, name TEXT, batch INTEGER);
             CREATE TABLE told(uid TEXT, revision INTEGER, time INTEGER, kind TEXT, incident TEXT, batch INTEGER, record TEXT);
             CREATE TABLE gaps(from_time INTEGER, to_time INTEGER, place TEXT, cause TEXT, kind TEXT, count INTEGER, batch INTEGER);
             CREATE VIEW event AS SELECT time, name AS \"file.path\" FROM events JOIN objects ON objects.id = object;
             INSERT INTO meta VALUES ('version', 1), ('host', 'node-1'), ('sensor', '0.1.0');",
        )
        .unwrap();
    let described = "INSERT INTO meta VALUES ('segment', ?1), ('previous', ?2)";
    connection.execute(described, (number, hex(&previous))).unwrap();
    connection
}

/// Adds a batch of events, a new name, an alert and a gap; its digest.
pub fn add(connection: &Connection, batch: i64, previous: [u8; 32]) -> [u8; 32] {
    let begin = BEGIN + batch * ROWS * SECOND;
    connection.execute_batch("BEGIN").unwrap();
    connection
        .execute("INSERT INTO objects VALUES (?1, ?2, ?1)", (batch, format!("/models/{batch}.safetensors")))
        .unwrap();
    for at in 0..ROWS {
        let event = (begin + at * SECOND, batch, at % 2, batch, at * 1_000);
        connection.execute("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)", event).unwrap();
    }
    let told = (format!("alert-{batch}"), begin, batch);
    connection.execute("INSERT INTO told VALUES (?1, 0, ?2, 'alert', 'incident-1', ?3, '{}')", told).unwrap();
    let gap = "INSERT INTO gaps VALUES (?1, ?1, 'kernel', 'a ring was full', NULL, 3, ?2)";
    connection.execute(gap, (begin, batch)).unwrap();
    let own = "INSERT INTO batches VALUES (?1, ?2, ?3, 5, 1, 1, ?4, NULL, X'28b52ffd')";
    connection.execute(own, (batch, begin, begin + (ROWS - 1) * SECOND, previous)).unwrap();
    let digest = chain::digest(connection, batch).unwrap();
    connection.execute("UPDATE batches SET digest = ?1 WHERE number = ?2", (digest, batch)).unwrap();
    connection.execute_batch("COMMIT").unwrap();
    digest
}

/// Closes the segment and signs it.
pub fn close(directory: &Path, connection: Connection, number: i64, oldest: i64, key: &dyn Signer) {
    connection
        .execute_batch(
            "INSERT INTO meta VALUES ('closed', 1); PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE",
        )
        .unwrap();
    connection.close().unwrap();
    super::super::close(directory, &file(directory, number), number, oldest, key).unwrap();
}

/// Signs the segment as it is now, whatever was signed before.
pub fn sign(directory: &Path, number: i64, oldest: i64, key: &dyn Signer) {
    let file = file(directory, number);
    let connection = Connection::open(&file).unwrap();
    let ends = "SELECT min(number), max(number) FROM batches";
    let batches: [i64; 2] = connection.query_row(ends, [], |row| Ok([row.get(0)?, row.get(1)?])).unwrap();
    let of = |column: &str, number: i64| -> [u8; 32] {
        let query = format!("SELECT {column} FROM batches WHERE number = ?1");
        connection.query_row(&query, [number], |row| row.get(0)).unwrap()
    };
    let (previous, digest) = (of("previous", batches[0]), of("digest", batches[1]));
    connection.close().unwrap();
    let hash = Sha256::digest(fs::read(&file).unwrap()).into();
    Head::new(oldest, number, batches[1], digest, key).write(directory).unwrap();
    Statement::new(number, batches, previous, digest, hash, key).write(&file.with_extension("sig")).unwrap();
}

/// Makes all digests of a segment anew, as one who knows how it is done would; the last one.
pub fn rechain(connection: &Connection, mut previous: [u8; 32]) -> [u8; 32] {
    let mut numbers = connection.prepare("SELECT number FROM batches ORDER BY number").unwrap();
    let numbers: Vec<i64> = numbers.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for number in numbers {
        connection.execute("UPDATE batches SET previous = ?1 WHERE number = ?2", (previous, number)).unwrap();
        previous = chain::digest(connection, number).unwrap();
        connection.execute("UPDATE batches SET digest = ?1 WHERE number = ?2", (previous, number)).unwrap();
    }
    previous
}
