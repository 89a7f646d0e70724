//! What a process is part of.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

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
}
