//! Events as rows: what repeats is written once.
//!
//! What was written is remembered in bounded tables. What they forget is written again under another number, which costs room and
//! changes nothing.

use super::columns::{self, BYTES, Column, FEW_VALUES, Form, OBJECT_REST, OBJECTS, PROCESSES, TRAILS, WORKLOADS};
use super::content::{EventRow, NewRow, integer};
use super::schema::Dictionary;
use crate::event::{Body, CgroupKey, Event, Field, Process, ProcessKey, Role, Value, Workload};
use hashlink::LruCache;
use rusqlite::types::Value as Sql;
use std::sync::Arc;

/// Most rows that are remembered of each dictionary, and most bytes of a row that is.
const REMEMBERED: usize = 16_384;
const KEY_MAX: usize = 4_096;

type Remembered<K, V> = LruCache<K, V, ahash::RandomState>;

/// What tells one row of `processes` from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct ProcessState {
    /// Where it is; it is kept, so that no other is there.
    address: usize,
    key: Option<ProcessKey>,
    vpid: u32,
    user: (u32, u32),
    cgroup: CgroupKey,
    namespaces: (u32, u32),
    declared: (bool, bool),
    entered: Option<bool>,
}

/// The same for `workloads`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct WorkloadState {
    address: usize,
    role: Option<Role>,
    declares: (bool, bool, bool),
}

/// What becomes of a field of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// What the event is about, if it is the first of these: a column of its own.
    Bytes,
    /// It is kept with the shape.
    Constant,
    /// It is in the event's column `rest`.
    Rest,
}

impl Part {
    fn of(field: Field) -> Part {
        match field {
            field if BYTES.contains(&field) => Part::Bytes,
            field if FEW_VALUES.contains(&field) => Part::Constant,
            _ => Part::Rest,
        }
    }
}

/// What becomes of this value; `found`: there are bytes already.
fn part_of(part: Part, value: &Value, found: bool) -> Part {
    match (part, value) {
        (Part::Bytes, Value::Number(number)) if !found && i64::try_from(*number).is_ok() => Part::Bytes,
        (Part::Bytes, _) => Part::Rest,
        (_, Value::Flag(_)) => Part::Constant,
        (part, _) => part,
    }
}

/// See the module's text.
pub struct Encoder {
    shape: Vec<(Field, Part)>,
    /// The number that was given last.
    last: [i64; Dictionary::ALL.len()],
    known: [Remembered<Box<[u8]>, i64>; Dictionary::ALL.len()],
    processes: Remembered<ProcessState, (i64, Option<Arc<Process>>)>,
    workloads: Remembered<WorkloadState, (i64, Option<Arc<Workload>>)>,
    new: [Vec<NewRow>; Dictionary::ALL.len()],
    /// To write into; nothing in it stays.
    key: Vec<u8>,
}

impl Encoder {
    /// For a segment in which these numbers were given last, by [`Dictionary::ALL`].
    pub fn new(last: [i64; Dictionary::ALL.len()]) -> Encoder {
        let remembered = || Remembered::with_hasher(REMEMBERED, ahash::RandomState::default());
        Encoder {
            shape: columns::shape().into_iter().map(|field| (field, Part::of(field))).collect(),
            last,
            known: std::array::from_fn(|_| remembered()),
            processes: Remembered::with_hasher(REMEMBERED, ahash::RandomState::default()),
            workloads: Remembered::with_hasher(REMEMBERED, ahash::RandomState::default()),
            new: Default::default(),
            key: Vec::new(),
        }
    }

    /// The rows of dictionaries that the events since the last time are the first ones to refer to.
    pub fn take_new(&mut self) -> [Vec<NewRow>; Dictionary::ALL.len()] {
        std::mem::take(&mut self.new)
    }

    /// What was encoded since the last [`Encoder::take_new`] was not written: nothing is known any more.
    pub fn forget(&mut self) {
        *self = Encoder::new(self.last);
    }

    /// The row of an event.
    pub fn event(&mut self, time: i64, event: &Event) -> EventRow {
        let kind = event.body.kind_name();
        let thread = match (event.actor.tid, event.actor.process) {
            (0, _) => None,
            (thread, Some(process)) if thread == process.pid => Some(0),
            (thread, _) => Some(i64::from(thread)),
        };
        let title = Some(&*event.actor.comm).filter(|title| !title.is_empty()).map(|title| self.text(title));
        let (shape, bytes, rest) = self.shape(event);
        EventRow {
            time,
            kind: self.row(Dictionary::Kinds, kind.as_bytes(), |_| vec![Sql::Text(kind.to_owned())]),
            process: self.process(event),
            workload: self.workload(event),
            object: self.object(event),
            trail: self.trail(event),
            title,
            thread,
            shape,
            bytes,
            rest,
        }
    }

    fn process(&mut self, event: &Event) -> Option<i64> {
        let actor = &event.actor;
        let process = event.process.as_ref();
        let state = ProcessState {
            address: process.map_or(0, |process| Arc::as_ptr(process) as usize),
            key: actor.process,
            vpid: actor.vpid,
            user: (actor.uid, actor.gid),
            cgroup: actor.cgroup,
            namespaces: (actor.mount_namespace, actor.pid_namespace),
            declared: (event.declared.loader, event.declared.writer),
            entered: event.entered,
        };
        // A program whose process nobody knows has arguments of its own.
        let is_alone = process.is_none() && matches!(event.body, Body::Exec(_));
        if let Some((id, _)) = self.processes.get(&state).filter(|_| !is_alone) {
            return Some(*id).filter(|id| *id != 0);
        }
        let id = self.columns(Dictionary::Processes, PROCESSES, event);
        if !is_alone {
            self.processes.insert(state, (id, process.cloned()));
        }
        Some(id).filter(|id| *id != 0)
    }

    fn workload(&mut self, event: &Event) -> Option<i64> {
        let workload = event.workload.as_ref();
        let declares = event.declares;
        let state = WorkloadState {
            address: workload.map_or(0, |workload| Arc::as_ptr(workload) as usize),
            role: event.role,
            declares: (declares.loaders, declares.writers, declares.destinations),
        };
        // What a runtime says of a container is told of one that nobody has to be part of.
        let is_alone = matches!(event.body, Body::WorkloadIdentified(_));
        if let Some((id, _)) = self.workloads.get(&state).filter(|_| !is_alone) {
            return Some(*id).filter(|id| *id != 0);
        }
        let id = self.columns(Dictionary::Workloads, WORKLOADS, event);
        if !is_alone {
            self.workloads.insert(state, (id, workload.cloned()));
        }
        Some(id).filter(|id| *id != 0)
    }

    /// A new row with these columns; 0 if the event has none of them.
    fn columns(&mut self, dictionary: Dictionary, columns: &[Column], event: &Event) -> i64 {
        let values: Vec<Sql> = columns.iter().map(|(field, form)| self.value(*form, field.get(event))).collect();
        if values.iter().all(|value| *value == Sql::Null) { 0 } else { self.add(dictionary, values) }
    }

    fn object(&mut self, event: &Event) -> Option<i64> {
        if !has_object(event) {
            return None;
        }
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        let fields = OBJECTS.iter().map(|(field, _)| field).chain(OBJECT_REST);
        for (place, field) in (0_u16..).zip(fields) {
            if let Some(value) = field.get(event) {
                key.extend(place.to_le_bytes());
                raw(&mut key, &value);
            }
        }
        let id = (!key.is_empty()).then(|| {
            self.row(Dictionary::Objects, &key, |this| {
                let own = OBJECTS.iter().map(|(field, form)| this.value(*form, field.get(event)));
                let mut own: Vec<Sql> = own.collect();
                let rest = object_json(OBJECT_REST, event);
                own.push(rest.map_or(Sql::Null, |rest| Sql::Integer(this.text(&rest))));
                own
            })
        });
        self.key = key;
        id
    }

    fn trail(&mut self, event: &Event) -> Option<i64> {
        if event.trail.is_none() && event.egress.is_none() {
            return None;
        }
        let values: Vec<Sql> = TRAILS.iter().map(|(field, form)| self.value(*form, field.get(event))).collect();
        if values.iter().all(|value| *value == Sql::Null) {
            return None;
        }
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        for value in &values {
            match value {
                Sql::Integer(number) => key.extend(number.to_le_bytes()),
                // A number that SQLite does not have; nothing else is text here.
                Sql::Text(text) => key.extend(text.as_bytes()),
                _ => {}
            }
            // What it was, so that nothing is not like a number, and ends are told.
            key.push(match value {
                Sql::Integer(_) => 1,
                Sql::Text(_) => 2,
                _ => 0,
            });
        }
        let id = self.row(Dictionary::Trails, &key, |_| values);
        self.key = key;
        Some(id)
    }

    /// What is left of an event: its shape, its bytes and its other values.
    fn shape(&mut self, event: &Event) -> (Option<i64>, Option<i64>, Option<String>) {
        let (mut key, mut rest, mut bytes) = (std::mem::take(&mut self.key), Vec::new(), None);
        key.clear();
        // By place: what a shape is made of is put into words only for a new one.
        for (place, (field, part)) in (0_u16..).zip(&self.shape) {
            let Some(value) = field.get(event) else { continue };
            key.extend(place.to_le_bytes());
            match (part_of(*part, &value, bytes.is_some()), &value) {
                (Part::Bytes, Value::Number(number)) => {
                    key.push(1);
                    bytes = Some(integer(*number));
                }
                (Part::Constant, value) => raw(&mut key, value),
                (_, value) => {
                    key.push(0);
                    rest.push(if rest.is_empty() { b'[' } else { b',' });
                    // Into memory: it does not fail.
                    let _ = json(&mut rest, value);
                }
            }
        }
        let id = (!key.is_empty()).then(|| self.row(Dictionary::Shapes, &key, |this| this.new_shape(event)));
        self.key = key;
        if !rest.is_empty() {
            rest.push(b']');
        }
        // serde_json writes UTF-8.
        let rest = String::from_utf8(rest).ok().filter(|rest| !rest.is_empty());
        (id, bytes, rest)
    }

    /// The row of a shape that is not known.
    fn new_shape(&self, event: &Event) -> Vec<Sql> {
        let (mut constants, mut fields, mut bytes) = (String::new(), String::new(), None);
        for (field, part) in &self.shape {
            let Some(value) = field.get(event) else { continue };
            match part_of(*part, &value, bytes.is_some()) {
                Part::Bytes => bytes = Some(field.name()),
                Part::Constant => member(&mut constants, *field, &value),
                Part::Rest => element(&mut fields, &Value::from(field.name())),
            }
        }
        vec![
            Sql::Text(format!("{{{constants}}}")),
            Sql::Text(format!("[{fields}]")),
            bytes.map_or(Sql::Null, |name| Sql::Text(name.to_owned())),
        ]
    }

    fn value(&mut self, form: Form, value: Option<Value>) -> Sql {
        let Some(value) = value else { return Sql::Null };
        match (form, value) {
            (Form::Shared, Value::Text(text)) => Sql::Integer(self.text(&text)),
            (Form::SharedList, list @ Value::List(_)) => Sql::Integer(self.text(&json_text(&list))),
            (Form::Text, Value::Text(text)) => Sql::Text(text.into_owned()),
            (_, Value::Number(number)) => {
                i64::try_from(number).map_or_else(|_| number.to_string().into(), Sql::Integer)
            }
            (_, Value::Flag(flag)) => Sql::Integer(i64::from(flag)),
            (_, other) => Sql::Text(json_text(&other)),
        }
    }

    fn text(&mut self, text: &str) -> i64 {
        self.row(Dictionary::Texts, text.as_bytes(), |_| vec![Sql::Text(text.to_owned())])
    }

    /// The number of the row that `key` stands for; `make` makes it if it is not known.
    fn row(&mut self, dictionary: Dictionary, key: &[u8], make: impl FnOnce(&mut Encoder) -> Vec<Sql>) -> i64 {
        let place = dictionary as usize;
        if let Some(id) = self.known.get_mut(place).and_then(|known| known.get(key)) {
            return *id;
        }
        let values = make(self);
        let id = self.add(dictionary, values);
        if let Some(known) = self.known.get_mut(place).filter(|_| key.len() <= KEY_MAX) {
            known.insert(key.into(), id);
        }
        id
    }

    fn add(&mut self, dictionary: Dictionary, values: Vec<Sql>) -> i64 {
        let place = dictionary as usize;
        let Some(last) = self.last.get_mut(place) else { return 0 };
        *last += 1;
        let id = *last;
        if let Some(new) = self.new.get_mut(place) {
            new.push((id, values));
        }
        id
    }
}

/// Whether an event can have any of the fields of an object.
fn has_object(event: &Event) -> bool {
    let without = matches!(
        event.body,
        Body::Exit(_)
            | Body::Tick(_)
            | Body::Cgroup(_)
            | Body::Module(_)
            | Body::Mount(_)
            | Body::Namespace(_)
            | Body::Bpf(_)
            | Body::Tamper(_)
            | Body::Reloaded(_)
            | Body::Lost(_)
            | Body::Socket(_)
            | Body::ProcessFound(_)
    );
    !without || event.server.is_some() || event.egress.is_some()
}

/// These fields of the event, as a JSON object; `None` if it has none.
fn object_json(fields: &[Field], event: &Event) -> Option<String> {
    let mut members = String::new();
    for field in fields {
        if let Some(value) = field.get(event) {
            member(&mut members, *field, &value);
        }
    }
    (!members.is_empty()).then(|| format!("{{{members}}}"))
}

fn member(members: &mut String, field: Field, value: &Value) {
    if !members.is_empty() {
        members.push(',');
    }
    // The vocabulary's names have nothing in them that would have to be escaped.
    members.extend(["\"", field.name(), "\":"]);
    push_json(members, value);
}

fn element(elements: &mut String, value: &Value) {
    if !elements.is_empty() {
        elements.push(',');
    }
    push_json(elements, value);
}

fn push_json(text: &mut String, value: &Value) {
    use std::fmt::Write as _;
    // Into memory: it does not fail.
    let _ = match value {
        Value::Number(number) => write!(text, "{number}"),
        Value::Flag(flag) => write!(text, "{flag}"),
        other => text.write_str(&json_text(other)),
    };
}

/// A value as bytes that no other value has, to look it up by.
fn raw(key: &mut Vec<u8>, value: &Value) {
    let mut text = |text: &str| {
        key.extend((text.len() as u32).to_le_bytes());
        key.extend(text.as_bytes());
    };
    match value {
        Value::Text(one) => text(one),
        Value::List(list) => {
            list.iter().for_each(|one| text(one));
            // Longer than any text can be: the end.
            key.extend(u32::MAX.to_le_bytes());
        }
        Value::Number(number) => key.extend(number.to_le_bytes()),
        Value::Ratio(ratio) => key.extend(ratio.to_bits().to_le_bytes()),
        Value::Flag(flag) => key.push(u8::from(*flag)),
    }
}

fn json_text(value: &Value) -> String {
    let mut bytes = Vec::new();
    let _ = json(&mut bytes, value);
    // serde_json writes UTF-8.
    String::from_utf8(bytes).unwrap_or_default()
}

fn json(to: &mut Vec<u8>, value: &Value) -> serde_json::Result<()> {
    match value {
        Value::Text(text) => serde_json::to_writer(to, text),
        Value::Number(number) => serde_json::to_writer(to, number),
        Value::Ratio(ratio) => serde_json::to_writer(to, ratio),
        Value::Flag(flag) => serde_json::to_writer(to, flag),
        Value::List(list) => serde_json::to_writer(to, list),
    }
}
