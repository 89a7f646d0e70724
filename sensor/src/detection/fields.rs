//! Our events as rsigma sees them: typed values by field name, nothing copied that can be borrowed, no JSON.

use crate::event::{Body, Event, Field, Value};
use rsigma_eval::EventValue;
use std::borrow::Cow;

/// An event whose fields rsigma's matchers can ask for.
pub struct Fields<'e>(pub &'e Event);

impl rsigma_eval::Event for Fields<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        Field::from_name(path)?.get(self.0).map(convert)
    }

    // Keywords search every text of the event. No shipped rule does: it costs a look at every field.
    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        texts(self.0).any(|text| pred(&text))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        texts(self.0).collect()
    }

    // Only asked for by rules that want the whole event in the result, which ours never carry.
    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// The same of a rename or a link, as if the file had come into being under its new name.
pub struct Arrived<'e>(pub &'e Event);

impl rsigma_eval::Event for Arrived<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let Body::FileChange(change) = &self.0.body else { return Field::from_name(path)?.get(self.0).map(convert) };
        let path_of = &*change.new_path;
        let (directory, name) = path_of.rsplit_once('/').unwrap_or(("", path_of));
        let text = match Field::from_name(path)? {
            Field::FilePath => path_of,
            Field::FileName => name,
            Field::FileDirectory if directory.is_empty() => "/",
            Field::FileDirectory => directory,
            Field::FileExtension => name.rsplit_once('.')?.1,
            field => return field.get(self.0).map(convert),
        };
        Some(EventValue::Str(Cow::Borrowed(text))).filter(|_| !text.is_empty())
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        texts(self.0).any(|text| pred(&text))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        texts(self.0).collect()
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

fn texts(event: &Event) -> impl Iterator<Item = Cow<'_, str>> {
    Field::ALL.iter().filter_map(|field| field.get(event)).flat_map(|value| match value {
        Value::Text(text) => vec![text],
        Value::List(list) => list,
        Value::Number(_) | Value::Ratio(_) | Value::Flag(_) => Vec::new(),
    })
}

fn convert(value: Value<'_>) -> EventValue<'_> {
    match value {
        Value::Text(text) => EventValue::Str(text),
        // Sigma's integers are i64; a number beyond compares as the largest.
        Value::Number(number) => EventValue::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        Value::Ratio(ratio) => EventValue::Float(ratio),
        Value::Flag(flag) => EventValue::Bool(flag),
        // rsigma's matchers hold for an array if they hold for any of its elements.
        Value::List(list) => EventValue::Array(list.into_iter().map(EventValue::Str).collect()),
    }
}
