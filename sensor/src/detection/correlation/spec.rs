//! A correlation rule, found right and made ready.

use super::super::document::Document;
use super::super::fault::{Fault, Problem};
use super::super::vet;
use crate::event::Field;
use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, WindowMode};
use std::sync::Arc;

/// Most rules that one correlation may be made of.
pub const STEPS_MAX: usize = 32;
/// Most events of one group that an event_count or value_count may have to keep: the largest threshold, and one.
pub const THRESHOLD_MAX: u64 = 10_000;

/// How matches have to come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// So many matching events in the timespan.
    EventCount,
    /// So many different values in the timespan.
    ValueCount,
    /// Values that add up to so much in the timespan.
    ValueSum,
    /// Every rule matches within the timespan, in any order.
    Temporal,
    /// Every rule matches within the timespan, one after the other.
    TemporalOrdered,
}

/// What a correlation asks for.
#[derive(Clone, Debug)]
pub struct Spec {
    /// How.
    pub kind: Kind,
    /// The rules' names, in order.
    pub steps: Box<[Arc<str>]>,
    /// What the groups are made by, as the rule calls it.
    pub group_names: Box<[Box<str>]>,
    /// For each rule, where its events have those values; as long as `group_names`.
    pub group_fields: Box<[Box<[Field]>]>,
    /// The timespan, nanoseconds.
    pub window: u64,
    /// What count or sum must be; all must hold. Empty for the temporal kinds.
    pub condition: Box<[(ConditionOperator, u64)]>,
    /// What is counted or summed.
    pub values: Box<[Field]>,
}

impl Spec {
    /// From a parsed rule whose `rules` are `steps` by name. What cannot be used is told in `problems`, and there is no spec.
    pub fn new(
        rule: &CorrelationRule,
        steps: Box<[Arc<str>]>,
        document: &Document<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Spec> {
        let before = problems.len();
        let mut refuse = |key: &str, what: &str, instead: &'static str| {
            let fault = Fault::Unsupported { what: what.to_owned(), instead };
            problems.push(Problem { place: document.key(key), fault });
        };
        let kind = match rule.correlation_type {
            CorrelationType::EventCount => Some(Kind::EventCount),
            CorrelationType::ValueCount => Some(Kind::ValueCount),
            CorrelationType::ValueSum => Some(Kind::ValueSum),
            CorrelationType::Temporal => Some(Kind::Temporal),
            CorrelationType::TemporalOrdered => Some(Kind::TemporalOrdered),
            other @ (CorrelationType::ValueAvg | CorrelationType::ValuePercentile | CorrelationType::ValueMedian) => {
                let instead = "it needs all values of the timespan, which has no bound; use value_sum or value_count";
                refuse("type", &format!("the correlation type `{}`", other.as_str()), instead);
                None
            }
        };
        if rule.window != WindowMode::Sliding {
            let what = format!("`window: {}`", rule.window.as_str());
            refuse("window", &what, "Sigma's timespan slides with the events; leave `window` and `gap` out");
        }
        if steps.len() > STEPS_MAX {
            refuse("rules", "a correlation of more than 32 rules", "make several of it");
        }
        if rule.timespan.seconds == 0 {
            refuse("timespan", "a timespan of nothing", "write at least 1s");
        }
        let counts = matches!(kind, Some(Kind::EventCount | Kind::ValueCount | Kind::ValueSum));
        let (mut condition, mut values) = (Vec::new(), Vec::new());
        match &rule.condition {
            CorrelationCondition::Extended(_) => {
                let instead = "every rule in `rules` has to match; leave the condition out";
                refuse("condition", "a condition in words", instead);
            }
            CorrelationCondition::Threshold { predicates, field, .. } if counts => {
                let most = predicates.iter().map(|(_, threshold)| *threshold).max().unwrap_or(0);
                if kind != Some(Kind::ValueSum) && most > THRESHOLD_MAX {
                    refuse("condition", "a threshold above 10000", "that many events a group are too many to keep");
                }
                condition.clone_from(predicates);
                values.extend(field.iter().flatten());
            }
            CorrelationCondition::Threshold { .. } => {}
        }
        match kind {
            Some(Kind::ValueCount) if values.is_empty() => {
                refuse(
                    "condition",
                    "value_count without `field`",
                    "add `field:` to the condition and say what to count",
                );
            }
            Some(Kind::ValueSum) if values.len() != 1 => {
                refuse(
                    "condition",
                    "value_sum without one `field`",
                    "add `field:` to the condition and say what to add up",
                );
            }
            _ => {}
        }
        let mut field = |name: &str| match vet::field(name) {
            Ok(field) => Some(field),
            Err(fault) => {
                problems.push(Problem { place: document.text(name), fault });
                None
            }
        };
        let values = values.into_iter().filter_map(|name| field(name)).collect();
        let alias = |name: &str| rule.aliases.iter().find(|alias| alias.alias == name);
        let mut group_fields = Vec::new();
        for step in &rule.rules {
            let fields = rule.group_by.iter().filter_map(|name| match alias(name) {
                Some(alias) => field(alias.mapping.get(step).map_or(name, String::as_str)),
                None => field(name),
            });
            group_fields.push(fields.collect());
        }
        problems.dedup();
        let kind = kind.filter(|_| problems.len() == before)?;
        Some(Spec {
            kind,
            steps,
            group_names: rule.group_by.iter().map(|name| name.as_str().into()).collect(),
            group_fields: group_fields.into(),
            window: rule.timespan.seconds.saturating_mul(1_000_000_000),
            condition: condition.into(),
            values,
        })
    }

    /// Whether a count or sum is what the condition asks for.
    pub fn holds(&self, value: u128) -> bool {
        self.condition.iter().all(|(operator, threshold)| {
            let order = value.cmp(&u128::from(*threshold));
            match operator {
                ConditionOperator::Lt => order.is_lt(),
                ConditionOperator::Lte => order.is_le(),
                ConditionOperator::Gt => order.is_gt(),
                ConditionOperator::Gte => order.is_ge(),
                ConditionOperator::Eq => order.is_eq(),
                ConditionOperator::Neq => order.is_ne(),
            }
        })
    }

    /// Beyond this, more of a group's latest events make no difference to the condition: one more than the largest threshold.
    pub fn enough(&self) -> usize {
        let most = self.condition.iter().map(|(_, threshold)| *threshold).max().unwrap_or(0).min(THRESHOLD_MAX);
        usize::try_from(most).unwrap_or(0) + 1
    }
}
