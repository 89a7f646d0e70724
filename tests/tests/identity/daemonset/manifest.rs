//! The manifest of the DaemonSet, as far as the kubelet acts on it: a field that is not known here is an error, so that nothing of it is
//! left out in silence.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What is in the file.
#[derive(Debug)]
pub struct Manifest {
    /// The pod that the DaemonSet makes on each node.
    pub template: Template,
    /// The files of each ConfigMap, by its name.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
}

/// `spec.template` of a DaemonSet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub metadata: Metadata,
    pub spec: PodSpec,
}

/// Labels and annotations of the pod.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// The first group is acted on; what is ignored says when and where the pod runs, not how.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSpec {
    #[serde(default, rename = "hostPID")]
    pub host_pid: bool,
    #[serde(default)]
    pub host_network: bool,
    pub containers: Vec<Container>,
    #[serde(default)]
    pub volumes: Vec<Volume>,

    // A token is one more mount, which only `kube.enabled` asks for.
    #[serde(default, rename = "automountServiceAccountToken")]
    _automount_service_account_token: IgnoredAny,
    #[serde(default, rename = "serviceAccountName")]
    _service_account_name: IgnoredAny,
    #[serde(default, rename = "terminationGracePeriodSeconds")]
    _termination_grace_period_seconds: IgnoredAny,
    #[serde(default, rename = "tolerations")]
    _tolerations: IgnoredAny,
    #[serde(default, rename = "nodeSelector")]
    _node_selector: IgnoredAny,
    #[serde(default, rename = "affinity")]
    _affinity: IgnoredAny,
    #[serde(default, rename = "priorityClassName")]
    _priority_class_name: IgnoredAny,
    #[serde(default, rename = "dnsPolicy")]
    _dns_policy: IgnoredAny,
    #[serde(default, rename = "enableServiceLinks")]
    _enable_service_links: IgnoredAny,
    #[serde(default, rename = "imagePullSecrets")]
    _image_pull_secrets: IgnoredAny,
    #[serde(default, rename = "restartPolicy")]
    _restart_policy: IgnoredAny,
}

/// A container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    pub name: String,
    pub image: String,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: Vec<Variable>,
    #[serde(default)]
    pub resources: Resources,
    pub security_context: SecurityContext,
    pub startup_probe: Probe,
    pub readiness_probe: Option<Probe>,
    #[serde(default)]
    pub volume_mounts: Vec<VolumeMount>,

    // Asked for as long as it runs, by the same command as at the start.
    #[serde(default, rename = "livenessProbe")]
    _liveness_probe: IgnoredAny,
    #[serde(default, rename = "imagePullPolicy")]
    _image_pull_policy: IgnoredAny,
    #[serde(default, rename = "ports")]
    _ports: IgnoredAny,
    #[serde(default, rename = "terminationMessagePolicy")]
    _termination_message_policy: IgnoredAny,
}

/// A variable of the environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variable {
    pub name: String,
    #[serde(default)]
    pub value: String,
    /// Of the downward API, `fieldRef` only.
    pub value_from: Option<Value>,
}

/// Requests and limits, as quantities.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    #[serde(default)]
    pub requests: BTreeMap<String, Value>,
    #[serde(default)]
    pub limits: BTreeMap<String, Value>,
}

/// What the container may do.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecurityContext {
    pub privileged: bool,
    pub allow_privilege_escalation: bool,
    pub read_only_root_filesystem: bool,
    pub run_as_user: i64,
    pub run_as_group: Option<i64>,
    #[serde(default)]
    pub run_as_non_root: bool,
    pub capabilities: Capabilities,
    pub seccomp_profile: SeccompProfile,

    // No machine of the tests has these.
    #[serde(default, rename = "appArmorProfile")]
    _app_armor_profile: IgnoredAny,
    #[serde(default, rename = "seLinuxOptions")]
    _se_linux_options: IgnoredAny,
}

/// Without `CAP_`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    pub drop: Vec<String>,
    pub add: Vec<String>,
}

/// Which system calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeccompProfile {
    pub r#type: String,
}

/// The command by which the kubelet asks how the container is; how often and how patiently is not of interest here.
#[derive(Debug, Deserialize)]
pub struct Probe {
    pub exec: Exec,
}

/// A command in the container.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    pub command: Vec<String>,
}

/// Where a volume is in the container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeMount {
    pub name: String,
    pub mount_path: String,
    #[serde(default)]
    pub read_only: bool,
    pub mount_propagation: Option<String>,
}

/// A volume of one of the kinds that the chart has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    pub name: String,
    pub host_path: Option<HostPath>,
    pub config_map: Option<ConfigMap>,
    pub empty_dir: Option<Value>,
}

/// A directory of the node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPath {
    pub path: String,
    #[serde(default)]
    pub r#type: String,
}

/// The files of a ConfigMap.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigMap {
    pub name: String,
    #[serde(default)]
    pub optional: bool,
}

impl Variable {
    /// One with a value.
    pub fn new(name: &str, value: &str) -> Variable {
        Variable { name: name.into(), value: value.into(), value_from: None }
    }
}

impl Manifest {
    /// Reads the DaemonSet and the ConfigMaps of a file.
    pub fn read(path: &Path) -> io::Result<Manifest> {
        let wrong = |what: &dyn std::fmt::Display| io::Error::other(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let (mut template, mut config_maps) = (None, BTreeMap::new());
        for document in yaml_serde::Deserializer::from_str(&text) {
            let document = Value::deserialize(document).map_err(|error| wrong(&error))?;
            match document["kind"].as_str() {
                Some("DaemonSet") => {
                    let read = serde_json::from_value(document["spec"]["template"].clone());
                    template = Some(read.map_err(|error| wrong(&error))?);
                }
                Some("ConfigMap") => {
                    let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                    let files = serde_json::from_value(document["data"].clone()).map_err(|error| wrong(&error))?;
                    config_maps.insert(name, files);
                }
                _ => {}
            }
        }
        Ok(Manifest { template: template.ok_or_else(|| wrong(&"no DaemonSet"))?, config_maps })
    }
}
