//! The table of the metrics: names as the conventions want them, values as the snapshot has them.

use crate::delivery::health::metrics::{EVALUATION, Instrument, LATENCY, METRICS, Metric, Point};
use crate::delivery::health::{Delivery, Program, Snapshot};
use crate::event::Kind;
use crate::evidence::store;
use sensor_common::count::Outcome;
use std::collections::BTreeSet;
use std::time::Duration;

fn metric(name: &str) -> &'static Metric {
    METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("there is no metric {name}"))
}

fn read(name: &str, snapshot: &Snapshot) -> Vec<Point> {
    (metric(name).read)(snapshot)
}

#[test]
fn names_are_unique_and_follow_the_conventions() {
    let names = METRICS.iter().map(|metric| metric.name).chain([EVALUATION.name, LATENCY.name]);
    let names: Vec<_> = names.collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    for name in &names {
        assert!(name.starts_with("weir.") || name.starts_with("process."), "{name}");
        let small = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
        assert!(name.chars().all(small), "{name}");
        // A name that is a namespace of another one as well is what the conventions forbid.
        assert!(!names.iter().any(|other| other.starts_with(&format!("{name}."))), "{name}");
    }
    for metric in METRICS {
        let (name, unit) = (metric.name, metric.unit);
        assert!(matches!(unit, "s" | "By") || unit.starts_with('{') && unit.ends_with('}'), "{name}: {unit}");
        assert!(metric.attributes.len() <= 2 && metric.description.ends_with('.'), "{name}");
    }
}

#[test]
fn a_point_has_a_value_for_each_attribute_and_no_other() {
    let mut snapshot = Snapshot {
        delivery: Some(Delivery {
            evicted: vec![("9", 1)],
            results: vec![("accepted", 2)],
            oldest: Some(Duration::from_secs(3)),
            losses: vec![("torn", 1)],
            requests: [1, 2],
            ..Delivery::default()
        }),
        evidence: Some(store::Counts { events: 1, oldest: 1, ..store::Counts::default() }),
        programs: vec![Program { name: "on_exec", runs: 4, time: Duration::from_micros(8) }],
        alerts: vec![("raised", 1)],
        ..Snapshot::default()
    };
    snapshot.usage.memory_bytes = Some(1);
    snapshot.totals.set(Kind::Exec, Outcome::TableFull, 5);
    for metric in METRICS {
        for point in (metric.read)(&snapshot) {
            let given = point.attributes.iter().filter(|value| !value.is_empty()).count();
            assert_eq!(given, metric.attributes.len(), "{}: {point:?}", metric.name);
        }
    }
    let dropped = read("weir.event.dropped", &snapshot);
    assert!(dropped.contains(&Point { attributes: ["exec", "table_full"], value: 5.0 }), "{dropped:?}");
    assert_eq!(read("weir.program.run.time", &snapshot), [Point { attributes: ["on_exec", ""], value: 8e-6 }]);
    assert_eq!(read("weir.spool.oldest.age", &snapshot), [Point { attributes: [""; 2], value: 3.0 }]);
    assert_eq!(read("weir.spool.usage", &Snapshot::default()), [], "nothing is said of a spool that is not there");
    assert_eq!(metric("weir.event.dropped").instrument, Instrument::Counter);
}
