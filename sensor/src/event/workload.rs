//! What a process is part of.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// A cgroup of one hierarchy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct CgroupKey {
    /// 0 for cgroup v2, else the number of a v1 hierarchy.
    pub hierarchy: u32,
    /// Inode number of its directory.
    pub id: u64,
}

/// What kind of thing runs the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// A container of a runtime.
    Container,
    /// A Slurm job.
    SlurmJob,
    /// A systemd service or scope.
    SystemdUnit,
    /// The host itself, or something that no rule recognises.
    #[default]
    Host,
}

impl WorkloadKind {
    /// Every kind.
    pub const ALL: [WorkloadKind; 4] =
        [WorkloadKind::Container, WorkloadKind::SlurmJob, WorkloadKind::SystemdUnit, WorkloadKind::Host];

    /// The value of the field `weir.workload.kind`.
    pub fn name(self) -> &'static str {
        match self {
            WorkloadKind::Container => "container",
            WorkloadKind::SlurmJob => "slurm_job",
            WorkloadKind::SystemdUnit => "systemd_unit",
            WorkloadKind::Host => "host",
        }
    }
}

/// What a process is part of: the unit by which bytes are summed and findings are grouped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workload {
    /// What kind of thing it is.
    pub kind: WorkloadKind,
    /// Stable name of the workload, the field `weir.workload.id`: `container:<id>`, `slurm:<job>`, `systemd:<unit>` or `host`.
    pub id: Box<str>,
    /// The container's id, 64 hexadecimal digits with most runtimes.
    pub container_id: Option<Box<str>>,
    /// `containerd`, `cri-o`, `docker`, `podman`, where the path tells.
    pub runtime: Option<Cow<'static, str>>,
    /// The pod's uid, where the path tells.
    pub pod_uid: Option<Box<str>>,
    /// The systemd unit, where there is one.
    pub systemd_unit: Option<Box<str>>,
    /// The Slurm job's id, where there is one.
    pub slurm_job: Option<Box<str>>,
    /// The cgroup's path, as in `/proc/PID/cgroup`.
    pub cgroup_path: Box<str>,
    /// What a runtime said about the container; `None` as long as none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Arc<Identity>>,
}

/// What a runtime or an orchestrator says about a container. Whoever made the pod chose these words; what runs in it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The namespace of its pod.
    pub namespace: Option<Box<str>>,
    /// The name of its pod.
    pub pod_name: Option<Box<str>>,
    /// The labels of its pod, or its own where there is no pod: key and value.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// Its name in the pod, or with the runtime.
    pub container_name: Option<Box<str>>,
    /// The name of its image, without tag and digest ([`image_name`]).
    pub image: Option<Box<str>>,
    /// The tags that the image goes by.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub image_tags: Box<[Box<str>]>,
    /// What the runtime calls the image on this machine, mostly the digest of its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<Box<str>>,
    /// References to the image by the digest of its manifest.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub image_digests: Box<[Box<str>]>,
    /// The uid of its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<Box<str>>,
    /// The name of the runtime, as it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Box<str>>,
    /// What its pod belongs to, the one that manages it first; `None` where no API server told, empty where it told of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owners: Option<Box<[Owner]>>,
    /// The service account as which its pod asks the API server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<Box<str>>,
    /// The first address of its pod; the node's where it is on the node's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<IpAddr>,
    /// The node that its pod was given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<Box<str>>,
}

/// What a pod belongs to (`metadata.ownerReferences`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// Its kind: `ReplicaSet`, `StatefulSet`, `Job`, `RayCluster`, ...
    pub kind: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// It manages the pod. One of the owners does, or none.
    pub controller: bool,
}

impl Identity {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| **own == *key).map(|(_, value)| &**value)
    }

    /// The owner of that kind that made the pod. As the API server told; else by the labels that a controller gives its pods and by the
    /// pod's name, which begins with the owner's; `None` where they do not tell, as for a pod that somebody made by hand. Who made the
    /// pod can have written such labels, too.
    pub fn owner(&self, kind: OwnerKind) -> Option<&str> {
        let above = || self.pod_name.as_deref()?.rsplit_once('-').map(|(above, _)| above);
        let told = |kind: &str| {
            let mut owners = self.owners.as_deref().unwrap_or_default().iter();
            owners.find(|owner| owner.controller && *owner.kind == *kind).map(|owner| &*owner.name)
        };
        let is_told = self.owners.is_some();
        match kind {
            // A ReplicaSet that a Deployment made is named after both, by `DEPLOYMENT-HASH`.
            OwnerKind::Deployment => {
                self.owner(OwnerKind::ReplicaSet)?.strip_suffix(self.label("pod-template-hash")?)?.strip_suffix('-')
            }
            OwnerKind::ReplicaSet if is_told => told("ReplicaSet"),
            // A long name of a pod is cut, and then tells no more.
            OwnerKind::ReplicaSet => {
                let hash = self.label("pod-template-hash")?;
                above().filter(|above| above.ends_with(hash))
            }
            OwnerKind::Job if is_told => told("Job"),
            OwnerKind::Job => self.label("batch.kubernetes.io/job-name").or_else(|| self.label("job-name")),
            OwnerKind::StatefulSet if is_told => told("StatefulSet"),
            OwnerKind::StatefulSet => self.label("statefulset.kubernetes.io/pod-name").and_then(|_| above()),
            OwnerKind::DaemonSet if is_told => told("DaemonSet"),
            // The generation is of DaemonSets only.
            OwnerKind::DaemonSet => self.label("pod-template-generation").and_then(|_| above()),
        }
    }
}

/// What can own a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerKind {
    /// Through a ReplicaSet.
    Deployment,
    /// A ReplicaSet, also one that a Deployment made.
    ReplicaSet,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
    /// A Job, also one that a CronJob made.
    Job,
}

/// A runtime or an orchestrator has said what a container is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadIdentified {
    /// Which container.
    pub container_id: Box<str>,
    /// What it is.
    pub identity: Arc<Identity>,
}

/// An image's name out of a reference to it: `registry.example.org:5000/serving/vllm:v1@sha256:...` without what begins at the tag
/// or digest.
pub fn image_name(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    // A colon before the last slash is that of the registry's port.
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name.get(last..).and_then(|last| last.find(':')) {
        Some(colon) => name.get(..last + colon).unwrap_or(name),
        None => name,
    }
}
