//! Which workloads an entry of the policy is about.

use super::pattern::{OneOrMany, Pattern, Word, one_of};
use crate::event::{Field, Workload, WorkloadKind};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use std::fmt;

/// What is known of a workload, and can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `k8s.namespace.name`
    Namespace,
    /// `k8s.pod.name`
    PodName,
    /// `k8s.pod.uid`
    PodUid,
    /// One of `weir.workload.labels`, by its key.
    Label(Box<str>),
    /// `container.name`
    ContainerName,
    /// `container.image.name`
    Image,
    /// `container.id`
    ContainerId,
    /// `weir.workload.kind`
    Kind,
    /// `weir.systemd.unit`
    SystemdUnit,
    /// `weir.slurm.job`
    SlurmJob,
    /// `process.linux.cgroup`
    CgroupPath,
}

impl Fact {
    /// The field of events that has it.
    pub const fn field(&self) -> Field {
        match self {
            Fact::Namespace => Field::NamespaceName,
            Fact::PodName => Field::PodName,
            Fact::PodUid => Field::PodUid,
            Fact::Label(_) => Field::WorkloadLabels,
            Fact::ContainerName => Field::ContainerName,
            Fact::Image => Field::ContainerImageName,
            Fact::ContainerId => Field::ContainerId,
            Fact::Kind => Field::WorkloadKind,
            Fact::SystemdUnit => Field::SystemdUnit,
            Fact::SlurmJob => Field::SlurmJob,
            Fact::CgroupPath => Field::CgroupPath,
        }
    }

    /// Whether only a runtime can tell it.
    pub const fn is_identity(&self) -> bool {
        matches!(self, Fact::Namespace | Fact::PodName | Fact::Label(_) | Fact::ContainerName | Fact::Image)
    }

    /// What it is for `workload`; `None` if the workload has none, or it is not known.
    pub fn of<'w>(&self, workload: &'w Workload) -> Option<&'w str> {
        let identity = workload.identity.as_deref();
        match self {
            Fact::Namespace => identity?.namespace.as_deref(),
            Fact::PodName => identity?.pod_name.as_deref(),
            Fact::PodUid => workload.pod_uid.as_deref(),
            Fact::Label(key) => identity?.label(key),
            Fact::ContainerName => identity?.container_name.as_deref(),
            Fact::Image => identity?.image.as_deref(),
            Fact::ContainerId => workload.container_id.as_deref(),
            Fact::Kind => Some(workload.kind.name()),
            Fact::SystemdUnit => workload.systemd_unit.as_deref(),
            Fact::SlurmJob => workload.slurm_job.as_deref(),
            Fact::CgroupPath => Some(&workload.cgroup_path),
        }
    }
}

/// The name by which it is asked for; of a label with its key.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field().name())?;
        match self {
            Fact::Label(key) => write!(f, ".{key}"),
            _ => Ok(()),
        }
    }
}

/// One thing that is asked of a workload.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What is asked for.
    pub fact: Fact,
    /// What it can be; one of them is enough.
    pub patterns: Vec<Pattern>,
}

impl Condition {
    /// Whether it holds for `workload`. What is not known holds for nothing.
    pub fn holds(&self, workload: &Workload) -> bool {
        self.fact.of(workload).is_some_and(|value| self.patterns.iter().any(|pattern| pattern.matches(value)))
    }
}

/// Everything that is asked of a workload: all of it has to hold. What asks nothing takes every workload.
#[derive(Clone, Debug, Default)]
pub struct Select {
    /// What is asked.
    pub conditions: Vec<Condition>,
}

impl Select {
    /// Whether `workload` is one that is meant.
    pub fn takes(&self, workload: &Workload) -> bool {
        self.conditions.iter().all(|condition| condition.holds(workload))
    }
}

/// A kind of workload, which is no pattern, so that a misspelt one is told.
struct Kind(Pattern);

impl Word for Kind {
    const WHAT: &'static str = "a kind of workload";

    fn word(text: &str) -> Result<Kind, String> {
        one_of(text, "kind of workload", WorkloadKind::ALL, WorkloadKind::name)?;
        Pattern::word(text).map(Kind)
    }
}

/// `select:` as it is written.
#[derive(Deserialize, Default)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a mapping of what is asked of the workload, `{}` for every workload"
)]
struct Written {
    #[serde(rename = "k8s.namespace.name")]
    namespace: Option<OneOrMany<Pattern>>,
    #[serde(rename = "k8s.pod.name")]
    pod_name: Option<OneOrMany<Pattern>>,
    #[serde(rename = "k8s.pod.uid")]
    pod_uid: Option<OneOrMany<Pattern>>,
    #[serde(rename = "weir.workload.labels")]
    labels: Option<Labels>,
    #[serde(rename = "container.name")]
    container_name: Option<OneOrMany<Pattern>>,
    #[serde(rename = "container.image.name")]
    image: Option<OneOrMany<Pattern>>,
    #[serde(rename = "container.id")]
    container_id: Option<OneOrMany<Pattern>>,
    #[serde(rename = "weir.workload.kind")]
    kind: Option<OneOrMany<Kind>>,
    #[serde(rename = "weir.systemd.unit")]
    systemd_unit: Option<OneOrMany<Pattern>>,
    #[serde(rename = "weir.slurm.job")]
    slurm_job: Option<OneOrMany<Pattern>>,
    #[serde(rename = "process.linux.cgroup")]
    cgroup_path: Option<OneOrMany<Pattern>>,
}

impl<'de> Deserialize<'de> for Select {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Select, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let kinds = written.kind.map(|OneOrMany(kinds)| OneOrMany(kinds.into_iter().map(|kind| kind.0).collect()));
        let asked = [
            (Fact::Namespace, written.namespace),
            (Fact::PodName, written.pod_name),
            (Fact::PodUid, written.pod_uid),
            (Fact::ContainerName, written.container_name),
            (Fact::Image, written.image),
            (Fact::ContainerId, written.container_id),
            (Fact::Kind, kinds),
            (Fact::SystemdUnit, written.systemd_unit),
            (Fact::SlurmJob, written.slurm_job),
            (Fact::CgroupPath, written.cgroup_path),
        ];
        let plain = asked.into_iter().filter_map(|(fact, patterns)| Some((fact, patterns?)));
        let labels = written.labels.into_iter().flat_map(|Labels(labels)| labels);
        let all = plain.chain(labels.map(|(key, patterns)| (Fact::Label(key), patterns)));
        Ok(Select { conditions: all.map(|(fact, OneOrMany(patterns))| Condition { fact, patterns }).collect() })
    }
}

/// Keys of labels, each with what its value can be.
struct Labels(Vec<(Box<str>, OneOrMany<Pattern>)>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of labels, like `{app: vllm}`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels: Vec<(Box<str>, OneOrMany<Pattern>)> = Vec::new();
                while let Some((key, patterns)) = map.next_entry::<String, _>()? {
                    labels.push((key.into(), patterns));
                }
                match labels.is_empty() {
                    true => Err(de::Error::custom("no label is asked for; take the key out")),
                    false => Ok(Labels(labels)),
                }
            }
        }
        deserializer.deserialize_map(Each)
    }
}
