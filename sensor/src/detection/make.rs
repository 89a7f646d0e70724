//! Making a rule, correlation or filter of one document.

use super::builder::Builder;
use super::correlation::Spec;
use super::document::{self, Document};
use super::example::Examples;
use super::fault::Fault;
use super::filter::Filter;
use super::identity::{self, Identity};
use super::options::Note;
use super::rule::{Logic, Rule};
use super::set;
use super::template::{Form, Part, Placeholder, Source, Template};
use super::weir::{self, Annotations};
use super::{Category, taxonomy, vet, watch, wildcards};
use crate::event::Field;
use rsigma_eval::{CompiledRule, compile_rule};
use rsigma_parser::{CorrelationRule, Detection, Detections, FilterRule, LogSource, SigmaRule};
use std::collections::HashMap;
use std::sync::Arc;

impl Builder {
    /// A detection rule.
    pub fn detection(
        &mut self,
        document: &Document<'_>,
        rule: &SigmaRule,
        index: usize,
        raises: bool,
    ) -> Option<set::Detection> {
        let before = self.problems.len();
        let category = match vet::category(&rule.logsource) {
            Ok(category) => Some(category),
            Err(fault) => {
                self.problem(document.key("logsource"), fault);
                None
            }
        };
        vet::detections(&rule.detection, category, document, &mut self.problems);
        let annotations = Annotations::read(document, &[], &mut self.problems);
        // Without a log source it is not known what the examples are of, and that has been told.
        if category.is_some() {
            self.check_examples(&annotations.tests, category);
        }
        let meta = Meta {
            id: &rule.id,
            name: &rule.name,
            title: &rule.title,
            description: &rule.description,
            level: rule.level,
            tags: &rule.tags,
            falsepositives: &rule.falsepositives,
        };
        let logic = Logic::Detection(category?);
        let finished = self.rule(document, &meta, &annotations, logic, raises)?;
        // What was told already would only be told again, and worse.
        if self.problems.len() > before {
            return None;
        }
        let ready = self.ready(document, &rule.detection, category)?;
        let wanted = watch::cover(&ready, category?);
        let (compiled, identity) = self.compile(document, ready, &rule.logsource, index)?;
        self.watch(document, &rule.title, wanted);
        for name in vet::condition::unused(&rule.detection) {
            let text = format!("the condition of `{}` does not use `{name}`; add it, or take it out", rule.title);
            self.notes.push(Note { place: document.key(name), text });
        }
        self.examples.push((finished.clone(), annotations.tests));
        Some(set::Detection {
            rule: finished,
            category: category?,
            arrivals: category == Some(Category::FileEvent)
                && rule.detection.named.values().any(taxonomy::asks_what_came),
            compiled,
            identity,
            steps: Vec::new(),
            filters: Vec::new(),
        })
    }

    /// The detection with the lists written in, and our names for Sigma's.
    fn ready(
        &mut self,
        document: &Document<'_>,
        detections: &Detections,
        category: Option<Category>,
    ) -> Option<Detections> {
        let before = self.problems.len();
        let mut ready = detections.clone();
        for detection in ready.named.values_mut() {
            self.lists.expand(detection, &|needle| document.text(needle), &mut self.problems);
            taxonomy::translate(detection, category);
        }
        (self.problems.len() == before).then_some(ready)
    }

    /// Compiles what matches, and only that: what the rule says otherwise would be copied with every match. With what it comes to.
    fn compile(
        &mut self,
        document: &Document<'_>,
        detections: Detections,
        logsource: &LogSource,
        index: usize,
    ) -> Option<(CompiledRule, Identity)> {
        let mut bare = bare_rule(detections, logsource.clone(), index);
        for detection in bare.detection.named.values_mut() {
            let expanded = std::mem::replace(detection, Detection::Keywords(Vec::new()));
            *detection = wildcards::rewrite(expanded);
        }
        match compile_rule(&bare) {
            Ok(compiled) => {
                let category = vet::category(logsource).ok();
                Some((compiled, identity::of_detection(category, &bare.detection)))
            }
            Err(error) => {
                self.problem(document.key("detection"), Fault::Detection(document::one_line(&error.to_string())));
                None
            }
        }
    }

    /// Has the kernel look out for the files that a rule asks for, and says which it cannot be told of.
    fn watch(&mut self, document: &Document<'_>, title: &str, wanted: Option<watch::Cover>) {
        let Some(wanted) = wanted else { return };
        self.watched.extend(wanted.keys);
        if !wanted.missed.is_empty() {
            let missed = wanted.missed.join(", ");
            let text = format!(
                "`{title}` may not see all that it asks for ({missed}): the kernel looks for whole names, suffixes and directories, \
                 and not for those that half of a system has; name the file or its directory, or add a class to classes.yml"
            );
            self.notes.push(Note { place: document.key("detection"), text });
        }
    }

    /// A correlation of the rules `steps`.
    pub fn correlation(
        &mut self,
        document: &Document<'_>,
        correlation: &CorrelationRule,
        steps: Box<[Arc<str>]>,
    ) -> Option<(Arc<Rule>, Spec)> {
        let names: Vec<&str> = steps.iter().map(|step| &**step).collect();
        let annotations = Annotations::read(document, &names, &mut self.problems);
        self.check_examples(&annotations.tests, None);
        let meta = Meta {
            id: &correlation.id,
            name: &correlation.name,
            title: &correlation.title,
            description: &correlation.description,
            level: correlation.level,
            tags: &correlation.tags,
            falsepositives: &correlation.falsepositives,
        };
        let logic = Logic::Correlation { kind: correlation.correlation_type, rules: steps.clone() };
        let rule = self.rule(document, &meta, &annotations, logic, true);
        let spec = Spec::new(correlation, steps, document, &mut self.problems);
        let rule = rule?;
        self.examples.push((rule.clone(), annotations.tests));
        Some((rule, spec?))
    }

    /// A filter on rules of `category`, or of any.
    pub fn filter(
        &mut self,
        document: &Document<'_>,
        filter: &FilterRule,
        category: Option<Category>,
    ) -> Option<Filter> {
        let before = self.problems.len();
        let targets = document.value.get("filter").and_then(|filter| filter.get("rules"));
        if targets.is_none_or(|rules| rules.as_sequence().is_some_and(Vec::is_empty)) {
            let mend = "name the rules that it applies to, or write `rules: any`";
            self.problem(document.key("filter"), Fault::MissingKey { key: "filter.rules", mend });
        }
        let own = filter.logsource.as_ref().filter(|logsource| logsource.category.is_some());
        let category = match own.map(vet::category) {
            Some(Err(fault)) => {
                self.problem(document.key("logsource"), fault);
                None
            }
            Some(Ok(own)) => Some(own),
            None => category,
        };
        vet::detections(&filter.detection, category, document, &mut self.problems);
        if self.problems.len() > before {
            return None;
        }
        let ready = self.ready(document, &filter.detection, category)?;
        let (compiled, identity) = self.compile(document, ready, &LogSource::default(), 0)?;
        let id = filter.id.as_deref().unwrap_or_default().into();
        Some(Filter { id, title: filter.title.as_str().into(), compiled, identity })
    }

    fn check_examples(&mut self, examples: &Examples, category: Option<Category>) {
        for example in examples.matching.iter().chain(&examples.not_matching) {
            if let Err(value) = example.events(category) {
                let mend = "write the fields that such an event has".to_owned();
                self.problem(example.place.clone(), Fault::InvalidValue { key: "tests".to_owned(), value, mend });
            }
        }
    }

    fn rule(
        &mut self,
        document: &Document<'_>,
        meta: &Meta<'_>,
        annotations: &Annotations,
        logic: Logic,
        raises: bool,
    ) -> Option<Arc<Rule>> {
        let Some(level) = meta.level else {
            let mend = "add `level:` and one of informational, low, medium, high, critical";
            self.problem(document.start(), Fault::MissingKey { key: "level", mend });
            return None;
        };
        let id: Box<str> = meta.id.as_deref().unwrap_or_default().into();
        let attack = meta.tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
        // Tags of groups and software (g0001, s0001) are neither.
        let tactics = attack.clone().filter(|tag| !tag.contains(|c: char| c.is_ascii_digit()));
        let attack = attack.filter(|id| vet::is_technique(id, 4));
        let sentence =
            if annotations.sentence.0.is_empty() { plain_sentence(meta.title) } else { annotations.sentence.clone() };
        Some(Arc::new(Rule {
            name: meta.name.as_deref().unwrap_or(&id).into(),
            id,
            title: meta.title.into(),
            description: meta.description.as_deref().unwrap_or_default().trim().into(),
            level: level.into(),
            attack: attack.map(|id| id.to_ascii_uppercase().into()).collect(),
            tactics: tactics.map(|name| name.to_ascii_lowercase().replace('_', "-").into()).collect(),
            attack_version: annotations.attack_version.clone(),
            atlas: annotations.atlas.clone().into(),
            atlas_version: annotations.atlas_version.clone(),
            innocent_causes: meta.falsepositives.iter().map(|cause| cause.as_str().into()).collect(),
            first_steps: annotations.first_steps.clone().into(),
            sentence,
            subject: if annotations.subject.is_empty() {
                weir::SUBJECT.into()
            } else {
                annotations.subject.clone().into()
            },
            suppress: annotations.suppress.unwrap_or(weir::SUPPRESS),
            logic,
            raises,
            place: document.start(),
        }))
    }
}

/// What detection and correlation rules have in common.
struct Meta<'r> {
    id: &'r Option<String>,
    name: &'r Option<String>,
    title: &'r str,
    description: &'r Option<String>,
    level: Option<rsigma_parser::Level>,
    tags: &'r [String],
    falsepositives: &'r [String],
}

fn bare_rule(detection: Detections, logsource: LogSource, index: usize) -> SigmaRule {
    SigmaRule {
        id: Some(index.to_string()),
        detection,
        logsource,
        title: String::new(),
        sigma_version: None,
        name: None,
        related: Vec::new(),
        taxonomy: None,
        status: None,
        description: None,
        license: None,
        author: None,
        references: Vec::new(),
        date: None,
        modified: None,
        fields: Vec::new(),
        falsepositives: Vec::new(),
        level: None,
        tags: Vec::new(),
        scope: Vec::new(),
        custom_attributes: HashMap::new(),
    }
}

/// For a rule without a sentence: who, where, and its title.
fn plain_sentence(title: &str) -> Template {
    let value = |source| Part::Value(Placeholder { rule_name: None, source, form: Form::Plain });
    let text = |text: &str| Part::Text(text.into());
    Template(
        [
            text(title),
            text(": "),
            value(Source::Field(Field::ProcessExecutablePath)),
            text(" in "),
            value(Source::Workload),
        ]
        .into(),
    )
}
