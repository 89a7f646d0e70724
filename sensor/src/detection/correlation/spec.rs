//! A correlation rule, found right and made ready.

use super::super::document::Document;
use super::super::fault::{Fault, Problem};
use super::super::vet;
use crate::event::Field;
use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, Timespan, WindowMode};
use sha2::{Digest as _, Sha256};
use std::cmp::Ordering;
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
    /// Values that are so much on average in the timespan.
    ValueAvg,
    /// Values in the timespan, of which this percentile (0 to 100, by nearest rank) is so much.
    ValuePercentile(u8),
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
    /// In sessions (`window: session`): with no event of the group for longer than this, or after the timespan, the group begins
    /// anew. Nanoseconds; `None` where the timespan slides with the events.
    pub gap: Option<u64>,
    /// What count, sum, average or percentile must be; all must hold. Empty for the temporal kinds.
    pub condition: Box<[(ConditionOperator, u64)]>,
    /// The values in the condition, ascending, each once.
    pub thresholds: Box<[u64]>,
    /// What is counted, added up, averaged or ranked.
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
        let asked = percentile(document);
        let kind = match rule.correlation_type {
            CorrelationType::EventCount => Some(Kind::EventCount),
            CorrelationType::ValueCount => Some(Kind::ValueCount),
            CorrelationType::ValueSum => Some(Kind::ValueSum),
            CorrelationType::ValueAvg => Some(Kind::ValueAvg),
            CorrelationType::ValuePercentile => match asked {
                Some(Ok(percentile)) => Some(Kind::ValuePercentile(percentile)),
                // The parser would take 50 for whatever is not a number.
                _ => {
                    let instead = "add `percentile:` and a whole number from 0 to 100 to the condition";
                    refuse("condition", "value_percentile without a `percentile`", instead);
                    None
                }
            },
            CorrelationType::Temporal => Some(Kind::Temporal),
            CorrelationType::TemporalOrdered => Some(Kind::TemporalOrdered),
            CorrelationType::ValueMedian => {
                let instead = "Sigma 2.1 does not have it; write `value_percentile` with `percentile: 50`";
                refuse("type", "the correlation type `value_median`", instead);
                None
            }
        };
        if asked.is_some() && rule.correlation_type != CorrelationType::ValuePercentile {
            let what = format!("`percentile` with {}", rule.correlation_type.as_str());
            refuse("percentile", &what, "it is for value_percentile; leave it out");
        }
        if rule.window == WindowMode::Tumbling {
            let instead = "half of what matters can lie on either side of its boundaries; leave `window` out: the timespan then slides";
            refuse("window", "`window: tumbling`", instead);
        }
        if steps.len() > STEPS_MAX {
            refuse("rules", "a correlation of more than 32 rules", "make several of it");
        }
        if rule.timespan.seconds == 0 {
            refuse("timespan", "a timespan of nothing", "write at least 1s");
        }
        let counts = !matches!(rule.correlation_type, CorrelationType::Temporal | CorrelationType::TemporalOrdered);
        let (mut condition, mut values) = (Vec::new(), Vec::new());
        match &rule.condition {
            CorrelationCondition::Extended(_) => {
                let instead = "every rule in `rules` has to match; leave the condition out";
                refuse("condition", "a condition in words", instead);
            }
            CorrelationCondition::Threshold { predicates, field, .. } if counts => {
                let most = predicates.iter().map(|(_, threshold)| *threshold).max().unwrap_or(0);
                if i64::try_from(most).is_err() {
                    // The parser makes it of a negative number.
                    refuse("condition", "a threshold below 0", "counts and values are not negative; write 0 or more");
                } else if matches!(kind, Some(Kind::EventCount | Kind::ValueCount)) && most > THRESHOLD_MAX {
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
            Some(Kind::ValueSum | Kind::ValueAvg | Kind::ValuePercentile(_)) if values.len() != 1 => {
                let what = format!("{} without one `field`", rule.correlation_type.as_str());
                refuse("condition", &what, "add `field:` to the condition and say which values");
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
        let mut thresholds: Vec<u64> = condition.iter().map(|(_, threshold)| *threshold).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        let nanoseconds = |span: &Timespan| span.seconds.saturating_mul(1_000_000_000);
        Some(Spec {
            kind,
            steps,
            group_names: rule.group_by.iter().map(|name| name.as_str().into()).collect(),
            group_fields: group_fields.into(),
            window: nanoseconds(&rule.timespan),
            gap: rule.gap.as_ref().map(nanoseconds),
            condition: condition.into(),
            thresholds: thresholds.into(),
            values,
        })
    }

    /// Whether a count is what the condition asks for.
    pub fn holds(&self, value: u128) -> bool {
        self.holds_by(|threshold| value.cmp(&u128::from(threshold)))
    }

    /// Whether what `compare` compares with each threshold is what the condition asks for.
    pub fn holds_by(&self, compare: impl Fn(u64) -> Ordering) -> bool {
        self.condition.iter().all(|(operator, threshold)| {
            let order = compare(*threshold);
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

    /// SHA-256 over everything that state depends on, hexadecimal: what was kept of a rule that has since changed is of no use.
    pub fn digest(&self) -> Box<str> {
        let digest = Sha256::digest(format!("{self:?}").as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
    }
}

/// The condition's `percentile`, as it is written; `None` if there is none, an error if it is not a whole number up to 100.
fn percentile(document: &Document<'_>) -> Option<Result<u8, ()>> {
    let written = document.value.get("correlation")?.get("condition")?.get("percentile")?;
    let number = written.as_u64().and_then(|number| u8::try_from(number).ok());
    Some(number.filter(|number| *number <= 100).ok_or(()))
}
