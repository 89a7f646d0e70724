//! An event as `weir` prints it: a flat object, its names those of `sensor`'s fields.

use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::SystemTime;

/// One line of `weir events --format json` or `weir run --format json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event(Map<String, Value>, SystemTime, Arc<str>);

impl Event {
    /// From one line; the text says what is wrong with it.
    pub fn parse(line: &str) -> Result<Event, String> {
        match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => Ok(Event(fields, SystemTime::now(), line.into())),
            Ok(_) => Err(format!("not an object: {line}")),
            Err(error) => Err(format!("{error}: {line}")),
        }
    }

    /// Its line, as it was written.
    pub fn line(&self) -> &str {
        &self.2
    }

    /// When its line was read.
    pub fn received(&self) -> SystemTime {
        self.1
    }

    /// `weir.event.kind`; empty if there is none.
    pub fn kind(&self) -> &str {
        self.text("weir.event.kind").unwrap_or_default()
    }

    /// `process.pid`
    pub fn pid(&self) -> Option<u64> {
        self.number("process.pid")
    }

    /// All of it, by name.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A field as it is.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A field that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A field that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// A field that is a list of texts; empty if there is none.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.0
            .get(name)
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |list| list.iter().filter_map(Value::as_str).collect())
    }

    /// Where this and an actor's truth differ in `names`: `NAME: TRUTH, but the event has VALUE`. A name that both lack is a difference
    /// too: nothing was compared.
    pub fn differences(&self, truth: &Value, names: &[&str]) -> Vec<String> {
        names
            .iter()
            .filter_map(|name| match (truth.get(*name), self.field(name)) {
                (Some(expected), Some(found)) if expected == found => None,
                (expected, found) => {
                    let show = |value: Option<&Value>| value.map_or_else(|| "nothing".into(), Value::to_string);
                    Some(format!("{name}: {}, but the event has {}", show(expected), show(found)))
                }
            })
            .collect()
    }
}
