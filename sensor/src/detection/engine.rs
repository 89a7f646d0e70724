//! The engine: events in, findings out. A pure function of the rule set and the events so far.

use super::category::Category;
use super::correlation::{Correlation, Counters, Limits};
use super::fields::{Arrived, Fields};
use super::finding::{Evidence, Finding};
use super::identity::Identity;
use super::rule::Rule;
use super::set::{Detection, RuleSet};
use crate::event::{Body, Change, Event};
use rsigma_eval::{CompiledRule, EvaluationResult, evaluate_rule};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Holds a rule set against the event stream.
pub struct Engine {
    /// By [`Category`]; `None` where no rule asks.
    matchers: [Option<rsigma_eval::Engine>; Category::ALL.len()],
    /// Rules that are held against renames and links as if the file had come into being.
    arrivals: Option<rsigma_eval::Engine>,
    detections: Vec<Listed>,
    correlations: Vec<Correlation>,
    /// What each of them comes to.
    identities: Vec<Identity>,
    filters: Vec<Taking>,
    /// Events so far: the order of arrival.
    sequence: u64,
}

/// What is needed of a detection rule once it has matched.
struct Listed {
    rule: Arc<Rule>,
    arrivals: bool,
    steps: Vec<(usize, usize)>,
    filters: Vec<usize>,
}

/// A filter, and how many matches it took.
struct Taking {
    id: Box<str>,
    title: Arc<str>,
    compiled: CompiledRule,
    /// By rule, its index in [`Engine::detections`].
    taken: BTreeMap<usize, u64>,
}

/// What the engine did, and had to do without.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Each filter's title with the matches that it took.
    pub filters: Vec<(Arc<str>, u64)>,
    /// The same by rule: what a filter took of each rule's matches, in the order of the rule set.
    pub filtered: Vec<Filtered>,
    /// Each correlation with its counters.
    pub correlations: Vec<(Arc<Rule>, Counters)>,
}

/// What a filter took of a rule's matches.
#[derive(Clone, Debug)]
pub struct Filtered {
    /// The filter's title.
    pub filter: Arc<str>,
    /// The rule.
    pub rule: Arc<Rule>,
    /// How many matches of it.
    pub matches: u64,
}

impl Statistics {
    /// What the filters took, by rule and filter, for people: `RULE by FILTER` and how many.
    pub fn filtered(&self) -> Vec<(Cow<'static, str>, u64)> {
        let name = |taken: &Filtered| format!("{} by `{}`", taken.rule.name, taken.filter).into();
        self.filtered.iter().map(|taken| (name(taken), taken.matches)).collect()
    }
}

impl Engine {
    /// With nothing seen yet.
    pub fn new(set: RuleSet) -> Engine {
        Engine::with_limits(&set, Limits::default())
    }

    /// With other bounds for the state of each correlation.
    pub fn with_limits(set: &RuleSet, limits: Limits) -> Engine {
        let matcher = |wanted: &dyn Fn(&Detection) -> bool| {
            let rules: Vec<_> = set.detections.iter().filter(|d| wanted(d)).map(|d| d.compiled.clone()).collect();
            (!rules.is_empty()).then(|| {
                let mut engine = rsigma_eval::Engine::new();
                engine.extend_compiled_rules(rules);
                engine
            })
        };
        let listed = |detection: &Detection| Listed {
            rule: detection.rule.clone(),
            arrivals: detection.arrivals,
            steps: detection.steps.clone(),
            filters: detection.filters.clone(),
        };
        let correlation = |(rule, spec): &(Arc<Rule>, _)| Correlation::new(rule.clone(), Clone::clone(spec), limits);
        let taking = |filter: &super::filter::Filter| Taking {
            id: filter.id.clone(),
            title: filter.title.clone(),
            compiled: filter.compiled.clone(),
            taken: BTreeMap::new(),
        };
        Engine {
            matchers: Category::ALL.map(|category| matcher(&|detection| detection.category == category)),
            arrivals: matcher(&|detection| detection.arrivals),
            detections: set.detections.iter().map(listed).collect(),
            correlations: set.correlations.iter().map(correlation).collect(),
            identities: set.correlation_identities(),
            filters: set.filters.iter().map(taking).collect(),
            sequence: 0,
        }
    }

    /// Goes on from where `before` was, which had other rules: correlations that come to the same under the same id keep what
    /// they have seen, all others begin empty; what filters took goes on being counted.
    pub fn go_on_from(&mut self, before: Engine) {
        self.sequence = before.sequence;
        let mut seen: HashMap<_, _> = before
            .correlations
            .into_iter()
            .zip(before.identities)
            .map(|(correlation, identity)| ((correlation.rule().id.clone(), identity), correlation))
            .collect();
        for (correlation, identity) in self.correlations.iter_mut().zip(&self.identities) {
            if let Some(same) = seen.remove(&(correlation.rule().id.clone(), *identity)) {
                correlation.go_on_from(same);
            }
        }
        let new: HashMap<_, _> =
            self.detections.iter().enumerate().map(|(index, new)| (&*new.rule.id, index)).collect();
        let place = |old: usize| new.get(&*before.detections.get(old)?.rule.id).copied();
        for filter in &mut self.filters {
            let same = before.filters.iter().find(|other| other.id == filter.id);
            let taken = same.into_iter().flat_map(|same| &same.taken);
            filter.taken = taken.filter_map(|(old, count)| Some((place(*old)?, *count))).collect();
        }
    }

    /// The detection rules that `event` matches for itself, whether or not they raise anything; filters are not asked.
    pub fn matching(&self, event: &Event) -> impl Iterator<Item = &Arc<Rule>> {
        self.hits(event).into_iter().filter_map(|hit| Some(&self.detections.get(hit)?.rule))
    }

    /// In ascending order, whatever order the matcher's index gave them in.
    fn hits(&self, event: &Event) -> Vec<usize> {
        let mut hits = Vec::new();
        for category in Category::of(event) {
            if let Some(Some(matcher)) = self.matchers.get(*category as usize) {
                hits.extend(matcher.evaluate(&Fields(event)).iter().filter_map(index));
            }
        }
        if let Some(matcher) = self.arrivals.as_ref().filter(|_| is_arrival(event)) {
            hits.extend(matcher.evaluate(&Arrived(event)).iter().filter_map(index));
        }
        hits.sort_unstable();
        hits
    }

    /// Holds the rules against `event`, which comes after all those before it. Findings come in the order of the rule set,
    /// detections first.
    pub fn evaluate(&mut self, event: &Arc<Event>) -> Vec<Finding> {
        self.sequence += 1;
        let hits = self.hits(event);
        if hits.is_empty() {
            return Vec::new();
        }
        let mut findings = Vec::new();
        let mut steps: Vec<(usize, usize)> = Vec::new();
        for hit in hits {
            let Some(listed) = self.detections.get(hit) else { continue };
            if taken(hit, listed, &mut self.filters, event) {
                continue;
            }
            steps.extend(&listed.steps);
            if listed.rule.raises {
                findings.push(Finding {
                    rule: listed.rule.clone(),
                    time: event.time,
                    decisive: event.clone(),
                    evidence: vec![Evidence { rule_name: listed.rule.name.clone(), event: event.clone() }],
                    group: Arc::default(),
                    continued: false,
                    measure: None,
                });
            }
        }
        steps.sort_unstable();
        for same in steps.chunk_by(|a, b| a.0 == b.0) {
            let Some(correlation) = same.first().and_then(|(index, _)| self.correlations.get_mut(*index)) else {
                continue;
            };
            let steps: Vec<usize> = same.iter().map(|(_, step)| *step).collect();
            correlation.observe(&steps, self.sequence, event, &mut findings);
        }
        findings
    }

    /// What was done so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            filters: self.filters.iter().map(|filter| (filter.title.clone(), filter.taken.values().sum())).collect(),
            filtered: self.filters.iter().flat_map(|filter| self.filtered(filter)).collect(),
            correlations: self.correlations.iter().map(|c| (c.rule().clone(), c.counters())).collect(),
        }
    }

    fn filtered(&self, filter: &Taking) -> impl Iterator<Item = Filtered> {
        filter.taken.iter().filter_map(|(index, matches)| {
            let rule = self.detections.get(*index)?.rule.clone();
            Some(Filtered { filter: filter.title.clone(), rule, matches: *matches })
        })
    }
}

/// A rule was compiled with its index for an id.
fn index(result: &EvaluationResult) -> Option<usize> {
    result.header.rule_id.as_ref()?.parse().ok()
}

/// Whether a file got a name that it did not have.
fn is_arrival(event: &Event) -> bool {
    matches!(&event.body, Body::FileChange(change) if matches!(change.change, Change::Rename | Change::Link))
}

/// Whether one of the filters takes the match; the first one that does is charged with it.
fn taken(rule: usize, listed: &Listed, filters: &mut [Taking], event: &Event) -> bool {
    let arrived = listed.arrivals && is_arrival(event);
    let stands = |filter: &CompiledRule| match arrived {
        true => evaluate_rule(filter, &Arrived(event)).is_some(),
        false => evaluate_rule(filter, &Fields(event)).is_some(),
    };
    for index in &listed.filters {
        if let Some(filter) = filters.get_mut(*index)
            && !stands(&filter.compiled)
        {
            *filter.taken.entry(rule).or_default() += 1;
            return true;
        }
    }
    false
}
