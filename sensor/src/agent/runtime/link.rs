//! The link to one socket: finds the runtime, asks it, listens to it, and finds it again when it was away.
//!
//! Connected, it first has itself told what happens, then asks for all that there is, so that nothing falls between the two. From then on a
//! container is asked for when the runtime tells of it, or the line sees it, whichever is first. What was answered is kept after the
//! container is gone, so that who asks again is answered without the runtime.

use super::client::{CallError, Client, Unusable, Watch, Watched};
use super::shared::Shared;
use super::wanted::Wanted;
use crate::bounded::Bounded;
use crate::event::{Identity, WorkloadIdentified};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Most containers that are kept, of one runtime; a few hundred bytes each.
const KNOWN_MAX: usize = 8192;
/// The first pause before a socket is tried again; it doubles up to the longest.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);
/// A runtime that tells nothing by itself is asked so often whether it is still there.
const PULSE: Duration = Duration::from_secs(30);

/// See the module's text.
pub struct Link {
    /// Its number.
    pub index: usize,
    /// The socket.
    pub path: PathBuf,
    /// Containers that the line asks for.
    pub asks: mpsc::Receiver<Box<str>>,
    /// To the line.
    pub answers: mpsc::Sender<WorkloadIdentified>,
    /// What it tells of itself.
    pub shared: Arc<Shared>,
    known: Bounded<Box<str>, Arc<Identity>>,
    wanted: Wanted,
    /// A runtime has answered here.
    found: bool,
    /// What was last said in the log: the same is not said twice.
    said: Option<String>,
}

/// Why a link goes no further.
enum Stop {
    /// The agent ends.
    Ended,
    /// The runtime is away.
    Away(String),
}

impl Link {
    /// A link that is not connected yet.
    pub fn new(
        (index, path): (usize, PathBuf),
        asks: mpsc::Receiver<Box<str>>,
        answers: mpsc::Sender<WorkloadIdentified>,
        shared: Arc<Shared>,
    ) -> Link {
        let known = Bounded::new(KNOWN_MAX, Duration::ZERO);
        Link { index, path, asks, answers, shared, known, wanted: Wanted::default(), found: false, said: None }
    }

    /// Goes on until the agent ends.
    pub async fn run(mut self) {
        let mut pause = SHORTEST;
        loop {
            let opened = match self.shared.is_another(self.index) {
                true => Err(Unusable::Absent),
                false => Client::open(&self.path).await,
            };
            let before = Instant::now();
            let away = match opened {
                Ok(client) => match self.serve(client).await {
                    Stop::Ended => return,
                    Stop::Away(reason) => Unusable::Wrong(reason),
                },
                Err(unusable) => unusable,
            };
            self.away(away);
            // It was there for a while.
            if before.elapsed() > LONGEST {
                pause = SHORTEST;
            }
            if !self.wait(pause.mul_f64(0.75 + fastrand::f64() / 4.0)).await {
                return;
            }
            pause = pause.saturating_mul(2).min(LONGEST);
        }
    }

    /// With a runtime that answers, until it does not.
    async fn serve(&mut self, mut client: Client) -> Stop {
        let name = client.name().to_owned();
        let mut watch = match client.watch().await {
            Ok(watch) => watch,
            Err(error) => return Stop::Away(error.reason()),
        };
        let listed = match client.list().await {
            Ok(listed) => listed,
            Err(error) => return Stop::Away(error.reason()),
        };
        self.found = true;
        for id in listed {
            self.want(id);
        }
        if self.said.take().is_some() {
            tracing::info!(socket = %self.path.display(), runtime = name, "the container runtime answers");
        }
        let how = watch.as_ref().map(Watch::name);
        self.shared.change(self.index, |state| {
            (state.expected, state.connected, state.reason) = (true, true, None);
            (state.runtime, state.watch, state.since) = (Some(name), how, Some(SystemTime::now()));
        });
        loop {
            while let Some((id, asked)) = self.wanted.take() {
                if let Err(stop) = self.ask(&mut client, id, asked).await {
                    return stop;
                }
                // Meanwhile others may have come.
                while let Ok(id) = self.asks.try_recv() {
                    self.asked(id).await;
                }
            }
            let due = self.wanted.next_due().unwrap_or_else(|| Instant::now() + PULSE);
            tokio::select! {
                id = self.asks.recv() => match id {
                    Some(id) => self.asked(id).await,
                    None => return Stop::Ended,
                },
                told = next(&mut watch) => match told {
                    Ok(told) => self.told(told),
                    // It said so late.
                    Err(CallError::Unoffered(_)) => {
                        watch = None;
                        self.shared.change(self.index, |state| state.watch = None);
                    }
                    Err(error) => return Stop::Away(error.reason()),
                },
                () = tokio::time::sleep_until(due) => {
                    if watch.is_none() && self.wanted.next_due().is_none() {
                        match client.list().await {
                            Ok(listed) => listed.into_iter().for_each(|id| self.want(id)),
                            Err(error) => return Stop::Away(error.reason()),
                        }
                    }
                }
            }
        }
    }

    /// Asks the runtime for one container.
    async fn ask(&mut self, client: &mut Client, id: Box<str>, asked: usize) -> Result<(), Stop> {
        if asked == 0 {
            self.shared.change(self.index, |state| state.asked += 1);
        }
        match client.inspect(&id).await {
            Ok(Some(identity)) => {
                self.wanted.done(&id);
                let identity = Arc::new(identity);
                self.known.insert(id.clone(), Arc::clone(&identity));
                let known = self.known.len() as u64;
                self.shared.change(self.index, |state| (state.answered, state.known) = (state.answered + 1, known));
                let told = WorkloadIdentified { container_id: id, identity };
                self.answers.send(told).await.map_err(|_| Stop::Ended)?;
            }
            Err(CallError::Lost(reason)) => {
                self.shared.change(self.index, |state| state.failed += 1);
                self.wanted.put_back(id, asked.max(1));
                return Err(Stop::Away(reason));
            }
            answer => {
                let failed = answer.is_err();
                if let Err(error) = answer {
                    tracing::debug!(container = &*id, reason = error.reason(), "the runtime could not be asked");
                }
                let given_up = !self.wanted.again(id, asked);
                self.shared.change(self.index, |state| {
                    state.failed += u64::from(failed);
                    state.unknown += u64::from(given_up);
                });
            }
        }
        Ok(())
    }

    /// The line asks.
    async fn asked(&mut self, id: Box<str>) {
        match self.known.get(&id) {
            // If the agent ends, the next receive tells.
            Some(identity) => {
                let told = WorkloadIdentified { container_id: id, identity: Arc::clone(identity) };
                drop(self.answers.send(told).await);
            }
            None if self.found => self.want(id),
            // Where nobody ever answered nothing is kept: who comes is asked for all that there is.
            None => {}
        }
    }

    /// The runtime tells by itself.
    fn told(&mut self, told: Watched) {
        if told.changed {
            self.known.remove(&told.id);
        }
        self.want(told.id);
    }

    fn want(&mut self, id: Box<str>) {
        if self.known.get(&id).is_none() && !self.wanted.want(id) {
            self.shared.change(self.index, |state| state.refused += 1);
        }
    }

    /// The runtime is away, which is said if somebody expects it to be there: because it was named or has answered before, or because there
    /// is something that does not do. That one of the known sockets is not there is no news.
    fn away(&mut self, unusable: Unusable) {
        let wrong = matches!(unusable, Unusable::Wrong(_));
        let reason = unusable.reason();
        let mut expected = false;
        self.shared.change(self.index, |state| {
            state.expected |= wrong;
            expected = state.expected;
            if state.connected || state.since.is_none() {
                state.since = Some(SystemTime::now());
            }
            (state.connected, state.watch, state.reason) = (false, None, Some(reason.clone()));
        });
        if expected && self.said.as_ref() != Some(&reason) {
            tracing::warn!(
                socket = %self.path.display(),
                reason,
                "the container runtime does not answer: containers go by their ids until it does"
            );
            self.said = Some(reason);
        }
    }

    /// Waits, and takes down what the line asks for meanwhile. False if the agent ends.
    async fn wait(&mut self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            tokio::select! {
                id = self.asks.recv() => match id {
                    Some(id) => self.asked(id).await,
                    None => return false,
                },
                () = tokio::time::sleep_until(end) => return true,
            }
        }
    }
}

/// What the runtime tells next; never, if it tells nothing.
async fn next(watch: &mut Option<Watch>) -> Result<Watched, CallError> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}
