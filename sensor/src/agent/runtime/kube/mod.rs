//! Pods, from the API server of Kubernetes (`--kube`): owners, labels as they are now, service accounts, addresses.
//!
//! It is the second source: [`join`] adds what it says of a pod to what a runtime says of the pod's containers. It is asked for the pods of
//! this node and nothing else (`get`, `list`, `watch` of pods). What speaks to it ([`client`], [`link`]) is there with the cargo feature
//! `kube`; without it `--kube` is refused.

#[cfg(feature = "kube")]
mod client;
mod doctor;
pub mod join;
#[cfg(feature = "kube")]
mod link;
#[cfg(feature = "kube")]
mod message;
mod pod;

#[cfg(test)]
mod tests;

pub use doctor::finding;
#[cfg(feature = "kube")]
pub use link::Link;
pub use pod::Pod;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Where the name of the node is, by the manifest of the pod (`fieldRef: spec.nodeName`).
pub const NODE: &str = "NODE_NAME";

/// Whose pods are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name of this node.
    pub node: Box<str>,
}

/// Why the API server cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeError {
    /// This program cannot speak to it.
    #[error(
        "--kube asks the API server of Kubernetes, and this weir was built without that: build it with `cargo build --features kube`, or leave out --kube and WEIR_KUBE"
    )]
    NotBuilt,
    /// Nobody said which node this is.
    #[error(
        "--kube asks for the pods of one node, and NODE_NAME does not say which: set it from spec.nodeName (fieldRef) in the pod's manifest, or to the node's name"
    )]
    NoNode,
}

impl Settings {
    /// By the environment.
    ///
    /// # Errors
    /// [`KubeError`].
    pub fn new(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, KubeError> {
        if cfg!(not(feature = "kube")) {
            return Err(KubeError::NotBuilt);
        }
        let node = variable(NODE).filter(|node| !node.is_empty()).ok_or(KubeError::NoNode)?;
        Ok(Settings { node: node.into() })
    }
}

/// How the link to the API server is. Totals are since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Its URL, once it is known.
    pub server: Option<String>,
    /// Whose pods are asked for.
    pub node: Box<str>,
    /// Since when it is as it is.
    pub since: Option<SystemTime>,
    /// It answers.
    pub connected: bool,
    /// Why it does not answer, and the mend.
    pub reason: Option<String>,
    /// Pods of this node now.
    pub pods: u64,
    /// Pods that it told of, each time that it did.
    pub told: u64,
    /// How often it was away.
    pub failed: u64,
}

/// The state of the link, for who wants to know.
#[derive(Debug, Default)]
pub struct Shared(Mutex<State>);

impl Shared {
    /// Of a link that has not answered yet.
    pub fn new(settings: &Settings) -> Shared {
        Shared(Mutex::new(State { node: settings.node.clone(), ..State::default() }))
    }

    /// How it is.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Changes it.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
