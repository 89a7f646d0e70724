//! One file of the store from its beginning to its end: for what takes all of it elsewhere. Nothing of it is in memory but what is read
//! at the time.

use super::decode::{COLUMNS, Decoder};
use super::reader::{GAP, connect, gap_of};
use crate::evidence::source::{Gap, Row, Told, ToldKind};
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;

/// Rows of each dictionary that are remembered: what is near in time has most in common.
const REMEMBERED: usize = 4_096;

/// See the module's text.
#[derive(Debug)]
pub struct Scan {
    connection: Connection,
}

impl Scan {
    /// Opens a file. What is written to it from now on is not seen.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path) -> rusqlite::Result<Scan> {
        let connection = connect(path)?;
        // Read only: it keeps what is read the same until the end, and nobody waits for it.
        connection.execute_batch("BEGIN")?;
        Ok(Scan { connection })
    }

    /// What it says of itself under this name in `meta`, if it does: `host`, `sensor`, `previous`.
    ///
    /// # Errors
    /// SQLite's.
    pub fn about(&self, name: &str) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT CAST(value AS TEXT) FROM meta WHERE name = ?1";
        Ok(self.connection.query_row(sql, [name], |row| row.get(0)).optional()?.flatten())
    }

    /// The digest of its last batch; `None`: it has none.
    ///
    /// # Errors
    /// SQLite's.
    pub fn digest(&self) -> rusqlite::Result<Option<[u8; 32]>> {
        let sql = "SELECT digest FROM batches ORDER BY number DESC LIMIT 1";
        self.connection.query_row(sql, [], |row| row.get(0)).optional()
    }

    /// When the first of it was, nanoseconds since 1970. Batches without a time, which have nothing in them, are passed over.
    ///
    /// # Errors
    /// SQLite's.
    pub fn first(&self) -> rusqlite::Result<u64> {
        let first: Option<i64> =
            self.connection.query_row("SELECT min(first) FROM batches WHERE first > 0", [], |row| row.get(0))?;
        Ok(u64::try_from(first.unwrap_or(0)).unwrap_or(0))
    }

    /// Events, in the order of time.
    ///
    /// # Errors
    /// SQLite's, and what `each` says.
    pub fn events<E: From<rusqlite::Error>>(&self, mut each: impl FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        let mut decoder = Decoder::remembering(&self.connection, REMEMBERED);
        let mut statement = self.connection.prepare(&format!("SELECT {COLUMNS} FROM events ORDER BY time"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(decoder.event(row)?)?;
        }
        Ok(())
    }

    /// What was told of this kind, in the order of time.
    ///
    /// # Errors
    /// SQLite's, and what `each` says.
    pub fn told<E: From<rusqlite::Error>>(
        &self,
        kind: ToldKind,
        mut each: impl FnMut(Told) -> Result<(), E>,
    ) -> Result<(), E> {
        let name = match kind {
            ToldKind::Alert => "alert",
            ToldKind::Incident => "incident",
            ToldKind::Coverage => "coverage",
        };
        let mut statement = self.connection.prepare("SELECT time, uid, incident, record FROM told WHERE rowid = ?1")?;
        for (time, id) in self.ordered(&format!("SELECT time, rowid FROM told WHERE kind = '{name}'"))? {
            let told = statement.query_row([id], |row| {
                Ok(Told {
                    time: u64::try_from(time).unwrap_or(0),
                    kind,
                    uid: row.get::<_, String>(1)?.into(),
                    incident: row.get::<_, Option<String>>(2)?.map(Into::into),
                    record: serde_json::from_str(&row.get::<_, String>(3)?).unwrap_or_default(),
                })
            })?;
            each(told)?;
        }
        Ok(())
    }

    /// What is missing, in the order of its ends, which is when it was known.
    ///
    /// # Errors
    /// SQLite's, and what `each` says.
    pub fn gaps<E: From<rusqlite::Error>>(&self, mut each: impl FnMut(Gap) -> Result<(), E>) -> Result<(), E> {
        let mut statement = self.connection.prepare(&format!("SELECT {GAP} FROM gaps WHERE rowid = ?1"))?;
        for (_, id) in self.ordered("SELECT to_time, rowid FROM gaps")? {
            each(statement.query_row([id], gap_of)?)?;
        }
        Ok(())
    }

    /// Times and numbers of rows, sorted here: SQLite would want a temporary file, for which there may be no place.
    fn ordered(&self, sql: &str) -> rusqlite::Result<Vec<(i64, i64)>> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut rows: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
        rows.sort_unstable();
        Ok(rows)
    }
}
