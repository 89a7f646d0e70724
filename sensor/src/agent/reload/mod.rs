//! Reload: other rules, lists and classes while the sensor runs, on SIGHUP or when their files change.
//!
//! All or nothing: everything is read and made ready on a thread of its own, and events do not wait for it. What is wrong with it is
//! logged, every problem, and what was in effect goes on; what is right takes its place between two events.
//!
//! A change is waited for until it is over: until nothing more has happened for [`QUIET`], at most for [`LONGEST`].

mod apply;
mod effect;
mod places;
mod sources;
mod watch;

#[cfg(test)]
mod tests;

pub use effect::InEffect;
pub use sources::{Fresh, Refused, Sources};

use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use watch::{Prepared, Watch};

/// A change is over when nothing more has happened for so long.
const QUIET: Duration = Duration::from_millis(200);
/// Files that never stop changing are read all the same.
const LONGEST: Duration = Duration::from_secs(2);

/// What came of reading the files again: nothing if they say what is in effect already.
pub type Outcome = Result<Option<Box<Fresh>>, Refused>;

/// Reads the files again when there is a reason to.
pub struct Reloader {
    sources: Arc<Sources>,
    hangup: Signal,
    watch: Watch,
    due: Option<Due>,
    reading: Option<JoinHandle<(Prepared, Outcome)>>,
}

/// A change that is not over yet.
#[derive(Clone, Copy)]
struct Due {
    first: Instant,
    latest: Instant,
}

impl Due {
    fn at(self) -> Instant {
        (self.latest + QUIET).min(self.first + LONGEST)
    }
}

impl Reloader {
    /// Of these files. To be made before they are read the first time, so that no change is missed.
    ///
    /// # Errors
    /// When no signal handler can be installed.
    pub fn new(sources: Sources) -> io::Result<Reloader> {
        let watch = Watch::begin(Prepared::of(&sources.paths()));
        Ok(Reloader {
            sources: Arc::new(sources),
            hangup: signal(SignalKind::hangup())?,
            watch,
            due: None,
            reading: None,
        })
    }

    /// Waits until there was a reason to read the files again, and they were read. Nothing is lost when it is no longer awaited.
    /// `in_effect` is what a reading is compared with.
    pub async fn next(&mut self, in_effect: &InEffect) -> Outcome {
        loop {
            let due = self.due.map(Due::at);
            let when_due = tokio::time::sleep_until(due.unwrap_or_else(Instant::now));
            tokio::select! {
                read = finished(&mut self.reading), if self.reading.is_some() => {
                    self.reading = None;
                    // A panic is told by its own message; what is in effect goes on.
                    let Ok((prepared, outcome)) = read else { continue };
                    self.watch = Watch::begin(prepared);
                    return outcome;
                }
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP: the files are read again");
                    // At once.
                    self.due = Instant::now().checked_sub(LONGEST).map(|first| Due { first, latest: first });
                }
                () = self.watch.changed() => {
                    let now = Instant::now();
                    self.due = Some(Due { first: self.due.map_or(now, |due| due.first), latest: now });
                }
                () = when_due, if due.is_some() && self.reading.is_none() => {
                    self.due = None;
                    self.read(in_effect.versions());
                }
            }
        }
    }

    fn read(&mut self, versions: effect::Versions) {
        let sources = Arc::clone(&self.sources);
        self.reading = Some(tokio::task::spawn_blocking(move || {
            // Watched first: what changes while they are read is noticed.
            let prepared = Prepared::of(&sources.paths());
            (prepared, sources.read(&versions))
        }));
    }
}

async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, tokio::task::JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}
