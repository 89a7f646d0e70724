//! Every kind against a plain evaluator, which keeps everything and tries everything.

use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// What it is asked.
#[derive(Clone, Debug)]
struct Asked {
    kind: &'static str,
    rules: Vec<&'static str>,
    /// Nanoseconds.
    window: u64,
    /// One, or two for a range.
    condition: Vec<(&'static str, u64)>,
    percentile: u64,
    gap: Option<u64>,
}

impl Asked {
    /// As it is written.
    fn text(&self) -> String {
        let (kind, rules, seconds) = (self.kind, self.rules.join(", "), self.window / SECOND);
        let mut text =
            format!("  type: {kind}\n  rules: [{rules}]\n  group-by: [weir.workload.id]\n  timespan: {seconds}s");
        if let Some(gap) = self.gap {
            text += &format!("\n  window: session\n  gap: {}s", gap / SECOND);
        }
        if !kind.starts_with("temporal") {
            text += "\n  condition:";
            self.condition.iter().for_each(|(operator, threshold)| text += &format!("\n    {operator}: {threshold}"));
            if kind != "event_count" {
                text += "\n    field: process.user.id";
            }
            if kind == "value_percentile" {
                text += &format!("\n    percentile: {}", self.percentile);
            }
        }
        text
    }

    fn compare(&self, value: f64) -> bool {
        self.condition.iter().all(|(operator, threshold)| {
            let threshold = *threshold as f64;
            match *operator {
                "gte" => value >= threshold,
                "gt" => value > threshold,
                "lt" => value < threshold,
                "lte" => value <= threshold,
                "eq" => value == threshold,
                _ => value != threshold,
            }
        })
    }
}

struct Reference {
    asked: Asked,
    /// Time, name, value, by group.
    history: HashMap<u8, Vec<(u64, String, u32)>>,
    held: HashMap<u8, u64>,
}

impl Reference {
    fn new(asked: Asked) -> Reference {
        Reference { asked, history: HashMap::new(), held: HashMap::new() }
    }

    /// Whether it holds with the event, and whether it held before in the same episode.
    fn observe(&mut self, time: u64, group: u8, name: &str, value: u32) -> Option<bool> {
        let asked = &self.asked;
        if !asked.rules.iter().any(|rule| name.contains(rule)) {
            return None;
        }
        let history = self.history.entry(group).or_default();
        if let (Some(gap), Some((begun, ..)), Some((latest, ..))) = (asked.gap, history.first(), history.last())
            && (time - latest > gap || time - begun > asked.window)
        {
            history.clear();
            self.held.remove(&group);
        }
        history.push((time, name.to_owned(), value));
        let recent: Vec<_> = history.iter().filter(|(at, ..)| time - at <= asked.window).collect();
        let mut values: Vec<u32> = recent.iter().map(|(_, _, value)| *value).collect();
        values.sort_unstable();
        let sum: u32 = values.iter().sum();
        let holds = match asked.kind {
            "event_count" => asked.compare(recent.len() as f64),
            "value_count" => asked.compare(values.iter().collect::<HashSet<_>>().len() as f64),
            "value_sum" => asked.compare(f64::from(sum)),
            // Small whole numbers: a threshold is met exactly, or missed by far more than a rounding.
            "value_avg" => asked.compare(f64::from(sum) / values.len() as f64),
            // The least value that so many of a hundred are not above, by its definition.
            "value_percentile" => {
                let not_above = |value: u32| values.iter().filter(|other| **other <= value).count() as u64;
                let enough = |value: &&u32| not_above(**value) * 100 >= asked.percentile * values.len() as u64;
                asked.compare(f64::from(*values.iter().find(enough).unwrap()))
            }
            "temporal" => asked.rules.iter().all(|rule| recent.iter().any(|(_, name, _)| name.contains(rule))),
            _ => {
                // Every chain that ends with this event, backwards.
                let recent: Vec<&str> = recent.iter().map(|(_, name, _)| name.as_str()).collect();
                fn chain(rules: &[&str], events: &[&str]) -> bool {
                    let Some((last, before)) = rules.split_last() else { return true };
                    (0..events.len()).any(|at| events[at].contains(last) && chain(before, &events[..at]))
                }
                let (last, before) = asked.rules.split_last().unwrap();
                let (now, earlier) = recent.split_last().unwrap();
                now.contains(last) && chain(before, earlier)
            }
        };
        if !holds {
            return None;
        }
        let before = self.held.insert(group, time);
        Some(before.is_some_and(|before| time - before <= asked.window))
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let kinds =
        ["event_count", "value_count", "value_sum", "value_avg", "value_percentile", "temporal", "temporal_ordered"];
    let rules = [vec!["a"], vec!["a", "b"], vec!["b", "a"], vec!["a", "b", "c"], vec!["a", "a", "b"]];
    let operators = [
        vec!["gte"],
        vec!["gt"],
        vec!["lt"],
        vec!["lte"],
        vec!["eq"],
        vec!["neq"],
        vec!["gte", "lte"],
        vec!["gt", "lt"],
        vec!["gte", "neq"],
    ];
    (
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(rules.to_vec()),
        1_u64..5,
        prop::sample::select(operators.to_vec()),
        (0_u64..6, 0_u64..4),
        prop::sample::select(vec![0, 1, 25, 50, 75, 99, 100]),
        prop::option::weighted(0.3, 1_u64..3),
    )
        .prop_map(|(kind, rules, window, operators, (threshold, more), percentile, gap)| Asked {
            kind,
            rules,
            window: window * SECOND,
            condition: operators.iter().copied().zip([threshold, threshold + more]).collect(),
            percentile,
            gap: gap.map(|gap| gap * SECOND),
        })
}

/// Steps of a quarter of a second, so that events often meet the edge of the window or each other; group, name, value.
fn events() -> impl Strategy<Value = Vec<(u64, u8, &'static str, u32)>> {
    prop::collection::vec((0_u64..6, 0_u8..3, prop::sample::select(vec!["a", "b", "c", "ab", "x"]), 0_u32..4), 0..60)
}

/// With the times at which they happen.
fn timed(steps: &[(u64, u8, &'static str, u32)]) -> Vec<(u64, u8, &'static str, u32)> {
    let mut now = 0;
    let at = |(step, group, name, value): &(u64, u8, &'static str, u32)| {
        now += step * SECOND / 4;
        (now, *group, *name, *value)
    };
    steps.iter().map(at).collect()
}

fn made((time, group, name, value): (u64, u8, &'static str, u32)) -> Arc<Event> {
    event(time, Some(&format!("w{group}")), name, value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn evaluates_like_the_plain_reference(asked in asked(), steps in events()) {
        let mut engine = engine(&asked.text());
        let mut reference = Reference::new(asked);
        for (time, group, name, value) in timed(&steps) {
            let findings = correlated(&mut engine, &made((time, group, name, value)));
            let expected = reference.observe(time, group, name, value);
            prop_assert_eq!(findings.first().map(|finding| finding.continued), expected);
            prop_assert!(findings.len() <= 1);
            if let Some(finding) = findings.first() {
                let last = finding.evidence.last().unwrap();
                prop_assert!(Arc::ptr_eq(&last.event, &finding.decisive));
                prop_assert!(finding.evidence.is_sorted_by_key(|evidence| evidence.event.time));
            }
        }
    }

    /// In whatever order events arrive within the bound, each is judged as if they had come in order; those of one nanosecond in
    /// the order of arrival.
    #[test]
    fn order_of_arrival_makes_no_difference_within_the_bound(
        asked in asked(), steps in events(), delays in prop::collection::vec(0_u64..1_000, 60)
    ) {
        let bound = Duration::from_secs(1);
        let events = timed(&steps);
        // Each arrives less than the bound after it happened, and times of two that arrive are never further apart.
        let mut arriving: Vec<_> = events.iter().zip(&delays).collect();
        arriving.sort_by_key(|((time, ..), delay)| time + *delay * SECOND / 1_000);
        let mut engine = Engine::with_limits(&set(&asked.text()), Limits { reorder: bound, ..PROMPT });
        let mut found: Vec<(u64, bool)> = Vec::new();
        let mut take = |findings: Vec<Finding>| {
            let found_now = findings.into_iter().filter(|finding| &*finding.rule.title == "All");
            found.extend(found_now.map(|finding| (finding.time.0, finding.continued)));
        };
        for (one, _) in &arriving {
            take(engine.evaluate(&made(**one)));
        }
        take(engine.rest());
        let mut in_order: Vec<_> = arriving.iter().map(|(one, _)| **one).collect();
        in_order.sort_by_key(|(time, ..)| *time);
        let mut reference = Reference::new(asked);
        let expected: Vec<(u64, bool)> = in_order
            .into_iter()
            .filter_map(|(time, group, name, value)| Some((time, reference.observe(time, group, name, value)?)))
            .collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(engine.statistics().order, Default::default());
    }
}
