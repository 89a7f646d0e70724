//! Averages, percentiles and sessions, by hand; and what floods of values and keys cost.

use super::*;

fn rule(kind: &str, condition: &str) -> String {
    let field = if kind == "event_count" { "" } else { "\n    field: process.user.id" };
    format!(
        "  type: {kind}\n  rules: [a]\n  group-by: [weir.workload.id]\n  timespan: 1h\n  condition:{field}\n    {condition}"
    )
}

/// The measures of the findings that these values give, one after the other.
fn measures(rule: &str, values: &[u32]) -> Vec<Option<Option<u128>>> {
    let mut engine = engine(rule);
    let found = |(at, value): (usize, &u32)| {
        correlated(&mut engine, &event(at as u64, Some("w"), "a", *value)).pop().map(|finding| finding.measure)
    };
    values.iter().enumerate().map(found).collect()
}

#[test]
fn an_average_is_compared_exactly_and_told_rounded_down() {
    let above = rule("value_avg", "gt: 2");
    // 3, 2, 2 + 2/3: one above two by the least that three values can be.
    assert_eq!(measures(&above, &[3, 1, 4]), [Some(Some(3)), None, Some(Some(2))]);
    assert_eq!(measures(&rule("value_avg", "eq: 2"), &[3, 1, 4]), [None, Some(Some(2)), None]);
    assert_eq!(measures(&rule("value_avg", "gte: 2\n    lt: 3"), &[3, 1, 4]), [None, Some(Some(2)), Some(Some(2))]);
}

#[test]
fn a_percentile_is_of_the_nearest_rank() {
    let held = |percentile: u32, condition: &str, values: &[u32]| {
        let found = measures(&rule("value_percentile", &format!("percentile: {percentile}\n    {condition}")), values);
        found.last().unwrap().is_some()
    };
    // Wikipedia's example of the nearest rank: 5th of these is 15, 30th 20, 40th 20, 50th 35, 100th 50.
    let values = [35, 20, 15, 50, 40];
    for (percentile, value) in [(0, 15), (5, 15), (30, 20), (40, 20), (50, 35), (100, 50)] {
        assert!(held(percentile, &format!("eq: {value}"), &values), "{percentile}");
        assert!(held(percentile, &format!("gte: {value}"), &values), "{percentile}");
        assert!(!held(percentile, &format!("gt: {value}"), &values), "{percentile}");
        assert!(held(percentile, &format!("gt: {}\n    lt: {}", value - 1, value + 1), &values), "{percentile}");
    }
    // One in a hundred is not the 99th; two are.
    let mut many = [1; 100];
    many[7] = 900;
    assert!(!held(99, "gte: 900", &many));
    many[8] = 900;
    assert!(held(99, "gte: 900", &many));
}

#[test]
fn a_flood_of_values_makes_averages_and_percentiles_coarser_in_time_only() {
    for (kind, condition) in [("value_avg", "gt: 1"), ("value_percentile", "percentile: 90\n    gt: 1")] {
        let mut engine = engine(&rule(kind, condition));
        // For half an hour ones.
        let step = 180 * SECOND / 1_000;
        for n in 0..10_000_u64 {
            engine.evaluate(&event(n * step, Some("w"), "a", 1));
        }
        let counters = engine.statistics().correlations[0].1;
        assert!(counters.merged > 5_000 && counters.events <= 1_025, "{kind}: {counters:?}");
        // Nothing is lost of the count: one value in 10,001 moves no 90th percentile, but the average.
        let found = !correlated(&mut engine, &event(10_000 * step, Some("w"), "a", 2)).is_empty();
        assert_eq!(found, kind == "value_avg");
        // A timespan and one part in 256 later all of it has left.
        let later = 10_000 * step + 3_600 * SECOND + 3_600 * SECOND / 256 + 1;
        assert_eq!(correlated(&mut engine, &event(later, Some("w"), "a", 2)).len(), 1);
        assert_eq!(engine.statistics().correlations[0].1.events, 1);
    }
}

#[test]
fn a_session_ends_with_its_gap_or_its_timespan() {
    let session = "  type: event_count\n  rules: [a]\n  group-by: [weir.workload.id]\n  timespan: 10s\n  window: session\n  gap: 3s\n  condition:\n    gte: 3";
    let fires = |seconds: &[u64]| {
        let mut engine = engine(session);
        let found = |second: &u64| correlated(&mut engine, &event(second * SECOND, Some("w"), "a", 1)).len();
        seconds.iter().map(found).sum::<usize>()
    };
    assert_eq!(fires(&[1, 4, 7]), 1);
    assert_eq!(fires(&[1, 4, 8]), 0);
    assert_eq!(fires(&[1, 4, 8, 9, 10]), 1);
    // It lasts for no longer than the timespan, though there is no gap.
    assert_eq!(fires(&[1, 4, 7, 10, 11, 12, 13]), 3);
    assert_eq!(fires(&[1, 4, 7, 10, 11, 12, 13, 14]), 4);
}

#[test]
fn a_long_ordered_flood_costs_every_event_the_same() {
    let rule = "  type: temporal_ordered\n  rules: [a, b, c]\n  group-by: [weir.workload.id]\n  timespan: 1d";
    let mut engine = engine(rule);
    // Chains begin and go on, and never end: what makes a search go back over all of it.
    for n in 0..100_000_u64 {
        let name = if n % 2 == 0 { "a" } else { "b" };
        assert!(correlated(&mut engine, &event(n, Some("w"), name, 1)).is_empty());
    }
    let counters = engine.statistics().correlations[0].1;
    assert_eq!((counters.groups, counters.evicted), (1, 0));
    assert!(counters.events <= 4, "{counters:?}");
    assert_eq!(correlated(&mut engine, &event(100_000, Some("w"), "c", 1)).len(), 1);
}

#[test]
fn many_workloads_that_flood_together_lose_what_they_have_and_not_what_a_quiet_one_has() {
    let rule =
        "  type: temporal_ordered\n  rules: [a, b]\n  group-by: [weir.workload.id, process.user.id]\n  timespan: 30d";
    let mut engine = Engine::with_limits(&set(rule), Limits { groups: 1_000, events: 10_000, ..PROMPT });
    assert!(correlated(&mut engine, &event(1, Some("victim"), "a", 1)).is_empty());
    for n in 0..20_000_u32 {
        engine.evaluate(&event(2 + u64::from(n), Some(&format!("flood{}", n % 10)), "a", n));
    }
    let counters = engine.statistics().correlations[0].1;
    assert_eq!((counters.groups, counters.evicted), (1_000, 20_001 - 1_000));
    assert_eq!(correlated(&mut engine, &event(200_000, Some("victim"), "b", 1)).len(), 1);
}

#[test]
fn many_values_of_one_group_stay_bounded() {
    let mut engine = engine(&rule("value_count", "gte: 1000"));
    let mut held = 0;
    for n in 0..100_000_u32 {
        held += correlated(&mut engine, &event(u64::from(n), Some("w"), "a", n)).len();
    }
    let counters = engine.statistics().correlations[0].1;
    assert_eq!((held, counters.events), (100_000 - 999, 1_001));
}

#[test]
fn groups_are_made_by_lineage() {
    let rule =
        "  type: event_count\n  rules: [a]\n  group-by: [weir.lineage.id]\n  timespan: 1m\n  condition:\n    gte: 2";
    let mut engine = engine(rule);
    let mut by = |root: u32, nanos: u64| {
        let mut event = Arc::unwrap_or_clone(event(nanos, Some("w"), "a", 1));
        let root = ProcessKey { pid: root, start_ticks: 7 };
        event.process = event.process.map(|process| Arc::new(Process { root, ..(*process).clone() }));
        correlated(&mut engine, &Arc::new(event)).pop().map(|finding| finding.group[0].1.to_string())
    };
    assert_eq!((by(1, 1), by(2, 2), by(1, 3)), (None, None, Some("1-7".to_owned())));
    assert_eq!(by(0, 4), None);
    assert_eq!(engine.statistics().correlations[0].1.without_key, 1);
}
