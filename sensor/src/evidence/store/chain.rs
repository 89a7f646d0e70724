//! The chain of a segment's batches: what the digest of a batch is over.
//!
//! `digest = SHA-256(previous || canonical bytes)`. The canonical bytes of a batch are its rows, table by table:
//!
//! - first `events`, then the other tables that have a column `batch`, by name, then `told`, `gaps`, and last the row of `batches`
//!   itself, without its columns `previous` and `digest`. A table without rows of the batch is left out.
//! - A table is the byte 0xff, its name, and for each column, in the table's order, the byte 0xfd and the column's name; then its rows in
//!   the order of the rowid. UTF-8 has none of these bytes, so a name ends where the next begins.
//! - A row is the byte 0xfe and its values. A value is SQLite's type (0 null, 1 integer, 2 real, 3 text, 4 blob), for texts and blobs
//!   the length (four bytes, big endian), and the bytes (numbers: eight, big endian).
//!
//! [`Digest`] makes one out of rows as they are written, [`digest`] and [`walk`] out of what is in the database, by the columns
//! that it says it has. They agree, or the batch was changed. The format is for ever: what is signed rests on it.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Rows};
use sha2::{Digest as _, Sha256};

#[cfg(test)]
mod tests;

/// What the first batch of a store follows.
pub const NOTHING: [u8; 32] = [0; 32];

/// Tables with a column `batch`, first and last; the others are between them, by name.
const FIRST: [&str; 1] = ["events"];
const LAST: [&str; 2] = ["told", "gaps"];
/// Most tables, and most columns of one, that are looked at: a segment has a dozen of each.
const TABLES_MAX: usize = 64;
const COLUMNS_MAX: usize = 128;

/// The digest of a batch in the making. Begin a table, then its rows, in the order that the module says.
#[derive(Clone)]
pub struct Digest(Sha256);

impl Digest {
    /// Of a batch that follows the one with the digest `previous`.
    pub fn new(previous: &[u8; 32]) -> Digest {
        Digest(Sha256::new_with_prefix(previous))
    }

    /// Rows of this table follow. Not called for a table that has none in the batch.
    pub fn table<'a>(&mut self, name: &str, columns: impl IntoIterator<Item = &'a str>) {
        self.0.update([0xff]);
        self.0.update(name);
        for column in columns {
            self.0.update([0xfd]);
            self.0.update(column);
        }
    }

    /// A row's values, in the order of the table's columns.
    pub fn row<'a>(&mut self, values: impl IntoIterator<Item = ValueRef<'a>>) {
        self.0.update([0xfe]);
        for value in values {
            self.value(value);
        }
    }

    fn value(&mut self, value: ValueRef) {
        match value {
            ValueRef::Null => self.0.update([0]),
            ValueRef::Integer(number) => self.number(1, number.to_be_bytes()),
            ValueRef::Real(number) => self.number(2, number.to_be_bytes()),
            ValueRef::Text(bytes) => self.bytes(3, bytes),
            ValueRef::Blob(bytes) => self.bytes(4, bytes),
        }
    }

    fn number(&mut self, kind: u8, bytes: [u8; 8]) {
        let [a, b, c, d, e, f, g, h] = bytes;
        self.0.update([kind, a, b, c, d, e, f, g, h]);
    }

    /// SQLite's own limit of a value is 2^31 bytes; the length always fits.
    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        let [a, b, c, d] = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        self.0.update([kind, a, b, c, d]);
        self.0.update(bytes);
    }

    /// The digest, once all of the batch is in it.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// What the batch `number` has for a digest by what is in the database now. For a look at one batch: it reads whole tables.
///
/// # Errors
/// There is no such batch, the tables are not a segment's, or the file cannot be read.
pub fn digest(connection: &Connection, number: i64) -> rusqlite::Result<[u8; 32]> {
    let tables = tables(connection)?;
    let mut statements = Vec::new();
    for table in &tables {
        statements.push(connection.prepare(&table.select(&format!("WHERE {} = ?1", table.key)))?);
    }
    let mut digest = Digest::new(&previous(connection, number)?);
    for (table, statement) in tables.iter().zip(&mut statements) {
        let mut rows = statement.query([number])?;
        let mut begun = false;
        while let Some(row) = rows.next()? {
            table.add(&mut digest, row, &mut begun)?;
        }
    }
    Ok(digest.finish())
}

/// A batch, as it says it is and as it is.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its number.
    pub number: i64,
    /// The times of its rows, as it says.
    pub span: (i64, i64),
    /// Rows of `events`, `told` and `gaps`, as it says.
    pub stated: [i64; 3],
    /// Those that are there.
    pub counted: [i64; 3],
    /// The digest that it follows, as it says; `None`: there is none.
    pub previous: Option<[u8; 32]>,
    /// Its digest, as it says.
    pub digest: Option<[u8; 32]>,
    /// What its digest is.
    pub computed: [u8; 32],
}

/// What goes through the batches found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walked {
    /// Every row is of a batch.
    Whole,
    /// There are rows of a batch that is not there; the last one before it, if there is any.
    Stray(Option<i64>),
}

/// Goes through all batches by their numbers and tells `each` of them; every table is read once, so what is read should be one
/// transaction.
///
/// # Errors
/// The tables are not a segment's, the file cannot be read, or `each` says so.
pub fn walk<E: From<rusqlite::Error>>(
    connection: &Connection,
    mut each: impl FnMut(Link) -> Result<(), E>,
) -> Result<Walked, E> {
    let tables = tables(connection)?;
    let mut statements = Vec::new();
    for table in &tables {
        statements.push(connection.prepare(&table.select(""))?);
    }
    let mut cursors = Vec::new();
    for (table, statement) in tables.iter().zip(&mut statements) {
        let mut rows = statement.query([])?;
        rows.advance()?;
        cursors.push((table, rows));
    }
    let mut batches = connection.prepare(
        "SELECT number, first, last, rows, told, gaps, previous, digest FROM main.batches NOT INDEXED ORDER BY rowid",
    )?;
    let mut batches = batches.query([])?;
    let mut before = None;
    while let Some(batch) = batches.next()? {
        let number = batch.get(0)?;
        let previous = bytes(batch.get_ref(6)?);
        let mut digest = Digest::new(&previous.unwrap_or(NOTHING));
        let mut counted = [0; 3];
        for (table, rows) in &mut cursors {
            let taken = table.take(rows, number, &mut digest)?;
            let place = ["events", "told", "gaps"].iter().position(|name| *name == table.name);
            if let Some(count) = place.and_then(|place| counted.get_mut(place)) {
                *count = taken;
            }
        }
        if stray(&cursors, number)? {
            return Ok(Walked::Stray(before));
        }
        each(Link {
            number,
            span: (batch.get(1)?, batch.get(2)?),
            stated: [batch.get(3)?, batch.get(4)?, batch.get(5)?],
            counted,
            previous,
            digest: bytes(batch.get_ref(7)?),
            computed: digest.finish(),
        })?;
        before = Some(number);
    }
    let left = cursors.iter().any(|(_, rows)| rows.get().is_some());
    Ok(if left { Walked::Stray(before) } else { Walked::Whole })
}

/// Whether a row is left that should have come before or with this batch.
fn stray(cursors: &[(&Table, Rows)], number: i64) -> rusqlite::Result<bool> {
    for (_, rows) in cursors {
        if let Some(row) = rows.get()
            && !matches!(row.get_ref(0)?, ValueRef::Integer(batch) if batch > number)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn bytes(value: ValueRef) -> Option<[u8; 32]> {
    match value {
        ValueRef::Blob(bytes) => bytes.try_into().ok(),
        _ => None,
    }
}

fn previous(connection: &Connection, number: i64) -> rusqlite::Result<[u8; 32]> {
    connection.query_row("SELECT previous FROM batches WHERE number = ?1", [number], |row| row.get(0))
}

/// A table of a segment, as far as the chain goes.
struct Table {
    name: String,
    /// In the table's order; of `batches` without those that hold the chain.
    columns: Vec<String>,
    /// The column that says which batch a row is of.
    key: &'static str,
}

impl Table {
    /// Its rows with the batch first. No index is asked: one can be made to hide rows.
    fn select(&self, end: &str) -> String {
        let columns: String = self.columns.iter().map(|column| format!(", {}", quoted(column))).collect();
        format!(
            "SELECT {}{columns} FROM main.{} NOT INDEXED {end} ORDER BY {}, rowid",
            self.key,
            quoted(&self.name),
            self.key
        )
    }

    /// Adds the rows of this batch, which come next if there are any; how many there were.
    fn take(&self, rows: &mut Rows, number: i64, digest: &mut Digest) -> rusqlite::Result<i64> {
        let mut taken = 0;
        while let Some(row) = rows.get()
            && row.get_ref(0)? == ValueRef::Integer(number)
        {
            self.add(digest, row, &mut (taken > 0))?;
            taken += 1;
            rows.advance()?;
        }
        Ok(taken)
    }

    fn add(&self, digest: &mut Digest, row: &Row, begun: &mut bool) -> rusqlite::Result<()> {
        if !std::mem::replace(begun, true) {
            digest.table(&self.name, self.columns.iter().map(String::as_str));
        }
        let values: rusqlite::Result<Vec<ValueRef>> = (1..=self.columns.len()).map(|at| row.get_ref(at)).collect();
        digest.row(values?);
        Ok(())
    }
}

/// The tables that a batch has rows in, in the order of the canonical bytes.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut names =
        names(connection, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name")?;
    let place = |name: &str| match FIRST.iter().position(|first| *first == name) {
        Some(_) => 0,
        None => LAST.iter().position(|last| *last == name).map_or(1, |place| place + 2),
    };
    // Stable: those between stay by name.
    names.sort_by_key(|name| place(name));
    let mut tables = Vec::new();
    for name in names.into_iter().filter(|name| name != "batches").take(TABLES_MAX) {
        let columns = columns(connection, &name)?;
        if columns.iter().any(|column| column == "batch") {
            tables.push(Table { name, columns, key: "batch" });
        }
    }
    let own =
        columns(connection, "batches")?.into_iter().filter(|name| name != "previous" && name != "digest").collect();
    tables.push(Table { name: "batches".into(), columns: own, key: "number" });
    Ok(tables)
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    names(connection, &format!("SELECT name FROM pragma_table_info({}) ORDER BY cid", literal(table)))
}

fn names(connection: &Connection, query: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(query)?;
    statement.query_map([], |row| row.get(0))?.take(COLUMNS_MAX).collect()
}

/// A name as SQL writes it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
