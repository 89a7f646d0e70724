//! Rows as events again: all the fields that they had, under their names.

use super::columns::{Column, Form, OBJECTS, PROCESSES, TRAILS, WORKLOADS};
use super::schema::Dictionary;
use crate::event::{Field, file_name};
use crate::evidence::source;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::rc::Rc;

/// Rows of a dictionary that are remembered, unless it is said otherwise.
const REMEMBERED: usize = 50_000;

/// The columns of an event that a decoder asks for.
pub const COLUMNS: &str = "time, kind, process, workload, object, trail, title, thread, shape, bytes, rest";

type Fields = Rc<Map<String, Value>>;

/// What an event of this shape has.
struct Shape {
    constants: Map<String, Value>,
    fields: Vec<String>,
    bytes: Option<String>,
}

/// Reads events of one segment.
pub struct Decoder<'c> {
    connection: &'c Connection,
    /// Rows of a dictionary that are remembered.
    most: usize,
    texts: HashMap<i64, Rc<str>>,
    rows: [HashMap<i64, Fields>; 4],
    shapes: HashMap<i64, Rc<Shape>>,
    kinds: HashMap<i64, Rc<str>>,
}

impl<'c> Decoder<'c> {
    pub fn new(connection: &'c Connection) -> Decoder<'c> {
        Decoder::remembering(connection, REMEMBERED)
    }

    /// One that remembers no more than so many rows of a dictionary: less memory, where what is near in time has most in common.
    pub fn remembering(connection: &'c Connection, most: usize) -> Decoder<'c> {
        let (texts, rows, shapes, kinds) = (HashMap::new(), Default::default(), HashMap::new(), HashMap::new());
        Decoder { connection, most, texts, rows, shapes, kinds }
    }

    /// The event of a row with [`COLUMNS`]. What is not as it was written is left out.
    pub fn event(&mut self, row: &Row) -> rusqlite::Result<source::Row> {
        let time: i64 = row.get(0)?;
        let mut fields = Map::new();
        let kind: i64 = row.get(1)?;
        if let Some(kind) = self.named(kind)? {
            fields.insert(Field::EventKind.name().to_owned(), Value::from(&*kind));
        }
        for (place, table) in [(2, 0), (3, 1), (4, 2), (5, 3)] {
            if let Some(id) = row.get::<_, Option<i64>>(place)? {
                let part = self.part(table, id)?;
                fields.extend(part.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        if let Some(title) = row.get::<_, Option<i64>>(6)? {
            let title = self.text(title)?;
            fields.insert(Field::ProcessTitle.name().to_owned(), Value::from(&*title));
        }
        match row.get::<_, Option<i64>>(7)? {
            Some(0) => {
                let pid = fields.get(Field::ProcessPid.name()).cloned();
                fields.extend(pid.map(|pid| (Field::ThreadId.name().to_owned(), pid)));
            }
            Some(thread) => drop(fields.insert(Field::ThreadId.name().to_owned(), Value::from(thread))),
            None => {}
        }
        if let Some(shape) = row.get::<_, Option<i64>>(8)? {
            let shape = self.shape(shape)?;
            fields.extend(shape.constants.iter().map(|(name, value)| (name.clone(), value.clone())));
            if let (Some(name), Some(bytes)) = (&shape.bytes, row.get::<_, Option<i64>>(9)?) {
                fields.insert(name.clone(), Value::from(bytes));
            }
            if let ValueRef::Text(rest) = row.get_ref(10)? {
                let rest: Vec<Value> = serde_json::from_slice(rest).unwrap_or_default();
                fields.extend(shape.fields.iter().cloned().zip(rest));
            }
        }
        derive(&mut fields);
        let time = u64::try_from(time).unwrap_or(0);
        // The time is the row's number: no two have the same, and those of one time are in the order in which they came.
        Ok(source::Row { time, sequence: time, attributes: fields })
    }

    fn named(&mut self, id: i64) -> rusqlite::Result<Option<Rc<str>>> {
        if let Some(kind) = self.kinds.get(&id) {
            return Ok(Some(Rc::clone(kind)));
        }
        let kind = self.get("SELECT name FROM kinds WHERE id = ?1", id, |row| row.get::<_, String>(0))?;
        Ok(kind.map(|kind| {
            let kind: Rc<str> = kind.into();
            self.kinds.insert(id, Rc::clone(&kind));
            kind
        }))
    }

    fn text(&mut self, id: i64) -> rusqlite::Result<Rc<str>> {
        if let Some(text) = self.texts.get(&id) {
            return Ok(Rc::clone(text));
        }
        let text = self.get("SELECT text FROM texts WHERE id = ?1", id, |row| row.get::<_, String>(0))?;
        let text: Rc<str> = text.unwrap_or_default().into();
        bound(&mut self.texts, self.most);
        self.texts.insert(id, Rc::clone(&text));
        Ok(text)
    }

    /// A row of processes, workloads, objects or trails as fields.
    fn part(&mut self, table: usize, id: i64) -> rusqlite::Result<Fields> {
        if let Some(part) = self.rows.get(table).and_then(|rows| rows.get(&id)) {
            return Ok(Rc::clone(part));
        }
        let part = Rc::new(match table {
            0 => self.columns(Dictionary::Processes, PROCESSES, id)?,
            1 => self.columns(Dictionary::Workloads, WORKLOADS, id)?,
            2 => self.object(id)?,
            _ => self.columns(Dictionary::Trails, TRAILS, id)?,
        });
        if let Some(rows) = self.rows.get_mut(table) {
            bound(rows, self.most);
            rows.insert(id, Rc::clone(&part));
        }
        Ok(part)
    }

    fn object(&mut self, id: i64) -> rusqlite::Result<Map<String, Value>> {
        let mut fields = self.columns(Dictionary::Objects, OBJECTS, id)?;
        let rest = self.get("SELECT rest FROM objects WHERE id = ?1", id, |row| row.get::<_, Option<i64>>(0))?;
        if let Some(rest) = rest.flatten() {
            fields.extend(object(&self.text(rest)?));
        }
        Ok(fields)
    }

    fn columns(&mut self, dictionary: Dictionary, columns: &[Column], id: i64) -> rusqlite::Result<Map<String, Value>> {
        let sql = format!("SELECT {} FROM {} WHERE id = ?1", dictionary.column_list(), dictionary.name());
        let read = |row: &Row| -> rusqlite::Result<Vec<rusqlite::types::Value>> {
            (2..columns.len() + 2).map(|place| row.get(place)).collect()
        };
        let values = self.get(&sql, id, read)?.unwrap_or_default();
        let mut fields = Map::new();
        for ((field, form), value) in columns.iter().zip(values) {
            use rusqlite::types::Value as Sql;
            let value = match (form, value) {
                (Form::Number, Sql::Integer(number)) => Value::from(number),
                // Beyond what SQLite has for a number.
                (Form::Number, Sql::Text(text)) => text.parse::<u64>().map_or(Value::Null, Value::from),
                (Form::Flag, Sql::Integer(flag)) => Value::Bool(flag != 0),
                (Form::Text, Sql::Text(text)) => Value::String(text),
                (Form::List, Sql::Text(text)) => serde_json::from_str(&text).unwrap_or_default(),
                (Form::Shared, Sql::Integer(id)) => Value::from(&*self.text(id)?),
                (Form::SharedList, Sql::Integer(id)) => serde_json::from_str(&self.text(id)?).unwrap_or_default(),
                _ => continue,
            };
            fields.insert(field.name().to_owned(), value);
        }
        Ok(fields)
    }

    fn shape(&mut self, id: i64) -> rusqlite::Result<Rc<Shape>> {
        if let Some(shape) = self.shapes.get(&id) {
            return Ok(Rc::clone(shape));
        }
        let sql = "SELECT constants, fields, bytes FROM shapes WHERE id = ?1";
        let row = self.get(sql, id, |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        })?;
        let (constants, fields, bytes) = row.unwrap_or_default();
        let fields = serde_json::from_str(&fields).unwrap_or_default();
        let shape = Rc::new(Shape { constants: object(&constants), fields, bytes });
        bound(&mut self.shapes, self.most);
        self.shapes.insert(id, Rc::clone(&shape));
        Ok(shape)
    }

    fn get<T>(
        &self,
        sql: &str,
        id: i64,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.connection.prepare_cached(sql)?.query_row([id], read).optional()
    }
}

fn bound<V>(remembered: &mut HashMap<i64, V>, most: usize) {
    if remembered.len() >= most {
        remembered.clear();
    }
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Adds what follows from other fields, as the vocabulary says (`event/field.rs`).
fn derive(fields: &mut Map<String, Value>) {
    let text = |fields: &Map<String, Value>, field: Field| Some(fields.get(field.name())?.as_str()?.to_owned());
    let mut derived: Vec<(Field, Value)> = Vec::new();
    let mut say = |field: Field, text: &str| {
        if !text.is_empty() {
            derived.push((field, Value::from(text)));
        }
    };
    for (path, name) in [
        (Field::ProcessExecutablePath, Field::ProcessExecutableName),
        (Field::ProcessParentExecutablePath, Field::ProcessParentExecutableName),
        (Field::FilePath, Field::FileName),
    ] {
        if let Some(path) = text(fields, path) {
            say(name, file_name(&path));
        }
    }
    if let Some(path) = text(fields, Field::FilePath) {
        if let Some((directory, _)) = path.rsplit_once('/') {
            say(Field::FileDirectory, if directory.is_empty() { "/" } else { directory });
        }
        if let Some((_, extension)) = file_name(&path).rsplit_once('.') {
            say(Field::FileExtension, extension);
        }
    }
    if let Some(Value::Array(args)) = fields.get(Field::ProcessCommandArgs.name()) {
        let args: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
        say(Field::ProcessCommandLine, &args.join(" "));
    }
    let child = text(fields, Field::ProcessChildId);
    if let Some(pid) = child.and_then(|id| id.split_once('-')?.0.parse::<u64>().ok()) {
        derived.push((Field::ProcessChildPid, Value::from(pid)));
    }
    fields.extend(derived.into_iter().map(|(field, value)| (field.name().to_owned(), value)));
}
