//! Reads a store: the directory that a sensor writes, a copy of it, or one file.
//!
//! Files are opened to be read only. What cannot be read is a gap of place `damage`, and the rest is read all the same.

use super::decode::{COLUMNS, Decoder};
use super::directory::{databases, number_of};
use crate::evidence::source::{Filter, Gap, Row, Rows, Source, SourceError, Told, ToldKind};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a reader waits for the writer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of statements' results that are sorted in memory are SQLite's own affair; most rows without a limit are ours.
const LIMIT_MAX: usize = 10_000_000;

/// A file of the store.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where.
    pub path: PathBuf,
    /// A segment's number; `None`: a copy of an incident.
    pub number: Option<u64>,
    /// The times of its first and last row; `None`: it has none yet.
    pub span: Option<(u64, u64)>,
}

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Reader {
    place: PathBuf,
    parts: Vec<Part>,
    damage: Vec<Gap>,
}

impl Reader {
    /// Looks for files: `path` is a store, a directory with segments in it, or one file.
    ///
    /// # Errors
    /// There is none, or none can be read.
    pub fn open(path: &Path) -> Result<Reader, SourceError> {
        let fail = |reason: String| SourceError { place: path.display().to_string(), reason };
        let mut reader = Reader { place: path.to_owned(), parts: Vec::new(), damage: Vec::new() };
        reader.look().map_err(|error| {
            fail(format!(
                "it cannot be read ({error}): give the directory of `weir run --evidence`, a copy, or one file of it"
            ))
        })?;
        if reader.parts.is_empty() && reader.damage.is_empty() {
            return Err(fail("there is no evidence in it: give the directory of `weir run --evidence`".to_owned()));
        }
        Ok(reader)
    }

    /// The files that can be read: segments by number, then incidents.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What cannot be read: gaps of place `damage`.
    pub fn damage(&self) -> &[Gap] {
        &self.damage
    }

    fn look(&mut self) -> std::io::Result<()> {
        let mut segments = Vec::new();
        let mut incidents = Vec::new();
        if std::fs::metadata(&self.place)?.is_file() {
            segments.push(self.place.clone());
        } else {
            let below = self.place.join("segments");
            segments = databases(if below.is_dir() { &below } else { &self.place })?;
            incidents = databases(&self.place.join("incidents")).unwrap_or_default();
        }
        let mut unread = Vec::new();
        for path in segments {
            match span_of(&path) {
                Ok(span) => self.parts.push(Part { number: number_of(&path), path, span }),
                Err(error) => unread.push((path, error)),
            }
        }
        for path in incidents {
            match span_of(&path) {
                Ok(span) => self.parts.push(Part { number: None, path, span }),
                Err(error) => unread.push((path, error)),
            }
        }
        for (path, error) in unread {
            // Numbers rise with time: what was in it is between its neighbours.
            let own = number_of(&path);
            let numbered = |part: &&Part| part.number.is_some();
            let before =
                self.parts.iter().filter(numbered).filter(|part| part.number < own).filter_map(|p| p.span).next_back();
            let after = self.parts.iter().filter(numbered).find(|part| part.number > own).and_then(|part| part.span);
            let (from, to) = (before.map_or(0, |(_, last)| last), after.map_or(u64::MAX, |(first, _)| first));
            self.damage.push(damage(&path, from, to, &error));
        }
        Ok(())
    }

    /// Does something with each part that has something of this time, in the order of time; what fails is a gap.
    fn each(
        &mut self,
        (from, to): (u64, u64),
        mut work: impl FnMut(&Part, &Connection) -> rusqlite::Result<bool>,
    ) -> Result<(), SourceError> {
        let mut parts: Vec<&Part> = self.parts.iter().collect();
        parts.sort_by_key(|part| (part.number.is_none(), part.span.map_or(u64::MAX, |(first, _)| first)));
        for part in parts {
            let Some((first, last)) = part.span.filter(|(first, last)| *first <= to && *last >= from) else { continue };
            match connect(&part.path).and_then(|connection| work(part, &connection)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let gap = damage(&part.path, first, last, &error);
                    if !self.damage.contains(&gap) {
                        self.damage.push(gap);
                    }
                }
            }
        }
        if self.parts.is_empty() {
            let reason = "no file of it can be read: they are damaged, or no segments".to_owned();
            return Err(SourceError { place: self.place.display().to_string(), reason });
        }
        Ok(())
    }
}

impl Source for Reader {
    fn rows(&mut self, filter: &Filter) -> Result<Rows, SourceError> {
        let limit = filter.limit.min(LIMIT_MAX);
        // By time, which no two rows of a store share but copies of one.
        let mut found: BTreeMap<u64, Row> = BTreeMap::new();
        self.each((filter.from, filter.to), |part, connection| {
            // Enough was found before this one begins. Incidents come last, and from any time.
            let last = found.keys().nth(limit).copied();
            if let (Some(last), Some((first, _)), true) = (last, part.span, part.number.is_some())
                && first > last
            {
                return Ok(true);
            }
            rows_of(connection, filter, limit, &mut found)?;
            Ok(true)
        })?;
        let cut = found.len() > limit;
        Ok(Rows { rows: found.into_values().take(limit).collect(), cut })
    }

    fn told(&mut self, from: u64, to: u64, incidents: &BTreeSet<Box<str>>) -> Result<Vec<Told>, SourceError> {
        let mut found: BTreeMap<(u64, String), Told> = BTreeMap::new();
        let everything = if incidents.is_empty() { (from, to) } else { (0, u64::MAX) };
        let list = json!(incidents).to_string();
        self.each(everything, |_, connection| {
            let sql = "SELECT uid, time, kind, incident, record FROM told \
                       WHERE time BETWEEN ?1 AND ?2 OR incident IN (SELECT value FROM json_each(?3))";
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query(params![sql_time(from), sql_time(to), list])?;
            while let Some(row) = rows.next()? {
                let uid: String = row.get(0)?;
                let time = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
                let kind = match row.get::<_, String>(2)?.as_str() {
                    "alert" => ToldKind::Alert,
                    "incident" => ToldKind::Incident,
                    "coverage" => ToldKind::Coverage,
                    _ => continue,
                };
                let incident = row.get::<_, Option<String>>(3)?.map(Into::into);
                let record = serde_json::from_str(&row.get::<_, String>(4)?).unwrap_or_default();
                let told = Told { time, kind, uid: uid.clone().into(), incident, record };
                found.insert((time, uid), told);
            }
            Ok(true)
        })?;
        Ok(found.into_values().collect())
    }

    fn gaps(&mut self, from: u64, to: u64) -> Result<Vec<Gap>, SourceError> {
        let mut found = Vec::new();
        self.each((from, u64::MAX), |_, connection| {
            let sql = format!("SELECT {GAP} FROM gaps WHERE from_time <= ?2 AND to_time >= ?1");
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query(params![sql_time(from), sql_time(to)])?;
            while let Some(row) = rows.next()? {
                let gap = gap_of(row)?;
                if !found.contains(&gap) {
                    found.push(gap);
                }
            }
            Ok(true)
        })?;
        found.extend(self.removed());
        found.extend(self.damage.iter().cloned());
        found.retain(|gap| gap.is_of(from, to));
        found.sort_by_key(|gap| (gap.from, gap.to));
        Ok(found)
    }

    fn span(&mut self) -> Result<Option<(u64, u64)>, SourceError> {
        let spans = self.parts.iter().filter_map(|part| part.span);
        Ok(spans.reduce(|(first, last), (other_first, other_last)| (first.min(other_first), last.max(other_last))))
    }
}

impl Reader {
    /// Segments that are not there any more, at the beginning or between others.
    fn removed(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut before: Option<(u64, u64)> = None;
        for part in &self.parts {
            let (Some(number), Some((first, last))) = (part.number, part.span) else { continue };
            let (expected, since) = before.map_or((1, 0), |(number, last)| (number + 1, last));
            let is_one_file = self.place.is_file();
            let is_damaged = self.damage.iter().any(|gap| gap.from <= first && gap.to >= since);
            if number > expected && !is_one_file && !is_damaged {
                let cause = format!("{} segments were removed", number - expected).into();
                let to = first.saturating_sub(1);
                gaps.push(Gap { from: since, to, place: "retention".into(), cause, kind: None, count: None });
            }
            before = Some((number, last));
        }
        gaps
    }
}

/// The columns that [`gap_of`] reads.
pub const GAP: &str = "from_time, to_time, place, cause, kind, count";

/// A row of `gaps`.
pub fn gap_of(row: &rusqlite::Row) -> rusqlite::Result<Gap> {
    let time = |place| row.get::<_, i64>(place).map(|time| u64::try_from(time).unwrap_or(0));
    let text = |place| row.get::<_, String>(place).map(Into::into);
    Ok(Gap {
        from: time(0)?,
        to: time(1)?,
        place: text(2)?,
        cause: text(3)?,
        kind: row.get::<_, Option<String>>(4)?.map(Into::into),
        count: row.get::<_, Option<i64>>(5)?.and_then(|count| u64::try_from(count).ok()),
    })
}

/// Opens a file to read it; one on a medium that cannot be written as well.
pub fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let open = |end: &str| -> rusqlite::Result<Connection> {
        let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let connection = Connection::open_with_flags(format!("file:{escaped}{end}"), flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok(connection)
    };
    let opened = match open("?mode=ro") {
        // Who wrote it was killed amid a transaction without the log: what there is of it is taken back first, as any reader of
        // SQLite does that may write.
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly) => {
            let writer = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            writer.busy_timeout(PATIENCE)?;
            writer.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
            drop(writer);
            open("?mode=ro")
        }
        opened => opened,
    };
    match opened {
        // Where nothing can be written, not even locks. What is in the log would be passed over: there must be none.
        Err(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen)
                && std::fs::metadata(path.with_extension("db-wal")).map_or(true, |log| log.len() == 0) =>
        {
            open("?mode=ro&immutable=1")
        }
        result => result,
    }
}

/// The last batch of a segment: its number, its digest, and its time.
pub fn end_of(path: &Path) -> Option<(i64, [u8; 32], i64)> {
    let connection = connect(path).ok()?;
    let sql = "SELECT number, digest, last FROM batches ORDER BY number DESC LIMIT 1";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).ok()
}

fn span_of(path: &Path) -> rusqlite::Result<Option<(u64, u64)>> {
    let connection = connect(path)?;
    let sql = "SELECT min(first), max(last) FROM batches";
    let span: Option<(Option<i64>, Option<i64>)> =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let time = |time: i64| u64::try_from(time).unwrap_or(0);
    Ok(span.and_then(|(first, last)| Some((time(first?), time(last?)))))
}

fn damage(path: &Path, from: u64, to: u64, error: &rusqlite::Error) -> Gap {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let cause = format!("{name} cannot be read: {error}").into();
    Gap { from, to, place: "damage".into(), cause, kind: None, count: None }
}

fn sql_time(time: u64) -> i64 {
    super::content::integer(time)
}

/// What of a segment matches; at most one more than the limit.
fn rows_of(
    connection: &Connection,
    filter: &Filter,
    limit: usize,
    found: &mut BTreeMap<u64, Row>,
) -> rusqlite::Result<()> {
    let mut decoder = Decoder::new(connection);
    let (from, to, most) = (sql_time(filter.from), sql_time(filter.to), sql_time(limit as u64 + 1));
    let ids = Ids::of(connection, filter)?;
    let wanted = match &ids {
        None => String::new(),
        Some(ids) if ids.is_empty() => return Ok(()),
        Some(ids) => ids.condition(),
    };
    let sql = format!("SELECT {COLUMNS} FROM events WHERE time BETWEEN ?1 AND ?2{wanted} ORDER BY time LIMIT ?3");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params![from, to, most])?;
    while let Some(row) = rows.next()? {
        let row = decoder.event(row)?;
        found.entry(row.time).or_insert(row);
    }
    Ok(())
}

/// The rows of dictionaries that a filter names.
#[derive(Default)]
struct Ids {
    processes: Vec<i64>,
    workloads: Vec<i64>,
    objects: Vec<i64>,
}

impl Ids {
    /// `None`: it names nothing, so that everything matches.
    fn of(connection: &Connection, filter: &Filter) -> rusqlite::Result<Option<Ids>> {
        let Filter { processes, lineages, workloads, files, paths, .. } = filter;
        if [processes, lineages, workloads, files, paths].iter().all(|set| set.is_empty()) {
            return Ok(None);
        }
        let list = |set: &BTreeSet<Box<str>>| json!(set).to_string();
        let ids = |sql: &str, sets: &[String]| -> rusqlite::Result<Vec<i64>> {
            let mut statement = connection.prepare(sql)?;
            let ids = statement.query_map(rusqlite::params_from_iter(sets), |row| row.get(0))?;
            ids.collect()
        };
        let mut found = Ids::default();
        if !(processes.is_empty() && lineages.is_empty()) {
            let sql = "SELECT id FROM processes WHERE \"weir.process.id\" IN (SELECT value FROM json_each(?1)) \
                       OR \"weir.lineage.id\" IN (SELECT id FROM texts WHERE text IN (SELECT value FROM json_each(?2)))";
            found.processes = ids(sql, &[list(processes), list(lineages)])?;
        }
        if !workloads.is_empty() {
            let sql = "SELECT id FROM workloads WHERE \"weir.workload.id\" IN (SELECT value FROM json_each(?1))";
            found.workloads = ids(sql, &[list(workloads)])?;
        }
        if !(processes.is_empty() && files.is_empty() && paths.is_empty()) {
            let sql = "SELECT o.id FROM objects o LEFT JOIN texts d ON d.id = o.\"weir.file.device\" \
                       WHERE o.\"weir.process.child.id\" IN (SELECT value FROM json_each(?1)) \
                       OR d.text || '/' || o.\"file.inode\" IN (SELECT value FROM json_each(?2)) \
                       OR o.\"file.path\" IN (SELECT value FROM json_each(?3)) \
                       OR o.\"weir.file.new_path\" IN (SELECT value FROM json_each(?3))";
            found.objects = ids(sql, &[list(processes), list(files), list(paths)])?;
        }
        Ok(Some(found))
    }

    fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.workloads.is_empty() && self.objects.is_empty()
    }

    /// As SQL. The numbers are our own: nothing has to be escaped.
    fn condition(&self) -> String {
        let one = |column: &str, ids: &[i64]| {
            let list: Vec<String> = ids.iter().map(ToString::to_string).collect();
            (!ids.is_empty()).then(|| format!("{column} IN ({})", list.join(", ")))
        };
        let all = [one("process", &self.processes), one("workload", &self.workloads), one("object", &self.objects)];
        format!(" AND ({})", all.into_iter().flatten().collect::<Vec<_>>().join(" OR "))
    }
}
