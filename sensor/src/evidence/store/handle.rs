//! What the agent has of the store: batches are made here, on the line's own task, and handed over.

use super::content::{ToldRow, integer};
use super::counts::{Counts, Totals, add};
use super::directory::Directory;
use super::section::Limits;
use super::writer::Writer;
use crate::event::{BootTime, Event, WallClock};
use crate::evidence::recording::{self, Gap, Header, Record};
use crate::evidence::source::ToldKind;
use serde_json::{Map, Value};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Events, or bytes of lines, from which on a batch is handed over; one that began in the same second is handed over sooner.
const BATCH: usize = 4_096;
const BATCH_BYTES: usize = 4 << 20;
/// Batches that may wait: some megabytes each at worst.
const WAITING: usize = 4;
/// A batch is written at least so often, so that a quiet time is known from one in which nothing ran.
const QUIET: Duration = Duration::from_secs(60);
/// How long the end waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where, and how much.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The store's directory; made if it is not there.
    pub directory: PathBuf,
    /// What it may take.
    pub limits: Limits,
}

/// On the way to a segment.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events as the line left them, with their times, nanoseconds since 1970.
    pub events: Vec<(u64, Arc<Event>)>,
    /// What went into the line: lines of a recording.
    pub lines: Vec<u8>,
    /// What was told.
    pub told: Vec<ToldRow>,
    /// What is missing before it.
    pub missing: Missing,
    /// How the clocks stood when it began.
    pub clock: Option<WallClock>,
    /// When it was handed over, nanoseconds since 1970.
    pub now: u64,
    /// Nothing is missing between what was kept last and this run.
    pub goes_on: bool,
}

/// Events that are in no segment.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// As a recording says it; counts what went into the line.
    pub raw: Gap,
    /// How many came out of the line, from when, until when (nanoseconds since 1970).
    pub events: u64,
    pub from: u64,
    pub to: u64,
    pub cause: Box<str>,
}

/// From so many bytes on nothing is added to why something is missing.
const CAUSES_MAX: usize = 512;

impl Missing {
    /// This and what is missing after it.
    pub fn and(self, later: Missing) -> Missing {
        if self.to == 0 {
            return later;
        }
        let events = self.events.saturating_add(later.events);
        // Each cause once; there are few, and of a disk that says ever new ones the first will do.
        let new = !self.cause.contains(&*later.cause) && self.cause.len() < CAUSES_MAX;
        let cause = if new { format!("{}; {}", self.cause, later.cause).into() } else { self.cause };
        Missing { raw: self.raw.and(later.raw), events, from: self.from, to: self.to.max(later.to), cause }
    }
}

impl Batch {
    /// All of it, as missing.
    pub fn missed(self, cause: &str) -> Missing {
        let boot = |event: Option<&(u64, Arc<Event>)>| event.map_or(BootTime(0), |(_, event)| event.time);
        let events = self.events.len() as u64;
        let raw = Gap {
            since: boot(self.events.first()),
            until: boot(self.events.last()),
            // Not quite: what the line derived is among them.
            events,
            reason: cause.into(),
        };
        let from = self.events.first().map_or(self.now, |(time, _)| *time);
        let to = self.events.last().map_or(self.now, |(time, _)| *time).max(from);
        self.missing.and(Missing { raw, events, from, to, cause: cause.into() })
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Store {
    batch: Batch,
    clock: WallClock,
    batches: Option<SyncSender<Batch>>,
    ended: Receiver<()>,
    totals: Arc<Totals>,
    handed_over: Instant,
    said: bool,
}

impl Store {
    /// Begins to keep what it is given. A directory that cannot be used is said by the log, and tried again.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn open(settings: Settings, header: Header) -> io::Result<Store> {
        let (batches, waiting) = sync_channel::<Batch>(WAITING);
        let (end, ended) = channel();
        let totals = Arc::new(Totals::default());
        let clock = header.clock;
        let directory = Directory::at(&settings.directory);
        let mut writer = Writer::new(directory, settings.limits, header, Arc::clone(&totals));
        thread::Builder::new().name("weir-evidence".to_owned()).spawn(move || {
            for batch in waiting {
                writer.take(batch);
            }
            writer.end();
            // Nobody listens who did not wait for it.
            let _ = end.send(());
        })?;
        let (batches, handed_over) = (Some(batches), Instant::now());
        let batch = Batch { clock: Some(clock), ..Batch::default() };
        Ok(Store { batch, clock, batches, ended, totals, handed_over, said: false })
    }

    /// Nothing is missing between what was kept last and what comes: no gap is marked there. To be called before anything comes.
    pub fn goes_on(&mut self) {
        self.batch.goes_on = true;
    }

    /// An event that is about to go into the line.
    pub fn before_line(&mut self, event: &Event) {
        recording::append(&mut self.batch.lines, event);
    }

    /// An event that has come out of the line.
    pub fn behind_line(&mut self, event: &Arc<Event>) {
        let time = self.clock.unix_nanos(event.time);
        self.batch.events.push((time, Arc::clone(event)));
        self.batch.now = time;
        if self.batch.events.len() >= BATCH || self.batch.lines.len() >= BATCH_BYTES {
            self.hand_over();
        }
    }

    /// Something was told that happened at this time; `record` makes it, with the clock that events have.
    pub fn told(&mut self, kind: ToldKind, time: BootTime, record: impl FnOnce(WallClock) -> Value) {
        let record = record(self.clock);
        let attributes = record.get("attributes").and_then(Value::as_object);
        let text = |name: &str| attributes.and_then(|all: &Map<String, Value>| all.get(name)?.as_str());
        let revision = ["weir.alert.revision", "weir.incident.revision"];
        let revision = revision.iter().find_map(|name| attributes?.get(*name)?.as_i64()).unwrap_or(0);
        let kind = match kind {
            ToldKind::Alert => "alert",
            ToldKind::Incident => "incident",
            ToldKind::Coverage => "coverage",
        };
        self.batch.told.push(ToldRow {
            uid: text("log.record.uid").unwrap_or_default().to_owned(),
            revision,
            time: integer(self.clock.unix_nanos(time)),
            kind: kind.to_owned(),
            incident: text("weir.incident.id").map(ToOwned::to_owned),
            record: record.to_string(),
        });
    }

    /// Wall time is told by `clock` from now on.
    pub fn clock(&mut self, clock: WallClock) {
        if std::mem::replace(&mut self.clock, clock) != clock {
            recording::append_clock(&mut self.batch.lines, clock);
        }
    }

    /// Hands over what there is. To be called once a second, so that no more than that is lost with the agent.
    pub fn flush(&mut self, now: BootTime) {
        self.batch.now = self.clock.unix_nanos(now);
        let is_empty = self.batch.events.is_empty() && self.batch.told.is_empty() && self.batch.missing.to == 0;
        if !is_empty || self.handed_over.elapsed() >= QUIET {
            self.hand_over();
        }
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        self.totals.counts()
    }

    /// Hands over the rest and waits until it is written, but not for ever.
    pub fn finish(&mut self) {
        let end = Instant::now() + PATIENCE;
        while let Err(batch) = self.try_hand_over() {
            if Instant::now() >= end {
                add(&self.totals.dropped_busy, batch.events.len() as u64);
                break;
            }
            self.batch = *batch;
            thread::sleep(Duration::from_millis(5));
        }
        self.batches = None;
        if self.ended.recv_timeout(end.saturating_duration_since(Instant::now())).is_err() {
            tracing::warn!("the disk does not answer: the end of the evidence may be missing");
        }
    }

    fn hand_over(&mut self) {
        let Err(batch) = self.try_hand_over() else { return };
        if !std::mem::replace(&mut self.said, true) {
            tracing::warn!("the disk is slower than what happens: the evidence has gaps, which are marked in it");
        }
        add(&self.totals.dropped_busy, batch.events.len() as u64);
        self.batch.missing = batch.missed("events came faster than they could be written");
        // The clocks that were in it are told again with the next.
        recording::append_clock(&mut self.batch.lines, self.clock);
    }

    fn try_hand_over(&mut self) -> Result<(), Box<Batch>> {
        let Some(batches) = &self.batches else { return Ok(()) };
        self.handed_over = Instant::now();
        // Should nothing come any more, it is of this time, too.
        let next = Batch { clock: Some(self.clock), now: self.batch.now, ..Batch::default() };
        batches.try_send(std::mem::replace(&mut self.batch, next)).map_err(|refused| match refused {
            TrySendError::Full(batch) | TrySendError::Disconnected(batch) => Box::new(batch),
        })
    }
}

/// Whoever ends early has kept what it saw.
impl Drop for Store {
    fn drop(&mut self) {
        if self.batches.is_some() {
            self.finish();
        }
    }
}

/// The line of a recording's header.
pub fn header_line(header: &Header, clock: WallClock) -> Vec<u8> {
    let header = Header { clock, ..header.clone() };
    let mut line = serde_json::to_vec(&Record::Recording(header)).unwrap_or_default();
    line.push(b'\n');
    line
}
