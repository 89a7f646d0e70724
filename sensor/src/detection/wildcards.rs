//! Wildcards, made to mean what they say, and fast.
//!
//! rsigma compiles `*` and `?` to a regular expression's dot, which a line break is not: a path or an argument with one in it
//! would slip through. Here `abc*` becomes `startswith`, and so on, which its matchers compare many at a time; only what has
//! wildcards in its middle becomes an expression, in which they stand for any character.

use rsigma_parser::value::SigmaString;
use rsigma_parser::{Detection, DetectionItem, FieldSpec, Modifier, SigmaValue, SpecialChar, StringPart};
use std::collections::BTreeMap;

/// The same detection, with its wildcards rewritten.
pub fn rewrite(detection: Detection) -> Detection {
    let all = |parts: Vec<Detection>| parts.into_iter().map(rewrite).collect();
    match detection {
        Detection::AnyOf(parts) => Detection::AnyOf(all(parts)),
        Detection::And(parts) => Detection::And(all(parts)),
        Detection::AllOf(items) => {
            let (mut plain, mut parts) = (Vec::new(), Vec::new());
            for item in items {
                let mut alternatives = alternatives(item);
                match alternatives.pop() {
                    Some(only) if alternatives.is_empty() => plain.push(only),
                    Some(last) => {
                        alternatives.push(last);
                        parts.push(Detection::AnyOf(
                            alternatives.into_iter().map(|item| Detection::AllOf(vec![item])).collect(),
                        ));
                    }
                    None => {}
                }
            }
            if parts.is_empty() {
                return Detection::AllOf(plain);
            }
            if !plain.is_empty() {
                parts.insert(0, Detection::AllOf(plain));
            }
            Detection::And(parts)
        }
        // Field names without values; and blocks, which are refused.
        other @ (Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. }) => other,
    }
}

/// How a text is compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Whole,
    Start,
    End,
    Within,
    Expression,
}

/// Items of which one must match where `item` had to.
fn alternatives(item: DetectionItem) -> Vec<DetectionItem> {
    use Modifier::{All, Cased, Contains, EndsWith, StartsWith};
    let has = |modifier| item.field.has_modifier(modifier);
    let wild = |value: &SigmaValue| matches!(value, SigmaValue::String(text) if text.contains_wildcards());
    let simple = item.field.modifiers.iter().all(|m| matches!(m, All | Cased | Contains | EndsWith | StartsWith));
    let texts = item.values.iter().all(|value| matches!(value, SigmaValue::String(_)));
    if !simple || !texts || !item.values.iter().any(wild) {
        return vec![item];
    }
    let (before, after) = (has(Contains) || has(EndsWith), has(Contains) || has(StartsWith));
    let mut shapes: BTreeMap<Shape, Vec<SigmaValue>> = BTreeMap::new();
    for value in &item.values {
        let SigmaValue::String(text) = value else { continue };
        // All values of one item must match together, so they must stay in one item, of one shape.
        let (shape, value) = match (has(All), shaped(text, before, after)) {
            (false, Some(shaped)) => shaped,
            _ => (Shape::Expression, expression(text, before, after)),
        };
        shapes.entry(shape).or_default().push(value);
    }
    let item = |(shape, values)| {
        let mut modifiers = match shape {
            Shape::Whole => Vec::new(),
            Shape::Start => vec![StartsWith],
            Shape::End => vec![EndsWith],
            Shape::Within => vec![Contains],
            Shape::Expression => vec![Modifier::Re, Modifier::DotAll],
        };
        modifiers.extend(has(All).then_some(All));
        match shape {
            // Expressions heed case by themselves.
            Shape::Expression => modifiers.extend((!has(Cased)).then_some(Modifier::IgnoreCase)),
            _ => modifiers.extend(has(Cased).then_some(Cased)),
        }
        DetectionItem { field: FieldSpec::new(item.field.name.clone(), modifiers), values }
    };
    shapes.into_iter().map(item).collect()
}

/// The shape of a text whose only wildcards are `*` at its ends.
fn shaped(text: &SigmaString, before: bool, after: bool) -> Option<(Shape, SigmaValue)> {
    let star = |part: &&StringPart| matches!(part, StringPart::Special(SpecialChar::WildcardMulti));
    let mut parts = text.parts.as_slice();
    let (mut before, mut after) = (before, after);
    while let Some(rest) = parts.split_first().filter(|(part, _)| star(part)).map(|(_, rest)| rest) {
        (parts, before) = (rest, true);
    }
    while let Some(rest) = parts.split_last().filter(|(part, _)| star(part)).map(|(_, rest)| rest) {
        (parts, after) = (rest, true);
    }
    let [StringPart::Plain(plain)] = parts else { return None };
    let shape = match (before, after) {
        (false, false) => Shape::Whole,
        (false, true) => Shape::Start,
        (true, false) => Shape::End,
        (true, true) => Shape::Within,
    };
    let value = SigmaString { parts: vec![StringPart::Plain(plain.clone())], original: plain.clone() };
    Some((shape, SigmaValue::String(value)))
}

/// A regular expression that means the same; the dot matches everything in it.
fn expression(text: &SigmaString, before: bool, after: bool) -> SigmaValue {
    let mut pattern = if before { String::new() } else { r"\A".to_owned() };
    for part in &text.parts {
        match part {
            StringPart::Plain(plain) => plain.chars().for_each(|character| {
                if character.is_ascii_punctuation() {
                    pattern.push('\\');
                }
                pattern.push(character);
            }),
            StringPart::Special(SpecialChar::WildcardMulti) => pattern.push_str(".*"),
            StringPart::Special(SpecialChar::WildcardSingle) => pattern.push('.'),
        }
    }
    if !after {
        pattern.push_str(r"\z");
    }
    SigmaValue::from_raw_string(&pattern)
}
