//! What is remembered of an event over a restart of the sensor: its fields, within bounds.

use super::{Event, Field, Value, Workload, WorkloadKind};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Longest text that is kept, bytes; of longer ones the beginning is.
const TEXT_MAX: usize = 512;
/// Most texts of a list.
const LIST_MAX: usize = 16;
/// Most bytes of an event's fields, as JSON. An event has about 1 KiB.
const EVENT_MAX: usize = 4_096;

/// The fields of an event that is not there any more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// When it happened, nanoseconds since the Unix epoch, if that was before this boot: then it has no boot time.
    pub unix_nanos: Option<u64>,
    /// In the order of [`Field::ALL`].
    fields: Vec<(Field, Kept)>,
}

/// A [`Value`] that is its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Flag(bool),
    Number(u64),
    Ratio(f64),
    Text(Box<str>),
    List(Vec<Box<str>>),
}

impl Remembered {
    /// Of an event, as much as there is room for.
    pub fn of(event: &Event) -> Remembered {
        let mut left = EVENT_MAX;
        let mut fields = Vec::new();
        for field in Field::ALL {
            let Some(kept) = field.get(event).map(Kept::of) else { continue };
            let size = field.name().len() + 4 + kept.json_len();
            if size <= left {
                left -= size;
                fields.push((*field, kept));
            }
        }
        Remembered { unix_nanos: None, fields }
    }

    /// Only what kind of event it was: of those that only count.
    pub fn kind_of(event: &Event) -> Remembered {
        let kind = Field::EventKind.get(event).map(Kept::of);
        Remembered { unix_nanos: None, fields: kind.into_iter().map(|kind| (Field::EventKind, kind)).collect() }
    }

    /// The field's value.
    pub fn get(&self, field: Field) -> Option<Value<'_>> {
        let at = self.fields.binary_search_by_key(&field, |(field, _)| *field).ok()?;
        self.fields.get(at).map(|(_, kept)| kept.value())
    }

    /// What the process was part of.
    pub fn workload(&self) -> Option<Workload> {
        let text = |field: Field| match self.get(field) {
            Some(Value::Text(text)) => Some(Box::<str>::from(text)),
            _ => None,
        };
        let kinds = [WorkloadKind::Container, WorkloadKind::SlurmJob, WorkloadKind::SystemdUnit, WorkloadKind::Host];
        let kind = text(Field::WorkloadKind)?;
        Some(Workload {
            kind: kinds.into_iter().find(|known| known.name() == &*kind)?,
            id: text(Field::WorkloadId)?,
            container_id: text(Field::ContainerId),
            systemd_unit: text(Field::SystemdUnit),
            slurm_job: text(Field::SlurmJob),
            cgroup_path: text(Field::CgroupPath).unwrap_or_default(),
            ..Workload::default()
        })
    }

    /// How long it is as JSON, in bytes, about.
    pub fn json_len(&self) -> usize {
        self.fields.iter().map(|(field, kept)| field.name().len() + 4 + kept.json_len()).sum()
    }
}

impl Kept {
    fn of(value: Value<'_>) -> Kept {
        match value {
            Value::Text(text) => Kept::Text(cut(&text)),
            Value::Number(number) => Kept::Number(number),
            Value::Ratio(ratio) => Kept::Ratio(ratio),
            Value::Flag(flag) => Kept::Flag(flag),
            Value::List(list) => Kept::List(list.iter().take(LIST_MAX).map(|text| cut(text)).collect()),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Kept::Text(text) => Value::Text(Cow::Borrowed(text)),
            Kept::Number(number) => Value::Number(*number),
            Kept::Ratio(ratio) => Value::Ratio(*ratio),
            Kept::Flag(flag) => Value::Flag(*flag),
            Kept::List(list) => Value::List(list.iter().map(|text| Cow::Borrowed(&**text)).collect()),
        }
    }

    fn json_len(&self) -> usize {
        match self {
            Kept::Text(text) => escaped_len(text),
            Kept::List(list) => 2 + list.iter().map(|text| escaped_len(text) + 1).sum::<usize>(),
            Kept::Number(_) | Kept::Ratio(_) | Kept::Flag(_) => 24,
        }
    }
}

fn cut(text: &str) -> Box<str> {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default().into()
}

/// How long a text is as JSON: whoever names things chooses how much of it is escaped.
pub fn escaped_len(text: &str) -> usize {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    2 + text.bytes().map(byte).sum::<usize>()
}

impl Serialize for Remembered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (field, kept) in &self.fields {
            map.serialize_entry(field.name(), kept)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Remembered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Remembered, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Remembered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Remembered, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, kept)) = map.next_entry::<String, Kept>()? {
            // One that this version does not have is left out.
            fields.extend(Field::from_name(&name).map(|field| (field, kept)));
        }
        fields.sort_by_key(|(field, _)| *field);
        fields.dedup_by_key(|(field, _)| *field);
        Ok(Remembered { unix_nanos: None, fields })
    }
}
