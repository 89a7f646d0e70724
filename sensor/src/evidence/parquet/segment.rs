//! One segment as files.

use super::partition::Partition;
use super::place::{Place, PlaceError};
use super::rows::Rows;
use super::table::{ATTRIBUTES, Table};
use crate::evidence::integrity::{Statement, hex};
use crate::evidence::source::{Gap, Row, Told, ToldKind};
use crate::evidence::store::Scan;
use crate::evidence::store::columns::DERIVED;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Why a segment is not exported.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] rusqlite::Error),
    /// Its files cannot be written: no other's can be.
    #[error(transparent)]
    Write(#[from] PlaceError),
}

/// The files of a table, and where they are until they get their names.
type Files = (Table, Vec<(String, PathBuf)>);

/// A segment that is being exported.
pub struct Segment<'s> {
    /// What is read.
    pub scan: &'s Scan,
    /// The machine that it is from.
    pub host: &'s str,
    /// Its number.
    pub number: u64,
    /// What is signed of it; `None`: it is still written.
    pub statement: Option<&'s Statement>,
}

impl Segment<'_> {
    /// Writes the files of all tables; none has its name yet. Returns how many events there are, too.
    pub fn write(&self, place: &Place) -> Result<(u64, Vec<Files>), Fault> {
        let about = self.about()?;
        let first = self.scan.first()?;
        let mut events = 0;
        let mut files = Vec::new();
        for table in Table::ALL {
            let mut partition = Partition::new(place, table, &about, first)?;
            match table {
                Table::Events => self.scan.events::<Fault>(|row| {
                    events += 1;
                    self.fill(&mut partition, row.time, |rows| event(rows, row))
                })?,
                Table::Alerts => self.told(ToldKind::Alert, &mut partition)?,
                Table::Incidents => self.told(ToldKind::Incident, &mut partition)?,
                Table::Coverage => self.told(ToldKind::Coverage, &mut partition)?,
                Table::Gaps => {
                    self.scan.gaps::<Fault>(|row| self.fill(&mut partition, row.to, |rows| gap(rows, &row)))?
                }
            }
            files.push(partition.finish()?);
        }
        Ok((events, files))
    }

    fn told(&self, kind: ToldKind, partition: &mut Partition) -> Result<(), Fault> {
        self.scan.told::<Fault>(kind, |row| self.fill(partition, row.time, |rows| told(rows, &row)))
    }

    fn fill(&self, partition: &mut Partition, time: u64, fill: impl FnOnce(&mut Rows)) -> Result<(), Fault> {
        let rows = partition.row(time)?;
        // First, so that no attribute can take their place.
        rows.number("time", time);
        rows.number("weir.segment", self.number);
        rows.text("host.name", self.host);
        fill(rows);
        Ok(partition.end_row()?)
    }

    /// What ties a file to what `weir evidence verify` checks.
    fn about(&self) -> Result<Vec<(&'static str, String)>, Fault> {
        let mut about = vec![
            ("host.name", self.host.to_owned()),
            ("weir.segment", self.number.to_string()),
            ("weir.sensor", self.scan.about("sensor")?.unwrap_or_default()),
            ("weir.segment.previous", self.scan.about("previous")?.unwrap_or_default()),
        ];
        about.extend(self.scan.digest()?.map(|digest| ("weir.segment.digest", hex(&digest))));
        // Names for keys and plain values: it cannot fail.
        let statement = self.statement.and_then(|statement| serde_json::to_string(statement).ok());
        about.extend(statement.map(|statement| ("weir.segment.statement", statement)));
        Ok(about)
    }
}

fn event(rows: &mut Rows, row: Row) {
    let mut left = row.attributes;
    left.retain(|name, value| {
        let is_taken = name != ATTRIBUTES.name && rows.put(name, value);
        !is_taken && !DERIVED.iter().any(|field| field.name() == name)
    });
    if !left.is_empty() {
        rows.text(ATTRIBUTES.name, &Value::Object(left).to_string());
    }
}

fn told(rows: &mut Rows, row: &Told) {
    rows.text("log.record.uid", &row.uid);
    if let Some(incident) = &row.incident {
        rows.text("weir.incident.id", incident);
    }
    for name in ["severity_text", "body"] {
        if let Some(text) = row.record.get(name).and_then(Value::as_str) {
            rows.text(name, text);
        }
    }
    rows.text("record", &serde_json::to_string(&row.record).unwrap_or_default());
    let attributes = row.record.get("attributes").and_then(Value::as_object);
    for (name, value) in attributes.into_iter().flat_map(Map::iter) {
        // What is not taken is in the record.
        rows.put(name, value);
    }
}

fn gap(rows: &mut Rows, row: &Gap) {
    rows.number("from", row.from);
    rows.number("to", row.to);
    rows.text("place", &row.place);
    rows.text("cause", &row.cause);
    if let Some(kind) = &row.kind {
        rows.text("weir.event.kind", kind);
    }
    if let Some(count) = row.count {
        rows.number("count", count);
    }
}
