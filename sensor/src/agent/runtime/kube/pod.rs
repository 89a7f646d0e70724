//! A pod, as far as Weir wants to know it.

use crate::event::{Identity, Owner};
use std::net::IpAddr;

/// Most containers of a pod.
pub const CONTAINERS_MAX: usize = 64;

/// A pod. Texts are bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// The uid by which the runtime knows it; of a static pod this is not the API server's.
    pub uid: Box<str>,
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Its labels, in the order of their keys.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// What it belongs to, the one that manages it first.
    pub owners: Box<[Owner]>,
    /// Its service account.
    pub service_account: Option<Box<str>>,
    /// Its first address, once it has one.
    pub ip: Option<IpAddr>,
    /// Its node.
    pub node: Option<Box<str>>,
    /// Its containers that were started, as the kubelet tells: the id, and what is known of it by the pod alone.
    pub containers: Box<[(Box<str>, Identity)]>,
}

impl Pod {
    /// Whether this identity is of a container of this pod. A pod that names another one's uid (static pods can) is told apart by its name.
    pub fn is_of(&self, identity: &Identity) -> bool {
        let same = |own: &str, told: &Option<Box<str>>| told.as_deref().is_none_or(|told| told == own);
        same(&self.uid, &identity.pod_uid)
            && same(&self.namespace, &identity.namespace)
            && same(&self.name, &identity.pod_name)
    }

    /// Adds what is known of the pod to what is known of a container of it. Labels are the pod's of now.
    #[must_use]
    pub fn add_to(&self, identity: &Identity) -> Identity {
        Identity {
            namespace: Some(self.namespace.clone()),
            pod_name: Some(self.name.clone()),
            pod_uid: Some(self.uid.clone()),
            labels: self.labels.clone(),
            owners: Some(self.owners.clone()),
            service_account: self.service_account.clone(),
            pod_ip: self.ip,
            node_name: self.node.clone(),
            ..identity.clone()
        }
    }
}
