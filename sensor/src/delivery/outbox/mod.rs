//! The outbox: from the line to the spool, to the console and to a collector, and nothing of it waited for by the line.
//!
//! ```text
//! the line -> queue -> keeper (a thread, which owns the spool) -> screen (a thread): the console
//!                        ^ asks and answers
//!                        v
//!                      sender (a thread): the collector
//! the line -> events -> sender, where all events are exported
//! ```
//! - The line leaves a [`Parcel`] in a bounded [`queue`] and goes on. Should the keeper be stuck (a disk that hangs), what is least
//!   severe and oldest goes first when there is no room, and is counted.
//! - The keeper appends all that waits to the spool with one sync a severity, and only then lets it be shown and sent. A disk that
//!   takes nothing (it is full) is no reason to say nothing: then a parcel is shown and sent from memory ([`unkept`]), with one
//!   warning, and is written as soon as the disk takes it.
//! - A console that nobody reads holds up neither: lines that do not fit are left out, counted and said.
//! - Exported events are in memory alone ([`events`]), apart from all that is told: they cost no alert its place.
//!
//! Without a collector there is no outbox: the console is all there is, and it is written to at once.

mod events;
mod keeper;
mod queue;
mod screen;
mod source;
mod unkept;

#[cfg(test)]
mod tests;

use super::health::Delivery;
use super::otlp::{ConfigError, Exporter, Settings, sender};
use super::spool::{Kind, Limits, Spool, SpoolError};
use events::Events;
use keeper::{Keeper, Shared};
use screen::Screen;
use source::SpoolSource;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;

/// Something that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it is.
    pub kind: Kind,
    /// OpenTelemetry's severity number.
    pub severity: u8,
    /// When it was told, in nanoseconds since 1970.
    pub time: u64,
    /// `log.record.uid`
    pub uid: Box<str>,
    /// The JSON record.
    pub record: Box<[u8]>,
    /// What the console is to write, its line break included.
    pub shown: Box<[u8]>,
}

/// Why there is no outbox.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum OutboxError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("delivery cannot be started: {0}; this is the system's refusal, restart the sensor when it has recovered")]
    Thread(#[from] io::Error),
}

/// How long the end waits for a collector that is slow to take what is left; the spool keeps the rest.
const LAST_DELIVERY: Duration = Duration::from_secs(2);
/// After that, for a call that is under way, and for each thread.
const LAST_CALL: Duration = Duration::from_secs(1);

/// The agent's end of it.
pub struct Outbox {
    shared: Arc<Shared>,
    events: Option<Arc<Events>>,
    counters: Arc<sender::Counters>,
    keeper: Option<JoinHandle<()>>,
    sender: Option<JoinHandle<()>>,
    shutdown: Option<oneshot::Sender<()>>,
}

impl Outbox {
    /// Opens the spool in `directory` and begins to deliver what is in it. `export`: events as well ([`Outbox::event`]).
    ///
    /// # Errors
    /// The directory, a certificate or the system does not allow it.
    pub fn open(directory: &Path, limits: Limits, settings: &Settings, export: bool) -> Result<Outbox, OutboxError> {
        let (spool, opened) = Spool::open(directory, limits)?;
        if opened.flipped > 0 {
            tracing::warn!(records = opened.flipped, "records in the spool are not as they were written, and are lost");
        }
        if opened.unreadable > 0 {
            tracing::warn!(
                files = opened.unreadable,
                "files of the spool cannot be read; they are tried again at the next start"
            );
        }
        let shared = Arc::new(Shared::default());
        let counters = Arc::new(sender::Counters::default());
        let events = export.then(|| Arc::new(Events::default()));
        let exporters = (Exporter::new(settings)?, events.is_some().then(|| Exporter::new(settings)).transpose()?);
        let keeper = Keeper::new(spool, Arc::clone(&shared), Screen::start()?);
        let keeper = std::thread::Builder::new().name("weir-keeper".into()).spawn(move || keeper.run())?;
        let (shutdown, ended) = oneshot::channel();
        let sending = Sending { shared: Arc::clone(&shared), counters: Arc::clone(&counters), events: events.clone() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sender = std::thread::Builder::new().name("weir-sender".into()).spawn(move || {
            runtime.block_on(sending.run(exporters, ended));
            runtime.shutdown_background();
        })?;
        let (keeper, sender, shutdown) = (Some(keeper), Some(sender), Some(shutdown));
        Ok(Outbox { shared, events, counters, keeper, sender, shutdown })
    }

    /// Leaves something to be kept, shown and sent.
    pub fn post(&self, parcel: Parcel) {
        self.shared.post(parcel);
    }

    /// Whether events are to be left here.
    pub fn takes_events(&self) -> bool {
        self.events.is_some()
    }

    /// Leaves an event to be sent, if there is room: its JSON record and uid.
    pub fn event(&self, uid: Box<str>, time: u64, record: Box<[u8]>) {
        if let Some(events) = &self.events {
            events.push(uid, time, record);
        }
    }

    /// Whether the console's reader has gone.
    pub fn is_unread(&self) -> bool {
        self.shared.console_closed.load(Relaxed)
    }

    /// How it is.
    pub fn delivery(&self) -> Delivery {
        let (kept, counters) = (self.shared.kept(), &self.counters);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let age = |oldest: u64| now.saturating_sub(Duration::from_nanos(oldest));
        let last = counters.last_accepted.load(Relaxed);
        let (dropped, sent) = self.events.as_ref().map(|events| events.counts()).unwrap_or_default();
        Delivery {
            entries: kept.entries,
            bytes: kept.bytes,
            limit: kept.limit,
            oldest: kept.oldest.map(age),
            last: (last > 0).then_some(last),
            trouble: counters.trouble(),
            disk_trouble: kept.trouble,
            evicted: kept.evicted,
            losses: kept.losses,
            lost_ever: kept.lost_ever,
            results: vec![
                ("accepted", counters.accepted.load(Relaxed)),
                ("retried", counters.retried.load(Relaxed)),
                ("set_aside", counters.set_aside.load(Relaxed)),
                ("traces_refused", counters.traces_refused.load(Relaxed)),
                ("events_accepted", sent),
                ("events_dropped", dropped),
            ],
            requests: [counters.requests_accepted.load(Relaxed), counters.requests_failed.load(Relaxed)],
        }
    }

    /// Keeps what was posted, sends what the collector takes in a short time, and ends. Blocks for some seconds at most.
    pub fn finish(mut self) {
        self.shared.close();
        if let Some(events) = &self.events {
            events.close();
        }
        let sender = self.sender.take();
        // One that is in trouble already is not waited for: what is left is on the disk.
        if let Some(sender) = sender.as_ref().filter(|_| self.counters.trouble().is_none()) {
            wait_for(sender, LAST_DELIVERY);
        }
        drop(self.shutdown.take());
        if let Some(sender) = &sender {
            wait_for(sender, LAST_CALL);
        }
        self.shared.end();
        // A disk that hangs holds the thread for ever: what it has is on its way to the disk, no more can be done.
        match self.keeper.take() {
            Some(keeper) if wait_for(&keeper, LAST_CALL) => {}
            _ => tracing::warn!("the spool's disk did not answer in time: the last records may not be kept"),
        }
    }
}

/// Whether it has ended by then.
fn wait_for(thread: &JoinHandle<()>, patience: Duration) -> bool {
    let end = Instant::now() + patience;
    while !thread.is_finished() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    thread.is_finished()
}

/// What the sender's thread has.
struct Sending {
    shared: Arc<Shared>,
    counters: Arc<sender::Counters>,
    events: Option<Arc<Events>>,
}

impl Sending {
    async fn run(self, (exporter, second): (Exporter, Option<Exporter>), ended: oneshot::Receiver<()>) {
        let (end, _) = tokio::sync::watch::channel(false);
        let watch = |mut ended: tokio::sync::watch::Receiver<bool>| async move {
            // That it is dropped means the same.
            let _ = ended.wait_for(|ended| *ended).await;
        };
        let told = sender::run(SpoolSource::new(self.shared), exporter, &self.counters, watch(end.subscribe()));
        let events = async {
            if let (Some(events), Some(exporter)) = (self.events, second) {
                let counters = sender::Counters::default();
                sender::run(events::EventSource::new(events), exporter, &counters, watch(end.subscribe())).await;
            }
        };
        let both = async { tokio::join!(told, events) };
        let mut both = std::pin::pin!(both);
        tokio::select! {
            _ = &mut both => return,
            _ = ended => {}
        }
        end.send_replace(true);
        both.await;
    }
}
