//! What is kept over a restart.

use super::*;
use crate::detection::correlation::saved::SIZE_MAX;
use crate::event::{CorrelationsRestored, Field, SavedCorrelations, Value};
use proptest::prelude::*;

/// The unit of the clock that these tests read: the first boot was at 1,000,000 s since the Unix epoch.
const EPOCH: i128 = 1_000_000 * SECOND as i128;

fn restored(boot: &str, boot_unix_nanos: i128, saved: SavedCorrelations) -> CorrelationsRestored {
    CorrelationsRestored { boot: boot.into(), boot_unix_nanos, saved }
}

/// An engine that begins with what was saved.
fn begun(rule: &str, nanos: u64, restored: CorrelationsRestored) -> Engine {
    let mut engine = engine(rule);
    let body = Body::CorrelationsRestored(Box::new(restored));
    assert!(engine.evaluate(&Arc::new(Event::new(BootTime(nanos), None, Actor::default(), body))).is_empty());
    engine
}

/// Through the file and back.
fn saved(engine: &mut Engine) -> SavedCorrelations {
    let json = serde_json::to_string(&engine.save().unwrap().saved()).unwrap();
    assert!(json.len() <= SIZE_MAX, "{} bytes", json.len());
    serde_json::from_str(&json).unwrap()
}

const ORDERED: &str = "  type: temporal_ordered\n  rules: [a, b]\n  group-by: [weir.workload.id]\n  timespan: 1h";

#[test]
fn a_sequence_goes_on_over_a_restart_and_its_evidence_says_the_same() {
    let mut first = begun(ORDERED, 0, restored("one", EPOCH, SavedCorrelations::default()));
    let opened = event(10 * SECOND, Some("container:w"), "a\u{1b}[2J", 7);
    correlated(&mut first, &opened);
    let state = saved(&mut first);
    assert!(first.save().is_none(), "nothing has changed since");
    // The sensor starts again, and wall time was set back by a day meanwhile.
    let mut second = begun(ORDERED, 20 * SECOND, restored("one", EPOCH - 86_400 * i128::from(SECOND), state.clone()));
    let finding = correlated(&mut second, &event(30 * SECOND, Some("container:w"), "b", 1)).pop().unwrap();
    let evidence = &finding.evidence[0];
    assert_eq!((&*evidence.rule_name, evidence.event.time), ("a", BootTime(10 * SECOND)));
    let json = |event: &Event| serde_json::to_value(crate::event::Attributes(event)).unwrap();
    assert_eq!(json(&evidence.event), json(&opened));
    let told = crate::alert::Raiser::new(&set(ORDERED)).raise(finding).unwrap();
    assert_eq!(told.begun, BootTime(10 * SECOND));
    // The timespan is over.
    let mut late = begun(ORDERED, 20 * SECOND, restored("one", EPOCH, state));
    assert!(correlated(&mut late, &event(3_611 * SECOND, Some("container:w"), "b", 1)).is_empty());
}

#[test]
fn over_a_reboot_times_go_by_wall_time() {
    let mut first = begun(ORDERED, 0, restored("one", EPOCH, SavedCorrelations::default()));
    correlated(&mut first, &event(5_000 * SECOND, Some("w"), "a", 7));
    let state = saved(&mut first);
    // Ten minutes after that event the machine has booted again, and an hour after it the timespan is over.
    let boot = EPOCH + 5_600 * i128::from(SECOND);
    let at = |second: u64| {
        let mut engine = begun(ORDERED, SECOND, restored("two", boot, state.clone()));
        correlated(&mut engine, &event(second * SECOND, Some("w"), "b", 1)).pop()
    };
    assert!(at(3_001).is_none());
    let finding = at(3_000).unwrap();
    let first = &finding.evidence[0].event;
    assert_eq!(first.time, BootTime(0), "it has no time of this boot");
    let clock = crate::event::WallClock { boot_unix_nanos: boot };
    assert_eq!(first.rfc3339(clock).to_string(), "1970-01-12T15:10:00.000000Z");
    // And so over the next one: the state is saved again, and its event says the same.
    let mut second = begun(ORDERED, SECOND, restored("two", boot, state.clone()));
    correlated(&mut second, &event(2_000 * SECOND, Some("other"), "a", 7));
    let later = EPOCH + 8_000 * i128::from(SECOND);
    let mut third = begun(ORDERED, SECOND, restored("three", later, saved(&mut second)));
    let finding = correlated(&mut third, &event(600 * SECOND, Some("w"), "b", 1)).pop().unwrap();
    assert_eq!(finding.evidence[0].event.rfc3339(clock).to_string(), "1970-01-12T15:10:00.000000Z");
    assert!(correlated(&mut third, &event(601 * SECOND, Some("w"), "b", 1)).is_empty());
}

#[test]
fn a_clock_that_was_set_back_over_a_reboot_makes_nothing_lie_in_the_future() {
    let mut first = begun(ORDERED, 0, restored("one", EPOCH, SavedCorrelations::default()));
    correlated(&mut first, &event(2_000 * SECOND, Some("older"), "a", 7));
    correlated(&mut first, &event(5_000 * SECOND, Some("w"), "a", 7));
    let state = saved(&mut first);
    let mut second = begun(ORDERED, SECOND, restored("two", 0, state));
    // They are as far apart as they were.
    assert!(correlated(&mut second, &event(602 * SECOND, Some("older"), "b", 7)).is_empty());
    // It counts as just seen: an hour from now it is gone.
    assert_eq!(correlated(&mut second, &event(3_600 * SECOND, Some("w"), "b", 7)).len(), 1);
    assert!(correlated(&mut second, &event(3_602 * SECOND, Some("w"), "b", 7)).is_empty());
}

#[test]
fn a_rule_that_has_changed_starts_with_nothing() {
    let mut first = begun(ORDERED, 0, restored("one", EPOCH, SavedCorrelations::default()));
    correlated(&mut first, &event(SECOND, Some("w"), "a", 7));
    let state = saved(&mut first);
    let changed = ORDERED.replace("1h", "2h");
    for (rule, groups) in [(ORDERED, 1), (&*changed, 0)] {
        let engine = begun(rule, 2 * SECOND, restored("one", EPOCH, state.clone()));
        assert_eq!(engine.statistics().correlations[0].1.groups, groups);
    }
}

#[test]
fn what_is_saved_is_bounded_and_what_was_used_last_is_kept() {
    let rule = "  type: event_count\n  rules: [a]\n  group-by: [process.executable.name]\n  timespan: 1h\n  condition:\n    gte: 2";
    let mut first = begun(rule, 0, restored("one", EPOCH, SavedCorrelations::default()));
    for n in 0..4_000_u64 {
        // Each byte of it is six as JSON.
        let name = format!("a{n}{}", "\u{1}".repeat(480));
        first.evaluate(&event(n, Some(&format!("w{}", n % 7)), &name, 7));
    }
    let state = saved(&mut first);
    assert!(state.correlations[0].unsaved > 0);
    let kept = state.correlations[0].groups.len() as u64;
    let mut second = begun(rule, 4_000, restored("one", EPOCH, state));
    let counters = second.statistics().correlations[0].1;
    assert_eq!(counters.groups as u64, kept);
    assert!(counters.unsaved > 0);
    let last = format!("a3999{}", "\u{1}".repeat(480));
    assert_eq!(correlated(&mut second, &event(4_001, Some("w0"), &last, 7)).len(), 1);
}

#[test]
fn state_that_makes_no_sense_is_left_out() {
    let mut first = begun(ORDERED, 0, restored("one", EPOCH, SavedCorrelations::default()));
    correlated(&mut first, &event(SECOND, Some("w"), "a", 7));
    let good = saved(&mut first);
    let spoil = |change: &dyn Fn(&mut crate::event::SavedGroup)| {
        let mut state = good.clone();
        let group = &mut state.correlations[0].groups[0];
        change(group);
        let mut engine = begun(ORDERED, 2 * SECOND, restored("one", EPOCH, state));
        correlated(&mut engine, &event(3 * SECOND, Some("w"), "b", 7)).len()
    };
    assert_eq!(spoil(&|_| ()), 1);
    assert_eq!(spoil(&|group| group.key.clear()), 0);
    assert_eq!(spoil(&|group| group.rows.iter_mut().for_each(|row| row.seen.event = 9)), 0);
    assert_eq!(spoil(&|group| group.rows.iter_mut().for_each(|row| row.seen.step = 1)), 0);
    assert_eq!(spoil(&|group| group.rows.iter_mut().for_each(|row| row.list = 77)), 0);
    // A chain as long as the file likes.
    let link = |group: &mut crate::event::SavedGroup| {
        let row = group.rows.last().unwrap().clone();
        group.rows.extend(std::iter::repeat_n(row, 100_000));
    };
    assert_eq!(spoil(&link), 1);
    // The future.
    assert_eq!(spoil(&|group| group.rows.iter_mut().for_each(|row| row.seen.time = u64::MAX)), 1);
}

/// Of a finding: whether it goes on, its measure, and of each event of its evidence the rule, the time and the program.
type Said = (bool, Option<u128>, Vec<(String, u64, Option<String>)>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    /// A restart between any two events changes no finding, nor what its evidence says.
    #[test]
    fn a_restart_makes_no_difference(
        kind in prop::sample::select(vec!["event_count", "value_count", "value_sum", "value_avg", "value_percentile", "temporal", "temporal_ordered"]),
        session in any::<bool>(),
        events in prop::collection::vec((0_u64..4, 0_u8..3, prop::sample::select(vec!["a", "b", "c", "ab"]), 0_u32..4), 1..30),
        restart in 0_usize..30,
    ) {
        let mut rule = format!("  type: {kind}\n  rules: [a, b]\n  group-by: [weir.workload.id]\n  timespan: 3s");
        if session {
            rule += "\n  window: session\n  gap: 1s";
        }
        if !kind.starts_with("temporal") {
            rule += "\n  condition:\n    gte: 2";
            if kind != "event_count" {
                rule += "\n    field: process.user.id";
            }
            if kind == "value_percentile" {
                rule += "\n    percentile: 60";
            }
        }
        let mut whole = engine(&rule);
        let mut cut = begun(&rule, 0, restored("one", EPOCH, SavedCorrelations::default()));
        let mut now = 0;
        for (at, (step, group, name, value)) in events.into_iter().enumerate() {
            if at == restart && at > 0 {
                let state = cut.save().map(|snapshot| snapshot.saved()).unwrap_or_default();
                cut = begun(&rule, now, restored("one", EPOCH, state));
            }
            now += step * SECOND / 4;
            let event = event(now, Some(&format!("w{group}")), name, value);
            let said = |engine: &mut Engine| -> Vec<Said> {
                let text = |event: &Event| match Field::ProcessExecutableName.get(event) {
                    Some(Value::Text(text)) => Some(text.to_string()),
                    _ => None,
                };
                correlated(engine, &event)
                    .iter()
                    .map(|finding| {
                        let evidence = finding.evidence.iter();
                        let evidence = evidence.map(|e| (e.rule_name.to_string(), e.event.time.0, text(&e.event)));
                        (finding.continued, finding.measure, evidence.collect())
                    })
                    .collect()
            };
            let (mut expected, found) = (said(&mut whole), said(&mut cut));
            // In the middle of a long list an event keeps its kind and time only.
            for (expected, found) in expected.iter_mut().zip(&found) {
                for (expected, found) in expected.2.iter_mut().zip(&found.2) {
                    if found.2.is_none() && kind.starts_with("value") | kind.starts_with("event") {
                        expected.2 = None;
                    }
                }
            }
            prop_assert_eq!(expected, found);
        }
    }
}
