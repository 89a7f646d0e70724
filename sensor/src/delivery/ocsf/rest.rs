//! Attributes that are put into their places one by one, so that at the end it is known what has none.

use super::present;
use serde_json::{Map, Value};

/// Attributes of a record or an event that have not been taken yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest(Map<String, Value>);

impl Rest {
    /// Of a JSON object; nothing of anything else.
    pub(super) fn of(value: Option<&Value>) -> Rest {
        Rest(value.and_then(Value::as_object).cloned().unwrap_or_default())
    }

    /// What is there, without taking it.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text; what is something else stays.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Some(text),
            other => self.keep(name, other),
        }
    }

    /// An integer that fits the integers of OCSF (32 bits); what is something else stays.
    pub(super) fn integer(&mut self, name: &str) -> Option<u64> {
        match self.0.remove(name) {
            Some(value) if value.as_i64().is_some_and(|number| (0..=i64::from(i32::MAX)).contains(&number)) => {
                value.as_u64()
            }
            other => self.keep(name, other),
        }
    }

    /// An integer that fits OCSF's `long_t` (64 bits, signed); what is something else stays.
    pub(super) fn long(&mut self, name: &str) -> Option<u64> {
        match self.0.remove(name) {
            Some(value) if value.as_i64().is_some_and(|number| number >= 0) => value.as_u64(),
            other => self.keep(name, other),
        }
    }

    /// A list of texts; what is something else stays.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        match self.0.get(name).and_then(texts) {
            Some(texts) => {
                self.0.remove(name);
                texts
            }
            None => Vec::new(),
        }
    }

    /// Something more that has to be kept.
    pub(super) fn add(&mut self, name: &str, value: Option<Value>) {
        self.keep::<()>(name, value);
    }

    fn keep<T>(&mut self, name: &str, value: Option<Value>) -> Option<T> {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        None
    }

    /// Takes what `other` says as well.
    pub(super) fn without(mut self, other: &Value) -> Rest {
        self.0.retain(|name, value| other.get(&**name) != Some(value));
        self
    }

    /// What nobody took.
    pub(super) fn left(self) -> Option<Value> {
        (!self.0.is_empty()).then_some(Value::Object(self.0))
    }
}

/// An object of the members that are there; nothing, if none is.
pub(super) fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Option<Value> {
    let members = present(members);
    (!members.is_empty()).then_some(Value::Object(members))
}
