//! Events as JSON objects, with the vocabulary's names as keys.

use crate::event::{Attributes, Event, WallClock};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One flat object an event: `time` (RFC 3339, UTC) and every field that the event has.
pub struct EventObject<'a> {
    /// The event.
    pub event: &'a Event,
    /// What tells its wall time.
    pub clock: WallClock,
}

impl Serialize for EventObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.clock.rfc3339(self.event.time).to_string())?;
        Attributes(self.event).add_to(&mut map)?;
        map.end()
    }
}
