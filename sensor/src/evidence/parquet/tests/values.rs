//! Values and types.

use super::super::columns::{fields, kind};
use super::super::rows::ROWS_MAX;
use super::super::table::Kind;
use super::*;
use crate::event::{Actor, Attributes, Body, Exec, Lost, Process, ProcessKey, Tick, Workload};
use crate::evidence::source::ToldKind;
use crate::evidence::store::columns::DERIVED;
use crate::reference::samples;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::json;
use tempfile::TempDir;

/// One of each kind, with every field, a second apart.
fn every_event() -> Vec<Event> {
    let mut events = samples::all();
    for (event, seconds) in events.iter_mut().zip(1..) {
        event.time = BootTime(seconds * SECOND);
    }
    events
}

/// What a row is to have of an event.
fn expected(event: &Event) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(Attributes(event)) else { panic!("{event:?}") };
    fields.retain(|name, _| DERIVED.iter().all(|field| field.name() != name));
    fields.insert("time".into(), CLOCK.unix_nanos(event.time).into());
    fields.insert("host.name".into(), "node-1".into());
    fields
}

fn without_segment(mut row: Map<String, Value>) -> Map<String, Value> {
    assert!(row.remove("weir.segment").is_some_and(|number| number.is_i64()));
    row
}

#[test]
fn every_field_has_the_type_that_its_values_have() {
    let samples = samples::all();
    let mut seen = 0;
    for field in fields() {
        let Some(value) = samples.iter().find_map(|event| field.get(event)) else { continue };
        let own = match value {
            crate::event::Value::Text(_) => Kind::Text,
            crate::event::Value::Number(_) => Kind::Number,
            crate::event::Value::Ratio(_) => Kind::Ratio,
            crate::event::Value::Flag(_) => Kind::Flag,
            crate::event::Value::List(_) => Kind::List,
        };
        assert_eq!(kind(field), own, "{}: say its type in columns.rs", field.name());
        seen += 1;
    }
    assert!(seen > 150, "{seen}");
}

#[test]
fn every_event_is_there_once_with_all_that_it_has() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let events = every_event();
    kept(from.path(), &events, 30);
    let report = exported(from.path(), out.path());
    assert_eq!((report.segments, report.events), (2, events.len() as u64));
    let rows = rows(out.path(), Table::Events);
    assert_eq!(rows.len(), events.len());
    for (row, event) in rows.into_iter().zip(&events) {
        assert_eq!(without_segment(row), expected(event), "{}", event.body.kind_name());
    }
}

/// Where both have a column, they have the same in it.
#[test]
fn a_row_is_what_the_view_of_sqlite_shows() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let events = every_event();
    kept(from.path(), &events, events.len());
    exported(from.path(), out.path());
    let rows = rows(out.path(), Table::Events);
    let connection = Connection::open(from.path().join("segments/0000000001.db")).unwrap();
    let mut statement = connection.prepare("SELECT * FROM event ORDER BY \"weir.time\"").unwrap();
    let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let mut shown = statement.query([]).unwrap();
    let mut compared = 0;
    for row in &rows {
        let view = shown.next().unwrap().unwrap();
        for (place, name) in names.iter().enumerate() {
            let own = row.get(if name == "weir.time" { "time" } else { name });
            match (name.as_str(), view.get_ref(place).unwrap(), own) {
                ("time" | "bytes" | "bytes.name" | "attributes", _, _) => continue,
                (_, ValueRef::Null, own) => assert_eq!(own, None, "{name}"),
                (_, ValueRef::Integer(shown), Some(Value::Bool(own))) => assert_eq!(shown != 0, *own, "{name}"),
                (_, ValueRef::Integer(shown), own) => assert_eq!(own, Some(&json!(shown)), "{name}"),
                (_, ValueRef::Text(shown), Some(Value::String(own))) => assert_eq!(shown, own.as_bytes(), "{name}"),
                // The view has lists as JSON.
                (_, ValueRef::Text(shown), own) => {
                    assert_eq!(own, serde_json::from_slice(shown).ok().as_ref(), "{name}");
                }
                (_, shown, own) => panic!("{name}: {shown:?}, {own:?}"),
            }
            compared += 1;
        }
    }
    assert!(shown.next().unwrap().is_none() && compared > 1_000, "{compared}");
}

#[test]
fn what_was_told_and_what_is_missing_have_their_tables() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut store = store(from.path(), 2);
    let alert = json!({
        "severity_text": "ERROR", "body": "A sentence.", "evidence": [{"rule": "r"}],
        "attributes": {
            "log.record.uid": "a/1", "weir.incident.id": "i", "weir.alert.revision": 1, "security_rule.name": "A rule",
            "weir.atlas.ids": ["AML.T0025"], "weir.exfil.bytes": 5_000_000_000_u64, "k8s.pod.name": "vllm-0", "weir.other": 1,
        },
    });
    let coverage = json!({
        "severity_text": "WARN", "body": "Another.",
        "attributes": {"log.record.uid": "c", "weir.coverage.whole": false, "weir.coverage.dropped": 17},
    });
    let at = |seconds: u64| BootTime(seconds * SECOND);
    store.told(ToldKind::Coverage, at(3), |_| coverage.clone());
    store.told(ToldKind::Alert, at(2), |_| alert.clone());
    let lost = Lost { since: at(1), kind: "open".into(), cause: "ring_full".into(), count: 17 };
    let lost = Event::new(at(4), None, Actor::default(), Body::Lost(lost));
    let tick = Event::new(at(5), None, Actor::default(), Body::Tick(Tick { last: false }));
    keep(&mut store, &[lost, tick]);
    closed(from.path(), 1);
    store.finish();
    assert_eq!(exported(from.path(), out.path()).files, 5, "incidents too, of which there are none");
    let time = |seconds| CLOCK.unix_nanos(at(seconds));
    let expected = json!({
        "time": time(2), "host.name": "node-1", "weir.segment": 1, "log.record.uid": "a/1", "weir.incident.id": "i",
        "severity_text": "ERROR", "body": "A sentence.", "weir.alert.revision": 1, "security_rule.name": "A rule",
        "weir.atlas.ids": ["AML.T0025"], "weir.exfil.bytes": 5_000_000_000_u64, "k8s.pod.name": "vllm-0", "record": alert.to_string(),
    });
    assert_eq!(json!(rows(out.path(), Table::Alerts)), json!([expected]));
    let expected = json!({
        "time": time(3), "host.name": "node-1", "weir.segment": 1, "log.record.uid": "c", "severity_text": "WARN",
        "body": "Another.", "weir.coverage.whole": false, "weir.coverage.dropped": 17, "record": coverage.to_string(),
    });
    assert_eq!(json!(rows(out.path(), Table::Coverage)), json!([expected]));
    let expected = json!({
        "from": time(1), "to": time(4), "host.name": "node-1", "weir.segment": 1, "place": "kernel",
        "cause": "ring_full", "weir.event.kind": "open", "count": 17,
    });
    assert_eq!(json!(rows(out.path(), Table::Gaps)), json!([expected]));
    assert_eq!(rows(out.path(), Table::Incidents), []);
}

/// A store that somebody made, or a later Weir: what fits in no column is in `attributes`, and takes no other's place.
#[test]
fn what_fits_in_no_column_is_in_attributes() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let tick =
        |seconds: u64| Event::new(BootTime(seconds * SECOND), None, Actor::default(), Body::Tick(Tick { last: false }));
    let mut store = store(from.path(), 100);
    keep(&mut store, &[tick(1), tick(2)]);
    store.finish();
    let connection = Connection::open(from.path().join("segments/0000000001.db")).unwrap();
    let given = json!({
        "weir.segment": 99, "host.name": "other", "time": 1, "attributes": "x", "weir.flow.bytes": u64::MAX, "weir.from.later": [1, {"a": 2}],
        "weir.file.class": ["weights", 3], "weir.flow.packets": "many", "file.path": "/x", "file.name": "left out",
    });
    let shape = "INSERT INTO shapes(id, batch, constants, fields) VALUES (77, 1, ?1, '[]')";
    connection.execute(shape, [given.to_string()]).unwrap();
    connection.execute("UPDATE events SET shape = 77 WHERE time = (SELECT min(time) FROM events)", []).unwrap();
    export(from.path(), out.path(), Options { host: Some("node-1"), open: true }).unwrap();
    let rows = rows(out.path(), Table::Events);
    assert_eq!(rows.len(), 2);
    let row = |name: &str| rows[0].get(name).cloned().unwrap_or_default();
    let time = CLOCK.unix_nanos(BootTime(SECOND));
    assert_eq!(
        [row("host.name"), row("weir.segment"), row("time"), row("file.path")],
        [json!("node-1"), json!(1), json!(time), json!("/x")]
    );
    let left: Value = serde_json::from_str(row("attributes").as_str().unwrap()).unwrap();
    let mut expected = given;
    for name in ["file.path", "file.name"] {
        expected.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(left, expected);
    assert_eq!(rows[1].get("attributes"), None);
}

#[test]
fn more_rows_than_a_group_has_are_several_groups() {
    let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let count = ROWS_MAX as u64 + 1_000;
    let tick = |number: u64| {
        let actor = Actor { comm: format!("t{}", number % 7).as_str().into(), ..Actor::default() };
        Event::new(BootTime(number * 1_000), None, actor, Body::Tick(Tick { last: false }))
    };
    let mut store = store(from.path(), count);
    let events: Vec<Event> = (1..=count).map(tick).collect();
    events.chunks(4_000).for_each(|part| keep(&mut store, part));
    closed(from.path(), 1);
    store.finish();
    assert_eq!(exported(from.path(), out.path()).events, count);
    let (_, path) = files(out.path()).into_iter().find(|(name, _)| name.starts_with("events/")).unwrap();
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 2);
    let rows = rows(out.path(), Table::Events);
    let read =
        rows.iter().map(|row| (row["time"].as_u64().unwrap(), row["process.title"].as_str().unwrap().to_owned()));
    let put = (1..=count).map(|number| (CLOCK.unix_nanos(BootTime(number * 1_000)), format!("t{}", number % 7)));
    assert!(read.eq(put));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_comes_back(
        texts in proptest::collection::vec((any::<String>(), proptest::collection::vec(any::<String>(), 0..4), any::<String>()), 1..40),
    ) {
        let (from, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let event = |(seconds, (path, args, id)): (u64, &(String, Vec<String>, String))| {
            let key = ProcessKey { pid: 7, start_ticks: 5 };
            let actor = Actor { process: Some(key), tid: 7, ..Actor::default() };
            let args = args.iter().map(|arg| arg.as_str().into()).collect();
            let mut event = Event::new(BootTime(seconds * SECOND), None, actor, Body::Exec(exec(path)));
            event.process = Some(Arc::new(Process { key, executable: path.as_str().into(), args, ..Process::default() }));
            event.workload = Some(Arc::new(Workload { id: id.as_str().into(), ..Workload::default() }));
            event
        };
        let events: Vec<Event> = (1..).zip(&texts).map(event).collect();
        kept(from.path(), &events, events.len());
        exported(from.path(), out.path());
        let rows = rows(out.path(), Table::Events);
        prop_assert_eq!(rows.len(), events.len());
        for (row, event) in rows.into_iter().zip(&events) {
            prop_assert_eq!(without_segment(row), expected(event));
        }
    }
}

fn exec(path: &str) -> Exec {
    let Some(Body::Exec(mut exec)) =
        samples::all().into_iter().map(|event| event.body).find(|body| matches!(body, Body::Exec(_)))
    else {
        panic!("there is a sample of an exec");
    };
    exec.file.path = path.into();
    exec
}
