//! The check of one segment: every digest recomputed, every link followed, and what was signed of it.

use super::super::store::chain::{self, Link, Walked};
use super::encoding::of_hex;
use super::fault::{Fault, VerifyError, What};
use super::statement::Statement;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// The form of segments.
const VERSION: i64 = 1;
/// What an SQLite file begins with.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A segment that is as it was written.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its number.
    pub number: i64,
    /// First and last batch; `None`: there is none yet.
    pub batches: Option<(i64, i64)>,
    /// The digest of the last batch, or of the one that it will follow.
    pub digest: [u8; 32],
    /// Rows of `events`, `told` and `gaps`.
    pub rows: [i64; 3],
    /// The time of the batches.
    pub span: Option<(i64, i64)>,
}

/// What is known about a segment before it is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Its number.
    pub number: Option<i64>,
    /// The last batch before it, and its digest.
    pub after: Option<(i64, [u8; 32])>,
    /// What was signed of it.
    pub statement: Option<&'a Statement>,
}

/// Checks the segment in `file`.
///
/// # Errors
/// It cannot be read, or is not as it was written.
pub fn check(file: &Path, expected: &Expected) -> Result<Segment, VerifyError> {
    let at = |what| Box::new(Fault { place: file.to_owned(), segment: expected.number, batch: None, span: None, what });
    if let Some((has, needs)) = cut_off(file).map_err(|source| VerifyError::Io { place: file.to_owned(), source })? {
        return Err(at(What::CutOff(has, needs)).into());
    }
    let segment = read(file, expected).map_err(|error| match error {
        Stop::Fault(fault) => VerifyError::Fault(fault),
        Stop::Sqlite(error) => unreadable(file, error, at),
    })?;
    if let Some(statement) = expected.statement {
        signed(&segment, statement).map_err(at)?;
        let digest = sha256(file).map_err(|source| VerifyError::Io { place: file.to_owned(), source })?;
        if digest != statement.file_sha256 {
            return Err(at(What::AroundBatches).into());
        }
    }
    Ok(segment)
}

/// Why the walk through the batches ended.
enum Stop {
    Fault(Box<Fault>),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Stop {
        Stop::Sqlite(error)
    }
}

/// What SQLite says is a fault of the file, unless it is about the machine.
fn unreadable(file: &Path, error: rusqlite::Error, at: impl Fn(What) -> Box<Fault>) -> VerifyError {
    let machine =
        [ErrorCode::CannotOpen, ErrorCode::SystemIoFailure, ErrorCode::PermissionDenied, ErrorCode::DatabaseBusy];
    match error.sqlite_error_code() {
        Some(code) if machine.contains(&code) => {
            VerifyError::Io { place: file.to_owned(), source: io::Error::other(error) }
        }
        // Names of tables can be in it, and those are anybody's.
        _ => at(What::Damaged(error.to_string().escape_debug().collect())).into(),
    }
}

fn read(file: &Path, expected: &Expected) -> Result<Segment, Stop> {
    let connection = open(file)?;
    let fault = |batch: Option<&Link>, what| {
        Stop::Fault(Box::new(Fault {
            place: file.to_owned(),
            segment: expected.number,
            batch: batch.map(|batch| batch.number),
            span: batch.map(|batch| batch.span),
            what,
        }))
    };
    let described = description(&connection)?;
    let version = described.version;
    if version != Some(VERSION) {
        let reason = "it is of a form that this weir does not know: use a later weir";
        return Err(fault(None, What::Damaged(version.map_or("it has no version".to_owned(), |_| reason.to_owned()))));
    }
    let says = described.segment;
    let number = match (says, expected.number) {
        // A sealed incident need not have one.
        (says, None) => says.unwrap_or_default(),
        (Some(says), Some(number)) if says == number => says,
        _ => return Err(fault(None, What::Swapped(says.map_or("none".to_owned(), |says| says.to_string())))),
    };
    let before = described.previous.unwrap_or(chain::NOTHING);
    if expected.after.is_some_and(|(_, digest)| digest != before) {
        return Err(fault(None, What::SegmentUnlinked));
    }
    let mut segment = Segment { number, batches: None, digest: before, rows: [0; 3], span: None };
    let last_before = expected.after.map(|(batch, _)| batch);
    let walked = chain::walk(&connection, |link| {
        let what = wrong(&link, &segment, last_before);
        if let Some(what) = what {
            return Err(fault(Some(&link), what));
        }
        segment.add(&link);
        Ok(())
    })?;
    match walked {
        Walked::Whole => Ok(segment),
        Walked::Stray(batch) => Err(Stop::Fault(Box::new(Fault {
            place: file.to_owned(),
            segment: expected.number,
            batch,
            span: None,
            what: What::Stray,
        }))),
    }
}

impl Segment {
    fn add(&mut self, link: &Link) {
        self.batches = Some((self.batches.map_or(link.number, |(first, _)| first), link.number));
        self.digest = link.computed;
        for (sum, counted) in self.rows.iter_mut().zip(link.counted) {
            *sum += counted;
        }
        let (from, to) = self.span.unwrap_or(link.span);
        self.span = Some((from.min(link.span.0), to.max(link.span.1)));
    }
}

/// What is wrong with the batch that comes after those of `segment`, the most telling first.
fn wrong(link: &Link, segment: &Segment, last_before: Option<i64>) -> Option<What> {
    let next = segment.batches.map(|(_, last)| last).or(last_before).map(|last| last.saturating_add(1));
    if let Some(next) = next.filter(|next| *next != link.number) {
        let missing = next < link.number;
        return Some(if missing { What::BatchesMissing(next..=link.number - 1) } else { What::Unlinked });
    }
    if link.digest != Some(link.computed) {
        let tables = ["events", "told", "gaps"];
        let differ = tables
            .into_iter()
            .zip(link.stated.iter().zip(link.counted))
            .find(|(_, (stated, counted))| *stated != counted);
        return Some(match differ {
            Some((table, (stated, counted))) if *stated > counted => {
                What::Deleted(table, stated.saturating_sub(counted))
            }
            Some((table, (stated, counted))) => What::Added(table, counted.saturating_sub(*stated)),
            None => What::Edited,
        });
    }
    (link.previous != Some(segment.digest)).then_some(What::Unlinked)
}

/// Whether it is what was signed.
fn signed(segment: &Segment, statement: &Statement) -> Result<(), What> {
    if statement.segment != segment.number {
        return Err(What::Signature(format!("it is the one of segment {}", statement.segment)));
    }
    let [first, last] = statement.batches;
    match segment.batches {
        Some((begin, end)) if begin == first && end < last => Err(What::BatchesMissing(end + 1..=last)),
        None if first <= last => Err(What::BatchesMissing(first..=last)),
        Some(batches) if batches != (first, last) => Err(What::Rewritten),
        _ if segment.digest != statement.digest => Err(What::Rewritten),
        _ => Ok(()),
    }
}

/// What a segment says of itself.
struct Description {
    version: Option<i64>,
    segment: Option<i64>,
    previous: Option<[u8; 32]>,
}

fn description(connection: &Connection) -> rusqlite::Result<Description> {
    let value =
        |name| connection.query_row("SELECT value FROM main.meta WHERE name = ?1", [name], |row| row.get(0)).optional();
    let number = |value| match value {
        Some(Value::Integer(number)) => Some(number),
        Some(Value::Text(text)) => text.parse().ok(),
        _ => None,
    };
    let digest = |value| match value {
        Some(Value::Text(text)) => of_hex(&text),
        _ => None,
    };
    Ok(Description {
        version: number(value("version")?),
        segment: number(value("segment")?),
        previous: digest(value("previous")?),
    })
}

/// Opens a segment to be read and nothing else. Where no write-ahead log is beside it, not even the files that SQLite makes for
/// readers are made: what is checked stays as it is, and can be on a medium that cannot be written.
fn open(file: &Path) -> rusqlite::Result<Connection> {
    let immutable = if log_of(file).metadata().is_ok_and(|log| log.len() > 0) { "" } else { "&immutable=1" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(file, immutable), flags)?;
    // Nothing that the file brings along is run, and damage inside of a page is an error.
    connection
        .execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA query_only = ON; BEGIN")?;
    Ok(connection)
}

fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// A path as SQLite takes it in a URI (<https://www.sqlite.org/uri.html>).
fn uri(file: &Path, more: &str) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    let path = percent_encoding::percent_encode(file.as_os_str().as_bytes(), PATH);
    // A path that is not absolute would be taken for a host's name.
    let begin = if file.is_absolute() { "" } else { "./" };
    format!("file:{begin}{path}?mode=ro{more}").into()
}

const PATH: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// The bytes that the file has, and that its header says it has, if those are more.
fn cut_off(file: &Path) -> io::Result<Option<(u64, u64)>> {
    let mut opened = File::open(file)?;
    let has = opened.metadata()?.len();
    let mut header = [0; 32];
    if has < 100 {
        // An SQLite file begins with a header of 100 bytes; one whose first transaction is in the log alone has none.
        return Ok((has > 0).then_some((has, 100)));
    }
    opened.read_exact(&mut header)?;
    let [.., a, b, c, d] = header;
    let pages = u64::from(u32::from_be_bytes([a, b, c, d]));
    let size = match (header.get(16), header.get(17)) {
        // 1 stands for 65,536.
        (Some(0), Some(1)) => 65_536,
        (Some(high), Some(low)) => u64::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    };
    let needs = pages * size;
    Ok((header.starts_with(MAGIC) && has < needs).then_some((has, needs)))
}

/// Of a file.
pub fn sha256(file: &Path) -> io::Result<[u8; 32]> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut digest = Sha256::new();
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(digest.finalize().into());
        }
        digest.update(bytes);
        let read = bytes.len();
        file.consume(read);
    }
}
