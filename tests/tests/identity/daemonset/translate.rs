//! What the kubelet makes of a pod's manifest for the runtime (pkg/kubelet/kuberuntime, pkg/securitycontext of Kubernetes 1.29).

use super::super::kubelet::{map, new_uid};
use super::super::message::{
    Capability, ContainerConfig, ContainerMetadata, DnsConfig, ImageSpec, Int64Value, KeyValue, LinuxContainerConfig,
    LinuxContainerResources, LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, Mount,
    NamespaceOption, PodSandboxConfig, PodSandboxMetadata, SecurityProfile,
};
use super::manifest::{Container, Manifest, PodSpec, Resources, SecurityContext, Volume};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What the kubelet hides, and what it makes read-only, in containers without `procMount: Unmasked` (`defaultMaskedPaths`,
/// `defaultReadOnlyPaths` of pkg/securitycontext/util.go).
const MASKED: [&str; 10] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Where the kubelet keeps what is in volumes, and where the node's directories are that pods ask for.
pub struct Host {
    /// Of the pod's volumes.
    pub volumes: PathBuf,
    /// In the place of a directory of the node, another one: what tests must not share.
    pub instead: BTreeMap<&'static str, PathBuf>,
    /// `spec.nodeName`
    pub node: String,
    /// The cluster's resolver.
    pub resolver: Option<String>,
}

/// The pod's sandbox.
pub fn sandbox(manifest: &Manifest, host: &Host, logs: &Path) -> io::Result<PodSandboxConfig> {
    let template = &manifest.template;
    let (number, uid) = new_uid();
    let name = format!("weir-{number:05}");
    let mut labels: std::collections::HashMap<_, _> = template.metadata.labels.clone().into_iter().collect();
    labels.extend(kubelet_labels(&name, &uid));
    let [container] = template.spec.containers.as_slice() else { return Err(unknown("more than one container")) };
    Ok(PodSandboxConfig {
        metadata: Some(PodSandboxMetadata { name: name.clone(), uid: uid.clone(), namespace: "weir".into() }),
        // A pod on the node's network has the node's hostname, too.
        hostname: if template.spec.host_network { String::new() } else { name.clone() },
        // `dnsPolicy: ClusterFirst`, the default of pods with a network of their own.
        dns_config: host.resolver.as_ref().map(|resolver| DnsConfig {
            servers: vec![resolver.clone()],
            searches: vec!["weir.svc.cluster.local".into(), "svc.cluster.local".into(), "cluster.local".into()],
            options: vec!["ndots:5".into()],
        }),
        log_directory: logs.join(&name).display().to_string(),
        labels,
        annotations: template.metadata.annotations.clone().into_iter().collect(),
        linux: Some(LinuxPodSandboxConfig {
            // Of the class Burstable: it requests less than its limits.
            cgroup_parent: format!("/kubepods/burstable/pod{uid}"),
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(namespaces(&template.spec)),
                seccomp: Some(seccomp(&container.security_context)?),
            }),
        }),
    })
}

/// Its container.
pub fn container(manifest: &Manifest, pod: &PodSandboxMetadata, host: &Host) -> io::Result<ContainerConfig> {
    let spec = &manifest.template.spec;
    let [container] = spec.containers.as_slice() else { return Err(unknown("more than one container")) };
    let PodSandboxMetadata { name, uid, .. } = pod;
    let mut labels = kubelet_labels(name, uid);
    labels.insert("io.kubernetes.container.name".into(), container.name.clone());
    Ok(ContainerConfig {
        metadata: Some(ContainerMetadata { name: container.name.clone() }),
        image: Some(ImageSpec { image: container.image.clone() }),
        command: container.command.clone(),
        args: container.args.clone(),
        envs: environment(container, pod, host)?,
        mounts: mounts(manifest, container, host)?,
        labels,
        log_path: format!("{}.log", container.name),
        linux: Some(LinuxContainerConfig {
            resources: Some(resources(&container.resources)?),
            security_context: Some(security_context(spec, &container.security_context)?),
        }),
    })
}

fn kubelet_labels(name: &str, uid: &str) -> std::collections::HashMap<String, String> {
    map(&[("io.kubernetes.pod.name", name), ("io.kubernetes.pod.namespace", "weir"), ("io.kubernetes.pod.uid", uid)])
}

fn namespaces(spec: &PodSpec) -> NamespaceOption {
    NamespaceOption { network: if spec.host_network { 2 } else { 0 }, pid: if spec.host_pid { 2 } else { 1 } }
}

fn security_context(spec: &PodSpec, asked: &SecurityContext) -> io::Result<LinuxContainerSecurityContext> {
    if asked.privileged || asked.run_as_non_root {
        return Err(unknown("a privileged container, or runAsNonRoot"));
    }
    let words = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    Ok(LinuxContainerSecurityContext {
        capabilities: Some(Capability {
            add_capabilities: asked.capabilities.add.clone(),
            drop_capabilities: asked.capabilities.drop.clone(),
        }),
        namespace_options: Some(namespaces(spec)),
        run_as_user: Some(Int64Value { value: asked.run_as_user }),
        run_as_group: asked.run_as_group.map(|value| Int64Value { value }),
        readonly_rootfs: asked.read_only_root_filesystem,
        no_new_privs: !asked.allow_privilege_escalation,
        masked_paths: words(&MASKED),
        readonly_paths: words(&READ_ONLY),
        seccomp: Some(seccomp(asked)?),
    })
}

fn seccomp(asked: &SecurityContext) -> io::Result<SecurityProfile> {
    match &*asked.seccomp_profile.r#type {
        "RuntimeDefault" => Ok(SecurityProfile::default()),
        other => Err(unknown(&format!("the seccomp profile {other}"))),
    }
}

fn environment(container: &Container, pod: &PodSandboxMetadata, host: &Host) -> io::Result<Vec<KeyValue>> {
    let mut known: Vec<KeyValue> = Vec::new();
    for variable in &container.env {
        let value = match &variable.value_from {
            // `$(NAME)` is what a variable before has.
            None => known.iter().fold(variable.value.clone(), |value, KeyValue { key, value: with }| {
                value.replace(&format!("$({key})"), with)
            }),
            Some(from) => match from["fieldRef"]["fieldPath"].as_str() {
                Some("spec.nodeName") => host.node.clone(),
                Some("metadata.name") => pod.name.clone(),
                Some("metadata.namespace") => pod.namespace.clone(),
                _ => return Err(unknown(&from.to_string())),
            },
        };
        known.push(KeyValue { key: variable.name.clone(), value });
    }
    Ok(known)
}

fn mounts(manifest: &Manifest, container: &Container, host: &Host) -> io::Result<Vec<Mount>> {
    let volume = |name: &str| manifest.template.spec.volumes.iter().find(|volume| volume.name == name);
    let mut mounts = Vec::new();
    for mount in &container.volume_mounts {
        let volume = volume(&mount.name).ok_or_else(|| unknown(&format!("the volume {}", mount.name)))?;
        let propagation = match mount.mount_propagation.as_deref() {
            None | Some("None") => 0,
            Some("HostToContainer") => 1,
            Some(other) => return Err(unknown(&format!("mountPropagation {other}"))),
        };
        let path = on_host(manifest, volume, host)?;
        if volume.host_path.is_none() {
            // Where another volume is mounted in this one (`MakeNestedMountpoints`, pkg/volume/util/nested_volumes.go).
            let others = container.volume_mounts.iter().filter(|other| other.mount_path != mount.mount_path);
            for inner in others.filter_map(|other| Path::new(&other.mount_path).strip_prefix(&mount.mount_path).ok()) {
                fs::create_dir_all(path.join(inner))?;
            }
        }
        mounts.push(Mount {
            container_path: mount.mount_path.clone(),
            host_path: path.display().to_string(),
            readonly: mount.read_only,
            propagation,
        });
    }
    Ok(mounts)
}

fn on_host(manifest: &Manifest, volume: &Volume, host: &Host) -> io::Result<PathBuf> {
    if let Some(asked) = &volume.host_path {
        let path = host.instead.get(&*asked.path).cloned().unwrap_or_else(|| PathBuf::from(&asked.path));
        match &*asked.r#type {
            "DirectoryOrCreate" => fs::create_dir_all(&path)?,
            "" => {}
            "Directory" if path.is_dir() => {}
            _ => return Err(unknown(&format!("{} of the type {:?}", path.display(), asked.r#type))),
        }
        return Ok(path);
    }
    let directory = host.volumes.join(&volume.name);
    fs::create_dir_all(&directory)?;
    if let Some(asked) = &volume.config_map {
        let files = manifest.config_maps.get(&asked.name);
        if files.is_none() && !asked.optional {
            return Err(unknown(&format!("the ConfigMap {}", asked.name)));
        }
        write_config_map(&directory, files.into_iter().flatten())?;
    } else if volume.empty_dir.is_none() {
        return Err(unknown(&format!("the kind of the volume {}", volume.name)));
    }
    Ok(directory)
}

/// As the kubelet's AtomicWriter has it: files in a directory of their own, to which `..data` points, and a link for each into that.
fn write_config_map<'a>(directory: &Path, files: impl Iterator<Item = (&'a String, &'a String)>) -> io::Result<()> {
    let own = directory.join("..2026_11_22");
    fs::create_dir_all(&own)?;
    symlink("..2026_11_22", directory.join("..data"))?;
    for (name, text) in files {
        fs::write(own.join(name), text)?;
        symlink(Path::new("..data").join(name), directory.join(name))?;
    }
    Ok(())
}

/// Shares for the request, a quota for the limit of CPU, and the limit of memory.
fn resources(asked: &Resources) -> io::Result<LinuxContainerResources> {
    let limit = |name: &str| asked.limits.get(name).map(quantity).transpose();
    let request = asked.requests.get("cpu").map(quantity).transpose()?.or(limit("cpu")?).unwrap_or(0.0);
    let period = 100_000.0;
    Ok(LinuxContainerResources {
        cpu_shares: ((request * 1024.0) as i64).max(2),
        cpu_period: period as i64,
        cpu_quota: limit("cpu")?.map_or(0, |cores| (cores * period) as i64),
        memory_limit_in_bytes: limit("memory")?.map_or(0, |bytes| bytes as i64),
    })
}

/// A quantity of Kubernetes: `250m`, `512Mi`, `2`.
fn quantity(asked: &Value) -> io::Result<f64> {
    let text = asked.as_str().map_or_else(|| asked.to_string(), str::to_owned);
    let units = [("m", 1e-3), ("Ki", 1024.0), ("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0), ("", 1.0)];
    let parsed = units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor));
    parsed.ok_or_else(|| unknown(&format!("the quantity {text}")))
}

fn unknown(what: &str) -> io::Error {
    io::Error::other(format!("the manifest has what the kubelet of this test does not know: {what}"))
}
