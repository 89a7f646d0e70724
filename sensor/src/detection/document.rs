//! Sigma documents: a file taken apart at its `---` lines, each part parsed by rsigma-parser, and what its parser says of
//! mistakes turned into problems with a place. The parser itself gives no places, and keeps quiet about misspelt keys.

use super::fault::{Fault, Place, Problem, most_like};
use super::source::Source;
use super::vet::condition;
use rsigma_parser::{SigmaCollection, parse_sigma_yaml};
use std::sync::Arc;
use yaml_serde::Value;

/// One document of a file.
pub struct Document<'s> {
    file: &'s Arc<str>,
    /// Lines before it in the file.
    before: usize,
    text: &'s str,
    /// As YAML, for what the parser does not keep.
    pub value: Value,
}

/// Keys that any Sigma document may have at its top.
const COMMON: [&str; 19] = [
    "title",
    "sigma-version",
    "id",
    "related",
    "name",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "custom_attributes",
];
const RULE: [&str; 3] = ["logsource", "detection", "weir"];
const CORRELATION: [&str; 3] = ["correlation", "generate", "weir"];
const FILTER: [&str; 2] = ["logsource", "filter"];
const IN_CORRELATION: [&str; 10] =
    ["type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate", "window", "gap"];
const IN_CORRELATION_CONDITION: [&str; 8] = ["gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile"];
const IN_LOGSOURCE: [&str; 4] = ["category", "product", "service", "definition"];
const MODIFIERS: [&str; 34] = [
    "contains",
    "startswith",
    "endswith",
    "all",
    "base64",
    "base64offset",
    "wide",
    "utf16le",
    "utf16be",
    "utf16",
    "windash",
    "re",
    "cidr",
    "cased",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "lt",
    "lte",
    "neq",
    "i",
    "m",
    "s",
    "ignorecase",
    "multiline",
    "dotall",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
];

/// Takes `source` apart and parses it. Every document that could be parsed comes with its rules; `collection.errors` is empty.
pub fn parse<'s>(source: &'s Source, problems: &mut Vec<Problem>) -> Vec<(Document<'s>, SigmaCollection)> {
    let mut documents = Vec::new();
    for (before, text) in split(&source.text) {
        if text.lines().all(|line| line.trim().is_empty() || line.starts_with(['#', '%'])) {
            continue;
        }
        let mut document = Document { file: &source.name, before, text, value: Value::Null };
        match yaml_serde::from_str(text) {
            Ok(value) => document.value = value,
            Err(error) => {
                let place = match error.location() {
                    Some(location) => document.place(location.line(), location.column()),
                    None => document.start(),
                };
                problems.push(Problem { place, fault: Fault::Yaml(one_line(&error.to_string())) });
                continue;
            }
        }
        let Some(mapping) = document.value.as_mapping() else {
            problems.push(Problem { place: document.start(), fault: Fault::NotMapping });
            continue;
        };
        if mapping.contains_key("action") {
            problems.push(Problem { place: document.key("action"), fault: Fault::Action });
            continue;
        }
        document.check_keys(problems);
        if let Some(fault) = condition::too_deep(&document.value) {
            problems.push(Problem { place: document.key("condition"), fault });
            continue;
        }
        // One document alone cannot fail as a whole; if it does all the same, its error is told like the others.
        let collection = parse_sigma_yaml(text)
            .unwrap_or_else(|error| SigmaCollection { errors: vec![error.to_string()], ..SigmaCollection::new() });
        if collection.errors.is_empty() {
            documents.push((document, collection));
        } else {
            problems.extend(collection.errors.iter().map(|error| document.parser_error(error)));
        }
    }
    documents
}

/// The documents of a file, each with the number of lines before it. `---` and `...` at the start of a line end a document
/// wherever they are (YAML 1.2.2, 9.1.2), so that lines can be told from the text alone.
fn split(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    let mut line = 0;
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let (first, mut end) = (line, 0);
        for part in rest.split_inclusive('\n') {
            line += 1;
            let content = part.trim_end();
            if content == "---" || content == "..." || content.starts_with("--- ") {
                let document = rest.get(..end).unwrap_or_default();
                rest = rest.get(end + part.len()..).unwrap_or_default();
                return Some((first, document));
            }
            end += part.len();
        }
        done = true;
        Some((first, rest))
    })
}

impl Document<'_> {
    /// The place of line and column, both from 1, of this document.
    fn place(&self, line: usize, column: usize) -> Place {
        let line = u32::try_from(self.before.saturating_add(line)).unwrap_or(u32::MAX);
        Place { file: self.file.clone(), line, column: u32::try_from(column).unwrap_or(0) }
    }

    /// Where the document starts: its first line that says something.
    pub fn start(&self) -> Place {
        let line = self.text.lines().position(|line| !line.trim().is_empty() && !line.starts_with('#'));
        self.place(line.unwrap_or(0) + 1, 0)
    }

    /// Where the key `name` is first written, with whatever modifiers; the document's start if it is not.
    pub fn key(&self, name: &str) -> Place {
        // The parser escapes brackets that stand in a name.
        let name = &name.replace('\\', "");
        let found = self.text.lines().enumerate().find_map(|(index, line)| {
            let written = line.trim_start_matches([' ', '-', '"', '\'', '{']);
            let after = written.strip_prefix(name)?.trim_start_matches(['"', '\'']);
            after.starts_with([':', '|']).then(|| (index, line.len() - written.len()))
        });
        match found {
            Some((line, column)) => self.place(line + 1, column + 1),
            None => self.text(name),
        }
    }

    /// Where the item number `index`, from 0, of the list under these keys begins, one key within the other; where the innermost of
    /// them is that is found, if the list is not written an item a line.
    pub fn item(&self, keys: &[&str], index: usize) -> Place {
        let lines: Vec<(usize, usize, &str)> = (1..)
            .zip(self.text.lines())
            .map(|(number, line)| (number, line.len() - line.trim_start().len(), line.trim_start()))
            .filter(|(_, _, written)| !written.is_empty() && !written.starts_with('#'))
            .collect();
        let (mut found, mut rest) = (self.start(), lines.as_slice());
        let mut outer = None;
        for key in keys {
            let is_key = |written: &str| written.strip_prefix(key).is_some_and(|after| after.starts_with(':'));
            let within = |indent: usize| outer.is_none_or(|outer| indent > outer);
            let Some(at) = rest.iter().position(|(_, indent, written)| within(*indent) && is_key(written)) else {
                return found;
            };
            let Some((number, indent, _)) = rest.get(at) else { return found };
            found = self.place(*number, indent + 1);
            outer = Some(*indent);
            rest = rest.get(at + 1..).unwrap_or_default();
        }
        let own = rest.first().map_or(0, |(_, indent, _)| *indent);
        let mut items = rest
            .iter()
            .take_while(|(_, indent, _)| *indent >= own)
            .filter(|(_, indent, written)| *indent == own && written.starts_with('-'));
        match items.nth(index) {
            Some((number, indent, _)) => self.place(*number, indent + 1),
            None => found,
        }
    }

    /// Where `needle` is first written; the document's start if it is not.
    pub fn text(&self, needle: &str) -> Place {
        let found = self.text.lines().enumerate().find_map(|(index, line)| {
            if line.trim_start().starts_with('#') {
                return None;
            }
            Some((index, line.get(..line.find(needle)?)?.chars().count()))
        });
        match found {
            Some((line, column)) if !needle.is_empty() => self.place(line + 1, column + 1),
            _ => self.start(),
        }
    }

    /// Keys that nobody reads. At the top Sigma lets anybody add keys, so there only what looks misspelt is refused.
    fn check_keys(&self, problems: &mut Vec<Problem>) {
        let top = |key: &str| self.value.get(key);
        let own: &[&str] = if top("correlation").is_some() {
            &CORRELATION
        } else if top("filter").is_some() {
            &FILTER
        } else {
            &RULE
        };
        let known = || COMMON.iter().chain(own).copied();
        for key in keys(&self.value) {
            let nearest = most_like(key, known());
            if !known().any(|name| name == key) && nearest.is_some() {
                self.unknown_key(key, "the rule", nearest, problems);
            }
        }
        self.check_mapping(top("logsource"), "logsource", &IN_LOGSOURCE, problems);
        self.check_mapping(top("correlation"), "correlation", &IN_CORRELATION, problems);
        let condition = top("correlation").and_then(|correlation| correlation.get("condition"));
        self.check_mapping(condition, "the correlation's condition", &IN_CORRELATION_CONDITION, problems);
    }

    /// Refuses every key of `mapping` that is not one of `known`.
    pub fn check_mapping(
        &self,
        mapping: Option<&Value>,
        inside: &'static str,
        known: &[&str],
        problems: &mut Vec<Problem>,
    ) {
        for key in mapping.into_iter().flat_map(keys).filter(|key| !known.contains(key)) {
            self.unknown_key(key, inside, most_like(key, known.iter().copied()), problems);
        }
    }

    fn unknown_key(&self, key: &str, inside: &'static str, nearest: Option<String>, problems: &mut Vec<Problem>) {
        problems
            .push(Problem { place: self.key(key), fault: Fault::UnknownKey { key: key.to_owned(), inside, nearest } });
    }

    /// The parser's errors are sentences only; their beginnings are stable within the pinned version.
    fn parser_error(&self, error: &str) -> Problem {
        let quoted = |text: &str| text.split('\'').nth(1).unwrap_or_default().to_owned();
        let (place, fault) = if error.starts_with("Unknown modifier ") {
            let name = quoted(error);
            let nearest = most_like(&name, MODIFIERS);
            (self.text(&format!("|{name}")), Fault::UnknownModifier { name, nearest })
        } else if error.starts_with("`not` is not a value modifier") {
            (self.text("|not"), Fault::UnknownModifier { name: "not".to_owned(), nearest: None })
        } else if error.starts_with("Condition parse error") {
            let message = error.split_once(": ").map_or(error, |(_, message)| message);
            (self.key("condition"), Fault::Condition(pest_reason(message)))
        } else if error.starts_with("Condition string too long") {
            (self.key("condition"), Fault::Condition(error.to_lowercase()))
        } else if error.starts_with("Missing required field ") {
            let fault = match quoted(error).as_str() {
                "title" => {
                    Fault::MissingKey { key: "title", mend: "add `title:` and say in a few words what it finds" }
                }
                "detection" => {
                    Fault::MissingKey { key: "detection", mend: "add `detection:` with selections and a condition" }
                }
                "condition" => Fault::MissingKey { key: "condition", mend: "add `condition:` to the detection" },
                _ => Fault::Detection(one_line(error)),
            };
            (self.start(), fault)
        } else if let Some(rest) = error.strip_prefix("invalid ") {
            let key = rest.split([':', ' ']).next().unwrap_or_default().to_owned();
            let mend = match key.as_str() {
                "level" => "write one of informational, low, medium, high, critical",
                "status" => "write one of stable, test, experimental, deprecated, unsupported",
                _ => "see the Sigma specification",
            };
            (self.key(&key), Fault::InvalidValue { key, value: quoted(rest), mend: mend.to_owned() })
        } else if error.starts_with("Invalid timespan ") {
            let mend = "write a number and one of s, m, h, d, w, M, y, for example 30m".to_owned();
            (self.key("timespan"), Fault::InvalidValue { key: "timespan".to_owned(), value: quoted(error), mend })
        } else if let Some(kind) = error.strip_prefix("Invalid correlation rule: Unknown correlation type: ") {
            let mend = "write one of event_count, value_count, value_sum, temporal, temporal_ordered".to_owned();
            (self.key("type"), Fault::InvalidValue { key: "type".to_owned(), value: kind.to_owned(), mend })
        } else if let Some(reason) = error.strip_prefix("Invalid correlation rule: ") {
            (self.key("correlation"), Fault::Detection(one_line(reason)))
        } else {
            (self.key("detection"), Fault::Detection(one_line(error)))
        };
        Problem { place, fault }
    }
}

fn keys(mapping: &Value) -> impl Iterator<Item = &str> {
    mapping.as_mapping().into_iter().flatten().filter_map(|(key, _)| key.as_str())
}

/// The line of a pest error that says what was expected; the others draw the place.
fn pest_reason(message: &str) -> String {
    let reason = message.lines().filter_map(|line| line.trim().strip_prefix("= ")).next_back();
    reason.map_or_else(|| one_line(message), str::to_owned)
}

/// A library's message on one line, without its last full stop.
pub fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}
