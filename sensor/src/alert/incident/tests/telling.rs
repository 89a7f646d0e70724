//! What a person is told, and what not.

use super::*;
use Level::{Critical, High, Informational, Low, Medium};

const LINEAGE: Who = who(20, &[1, 2_000], "3f4e5a6b7c8d9e0f");
const CHILDREN: [Who; 3] = [
    who(21, &[20, 1, 2_000], "3f4e5a6b7c8d9e0f"),
    who(22, &[20, 1, 2_000], "3f4e5a6b7c8d9e0f"),
    who(23, &[20, 1, 2_000], "3f4e5a6b7c8d9e0f"),
];

#[test]
fn several_low_signals_of_one_lineage_make_a_high_and_then_a_critical_one() {
    let mut incidents = Incidents::default();
    let mut levels = Vec::new();
    for (number, name) in (1..).zip(["a", "b", "c", "d", "e", "f"]) {
        let (alert, record) = plain(&mut incidents, name, Low, number * SECOND, LINEAGE);
        let membership = alert.expect("each rule is told").incident.expect("of an incident");
        levels.push((membership.level.name(), record.map(|record| (record.level.name(), record.revision))));
    }
    let said = |level, revision| Some((level, revision));
    assert_eq!(
        levels,
        [
            ("low", None),
            ("low", None),
            ("high", said("high", 0)),
            ("high", None),
            ("critical", said("critical", 1)),
            ("critical", None),
        ]
    );
}

#[test]
fn one_rule_is_one_line_and_a_second_one_a_record() {
    for level in [Low, Medium, High, Critical] {
        let mut incidents = Incidents::default();
        let (alert, record) = plain(&mut incidents, "one", level, 1, LINEAGE);
        assert_eq!((alert.unwrap().incident.unwrap().level, record.is_some()), (level, false));
        let (_, record) = plain(&mut incidents, "two", Low, 2, LINEAGE);
        let together = if level == Medium { High } else { level };
        assert_eq!(
            record.map(|record| record.level),
            (level != Low).then_some(together),
            "two low ones wait for a third"
        );
        let (alert, record) = plain(&mut incidents, "two", Low, 3, CHILDREN[0]);
        assert!(alert.is_none() && record.is_none(), "nothing is new");
    }
}

#[test]
fn what_adds_up() {
    let of = |levels: &[Level]| {
        let mut incidents = Incidents::default();
        for (time, level) in (1..).zip(levels) {
            plain(&mut incidents, &format!("rule_{time}"), *level, time, LINEAGE);
        }
        incidents.open().next().map_or(Informational, |incident| incident.level)
    };
    for level in [Informational, Low, Medium, High, Critical] {
        assert_eq!(of(&[level]), level, "one says what it says");
        assert_eq!(of(&[level, Informational, Informational]), level);
    }
    for (levels, level) in [
        (&[Low, Low][..], Low),
        (&[Low; 3], High),
        (&[Low; 4], High),
        (&[Low; 5], Critical),
        (&[Medium, Low], High),
        (&[Medium, Medium], High),
        (&[Medium, Medium, Low], Critical),
        (&[High, Low], High),
        (&[High, Low, Low], Critical),
        (&[High, Medium], Critical),
        (&[High, High], Critical),
        (&[Low, Critical], Critical),
    ] {
        assert_eq!(of(levels), level, "{levels:?}");
    }
}

#[test]
fn two_rules_of_one_event_are_one_signal_until_one_of_them_holds_again() {
    let mut incidents = Incidents::default();
    let one = event(1, LINEAGE, exits());
    push(&mut incidents, alert("medium", Medium, &[Arc::clone(&one)]));
    let (alert, record) = push(&mut incidents, alert("low", Low, &[one]));
    assert_eq!((alert.unwrap().incident.unwrap().level, record.is_some()), (Medium, false));
    let (alert, record) = plain(&mut incidents, "low", Low, 2, CHILDREN[0]);
    let record = record.expect("two events");
    assert_eq!((record.level, record.rules.items().len(), alert.is_some()), (High, 2, true));
}

#[test]
fn forty_findings_are_one_alert_and_one_record() {
    let mut incidents = Incidents::default();
    let mut told = (0, Vec::new());
    for number in 0..40 {
        let who = CHILDREN[number as usize % 3];
        let name = if number % 2 == 0 { "reads" } else { "runs" };
        let (alert, record) = push(&mut incidents, alert(name, Medium, &[event(number * SECOND, who, reads(5))]));
        told.0 += usize::from(alert.is_some());
        told.1.extend(record);
    }
    assert_eq!((told.0, told.1.len()), (2, 1), "an alert a rule, and one record");
    let statistics = incidents.statistics();
    assert_eq!((statistics.told, statistics.suppressed, statistics.records), (2, 38, 1));
    let incident = incidents.open().next().unwrap();
    assert_eq!((incident.alerts, incident.suppressed), (40, 38));
}

#[test]
fn what_is_new_is_told_again() {
    let mut incidents = Incidents::default();
    let mut told = |time, who, body| {
        let (alert, record) = push(&mut incidents, alert("rule", High, &[event(time, who, body)]));
        assert!(record.is_none(), "a single rule, told by its alert");
        alert.is_some()
    };
    assert!(told(1, LINEAGE, reads(5)));
    assert!(!told(2, CHILDREN[0], reads(5)));
    assert!(told(3, CHILDREN[0], reads(6)), "another source");
    assert!(told(4, CHILDREN[1], sends(9, 1, 100, FlowReason::First)), "a destination");
    assert!(!told(5, CHILDREN[2], sends(9, 2, 99, FlowReason::First)));
    assert!(told(6, CHILDREN[2], sends(8, 2, 100, FlowReason::First)), "another destination");
    assert!(!told(23 * HOUR, CHILDREN[1], reads(5)));
    assert!(told(25 * HOUR, CHILDREN[1], reads(5)), "it goes on since yesterday");
    assert!(!told(26 * HOUR, CHILDREN[1], reads(6)));
}

#[test]
fn a_flood_of_sources_is_not_a_flood_of_alerts() {
    let mut incidents = Incidents::default();
    plain(&mut incidents, "other", Low, 1, LINEAGE);
    let (mut alerts, mut records) = (0, 0);
    for inode in 0..10_000 {
        let (alert, record) = push(&mut incidents, alert("rule", Medium, &[event(2, CHILDREN[0], reads(inode))]));
        alerts += usize::from(alert.is_some());
        records += usize::from(record.is_some());
    }
    assert!((16..=17).contains(&alerts), "as many as the incident lists: {alerts}");
    assert!((8..=12).contains(&records), "then one each time that it doubled: {records}");
    let incident = incidents.open().next().unwrap();
    assert_eq!((incident.sources.items().len(), incident.sources.total()), (16, 10_000));
    assert!(incident.sentence().contains(" and at least 15 other files; "), "{}", incident.sentence());
}

#[test]
fn revisions_are_told_as_their_alert_was_and_bytes_that_doubled_otherwise() {
    let mut incidents = Incidents::default();
    let flow = |socket, bytes| event(socket * SECOND, CHILDREN[0], sends(9, socket, bytes, FlowReason::Grown));
    let first = alert("theft", High, &[flow(1, 1_000)]);
    assert!(push(&mut incidents, first.clone()).0.is_some());
    let grown = Alert { revision: 1, decisive: flow(1, 4_000), evidence: Vec::new(), ..first };
    let (told, record) = push(&mut incidents, grown);
    assert!(told.is_some() && record.is_none(), "the alert tells it");

    let other = alert("theft", High, &[flow(2, 100)]);
    let (told, record) = push(&mut incidents, other.clone());
    assert!(told.is_none() && record.is_none());
    let mut revised = |revision, bytes| {
        let alert = Alert { revision, decisive: flow(2, bytes), evidence: Vec::new(), ..other.clone() };
        let (told, record) = push(&mut incidents, alert);
        assert!(told.is_none(), "an update of what was never told");
        record.map(|record| record.bytes())
    };
    assert_eq!(revised(1, 400), None);
    assert_eq!(revised(2, 4_000), Some(8_000), "twice what was said last");
    assert_eq!(revised(3, 8_000), None);
}

#[test]
fn the_record_tells_who_did_what_and_what_was_added() {
    let mut incidents = Incidents::default();
    let (reader, sender) = (CHILDREN[0], CHILDREN[1]);
    plain(&mut incidents, "odd", Low, SECOND, LINEAGE);
    let proof = [
        event(2 * SECOND, reader, reads(4)),
        event(3 * SECOND, reader, reads(5)),
        event(4 * SECOND, sender, sends(9, 1, 4_100, FlowReason::Closed)),
    ];
    let (told, record) = push(&mut incidents, alert("theft", High, &proof));
    let (told, record) = (told.unwrap(), record.unwrap());
    assert_eq!(
        record.sentence(),
        "In container 3f4e5a6b7c8d: /bin/p21 opened /models/5 (5.0 kB) and 1 other file and /bin/p22 sent 4.1 kB to \
         203.0.113.9:443; 2 findings of 2 rules, added last: Title of theft"
    );
    let clock = crate::event::WallClock::new(0, BootTime(0));
    let json = serde_json::to_value(record.record(clock)).unwrap();
    assert_eq!((&json["event_name"], &json["severity_text"]), (&"weir.incident".into(), &"high".into()));
    assert_eq!((&json["time"], &json["severity_number"]), (&"1970-01-01T00:00:04.000000Z".into(), &17.into()));
    let attribute = |name: &str| json["attributes"][name].clone();
    assert_eq!(attribute("weir.incident.id"), told.to_json(clock)["attributes"]["weir.incident.id"]);
    assert_eq!(told.to_json(clock)["attributes"]["weir.incident.level"], "high");
    assert_eq!(attribute("weir.incident.began"), "1970-01-01T00:00:01.000000Z");
    assert_eq!((attribute("weir.incident.bytes"), attribute("weir.incident.alerts")), (4_100.into(), 2.into()));
    assert_eq!(attribute("weir.incident.rules"), serde_json::json!(["odd", "theft"]));
    assert_eq!(attribute("weir.incident.processes"), serde_json::json!(["20-200", "21-210", "22-220"]));
    assert_eq!(attribute("weir.incident.sources"), serde_json::json!(["/models/4", "/models/5"]));
    assert_eq!(attribute("weir.incident.destinations"), serde_json::json!(["203.0.113.9:443"]));
    assert!(json["attributes"].as_object().unwrap().values().all(|value| !value.is_object()), "attributes are flat");
    let roles = |at: usize| json["incident"]["processes"][at]["weir.process.roles"].clone();
    assert_eq!(
        (roles(0), roles(1), roles(2)),
        (serde_json::json!([]), serde_json::json!(["reader"]), serde_json::json!(["sender"]))
    );
    assert_eq!(json["incident"]["sources"][1]["file.inode"], "5");
    assert_eq!(json["incident"]["sources"][1]["weir.file.device"], "8:1");
    assert_eq!(json["incident"]["left_out"], serde_json::json!({}));
}

#[test]
fn a_record_tells_of_each_process_where_it_is_from_when_it_was_and_what_it_did() {
    let mut incidents = Incidents::default();
    plain(&mut incidents, "odd", Low, 30 * SECOND, LINEAGE);
    let sent = [
        event(32 * SECOND, CHILDREN[0], reads(5)),
        event(34 * SECOND, CHILDREN[1], sends(9, 1, 100, FlowReason::Closed)),
    ];
    let (_, record) = push(&mut incidents, alert("theft", High, &sent));
    let clock = crate::event::WallClock::new(0, BootTime(0));
    let json = serde_json::to_value(record.unwrap().record(clock)).unwrap();
    let processes = &json["incident"]["processes"];
    let [parent, reader, sender] = [&processes[0], &processes[1], &processes[2]];
    assert!(parent.get("weir.process.parent.id").is_none(), "its parents are not in the incident");
    assert_eq!(
        (&reader["weir.process.parent.id"], &sender["weir.process.parent.id"]),
        (&"20-200".into(), &"20-200".into())
    );
    // Ended by its own exit, 200 ticks of 10 ms after the boot.
    assert_eq!(
        (&parent["process.creation.time"], &parent["process.exit.time"]),
        (&"1970-01-01T00:00:02.000000Z".into(), &"1970-01-01T00:00:30.000000Z".into())
    );
    assert!(reader.get("process.exit.time").is_none());
    let read = serde_json::json!([{"time": "1970-01-01T00:00:32.000000Z", "weir.event.kind": "open", "file.path": "/models/5"}]);
    assert_eq!(reader["weir.process.deeds"], read);
    let sent = serde_json::json!([{"time": "1970-01-01T00:00:34.000000Z", "weir.event.kind": "flow", "weir.destination.id": "203.0.113.9"}]);
    assert_eq!(sender["weir.process.deeds"], sent);
    // What it did a thousand times is told once, and of a thousand things the first four.
    for number in 0..1_000 {
        let again = alert("theft", High, &[event((40 + number) * SECOND, CHILDREN[0], reads(5 + number % 10))]);
        push(&mut incidents, again);
    }
    let open = incidents.open().next().unwrap();
    let reader = &open.processes.items()[1];
    assert_eq!((reader.deeds.items().len(), reader.last), (4, BootTime(1_039 * SECOND)));
}

#[test]
fn what_attackers_write_is_harmless_in_a_record() {
    let mut incidents = Incidents::default();
    let Body::Open(mut open) = reads(5) else { panic!("no open") };
    open.file.path = format!("/models/\u{1b}]0;x\u{7}{}\u{202e}", "模".repeat(4_000)).into();
    plain(&mut incidents, "odd", Low, 1, LINEAGE);
    let (_, record) = push(&mut incidents, alert("reads", Medium, &[event(2, LINEAGE, Body::Open(open))]));
    let sentence = record.unwrap().sentence();
    assert!(sentence.chars().all(|c| !c.is_control()) && !sentence.contains('\u{202e}'), "{sentence}");
    assert!(
        sentence.chars().count() < 700 && sentence.contains("\\u{1b}]0;x") && sentence.contains('\u{2026}'),
        "{sentence}"
    );
}

#[test]
fn bytes_are_counted_once_however_often_proof_tells_of_them() {
    let mut incidents = Incidents::default();
    let flow = |time, socket, bytes, reason| event(time, LINEAGE, sends(9, socket, bytes, reason));
    let told = |incidents: &Incidents| incidents.open().next().map_or(0, Incident::bytes);
    let first = flow(1, 1, 700, FlowReason::First);
    let closed = flow(3, 1, 1_000, FlowReason::Closed);
    push(&mut incidents, alert("theft", High, &[Arc::clone(&first), Arc::clone(&closed)]));
    push(&mut incidents, alert("theft", High, &[Arc::clone(&first), flow(4, 2, 50, FlowReason::First)]));
    assert_eq!(told(&incidents), 1_050);
    // Many more than are kept, then the first again.
    for socket in 3..100 {
        push(&mut incidents, alert("theft", High, &[flow(4 + socket, socket, 10, FlowReason::Closed)]));
    }
    push(&mut incidents, alert("theft", High, &[first, closed, flow(200, 2, 60, FlowReason::Closed)]));
    assert_eq!(told(&incidents), 1_060 + 97 * 10);
    assert!(incidents.open().all(|incident| incident.sentence().contains("sent 2.0 kB")));
}

#[test]
fn more_open_flows_than_are_kept_make_it_a_least() {
    let mut incidents = Incidents::default();
    for socket in 0..17 {
        let flow = event(socket, LINEAGE, sends(9, socket, 10, FlowReason::First));
        push(&mut incidents, alert("theft", High, &[flow]));
    }
    let sentence = incidents.open().next().map(Incident::sentence).unwrap_or_default();
    assert!(sentence.contains("sent at least 160 bytes to 203.0.113.9:443"), "{sentence}");
}

#[test]
fn who_opened_and_sent_is_named_once() {
    let mut incidents = Incidents::default();
    let proof = |sender| [event(1, LINEAGE, reads(4)), event(2, sender, sends(9, 1, 10, FlowReason::Closed))];
    push(&mut incidents, alert("theft", High, &proof(LINEAGE)));
    let sentence = |incidents: &Incidents| incidents.open().next().map(Incident::sentence).unwrap_or_default();
    let alone = sentence(&incidents);
    assert!(alone.contains(": /bin/p20 opened /models/4 (4.0 kB) and sent 10 bytes to 203.0.113.9:443; "), "{alone}");
    push(&mut incidents, alert("theft", High, &proof(CHILDREN[0])));
    let helped = sentence(&incidents);
    assert!(helped.contains(" and /bin/p20 and 1 other process sent 10 bytes to"), "{helped}");
}

#[test]
fn what_is_bad_by_itself_is_told_in_each_workload_that_it_reaches() {
    let mut state = state::State::new(Incident::new(Uid([0; 16]), BootTime(0)));
    let mut told = |number: u64, level, workload| {
        let who = who(200 + number as u32, &[1], workload);
        state.take_in(&alert("sends", level, &[event(number, who, reads(5))])).alert
    };
    assert!(told(1, High, "a"));
    assert!(told(2, High, "b"), "the same file, read by another container");
    assert!(!told(3, High, "b"), "again");
    assert!(!told(4, High, "a"), "again");
    let many = |number: u64| -> &'static str { format!("c{number}").leak() };
    let more = (5..45).filter(|number| told(*number, High, many(*number))).count();
    assert_eq!(more, 14, "as many as are remembered");
}
