//! The store on real files.

mod encoding;
mod full;
mod keeping;
mod killed;
mod raw;
mod writing;

use super::handle::{Batch, Settings};
use super::{Limits, Reader, Store};
use crate::detection::Category;
use crate::detection::example::build;
use crate::event::{Actor, Body, BootTime, Event, Process, ProcessKey, Tick, WallClock, Workload, WorkloadKind};
use crate::evidence::recording::{self, Header, Record};
use crate::evidence::source::{Filter, Row, Source as _};
use std::path::Path;
use std::sync::Arc;

const CLOCK: WallClock = WallClock { boot_unix_nanos: 1_795_264_467_265_325_375 };
const SECOND: u64 = 1_000_000_000;

fn header() -> Header {
    Header {
        format: recording::VERSION,
        sensor: "0.1.0".into(),
        clock: CLOCK,
        rules: "ab".into(),
        policy: None,
        classes: "cd".into(),
        limits: recording::Limits { processes: 100, workloads: 50 },
    }
}

fn limits() -> Limits {
    Limits::new(64 << 20)
}

fn open(path: &Path, limits: Limits) -> Store {
    Store::open(Settings { directory: path.to_owned(), limits }, header()).unwrap()
}

/// A tick of this container's process, at this time since boot.
fn tick(nanos: u64, container: &str, pid: u32) -> Event {
    let key = ProcessKey { pid, start_ticks: 5 };
    let actor = Actor { process: Some(key), tid: pid, comm: "python3".into(), ..Actor::default() };
    let process = Process { key, root: key, executable: "/usr/bin/python3".into(), ..Process::default() };
    let workload = Workload { kind: WorkloadKind::Container, id: container.into(), ..Workload::default() };
    let mut event = Event::new(BootTime(nanos), None, actor, Body::Tick(Tick { last: false }));
    (event.process, event.workload) = (Some(Arc::new(process)), Some(Arc::new(workload)));
    event
}

fn put(store: &mut Store, event: Event) {
    store.before_line(&event);
    store.behind_line(&Arc::new(event));
}

fn everything(reader: &mut Reader) -> Vec<Row> {
    let filter = Filter { to: u64::MAX, limit: 1_000_000, ..Filter::default() };
    let rows = reader.rows(&filter).unwrap();
    assert!(!rows.cut);
    rows.rows
}

/// Events of every kind: as old recordings have them, and with every field that rules can ask for.
fn every_event() -> Vec<Event> {
    let old = include_str!("../../recording/samples/version-1.jsonl");
    let mut events: Vec<Event> = old
        .lines()
        .filter_map(|line| match recording::parse(line.as_bytes()).unwrap() {
            Record::Event(event) => Some(*event),
            _ => None,
        })
        .collect();
    events.extend(Category::ALL.into_iter().map(build::full));
    for (event, nanos) in events.iter_mut().zip(1..) {
        event.time = BootTime(nanos * SECOND);
    }
    events
}

fn batch(events: Vec<Event>) -> Batch {
    let mut batch = Batch { clock: Some(CLOCK), ..Batch::default() };
    for event in events {
        recording::append(&mut batch.lines, &event);
        batch.now = CLOCK.unix_nanos(event.time);
        batch.events.push((batch.now, Arc::new(event)));
    }
    batch
}
