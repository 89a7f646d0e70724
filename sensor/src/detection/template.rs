//! Templates of the sentence that an alert says: text with `{field}`s of the deciding event and `{rule_name.field}`s of the
//! events that prove it. What they become is `alert::sentence`'s.
//!
//! - `{field}`, `{rule_name.field}`: the value; `{field|bytes}`: as a quantity of bytes; `{field|percent}`: as percent.
//! - `{workload}`: what the process is part of, as people call it; `{peer}`: the peer's address and port.
//! - `[...]`: left out if a field in it has no value.
//! - `{{`, `}}`, `[[`, `]]`: the character itself.

use super::fault::most_like;
use crate::event::Field;
use std::fmt::{self, Write as _};

/// A template that was found right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template(pub Box<[Part]>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text as it is.
    Text(Box<str>),
    /// A value.
    Value(Placeholder),
    /// Left out if one of its values is missing. Not nested.
    Optional(Box<[Part]>),
}

/// What stands for a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Placeholder {
    /// Of the proof that this rule matched; `None`: of the deciding event.
    pub rule_name: Option<Box<str>>,
    /// What.
    pub source: Source,
    /// How.
    pub form: Form,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A field of the event.
    Field(Field),
    /// The workload, as people call it.
    Workload,
    /// The peer's address and port.
    Peer,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// As a quantity of bytes, in powers of 1,000.
    Bytes,
    /// As percent.
    Percent,
}

impl Template {
    /// Parses `text`; `rule_names` are the rules that a correlation is made of. The error is a sentence.
    pub fn parse(text: &str, rule_names: &[&str]) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut optional: Option<Vec<Part>> = None;
        let mut plain = String::new();
        let mut rest = text.chars().peekable();
        let close = |plain: &mut String, parts: &mut Vec<Part>| {
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(plain).into()));
            }
        };
        while let Some(character) = rest.next() {
            if matches!(character, '{' | '}' | '[' | ']') && rest.peek() == Some(&character) {
                rest.next();
                plain.push(character);
                continue;
            }
            match (character, &mut optional) {
                ('{', _) => {
                    let mut inside = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(other) => inside.push(other),
                            None => return Err(format!("`{{{inside}` is not closed; add a `}}`")),
                        }
                    }
                    let target = optional.as_mut().unwrap_or(&mut parts);
                    close(&mut plain, target);
                    target.push(Part::Value(placeholder(&inside, rule_names)?));
                }
                ('}', _) => return Err("a `}` closes nothing; write `}}` for the character".to_owned()),
                ('[', Some(_)) => return Err("`[` within `[...]`; close the first one before".to_owned()),
                ('[', None) => {
                    close(&mut plain, &mut parts);
                    optional = Some(Vec::new());
                }
                (']', _) => {
                    let mut inner = optional
                        .take()
                        .ok_or_else(|| "a `]` closes nothing; write `]]` for the character".to_owned())?;
                    close(&mut plain, &mut inner);
                    parts.push(Part::Optional(inner.into()));
                }
                (other, _) => plain.push(other),
            }
        }
        if optional.is_some() {
            return Err("a `[` is not closed; add a `]`".to_owned());
        }
        close(&mut plain, &mut parts);
        Ok(Template(parts.into()))
    }
}

/// As it is written in a rule.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "{part}"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Text(text) => text.chars().try_for_each(|character| match character {
                '{' | '}' | '[' | ']' => write!(f, "{character}{character}"),
                other => f.write_char(other),
            }),
            Part::Value(Placeholder { rule_name, source, form }) => {
                let name = match source {
                    Source::Field(field) => field.name(),
                    Source::Workload => "workload",
                    Source::Peer => "peer",
                };
                let form = match form {
                    Form::Plain => "",
                    Form::Bytes => "|bytes",
                    Form::Percent => "|percent",
                };
                match rule_name {
                    Some(rule) => write!(f, "{{{rule}.{name}{form}}}"),
                    None => write!(f, "{{{name}{form}}}"),
                }
            }
            Part::Optional(parts) => {
                f.write_str("[")?;
                parts.iter().try_for_each(|part| write!(f, "{part}"))?;
                f.write_str("]")
            }
        }
    }
}

fn placeholder(inside: &str, rule_names: &[&str]) -> Result<Placeholder, String> {
    let (name, form) = match inside.split_once('|') {
        None => (inside, Form::Plain),
        Some((name, "bytes")) => (name, Form::Bytes),
        Some((name, "percent")) => (name, Form::Percent),
        Some((_, other)) => return Err(format!("`|{other}` is not a form; write `|bytes`, `|percent` or nothing")),
    };
    let source = |name: &str| match name {
        "workload" => Some(Source::Workload),
        "peer" => Some(Source::Peer),
        _ => Field::from_name(name).map(Source::Field),
    };
    if let Some(source) = source(name) {
        return Ok(Placeholder { rule_name: None, source, form });
    }
    // A rule's name may have dots itself.
    let of_rule = rule_names.iter().find_map(|rule| Some((*rule, name.strip_prefix(rule)?.strip_prefix('.')?)));
    if let Some((rule, field)) = of_rule
        && let Some(source) = source(field)
    {
        return Ok(Placeholder { rule_name: Some(rule.into()), source, form });
    }
    let field = of_rule.map_or(name, |(_, field)| field);
    let hint = most_like(field, Field::ALL.iter().map(|f| f.name())).map(|n| format!(", did you mean `{n}`?"));
    Err(format!(
        "`{{{name}}}` is neither a field nor a field of a rule that this one is made of{}",
        hint.unwrap_or_default()
    ))
}
