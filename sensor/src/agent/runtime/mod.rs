//! Who the containers are, from the runtimes on this machine: containerd and CRI-O by CRI ([`cri`]), Docker and Podman by their API
//! ([`engine`]), each on its unix socket.
//!
//! [`Runtimes`] is the agent's end. It asks for containers that the line has seen and nobody has named, and takes the answers, which become
//! events of the line. The rest is on a thread of its own, a [`link`] a socket: what a runtime does, or does not, never holds up the line.
//! Everything in between is bounded; what finds no room is counted. Nothing of detection lives here.

pub mod client;
pub mod cri;
mod doctor;
mod engine;
mod identity;
mod link;
mod shared;
mod sockets;
pub mod transport;
mod wanted;

#[cfg(test)]
mod tests;

pub use doctor::finding;
pub use shared::State;
pub use sockets::{KNOWN, ROOTS, Section, Sockets};

use crate::delivery::health;
use crate::event::{Actor, Body, BootTime, Event, WorkloadIdentified};
use link::Link;
use shared::Shared;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Most questions that wait for a runtime, and most answers that wait for the line.
const WAITING_MAX: usize = 1024;

/// The runtimes, as the agent sees them. They are left alone when it is dropped.
pub struct Runtimes {
    asks: Vec<mpsc::Sender<Box<str>>>,
    answers: mpsc::Receiver<WorkloadIdentified>,
    shared: Arc<Shared>,
    /// Answers keep coming, perhaps.
    open: bool,
}

impl Runtimes {
    /// Begins to look for the runtimes. Without a thread for it the sensor goes on, which is logged.
    pub fn start(sockets: &Sockets) -> Runtimes {
        let (paths, given) = sockets.paths();
        let shared = Arc::new(Shared::new(&paths, given));
        let (answer, answers) = mpsc::channel(WAITING_MAX);
        let (asks, links): (Vec<_>, Vec<_>) = paths
            .into_iter()
            .enumerate()
            .map(|numbered| {
                let (ask, asked) = mpsc::channel(WAITING_MAX);
                (ask, Link::new(numbered, asked, answer.clone(), Arc::clone(&shared)))
            })
            .unzip();
        let started = match links.is_empty() {
            true => Ok(()),
            false => std::thread::Builder::new().name("weir-runtimes".to_owned()).spawn(|| serve(links)).map(drop),
        };
        if let Err(error) = started {
            tracing::warn!(%error, "there is no thread to ask container runtimes: containers go by their ids");
        }
        Runtimes { asks, answers, shared, open: true }
    }

    /// Asks every runtime for a container.
    pub fn ask(&mut self, id: &str) {
        for (link, ask) in self.asks.iter().enumerate() {
            if let Err(mpsc::error::TrySendError::Full(_)) = ask.try_send(id.into()) {
                self.shared.change(link, |state| state.refused += 1);
            }
        }
    }

    /// Waits for an answer. Nothing is lost when it is no longer awaited.
    pub async fn answer(&mut self) -> WorkloadIdentified {
        if self.open
            && let Some(answer) = self.answers.recv().await
        {
            return answer;
        }
        self.open = false;
        std::future::pending().await
    }

    /// An answer that is there.
    pub fn try_answer(&mut self) -> Option<WorkloadIdentified> {
        self.answers.try_recv().ok()
    }

    /// How each link is that somebody expects to be there.
    pub fn states(&self) -> Vec<State> {
        self.shared.states().into_iter().filter(|state| state.expected).collect()
    }

    /// All of them together, for the metrics.
    pub fn summary(&self) -> health::Runtimes {
        let states = self.states();
        let sum = |count: fn(&State) -> u64| states.iter().map(count).fold(0, u64::saturating_add);
        health::Runtimes {
            connected: sum(|state| u64::from(state.connected)),
            away: sum(|state| u64::from(!state.connected)),
            requests: vec![
                ("asked", sum(|state| state.asked)),
                ("answered", sum(|state| state.answered)),
                ("unknown", sum(|state| state.unknown)),
                ("failed", sum(|state| state.failed)),
                ("refused", sum(|state| state.refused)),
            ],
        }
    }
}

/// An answer as the line takes it, at `now`.
pub fn event(told: WorkloadIdentified, now: BootTime) -> Event {
    Event::new(now, None, Actor::default(), Body::WorkloadIdentified(told))
}

/// The thread: every link, until the agent ends.
fn serve(links: Vec<Link>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return tracing::warn!(%error, "container runtimes cannot be asked: containers go by their ids");
        }
    };
    runtime.block_on(async {
        let tasks: Vec<_> = links.into_iter().map(|link| tokio::spawn(link.run())).collect();
        for task in tasks {
            // It does not panic; if it does, the others go on.
            let _ = task.await;
        }
    });
}

/// The runtimes' sockets that are there.
fn present(sockets: &Sockets) -> Vec<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let (paths, given) = sockets.paths();
    let mut seen = Vec::new();
    let mut present = Vec::new();
    for path in paths {
        match std::fs::metadata(&path) {
            Ok(status) if seen.contains(&(status.dev(), status.ino())) => {}
            Ok(status) => {
                seen.push((status.dev(), status.ino()));
                present.push(path);
            }
            Err(_) if given => present.push(path),
            Err(_) => {}
        }
    }
    present
}
