//! Values that match nothing, or everything, or take too much to match.

use super::super::document::{Document, one_line};
use super::super::fault::{Fault, Place};
use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaValue};

/// Most bytes that a regular expression may have when it is made ready. Matching takes time linear in the text, whatever the
/// expression; its size, and the memory to match it, come from its repetitions.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

/// Whether there is nothing in a selection: an engine may take it to hold always, or never.
pub fn is_empty(detection: &Detection) -> bool {
    match detection {
        Detection::AllOf(items) => items.is_empty(),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.is_empty() || parts.iter().any(is_empty),
        Detection::Keywords(values) => values.is_empty(),
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => false,
    }
}

/// The first value of `item` that cannot be meant, written under the name `name`.
pub fn mistake(item: &DetectionItem, name: &str, document: &Document<'_>) -> Option<(Place, Fault)> {
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
    if has(Modifier::Re) && !has(Modifier::Expand) {
        return texts().find_map(|text| Some((document.text(text), expression(text)?)));
    }
    None
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
