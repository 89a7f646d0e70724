//! Events and alerts as JSON objects, with the vocabulary's names as keys.

use crate::alert::Alert;
use crate::event::{Event, Field, Value, WallClock};
use serde_json::{Map, Value as Json};

/// One flat object an event: `time` (RFC 3339, UTC) and every field that the event has.
pub fn event_object(event: &Event, clock: WallClock) -> Json {
    let mut object = fields(event);
    object.insert("time".into(), Json::String(clock.rfc3339(event.time).to_string()));
    Json::Object(object)
}

/// One object an alert, as it serialises, with wall times.
pub fn alert_object(alert: &Alert, clock: WallClock) -> Json {
    alert.to_json(clock)
}

/// Every field that the event has.
pub fn fields(event: &Event) -> Map<String, Json> {
    Field::ALL.iter().filter_map(|field| Some((field.name().to_owned(), json(field.get(event)?)))).collect()
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Text(text) => Json::String(text.into_owned()),
        Value::Number(number) => Json::from(number),
        Value::Ratio(ratio) => Json::from(ratio),
        Value::Flag(flag) => Json::Bool(flag),
        Value::List(list) => list.into_iter().map(|text| Json::String(text.into_owned())).collect(),
    }
}
