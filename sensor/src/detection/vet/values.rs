//! Values that match nothing, or everything, or take too much to match.

use super::super::document::{Document, one_line};
use super::super::fault::{Fault, Place};
use crate::event::Field;
use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaValue, StringPart};

/// Most bytes that a regular expression may have when it is made ready. Matching takes time linear in the text, whatever the
/// expression; its size, and the memory to match it, come from its repetitions.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;
/// Most wildcards of one value.
const WILDCARDS_MAX: usize = 32;

/// Whether there is nothing in a selection: an engine may take it to hold always, or never.
pub fn is_empty(detection: &Detection) -> bool {
    match detection {
        Detection::AllOf(items) => items.is_empty(),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.is_empty() || parts.iter().any(is_empty),
        Detection::Keywords(values) => values.iter().all(|value| *value == SigmaValue::Null),
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => false,
    }
}

/// The first value of `item` that cannot be meant, written under the name `name` of `field`.
pub fn mistake(item: &DetectionItem, name: &str, field: Field, document: &Document<'_>) -> Option<(Place, Fault)> {
    let has = |modifier| item.field.has_modifier(modifier);
    if item.values.is_empty() {
        return Some((document.key(name), Fault::NoValue(name.to_owned())));
    }
    let texts = || {
        item.values.iter().filter_map(|value| match value {
            SigmaValue::String(text) => Some(&text.original),
            _ => None,
        })
    };
    if [Modifier::Contains, Modifier::StartsWith, Modifier::EndsWith].into_iter().any(has)
        && texts().any(|text| text.is_empty())
    {
        return Some((document.key(name), Fault::EmptyValue(name.to_owned())));
    }
    if has(Modifier::Cidr) && !is_address(field) {
        return Some((document.key(name), Fault::NotAddress(name.to_owned())));
    }
    if item.field.modifiers.iter().any(|modifier| is_part_of_time(*modifier)) {
        let (what, instead) = ("a part of a time".to_owned(), "no field is a time; a correlation has a `timespan`");
        return Some((document.key(name), Fault::Unsupported { what, instead }));
    }
    if has(Modifier::Exists) {
        let is_flag = |value: &&SigmaValue| matches!(shown(value).to_ascii_lowercase().as_str(), "true" | "false");
        let other = item.values.iter().find(|value| !is_flag(value))?;
        return Some((document.key(name), Fault::NotFlag(shown(other))));
    }
    for value in &item.values {
        let SigmaValue::String(text) = value else { continue };
        let have = text.parts.iter().filter(|part| matches!(part, StringPart::Special(_))).count();
        if have > WILDCARDS_MAX {
            return Some((document.key(name), Fault::TooManyWildcards { have, limit: WILDCARDS_MAX }));
        }
    }
    if has(Modifier::Re) && !has(Modifier::Expand) {
        return texts().find_map(|text| Some((document.text(text), expression(text)?)));
    }
    None
}

/// Whether the field can be an address: a destination's id is one where it has no name.
fn is_address(field: Field) -> bool {
    use Field::{DestinationId, DnsAnswers, NetworkLocalAddress, NetworkPeerAddress};
    matches!(field, NetworkPeerAddress | NetworkLocalAddress | DnsAnswers | DestinationId)
}

fn is_part_of_time(modifier: Modifier) -> bool {
    use Modifier::{Day, Hour, Minute, Month, Week, Year};
    matches!(modifier, Minute | Hour | Day | Week | Month | Year)
}

/// What is wrong with a regular expression.
fn expression(pattern: &str) -> Option<Fault> {
    match regex::RegexBuilder::new(pattern).size_limit(EXPRESSION_BYTES_MAX).build() {
        Ok(_) => None,
        Err(regex::Error::CompiledTooBig(_)) => Some(Fault::ExpressionTooLarge(EXPRESSION_BYTES_MAX >> 10)),
        Err(error) => {
            // The last line says what is wrong; those before it draw where.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            Some(Fault::Expression(one_line(reason.trim_start_matches("error: "))))
        }
    }
}

/// A value as it is written.
pub fn shown(value: &SigmaValue) -> String {
    match value {
        SigmaValue::String(text) => text.original.clone(),
        SigmaValue::Integer(number) => number.to_string(),
        SigmaValue::Float(number) => number.to_string(),
        SigmaValue::Bool(flag) => flag.to_string(),
        SigmaValue::Null => "null".to_owned(),
    }
}
