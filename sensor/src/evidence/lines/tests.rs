use super::super::source::{Filter, Source as _, ToldKind};
use super::Lines;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

const EVENT: &str = r#"{"time":"2026-01-01T00:00:00.000001Z","weir.event.kind":"exec","weir.process.id":"7-1","weir.workload.id":"host"}"#;
const LATER: &str = r#"{"time":"2026-01-01T00:00:09.000000Z","weir.event.kind":"exit","weir.process.id":"7-1"}"#;
const OTHER: &str = r#"{"time":"2026-01-01T00:00:05.000000Z","weir.event.kind":"open","weir.process.id":"8-1","file.path":"/a","file.inode":"1","weir.file.device":"8:1"}"#;
const LOST: &str = r#"{"time":"2026-01-01T00:00:06.000000Z","weir.event.kind":"lost","weir.lost.count":12,"weir.lost.kind":"open","weir.lost.cause":"ring full"}"#;
const ALERT: &str = r#"{"time":"2026-01-01T00:00:07.000000Z","event_name":"weir.alert","body":"x","attributes":{"log.record.uid":"u/0","weir.incident.id":"i"}}"#;
/// 2026-01-01.
const DAY: u64 = 1_767_225_600_000_000_000;

fn lines(content: &str) -> Lines {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    fs::write(&path, content).unwrap();
    Lines::open(&[path]).unwrap()
}

fn all() -> Filter {
    Filter::of_time(0, u64::MAX, 100)
}

#[test]
fn events_are_answered_by_time_whatever_their_order() {
    let mut lines = lines(&format!("{LATER}\n{EVENT}\n\n{OTHER}"));
    let rows = lines.rows(&all()).unwrap();
    let times: Vec<u64> = rows.rows.iter().map(|row| row.time - DAY).collect();
    assert_eq!(times, [1_000, 5_000_000_000, 9_000_000_000]);
    assert!(!rows.cut && rows.rows.iter().all(|row| !row.attributes.contains_key("time")));
    assert_eq!(lines.span().unwrap(), Some((DAY + 1_000, DAY + 9_000_000_000)));
    assert!(lines.gaps(0, u64::MAX).unwrap().is_empty());
}

#[test]
fn each_set_of_a_filter_finds_its_own() {
    let mut lines = lines(&format!("{EVENT}\n{LATER}\n{OTHER}\n"));
    let set = |text: &str| BTreeSet::from([Box::from(text)]);
    let mut count = |filter: Filter| lines.rows(&filter).unwrap().rows.len();
    assert_eq!(count(Filter { processes: set("7-1"), ..all() }), 2);
    assert_eq!(count(Filter { processes: set("7-1"), kinds: set("exit"), ..all() }), 1);
    assert_eq!(count(Filter { workloads: set("host"), ..all() }), 1);
    assert_eq!(count(Filter { files: set("8:1/1"), ..all() }), 1);
    assert_eq!(count(Filter { paths: set("/a"), processes: set("7-1"), ..all() }), 3, "one of the sets is enough");
    assert_eq!(count(Filter { lineages: set("7-1"), ..all() }), 0);
    assert_eq!(count(Filter { from: DAY + 5_000_000_000, ..all() }), 2);
    assert_eq!(count(Filter { to: DAY + 5_000_000_000, ..all() }), 2);
    let cut = lines.rows(&Filter { limit: 2, ..all() }).unwrap();
    assert_eq!((cut.rows.len(), cut.cut), (2, true));
}

#[test]
fn what_was_told_is_kept_whole_and_once() {
    let mut lines = lines(&format!("{ALERT}\n{ALERT}\n{EVENT}\n"));
    let told = lines.told(0, u64::MAX, &BTreeSet::new()).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, &*told[0].uid, told[0].incident.as_deref()), (ToldKind::Alert, "u/0", Some("i")));
    assert_eq!(told[0].record["body"], "x");
    assert_eq!(lines.told(1, 0, &BTreeSet::from(["i".into()])).unwrap().len(), 1, "of an incident at any time");
    assert!(lines.told(1, 0, &BTreeSet::from(["j".into()])).unwrap().is_empty());
}

#[test]
fn what_was_lost_is_a_gap() {
    let mut lines = lines(&format!("{EVENT}\n{LOST}\n{LATER}\n"));
    let gaps = lines.gaps(0, u64::MAX).unwrap();
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (&*gaps[0].place, &*gaps[0].cause, gaps[0].kind.as_deref(), gaps[0].count),
        ("kernel", "ring full", Some("open"), Some(12))
    );
    assert_eq!((gaps[0].from, gaps[0].to), (DAY + 5_000_000_000, DAY + 6_000_000_000));
    assert_eq!(lines.rows(&all()).unwrap().rows.len(), 2);
}

#[test]
fn what_cannot_be_read_is_a_gap_and_the_rest_is_read() {
    let long = format!(r#"{{"time":"2026-01-01T00:00:06Z","weir.event.kind":"{}"}}"#, "x".repeat(2 << 20));
    for (damage, why) in
        [("{\"time\":", "no JSON object"), ("[1]", "no JSON object"), ("{}", "no time"), (&long, "longer")]
    {
        let mut lines = lines(&format!("{EVENT}\n{damage}\n{damage}\n{LATER}\n"));
        assert_eq!(lines.rows(&all()).unwrap().rows.len(), 2, "{why}");
        let gaps = lines.gaps(0, u64::MAX).unwrap();
        assert_eq!(gaps.len(), 1);
        assert!(gaps[0].cause.contains("line 2") && gaps[0].cause.contains(why), "{}", gaps[0].cause);
        assert_eq!((&*gaps[0].place, gaps[0].count), ("damage", Some(2)));
        assert_eq!((gaps[0].from, gaps[0].to), (DAY + 1_000, DAY + 9_000_000_000), "between what could be read");
    }
}

#[test]
fn places_that_cannot_be_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let said = |path: PathBuf| Lines::open(&[path]).unwrap_err().to_string();
    assert!(said(directory.path().join("none")).contains("cannot be opened"));
    assert!(said(directory.path().to_owned()).contains("no file .jsonl"));
    fs::write(directory.path().join("a.jsonl"), "{}\n").unwrap();
    assert!(said(directory.path().to_owned()).contains("no event and no alert"));
    fs::write(directory.path().join("b.jsonl"), EVENT).unwrap();
    assert!(Lines::open(&[directory.path().to_owned()]).is_ok());
}
