//! Whatever comes: bounds hold, everything is accounted for, levels only rise, and each rise is said once.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

const LEVELS: [Level; 5] = [Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical];
const WORKLOADS: [&str; 3] = ["a", "b", "c"];
const ANCESTORS: [&[u32]; 5] = [&[1, 2_000], &[20, 1, 2_000], &[21, 20, 1], &[2_000], &[]];

/// Time, rule, level of the rule, who, deed.
type Deed = (u64, usize, u32, usize, usize, u8, u64);

fn deeds(max: usize) -> impl Strategy<Value = Vec<Deed>> {
    proptest::collection::vec((0u64..40, 0usize..12, 20u32..40, 0usize..5, 0usize..3, 0u8..5, 0u64..6), 0..max)
}

fn made((_, rule, pid, ancestors, workload, what, number): Deed, time: u64) -> Alert {
    let who = who(pid, ANCESTORS[ancestors], WORKLOADS[workload]);
    let body = match what {
        0 => reads(number),
        1 => file(number, None, Access::Write),
        2 => sends(number as u8, number, 1_000 * (time / SECOND + 1), FlowReason::Grown),
        3 => sends(number as u8, number, 1_000 * (time / SECOND + 1), FlowReason::Closed),
        _ => exits(),
    };
    alert(&format!("rule_{rule}"), LEVELS[rule % 5], &[event(time, who, body)])
}

proptest! {
    #[test]
    fn bounds_hold_and_each_rise_is_said_once(deeds in deeds(200)) {
        let mut incidents = Incidents::new(Limits { incidents: 6 });
        let (mut time, mut given, mut revisions) = (0, 0, HashMap::new());
        let mut said: HashMap<Uid, Level> = HashMap::new();
        for deed in deeds {
            time += deed.0 * 200 * SECOND;
            let alert = made(deed, time);
            let (rule_level, informational) = (alert.rule.level, alert.rule.level == Level::Informational);
            given += 1;
            let notices = incidents.push(alert, &within);
            prop_assert!(notices.len() <= 2);
            for notice in &notices {
                match notice {
                    Notice::Alert(alert) => {
                        let level = alert.incident.map(|incident| incident.level);
                        prop_assert!(informational || level >= Some(rule_level));
                    }
                    Notice::Incident(incident) => {
                        prop_assert!(incident.level >= Level::Medium && !informational);
                        let before = said.insert(incident.uid, incident.level);
                        prop_assert!(before.is_none_or(|before| incident.level >= before), "levels only rise");
                        let next = revisions.insert(incident.uid, incident.revision).map_or(0, |last: u32| last + 1);
                        prop_assert_eq!(incident.revision, next, "none is missing");
                    }
                    Notice::Enrichment(_) => prop_assert!(false, "names are not the incidents'"),
                }
            }
            let statistics = incidents.statistics();
            prop_assert!(statistics.open <= 6);
            prop_assert_eq!(statistics.told + statistics.suppressed, given);
            let gone = statistics.merged + statistics.closed + statistics.evicted;
            prop_assert_eq!(statistics.opened, statistics.open as u64 + gone);
            for incident in incidents.open() {
                prop_assert!(incident.rules.items().len() <= 32 && incident.sources.items().len() <= 16);
                prop_assert!(incident.processes.items().len() <= 32 && incident.destinations.items().len() <= 16);
                prop_assert!(incident.began <= incident.time && incident.suppressed <= incident.alerts);
                prop_assert!(incident.processes.items().is_sorted_by_key(|process| process.first));
                prop_assert!(!incident.sentence().is_empty());
            }
            incidents.check();
        }
    }

    /// The same alerts in another order are the same incidents: what hangs together does so whichever comes first. Reading what
    /// another workload wrote is left out, since that has an order.
    #[test]
    fn what_hangs_together_does_not_depend_on_the_order(mut deeds in deeds(30), seed in any::<u64>()) {
        deeds.retain(|deed| LEVELS[deed.1 % 5] != Level::Informational && deed.5 != 1);
        let parts = |deeds: &[Deed]| {
            let mut incidents = Incidents::default();
            for deed in deeds {
                incidents.push(made(*deed, deed.0 * SECOND), &within);
            }
            let mut parts: Vec<_> = incidents.open().map(|incident| (incident.alerts, incident.level)).collect();
            parts.sort_unstable();
            parts
        };
        let mut other = deeds.clone();
        other.sort_by_key(|deed| Sha256::digest(format!("{seed} {deed:?}").as_bytes()).to_vec());
        let (one, other) = (parts(&deeds), parts(&other));
        prop_assert_eq!(one.iter().map(|part| part.0).collect::<Vec<_>>(), other.iter().map(|part| part.0).collect::<Vec<_>>());
    }
}

#[test]
fn the_least_bad_goes_first_and_of_these_the_oldest() {
    let mut incidents = Incidents::new(Limits { incidents: 3 });
    for (time, pid, level) in [(1, 20, Level::High), (2, 21, Level::Low), (3, 22, Level::Low), (4, 23, Level::Medium)] {
        plain(&mut incidents, "rule", level, time, who(pid, &[1], "a"));
    }
    let left: Vec<_> = incidents.open().map(|incident| (incident.level, incident.time.0)).collect();
    assert_eq!(left, [(Level::High, 1), (Level::Low, 3), (Level::Medium, 4)]);
    assert_eq!(incidents.statistics().evicted, 1);
    incidents.check();
}

#[test]
fn links_are_bounded_and_the_least_used_goes() {
    let mut incidents = Incidents::default();
    static PARENT: [u32; 1] = [20];
    for pid in 100..1_000 {
        plain(&mut incidents, "rule", Level::Low, 1, who(pid, &PARENT, "a"));
    }
    assert_eq!(incidents.statistics().open, 1, "the parent is used all the time");
    assert_eq!(incidents.statistics().links_lost, 901 - 128);
    incidents.check();
}
