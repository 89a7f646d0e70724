//! The record says what happened between two snapshots, and is a warning when that is not all well.

use crate::delivery::health::canary::Fate;
use crate::delivery::health::{Coverage, Occasion, Passed, Snapshot};
use crate::event::{BootTime, Kind, WallClock};
use crate::kernel::{self, Concern, Gap};
use crate::line::Occupancy;
use sensor_common::count::Outcome;
use serde_json::{Value, json};
use std::time::Duration;

const CLOCK: WallClock = WallClock { boot_unix_nanos: 0 };

fn snapshot(seconds: u64) -> Snapshot {
    Snapshot { time: BootTime(seconds * 1_000_000_000), ..Snapshot::default() }
}

fn with(mut snapshot: Snapshot, totals: &[(Kind, Outcome, u64)]) -> Snapshot {
    totals.iter().for_each(|(kind, outcome, total)| snapshot.totals.set(*kind, *outcome, *total));
    snapshot
}

fn watched(concern: Concern, gaps: Vec<Gap>) -> kernel::Coverage {
    kernel::Coverage { concern, family: None, hooks: vec!["a hook"], passed_over: None, gaps }
}

fn record(before: &Snapshot, now: &Snapshot, canary: Option<[Fate; 3]>) -> Value {
    let coverage = Coverage {
        instance: "0123456789abcdef",
        sequence: 3,
        occasion: Occasion::Interval,
        interval: Duration::from_secs(60),
        before,
        begun: CLOCK,
        now,
        canary,
        latency: Duration::from_millis(120),
    };
    serde_json::to_value(coverage.record(CLOCK)).expect("it serialises")
}

fn table(name: &'static str, evicted: u64) -> Occupancy {
    Occupancy { name, entries: 5, limit: 10, evicted }
}

#[test]
fn when_all_is_well_it_says_so_and_what_was_seen_since_the_last() {
    let before = with(snapshot(60), &[(Kind::Open, Outcome::Seen, 100), (Kind::Open, Outcome::Unmatched, 90)]);
    let mut now = with(
        snapshot(120),
        &[(Kind::Open, Outcome::Seen, 150), (Kind::Open, Outcome::Unmatched, 130), (Kind::Open, Outcome::Own, 4)],
    );
    now.totals.set(Kind::Open, Outcome::Sent, 6);
    now.hooks = [watched(Concern::Open, vec![])].into();
    now.passed = Passed { events: 9, without_process: 2, without_workload: 1 };
    let record = record(&before, &now, Some([Fate::Seen; 3]));
    assert_eq!(record["event_name"], "weir.coverage");
    assert_eq!(record["time"], "1970-01-01T00:02:00.000000Z");
    assert_eq!((&record["severity_number"], &record["severity_text"]), (&json!(9), &json!("INFO")));
    assert_eq!(record["body"], "Weir watched for 60 s and saw 50 events; nothing was lost and the canary came out.");
    let attributes = &record["attributes"];
    assert_eq!(attributes["log.record.uid"], "coverage-0123456789abcdef-3");
    assert_eq!(attributes["weir.coverage.begun"], "1970-01-01T00:01:00.000000Z");
    assert_eq!(attributes["weir.coverage.whole"], true);
    assert_eq!(attributes["weir.canary.open"], "seen");
    assert_eq!(attributes["weir.canary.latency"], 0.12);
    assert_eq!(attributes["weir.coverage.without_process"], 2);
    let events = json!([{ "kind": "open", "seen": 50, "sent": 6, "filtered": 44 }]);
    assert_eq!(record["coverage"]["events"], events, "kinds of which there was nothing are left out");
    assert_eq!(record["coverage"]["unenriched"], json!({ "process": 2, "workload": 1 }));
    assert_eq!(record["coverage"]["hooks"], json!([{ "concern": "open", "hooks": ["a hook"] }]));
}

#[test]
fn each_thing_that_is_not_well_is_named_and_makes_it_a_warning() {
    let before = Snapshot { tables: vec![table("processes", 7)], ..snapshot(0) };
    let gap = Gap { program: "on_bpf", reason: "no such function".into(), mend: "another kernel" };
    let whole = Snapshot { tables: vec![table("processes", 7)], ..snapshot(60) };
    let cases: [(Snapshot, [Fate; 3], &str); 6] = [
        (with(whole.clone(), &[(Kind::Exec, Outcome::RingFull, 4)]), [Fate::Seen; 3], "lost: 4 exec"),
        (Snapshot { tables: vec![table("processes", 9)], ..whole.clone() }, [Fate::Seen; 3], "room: 2 processes"),
        (
            Snapshot { hooks: [watched(Concern::Bpf, vec![gap])].into(), ..whole.clone() },
            [Fate::Seen; 3],
            "not watched whole: bpf",
        ),
        (Snapshot { tampered: Some(BootTime(5)), ..whole.clone() }, [Fate::Seen; 3], "changed the sensor's own"),
        (whole.clone(), [Fate::Seen, Fate::Missing, Fate::Seen], "did not come out: open missing"),
        (whole.clone(), [Fate::Seen, Fate::Seen, Fate::NotDone], "did not come out: connect not_done"),
    ];
    for (now, canary, words) in &cases {
        let record = record(&before, now, Some(*canary));
        let body = record["body"].as_str().unwrap_or_default();
        assert!(body.contains(words), "{words}: {body}");
        assert_eq!(record["severity_number"], 13, "{body}");
        assert_eq!(record["attributes"]["weir.coverage.whole"], false, "{body}");
    }
    let all_is_well = [Some([Fate::Seen; 3]), Some([Fate::OutOfScope; 3]), None];
    for canary in all_is_well {
        assert_eq!(record(&before, &whole, canary)["severity_number"], 9, "{canary:?}");
    }
}

#[test]
fn what_was_lost_is_told_by_kind_and_cause() {
    let before = with(snapshot(0), &[(Kind::Exec, Outcome::RingFull, 1)]);
    let now = with(
        snapshot(60),
        &[(Kind::Exec, Outcome::RingFull, 4), (Kind::Exec, Outcome::TableFull, 2), (Kind::Flow, Outcome::Fault, 1)],
    );
    let record = record(&before, &now, None);
    assert_eq!(record["attributes"]["weir.coverage.dropped"], 6);
    assert_eq!(record["coverage"]["events"][0]["dropped"], json!({ "ring_full": 3, "table_full": 2 }));
    assert_eq!(record["coverage"]["events"][1]["dropped"], json!({ "fault": 1 }));
    assert_eq!(record["attributes"].get("weir.canary.exec"), None, "there was none");
}
