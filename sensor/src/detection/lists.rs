//! Lists: values that rules name as `%name%`, kept in files of their own so that nobody edits a rule to add one.

use super::fault::{Fault, Place, Problem, most_like};
use super::options::NamedList;
use super::source::Source;
use crate::policy::DeclaredEntry;
use ipnet::IpNet;
use rsigma_parser::value::SigmaString;
use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaValue};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The list of declared destinations.
const DECLARED: &str = "declared_destinations";

/// Every list, by name. A list read later replaces the one of the same name.
#[derive(Clone, Debug, Default)]
pub struct Lists(BTreeMap<Box<str>, List>);

#[derive(Clone, Debug)]
struct List {
    file: Arc<str>,
    /// Each with its line.
    values: Vec<(u32, Box<str>)>,
}

impl Lists {
    /// Adds the list that is in `source`: one value a line; empty lines, and what follows a `#` at the start of a line or
    /// after a blank, are left out. Its name is that of the file, without
    /// `.txt`, and is returned.
    pub(super) fn add<'s>(&mut self, source: &'s Source) -> &'s str {
        let name = source.name.rsplit('/').next().unwrap_or_default().trim_end_matches(".txt");
        let values = (1..)
            .zip(source.text.lines())
            .map(|(line, text)| (line, without_comment(text).trim()))
            .filter(|(_, value)| !value.is_empty())
            .map(|(line, value)| (line, value.into()))
            .collect();
        self.0.insert(name.into(), List { file: source.name.clone(), values });
        name
    }

    /// These lists, and `list`; it replaces the one of its name.
    #[must_use]
    pub fn with(mut self, list: &NamedList) -> Lists {
        self.0.insert(list.name.clone(), List { file: list.file.clone(), values: list.values.clone() });
        self
    }

    /// The values of the list `name`; `None` if there is no such list.
    pub fn get(&self, name: &str) -> Option<impl Iterator<Item = &str>> {
        Some(self.0.get(name)?.values.iter().map(|(_, value)| &**value))
    }

    /// The networks in the list `name`; what is none there is left out, and nothing if there is no such list.
    pub fn networks(&self, name: &str) -> impl Iterator<Item = IpNet> {
        self.get(name).into_iter().flatten().filter_map(|value| value.parse().ok())
    }

    /// The entries of `lists/declared_destinations.txt`: networks and names, each with its budget.
    pub fn declared(&self) -> impl Iterator<Item = DeclaredEntry> {
        self.get(DECLARED).into_iter().flatten().filter_map(|value| value.parse().ok())
    }

    /// What is wrong in the lists that have a form of their own.
    pub(super) fn vet(&self, problems: &mut Vec<Problem>) {
        let Some(list) = self.0.get(DECLARED) else { return };
        for (line, value) in &list.values {
            if let Err(reason) = value.parse::<DeclaredEntry>() {
                let place = Place { file: list.file.clone(), line: *line, column: 1 };
                problems.push(Problem { place, fault: Fault::NotDestination { value: value.to_string(), reason } });
            }
        }
    }

    /// The lists' names, each with the number of its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(name, list)| (&**name, list.values.len()))
    }

    /// Writes the lists into every item of `detection` that asks for them with `|expand`, and takes the modifier away, so
    /// that it goes together with `cidr` and all others. `locate` finds the place of a text in the rule.
    pub(super) fn expand(
        &self,
        detection: &mut Detection,
        locate: &dyn Fn(&str) -> Place,
        problems: &mut Vec<Problem>,
    ) {
        match detection {
            Detection::AllOf(items) => {
                for item in items {
                    if item.field.has_modifier(Modifier::Expand) {
                        self.expand_item(item, locate, problems);
                    } else {
                        self.vet_unexpanded(item, locate, problems);
                    }
                }
            }
            Detection::AnyOf(parts) | Detection::And(parts) => {
                for part in parts {
                    self.expand(part, locate, problems);
                }
            }
            Detection::ArrayMatch { body, .. } => self.expand(body, locate, problems),
            Detection::Conditional { named, .. } => {
                for part in named.values_mut() {
                    self.expand(part, locate, problems);
                }
            }
            Detection::Keywords(_) => {}
        }
    }

    /// Values that name a list and are taken as they are written.
    fn vet_unexpanded(&self, item: &DetectionItem, locate: &dyn Fn(&str) -> Place, problems: &mut Vec<Problem>) {
        for value in &item.values {
            let SigmaValue::String(text) = value else { continue };
            let name = text.original.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
            if let Some(name) = name.filter(|name| self.0.contains_key(*name)) {
                problems.push(Problem { place: locate(&text.original), fault: Fault::NotExpanded(name.to_owned()) });
            }
        }
    }

    fn expand_item(&self, item: &mut DetectionItem, locate: &dyn Fn(&str) -> Place, problems: &mut Vec<Problem>) {
        let is_placeholder =
            |value: &SigmaValue| matches!(value, SigmaValue::String(text) if text.original.contains('%'));
        if let Some(SigmaValue::String(text)) = item.values.first()
            && !item.values.iter().any(is_placeholder)
        {
            let fault = Fault::NoPlaceholder(text.original.clone());
            problems.push(Problem { place: locate(&text.original), fault });
        }
        let mut values = Vec::with_capacity(item.values.len());
        for value in &item.values {
            let SigmaValue::String(text) = value else {
                values.push(value.clone());
                continue;
            };
            let fault = match text.original.split('%').collect::<Vec<_>>().as_slice() {
                [_] => {
                    values.push(value.clone());
                    continue;
                }
                [before, name, after] => match self.0.get(*name) {
                    None => {
                        let nearest = most_like(name, self.0.keys().map(|key| &**key));
                        Fault::UnknownList { name: (*name).to_owned(), nearest }
                    }
                    Some(list) if list.values.is_empty() => Fault::EmptyList((*name).to_owned()),
                    Some(list) => {
                        let already = values.len();
                        for (line, value) in &list.values {
                            // Of these a rule gets the networks, without their budgets.
                            let networks = *name == DECLARED && item.field.has_modifier(Modifier::Cidr);
                            let value = match value.parse::<DeclaredEntry>() {
                                Ok(entry) if networks => match entry.network() {
                                    Some(network) => network.to_string().into(),
                                    None => continue,
                                },
                                Err(_) if networks => continue,
                                _ => value.clone(),
                            };
                            if item.field.has_modifier(Modifier::Cidr) && value.parse::<IpNet>().is_err() {
                                let place = Place { file: list.file.clone(), line: *line, column: 1 };
                                problems.push(Problem { place, fault: Fault::NotNetwork(value.to_string()) });
                            } else {
                                values.push(SigmaValue::String(SigmaString::new(&format!("{before}{value}{after}"))));
                            }
                        }
                        if values.len() > already || problems.iter().any(|problem| problem.place.file == list.file) {
                            continue;
                        }
                        // Names only, and the rule asks for networks.
                        Fault::EmptyList((*name).to_owned())
                    }
                },
                _ => Fault::Placeholder(text.original.clone()),
            };
            problems.push(Problem { place: locate(&text.original), fault });
        }
        item.field.modifiers.retain(|modifier| *modifier != Modifier::Expand);
        item.values = values;
    }
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.split_once(" #").map_or(line, |(value, _)| value)
}
