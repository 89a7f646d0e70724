//! An event's fields as a serialised map, by name: the form in which everything outside of the agent sees them.

use super::{Event, Field, Value};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Every field that the event has, as one flat map.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(pub &'a Event);

impl Attributes<'_> {
    /// Adds them to a map that has other entries too.
    ///
    /// # Errors
    /// The serialiser's.
    pub fn add_to<M: SerializeMap>(self, map: &mut M) -> Result<(), M::Error> {
        for field in Field::ALL {
            match field.get(self.0) {
                None => Ok(()),
                Some(Value::Text(text)) => map.serialize_entry(field.name(), &text),
                Some(Value::Number(number)) => map.serialize_entry(field.name(), &number),
                Some(Value::Ratio(ratio)) => map.serialize_entry(field.name(), &ratio),
                Some(Value::Flag(flag)) => map.serialize_entry(field.name(), &flag),
                Some(Value::List(list)) => map.serialize_entry(field.name(), &list),
            }?;
        }
        Ok(())
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.add_to(&mut map)?;
        map.end()
    }
}
