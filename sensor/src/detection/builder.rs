//! Putting a rule set together: files in, a set out that holds as a whole, or problems.

use super::document::{self, Document};
use super::example::Examples;
use super::fault::{Fault, Place, Problem, most_like};
use super::filter::contains;
use super::lists::Lists;
use super::options::{LeftOut, Note, Options};
use super::rule::Rule;
use super::set::{Detection, RuleSet};
use super::source::{Role, Source};
use super::vet;
use crate::provenance::Watched;
use rsigma_parser::{CorrelationRule, SigmaDocument, SigmaRule, Status};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A document on its way into the set.
pub(super) struct Draft<'s> {
    document: Document<'s>,
    sigma: SigmaDocument,
    layer: usize,
}

/// What has been put together so far.
pub(super) struct Builder {
    /// What is wrong.
    pub problems: Vec<Problem>,
    pub(super) lists: Lists,
    pub(super) examples: Vec<(Arc<Rule>, Examples)>,
    pub(super) watched: Watched,
    pub(super) notes: Vec<Note>,
    options: Options,
    left_out: Vec<LeftOut>,
}

impl Builder {
    /// With nothing in it; `problems` are those of reading the files.
    pub fn new(problems: Vec<Problem>, options: &Options) -> Builder {
        Builder {
            problems,
            lists: Lists::default(),
            examples: Vec::new(),
            watched: Watched::default(),
            notes: Vec::new(),
            options: options.clone(),
            left_out: Vec::new(),
        }
    }

    /// Reads the lists and parses the documents; of those with one id, the last layer's is kept.
    pub fn drafts<'s>(&mut self, layers: &'s [Vec<Source>]) -> Vec<Draft<'s>> {
        let mut drafts: BTreeMap<String, Draft<'s>> = BTreeMap::new();
        for (layer, sources) in layers.iter().enumerate() {
            let mut lists: HashMap<&str, &Arc<str>> = HashMap::new();
            for source in sources {
                if source.role == Role::List {
                    let name = self.lists.add(source);
                    if let Some(other) = lists.insert(name, &source.name) {
                        let (name, other) = (name.to_owned(), Place::file(other));
                        self.problem(Place::file(&source.name), Fault::DuplicateName { name, other });
                    }
                    continue;
                }
                for (document, collection) in document::parse(source, &mut self.problems) {
                    let sigma = (collection.rules.into_iter().map(|rule| SigmaDocument::Rule(Box::new(rule))))
                        .chain(collection.correlations.into_iter().map(SigmaDocument::Correlation))
                        .chain(collection.filters.into_iter().map(SigmaDocument::Filter))
                        .next();
                    let Some(sigma) = sigma else { continue };
                    let Some(id) = self.id(&sigma, &document) else { continue };
                    let draft = Draft { document, sigma, layer };
                    match drafts.get(&id) {
                        Some(other) if other.layer == layer => {
                            let other = other.document.start();
                            self.problem(draft.document.key("id"), Fault::DuplicateId { id, other });
                        }
                        _ => {
                            drafts.insert(id, draft);
                        }
                    }
                }
            }
        }
        for list in &self.options.lists {
            self.lists = std::mem::take(&mut self.lists).with(list);
        }
        self.lists.vet(&mut self.problems);
        let mut drafts: Vec<_> = drafts.into_values().collect();
        drafts.sort_by_key(|draft| (draft.layer, draft.document.start()));
        drafts
    }

    fn id(&mut self, sigma: &SigmaDocument, document: &Document<'_>) -> Option<String> {
        let id = match sigma {
            SigmaDocument::Rule(rule) => &rule.id,
            SigmaDocument::Correlation(rule) => &rule.id,
            SigmaDocument::Filter(rule) => &rule.id,
        };
        const MEND: &str = "add `id:` with a new UUID (version 4); alerts, exceptions and replacements go by it";
        let Some(id) = id else {
            self.problem(document.start(), Fault::MissingKey { key: "id", mend: MEND });
            return None;
        };
        let parts: Vec<_> = id.split('-').collect();
        let hexadecimal = parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !hexadecimal || parts.iter().map(|part| part.len()).ne([8, 4, 4, 4, 12]) {
            let mend = "write a UUID like 5f1d0c58-7a0e-4c0e-9d6f-0b6f6a1f2a01".to_owned();
            self.problem(document.key("id"), Fault::InvalidValue { key: "id".to_owned(), value: id.clone(), mend });
            return None;
        }
        Some(id.to_ascii_lowercase())
    }

    pub(super) fn problem(&mut self, place: Place, fault: Fault) {
        self.problems.push(Problem { place, fault });
    }

    /// Makes the rules of the documents, and ties correlations and filters to them.
    pub fn assemble(&mut self, drafts: &[Draft<'_>], digest: Arc<str>) -> RuleSet {
        let off = |status| matches!(status, Some(Status::Deprecated | Status::Unsupported));
        let mut rules = Vec::new();
        let (mut correlations, mut filters) = (Vec::new(), Vec::new());
        for draft in drafts {
            match &draft.sigma {
                SigmaDocument::Rule(rule) if !off(rule.status) => rules.push((&draft.document, &**rule)),
                SigmaDocument::Correlation(rule) if !off(rule.status) => correlations.push((&draft.document, rule)),
                SigmaDocument::Filter(rule) if !off(rule.status) => filters.push((&draft.document, rule)),
                _ => {}
            }
        }
        // What correlations and filters call the rules: ids and names.
        let mut index: HashMap<String, usize> = HashMap::new();
        for (position, (document, rule)) in rules.iter().enumerate() {
            index.insert(rule.id.as_deref().unwrap_or_default().to_ascii_lowercase(), position);
            if let Some(name) = &rule.name
                && let Some(other) = index.insert(name.clone(), position)
            {
                let other = rules.get(other).map_or_else(|| document.start(), |(document, _)| document.start());
                self.problem(document.key("name"), Fault::DuplicateName { name: name.clone(), other });
            }
        }
        let find = |name: &str| index.get(name).or_else(|| index.get(&name.to_ascii_lowercase())).copied();

        // Whether a correlation makes the rule a part of it, and whether one of those lets it speak all the same.
        let mut parts: HashMap<usize, bool> = HashMap::new();
        for (_, correlation) in &correlations {
            for position in correlation.rules.iter().filter_map(|name| find(name)) {
                *parts.entry(position).or_default() |= correlation.generate;
            }
        }
        let mut detections: Vec<Detection> = Vec::new();
        let mut gone: HashSet<usize> = HashSet::new();
        let mut positions: HashMap<usize, usize> = HashMap::new();
        for (position, (document, rule)) in rules.iter().enumerate() {
            let raises = parts.get(&position).copied().unwrap_or(true);
            let before = self.problems.len();
            if let Some(detection) = self.detection(document, rule, detections.len(), raises) {
                positions.insert(position, detections.len());
                detections.push(detection);
            } else if self.leave_out(before, &rule.title, rule.id.as_deref()) {
                gone.insert(position);
            }
        }
        let mut loaded = Vec::new();
        for (document, correlation) in &correlations {
            let before = self.problems.len();
            let mut parts = correlation.rules.iter();
            let steps = match parts.find(|name| find(name).is_some_and(|part| gone.contains(&part))) {
                Some(part) => {
                    self.left_out_part(document, part);
                    None
                }
                None => self.steps(document, correlation, &rules, &correlations, &find),
            };
            if let Some((rule, spec)) = steps.and_then(|steps| self.correlation(document, correlation, steps)) {
                for (step, name) in correlation.rules.iter().enumerate() {
                    let detection = find(name).and_then(|position| detections.get_mut(*positions.get(&position)?));
                    if let Some(detection) = detection {
                        detection.steps.push((loaded.len(), step));
                    }
                }
                loaded.push((rule, spec));
            }
            self.leave_out(before, &correlation.title, correlation.id.as_deref());
        }
        let mut applied = Vec::new();
        for (document, filter) in &filters {
            let before = self.problems.len();
            let targets = self.targets(document, filter, &correlations, &find);
            let named = targets.iter().flatten().filter_map(|target| rules.get(*target));
            self.vet_targets(document, filter, named.clone().map(|(_, rule)| *rule));
            // What the rules that it names have in common, it can rely on.
            let mut categories = named.filter_map(|(_, rule)| vet::category(&rule.logsource).ok());
            let category = categories.next().filter(|first| categories.all(|other| other == *first));
            let compiled = self.filter(document, filter, category);
            self.leave_out(before, &filter.title, filter.id.as_deref());
            let Some(compiled) = compiled else { continue };
            for (position, target) in &positions {
                let matches = targets.as_ref().is_none_or(|targets| targets.contains(position));
                let (Some((_, rule)), Some(detection)) = (rules.get(*position), detections.get_mut(*target)) else {
                    continue;
                };
                if matches && contains(filter.logsource.as_ref(), &rule.logsource) {
                    detection.filters.push(applied.len());
                }
            }
            applied.push(compiled);
        }
        RuleSet {
            detections,
            correlations: loaded,
            filters: applied,
            examples: std::mem::take(&mut self.examples),
            lists: self.lists.clone(),
            left_out: std::mem::take(&mut self.left_out),
            notes: std::mem::take(&mut self.notes),
            watched: std::mem::take(&mut self.watched),
            digest,
        }
    }

    /// If leaving out is allowed and all that was found wrong since there were `before` problems is what Weir does not have, it is
    /// no problem any more: true.
    fn leave_out(&mut self, before: usize, title: &str, id: Option<&str>) -> bool {
        let found = self.problems.get(before..).unwrap_or_default();
        if !self.options.allow_unsupported || found.is_empty() || !found.iter().all(|p| p.fault.is_unsupported()) {
            return false;
        }
        let reasons = self.problems.split_off(before);
        self.left_out.push(LeftOut { title: title.into(), id: id.unwrap_or_default().into(), reasons });
        true
    }

    fn left_out_part(&mut self, document: &Document<'_>, name: &str) {
        let what = format!("the rule `{name}`");
        let instead = "it was left out itself, since it asks for what Weir does not have";
        self.problem(document.text(name), Fault::Unsupported { what, instead });
    }

    /// The names of the rules that a correlation is made of.
    fn steps(
        &mut self,
        document: &Document<'_>,
        correlation: &CorrelationRule,
        rules: &[(&Document<'_>, &SigmaRule)],
        correlations: &[(&Document<'_>, &CorrelationRule)],
        find: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Box<[Arc<str>]>> {
        if correlation.rules.is_empty() {
            let mend = "add `rules:` with the names or ids of the rules that it is made of";
            self.problem(document.key("correlation"), Fault::MissingKey { key: "rules", mend });
            return None;
        }
        let mut steps = Vec::new();
        for name in &correlation.rules {
            let known = find(name).and_then(|position| rules.get(position));
            if let Some((_, rule)) = known {
                steps.push(rule.name.as_deref().or(rule.id.as_deref()).unwrap_or_default().into());
            } else if is_correlation(name, correlations) {
                let instead = "name the rules that it is made of, whose matches this one can count";
                let what = format!("the correlation `{name}` as part of another one");
                self.problem(document.text(name), Fault::Unsupported { what, instead });
            } else {
                self.unknown_rule(document, name, rules.iter().flat_map(|(_, rule)| [&rule.name, &rule.id]));
            }
        }
        (steps.len() == correlation.rules.len()).then(|| steps.into())
    }

    pub(super) fn unknown_rule<'r>(
        &mut self,
        document: &Document<'_>,
        name: &str,
        known: impl Iterator<Item = &'r Option<String>>,
    ) {
        let nearest = most_like(name, known.flatten().map(String::as_str));
        self.problem(document.text(name), Fault::UnknownRule { name: name.to_owned(), nearest });
    }
}

pub(super) fn is_correlation(name: &str, correlations: &[(&Document<'_>, &CorrelationRule)]) -> bool {
    correlations.iter().any(|(_, other)| other.id.as_deref() == Some(name) || other.name.as_deref() == Some(name))
}
