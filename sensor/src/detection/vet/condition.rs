//! Conditions: what could hurt the parser, names that mean nothing, and selections that mean nothing to the condition.

use super::super::document::Document;
use super::super::fault::{Fault, Problem, most_like};
use rsigma_parser::{ConditionExpr, Detections, SelectorPattern, detection_name_matches};
use yaml_serde::Value;

/// A condition anywhere in `value` that the parser, which calls itself for each level, could run out of stack on.
pub fn too_deep(value: &Value) -> Option<Fault> {
    match value {
        Value::Mapping(mapping) => mapping.iter().find_map(|(key, value)| match (key.as_str(), value) {
            (Some("condition"), Value::String(text)) => too_deep_condition(text),
            (Some("condition"), Value::Sequence(texts)) => {
                texts.iter().filter_map(Value::as_str).find_map(too_deep_condition)
            }
            _ => too_deep(value),
        }),
        Value::Sequence(items) => items.iter().find_map(too_deep),
        _ => None,
    }
}

fn too_deep_condition(text: &str) -> Option<Fault> {
    // The parser's time is that of the square of the length.
    const BYTES_MAX: usize = 4096;
    const LEVELS_MAX: usize = 32;
    const NEGATIONS_MAX: usize = 256;
    let depths = text.bytes().scan(0usize, |depth, byte| {
        match byte {
            b'(' => *depth += 1,
            b')' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    });
    let depth = depths.max().unwrap_or(0);
    let words = text.split(|c: char| !c.is_alphanumeric());
    let negations = words.filter(|word| word.eq_ignore_ascii_case("not")).count();
    let bytes = text.len();
    match (depth > LEVELS_MAX, negations > NEGATIONS_MAX) {
        _ if bytes > BYTES_MAX => Some(Fault::ConditionTooDeep { what: format!("{bytes} bytes"), limit: BYTES_MAX }),
        (true, _) => Some(Fault::ConditionTooDeep { what: format!("{depth} levels of brackets"), limit: LEVELS_MAX }),
        (_, true) => Some(Fault::ConditionTooDeep { what: format!("{negations} negations"), limit: NEGATIONS_MAX }),
        _ => None,
    }
}

/// Selections that no condition uses, in order.
pub fn unused(detections: &Detections) -> Vec<&str> {
    let mut names: Vec<&str> = detections.named.keys().map(String::as_str).collect();
    names.retain(|name| !detections.conditions.iter().any(|expression| uses(expression, name)));
    names.sort_unstable();
    names
}

fn uses(expression: &ConditionExpr, name: &str) -> bool {
    match expression {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => parts.iter().any(|part| uses(part, name)),
        ConditionExpr::Not(inner) => uses(inner, name),
        ConditionExpr::Identifier(used) => used == name,
        ConditionExpr::Selector { pattern: SelectorPattern::Pattern(pattern), .. } => {
            detection_name_matches(pattern, name)
        }
        // What starts so is meant to be used by name only.
        ConditionExpr::Selector { pattern: SelectorPattern::Them, .. } => !name.starts_with('_'),
    }
}

/// Names in `expression` that mean nothing.
pub fn names(
    expression: &ConditionExpr,
    detections: &Detections,
    document: &Document<'_>,
    problems: &mut Vec<Problem>,
) {
    let unknown = |name: &str| {
        let nearest = most_like(name, detections.named.keys().map(String::as_str));
        let fault = Fault::UnknownSelection { name: name.to_owned(), nearest };
        Problem { place: document.key("condition"), fault }
    };
    match expression {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            for part in parts {
                names(part, detections, document, problems);
            }
        }
        ConditionExpr::Not(inner) => names(inner, detections, document, problems),
        ConditionExpr::Identifier(name) if !detections.named.contains_key(name) => problems.push(unknown(name)),
        ConditionExpr::Identifier(_) => {}
        // `all of x_*` without any x_ would hold for every event.
        ConditionExpr::Selector { pattern: SelectorPattern::Pattern(pattern), .. } => {
            if !detections.named.keys().any(|name| detection_name_matches(pattern, name)) {
                problems.push(unknown(pattern));
            }
        }
        ConditionExpr::Selector { pattern: SelectorPattern::Them, .. } => {
            if !detections.named.keys().any(|name| !name.starts_with('_')) {
                problems.push(unknown("them"));
            }
        }
    }
}
