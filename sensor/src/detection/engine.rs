//! The engine: events in, findings out. A pure function of the rule set and the events so far.

use super::category::Category;
use super::correlation::order::{self, Match, Order};
use super::correlation::saved::{Clock, Snapshot};
use super::correlation::{Correlation, Counters, Limits};
use super::fields::{Arrived, Fields};
use super::finding::{Evidence, Finding};
use super::identity::Identity;
use super::rule::Rule;
use super::set::{Detection, RuleSet};
use crate::event::{Body, BootTime, Change, CorrelationsRestored, Event};
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
    /// Matches that wait for earlier ones, on their way to the correlations.
    order: Order,
    clock: Clock,
    /// Something has changed since the state was last saved.
    changed: bool,
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
    /// What waits on its way to the correlations, and what did not come in order.
    pub order: order::Counters,
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
            order: Order::new(limits.reorder),
            clock: Clock::default(),
            changed: false,
        }
    }

    /// Goes on from where `before` was, which had other rules: correlations that come to the same under the same id keep what
    /// they have seen, all others begin empty; what filters took goes on being counted.
    pub fn go_on_from(&mut self, before: Engine) {
        self.sequence = before.sequence;
        (self.clock, self.changed) = (before.clock, true);
        // What waits to be in order goes on to those that are the same.
        let of = |correlation: &Correlation, identity: &Identity| (correlation.rule().id.clone(), *identity);
        let new: HashMap<_, _> =
            self.correlations.iter().zip(&self.identities).map(|(c, i)| of(c, i)).zip(0..).collect();
        let places: Vec<Option<usize>> =
            before.correlations.iter().zip(&before.identities).map(|(c, i)| new.get(&of(c, i)).copied()).collect();
        self.order = before.order.renumbered(|old| places.get(old).copied().flatten());
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

    /// Holds the rules against `event`, which arrives after all those before it. First comes what correlations find in the matches
    /// that were due by its time; then what rules find in it, in the order of the rule set.
    pub fn evaluate(&mut self, event: &Arc<Event>) -> Vec<Finding> {
        self.sequence += 1;
        if let Body::CorrelationsRestored(restored) = &event.body {
            self.restore(restored, event.time);
        }
        let mut findings = Vec::new();
        self.order.advance(event.time);
        self.correlate_due(&mut findings);
        self.detect(event, &mut findings);
        // Its own match, if nothing waits here, and what there is no room for.
        self.correlate_due(&mut findings);
        findings
    }

    fn correlate_due(&mut self, findings: &mut Vec<Finding>) {
        while let Some(matched) = self.order.take() {
            self.correlate(&matched, findings);
        }
    }

    /// What correlations find in the matches that still wait: nothing comes any more that could have happened before them.
    pub fn rest(&mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        while let Some(matched) = self.order.take_first() {
            self.correlate(&matched, &mut findings);
        }
        findings
    }

    /// Whether a match waits that is due at `now`: an event of that time, whatever it is, lets it go on.
    pub fn is_due(&self, now: BootTime) -> bool {
        self.order.is_due(now)
    }

    /// When the next match is due, if one waits.
    pub fn next_due(&self) -> Option<BootTime> {
        self.order.next_due()
    }

    /// What rules find in the event; its match goes to the correlations.
    fn detect(&mut self, event: &Arc<Event>, findings: &mut Vec<Finding>) {
        let hits = self.hits(event);
        if hits.is_empty() {
            return;
        }
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
        if !steps.is_empty() {
            steps.sort_unstable();
            self.order.push(Match { sequence: self.sequence, event: event.clone(), steps });
        }
    }

    fn correlate(&mut self, matched: &Match, findings: &mut Vec<Finding>) {
        self.changed = true;
        let time = self.clock.time(matched.event.time);
        for same in matched.steps.chunk_by(|a, b| a.0 == b.0) {
            let Some(correlation) = same.first().and_then(|(index, _)| self.correlations.get_mut(*index)) else {
                continue;
            };
            let steps: Vec<usize> = same.iter().map(|(_, step)| *step).collect();
            correlation.observe(&steps, time, matched.sequence, &matched.event, findings);
        }
    }

    /// What the correlations keep, if it has changed since this was last asked: it comes back as
    /// [`crate::event::CorrelationsRestored`]. Bounded by [`super::correlation::saved::SIZE_MAX`].
    pub fn save(&mut self) -> Option<Snapshot> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let share = Snapshot::share(self.correlations.len());
        let correlations = self.correlations.iter().filter_map(|correlation| correlation.save(share)).collect();
        Some(Snapshot::new(&self.clock, self.sequence, correlations))
    }

    /// Goes on with what was saved of the correlations whose logic is the same.
    fn restore(&mut self, restored: &CorrelationsRestored, now: BootTime) {
        self.clock = Clock::of(restored, now);
        self.sequence = self.sequence.max(restored.saved.sequence.saturating_add(1));
        for correlation in &mut self.correlations {
            correlation.restore(&restored.saved, &self.clock, now);
        }
    }

    /// What was done so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            filters: self.filters.iter().map(|filter| (filter.title.clone(), filter.taken.values().sum())).collect(),
            filtered: self.filters.iter().flat_map(|filter| self.filtered(filter)).collect(),
            correlations: self.correlations.iter().map(|c| (c.rule().clone(), c.counters())).collect(),
            order: self.order.counters(),
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
