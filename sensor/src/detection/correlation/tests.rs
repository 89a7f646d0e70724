mod order;
mod reference;
mod saved;
mod values;

use super::{Correlation, Limits, Time};
use crate::detection::source::{Role, Source};
use crate::detection::{Engine, Finding, RuleSet};
use crate::event::{Actor, Body, BootTime, Event, Exec, File, Process, ProcessKey, Workload};
use std::sync::Arc;
use std::time::Duration;

/// Rules `a`, `b` and `c` match programs with that letter in their name, and the correlation is made of some of them.
fn set(correlation: &str) -> RuleSet {
    let mut text: String = ["a", "b", "c"]
        .iter()
        .enumerate()
        .map(|(id, name)| {
            format!(
                "title: {name}\nid: 00000000-0000-4000-8000-{id:012}\nname: {name}\nlevel: low\nlogsource:\n  \
                 category: process_creation\ndetection:\n  x:\n    process.executable.name|contains: {name}\n  \
                 condition: x\n---\n"
            )
        })
        .collect();
    text +=
        &format!("title: All\nid: 00000000-0000-4000-8000-000000000099\nlevel: high\ncorrelation:\n{correlation}\n");
    let source = Source { name: "test.yml".into(), role: Role::Rules, text };
    RuleSet::build(&[vec![source]], Vec::new()).unwrap_or_else(|invalid| panic!("{invalid}"))
}

/// Nothing waits to be in order.
const PROMPT: Limits = Limits { groups: 8_192, events: 32_768, share: 4, reorder: Duration::ZERO };

fn engine(correlation: &str) -> Engine {
    Engine::with_limits(&set(correlation), PROMPT)
}

fn event(nanos: u64, workload: Option<&str>, name: &str, uid: u32) -> Arc<Event> {
    let key = ProcessKey { pid: uid, start_ticks: 1 };
    let exec = Exec {
        file: File::default(),
        parent: None,
        args: [].into(),
        args_cut: false,
        working_directory: "".into(),
        streams: Default::default(),
        setuid: false,
    };
    let actor = Actor { process: Some(key), uid, ..Actor::default() };
    let mut event = Event::new(BootTime(nanos), None, actor, Body::Exec(exec));
    event.process = Some(Arc::new(Process { key, executable: name.into(), ..Process::default() }));
    event.workload = workload.map(|id| Arc::new(Workload { id: id.into(), ..Workload::default() }));
    Arc::new(event)
}

const SECOND: u64 = 1_000_000_000;

/// The findings of the correlation, by event.
fn correlated(engine: &mut Engine, event: &Arc<Event>) -> Vec<Finding> {
    engine.evaluate(event).into_iter().filter(|finding| &*finding.rule.title == "All").collect()
}

fn names(finding: &Finding) -> Vec<(String, u64)> {
    finding.evidence.iter().map(|e| (e.rule_name.to_string(), e.event.time.0 / SECOND)).collect()
}

#[test]
fn order_in_one_nanosecond_is_that_of_arrival_and_one_event_serves_once() {
    let rule = "  type: temporal_ordered\n  rules: [a, b]\n  group-by: [weir.workload.id]\n  timespan: 10s";
    let fires = |sequence: &[(u64, &str)]| {
        let mut engine = engine(rule);
        sequence
            .iter()
            .map(|(time, name)| correlated(&mut engine, &event(*time, Some("w"), name, 1)).len())
            .sum::<usize>()
    };
    assert_eq!(fires(&[(5, "a"), (5, "b")]), 1);
    assert_eq!(fires(&[(5, "b"), (5, "a")]), 0);
    assert_eq!(fires(&[(5, "ab")]), 0);
    assert_eq!(fires(&[(5, "ab"), (6, "ab")]), 1);
    // Out of order: what happened before, but came after, is not made to have come before.
    assert_eq!(fires(&[(6, "a"), (5, "b")]), 0);
    assert_eq!(fires(&[(0, "a"), (10 * SECOND, "b")]), 1);
    assert_eq!(fires(&[(0, "a"), (10 * SECOND + 1, "b")]), 0);
}

#[test]
fn the_first_the_nearest_and_the_deciding_event_are_the_proof() {
    let mut engine =
        engine("  type: temporal_ordered\n  rules: [a, b]\n  group-by: [weir.workload.id]\n  timespan: 1m");
    let mut at = |second: u64, name: &str| {
        let mut findings = correlated(&mut engine, &event(second * SECOND, Some("w"), name, 1));
        findings.pop().map(|finding| (finding.continued, names(&finding)))
    };
    let proof = |list: &[(&str, u64)]| list.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect::<Vec<_>>();
    assert_eq!(at(1, "a"), None);
    assert_eq!(at(2, "a"), None);
    assert_eq!(at(3, "b"), Some((false, proof(&[("a", 1), ("a", 2), ("b", 3)]))));
    assert_eq!(at(50, "a"), None);
    // The first of the episode stays, though the timespan has left it behind.
    assert_eq!(at(62, "b"), Some((true, proof(&[("a", 1), ("a", 50), ("b", 62)]))));
    assert_eq!(at(200, "b"), None);
    assert_eq!(at(201, "a"), None);
    assert_eq!(at(202, "b"), Some((false, proof(&[("a", 201), ("b", 202)]))));
}

#[test]
fn events_without_key_or_value_are_refused_and_counted() {
    let rule = "  type: value_count\n  rules: [a]\n  group-by: [weir.workload.id]\n  timespan: 1m\n  condition:\n    field: weir.systemd.unit\n    gte: 1";
    let mut engine = engine(rule);
    assert!(correlated(&mut engine, &event(1, None, "a", 1)).is_empty());
    assert!(correlated(&mut engine, &event(2, Some("w"), "a", 1)).is_empty());
    let counters = engine.statistics().correlations[0].1;
    assert_eq!((counters.without_key, counters.without_value), (1, 1));
}

#[test]
fn aliases_group_by_a_field_of_each_rule() {
    let rule = "  type: temporal\n  rules: [a, b]\n  group-by: [who]\n  timespan: 1m\n  aliases:\n    who:\n      a: process.user.id\n      b: weir.workload.id";
    let mut engine = engine(rule);
    assert!(correlated(&mut engine, &event(1, Some("x"), "a", 7)).is_empty());
    assert!(correlated(&mut engine, &event(2, Some("8"), "b", 7)).is_empty());
    let findings = correlated(&mut engine, &event(3, Some("7"), "b", 1));
    assert_eq!(findings[0].group[..], [("who".into(), "7".into())]);
}

#[test]
fn rules_of_a_correlation_raise_nothing_unless_it_says_so() {
    let rule = "  type: temporal\n  rules: [a, b]\n  timespan: 1m";
    assert!(engine(rule).evaluate(&event(1, None, "a", 1)).is_empty());
    assert_eq!(engine(rule).evaluate(&event(1, None, "c", 1)).len(), 1);
    assert_eq!(engine(&format!("{rule}\n  generate: true")).evaluate(&event(1, None, "a", 1)).len(), 1);
}

#[test]
fn a_flood_of_small_values_does_not_push_a_large_one_out_of_a_sum() {
    let rule = "  type: value_sum\n  rules: [a]\n  group-by: [weir.workload.id]\n  timespan: 1h\n  condition:\n    field: process.user.id\n    gte: 1000000";
    let mut engine = engine(rule);
    correlated(&mut engine, &event(1, Some("w"), "a", 900_000));
    let mut held = None;
    for n in 0..100_000_u64 {
        held = held.or(correlated(&mut engine, &event(2 + n, Some("w"), "a", 1)).pop().map(|f| (n, f)));
    }
    let (n, finding) = held.unwrap();
    assert_eq!((n, finding.measure), (99_999, Some(1_000_000)));
    let counters = engine.statistics().correlations[0].1;
    assert!(counters.merged > 0 && counters.events <= 1_025, "{counters:?}");
}

#[test]
fn a_million_groups_stay_bounded_and_one_workload_evicts_its_own_first() {
    let rule =
        "  type: temporal_ordered\n  rules: [a, b]\n  group-by: [weir.workload.id, process.user.id]\n  timespan: 30d";
    let limits = Limits { groups: 1_000, events: 10_000, ..PROMPT };
    let set = set(rule);
    let (rule, spec) = set.correlations[0].clone();
    let mut correlation = Correlation::new(rule, spec, limits);
    let mut sequence = 0;
    let mut observe = |correlation: &mut Correlation, step: usize, event: &Arc<Event>| {
        sequence += 1;
        let mut findings = Vec::new();
        correlation.observe(&[step], Time(event.time.0), sequence, event, &mut findings);
        findings.len()
    };
    assert_eq!(observe(&mut correlation, 0, &event(1, Some("victim"), "a", 1)), 0);
    for n in 0..1_000_000_u32 {
        observe(&mut correlation, 0, &event(2 + u64::from(n), Some("flood"), "a", n));
        if n % 100_000 == 0 {
            let counters = correlation.counters();
            assert!(counters.groups <= 251 && counters.events <= 2_510, "{counters:?}");
        }
    }
    assert_eq!(correlation.counters().evicted, 1_000_000 - 250);
    assert_eq!(observe(&mut correlation, 1, &event(2_000_000, Some("victim"), "b", 1)), 1);
    // Many workloads are bounded together.
    for n in 0..100_000_u32 {
        observe(&mut correlation, 0, &event(3_000_000, Some(&format!("w{n}")), "a", n));
    }
    assert_eq!(correlation.counters().groups, 1_000);
}

#[test]
fn events_are_bounded_over_all_groups_and_old_groups_are_forgotten() {
    let rule =
        "  type: event_count\n  rules: [a]\n  group-by: [process.user.id]\n  timespan: 1m\n  condition:\n    gte: 100";
    let limits = Limits { groups: 1_000, events: 500, share: 1, ..PROMPT };
    let mut engine = Engine::with_limits(&set(rule), limits);
    for n in 0..5_000_u32 {
        engine.evaluate(&event(1, Some("w"), "a", n % 100));
        assert!(engine.statistics().correlations[0].1.events <= 500);
    }
    let mut engine = Engine::with_limits(&set(rule), limits);
    for n in 0..400_u32 {
        engine.evaluate(&event(u64::from(n) * SECOND, Some("w"), "a", n));
    }
    let counters = engine.statistics().correlations[0].1;
    assert_eq!((counters.evicted, counters.groups), (0, 61));
}

#[test]
fn one_workloads_events_evict_its_own_groups_first() {
    let rule =
        "  type: event_count\n  rules: [a]\n  group-by: [process.user.id]\n  timespan: 1h\n  condition:\n    gte: 20";
    let mut engine = Engine::with_limits(&set(rule), Limits { groups: 1_000, events: 400, ..PROMPT });
    for n in 0..19 {
        assert!(correlated(&mut engine, &event(n, Some("victim"), "a", 1)).is_empty());
    }
    for n in 0..10_000_u32 {
        engine.evaluate(&event(20, Some("flood"), "a", 2 + n % 50));
    }
    assert!(engine.statistics().correlations[0].1.events <= 19 + 100);
    assert_eq!(correlated(&mut engine, &event(30, Some("victim"), "a", 1)).len(), 1);
}

#[test]
fn a_group_is_one_whichever_workloads_its_events_are_of() {
    let rule =
        "  type: event_count\n  rules: [a]\n  group-by: [process.user.id]\n  timespan: 1m\n  condition:\n    gte: 2";
    let mut engine = engine(rule);
    assert!(correlated(&mut engine, &event(1, Some("x"), "a", 7)).is_empty());
    assert_eq!(correlated(&mut engine, &event(2, Some("y"), "a", 7)).len(), 1);
}
