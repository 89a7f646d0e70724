//! JSON values as OTLP has them, within bounds.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Any};
use serde_json::{Map, Value};

/// Most levels of lists and maps, and most members of each. Records are well below; what a flipped bit or a later version
/// made of one is not let through to a collector's memory.
const DEPTH_MAX: usize = 8;
pub(super) const MEMBERS_MAX: usize = 512;

/// A value; what is deeper than [`DEPTH_MAX`] is its JSON text.
pub(super) fn any(value: &Value) -> AnyValue {
    deeper(value, 0)
}

fn deeper(value: &Value, depth: usize) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(flag) => Some(Any::BoolValue(*flag)),
        Value::String(text) => Some(Any::StringValue(text.clone())),
        Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Any::IntValue(integer),
            // OTLP has no unsigned numbers: one beyond is exact as text, and wrong as anything else.
            (None, Some(float)) if !number.is_u64() => Any::DoubleValue(float),
            _ => Any::StringValue(number.to_string()),
        }),
        Value::Array(_) | Value::Object(_) if depth >= DEPTH_MAX => Some(Any::StringValue(value.to_string())),
        Value::Array(list) => {
            let values = list.iter().take(MEMBERS_MAX).map(|value| deeper(value, depth + 1)).collect();
            Some(Any::ArrayValue(ArrayValue { values }))
        }
        Value::Object(map) => {
            let members = map.iter().take(MEMBERS_MAX);
            let values = members.map(|(key, value)| pair(key, deeper(value, depth + 1))).collect();
            Some(Any::KvlistValue(KeyValueList { values }))
        }
    };
    AnyValue { value }
}

/// An attribute.
pub(super) fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// An attribute that is text.
pub(super) fn text(key: &str, text: &str) -> KeyValue {
    pair(key, AnyValue { value: Some(Any::StringValue(text.to_owned())) })
}

/// A member that is text; empty if there is none.
pub(super) fn str_of<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Nanoseconds since the Unix epoch of an RFC 3339 time; 0, which OTLP reads as unknown, if it is none.
pub(super) fn nanos(time: &str) -> u64 {
    let Ok(time) = time.parse::<prost_types::Timestamp>() else { return 0 };
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.nanos).unwrap_or(0))
}

/// The sixteen bytes of a uid, as alerts and incidents write it.
pub(super) fn uid_bytes(uid: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = uid.bytes().filter(|byte| *byte != b'-').collect();
    let mut bytes = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    // A trace id of zeros is invalid (W3C Trace Context).
    (bytes != [0; 16]).then_some(bytes)
}
