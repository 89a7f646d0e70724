//! Who the containers are, from the runtimes on this machine: containerd and CRI-O by CRI ([`cri`]), Docker and Podman by their API
//! ([`engine`]), each on its unix socket; and what their pods belong to, from the API server of Kubernetes, where that is asked ([`kube`]).
//!
//! [`Runtimes`] is the agent's end. It asks for containers that the line has seen and nobody has named, and takes the answers, which become
//! events of the line. The rest is on a thread of its own, a [`link`] a socket: what a runtime does, or does not, never holds up the line.
//! Everything in between is bounded; what finds no room is counted. Nothing of detection lives here.

pub mod client;
pub mod cri;
mod doctor;
mod engine;
mod identity;
pub mod kube;
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
use kube::join::Join;
use link::Link;
use shared::Shared;
use std::collections::VecDeque;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Most questions that wait for a runtime, and most answers that wait for the line.
const WAITING_MAX: usize = 1024;

/// The runtimes, as the agent sees them. They are left alone when it is dropped.
pub struct Runtimes {
    asks: Vec<mpsc::Sender<Box<str>>>,
    answers: mpsc::Receiver<WorkloadIdentified>,
    shared: Arc<Shared>,
    /// The API server, where it is asked.
    kube: Option<Kube>,
}

/// The API server, as the agent sees it.
struct Kube {
    pods: mpsc::Receiver<kube::Pod>,
    shared: Arc<kube::Shared>,
    join: Join,
    /// What the line is to be told; a few of one pod at most.
    news: VecDeque<WorkloadIdentified>,
}

impl Runtimes {
    /// Begins to look for the runtimes, and for the API server if there are settings of it. Without a thread for it the sensor goes on,
    /// which is logged.
    pub fn start(sockets: &Sockets, kube: Option<&kube::Settings>) -> Runtimes {
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
        let mut tasks: Vec<Task> = links.into_iter().map(|link| Box::pin(link.run()) as Task).collect();
        let kube = kube.map(|settings| Kube::new(settings, &mut tasks));
        let started = match tasks.is_empty() {
            true => Ok(()),
            false => std::thread::Builder::new().name("weir-runtimes".to_owned()).spawn(|| serve(tasks)).map(drop),
        };
        if let Err(error) = started {
            tracing::warn!(%error, "there is no thread to ask container runtimes: containers go by their ids");
        }
        Runtimes { asks, answers, shared, kube }
    }

    /// Asks every runtime for a container.
    pub fn ask(&mut self, id: &str) {
        for (link, ask) in self.asks.iter().enumerate() {
            if let Err(mpsc::error::TrySendError::Full(_)) = ask.try_send(id.into()) {
                self.shared.change(link, |state| state.refused += 1);
            }
        }
        if let Some(kube) = &mut self.kube {
            kube.news.extend(kube.join.asked(id));
        }
    }

    /// Waits for an answer. Nothing is lost when it is no longer awaited.
    pub async fn answer(&mut self) -> WorkloadIdentified {
        let Some(kube) = &mut self.kube else { return next(&mut self.answers).await };
        loop {
            if let Some(told) = kube.news.pop_front() {
                return told;
            }
            tokio::select! {
                told = next(&mut self.answers) => return kube.join.container(told),
                pod = next(&mut kube.pods) => kube.news.extend(kube.join.pod(pod)),
            }
        }
    }

    /// An answer that is there.
    pub fn try_answer(&mut self) -> Option<WorkloadIdentified> {
        let told = self.answers.try_recv().ok();
        let Some(kube) = &mut self.kube else { return told };
        if let Some(told) = told {
            return Some(kube.join.container(told));
        }
        while kube.news.is_empty()
            && let Ok(pod) = kube.pods.try_recv()
        {
            kube.news.extend(kube.join.pod(pod));
        }
        kube.news.pop_front()
    }

    /// How the link to the API server is, where it is asked.
    pub fn kube(&self) -> Option<kube::State> {
        self.kube.as_ref().map(|kube| kube.shared.state())
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

/// What a link does until the agent ends.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Kube {
    fn new(settings: &kube::Settings, tasks: &mut Vec<Task>) -> Kube {
        let (pod, pods) = mpsc::channel(WAITING_MAX);
        let shared = Arc::new(kube::Shared::new(settings));
        #[cfg(feature = "kube")]
        tasks.push(Box::pin(kube::Link::new(settings.clone(), pod, Arc::clone(&shared)).run()));
        #[cfg(not(feature = "kube"))]
        drop((pod, tasks));
        Kube { pods, shared, join: Join::default(), news: VecDeque::new() }
    }
}

/// What comes next; nothing ever, when nobody is left to send.
async fn next<T>(from: &mut mpsc::Receiver<T>) -> T {
    match from.recv().await {
        Some(next) => next,
        None => std::future::pending().await,
    }
}

/// The thread: every link, until the agent ends.
fn serve(tasks: Vec<Task>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return tracing::warn!(%error, "container runtimes cannot be asked: containers go by their ids");
        }
    };
    runtime.block_on(async {
        let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
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
