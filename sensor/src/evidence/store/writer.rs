//! The thread that writes. It goes on whatever the disk does: what cannot be written is counted, and a gap when it can.

use super::content::{Content, integer};
use super::counts::{Totals, add};
use super::directory::Directory;
use super::encode::Encoder;
use super::handle::{Batch, Missing, header_line};
use super::keeper::Keeper;
use super::section::Limits;
use super::segment::{About, BEGINNING, Segment, SegmentError};
use crate::event::{Body, Event, WallClock};
use crate::evidence::recording::{Header, Record, pack};
use crate::evidence::source::Gap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long it waits until it tries again to open a directory or make a segment.
const RETRY: Duration = Duration::from_secs(1);

/// See the module's text.
pub struct Writer {
    directory: Directory,
    limits: Limits,
    header: Header,
    about: About,
    totals: Arc<Totals>,
    /// Goes with the process.
    lock: Option<File>,
    open: Option<(Segment, Encoder)>,
    keeper: Option<Keeper>,
    missing: Missing,
    /// Since when no sensor ran, until that is recorded.
    silent_since: Option<u64>,
    /// What happened meanwhile comes in this run.
    goes_on: bool,
    /// The header of this run is written.
    begun: bool,
    /// That it cannot write was said, and nothing was written since.
    said: bool,
    tried: Option<Instant>,
}

impl Writer {
    /// Nothing is opened yet.
    pub fn new(directory: Directory, limits: Limits, header: Header, totals: Arc<Totals>) -> Writer {
        let read = |path| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let about = About {
            host: crate::host::name().unwrap_or_default(),
            sensor: header.sensor.to_string(),
            boot: read("/proc/sys/kernel/random/boot_id"),
            recording: String::new(),
        };
        Writer {
            directory,
            limits,
            header,
            about,
            totals,
            lock: None,
            open: None,
            keeper: None,
            missing: Missing::default(),
            silent_since: None,
            goes_on: false,
            begun: false,
            said: false,
            tried: None,
        }
    }

    /// Writes a batch; what cannot be written is a gap before the next that can.
    pub fn take(&mut self, batch: Batch) {
        match self.write(&batch) {
            Ok(()) => {
                add(&self.totals.events, batch.events.len() as u64);
                let missing = std::mem::take(&mut self.missing);
                if std::mem::take(&mut self.said) {
                    tracing::warn!(missing = missing.events, "evidence is kept again; what is missing is marked in it");
                }
            }
            Err(error) => self.leave_out(batch, &error),
        }
    }

    /// Nothing comes any more. The segment stays open: the next run goes on with it.
    pub fn end(&mut self) {
        // The last one that lets go of a file carries its log over.
        self.open = None;
        self.keeper = None;
        self.lock = None;
    }

    fn leave_out(&mut self, batch: Batch, error: &SegmentError) {
        let cause = error.to_string();
        if !std::mem::replace(&mut self.said, true) {
            tracing::warn!(
                directory = %self.directory.path().display(), error = %cause,
                "evidence is not kept until this is mended: see that there is room and that weir may write there; alerts are not affected"
            );
        }
        add(&self.totals.dropped_disk, batch.events.len() as u64);
        self.missing = std::mem::take(&mut self.missing).and(batch.missed(&cause));
        // A full disk changes nothing about the file; after anything else another one is safer. What was encoded is not there.
        match (&mut self.open, error) {
            (Some((_, encoder)), SegmentError::Sql(error)) if is_full(error) => encoder.forget(),
            (Some(_), _) => (self.open, self.tried) = (None, Some(Instant::now())),
            (None, _) => {}
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), SegmentError> {
        let clock = batch.clock.unwrap_or(self.header.clock);
        self.goes_on |= batch.goes_on;
        self.open(clock, batch.now)?;
        let gaps = self.gaps(batch);
        let raw = self.raw(batch, clock)?;
        let Some((segment, encoder)) = &mut self.open else { return Err(SegmentError::Other) };
        let mut order: Vec<&(u64, Arc<Event>)> = batch.events.iter().collect();
        // Stable: what has the same time stays in its order.
        order.sort_by_key(|(time, _)| *time);
        let events = order.iter().map(|(time, event)| encoder.event(integer(*time), event)).collect();
        let content = Content {
            events,
            dictionaries: encoder.take_new(),
            told: batch.told.clone(),
            gaps,
            raw,
            now: integer(batch.now),
        };
        segment.write(&content)?;
        add(&self.totals.gaps, content.gaps.len() as u64);
        (self.begun, self.silent_since) = (true, None);
        if self.is_full(batch.now) {
            self.roll();
        }
        Ok(())
    }

    /// What is missing, by this batch and before it.
    fn gaps(&self, batch: &Batch) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = batch.events.iter().filter_map(|(time, event)| lost(*time, event, batch)).collect();
        if let Some(since) = self.silent_since.filter(|_| !self.goes_on) {
            let to = batch.events.first().map_or(batch.now, |(time, _)| *time).max(since);
            let cause = "no sensor ran".into();
            gaps.push(Gap { from: since, to, place: "sensor".into(), cause, kind: None, count: None });
        }
        for missing in [&self.missing, &batch.missing].into_iter().filter(|missing| missing.to > 0) {
            let (from, to, cause) = (missing.from, missing.to, missing.cause.clone());
            let count = Some(missing.events);
            gaps.push(Gap { from, to, place: "store".into(), cause, kind: None, count });
        }
        gaps
    }

    /// What went into the line, packed: the header if this run has not written it, gaps, and the lines.
    fn raw(&self, batch: &Batch, clock: WallClock) -> io::Result<Vec<u8>> {
        let mut lines = if self.begun { Vec::new() } else { header_line(&self.header, clock) };
        for missing in [&self.missing, &batch.missing].into_iter().filter(|missing| missing.raw.events > 0) {
            serde_json::to_writer(&mut lines, &Record::Gap(missing.raw.clone()))?;
            lines.push(b'\n');
        }
        if lines.is_empty() && batch.lines.is_empty() {
            return Ok(Vec::new());
        }
        if lines.is_empty() { pack(&batch.lines) } else { pack(&[lines, batch.lines.clone()].concat()) }
    }

    /// Opens the directory and a segment, if they are not open.
    fn open(&mut self, clock: WallClock, now: u64) -> Result<(), SegmentError> {
        if self.open.is_some() {
            return Ok(());
        }
        if self.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
            return Err(SegmentError::Io(io::Error::other("it could not be opened a moment ago")));
        }
        self.tried = Some(Instant::now());
        if self.lock.is_none() {
            self.lock = Some(self.directory.lock()?);
        }
        if !self.begun || self.said {
            self.directory.remove_empty()?;
        }
        // Only at the start: the keeper may be closing the one before.
        let before = if self.begun { None } else { self.resume(now) };
        let (segment, encoder) = before.map_or_else(|| self.create(clock, now), Ok)?;
        if !self.begun {
            self.silent_since = u64::try_from(segment.last_time).ok().filter(|time| *time > 0);
        }
        if self.keeper.is_none() {
            self.keeper = Keeper::start(self.directory.clone(), self.limits, Arc::clone(&self.totals));
        }
        if let Some(keeper) = &self.keeper {
            keeper.nudge(segment.number);
        }
        self.open = Some((segment, encoder));
        self.tried = None;
        Ok(())
    }

    /// Goes on with the newest segment, if it can be.
    fn resume(&self, now: u64) -> Option<(Segment, Encoder)> {
        let number = self.directory.numbers().ok()?.pop()?;
        let resumed = Segment::resume(&self.directory.segment(number), number, &self.about.boot);
        match resumed {
            Ok((segment, ids)) => segment_has_room(&segment, &self.limits, now).then(|| (segment, Encoder::new(ids))),
            Err(SegmentError::Other) => None,
            Err(error) => {
                tracing::warn!(segment = number, %error, "a segment of evidence cannot be gone on with: another is made");
                None
            }
        }
    }

    /// Makes a segment that follows the newest one that can be read.
    fn create(&mut self, clock: WallClock, now: u64) -> Result<(Segment, Encoder), SegmentError> {
        let numbers = self.directory.numbers()?;
        let end = numbers.iter().rev().find_map(|number| super::reader::end_of(&self.directory.segment(*number)));
        let (after, last) = end.map_or((BEGINNING, 0), |(batch, digest, time)| ((batch, digest), time));
        let number = numbers.last().map_or(1, |newest| newest + 1);
        let line = header_line(&self.header, clock);
        self.about.recording = String::from_utf8_lossy(&line).trim_end().to_owned();
        let path = self.directory.segment(number);
        let mut segment = Segment::create(&path, number, &self.about, after, integer(now))?;
        segment.last_time = last;
        Ok((segment, Encoder::new([0; 7])))
    }

    fn is_full(&self, now: u64) -> bool {
        self.open.as_ref().is_some_and(|(segment, _)| !segment_has_room(segment, &self.limits, now))
    }

    /// Lets go of the segment, which another thread closes; the next batch makes another.
    fn roll(&mut self) {
        if let Some((segment, _)) = self.open.take() {
            let next = segment.number + 1;
            segment.leave();
            if let Some(keeper) = &self.keeper {
                keeper.nudge(next);
            }
        }
    }
}

fn segment_has_room(segment: &Segment, limits: &Limits, now: u64) -> bool {
    let age = now.saturating_sub(u64::try_from(segment.opened).unwrap_or(0));
    segment.events < limits.segment_events
        && segment.bytes() < limits.segment_bytes
        && Duration::from_nanos(age) < limits.segment_age
}

/// The gap that a loss in the kernel is.
fn lost(time: u64, event: &Event, batch: &Batch) -> Option<Gap> {
    let Body::Lost(lost) = &event.body else { return None };
    let from = batch.clock.map_or(time, |clock| clock.unix_nanos(lost.since)).min(time);
    let kind = Some(&*lost.kind).filter(|kind| *kind != "any").map(Into::into);
    let cause = (&*lost.cause).into();
    Some(Gap { from, to: time, place: "kernel".into(), cause, kind, count: Some(lost.count) })
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}
