//! What waits to be in order, and for how long.

use super::*;
use crate::event::Tick;

const ORDERED: &str = "  type: temporal_ordered\n  rules: [a, b]\n  group-by: [weir.workload.id]\n  timespan: 10s";
const MILLISECOND: u64 = 1_000_000;

fn waiting() -> Engine {
    Engine::new(set(ORDERED))
}

fn tick(nanos: u64) -> Arc<Event> {
    Arc::new(Event::new(BootTime(nanos), None, Actor::default(), Body::Tick(Tick::default())))
}

#[test]
fn what_is_told_late_takes_its_place_and_any_event_lets_it_go_on() {
    let mut engine = waiting();
    assert!(correlated(&mut engine, &event(6 * MILLISECOND, Some("w"), "b", 1)).is_empty());
    assert!(correlated(&mut engine, &event(5 * MILLISECOND, Some("w"), "a", 1)).is_empty());
    assert_eq!(engine.next_due(), Some(BootTime(55 * MILLISECOND)));
    assert!(!engine.is_due(BootTime(55 * MILLISECOND - 1)) && engine.is_due(BootTime(55 * MILLISECOND)));
    // The first of the two is due, the second not yet.
    assert!(engine.evaluate(&tick(55 * MILLISECOND)).is_empty());
    assert_eq!(engine.statistics().order.waiting, 1);
    let findings = engine.evaluate(&tick(56 * MILLISECOND));
    assert_eq!(findings.iter().map(|finding| finding.time.0).collect::<Vec<_>>(), [6 * MILLISECOND]);
    assert_eq!(engine.next_due(), None);
    assert_eq!(engine.statistics().order, Default::default());
}

#[test]
fn what_a_rule_finds_in_one_event_does_not_wait() {
    let mut engine = Engine::new(set(&format!("{ORDERED}\n  generate: true")));
    assert_eq!(engine.evaluate(&event(1, Some("w"), "a", 1)).len(), 1);
}

#[test]
fn what_comes_later_than_the_bound_is_counted_and_still_taken_in() {
    let mut engine = waiting();
    correlated(&mut engine, &event(100 * MILLISECOND, Some("w"), "x", 1));
    correlated(&mut engine, &event(30 * MILLISECOND, Some("w"), "a", 1));
    // Nothing has gone on before it that is later.
    assert_eq!(engine.statistics().order.late, 0);
    correlated(&mut engine, &event(20 * MILLISECOND, Some("w"), "b", 1));
    assert_eq!(engine.statistics().order.late, 1);
    correlated(&mut engine, &event(110 * MILLISECOND, Some("w"), "b", 1));
    assert_eq!(engine.rest().len(), 1);
}

#[test]
fn a_flood_makes_it_wait_for_less_and_never_grow() {
    let mut engine = waiting();
    let most = crate::detection::correlation::order::WAITING_MAX;
    for n in 0..10 * most as u64 {
        engine.evaluate(&event(n, Some("w"), "a", 1));
        assert!(engine.statistics().order.waiting <= most);
    }
    let counters = engine.statistics().order;
    assert_eq!((counters.waiting, counters.hurried, counters.late), (most, 9 * most as u64, 0));
}
