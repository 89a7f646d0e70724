//! Copies what belongs to an incident out of a segment that is about to go, into a file that stays: the same tables, a chain of its own,
//! and in `meta` from which segments it came.

use super::content::{Content, EventRow, NewRow, ToldRow};
use super::directory::Directory;
use super::reader::connect;
use super::schema::Dictionary;
use super::scope::Scope;
use super::segment::{About, BEGINNING, Segment, SegmentError, hex};
use crate::evidence::source::Gap;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

/// Events of a batch.
const BATCH: usize = 5_000;

/// Copies what is of this scope in `segment` to the file of `incident`; says whether there was anything.
pub fn copy(directory: &Directory, segment: &Path, incident: &str, scope: &Scope) -> Result<bool, SegmentError> {
    let Some(path) = directory.incident(incident) else { return Ok(false) };
    let from = connect(segment)?;
    let meta = |name: &str| -> rusqlite::Result<Option<String>> {
        from.query_row("SELECT CAST(value AS TEXT) FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
    };
    let number = meta("segment")?.unwrap_or_default();
    let mut copier = Copier { from: &from, ids: HashMap::new(), last: [0; 7], content: Content::default() };
    let now = i64::try_from(scope.to).unwrap_or(i64::MAX);
    let mut into: Option<Segment> = None;
    let mut is_new = false;
    let mut open = |copier: &mut Copier| -> Result<Segment, SegmentError> {
        let boot = incident;
        if path.exists() {
            // It is not what was signed any more, and is signed again when this is done.
            let _ = std::fs::remove_file(path.with_extension("sig"));
            let (segment, last) = Segment::resume(&path, 0, boot)?;
            copier.last = last;
            return Ok(segment);
        }
        is_new = true;
        let text = |name: &str| meta(name).map(Option::unwrap_or_default);
        let about = About {
            host: text("host")?,
            sensor: text("sensor")?,
            // What tells whose file it is, where a segment has the boot.
            boot: boot.to_owned(),
            recording: String::new(),
        };
        Segment::create(&path, 0, &about, BEGINNING, now)
    };
    let (told, gaps) = (told(&from, incident, scope)?, gaps(&from, scope)?);
    let sql = format!(
        "SELECT time, kind, process, workload, object, trail, title, thread, shape, bytes, rest FROM events \
         WHERE time BETWEEN ?1 AND ?2 AND ({CONDITION}) ORDER BY time"
    );
    let time = super::content::integer;
    let (processes, lineages, workloads) =
        (json!(scope.processes).to_string(), json!(scope.lineages).to_string(), json!(scope.workloads).to_string());
    let mut statement = from.prepare(&sql)?;
    let mut rows = statement.query(params![time(scope.from), time(scope.to), processes, lineages, workloads])?;
    let mut is_first = true;
    loop {
        let row = rows.next()?;
        if let Some(row) = row {
            // Before the first number of the file is given.
            if into.is_none() {
                into = Some(open(&mut copier)?);
            }
            copier.event(row)?;
        }
        let is_end = row.is_none();
        if is_end && is_first && copier.content.events.is_empty() && told.is_empty() {
            return Ok(false);
        }
        if is_end || copier.content.events.len() >= BATCH {
            if into.is_none() {
                into = Some(open(&mut copier)?);
            }
            let Some(into) = &mut into else { return Ok(false) };
            let mut content = std::mem::take(&mut copier.content);
            content.now = now;
            if std::mem::take(&mut is_first) {
                content.told.clone_from(&told);
                content.gaps.clone_from(&gaps);
            }
            into.write(&content)?;
        }
        if is_end {
            break;
        }
    }
    drop(rows);
    let digest: Option<Vec<u8>> =
        from.query_row("SELECT digest FROM batches ORDER BY number DESC LIMIT 1", [], |row| row.get(0)).optional()?;
    if let Some(into) = into {
        into.came_from(&number, &hex(&digest.unwrap_or_default()))?;
    }
    Ok(true)
}

/// Whose events are copied: those of processes, lineages and workloads, and forks that made the processes.
const CONDITION: &str = "process IN (SELECT id FROM processes WHERE \"weir.process.id\" IN (SELECT value FROM json_each(?3)) \
     OR \"weir.lineage.id\" IN (SELECT id FROM texts WHERE text IN (SELECT value FROM json_each(?4)))) \
     OR workload IN (SELECT id FROM workloads WHERE \"weir.workload.id\" IN (SELECT value FROM json_each(?5))) \
     OR object IN (SELECT id FROM objects WHERE \"weir.process.child.id\" IN (SELECT value FROM json_each(?3)))";

fn told(from: &Connection, incident: &str, scope: &Scope) -> rusqlite::Result<Vec<ToldRow>> {
    let sql = "SELECT uid, revision, time, kind, incident, record FROM told \
               WHERE incident = ?1 OR (kind = 'coverage' AND time BETWEEN ?2 AND ?3) ORDER BY rowid";
    let time = super::content::integer;
    let mut statement = from.prepare(sql)?;
    let told = statement.query_map(params![incident, time(scope.from), time(scope.to)], |row| {
        Ok(ToldRow {
            uid: row.get(0)?,
            revision: row.get(1)?,
            time: row.get(2)?,
            kind: row.get(3)?,
            incident: row.get(4)?,
            record: row.get(5)?,
        })
    })?;
    told.collect()
}

fn gaps(from: &Connection, scope: &Scope) -> rusqlite::Result<Vec<Gap>> {
    let sql = "SELECT from_time, to_time, place, cause, kind, count FROM gaps \
               WHERE from_time <= ?2 AND to_time >= ?1 ORDER BY rowid";
    let time = super::content::integer;
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let mut statement = from.prepare(sql)?;
    let gaps = statement.query_map(params![time(scope.from), time(scope.to)], |row| {
        Ok(Gap {
            from: number(row.get(0)?),
            to: number(row.get(1)?),
            place: row.get::<_, String>(2)?.into(),
            cause: row.get::<_, String>(3)?.into(),
            kind: row.get::<_, Option<String>>(4)?.map(Into::into),
            count: row.get::<_, Option<i64>>(5)?.map(number),
        })
    })?;
    gaps.collect()
}

/// Gives the rows that events refer to new numbers.
struct Copier<'c> {
    from: &'c Connection,
    ids: HashMap<(Dictionary, i64), i64>,
    last: [i64; Dictionary::ALL.len()],
    content: Content,
}

impl Copier<'_> {
    fn event(&mut self, row: &rusqlite::Row) -> rusqlite::Result<()> {
        let number = |place: usize| row.get::<_, Option<i64>>(place);
        let event = EventRow {
            time: row.get(0)?,
            kind: self.row(Dictionary::Kinds, number(1)?)?.unwrap_or(0),
            process: self.row(Dictionary::Processes, number(2)?)?,
            workload: self.row(Dictionary::Workloads, number(3)?)?,
            object: self.row(Dictionary::Objects, number(4)?)?,
            trail: self.row(Dictionary::Trails, number(5)?)?,
            title: self.row(Dictionary::Texts, number(6)?)?,
            thread: number(7)?,
            shape: self.row(Dictionary::Shapes, number(8)?)?,
            bytes: number(9)?,
            rest: row.get(10)?,
        };
        self.content.events.push(event);
        Ok(())
    }

    fn row(&mut self, dictionary: Dictionary, id: Option<i64>) -> rusqlite::Result<Option<i64>> {
        let Some(id) = id else { return Ok(None) };
        if let Some(known) = self.ids.get(&(dictionary, id)) {
            return Ok(Some(*known));
        }
        let columns = dictionary.columns();
        let sql = format!("SELECT {} FROM {} WHERE id = ?1", dictionary.column_list(), dictionary.name());
        let read = |row: &rusqlite::Row| (2..columns.len() + 2).map(|place| row.get(place)).collect();
        let values: Option<Vec<Value>> = self.from.prepare_cached(&sql)?.query_row([id], read).optional()?;
        let Some(mut values) = values else { return Ok(None) };
        for (value, (_, is_text)) in values.iter_mut().zip(columns) {
            if let (true, &mut Value::Integer(text)) = (is_text, &mut *value) {
                *value = self.row(Dictionary::Texts, Some(text))?.map_or(Value::Null, Value::Integer);
            }
        }
        Ok(Some(self.add(dictionary, id, values)))
    }

    fn add(&mut self, dictionary: Dictionary, old: i64, values: Vec<Value>) -> i64 {
        let place = dictionary as usize;
        let (Some(last), Some(new)) = (self.last.get_mut(place), self.content.dictionaries.get_mut(place)) else {
            return 0;
        };
        *last += 1;
        let row: NewRow = (*last, values);
        new.push(row);
        self.ids.insert((dictionary, old), *last);
        *last
    }
}
