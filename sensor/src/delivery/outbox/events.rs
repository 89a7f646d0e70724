//! Exported events, on their way to the collector: in memory, within bounds, and apart from all that is told.

use crate::delivery::otlp::Source;
use crate::delivery::spool::{Entry, Kind};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Most bytes of what waits.
const BYTES_MAX: usize = 8 << 20;
/// What an event costs beside its record, about.
const OVERHEAD: usize = 128;
/// So long the first of a batch waits for others.
const GATHERING: Duration = Duration::from_millis(200);
/// OpenTelemetry's INFO.
const SEVERITY: u8 = 9;

/// See the module.
#[derive(Default)]
pub(super) struct Events {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    flying: BTreeMap<u64, Entry>,
    next: u64,
    bytes: usize,
    closed: bool,
    dropped: u64,
    sent: u64,
}

impl Events {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event in; one for which there is no room is dropped and counted.
    pub(super) fn push(&self, uid: Box<str>, time: u64, record: Box<[u8]>) {
        let mut state = self.state();
        if state.bytes + record.len() + OVERHEAD > BYTES_MAX {
            state.dropped += 1;
            return;
        }
        state.bytes += record.len() + OVERHEAD;
        state.next += 1;
        let id = state.next;
        state.waiting.push_back(Entry { id, kind: Kind::Event, severity: SEVERITY, time, uid, bytes: record });
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Dropped, and taken by the collector.
    pub(super) fn counts(&self) -> (u64, u64) {
        let state = self.state();
        (state.dropped, state.sent)
    }
}

/// As the sender sees it.
pub(super) struct EventSource {
    events: Arc<Events>,
}

impl EventSource {
    pub(super) fn new(events: Arc<Events>) -> EventSource {
        EventSource { events }
    }

    fn done(&self, ids: &[u64], sent: bool) {
        let mut state = self.events.state();
        for id in ids {
            if let Some(entry) = state.flying.remove(id) {
                state.bytes = state.bytes.saturating_sub(entry.bytes.len() + OVERHEAD);
                if sent { state.sent += 1 } else { state.dropped += 1 }
            }
        }
    }
}

impl Source for EventSource {
    async fn take(&mut self, records: usize, bytes: usize) -> Vec<Entry> {
        loop {
            let (waiting, closed) = {
                let state = self.events.state();
                (state.waiting.len(), state.closed)
            };
            match (waiting, closed) {
                (0, true) => return Vec::new(),
                (0, false) => self.events.changed.notified().await,
                // A full batch, or the last one, waits for nobody.
                _ if waiting >= records || closed => break,
                _ => {
                    tokio::time::sleep(GATHERING).await;
                    break;
                }
            }
        }
        let mut state = self.events.state();
        let (mut entries, mut size) = (Vec::new(), 0);
        while let Some(entry) = state.waiting.front() {
            size += entry.bytes.len();
            if entries.len() >= records || (size > bytes && !entries.is_empty()) {
                break;
            }
            let Some(entry) = state.waiting.pop_front() else { break };
            state.flying.insert(entry.id, entry.clone());
            entries.push(entry);
        }
        entries
    }

    async fn acknowledge(&mut self, ids: &[u64]) {
        self.done(ids, true);
    }

    async fn put_back(&mut self, ids: &[u64]) {
        let mut state = self.events.state();
        for id in ids.iter().rev() {
            if let Some(entry) = state.flying.remove(id) {
                state.waiting.push_front(entry);
            }
        }
    }

    async fn set_aside(&mut self, ids: &[u64], _reason: &str) {
        self.done(ids, false);
    }
}
