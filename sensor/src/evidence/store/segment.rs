//! One segment: an SQLite file that batches are written to.
//!
//! A batch is a transaction. In WAL mode what was committed survives the process, whatever ends it; a power cut costs at most
//! what was committed since the last checkpoint, and never the file (sqlite.org/wal.html, `synchronous = NORMAL`).

use super::chain::{self, Digest};
use super::content::{Content, integer};
use super::schema::{self, BATCHES, Dictionary, EVENTS, GAPS, TOLD};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, params_from_iter};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Pages of the write-ahead log after which it is carried over, 16 MiB.
const CHECKPOINT: u32 = 4_000;
/// How long a writer waits for a reader.
const PATIENCE: Duration = Duration::from_secs(2);
/// How far an event's time may be moved because its time is taken.
const SHIFT_MAX: i64 = 1_000_000;

/// Why a segment cannot be made, continued or written.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The file cannot be made.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// SQLite's word for it.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// There is no key to sign with.
    #[error(transparent)]
    Key(#[from] crate::evidence::integrity::KeyError),
    /// It is not signed.
    #[error(transparent)]
    Sign(#[from] crate::evidence::integrity::SignError),
    /// It is not one that can be continued.
    #[error("it was closed, or is of another boot or another form")]
    Other,
}

/// What a segment says of itself, in `meta`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The machine's name.
    pub host: String,
    /// The version of the sensor.
    pub sensor: String,
    /// The kernel's id of this boot.
    pub boot: String,
    /// The header of a recording, a JSON line: what a replay that begins here goes by.
    pub recording: String,
}

/// See the module's text.
#[derive(Debug)]
pub struct Segment {
    connection: Connection,
    /// Its number.
    pub number: u64,
    /// The digest of the last batch.
    pub last_digest: [u8; 32],
    /// The number of the last batch.
    pub last_batch: i64,
    /// The time of the last row.
    pub last_time: i64,
    /// Rows of events.
    pub events: u64,
    /// When it was made, nanoseconds since 1970.
    pub opened: i64,
}

impl Segment {
    /// Makes a new one, that follows the batch `last_batch` with the digest `previous`.
    pub fn create(
        path: &Path,
        number: u64,
        about: &About,
        (last_batch, previous): (i64, [u8; 32]),
        now: i64,
    ) -> Result<Segment, SegmentError> {
        // Under another name until it has its tables, so that there is no segment without. Nobody else can read it from the
        // beginning: SQLite gives its other files the mode of this one.
        let new = path.with_extension("new");
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let mut connection = Connection::open_with_flags(&new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(&schema::create())?;
        {
            let mut meta = transaction.prepare("INSERT INTO meta VALUES (?1, ?2)")?;
            let mut say = |name: &str, value: Value| meta.execute((name, value));
            say("version", Value::Integer(schema::VERSION))?;
            say("segment", Value::Integer(integer(number)))?;
            say("previous", Value::Text(hex(&previous)))?;
            say("host", Value::Text(about.host.clone()))?;
            say("sensor", Value::Text(about.sensor.clone()))?;
            say("boot", Value::Text(about.boot.clone()))?;
            say("recording", Value::Text(about.recording.clone()))?;
            say("opened", Value::Integer(now))?;
        }
        transaction.commit()?;
        drop(connection);
        if path.exists() {
            return Err(SegmentError::Io(io::ErrorKind::AlreadyExists.into()));
        }
        std::fs::rename(&new, path)?;
        let connection = connect(path)?;
        Ok(Segment { connection, number, last_digest: previous, last_batch, last_time: 0, events: 0, opened: now })
    }

    /// Goes on with one that is there, and gives what [`super::encode::Encoder`] has to know of it.
    pub fn resume(path: &Path, number: u64, boot: &str) -> Result<(Segment, [i64; 7]), SegmentError> {
        // A closed one is left as it is.
        let looked = super::reader::connect(path)?;
        let meta = |name: &str| -> rusqlite::Result<Option<Value>> {
            looked.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
        };
        let is_ours = meta("version")? == Some(Value::Integer(schema::VERSION))
            && meta("boot")? == Some(Value::Text(boot.to_owned()))
            && meta("closed")?.is_none();
        let (Some(Value::Integer(opened)), true) = (meta("opened")?, is_ours) else {
            return Err(SegmentError::Other);
        };
        let connection = connect(path)?;
        let sql = "SELECT number, digest, last FROM batches ORDER BY number DESC LIMIT 1";
        let (last_batch, last_digest, last_time) =
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let events: i64 = connection.query_row("SELECT coalesce(sum(rows), 0) FROM batches", [], |row| row.get(0))?;
        let mut ids = [0; 7];
        for (id, dictionary) in ids.iter_mut().zip(Dictionary::ALL) {
            let sql = format!("SELECT coalesce(max(id), 0) FROM {}", dictionary.name());
            *id = connection.query_row(&sql, [], |row| row.get(0))?;
        }
        let events = u64::try_from(events).unwrap_or(0);
        Ok((Segment { connection, number, last_digest, last_batch, last_time, events, opened }, ids))
    }

    /// Writes a batch: all of it, or nothing.
    pub fn write(&mut self, content: &Content) -> rusqlite::Result<()> {
        let number = self.last_batch + 1;
        let transaction = self.connection.transaction()?;
        let (digest, last) = write(&transaction, number, &self.last_digest, content)?;
        transaction.commit()?;
        (self.last_batch, self.last_digest, self.last_time) = (number, digest, self.last_time.max(last));
        self.events += content.events.len() as u64;
        Ok(())
    }

    /// Lets go of it without carrying over what is in the write-ahead log, which takes time; who closes it does that.
    pub fn leave(self) {
        let without = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        // Should it refuse, it takes longer.
        let _ = self.connection.set_db_config(without, true);
    }

    /// Says, of a copy, out of which segment it was made, and that one's last digest.
    pub fn came_from(&self, segment: &str, digest: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO meta VALUES ('source.' || ?1, ?2)";
        self.connection.execute(sql, (segment, digest)).map(drop)
    }

    /// Bytes of the file, as it will be when its log is carried over.
    pub fn bytes(&self) -> u64 {
        let pages =
            self.connection.prepare_cached("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
        let bytes: rusqlite::Result<i64> = pages.and_then(|mut pages| pages.query_row([], |row| row.get(0)));
        bytes.ok().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
    }
}

/// Opens a file to change it, as it is.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// Opens a file to write batches.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Returns the batch's digest and the time of its last row.
fn write(
    transaction: &Transaction,
    number: i64,
    previous: &[u8; 32],
    content: &Content,
) -> rusqlite::Result<([u8; 32], i64)> {
    let mut digest = Digest::new(previous);
    let (first, last) = write_events(transaction, number, content, &mut digest)?;
    for (dictionary, rows) in Dictionary::ALL.into_iter().zip(&content.dictionaries) {
        let columns = dictionary.columns();
        let names = ["id", "batch"].into_iter().chain(columns.iter().map(|(name, _)| *name));
        let rows = rows.iter().map(|(id, values)| {
            [Value::Integer(*id), Value::Integer(number)].into_iter().chain(values.iter().cloned()).collect()
        });
        write_rows(transaction, dictionary.name(), &names.collect::<Vec<_>>(), rows, &mut digest)?;
    }
    let optional = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    let told = content.told.iter().map(|told| {
        let (uid, kind, record) = (told.uid.clone(), told.kind.clone(), told.record.clone());
        let (revision, time, batch) = (told.revision.into(), told.time.into(), number.into());
        vec![uid.into(), revision, time, kind.into(), optional(&told.incident), batch, record.into()]
    });
    write_rows(transaction, "told", &TOLD, told, &mut digest)?;
    let gaps = content.gaps.iter().map(|gap| {
        let kind = gap.kind.as_ref().map_or(Value::Null, |kind| kind.to_string().into());
        let count = gap.count.map_or(Value::Null, |count| integer(count).into());
        let (place, cause) = (gap.place.to_string().into(), gap.cause.to_string().into());
        vec![integer(gap.from).into(), integer(gap.to).into(), place, cause, kind, count, number.into()]
    });
    write_rows(transaction, "gaps", &GAPS, gaps, &mut digest)?;
    let [rows, told, gaps] = [content.events.len(), content.told.len(), content.gaps.len()].map(|n| integer(n as u64));
    digest.table("batches", BATCHES);
    let own = [number, first, last, rows, told, gaps];
    digest.row(own.into_iter().map(ValueRef::Integer).chain([ValueRef::Blob(&content.raw)]));
    let digest = digest.finish();
    transaction.prepare_cached("INSERT INTO batches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?.execute((
        number,
        first,
        last,
        rows,
        told,
        gaps,
        &previous[..],
        &digest[..],
        &content.raw,
    ))?;
    Ok((digest, last))
}

/// Returns the first and the last time; without events, when the batch was written.
fn write_events(
    transaction: &Transaction,
    number: i64,
    content: &Content,
    digest: &mut Digest,
) -> rusqlite::Result<(i64, i64)> {
    let sql = "INSERT OR IGNORE INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let mut insert = transaction.prepare_cached(sql)?;
    if !content.events.is_empty() {
        digest.table("events", EVENTS);
    }
    let mut span: Option<(i64, i64)> = None;
    for event in &content.events {
        let mut time = span.map_or(event.time, |(_, last)| event.time.max(last + 1));
        let [process, workload, object, trail] = [event.process, event.workload, event.object, event.trail];
        let (title, thread, shape, bytes) = (event.title, event.thread, event.shape, event.bytes);
        let rest = event.rest.as_deref();
        let numbers = [process, workload, object, trail, title, thread, shape, bytes];
        let latest = time.saturating_add(SHIFT_MAX);
        loop {
            insert.raw_bind_parameter(1, time)?;
            insert.raw_bind_parameter(2, number)?;
            insert.raw_bind_parameter(3, event.kind)?;
            for (place, value) in numbers.iter().enumerate() {
                insert.raw_bind_parameter(place + 4, value)?;
            }
            insert.raw_bind_parameter(12, rest)?;
            // 0: an earlier batch has an event of that time.
            if insert.raw_execute()? > 0 {
                break;
            }
            if time >= latest {
                return Err(rusqlite::Error::StatementChangedRows(0));
            }
            time += 1;
        }
        span = Some((span.map_or(time, |(first, _)| first), time));
        let number_of = |value: Option<i64>| value.map_or(ValueRef::Null, ValueRef::Integer);
        let own = [time, number, event.kind].into_iter().map(ValueRef::Integer);
        let rest = rest.map_or(ValueRef::Null, |rest| ValueRef::Text(rest.as_bytes()));
        digest.row(own.chain(numbers.into_iter().map(number_of)).chain([rest]));
    }
    Ok(span.unwrap_or((content.now, content.now)))
}

fn write_rows(
    transaction: &Transaction,
    table: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<Value>>,
    digest: &mut Digest,
) -> rusqlite::Result<()> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    digest.table(table, columns.iter().copied());
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
    let sql = format!("INSERT INTO {table} VALUES ({})", places.join(", "));
    let mut insert = transaction.prepare_cached(&sql)?;
    for row in rows {
        digest.row(row.iter().map(ValueRef::from));
        insert.execute(params_from_iter(row))?;
    }
    Ok(())
}

/// What the first batch of all follows.
pub const BEGINNING: (i64, [u8; 32]) = (0, chain::NOTHING);

/// As people write digests.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
