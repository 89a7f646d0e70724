//! The loop that empties the spool into a collector.
//!
//! A record leaves the spool in one of two ways: it is acknowledged when the collector has it, or set aside when the
//! collector will never take it. Everything else puts it back. At least once: what was sent and not acknowledged is sent again.
//! - A collector that cannot be reached, or asks to wait, gets the records later ([`super::backoff`]), in smaller batches.
//! - One that takes nothing from this sensor ([`Outcome::Unwelcome`]) gets them a minute later, for [`UNWELCOME_MAX`]; then they
//!   are set aside.
//! - A request that was refused, wholly or in part, is sent again in halves until those that are refused are alone: these are set aside
//!   with the collector's words, the others arrive. The specification would have the rejected part of a partial success dropped, and does
//!   not say which part it is; to send the rest twice under the same `log.record.uid` costs less than an alert.
//! - An incident is a log record and a trace. Where only its trace is refused it is acknowledged, since the log record tells all
//!   of it; that is counted and said.

use super::answer::Outcome;
use super::backoff::Backoff;
use crate::delivery::spool::{Entry, Kind};
use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Most records of a request, and most bytes of their JSON. OTLP is about as large; a collector takes 4 MiB over gRPC by default.
pub const RECORDS: usize = 256;
/// See [`RECORDS`].
pub const BYTES: usize = 1 << 20;
/// How long records stay in the spool while the collector takes nothing from this sensor.
pub const UNWELCOME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Incidents whose log record arrived and whose trace did not, that are remembered; beyond that the log record is sent twice.
const LOGGED_MAX: usize = 4096;

/// Where records come from. They stay there until they are acknowledged or set aside.
pub trait Source: Send {
    /// Waits until there are records, and gives at most `records` of them with at most `bytes`, but one at least; these are in
    /// flight from then on. None: there will be no more. Dropped while it waits, it has taken nothing.
    fn take(&mut self, records: usize, bytes: usize) -> impl Future<Output = Vec<Entry>> + Send;
    /// The collector has them.
    fn acknowledge(&mut self, ids: &[u64]) -> impl Future<Output = ()> + Send;
    /// They are in flight no more.
    fn put_back(&mut self, ids: &[u64]) -> impl Future<Output = ()> + Send;
    /// They will never be taken.
    fn set_aside(&mut self, ids: &[u64], reason: &str) -> impl Future<Output = ()> + Send;
}

/// Where they go.
pub trait Export: Send + Sync {
    /// Sends records as log records.
    fn logs(&self, entries: &[&Entry]) -> impl Future<Output = Outcome> + Send;
    /// Sends incidents as traces.
    fn traces(&self, entries: &[&Entry]) -> impl Future<Output = Outcome> + Send;
}

/// What came of it, since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records that the collector has.
    pub accepted: AtomicU64,
    /// Records that were put back, each time.
    pub retried: AtomicU64,
    /// Records that the collector will never take.
    pub set_aside: AtomicU64,
    /// Incidents whose trace was refused.
    pub traces_refused: AtomicU64,
    /// Requests that the collector has taken.
    pub requests_accepted: AtomicU64,
    /// Requests that came to nothing, for whatever reason.
    pub requests_failed: AtomicU64,
    /// When the collector last took records, in seconds since 1970; 0: not yet.
    pub last_accepted: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Counters {
    /// Why records wait, if they do: the collector's words, or why it cannot be reached.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<&str>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.map(str::to_owned);
    }
}

/// Sends until `shutdown` is ready or the source has ended. A call that is under way then is waited for (its timeout bounds it); what
/// is not acknowledged is put back.
pub async fn run<S: Source, E: Export>(
    source: S,
    exporter: E,
    counters: &Counters,
    shutdown: impl Future<Output = ()> + Send,
) {
    run_with(source, exporter, counters, shutdown, fastrand::Rng::new()).await;
}

/// The same with jitter from `random`.
pub(super) async fn run_with<S: Source, E: Export>(
    source: S,
    exporter: E,
    counters: &Counters,
    shutdown: impl Future<Output = ()> + Send,
    random: fastrand::Rng,
) {
    let backoff = Backoff::new(random);
    let (logged, room) = (BTreeSet::new(), RECORDS);
    let (unwelcome, said, traces_said) = (None, String::new(), String::new());
    let mut sender = Sender { source, exporter, counters, backoff, logged, room, unwelcome, said, traces_said };
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let batch = tokio::select! {
            biased;
            () = &mut shutdown => return,
            batch = sender.source.take(sender.room, BYTES) => batch,
        };
        if batch.is_empty() {
            return;
        }
        let pause = match sender.batch(batch, shutdown.as_mut()).await {
            Next::Now => continue,
            Next::After(pause) => pause,
            Next::End => return,
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Sender<'a, S, E> {
    source: S,
    exporter: E,
    counters: &'a Counters,
    backoff: Backoff,
    /// Incidents in the spool whose log record has arrived.
    logged: BTreeSet<u64>,
    /// How many records are asked for: halved when something fails, doubled when it goes well, because a batch that is too much for
    /// a collector in trouble would fail for ever.
    room: usize,
    /// Since when the collector takes nothing from this sensor.
    unwelcome: Option<Instant>,
    /// The last complaints: the same is not said twice.
    said: String,
    traces_said: String,
}

/// What to do after a batch.
enum Next {
    Now,
    After(Duration),
    End,
}

/// What to do with a part of a batch.
enum Fate {
    Done,
    Halve(String),
    Later(Duration),
}

impl<S: Source, E: Export> Sender<'_, S, E> {
    /// Sends a batch, and parts of it apart where they have to be.
    async fn batch<F: Future<Output = ()>>(&mut self, batch: Vec<Entry>, mut shutdown: Pin<&mut F>) -> Next {
        let mut parts = VecDeque::from([batch]);
        while let Some(mut part) = parts.pop_front() {
            match self.part(&mut part).await {
                Fate::Done => {}
                Fate::Halve(_) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.push_front(second);
                    parts.push_front(part);
                }
                Fate::Halve(reason) => self.set_aside(&part, &reason).await,
                Fate::Later(pause) => {
                    parts.push_front(part);
                    self.put_back(parts).await;
                    return Next::After(pause);
                }
            }
            let ends = tokio::select! { biased; () = &mut shutdown => true, () = std::future::ready(()) => false };
            if ends {
                self.put_back(parts).await;
                return Next::End;
            }
        }
        Next::Now
    }

    /// Sends a part of a batch. What the collector has is acknowledged and no more in `part`.
    async fn part(&mut self, part: &mut Vec<Entry>) -> Fate {
        let unsent: Vec<&Entry> = part.iter().filter(|entry| !self.logged.contains(&entry.id)).collect();
        if !unsent.is_empty() {
            let outcome = self.exporter.logs(&unsent).await;
            if let Some(fate) = self.judge(outcome, part).await {
                return fate;
            }
        }
        let others: Vec<u64> =
            part.extract_if(.., |entry| entry.kind != Kind::Incident).map(|entry| entry.id).collect();
        self.acknowledge(&others).await;
        if !part.is_empty() {
            let outcome = self.exporter.traces(&part.iter().collect::<Vec<_>>()).await;
            if let Some(fate) = self.judge_traces(outcome, part) {
                return fate;
            }
            let incidents: Vec<u64> = part.drain(..).map(|entry| entry.id).collect();
            self.acknowledge(&incidents).await;
        }
        self.all_well();
        Fate::Done
    }

    /// What an outcome of traces means, after their log records arrived; `None`: that is all that can be done.
    fn judge_traces(&mut self, outcome: Outcome, part: &[Entry]) -> Option<Fate> {
        match outcome {
            Outcome::Accepted => self.request_went_well(),
            Outcome::Retry { after, reason } => {
                self.logged.extend(part.iter().map(|entry| entry.id));
                while self.logged.len() > LOGGED_MAX {
                    self.logged.pop_first();
                }
                return Some(self.later(after, &reason));
            }
            Outcome::Partial { message: reason, .. } | Outcome::Unwelcome { reason } | Outcome::Refused { reason } => {
                self.counters.requests_failed.fetch_add(1, Relaxed);
                self.counters.traces_refused.fetch_add(part.len() as u64, Relaxed);
                if self.traces_said != reason {
                    tracing::warn!(
                        reason,
                        "the traces of incidents are refused, their log records arrived; set OTEL_TRACES_EXPORTER=none if none are wanted"
                    );
                    self.traces_said = reason;
                }
            }
        }
        None
    }

    /// What an outcome of log records means; `None`: the collector has them.
    async fn judge(&mut self, outcome: Outcome, part: &[Entry]) -> Option<Fate> {
        match outcome {
            Outcome::Accepted => {
                self.request_went_well();
                None
            }
            Outcome::Retry { after, reason } => Some(self.later(after, &reason)),
            Outcome::Partial { rejected, message } => {
                self.counters.requests_failed.fetch_add(1, Relaxed);
                Some(Fate::Halve(format!("the collector rejected {rejected} of {}: {message}", part.len())))
            }
            Outcome::Refused { reason } => {
                self.counters.requests_failed.fetch_add(1, Relaxed);
                Some(Fate::Halve(reason))
            }
            Outcome::Unwelcome { reason } => {
                self.counters.requests_failed.fetch_add(1, Relaxed);
                let since = *self.unwelcome.get_or_insert_with(Instant::now);
                if since.elapsed() >= UNWELCOME_MAX {
                    self.set_aside(part, &reason).await;
                    return Some(Fate::Done);
                }
                self.say(&reason);
                self.room = (self.room / 2).max(1);
                Some(Fate::Later(self.backoff.long_pause()))
            }
        }
    }

    fn later(&mut self, after: Option<Duration>, reason: &str) -> Fate {
        self.counters.requests_failed.fetch_add(1, Relaxed);
        self.say(reason);
        self.room = (self.room / 2).max(1);
        Fate::Later(self.backoff.pause(after))
    }

    fn request_went_well(&mut self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.counters.last_accepted.store(now.as_secs(), Relaxed);
        self.counters.requests_accepted.fetch_add(1, Relaxed);
        self.unwelcome = None;
    }

    /// Everything of a part has arrived.
    fn all_well(&mut self) {
        self.backoff.reset();
        self.room = self.room.saturating_mul(2).min(RECORDS);
        if !std::mem::take(&mut self.said).is_empty() {
            self.counters.set_trouble(None);
            tracing::info!("the collector takes records again");
        }
    }

    fn say(&mut self, reason: &str) {
        if self.said != reason {
            tracing::warn!(reason, "records wait for the collector");
            self.counters.set_trouble(Some(reason));
            self.said = reason.to_owned();
        }
    }

    async fn acknowledge(&mut self, ids: &[u64]) {
        if ids.is_empty() {
            return;
        }
        self.logged.retain(|id| !ids.contains(id));
        self.counters.accepted.fetch_add(ids.len() as u64, Relaxed);
        self.source.acknowledge(ids).await;
    }

    async fn put_back(&mut self, parts: VecDeque<Vec<Entry>>) {
        let ids: Vec<u64> = parts.iter().flatten().map(|entry| entry.id).collect();
        self.counters.retried.fetch_add(ids.len() as u64, Relaxed);
        if !ids.is_empty() {
            self.source.put_back(&ids).await;
        }
    }

    async fn set_aside(&mut self, entries: &[Entry], reason: &str) {
        let ids: Vec<u64> = entries.iter().map(|entry| entry.id).collect();
        for entry in entries {
            tracing::error!(uid = %entry.uid, reason, "a record is refused for good and set aside");
        }
        self.counters.set_aside.fetch_add(ids.len() as u64, Relaxed);
        self.source.set_aside(&ids, reason).await;
    }
}
