//! The tables and views of a segment.

use super::columns::{Column, Form, OBJECT_REST, OBJECTS, PROCESSES, TRAILS, WORKLOADS};
use std::fmt::Write as _;

/// The version of the schema, in `meta`.
pub const VERSION: i64 = 1;

/// A table whose rows events refer to by number. All have the columns `id` and `batch` first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dictionary {
    /// Kinds of event.
    Kinds,
    /// What was acted on.
    Objects,
    /// Who acted.
    Processes,
    /// Which fields an event has besides, and those of few values.
    Shapes,
    /// Texts that many rows have.
    Texts,
    /// How who acts came to what they hold.
    Trails,
    /// What the processes are part of.
    Workloads,
}

impl Dictionary {
    /// Every one, by name: the order in which the chain takes them.
    pub const ALL: [Dictionary; 7] = [
        Dictionary::Kinds,
        Dictionary::Objects,
        Dictionary::Processes,
        Dictionary::Shapes,
        Dictionary::Texts,
        Dictionary::Trails,
        Dictionary::Workloads,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Dictionary::Kinds => "kinds",
            Dictionary::Objects => "objects",
            Dictionary::Processes => "processes",
            Dictionary::Shapes => "shapes",
            Dictionary::Texts => "texts",
            Dictionary::Trails => "trails",
            Dictionary::Workloads => "workloads",
        }
    }

    /// Its columns after `id` and `batch`, and which of them are numbers of texts.
    pub fn columns(self) -> Vec<(&'static str, bool)> {
        let named = |columns: &'static [Column]| {
            let shared = |form| matches!(form, Form::Shared | Form::SharedList);
            columns.iter().map(move |(field, form)| (field.name(), shared(*form)))
        };
        match self {
            Dictionary::Kinds => vec![("name", false)],
            Dictionary::Objects => named(OBJECTS).chain([("rest", true)]).collect(),
            Dictionary::Processes => named(PROCESSES).collect(),
            Dictionary::Shapes => vec![("constants", false), ("fields", false), ("bytes", false)],
            Dictionary::Texts => vec![("text", false)],
            Dictionary::Trails => named(TRAILS).collect(),
            Dictionary::Workloads => named(WORKLOADS).collect(),
        }
    }

    /// All of its columns, quoted as SQL.
    pub fn column_list(self) -> String {
        let columns: String = self.columns().iter().map(|(name, _)| format!(", \"{name}\"")).collect();
        format!("id, batch{columns}")
    }
}

/// The columns of `events`, in order.
pub const EVENTS: [&str; 12] =
    ["time", "batch", "kind", "process", "workload", "object", "trail", "title", "thread", "shape", "bytes", "rest"];
/// The columns of `told`.
pub const TOLD: [&str; 7] = ["uid", "revision", "time", "kind", "incident", "batch", "record"];
/// The columns of `gaps`.
pub const GAPS: [&str; 7] = ["from_time", "to_time", "place", "cause", "kind", "count", "batch"];
/// The columns of `batches` that its digest is over.
pub const BATCHES: [&str; 7] = ["number", "first", "last", "rows", "told", "gaps", "raw"];

/// Made when a segment is closed: it would cost much while it is written.
pub const INDEX: &str = "CREATE INDEX IF NOT EXISTS events_by_workload ON events(workload)";

/// Everything that a new segment has.
pub fn create() -> String {
    let mut sql = String::from(
        "CREATE TABLE meta(name TEXT PRIMARY KEY, value);\n\
         CREATE TABLE batches(number INTEGER PRIMARY KEY, first INTEGER, last INTEGER, rows INTEGER, told INTEGER, \
         gaps INTEGER, previous BLOB, digest BLOB, raw BLOB);\n\
         CREATE TABLE events(time INTEGER PRIMARY KEY, batch INTEGER, kind INTEGER, process INTEGER, workload INTEGER, \
         object INTEGER, trail INTEGER, title INTEGER, thread INTEGER, shape INTEGER, bytes INTEGER, rest TEXT);\n\
         CREATE TABLE told(uid TEXT, revision INTEGER, time INTEGER, kind TEXT, incident TEXT, batch INTEGER, record TEXT);\n\
         CREATE TABLE gaps(from_time INTEGER, to_time INTEGER, place TEXT, cause TEXT, kind TEXT, count INTEGER, \
         batch INTEGER);\n",
    );
    for dictionary in Dictionary::ALL {
        let _ = write!(sql, "CREATE TABLE {}(id INTEGER PRIMARY KEY, batch INTEGER", dictionary.name());
        for (name, _) in dictionary.columns() {
            // No type: what is written is what is there.
            let _ = write!(sql, ", \"{name}\"");
        }
        sql.push_str(");\n");
    }
    views(&mut sql);
    sql
}

/// What people read, under the vocabulary's names. Which batch it was and the like is in the tables.
fn views(sql: &mut String) {
    sql.push_str(
        "CREATE VIEW event AS SELECT e.time AS \"weir.time\", \
         strftime('%Y-%m-%dT%H:%M:%S', e.time / 1000000000, 'unixepoch') || printf('.%09dZ', e.time % 1000000000) AS time, \
         k.name AS \"weir.event.kind\", title.text AS \"process.title\", \
         CASE e.thread WHEN 0 THEN p.\"process.pid\" ELSE e.thread END AS \"thread.id\"",
    );
    for (alias, columns) in [("p", PROCESSES), ("w", WORKLOADS), ("o", OBJECTS), ("t", TRAILS)] {
        for (field, form) in columns {
            let name = field.name();
            let value = match form {
                Form::Shared | Form::SharedList => format!("(SELECT text FROM texts WHERE id = {alias}.\"{name}\")"),
                _ => format!("{alias}.\"{name}\""),
            };
            let _ = write!(sql, ", {value} AS \"{name}\"");
        }
    }
    for field in OBJECT_REST {
        let name = field.name();
        let from = "(SELECT text FROM texts WHERE id = o.rest)";
        let _ = write!(sql, ", json_extract({from}, '$.\"{name}\"') AS \"{name}\"");
    }
    sql.push_str(
        ", e.bytes AS bytes, s.bytes AS \"bytes.name\", json_patch(s.constants, (SELECT json_group_object(f.value, \
         json_extract(e.rest, '$[' || f.key || ']')) FROM json_each(s.fields) f)) AS attributes \
         FROM events e LEFT JOIN kinds k ON k.id = e.kind LEFT JOIN processes p ON p.id = e.process \
         LEFT JOIN workloads w ON w.id = e.workload LEFT JOIN objects o ON o.id = e.object \
         LEFT JOIN trails t ON t.id = e.trail LEFT JOIN texts title ON title.id = e.title \
         LEFT JOIN shapes s ON s.id = e.shape;\n",
    );
    for kind in ["alert", "incident", "coverage"] {
        let _ = writeln!(
            sql,
            "CREATE VIEW {kind} AS SELECT time AS \"weir.time\", uid AS \"log.record.uid\", revision, \
             incident AS \"weir.incident.id\", json_extract(record, '$.severity_text') AS severity_text, \
             json_extract(record, '$.body') AS body, record FROM told WHERE kind = '{kind}';"
        );
    }
    sql.push_str(
        "CREATE VIEW gap AS SELECT from_time AS \"from\", to_time AS \"to\", place, cause, \
         kind AS \"weir.event.kind\", count FROM gaps;\n",
    );
}
