//! A client of the API server: kube's, which finds it, logs in and speaks TLS. Its answers are read here, since they are to be bounded.

use super::message::{List, Message};
use super::{Pod, Settings};
use crate::agent::runtime::transport;
use futures_util::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use kube::config::{InClusterError, KubeConfigOptions};
use kube::core::params::{ListParams, VersionMatch, WatchParams};
use kube::core::{Request, Status, WatchEvent};
use kube::{Client as Kube, Config, Error};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long the server may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long it goes on telling by one request, as kube's own watches have it; so much longer it may take to say that this is over.
const WATCH_SECONDS: u32 = 290;
const LATE: Duration = Duration::from_secs(15);
/// Most bytes of a list: a pod is some ten KiB, a node has some hundred.
const LIST_MAX: u64 = 64 << 20;
/// Most bytes of one pod: twice what the server takes.
const POD_MAX: u64 = 6 << 20;

const PODS: &str = "/api/v1/pods";

/// A client that has found the server, and has not necessarily spoken to it.
pub struct Client {
    kube: Kube,
    /// The server's URL, for people.
    pub server: String,
    node: Box<str>,
}

/// What the server tells by itself.
pub struct Watch {
    lines: Pin<Box<dyn AsyncBufRead + Send>>,
    version: String,
}

/// What it told.
pub enum Told {
    /// A pod is new, or another than before.
    Pod(Change, Box<Pod>),
    /// That was all for now: from this version on there may be more.
    End(String),
}

/// What became of the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new on this node.
    Added,
    /// It has changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// Why the server does not tell, and the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is too long ago: all has to be asked for anew.
    Gone,
    /// See the text.
    Away(String),
}

impl Client {
    /// By `KUBECONFIG`, else by the service account of the pod.
    ///
    /// # Errors
    /// Neither says where the server is.
    pub async fn open(settings: &Settings) -> Result<Client, Unusable> {
        let named = std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty());
        let mut config = match named {
            Some(_) => Config::from_kubeconfig(&KubeConfigOptions::default()).await.map_err(|error| {
                Unusable::Away(format!(
                    "KUBECONFIG does not say where it is ({error}): mend that file, or unset KUBECONFIG in a pod"
                ))
            })?,
            None => Config::incluster_env().map_err(|error| Unusable::Away(not_in_a_pod(&error)))?,
        };
        // Tried again by the link, which also tells of it.
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        let kube = Kube::try_from(config).map_err(|error| refused(&error))?;
        Ok(Client { kube, server, node: settings.node.clone() })
    }

    /// All pods of the node, and when that was.
    ///
    /// # Errors
    /// [`Unusable`].
    pub async fn list(&self) -> Result<(Vec<Pod>, String), Unusable> {
        // From the server's memory, as the kubelet does it: thousands of nodes may ask at once.
        let parameters = ListParams {
            field_selector: Some(self.selector()),
            version_match: Some(VersionMatch::NotOlderThan),
            resource_version: Some("0".to_owned()),
            ..ListParams::default()
        };
        let request = Request::new(PODS).list(&parameters).map_err(|error| refused(&Error::BuildRequest(error)))?;
        let answer = async {
            let mut text = Vec::new();
            let body = self.kube.request_stream(request).await.map_err(|error| refused(&error))?;
            let read = Box::pin(body).take(LIST_MAX).read_to_end(&mut text).await;
            read.map_err(|error| lost(&error))?;
            serde_json::from_slice::<List>(&text).map_err(|error| nonsense(&error))
        };
        let list = timeout(TIMEOUT, answer).await.unwrap_or_else(|_| Err(late()))?;
        Ok((list.items.into_iter().map(Message::pod).collect(), list.metadata.resource_version))
    }

    /// Has it tell of the pods of the node from `version` on.
    ///
    /// # Errors
    /// [`Unusable`].
    pub async fn watch(&self, version: String) -> Result<Watch, Unusable> {
        let parameters = WatchParams::default().fields(&self.selector()).timeout(WATCH_SECONDS);
        let request =
            Request::new(PODS).watch(&parameters, &version).map_err(|error| refused(&Error::BuildRequest(error)))?;
        let opened = timeout(TIMEOUT, self.kube.request_stream(request)).await;
        let lines = opened.map_err(|_| late())?.map_err(|error| refused(&error))?;
        Ok(Watch { lines: Box::pin(lines), version })
    }

    fn selector(&self) -> String {
        format!("spec.nodeName={}", self.node)
    }
}

impl Watch {
    /// What it tells next.
    ///
    /// # Errors
    /// It tells no more.
    pub async fn next(&mut self) -> Result<Told, Unusable> {
        let patience = Duration::from_secs(WATCH_SECONDS.into()) + LATE;
        loop {
            let mut line = Vec::new();
            let mut lines = (&mut self.lines).take(POD_MAX);
            match timeout(patience, lines.read_until(b'\n', &mut line)).await {
                Err(_) => return Err(late()),
                // Also how a connection ends that a proxy cuts off between two pods.
                Ok(Ok(0)) => return Ok(Told::End(std::mem::take(&mut self.version))),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(lost(&error)),
            }
            let (change, message) =
                match serde_json::from_slice::<WatchEvent<Message>>(&line).map_err(|error| nonsense(&error))? {
                    WatchEvent::Added(message) => (Change::Added, message),
                    WatchEvent::Modified(message) => (Change::Modified, message),
                    WatchEvent::Deleted(message) => (Change::Deleted, message),
                    WatchEvent::Bookmark(bookmark) => {
                        self.version = bookmark.metadata.resource_version;
                        continue;
                    }
                    WatchEvent::Error(status) => return Err(of_status(&status)),
                };
            self.version.clone_from(&message.metadata.resource_version);
            return Ok(Told::Pod(change, Box::new(message.pod())));
        }
    }
}

fn not_in_a_pod(error: &InClusterError) -> String {
    match error {
        InClusterError::ReadEnvironmentVariable(_) => {
            "nothing says where it is: run weir in a pod, or set KUBECONFIG".to_owned()
        }
        error => format!(
            "the pod's service account cannot be read ({error}): set automountServiceAccountToken in the pod's manifest"
        ),
    }
}

/// What the client makes of it, in a sentence with a mend.
fn refused(error: &Error) -> Unusable {
    match error {
        Error::Api(status) => of_status(status),
        Error::Auth(error) => Unusable::Away(format!("weir cannot log in ({error}): see the token or KUBECONFIG")),
        error => lost(error),
    }
}

fn of_status(status: &Status) -> Unusable {
    let words = status.message.escape_debug();
    Unusable::Away(match status.code {
        410 => return Unusable::Gone,
        401 => "it does not know the token (401): see that the pod's service account is there, or mend KUBECONFIG"
            .to_owned(),
        403 => format!(
            "it forbids this ({words}): bind a ClusterRole that may get, list and watch pods to the service account"
        ),
        code => format!("it refuses ({code} {words}): see its log"),
    })
}

fn lost(error: &(dyn std::error::Error + 'static)) -> Unusable {
    let reason = transport::last(error);
    Unusable::Away(format!(
        "it cannot be reached ({reason}): see that it runs, and that network policies let this pod speak to it"
    ))
}

fn nonsense(error: &serde_json::Error) -> Unusable {
    Unusable::Away(format!(
        "it answers, but not as an API server does ({error}): see that KUBECONFIG or KUBERNETES_SERVICE_HOST name one"
    ))
}

fn late() -> Unusable {
    Unusable::Away(format!("it has not answered within {} s: see that it runs", TIMEOUT.as_secs()))
}
