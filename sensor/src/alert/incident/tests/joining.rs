//! What is one incident and what is not.

use super::*;
use crate::event::{HeldBy, Party, Source, Trail};
use Level::{High, Informational, Low, Medium};

/// How many incidents come of a rule each by these.
fn incidents_of(deeds: &[(Who, Body)]) -> usize {
    let mut incidents = Incidents::default();
    for (number, (who, body)) in (1..).zip(deeds) {
        push(&mut incidents, alert(&format!("rule_{number}"), Low, &[event(number * SECOND, *who, body.clone())]));
    }
    incidents.statistics().open
}

#[test]
fn a_lineage_is_one_incident_and_a_container_is_not() {
    // A shell that a server (1) started, what that started, and what is left of a double fork.
    let (shell, child, orphan) = (who(20, &[1, 2_000], "a"), who(21, &[20, 1, 2_000], "a"), who(23, &[22, 20, 1], "a"));
    assert_eq!(incidents_of(&[(shell, exits()), (child, exits()), (orphan, exits())]), 1);
    assert_eq!(incidents_of(&[(child, exits()), (orphan, exits())]), 1, "by the shell, which did nothing itself");
    // Another child of the first process of the container; one that came in from outside; the shim's other container.
    let (other, entered, elsewhere) = (who(30, &[1, 2_000], "a"), who(40, &[2_000], "a"), who(50, &[2_000], "b"));
    assert_eq!(incidents_of(&[(shell, exits()), (other, exits()), (entered, exits()), (elsewhere, exits())]), 4);
    // What somebody starts who came in from outside is one, though no child of the container's first process.
    let below = [who(41, &[40, 2_000], "a"), who(42, &[40, 2_000], "a")];
    assert_eq!(incidents_of(&[(below[0], exits()), (below[1], exits())]), 1);
}

#[test]
fn a_pid_namespace_of_ones_own_is_no_way_out_of_a_lineage() {
    let mut incidents = Incidents::default();
    let mut inner = |time, pid: u32| {
        // 20 is the shell, 21 the first of the namespace that it made: it has id 1 in it.
        let mut event = Event::clone(&event(time, who(pid, &[], "a"), exits()));
        let first = Ancestor { vpid: 1, ..ancestor(21) };
        let process =
            Process { lineage: [first, ancestor(20), ancestor(1)].into(), key: key(pid), ..Process::default() };
        event.process = Some(Arc::new(process));
        push(&mut incidents, alert(&format!("rule_{pid}"), Low, &[Arc::new(event)]));
    };
    inner(1, 30);
    inner(2, 31);
    assert_eq!(incidents.statistics().open, 1);
    plain(&mut incidents, "rule_other", Low, 3, who(20, &[1], "a"));
    assert_eq!(incidents.statistics().open, 1);
}

#[test]
fn in_a_unit_the_process_that_it_began_with_joins_nothing() {
    let mut incidents = Incidents::default();
    for (time, pid) in [(1, 30), (2, 31)] {
        let mut event = Event::clone(&event(time, who(pid, &[7, 2_000], "job"), exits()));
        let mut workload = Workload::clone(event.workload.as_ref().unwrap());
        workload.kind = WorkloadKind::SlurmJob;
        event.workload = Some(Arc::new(workload));
        push(&mut incidents, alert(&format!("rule_{pid}"), Low, &[Arc::new(event)]));
    }
    assert_eq!(incidents.statistics().open, 2);
}

#[test]
fn a_source_joins_within_a_workload_only() {
    let (reader, sender) = (who(20, &[1], "a"), who(30, &[1], "a"));
    assert_eq!(incidents_of(&[(reader, reads(5)), (sender, reads(5))]), 1);
    assert_eq!(incidents_of(&[(reader, reads(5)), (sender, reads(6))]), 2);
    assert_eq!(incidents_of(&[(reader, reads(5)), (who(30, &[1], "b"), reads(5))]), 2, "two pods of a deployment");
    let unclassified = file(5, None, Access::Read);
    assert_eq!(incidents_of(&[(reader, unclassified.clone()), (sender, unclassified)]), 2, "libc is no source");
}

#[test]
fn a_file_that_one_workload_wrote_and_another_read_joins_them() {
    let (writer, reader) = (who(20, &[1], "a"), who(30, &[1], "b"));
    for class in [None, Some(Class::Weights)] {
        let (written, read) = (file(5, class, Access::Write), file(5, class, Access::Read));
        assert_eq!(incidents_of(&[(writer, written.clone()), (reader, read.clone())]), 1);
        let third = (who(40, &[1], "c"), read.clone());
        assert_eq!(incidents_of(&[(reader, read), third]), 2, "to have read it joins nothing");
    }
    let Body::Open(mut null) = file(5, None, Access::Write) else { panic!("no open") };
    null.file.mode = 0o020_666;
    let null = Body::Open(null);
    assert_eq!(incidents_of(&[(writer, null.clone()), (reader, null)]), 2, "a device carries nothing");
}

#[test]
fn the_proof_joins_as_the_deciding_event_does() {
    let mut incidents = Incidents::default();
    let (reader, sender) = (who(20, &[1], "a"), who(30, &[1], "a"));
    let proof = [event(1, reader, reads(5)), event(2, sender, sends(9, 1, 100, FlowReason::First))];
    push(&mut incidents, alert("theft", High, &proof));
    plain(&mut incidents, "by_reader", Low, 3, who(21, &[20, 1], "a"));
    plain(&mut incidents, "by_sender", Low, 4, sender);
    assert_eq!((incidents.statistics().open, incidents.statistics().opened), (1, 1));
}

#[test]
fn where_nothing_is_known_the_workload_joins() {
    let mut incidents = Incidents::default();
    for (name, id) in [("one", "a"), ("two", "a"), ("three", "b")] {
        let mut event = Event::clone(&event(1, who(1, &[], id), sends(9, 1, 100, FlowReason::First)));
        (event.process, event.actor.process) = (None, None);
        push(&mut incidents, alert(name, Low, &[Arc::new(event)]));
    }
    assert_eq!(incidents.statistics().open, 2);
}

#[test]
fn a_bridge_makes_one_of_two_and_the_older_id_stays() {
    let mut incidents = Incidents::default();
    let (left, right) = (who(20, &[1], "a"), who(30, &[1], "a"));
    let (first, _) = plain(&mut incidents, "left", Low, 1, left);
    let (second, _) = plain(&mut incidents, "right", Medium, 2, right);
    let (older, younger) = (first.unwrap().incident.unwrap(), second.unwrap().incident.unwrap());
    assert_ne!(older.uid, younger.uid);
    assert_eq!((older.level, younger.level), (Low, Medium));

    let proof = [event(1, left, reads(5)), event(3, right, sends(9, 1, 100, FlowReason::First))];
    let (bridge, record) = push(&mut incidents, alert("bridge", Low, &proof));
    let record = record.expect("three rules agree");
    assert_eq!((record.uid, record.level, record.merged.items()), (older.uid, High, &[younger.uid][..]));
    assert_eq!((record.alerts, record.rules.items().len(), record.revision), (3, 3, 0));
    assert_eq!(bridge.unwrap().incident, Some(Membership { uid: older.uid, level: High }));
    assert!(
        record.sentence().contains(", one with 1 earlier incident, added last: Title of bridge"),
        "{}",
        record.sentence()
    );

    // What belonged to either belongs to the one that stays.
    for (name, who) in [("a", left), ("b", right)] {
        let (alert, _) = plain(&mut incidents, name, Low, 4, who);
        assert_eq!(alert.unwrap().incident.unwrap().uid, older.uid);
    }
    let statistics = incidents.statistics();
    assert_eq!((statistics.open, statistics.opened, statistics.merged), (1, 2, 1));
}

#[test]
fn what_is_for_the_record_joins_nothing_and_raises_nothing() {
    let mut incidents = Incidents::default();
    let (left, right) = (who(20, &[1], "a"), who(30, &[1], "a"));
    let (alone, record) = plain(&mut incidents, "note", Informational, 1, left);
    assert_eq!((alone.unwrap().incident, record.is_some(), incidents.statistics().opened), (None, false, 0));
    let low = plain(&mut incidents, "left", Low, 2, left).0.unwrap();
    plain(&mut incidents, "right", Low, 2, right);
    let proof = [event(3, left, reads(5)), event(3, right, exits())];
    let (note, record) = push(&mut incidents, alert("note", Informational, &proof));
    assert_eq!((note.unwrap().incident, record.is_some()), (low.incident, false));
    assert_eq!(incidents.statistics().open, 2);
}

#[test]
fn an_incident_is_over_when_it_was_quiet_for_a_day() {
    let mut incidents = Incidents::default();
    let lineage = who(20, &[1], "a");
    let uid = |told: (Option<Alert>, Option<Incident>)| told.0.unwrap().incident.unwrap().uid;
    let first = uid(plain(&mut incidents, "one", Low, HOUR, lineage));
    let second = uid(plain(&mut incidents, "two", Low, 24 * HOUR, lineage));
    assert_eq!(first, second);
    let third = uid(plain(&mut incidents, "three", Low, 48 * HOUR, lineage));
    assert_ne!(third, first, "a day after the second");
    let statistics = incidents.statistics();
    assert_eq!((statistics.open, statistics.opened, statistics.closed), (1, 2, 1));
}

#[test]
fn ids_follow_from_the_alerts_alone() {
    let uid =
        |time| plain(&mut Incidents::default(), "x", Low, time, who(20, &[1], "a")).0.unwrap().incident.unwrap().uid;
    assert_eq!(uid(1), uid(1));
    assert_ne!(uid(1), uid(2));
    let (alert, _) = plain(&mut Incidents::default(), "x", Low, 1, who(20, &[1], "a"));
    let alert = alert.unwrap();
    assert_ne!(alert.incident.unwrap().uid, alert.uid);
    assert_eq!(uid(1).to_string().get(14..15), Some("8"));
}

#[test]
fn what_nothing_can_join_is_told_and_not_kept() {
    let mut incidents = Incidents::default();
    let nobodys = |time| Arc::new(Event::new(BootTime(time), None, Actor::default(), exits()));
    for time in [1, 2] {
        let (told, record) = push(&mut incidents, alert("tampered", High, &[nobodys(time)]));
        assert_eq!((told.unwrap().incident.unwrap().level, record.is_some()), (High, false));
    }
    assert_eq!((incidents.statistics().told, incidents.statistics().opened), (2, 0));
}

/// What a process sends that came to it from `reader`.
fn came(time: u64, sender: Who, reader: u32, by: HeldBy, inode: u64, carriers: &[&str]) -> Arc<Event> {
    let mut event = Event::clone(&event(time, sender, sends(9, time, 10, FlowReason::Closed)));
    let party = |pid: u32| Party { key: key(pid), executable: format!("/bin/p{pid}").into() };
    let id = Some(FileId { device: 8 << 20 | 1, inode });
    event.trail = Some(Box::new(Trail {
        by,
        source: Some(Arc::new(Source {
            number: inode,
            id,
            path: format!("/models/{inode}").into(),
            size: 7,
            reader: party(reader),
        })),
        sender: Some(Arc::new(party(sender.pid))),
        carriers: carriers.iter().map(|carrier| (*carrier).into()).collect(),
        ..Trail::default()
    }));
    Arc::new(event)
}

#[test]
fn the_reader_that_provenance_names_joins_if_it_is_known_to_be_the_one() {
    let (reader, sender) = (who(20, &[1], "a"), who(30, &[1], "b"));
    for (by, expected) in [(HeldBy::Process, 1), (HeldBy::Kernel, 1), (HeldBy::Workload, 2)] {
        let mut incidents = Incidents::default();
        plain(&mut incidents, "reads", Low, 1, reader);
        push(&mut incidents, alert("theft", High, &[came(2, sender, 20, by, 5, &["pipe:[77]", "fork"])]));
        assert_eq!(incidents.statistics().open, expected, "{by:?}");
    }
}

#[test]
fn a_named_carrier_joins_within_its_workload() {
    let open = |second: &'static str, carriers: [&str; 2]| {
        let mut incidents = Incidents::default();
        let one = came(1, who(30, &[1], "a"), 20, HeldBy::Process, 5, &[carriers[0]]);
        let two = came(2, who(31, &[1], second), 21, HeldBy::Process, 6, &[carriers[1]]);
        push(&mut incidents, alert("one", High, &[one]));
        push(&mut incidents, alert("two", High, &[two]));
        incidents.statistics().open
    };
    assert_eq!(open("a", ["file:/tmp/x", "file:/tmp/x"]), 1);
    assert_eq!(open("a", ["file:/tmp/x", "file:/tmp/y"]), 2);
    assert_eq!(open("a", ["fork", "fork"]), 2, "not the same fork");
    assert_eq!(open("b", ["file:/tmp/x", "file:/tmp/x"]), 2, "every container has a /tmp/x");
}

#[test]
fn what_provenance_tells_is_in_the_record() {
    let mut incidents = Incidents::default();
    let sender = who(30, &[1], "a");
    plain(&mut incidents, "odd", Low, 1, sender);
    let theft = came(2, sender, 20, HeldBy::Process, 5, &["file:/tmp/x", "pipe:[77]"]);
    let (_, record) = push(&mut incidents, alert("theft", High, &[theft]));
    let sentence = record.unwrap().sentence();
    let deeds =
        "/bin/p20 opened /models/5 (7 bytes), it travelled by file:/tmp/x and pipe:[77] and /bin/p30 sent 10 bytes to";
    assert!(sentence.contains(deeds), "{sentence}");
}
