//! What the API server says of pods (core/v1 `Pod`), as far as it is wanted: the names are those of Kubernetes' API.

use super::Pod;
use super::pod::CONTAINERS_MAX;
use crate::agent::runtime::identity::{Image, labels, some};
use crate::event::{Identity, Owner};
use serde::Deserialize;
use std::collections::HashMap;

/// The annotation of the pod that the kubelet shows for a static one: the uid of that, by which the runtime knows it.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Most owners of a pod.
const OWNERS_MAX: usize = 4;

/// `PodList`
#[derive(Deserialize)]
pub struct List {
    /// When it was so.
    pub metadata: ListMeta,
    /// The pods.
    #[serde(default)]
    pub items: Vec<Message>,
}

/// `ListMeta`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMeta {
    /// From here on the watch goes on.
    pub resource_version: String,
}

/// `Pod`
#[derive(Deserialize)]
pub struct Message {
    /// What all objects have.
    pub metadata: Meta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

/// `ObjectMeta`
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Meta {
    /// The version of the object.
    pub resource_version: String,
    uid: String,
    name: String,
    namespace: String,
    labels: HashMap<String, String>,
    annotations: HashMap<String, String>,
    owner_references: Vec<OwnerReference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnerReference {
    kind: String,
    name: String,
    controller: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    service_account_name: String,
    node_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(rename = "podIP")]
    pod_ip: String,
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    name: String,
    image: String,
    #[serde(rename = "imageID")]
    image_id: String,
    #[serde(rename = "containerID")]
    container_id: String,
}

impl Message {
    /// The pod.
    pub fn pod(self) -> Pod {
        let Message {
            metadata: Meta { uid, name, namespace, labels: all, annotations, owner_references, .. },
            spec,
            status,
        } = self;
        let uid = some(annotations.get(MIRROR).unwrap_or(&uid)).unwrap_or_default();
        let mut owners: Vec<Owner> = owner_references.iter().map(owner).collect();
        owners.sort_by_key(|owner| !owner.controller);
        owners.truncate(OWNERS_MAX);
        let (namespace, name) = (some(&namespace).unwrap_or_default(), some(&name).unwrap_or_default());
        let statuses = [status.container_statuses, status.init_container_statuses, status.ephemeral_container_statuses];
        let containers = statuses.iter().flatten().filter_map(|status| {
            let identity = Identity {
                namespace: Some(namespace.clone()),
                pod_name: Some(name.clone()),
                pod_uid: Some(uid.clone()),
                ..Identity::default()
            };
            container(status, identity)
        });
        let containers = containers.take(CONTAINERS_MAX).collect();
        Pod {
            labels: labels(all),
            owners: owners.into(),
            service_account: some(&spec.service_account_name),
            ip: status.pod_ip.parse().ok(),
            node: some(&spec.node_name),
            containers,
            uid,
            namespace,
            name,
        }
    }
}

fn owner(reference: &OwnerReference) -> Owner {
    Owner {
        kind: some(&reference.kind).unwrap_or_default(),
        name: some(&reference.name).unwrap_or_default(),
        controller: reference.controller.unwrap_or(false),
    }
}

/// The id of a container that was started, and what the pod tells of it.
fn container(status: &ContainerStatus, mut identity: Identity) -> Option<(Box<str>, Identity)> {
    // `containerd://ID`; nothing before it was started.
    let (runtime, id) = status.container_id.split_once("://")?;
    let mut image = Image::default();
    image.reference(&status.image);
    // dockershim: `docker-pullable://NAME@DIGEST`.
    image.id(status.image_id.split_once("://").map_or(&*status.image_id, |(_, id)| id));
    image.tell(&mut identity);
    identity.container_name = some(&status.name);
    identity.runtime = some(runtime);
    Some((some(id)?, identity))
}
