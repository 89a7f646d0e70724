//! What runtimes say of containers and what the API server says of their pods, put together. Pure: the answers come out in the order in
//! which they went in.
//!
//! A runtime's answer is handed on at once, with the pod if that is known. A pod is told of for each of its containers that is known, if
//! that says anything new: mostly it does not, since the API server tells of a pod whenever its status changes. Where no runtime is asked
//! the pod alone tells of its containers.

use super::Pod;
use super::pod::CONTAINERS_MAX;
use crate::bounded::Bounded;
use crate::event::{Identity, WorkloadIdentified};
use std::sync::Arc;
use std::time::Duration;

/// Most pods that are kept: some times what a node can have, so that one that is gone is still known. The one that was not used for longest goes first.
const PODS_MAX: usize = 2048;
/// Most containers likewise.
const KNOWN_MAX: usize = 8192;

/// See the module's text.
#[derive(Debug)]
pub struct Join {
    pods: Bounded<Box<str>, Kept>,
    containers: Bounded<Box<str>, Known>,
}

/// A pod by its uid.
#[derive(Debug, Default)]
struct Kept {
    /// As the API server told.
    pod: Option<Arc<Pod>>,
    /// Ids of its containers.
    containers: Vec<Box<str>>,
}

/// A container by its id.
#[derive(Debug, Default)]
struct Known {
    /// As a runtime told.
    runtime: Option<Arc<Identity>>,
    /// As its pod tells.
    of_pod: Option<Arc<Identity>>,
    /// As it was last handed on.
    said: Option<Arc<Identity>>,
}

impl Default for Join {
    fn default() -> Join {
        Join { pods: Bounded::new(PODS_MAX, Duration::ZERO), containers: Bounded::new(KNOWN_MAX, Duration::ZERO) }
    }
}

impl Join {
    /// A runtime has told of a container.
    pub fn container(&mut self, told: WorkloadIdentified) -> WorkloadIdentified {
        let WorkloadIdentified { container_id, identity } = told;
        let mut whole = Arc::clone(&identity);
        if let Some(uid) = &identity.pod_uid {
            let kept = self.pods.get_or_insert_with(uid.clone(), Kept::default);
            kept.add(&container_id);
            if let Some(pod) = kept.pod.as_ref().filter(|pod| pod.is_of(&identity)) {
                whole = Arc::new(pod.add_to(&identity));
            }
        }
        let known = self.containers.get_or_insert_with(container_id.clone(), Known::default);
        known.runtime = Some(identity);
        known.said = Some(Arc::clone(&whole));
        WorkloadIdentified { container_id, identity: whole }
    }

    /// The API server has told of a pod: what is new of its containers.
    pub fn pod(&mut self, pod: Pod) -> Vec<WorkloadIdentified> {
        let pod = Arc::new(pod);
        let kept = self.pods.get_or_insert_with(pod.uid.clone(), Kept::default);
        for (id, identity) in &pod.containers {
            kept.add(id);
            let known = self.containers.get_or_insert_with(id.clone(), Known::default);
            known.of_pod = Some(Arc::new(identity.clone()));
        }
        kept.pod = Some(Arc::clone(&pod));
        let mut news = Vec::new();
        for id in &kept.containers {
            let Some(known) = self.containers.get(id) else { continue };
            let Some(identity) = known.runtime.as_ref().or(known.of_pod.as_ref()).filter(|known| pod.is_of(known))
            else {
                continue;
            };
            let whole = Arc::new(pod.add_to(identity));
            if known.said.as_ref() != Some(&whole) {
                known.said = Some(Arc::clone(&whole));
                news.push(WorkloadIdentified { container_id: id.clone(), identity: whole });
            }
        }
        news
    }

    /// The line asks for a container: what was said of it, if no runtime will say it again.
    pub fn asked(&mut self, id: &str) -> Option<WorkloadIdentified> {
        let known = self.containers.get(id).filter(|known| known.runtime.is_none())?;
        Some(WorkloadIdentified { container_id: id.into(), identity: Arc::clone(known.said.as_ref()?) })
    }
}

impl Kept {
    /// A container is of this pod. Where there are too many the oldest is forgotten: one that is restarted all the time has had many.
    fn add(&mut self, id: &str) {
        if self.containers.iter().any(|own| **own == *id) {
            return;
        }
        if self.containers.len() >= CONTAINERS_MAX {
            self.containers.remove(0);
        }
        self.containers.push(id.into());
    }
}
