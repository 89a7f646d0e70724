//! The thread that owns the spool: it keeps what was posted, lets it be shown, and gives the sender what it asks for.

use super::Parcel;
use super::queue::Queue;
use super::screen::Screen;
use super::unkept::Unkept;
use crate::delivery::health;
use crate::delivery::spool::{Counts, Directory, Draft, Entry, Files, Spool, SpoolError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A disk that took nothing is tried again so soon.
const RETRY: Duration = Duration::from_secs(1);

/// What agent, keeper and sender have in common.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    kept: Mutex<Kept>,
    pub(super) console_closed: AtomicBool,
}

#[derive(Default)]
struct State {
    queue: Queue,
    asks: VecDeque<Ask>,
    /// Nothing more is posted: whoever asks for what is not there is told that there is no more.
    closed: bool,
    /// The keeper is to go.
    ended: bool,
}

/// What the sender asks.
pub(super) enum Ask {
    Take { records: usize, bytes: usize, answer: oneshot::Sender<Vec<Entry>> },
    Acknowledge(Box<[u64]>),
    PutBack(Box<[u64]>),
    SetAside(Box<[u64]>, Box<str>),
}

/// How what is kept is.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) limit: u64,
    pub(super) oldest: Option<u64>,
    /// Why the disk takes nothing, if it does not.
    pub(super) trouble: Option<String>,
    /// By severity's name: what had to go for want of room, wherever that was.
    pub(super) evicted: health::Counts,
    /// Everything else that was lost or is in doubt, by name.
    pub(super) losses: health::Counts,
    /// Records that will never arrive, since the spool was made.
    pub(super) lost_ever: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn post(&self, parcel: Parcel) {
        self.state().queue.push(parcel);
        self.changed.notify_one();
    }

    pub(super) fn ask(&self, ask: Ask) {
        self.state().asks.push_back(ask);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }

    pub(super) fn kept(&self) -> Kept {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the thread has.
pub(super) struct Keeper<F = Directory> {
    spool: Spool<F>,
    unkept: Unkept,
    shared: Arc<Shared>,
    screen: Screen,
    /// The sender's question that could not be answered yet.
    waiting: Option<(usize, usize, oneshot::Sender<Vec<Entry>>)>,
    /// What the spool had lost before it was opened: counts are since the start.
    before: Counts,
    /// When the disk is tried again, and what it said.
    retry: Option<(Instant, String)>,
}

/// What there is to do.
struct Work {
    parcels: Vec<Parcel>,
    asks: VecDeque<Ask>,
    closed: bool,
    ended: bool,
    lost: BTreeMap<u8, u64>,
}

impl<F: Files> Keeper<F> {
    pub(super) fn new(spool: Spool<F>, shared: Arc<Shared>, screen: Screen) -> Keeper<F> {
        let before = spool.counts();
        Keeper { spool, unkept: Unkept::default(), shared, screen, waiting: None, before, retry: None }
    }

    pub(super) fn run(mut self) {
        self.publish(&BTreeMap::new());
        loop {
            let work = self.next();
            self.keep(work.parcels);
            for ask in work.asks {
                self.handle(ask);
            }
            self.answer(work.closed);
            self.publish(&work.lost);
            if self.screen.is_closed() {
                self.shared.console_closed.store(true, Relaxed);
            }
            if work.ended {
                self.screen.finish();
                return;
            }
        }
    }

    /// Waits until there is something to do, or the disk is to be tried again.
    fn next(&self) -> Work {
        let mut state = self.shared.state();
        loop {
            let left = self.retry.as_ref().map(|(at, _)| at.saturating_duration_since(Instant::now()));
            let is_due = left.is_some_and(|left| left.is_zero());
            // Who waits for what is not there is told so when it is closed.
            let is_last = state.closed && self.waiting.is_some();
            if is_due || is_last || state.ended || !state.queue.is_empty() || !state.asks.is_empty() {
                return Work {
                    parcels: state.queue.take(),
                    asks: std::mem::take(&mut state.asks),
                    closed: state.closed,
                    ended: state.ended,
                    lost: state.queue.lost().clone(),
                };
            }
            let changed = &self.shared.changed;
            state = match left {
                Some(left) => changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Makes parcels durable, then lets them be shown. What the disk does not take is held in memory, and shown all the same.
    fn keep(&mut self, parcels: Vec<Parcel>) {
        let is_due = self.retry.as_ref().is_none_or(|(at, _)| *at <= Instant::now());
        if parcels.is_empty() && self.unkept.is_empty() {
            // Nothing is there to try the disk with; the next parcel does.
            self.retry.take_if(|_| is_due);
            return;
        }
        if parcels.is_empty() && !is_due {
            return;
        }
        let shown: Vec<u8> = parcels.iter().flat_map(|parcel| &*parcel.shown).copied().collect();
        if !is_due || !self.write(&parcels) {
            parcels.into_iter().for_each(|parcel| self.unkept.hold(parcel));
        }
        self.screen.show(shown);
    }

    /// Whether the disk took them, and what it had not taken before.
    fn write(&mut self, parcels: &[Parcel]) -> bool {
        let (ids, mut drafts) = self.unkept.drafts();
        drafts.extend(parcels.iter().map(draft));
        match self.spool.append(&drafts) {
            Ok(_) => {
                self.unkept.done(&ids);
                if self.retry.take().is_some() {
                    tracing::info!("the spool's disk takes records again");
                }
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    fn failed(&mut self, error: &SpoolError) {
        if self.retry.is_none() {
            tracing::warn!(%error, "alerts are in memory only, where a crash would lose them");
        }
        self.retry = Some((Instant::now() + RETRY, error.to_string()));
    }

    fn handle(&mut self, ask: Ask) {
        let apart = |ids: Box<[u64]>| ids.into_iter().partition::<Vec<u64>, _>(|id| Unkept::is_own(*id));
        match ask {
            Ask::Take { records, bytes, answer } => self.waiting = Some((records, bytes, answer)),
            Ask::Acknowledge(ids) => {
                let (unkept, kept) = apart(ids);
                self.unkept.done(&unkept);
                self.spool.acknowledge(&kept);
            }
            Ask::PutBack(ids) => {
                let (unkept, kept) = apart(ids);
                self.unkept.put_back(&unkept);
                self.spool.put_back(&kept);
            }
            Ask::SetAside(ids, reason) => {
                let (unkept, kept) = apart(ids);
                // Without a disk there is nowhere to set them aside: the log has said what they were and why.
                self.unkept.done(&unkept);
                if let Err(error) = self.spool.set_aside(&kept, &reason) {
                    tracing::warn!(%error, "what the collector refused is offered again after a restart");
                }
            }
        }
    }

    /// Gives the sender what it waits for, if there is anything, or if nothing more can come.
    fn answer(&mut self, closed: bool) {
        let Some((records, bytes, answer)) = self.waiting.take() else { return };
        let mut entries = self.spool.take(records, bytes);
        if entries.is_empty() {
            entries = self.unkept.take(records, bytes);
        }
        if entries.is_empty() && !closed {
            self.waiting = Some((records, bytes, answer));
            return;
        }
        if let Err(entries) = answer.send(entries) {
            // Nobody waits any more: as if they had not been taken.
            let ids: Vec<u64> = entries.iter().map(|entry| entry.id).collect();
            self.handle(Ask::PutBack(ids.into()));
        }
    }

    fn publish(&self, queue_lost: &BTreeMap<u8, u64>) {
        let counts = self.spool.counts();
        let ever = counts.evicted.values().sum::<u64>() + counts.refused + counts.set_aside;
        let here: u64 = queue_lost.values().chain(self.unkept.lost().values()).sum();
        let mut evicted = counts.evicted;
        for (severity, before) in &self.before.evicted {
            evicted.entry(*severity).and_modify(|count| *count = count.saturating_sub(*before));
        }
        for (severity, count) in queue_lost.iter().chain(self.unkept.lost()) {
            *evicted.entry(*severity).or_default() += count;
        }
        let oldest = [counts.oldest, self.unkept.oldest()].into_iter().flatten().min();
        let kept = Kept {
            entries: counts.depth + self.unkept.len(),
            bytes: counts.bytes + self.unkept.bytes(),
            limit: counts.limit,
            oldest,
            trouble: self.retry.as_ref().map(|(_, reason)| reason.clone()),
            evicted: by_name(&evicted),
            losses: vec![
                ("refused", counts.refused.saturating_sub(self.before.refused)),
                ("set_aside", counts.set_aside.saturating_sub(self.before.set_aside)),
                ("torn", counts.torn),
                ("flipped", counts.flipped),
                ("unreadable", counts.unreadable),
                ("failed", counts.failed),
                ("unshown", self.screen.unshown()),
            ],
            lost_ever: ever + here + counts.flipped,
        };
        *self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

fn draft(parcel: &Parcel) -> Draft<'_> {
    Draft { kind: parcel.kind, severity: parcel.severity, time: parcel.time, uid: &parcel.uid, bytes: &parcel.record }
}

/// OpenTelemetry's names for ranges of severity numbers, all of them, so that a series exists before it counts.
fn by_name(evicted: &BTreeMap<u8, u64>) -> health::Counts {
    let ranges = [
        ("trace", 0..=4),
        ("debug", 5..=8),
        ("info", 9..=12),
        ("warn", 13..=16),
        ("error", 17..=20),
        ("fatal", 21..=u8::MAX),
    ];
    ranges.into_iter().map(|(name, range)| (name, evicted.range(range).map(|(_, count)| count).sum())).collect()
}
