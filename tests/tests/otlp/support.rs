//! Records, a source of them in memory, and a sender that is run until it is empty.

use sensor::delivery::otlp::sender::{self, Counters};
use sensor::delivery::otlp::{Export as _, Exporter, Outcome, Section, Settings, Source};
use sensor::delivery::spool::{Entry, Kind};
use serde_json::json;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::receiver::Receiver;
use tests::wait::{PATIENCE, scaled};

pub const UID: &str = "07070707-0707-8707-8707-070707070707";
pub const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

pub fn receiver(arguments: &[&str]) -> Receiver {
    Receiver::start(Path::new(env!("CARGO_BIN_EXE_weir-receiver")), arguments).unwrap()
}

/// Settings from variables without their common beginning.
pub fn settings(variables: &[(&str, &str)]) -> Settings {
    let find = |name: &str| {
        let short = name.strip_prefix("OTEL_EXPORTER_OTLP_")?;
        variables.iter().find(|(key, _)| *key == short).map(|(_, value)| (*value).to_owned())
    };
    Settings::new(find, &Section::default(), "weir.yml").unwrap()
}

pub fn alert(id: u64) -> Entry {
    let record = json!({
        "time": "2026-07-01T12:00:00.000001Z", "event_name": "weir.alert", "severity_number": 17, "severity_text": "high",
        "body": format!("Process {id} sent weights."),
        "attributes": {"log.record.uid": format!("alert-{id}/0"), "weir.incident.id": UID, "container.id": "abc", "process.pid": id},
        "evidence": [{"rule": "r", "time": "2026-07-01T12:00:00.000000Z", "attributes": {"file.path": "/models/m"}}],
    });
    entry(id, Kind::Alert, &format!("alert-{id}/0"), &record)
}

pub fn incident(id: u64) -> Entry {
    let process = |process: &str, parent: &str| {
        json!({"weir.process.id": process, "weir.process.parent.id": parent, "time": "2026-07-01T12:00:01.000000Z", "process.executable.path": "/bin/sh",
        "weir.process.deeds": [{"weir.event.kind": "open", "time": "2026-07-01T12:00:01.000000Z", "file.path": "/models/m"}]})
    };
    let record = json!({
        "time": "2026-07-01T12:00:05.000000Z", "event_name": "weir.incident", "severity_number": 21, "severity_text": "critical", "body": "All of it.",
        "attributes": {"log.record.uid": format!("{UID}/0"), "weir.incident.id": UID, "weir.incident.revision": 0, "weir.incident.began": "2026-07-01T12:00:00.000000Z"},
        "incident": {"processes": [process("1-1", ""), process("2-2", "1-1")]},
    });
    entry(id, Kind::Incident, &format!("{UID}/0"), &record)
}

pub fn entry(id: u64, kind: Kind, uid: &str, record: &serde_json::Value) -> Entry {
    Entry { id, kind, severity: 17, time: 0, uid: uid.into(), bytes: record.to_string().into_bytes().into() }
}

#[derive(Default)]
struct State {
    queue: VecDeque<Entry>,
    flying: Vec<Entry>,
    aside: Vec<(u64, String)>,
}

/// A source in memory, which ends when it is empty.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<State>>);

impl Source for Memory {
    async fn take(&mut self, records: usize, _: usize) -> Vec<Entry> {
        let mut state = self.0.lock().unwrap();
        let count = records.min(state.queue.len());
        let taken: Vec<Entry> = state.queue.drain(..count).collect();
        state.flying.extend(taken.iter().cloned());
        taken
    }

    async fn acknowledge(&mut self, ids: &[u64]) {
        self.0.lock().unwrap().flying.retain(|entry| !ids.contains(&entry.id));
    }

    async fn put_back(&mut self, ids: &[u64]) {
        let mut state = self.0.lock().unwrap();
        let flying = std::mem::take(&mut state.flying);
        let (back, rest): (Vec<Entry>, Vec<Entry>) = flying.into_iter().partition(|entry| ids.contains(&entry.id));
        state.flying = rest;
        let queue: VecDeque<Entry> = back.into();
        let rest = std::mem::replace(&mut state.queue, queue);
        state.queue.extend(rest);
    }

    async fn set_aside(&mut self, ids: &[u64], reason: &str) {
        let mut state = self.0.lock().unwrap();
        state.flying.retain(|entry| !ids.contains(&entry.id));
        state.aside.extend(ids.iter().map(|id| (*id, reason.to_owned())));
    }
}

/// Sends all of it; what was set aside, and why. It has to be over within the tests' patience.
pub fn deliver(entries: Vec<Entry>, settings: &Settings) -> Vec<(u64, String)> {
    let memory = Memory::default();
    memory.0.lock().unwrap().queue = entries.into();
    runtime().block_on(async {
        let exporter = Exporter::new(settings).unwrap();
        let counters = Counters::default();
        let sending = sender::run(memory.clone(), exporter, &counters, std::future::pending());
        tokio::time::timeout(scaled(3 * PATIENCE), sending).await.expect("all is delivered or set aside");
    });
    let state = memory.0.lock().unwrap();
    assert!(state.queue.is_empty() && state.flying.is_empty());
    state.aside.clone()
}

/// What comes of one call with these log records.
pub fn call(entries: &[Entry], settings: &Settings) -> Outcome {
    runtime().block_on(async {
        let exporter = Exporter::new(settings).unwrap();
        let call = async { exporter.logs(&entries.iter().collect::<Vec<_>>()).await };
        tokio::time::timeout(scaled(PATIENCE), call).await.expect("a call has a timeout of its own")
    })
}

/// Why a call came to nothing, and will be tried again.
pub fn retry_reason(outcome: Outcome) -> (Option<Duration>, String) {
    match outcome {
        Outcome::Retry { after, reason } => (after, reason),
        other => panic!("{other:?}"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
