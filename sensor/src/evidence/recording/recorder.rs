//! Records what goes into the line, without holding it up.
//!
//! Lines are made on the line's own task (about a microsecond each), packed and written on another thread. Between them is a bounded
//! channel of batches: when the disk is slower than what happens, batches are left out, and the recording says so.

use super::record::{Gap, Header, Record};
use super::sink::{Batch, Sink, Totals};
use crate::event::{Event, WallClock};
use serde::Serialize;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of lines from which on a batch is handed over; one that began in the same second is handed over sooner.
const BATCH: usize = 256 << 10;
/// Batches that may wait.
const WAITING: usize = 16;
/// How long the end waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of the events that were to be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// They are in the file.
    pub recorded: u64,
    /// They are in no file.
    pub lost: u64,
    /// The size of the file.
    pub bytes: u64,
}

impl Statistics {
    /// The counts by name.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        vec![("recorded", self.recorded), ("lost", self.lost), ("bytes", self.bytes)]
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Recorder {
    batch: Batch,
    clock: Option<WallClock>,
    batches: Option<SyncSender<Batch>>,
    ended: Receiver<io::Result<()>>,
    totals: Arc<Totals>,
    /// Left out here, not by the disk.
    lost: u64,
}

/// Adds the line of an event to others; whether it could be made.
pub fn append(lines: &mut Vec<u8>, event: &Event) -> bool {
    add(lines, &Line::Event(event))
}

/// Adds the line that tells how the clocks stand to each other from here on.
pub fn append_clock(lines: &mut Vec<u8>, clock: WallClock) -> bool {
    add(lines, &Record::Clock(clock))
}

fn add(lines: &mut Vec<u8>, line: &impl Serialize) -> bool {
    let before = lines.len();
    // Plain values with names for keys, into memory: it does not fail.
    let made = serde_json::to_writer(&mut *lines, line).is_ok();
    if made {
        lines.push(b'\n');
    } else {
        lines.truncate(before);
    }
    made
}

/// A line, without a copy of the event.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Event(&'a Event),
}

impl Recorder {
    /// Makes the file, which only its owner can read, and begins it with `header`. Nothing is ever written over.
    ///
    /// # Errors
    /// It is there already, or cannot be made or written.
    pub fn create(path: &Path, header: Header) -> io::Result<Recorder> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut sink = Sink::new(file);
        let clock = header.clock;
        sink.write(&[serde_json::to_vec(&Record::Recording(header))?, b"\n".to_vec()].concat())?;
        let (batches, waiting) = sync_channel::<Batch>(WAITING);
        let (end, ended) = channel();
        let totals = Arc::new(Totals::default());
        let shared = Arc::clone(&totals);
        thread::Builder::new().name("weir-recorder".to_owned()).spawn(move || {
            for batch in waiting {
                sink.take(batch, &shared);
            }
            // Nobody listens who did not wait for it.
            let _ = end.send(sink.end());
        })?;
        Ok(Recorder { batch: Batch::default(), clock: Some(clock), batches: Some(batches), ended, totals, lost: 0 })
    }

    /// An event that is about to go into the line.
    pub fn event(&mut self, event: &Event) {
        if append(&mut self.batch.lines, event) {
            let one = Gap { since: event.time, until: event.time, events: 1, reason: "".into() };
            self.batch.events = std::mem::take(&mut self.batch.events).and(one);
        } else {
            self.lost += 1;
        }
        if self.batch.lines.len() >= BATCH {
            self.flush();
        }
    }

    /// Wall time is told by `clock` from now on.
    pub fn clock(&mut self, clock: WallClock) {
        if self.clock.replace(clock) != Some(clock) {
            append_clock(&mut self.batch.lines, clock);
        }
    }

    /// Hands over what there is. To be called once a second, so that no more than that is lost with the agent.
    pub fn flush(&mut self) {
        if let Err(batch) = self.hand_over() {
            self.leave_out(batch);
        }
    }

    /// What became of the events so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            recorded: self.totals.recorded.load(Ordering::Relaxed),
            lost: self.totals.lost.load(Ordering::Relaxed).saturating_add(self.lost),
            bytes: self.totals.bytes.load(Ordering::Relaxed),
        }
    }

    /// Hands over the rest and waits until it is on the disk, but not for ever.
    ///
    /// # Errors
    /// The disk did not take the end, or not in time.
    pub fn finish(&mut self) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        while let Err(batch) = self.hand_over() {
            if Instant::now() >= end {
                self.leave_out(batch);
                break;
            }
            self.batch = batch;
            thread::sleep(Duration::from_millis(5));
        }
        self.batches = None;
        let late = |_| io::Error::other(format!("the disk did not answer within {} s", PATIENCE.as_secs()));
        self.ended.recv_timeout(PATIENCE).map_err(late).flatten()
    }

    /// Hands over what there is, if there is room for it.
    fn hand_over(&mut self) -> Result<(), Batch> {
        let Some(batches) = self.batches.as_ref().filter(|_| !self.batch.lines.is_empty()) else { return Ok(()) };
        batches.try_send(std::mem::take(&mut self.batch)).map_err(|refused| match refused {
            TrySendError::Full(batch) | TrySendError::Disconnected(batch) => batch,
        })
    }

    /// A batch for which there was no room.
    fn leave_out(&mut self, batch: Batch) {
        if self.lost == 0 {
            tracing::warn!("the disk is slower than what happens: the recording has gaps, which are marked in it");
        }
        self.lost = self.lost.saturating_add(batch.events.events);
        let missing = Gap { reason: "the disk is too slow".into(), ..batch.events };
        self.batch.gap = batch.gap.and(missing);
        // The clocks that were in it are told again with the next.
        if let Some(clock) = self.clock {
            append_clock(&mut self.batch.lines, clock);
        }
    }
}

/// Whoever ends early has recorded what it saw.
impl Drop for Recorder {
    fn drop(&mut self) {
        if self.batches.is_some() {
            // Why it ends early is the news.
            let _ = self.finish();
        }
    }
}
