//! What goes in comes out in order, what has to go is the least, and everything is counted.

use super::memory::Fault;
use super::*;
use std::collections::BTreeMap;

#[test]
fn the_most_severe_come_first_and_of_those_the_oldest() {
    let mut spool = open(&Memory::default());
    for (severity, uid) in [(9, "a"), (17, "b"), (9, "c"), (21, "d"), (17, "e")] {
        put(&mut spool, severity, uid);
    }
    assert_eq!(drain(&mut spool), ["d", "b", "e", "a", "c"]);
}

#[test]
fn what_is_taken_comes_again_only_when_put_back() {
    let mut spool = open(&Memory::default());
    let (a, b) = (put(&mut spool, 9, "a"), put(&mut spool, 9, "b"));
    assert_eq!(spool.take(10, 1).len(), 1, "one that is larger than asked for comes alone");
    assert_eq!(spool.take(10, 1_000)[0].id, b);
    assert!(spool.take(10, 1_000).is_empty());
    spool.put_back(&[b, a, 99]);
    let again: Vec<u64> = spool.take(10, 1_000).iter().map(|entry| entry.id).collect();
    assert_eq!(again, [a, b]);
    spool.acknowledge(&[a, a, 99]);
    assert_eq!((spool.counts().depth, spool.counts().queued), (1, 0));
}

#[test]
fn an_entry_is_what_was_drafted() {
    let memory = Memory::default();
    let mut spool = open(&memory);
    let bytes = b"{\"body\":\"w\xc3\xa9ir\"}";
    let draft = Draft { kind: Kind::Coverage, severity: 200, time: u64::MAX, uid: "u\u{e9}", bytes };
    let id = spool.append(&[draft]).unwrap().ids[0].unwrap();
    let entry =
        Entry { id, kind: Kind::Coverage, severity: 24, time: u64::MAX, uid: "u\u{e9}".into(), bytes: (*bytes).into() };
    assert_eq!(spool.take(1, 1).first(), Some(&entry));
    assert_eq!(open(&memory).take(1, 1).first(), Some(&entry), "and after a restart");
}

#[test]
fn drafts_of_one_severity_cost_one_sync() {
    let memory = Memory::default();
    let mut spool = open(&memory);
    put(&mut spool, 9, "first");
    let before = memory.disk().syncs;
    spool.append(&[draft(9, "a", b"1"), draft(9, "b", b"2"), draft(9, "c", b"3")]).unwrap();
    assert_eq!(memory.disk().syncs - before, 1);
}

#[test]
fn what_was_acknowledged_does_not_come_back() {
    let memory = Memory::default();
    let mut spool = open(&memory);
    for uid in ["a", "b", "c"] {
        put(&mut spool, 9, uid);
    }
    let first = spool.take(1, 1)[0].id;
    spool.acknowledge(&[first]);
    drop(spool);
    let (mut spool, opened) = Spool::open_in(memory.clone(), SMALL).unwrap();
    assert_eq!(opened, Opened { entries: 2, ..Opened::default() });
    assert_eq!(drain(&mut spool), ["b", "c"]);
    drop(spool);
    assert_eq!(open(&memory).counts().depth, 0);
    assert_eq!(memory.names(".records"), [""; 0], "what is done is removed");
    assert_eq!(memory.names(".acknowledged"), [""; 0]);
}

/// Bodies of 1000 bytes until it is full, in a row of severities.
fn fill(spool: &mut Spool<Memory>, severities: &[u8], records: usize) {
    for number in 0..records {
        let severity = severities[number % severities.len()];
        let uid = format!("{severity}-{number}");
        spool.append(&[draft(severity, &uid, &[b'x'; 1_000])]).unwrap();
    }
}

#[test]
fn the_least_severe_and_oldest_go_first() {
    let memory = Memory::default();
    let mut spool = open(&memory);
    fill(&mut spool, &[17, 9], 12);
    assert!(spool.counts().evicted.is_empty(), "there is room");
    fill(&mut spool, &[21], 5);
    let evicted = spool.counts().evicted;
    assert_eq!(evicted.keys().collect::<Vec<_>>(), [&9], "{evicted:?}");
    let uids = drain(&mut spool);
    let of = |severity: &str| uids.iter().filter(|uid| uid.starts_with(severity)).cloned().collect::<Vec<_>>();
    assert_eq!((of("21-").len(), of("17-").len()), (5, 6));
    assert_eq!(of("9-").len() as u64 + evicted[&9], 6);
    assert!(of("9-").is_empty() || of("9-").last().unwrap() == "9-11", "the newest stay: {uids:?}");
    assert_eq!(open(&memory).counts().evicted, evicted, "it is known after a restart");
}

#[test]
fn of_one_severity_the_oldest_go() {
    let mut spool = open(&Memory::default());
    fill(&mut spool, &[21], 100);
    let evicted = spool.counts().evicted[&21];
    let uids = drain(&mut spool);
    let expected: Vec<String> = (evicted..100).map(|number| format!("21-{number}")).collect();
    assert!(evicted > 50 && uids == expected, "{evicted} evicted, {uids:?} are there");
}

#[test]
fn what_is_less_severe_than_all_finds_no_room() {
    let mut spool = open(&Memory::default());
    // Five segments of three records; a sixth does not fit.
    fill(&mut spool, &[21], 15);
    let large = [b'x'; 1_000];
    let appended = spool.append(&[draft(9, "light", &large)]).unwrap();
    assert_eq!((appended.ids, appended.evicted), (vec![None], [(9, 1)].into()));
    // The most severe is written first, and what goes for it leaves room for the other.
    let appended = spool.append(&[draft(9, "light", &large), draft(21, "grave", &large)]).unwrap();
    assert!(appended.ids.iter().all(Option::is_some) && appended.evicted == [(21, 3)].into());
    let uids = drain(&mut spool);
    assert_eq!(
        (uids.len(), uids[0].as_str(), &uids[12..]),
        (14, "21-3", &["grave".to_owned(), "light".to_owned()][..])
    );
}

#[test]
fn what_is_done_makes_room_before_anything_is_evicted() {
    let mut spool = open(&Memory::default());
    for severity in [21, 17, 13, 9] {
        fill(&mut spool, &[severity], 3);
        drain(&mut spool);
    }
    fill(&mut spool, &[5], 12);
    assert_eq!(spool.counts().evicted, BTreeMap::new());
    assert_eq!(spool.counts().depth, 12);
}

#[test]
fn what_cannot_be_a_record_is_refused_and_counted() {
    let mut spool = open(&Memory::default());
    let long = "u".repeat(256);
    let large = vec![b'x'; 3_000];
    let appended =
        spool.append(&[draft(9, "a", &large), draft(9, &long, b""), draft(9, "b", b"\xff"), draft(9, "c", b"")]);
    let appended = appended.unwrap();
    assert_eq!((appended.refused, spool.counts().refused), (3, 3));
    assert_eq!(appended.ids.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true]);
}

#[test]
fn what_is_set_aside_is_kept_with_its_reason() {
    let memory = Memory::default();
    let mut spool = open(&memory);
    let json = br#"{"body":"weights left"}"#;
    spool.append(&[draft(17, "a", json), draft(17, "b", b"no\nJSON"), draft(17, "c", b"{}")]).unwrap();
    let ids: Vec<u64> = spool.take(10, 1_000).iter().map(|entry| entry.id).collect();
    spool.set_aside(&ids[..2], "the collector said \"no\"").unwrap();
    assert_eq!((spool.counts().set_aside, spool.counts().depth), (2, 1));
    let text = String::from_utf8(memory.bytes("aside.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["record"]["body"], "weights left");
    assert_eq!((&lines[0]["log.record.uid"], &lines[0]["reason"]), (&"a".into(), &"the collector said \"no\"".into()));
    assert_eq!(lines[1]["record"], "no\nJSON");
    let mut spool = open(&memory);
    assert_eq!(spool.counts().set_aside, 2);
    memory.clone().append("aside.jsonl", b"{\"kind\":\"al").unwrap();
    let id = spool.take(1, 1)[0].id;
    spool.set_aside(&[id], "no").unwrap();
    let text = String::from_utf8(memory.bytes("aside.jsonl")).unwrap();
    assert_eq!((text.lines().count(), text.ends_with("\"record\":{}}\n")), (4, true), "{text}");
}

#[test]
fn what_cannot_be_set_aside_stays_but_is_not_offered_for_ever() {
    let memory = Memory::default();
    let mut spool = open(&memory);
    let id = put(&mut spool, 17, "a");
    spool.take(1, 1);
    // The read succeeds, the next call does not.
    memory.disk().fault = Some((1, 4, Fault::Full));
    let error = spool.set_aside(&[id], "no").unwrap_err().to_string();
    assert!(error.starts_with("aside.jsonl in the spool cannot be written"), "{error}");
    assert!(spool.take(1, 1).is_empty());
    assert_eq!(spool.counts().depth, 1);
    memory.disk().fault = None;
    assert_eq!(drain(&mut open(&memory)), ["a"]);
}

#[test]
fn the_oldest_is_that_of_the_records() {
    let mut spool = open(&Memory::default());
    let at = |time, severity| Draft { time, ..draft(severity, "u", b"") };
    spool.append(&[at(30, 21), at(10, 9), at(20, 17)]).unwrap();
    assert_eq!(spool.counts().oldest, Some(10));
    let ids: Vec<u64> = spool.take(3, 1_000).iter().map(|entry| entry.id).collect();
    spool.acknowledge(&ids[2..]);
    assert_eq!(spool.counts().oldest, Some(20));
}

#[test]
fn a_full_disk_takes_from_the_less_severe_first() {
    let memory = Memory::default();
    let mut spool = open(&memory);
    fill(&mut spool, &[9], 8);
    memory.disk().capacity = Some(8_500);
    let appended = spool.append(&[draft(21, "grave", &[b'x'; 1_000])]).unwrap();
    assert!(appended.ids[0].is_some());
    assert!(appended.evicted[&9] > 0);
    memory.disk().capacity = Some(0);
    let error = spool.append(&[draft(9, "light", b"x")]).unwrap_err().to_string();
    assert!(error.contains("see that there is room on the disk"), "{error}");
    memory.disk().capacity = None;
    put(&mut spool, 9, "after");
    let uids = drain(&mut spool);
    assert_eq!((uids[0].as_str(), uids.last().unwrap().as_str()), ("grave", "after"));
}
