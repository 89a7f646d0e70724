//! The link to the API server: asks for the pods of the node, has itself told what changes, and finds the server again when it was away.

use super::client::{Change, Client, Told, Unusable};
use super::{Pod, Settings, Shared};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The first pause before the server is asked again; it doubles up to the longest: thousands of nodes wait for it together.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// A watch that ends sooner is one that does not work.
const SOON: Duration = Duration::from_secs(1);

/// See the module's text.
pub struct Link {
    /// Whose pods.
    pub settings: Settings,
    /// To who puts them together with the containers.
    pub pods: mpsc::Sender<Pod>,
    /// What it tells of itself.
    pub shared: Arc<Shared>,
    /// What was last said in the log: the same is not said twice.
    said: Option<String>,
}

/// Why a link goes no further.
enum Stop {
    /// The agent ends.
    Ended,
    /// All has to be asked for again.
    Anew,
    /// The server is away.
    Away(String),
}

impl From<Unusable> for Stop {
    fn from(unusable: Unusable) -> Stop {
        match unusable {
            Unusable::Gone => Stop::Anew,
            Unusable::Away(reason) => Stop::Away(reason),
        }
    }
}

impl Link {
    /// A link that is not connected yet.
    pub fn new(settings: Settings, pods: mpsc::Sender<Pod>, shared: Arc<Shared>) -> Link {
        Link { settings, pods, shared, said: None }
    }

    /// Goes on until the agent ends.
    pub async fn run(mut self) {
        let (end, mut pause) = (self.pods.clone(), SHORTEST);
        loop {
            let before = Instant::now();
            let stop = tokio::select! {
                () = end.closed() => Stop::Ended,
                stop = self.serve() => stop,
            };
            match stop {
                Stop::Ended => return,
                Stop::Anew => {}
                Stop::Away(reason) => self.away(reason),
            }
            // It was there for a while.
            if before.elapsed() > LONGEST {
                pause = SHORTEST;
            }
            tokio::select! {
                () = end.closed() => return,
                () = tokio::time::sleep(pause.mul_f64(0.75 + fastrand::f64() / 4.0)) => {}
            }
            pause = pause.saturating_mul(2).min(LONGEST);
        }
    }

    /// Until the server does not answer any more.
    async fn serve(&mut self) -> Stop {
        let Err(stop) = self.follow().await;
        stop
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Stop> {
        let client = Client::open(&self.settings).await?;
        self.shared.change(|state| state.server = Some(client.server.clone()));
        let (pods, mut version) = client.list().await?;
        self.answers(&client, pods.len());
        for pod in pods {
            self.tell(pod).await?;
        }
        loop {
            let begun = Instant::now();
            let mut watch = client.watch(version).await?;
            version = loop {
                match watch.next().await? {
                    Told::End(version) => break version,
                    Told::Pod(change, pod) => {
                        self.shared.change(|state| match change {
                            Change::Added => state.pods += 1,
                            Change::Modified => {}
                            Change::Deleted => state.pods = state.pods.saturating_sub(1),
                        });
                        self.tell(*pod).await?;
                    }
                }
            };
            if begun.elapsed() < SOON {
                let reason = "it ends what it tells at once: see its log, and that of a proxy before it";
                return Err(Stop::Away(reason.to_owned()));
            }
        }
    }

    async fn tell(&self, pod: Pod) -> Result<(), Stop> {
        self.shared.change(|state| state.told += 1);
        self.pods.send(pod).await.map_err(|_| Stop::Ended)
    }

    fn answers(&mut self, client: &Client, pods: usize) {
        if self.said.take().is_some() {
            tracing::info!(server = client.server, pods, "the API server answers");
        }
        self.shared.change(|state| {
            if !state.connected {
                state.since = Some(SystemTime::now());
            }
            (state.connected, state.reason, state.pods) = (true, None, pods as u64);
        });
    }

    fn away(&mut self, reason: String) {
        self.shared.change(|state| {
            if state.connected || state.since.is_none() {
                state.since = Some(SystemTime::now());
            }
            (state.connected, state.reason) = (false, Some(reason.clone()));
            state.failed += 1;
        });
        if self.said.as_ref() != Some(&reason) {
            let server = self.shared.state().server.unwrap_or_default();
            tracing::warn!(
                server,
                reason,
                "the API server does not answer: pods go by what the container runtime says until it does"
            );
            self.said = Some(reason);
        }
    }
}
