//! What was recorded of a theft: a reader in one container copies the weights, another container sends the copy. Bystanders do other
//! things in both.

use super::super::super::source::{Source as _, ToldKind};
use super::super::anchor::{Anchor, CutError, Limits};
use super::super::model::{Quantity, Role, Timeline};
use super::super::time::nanos;
use super::{INCIDENT, ask, ask_within, said, theft};
use crate::evidence::words::Facts;
use std::collections::BTreeSet;

const READER: &str = "18321-2760919";
const SENDER: &str = "18329-2760923";
const MODEL: &str = "/models/llama/model.safetensors";
const COPY: &str = "/shared/metrics.db";
const SIZE: u64 = 5_243_304;

fn incident() -> Timeline {
    ask(&mut theft(), Anchor::Incident(INCIDENT[..6].to_owned())).unwrap()
}

/// The place of the first entry of a kind by a process that is about something.
fn place(timeline: &Timeline, kind: &str, process: &str, word: &str) -> usize {
    let is_it = |entry: &super::super::model::Entry| {
        entry.kind == kind && entry.process.as_deref() == Some(process) && entry.sentence.contains(word)
    };
    timeline.entries.iter().position(is_it).unwrap_or_else(|| panic!("no {kind} by {process} about {word}"))
}

#[test]
fn an_incident_is_told_in_order_from_the_start_to_the_last_byte() {
    let timeline = incident();
    assert_eq!(timeline.asked, format!("incident {INCIDENT}"));
    assert_eq!((timeline.severity.as_deref(), timeline.host.as_deref()), (Some("critical"), Some("node-1")));
    assert!(timeline.sentence.contains(MODEL), "{}", timeline.sentence);
    let order = [
        place(&timeline, "exec", "18320-2760918", "theft file --read"),
        place(&timeline, "open", READER, MODEL),
        place(&timeline, "transfer", READER, COPY),
        place(&timeline, "exec", "18328-2760922", "theft file --place"),
        place(&timeline, "open", SENDER, COPY),
        place(&timeline, "connect", SENDER, "198.51.100.1"),
        place(&timeline, "flow", SENDER, "sent, in all, 5.2 MB"),
    ];
    assert!(order.is_sorted(), "{order:?}");
    assert!(timeline.entries.is_sorted_by_key(|entry| entry.time.nanos));
    let sent = timeline.entries.iter().filter(|entry| entry.kind == "flow").filter_map(|entry| entry.bytes).max();
    assert_eq!(sent, Some(SIZE));
    // The first alert is where its time begins.
    let zero = timeline.entries.iter().find(|entry| entry.kind == "alert").unwrap();
    assert_eq!((zero.relative.as_str(), &zero.time), ("+0.000000", &timeline.zero));
    assert_eq!(timeline.zero.text, "2026-11-21T20:14:36.457598000Z");
    assert!(timeline.entries.first().unwrap().relative.starts_with('-'));
}

#[test]
fn nothing_that_is_unrelated_is_in_it() {
    let timeline = incident();
    let mut all = theft();
    let everything = ask(&mut all, Anchor::Time).unwrap();
    assert!(everything.entries.iter().any(|entry| entry.sentence.contains("bystander")), "there are some");
    for entry in &timeline.entries {
        assert!(!entry.sentence.contains("bystander") && !entry.sentence.contains("upload"), "{}", entry.sentence);
    }
    let in_containers: BTreeSet<&str> =
        timeline.processes.iter().filter(|process| process.workload.is_some()).map(|process| &*process.id).collect();
    let theirs = ["18319-2760916", "18320-2760918", READER, "18327-2760922", "18328-2760922", SENDER];
    assert_eq!(
        in_containers.iter().filter(|id| !theirs.contains(id)).count(),
        usize::from(in_containers.contains("18039-2760599"))
    );
}

#[test]
fn everything_that_the_record_names_is_in_it() {
    let (mut source, timeline) = (theft(), incident());
    let told = source.told(0, u64::MAX, &BTreeSet::new()).unwrap();
    let mut deeds = 0;
    for told in told.iter().filter(|told| told.incident.as_deref() == Some(INCIDENT)) {
        if let Some(incident) = told.record.get("incident") {
            for process in incident["processes"].as_array().unwrap() {
                let id = process["weir.process.id"].as_str().unwrap();
                let found = timeline.processes.iter().find(|known| known.id == id).unwrap();
                assert_eq!(found.role, Role::Subject);
                for deed in process["weir.process.deeds"].as_array().unwrap() {
                    let time = nanos(deed["time"].as_str().unwrap()).unwrap();
                    let same = timeline.entries.iter().any(|entry| {
                        entry.time.nanos == time
                            && entry.kind == deed["weir.event.kind"]
                            && entry.process.as_deref() == Some(id)
                    });
                    assert!(same, "{deed}");
                    deeds += 1;
                }
            }
            for source in incident["sources"].as_array().unwrap() {
                let path = source["file.path"].as_str().unwrap();
                assert!(timeline.entries.iter().any(|entry| Facts(&entry.attributes).text("file.path") == Some(path)));
            }
        }
        // Of incidents only the last that was told.
        if told.kind == ToldKind::Incident {
            continue;
        }
        let uid = Facts(told.record["attributes"].as_object().unwrap()).text("log.record.uid").unwrap().to_owned();
        let is_it = |entry: &&super::super::model::Entry| Facts(&entry.attributes).text("log.record.uid") == Some(&uid);
        assert_eq!(timeline.entries.iter().filter(is_it).count(), 1, "{uid}");
    }
    assert!(deeds >= 2);
}

#[test]
fn processes_are_a_tree_with_what_they_held_and_sent() {
    let timeline = incident();
    let find = |id: &str| timeline.processes.iter().position(|process| process.id == id).unwrap();
    for process in &timeline.processes {
        if let Some(parent) = &process.parent {
            assert!(find(parent) < find(&process.id), "parents before children");
        }
    }
    let (reader, sender) = (&timeline.processes[find(READER)], &timeline.processes[find(SENDER)]);
    assert_eq!((reader.parent.as_deref(), reader.held, reader.sent), (Some("18320-2760918"), SIZE, 0));
    assert_eq!((sender.parent.as_deref(), sender.held, sender.sent), (Some("18328-2760922"), SIZE, SIZE));
    assert_eq!((sender.ended.as_deref(), sender.pid), (Some("exit 0"), 18_329));
    assert_ne!(reader.workload, sender.workload);
    let sums: Vec<(Quantity, Option<&str>, u64)> = timeline
        .series
        .iter()
        .map(|series| (series.quantity, series.destination.as_deref(), series.points.last().unwrap().bytes))
        .collect();
    let to = Some("198.51.100.1:37695");
    assert_eq!(sums, [(Quantity::Held, None, SIZE), (Quantity::Held, None, SIZE), (Quantity::Sent, to, SIZE)]);
    assert!(
        timeline.series.iter().all(|series| series.points.is_sorted_by_key(|point| (point.time.nanos, point.bytes)))
    );
}

#[test]
fn the_same_is_found_from_the_reader_the_sender_and_the_copy() {
    for (anchor, role) in [
        (Anchor::Process("18321".into()), [Role::Subject, Role::Effect]),
        (Anchor::Process(SENDER.into()), [Role::Cause, Role::Subject]),
        (Anchor::File(COPY.into()), [Role::Cause, Role::Effect]),
        (Anchor::Workload("601943".into()), [Role::Cause, Role::Subject]),
    ] {
        let timeline = ask(&mut theft(), anchor.clone()).unwrap();
        let roles = [READER, SENDER].map(|id| timeline.processes.iter().find(|process| process.id == id).unwrap().role);
        assert_eq!(roles, role, "{anchor}");
        let opened = said(&timeline, "open");
        assert!(opened.iter().any(|(who, what)| *who == READER && what.contains(MODEL)), "{anchor}: {opened:?}");
        assert!(timeline.entries.iter().any(|entry| entry.kind == "alert"), "{anchor}");
    }
}

#[test]
fn what_there_is_no_room_for_is_left_out_from_the_edges_and_said() {
    let limits = Limits { entries: 30, ..Limits::default() };
    let timeline = ask_within(&mut theft(), Anchor::Incident(INCIDENT.into()), limits).unwrap();
    assert!(timeline.entries.len() <= 30);
    assert!(timeline.notes.iter().any(|note| note.contains("left out")), "{:?}", timeline.notes);
    place(&timeline, "open", READER, MODEL);
    let limits = Limits { rows: 10, ..Limits::default() };
    let timeline = ask_within(&mut theft(), Anchor::Incident(INCIDENT.into()), limits).unwrap();
    assert!(timeline.notes.iter().any(|note| note.contains("first 10 events")), "{:?}", timeline.notes);
    // What proves the alerts is there all the same.
    place(&timeline, "open", SENDER, COPY);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let refused = |anchor: Anchor| ask(&mut theft(), anchor).unwrap_err().to_string();
    assert!(refused(Anchor::Incident("ffff".into())).contains(INCIDENT));
    assert!(refused(Anchor::Alert("zz".into())).contains("weir timeline"));
    assert!(refused(Anchor::Process("18328-1".into())).contains("did you mean 18328-2760922?"));
    assert!(refused(Anchor::Process("7".into())).contains("there are 18"));
    assert!(
        refused(Anchor::File("/none".into())).contains("2026-11-21T20:14:36"),
        "{}",
        refused(Anchor::File("/none".into()))
    );
    let pod = Anchor::Pod { namespace: "ml".into(), name: "vllm".into() };
    assert!(refused(pod).contains("pod ml/vllm"));
    // Every container's id begins with nothing.
    assert!(matches!(ask(&mut theft(), Anchor::Workload(String::new())), Err(CutError::Ambiguous { .. })));
}

#[test]
fn the_same_question_has_the_same_answer() {
    assert_eq!(incident(), incident());
}
