//! Every event comes back as it was, and old recordings stay readable.

use super::super::{Record, parse};
use super::tick;
use crate::agent::KINDS;
use crate::event::{
    Actor, Body, BootTime, Cgroup, CgroupKey, Classes, ContentFinding, CorrelationsRestored, EgressGrown, Event, File,
    FileId, Identity, LedgerRestored, Lost, ProcessFound, ProcessKey, Recognized, Reloaded, SavedAccount,
    SavedCorrelations, SavedDestination, SavedHolding, SavedLedger, SavedPlace, SavedWindow, Tamper, Tick, Transport,
    WallClock, WorkloadIdentified,
};
use crate::kernel::decode::{decode, samples};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// What a sensor of the form 1 wrote. It is never changed; a kind that is added later gets a line more.
const OLD: &str = include_str!("../samples/version-1.jsonl");

fn again(event: &Event) -> Event {
    let line = serde_json::to_vec(&Record::Event(Box::new(event.clone()))).unwrap();
    match parse(&line) {
        Ok(Record::Event(event)) => *event,
        other => panic!("{other:?} came of {}", String::from_utf8_lossy(&line)),
    }
}

fn event(body: Body) -> Event {
    let actor = Actor { process: Some(ProcessKey { pid: 7, start_ticks: 8 }), comm: "x".into(), ..Actor::default() };
    Event::new(BootTime(9), None, actor, body)
}

/// What the agent itself tells, with these texts and numbers in it.
fn told_by_the_agent(text: &str, number: u64, address: IpAddr) -> Vec<Event> {
    let file = File {
        id: Some(FileId { device: 1, inode: number }),
        path: text.into(),
        changed_unix_nanos: i64::MIN,
        classes: Classes(3),
        ..File::default()
    };
    let cgroup = Cgroup { key: CgroupKey { hierarchy: 4, id: number }, path: text.into() };
    let found = ProcessFound {
        parent_pid: Some(1),
        executable: text.into(),
        args: [text.into(), "".into()].into(),
        cgroup: Some(cgroup.clone()),
        ..ProcessFound::default()
    };
    let recognized = |finding| Recognized { file: file.clone(), born_unix_nanos: Some(-5), finding };
    let place = |place| SavedDestination { place, day: SavedWindow(vec![(number, 3)]), ..SavedDestination::default() };
    let saved = SavedLedger {
        time: number,
        accounts: vec![SavedAccount {
            id: text.into(),
            holdings: vec![SavedHolding { workload: text.into(), paths: vec![text.into()], ..SavedHolding::default() }],
            destinations: vec![
                place(SavedPlace::Domain(text.into())),
                place(SavedPlace::Address(address)),
                place(SavedPlace::Declared(text.into())),
                place(SavedPlace::Others),
            ],
            ..SavedAccount::default()
        }],
    };
    let boot_unix_nanos = i128::from(number) * 1_000_000_007;
    let peer = (!number.is_multiple_of(3)).then_some(address);
    [
        Body::Cgroup(cgroup),
        Body::ProcessFound(found),
        Body::Recognized(recognized(ContentFinding::Format {
            name: text.to_owned().into(),
            confidence: "certain".into(),
        })),
        Body::Recognized(recognized(ContentFinding::Unknown)),
        Body::Recognized(recognized(ContentFinding::Unread("gone".into()))),
        Body::LedgerRestored(Box::new(LedgerRestored { boot_unix_nanos, counters: true, saved })),
        Body::Egress(EgressGrown { peer, transport: Transport::Other(47), initiated: true, bytes: number, grown: 1 }),
        Body::Tamper(Tamper { object: text.into(), what: "it is gone".into() }),
        Body::WorkloadIdentified(WorkloadIdentified {
            container_id: text.into(),
            identity: Arc::new(Identity { labels: [(text.into(), text.into())].into(), ..Identity::default() }),
        }),
        Body::CorrelationsRestored(Box::new(CorrelationsRestored {
            boot: text.into(),
            boot_unix_nanos,
            saved: SavedCorrelations { sequence: number, ..SavedCorrelations::default() },
        })),
        Body::Reloaded(Box::new(Reloaded { ruleset: text.into(), policy: Some(text.into()), ..Reloaded::default() })),
        Body::Tick(Tick { last: true }),
        Body::Lost(Lost { since: BootTime(number), kind: "any".into(), cause: "ring_full".into(), count: number }),
    ]
    .map(event)
    .into()
}

fn every_kind() -> Vec<Event> {
    let mut events: Vec<Event> = samples::all().iter().filter_map(|record| decode(record).ok()).collect();
    events.extend(told_by_the_agent("/tmp/\\xff", u64::MAX, "2001:db8::1".parse().unwrap()));
    events
}

#[test]
fn each_kind_comes_back() {
    let events = every_kind();
    for event in &events {
        assert_eq!(again(event), *event);
    }
    let kinds: BTreeSet<&str> = events.iter().map(|event| event.body.kind_name()).collect();
    assert_eq!(kinds, KINDS.into_iter().collect());
}

#[test]
fn old_recordings_are_read() {
    let events: Vec<Event> = OLD
        .lines()
        .filter_map(|line| match parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}")) {
            Record::Event(event) => Some(*event),
            _ => None,
        })
        .collect();
    let kinds: BTreeSet<&str> = events.iter().map(|event| event.body.kind_name()).collect();
    let missing: Vec<_> = KINDS.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    assert!(missing.is_empty(), "add a line for each of these, and change no other: {missing:?}");
    for event in &events {
        assert_eq!(again(event), *event, "and what is read says the same");
    }
}

/// Prints what belongs into `samples/version-1.jsonl` for a kind that is new: `cargo test -p sensor --lib old_lines -- --ignored --nocapture`.
#[test]
#[ignore = "it prints"]
fn old_lines() {
    let clock = WallClock { boot_unix_nanos: 1_795_264_467_265_325_375 };
    let gap = super::super::Gap { events: 3, reason: "full".into(), ..Default::default() };
    let mut records = vec![Record::Recording(super::header()), Record::Clock(clock), Record::Gap(gap)];
    records.extend(every_kind().into_iter().map(|event| Record::Event(Box::new(event))));
    for record in records {
        println!("{}", serde_json::to_string(&record).unwrap());
    }
}

#[test]
fn what_is_missing_is_what_it_is_by_default_and_what_is_unknown_says_so() {
    let line = serde_json::to_string(&Record::Event(Box::new(tick(5)))).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&line).unwrap();
    value["event"].as_object_mut().unwrap().retain(|name, _| ["time", "actor", "body"].contains(&name.as_str()));
    value["event"]["actor"] = serde_json::json!({ "vpid": 3, "what_a_later_version_adds": true });
    let Ok(Record::Event(event)) = parse(value.to_string().as_bytes()) else { panic!("{value}") };
    assert_eq!(*event, Event { actor: Actor { vpid: 3, ..Actor::default() }, ..tick(5) });

    let open = decode(&samples::open("/m/x.gguf")).unwrap();
    let line = serde_json::to_string(&Record::Event(Box::new(open))).unwrap();
    for (known, other, said) in [
        ("\"sys_exit\"", "\"sixth_sense\"", "unknown hook \"sixth_sense\""),
        ("\"read\"", "\"eat\"", "unknown variant `eat`"),
        ("\"size\":", "\"size\":\"big\",\"x\":", "invalid type: string \"big\", expected u64"),
        ("\"access\":", "\"x\":", "missing field `access`"),
    ] {
        let changed = line.replace(known, other);
        assert_ne!(changed, line, "{known} is in {line}");
        let error = parse(changed.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn bytes_are_hexadecimal_and_nothing_else() {
    let hello = decode(&samples::hello(&[0, 255, 16])).unwrap();
    let line = serde_json::to_string(&Record::Event(Box::new(hello))).unwrap();
    assert!(line.contains(r#""bytes":"00ff10""#), "{line}");
    for wrong in ["0", "0g", "0é", "+1", "-1"] {
        assert!(parse(line.replace("00ff10", wrong).as_bytes()).is_err(), "{wrong}");
    }
}

proptest! {
    /// Whatever the kernel side can send.
    #[test]
    fn decoded_events_come_back(
        index in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..64),
    ) {
        let records = samples::all();
        let mut record = index.get(&records).clone();
        for (place, byte) in changes {
            // Behind version, kind and length.
            let place = 8 + place.index(record.len().saturating_sub(8).max(1));
            if let Some(old) = record.get_mut(place) {
                *old = byte;
            }
        }
        if let Ok(event) = decode(&record) {
            prop_assert_eq!(again(&event), event);
        }
    }

    #[test]
    fn events_of_the_agent_come_back(text in any::<String>(), number in any::<u64>(), address in any::<IpAddr>()) {
        for event in told_by_the_agent(&text, number, address) {
            prop_assert_eq!(again(&event), event);
        }
    }
}
