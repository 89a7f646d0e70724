//! The mapping `weir:` of a rule: what Sigma has no key for.

use super::document::Document;
use super::example::Examples;
use super::fault::{Fault, Problem};
use super::template::Template;
use super::vet;
use crate::event::Field;
use rsigma_parser::Timespan;
use std::time::Duration;
use yaml_serde::Value;

/// For how long the same is not said again if the rule does not say.
pub const SUPPRESS: Duration = Duration::from_secs(3600);
/// What a rule's alert is about if the rule does not say.
pub const SUBJECT: [Field; 2] = [Field::WorkloadId, Field::ProcessExecutablePath];

const KEYS: [&str; 8] =
    ["sentence", "atlas", "atlas_version", "attack_version", "first_steps", "subject", "suppress", "tests"];

/// What `weir:` says.
#[derive(Clone, Debug, Default)]
pub struct Annotations {
    pub sentence: Template,
    pub atlas: Vec<Box<str>>,
    pub atlas_version: Box<str>,
    pub attack_version: Box<str>,
    pub first_steps: Vec<Box<str>>,
    pub subject: Vec<Field>,
    pub suppress: Option<Duration>,
    pub tests: Examples,
}

impl Annotations {
    /// Reads the mapping `weir:` of `document`; `rule_names` are those that its sentence may name.
    pub fn read(document: &Document<'_>, rule_names: &[&str], problems: &mut Vec<Problem>) -> Annotations {
        let weir = document.value.get("weir");
        document.check_mapping(weir, "weir", &KEYS, problems);
        let mut refuse = |key: &str, value: &Value, mend: &str| {
            let value = super::document::one_line(yaml_serde::to_string(value).unwrap_or_default().trim());
            let fault = Fault::InvalidValue { key: key.to_owned(), value, mend: mend.to_owned() };
            problems.push(Problem { place: document.key(key), fault });
        };
        let get = |key: &str| weir.and_then(|weir| weir.get(key));
        let mut text = |key: &str| match get(key) {
            None => Box::default(),
            Some(Value::String(text)) => text.trim().into(),
            Some(Value::Number(number)) => number.to_string().into(),
            Some(other) => {
                refuse(key, other, "write a text");
                Box::default()
            }
        };
        let (sentence, atlas_version, attack_version) =
            (text("sentence"), text("atlas_version"), text("attack_version"));
        let suppress = get("suppress").and_then(|value| match value.as_str().map(Timespan::parse) {
            Some(Ok(span)) => Some(Duration::from_secs(span.seconds)),
            _ => {
                refuse("suppress", value, "write a number and one of s, m, h, d, w, for example 30m");
                None
            }
        });
        let mut list = |key: &str| match get(key) {
            None => Vec::new(),
            Some(Value::Sequence(items)) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(|item| Some(item.as_str()?.into())).collect()
            }
            Some(other) => {
                refuse(key, other, "write a list of texts");
                Vec::<Box<str>>::new()
            }
        };
        let (atlas, first_steps, subject) = (list("atlas"), list("first_steps"), list("subject"));
        for id in atlas.iter().filter(|id| !is_atlas_technique(id)) {
            refuse("atlas", &Value::String(id.to_string()), "write technique ids like AML.T0025 or AML.T0011.001");
        }

        let subject = subject
            .iter()
            .filter_map(|name| {
                vet::field(name).map_err(|fault| problems.push(Problem { place: document.text(name), fault })).ok()
            })
            .collect();
        let sentence = Template::parse(&sentence, rule_names).unwrap_or_else(|reason| {
            problems.push(Problem { place: document.key("sentence"), fault: Fault::Template(reason) });
            Template::default()
        });
        let tests = Examples::read(get("tests"), document, problems);
        Annotations { sentence, atlas, atlas_version, attack_version, first_steps, subject, suppress, tests }
    }
}

/// `AML.T0025`, `AML.T0011.001`
fn is_atlas_technique(id: &str) -> bool {
    id.strip_prefix("AML.").is_some_and(|technique| super::vet::is_technique(technique, 4))
}
