//! A cgroup's path, read.
//!
//! Decisions that a reader should know:
//! - The innermost container or Slurm job names the workload: a container in a container (kind, Docker in Docker), a job in a
//!   container, a container in a job. What is around it stays in the other fields.
//! - Below a container, whatever a process makes there (its own systemd, `init.scope`) changes nothing.
//! - A unit of the system's systemd is named by the outermost unit, and everything of a user by that user's slice: otherwise a
//!   process could become another workload, with a fresh account of what it read and sent, by opening a terminal or making
//!   a cgroup below its own.
//! - Ids are those that runtimes make (64 hexadecimal digits). Where a person chooses them, they are believed only in the
//!   places where the runtime puts them: `/default/NAME` and `/k8s.io/NAME` of containerd, `runc-NAME.scope`, LXC and nspawn.
//!
//! Whoever can write a cgroup hierarchy (root, or a user in their delegated part of it) can make a path that looks like any
//! container's. The path is what the kernel says; that the runtime knows the container is for its own interface to confirm.

use crate::event::text::TEXT_MAX;
use crate::event::{Workload, WorkloadKind};

/// What stands before a container's id in the name of its cgroup, and the runtime that it gives away.
const PREFIXES: [(&str, Option<&str>); 9] = [
    ("cri-containerd", Some("containerd")),
    ("nerdctl", Some("containerd")),
    ("containerd", Some("containerd")),
    ("crio", Some("cri-o")),
    ("docker", Some("docker")),
    ("libpod-payload", Some("podman")),
    ("libpod", Some("podman")),
    ("runc", None),
    ("crun", None),
];

/// Namespaces of containerd whose containers are at `/NAMESPACE/ID` when nobody gave a cgroup.
const CONTAINERD_NAMESPACES: [&str; 3] = ["default", "k8s.io", "moby"];

/// Longest id that containerd takes (its package identifiers); the other runtimes' are shorter.
const ID_MAX: usize = 76;

/// Suffixes of systemd's units that hold processes, slices apart.
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// What stands at a path, gathered component by component.
#[derive(Default)]
struct Places<'a> {
    container: Option<(usize, &'a str, Option<&'static str>)>,
    pod: Option<String>,
    job: Option<(usize, &'a str)>,
    slurm: bool,
    user: Option<&'a str>,
    unit: Option<&'a str>,
}

/// The workload at a cgroup's path, as `/proc/PID/cgroup` shows it. Any text is taken; what is not recognised is the host.
pub fn parse(path: &str) -> Workload {
    let path = path.get(..path.floor_char_boundary(TEXT_MAX)).unwrap_or_default();
    let mut places = Places::default();
    let (mut before, mut before_that) = ("", "");
    // Seen from a cgroup namespace, what is outside of it begins with `/..`.
    let components = path.split('/').filter(|component| !matches!(*component, "" | "." | ".."));
    for (at, component) in components.enumerate() {
        places.see(at, component, before, before_that);
        (before, before_that) = (component, before);
    }
    places.workload(path)
}

impl<'a> Places<'a> {
    fn see(&mut self, at: usize, component: &'a str, before: &'a str, before_that: &str) {
        if let Some(uid) = pod_uid(component) {
            self.pod = Some(uid);
        }
        let top = at == 1 || self.container.is_some_and(|(container, ..)| at == container + 2);
        if let Some((id, runtime)) = container(component, before, before_that, top) {
            self.container = Some((at, id, runtime));
            return;
        }
        if matches!(component, "slurm" | "slurmstepd.scope")
            || component.starts_with("slurm_")
            || component.ends_with("_slurmstepd.scope")
        {
            self.slurm = true;
        }
        if let Some(job) = component.strip_prefix("job_").filter(|job| self.slurm && is_name(job)) {
            self.job = Some((at, job));
        }
        // Units below a container are the container's own business.
        if self.container.is_none() {
            if before == "user.slice" && component.starts_with("user-") && component.ends_with(".slice") {
                self.user.get_or_insert(component);
            }
            // A user's own systemd is a unit of the system's; the units below it say more.
            let replaceable = self.unit.is_none_or(|unit| self.user.is_some() && unit.starts_with("user@"));
            if replaceable && UNITS.iter().any(|suffix| component.ends_with(suffix)) {
                self.unit = Some(component);
            }
        }
    }

    fn workload(self, path: &str) -> Workload {
        let job_is_inner = match (self.job, self.container) {
            (Some((job, _)), Some((container, ..))) => job > container,
            (job, _) => job.is_some(),
        };
        let (kind, id) = match (self.job, self.container, self.user.or(self.unit)) {
            (Some((_, job)), ..) if job_is_inner => (WorkloadKind::SlurmJob, format!("slurm:{job}")),
            (_, Some((_, id, _)), _) => (WorkloadKind::Container, format!("container:{id}")),
            (_, _, Some(unit)) => (WorkloadKind::SystemdUnit, format!("systemd:{unit}")),
            _ => (WorkloadKind::Host, "host".to_owned()),
        };
        Workload {
            kind,
            id: id.into(),
            container_id: self.container.map(|(_, id, _)| id.into()),
            runtime: self.container.and_then(|(_, _, runtime)| runtime).map(Into::into),
            pod_uid: self.pod.map(Into::into),
            systemd_unit: self.unit.map(Into::into),
            slurm_job: self.job.map(|(_, job)| job.into()),
            cgroup_path: path.into(),
            identity: None,
        }
    }
}

/// The container whose cgroup `component` is, with its runtime if that shows. `top`: it is second from its hierarchy's root, or
/// from the container around it.
fn container<'a>(
    component: &'a str,
    before: &'a str,
    before_that: &str,
    top: bool,
) -> Option<(&'a str, Option<&'static str>)> {
    // A systemd path given to a runtime that was not told to use systemd becomes one directory, `SLICE:PREFIX:ID`.
    if let Some((_, rest)) = component.split_once(".slice:") {
        let (prefix, id) = rest.split_once(':')?;
        let (_, runtime) = PREFIXES.into_iter().find(|(known, _)| *known == prefix)?;
        return is_id(id).then_some((id, runtime));
    }
    let (name, scope) = match component.strip_suffix(".scope") {
        Some(name) => (name, true),
        None => (component, false),
    };
    for (prefix, runtime) in PREFIXES {
        let Some(id) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')) else { continue };
        let chosen = scope && runtime.is_none() && is_name(id);
        if is_id(id) || chosen || (prefix == "docker" && is_build_id(id)) {
            return Some((id, runtime));
        }
    }
    if let Some(id) = component.strip_prefix("kata_").filter(|id| is_id(id)) {
        return Some((id, None));
    }
    if let Some(name) = component.strip_prefix("lxc.payload.").filter(|name| is_name(name)) {
        return Some((name, None));
    }
    let machine = before.strip_prefix("systemd-nspawn@").and_then(|rest| rest.strip_suffix(".service"));
    if let Some(machine) = machine.filter(|machine| component == "payload" && is_name(machine)) {
        return Some((machine, None));
    }
    match before {
        // The id here is a pod's; its containers are below, with a prefix.
        "libpod_parent" => None,
        "docker" if is_id(component) => Some((component, Some("docker"))),
        "buildkit" if is_build_id(component) => Some((component, (before_that == "docker").then_some("docker"))),
        "lxc" | "lxc.payload" if is_name(component) => Some((component, None)),
        namespace if top && CONTAINERD_NAMESPACES.contains(&namespace) && is_chosen(component) => {
            Some((component, Some("containerd")))
        }
        _ => is_id(component).then_some((component, None)),
    }
}

/// The pod's uid in `podUID` (cgroupfs driver) or `kubepods-QOS-podUID.slice`, dashes written `_` (systemd driver).
fn pod_uid(component: &str) -> Option<String> {
    let uid = match component.split_once(".slice") {
        Some((slice, _)) if slice.contains("kubepods") => slice.rsplit_once("-pod")?.1,
        Some(_) => return None,
        None => component.strip_prefix("pod")?,
    };
    // A uuid, or the 32 hexadecimal digits of a static pod's manifest.
    let is_uid = matches!(uid.len(), 32 | 36) && uid.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b'_'));
    is_uid.then(|| uid.replace('_', "-"))
}

/// 64 hexadecimal digits: what every runtime makes unless told otherwise.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// 25 digits and small letters: BuildKit's ids, of the steps of an image's build.
fn is_build_id(text: &str) -> bool {
    text.len() == 25 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// Letters and digits, joined by single `-`, `_` or `.`: what containerd takes for an id.
fn is_name(text: &str) -> bool {
    text.len() <= ID_MAX
        && text
            .split(['-', '_', '.'])
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A name that somebody chose, and not one that systemd would give a unit.
fn is_chosen(text: &str) -> bool {
    is_name(text) && !text.ends_with(".slice") && !UNITS.iter().any(|suffix| text.ends_with(suffix))
}
