//! Paths as runtimes, kubelets, Slurm and systemd make them.

use super::*;
use crate::event::Workload;
use proptest::prelude::*;

/// A 64-digit id, `N` of them different.
const A: &str = "34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376";
const B: &str = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d";
const POD: &str = "ac04f3f2-1f2c-11e9-b385-42010a80018d";
const STATIC_POD: &str = "89f4f2cb511c3b0b7e5272cff5ec37bf";

/// `A`, `B`, `POD`, `P_O_D` and `STATIC` in a path stand for the constants.
fn fill(path: &str) -> String {
    path.replace("{A}", A)
        .replace("{B}", B)
        .replace("{POD}", POD)
        .replace("{P_O_D}", &POD.replace('-', "_"))
        .replace("{STATIC}", STATIC_POD)
}

#[test]
fn containers() {
    for (path, id, runtime, pod) in [
        // Kubernetes, cgroupfs driver.
        ("/kubepods/burstable/pod{POD}/{A}", "{A}", None, Some("{POD}")),
        ("/kubepods/besteffort/pod{STATIC}/{A}", "{A}", None, Some("{STATIC}")),
        ("/kubepods/pod{POD}/{A}", "{A}", None, Some("{POD}")),
        ("/kubepods/burstable/pod{POD}/crio-{A}", "{A}", Some("cri-o"), Some("{POD}")),
        ("/kubepods/besteffort/pod{POD}/kata_{A}", "{A}", None, Some("{POD}")),
        // Kubernetes, systemd driver.
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{P_O_D}.slice/cri-containerd-{A}.scope",
            "{A}",
            Some("containerd"),
            Some("{POD}"),
        ),
        ("/kubepods.slice/kubepods-pod{P_O_D}.slice/crio-{A}.scope", "{A}", Some("cri-o"), Some("{POD}")),
        ("/kubepods.slice/kubepods-pod{P_O_D}.slice/crio-{A}.scope/container", "{A}", Some("cri-o"), Some("{POD}")),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{STATIC}.slice/docker-{A}.scope",
            "{A}",
            Some("docker"),
            Some("{STATIC}"),
        ),
        // Kubernetes with the systemd driver, containerd without: one directory with colons.
        (
            "/system.slice/containerd.service/kubepods-burstable-pod{P_O_D}.slice:cri-containerd:{A}",
            "{A}",
            Some("containerd"),
            Some("{POD}"),
        ),
        ("/kubepods-pod{P_O_D}.slice:crio:{A}", "{A}", Some("cri-o"), Some("{POD}")),
        // Seen from another cgroup namespace.
        ("/../../pod{POD}/{A}", "{A}", None, Some("{POD}")),
        // Docker and BuildKit.
        ("/docker/{A}", "{A}", Some("docker"), None),
        ("/system.slice/docker-{A}.scope", "{A}", Some("docker"), None),
        ("/system.slice/docker-{A}.scope/init.scope", "{A}", Some("docker"), None),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope", "{A}", Some("docker"), None),
        ("/docker/buildkit/q2wd5x0n3k7t1m8c4v6b9z0aj", "q2wd5x0n3k7t1m8c4v6b9z0aj", Some("docker"), None),
        ("/system.slice/docker-q2wd5x0n3k7t1m8c4v6b9z0aj.scope", "q2wd5x0n3k7t1m8c4v6b9z0aj", Some("docker"), None),
        ("/ecs/0f9de1d4b0c94f0f8ed3c6ed1d4ea5a2/{A}", "{A}", None, None),
        // Podman.
        ("/machine.slice/libpod-{A}.scope", "{A}", Some("podman"), None),
        ("/machine.slice/libpod-{A}.scope/container", "{A}", Some("podman"), None),
        ("/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope/container", "{A}", Some("podman"), None),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container",
            "{A}",
            Some("podman"),
            None,
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_{B}.slice/libpod-{A}.scope",
            "{A}",
            Some("podman"),
            None,
        ),
        ("/libpod_parent/libpod-{A}", "{A}", Some("podman"), None),
        ("/libpod_parent/{B}/libpod-{A}", "{A}", Some("podman"), None),
        ("/system.slice/web.service/libpod-payload-{A}", "{A}", Some("podman"), None),
        // containerd without Kubernetes.
        ("/default/mydemo", "mydemo", Some("containerd"), None),
        ("/k8s.io/{A}", "{A}", Some("containerd"), None),
        ("/moby/{A}", "{A}", Some("containerd"), None),
        ("/team-a/{A}", "{A}", None, None),
        ("/system.slice/nerdctl-{A}.scope", "{A}", Some("containerd"), None),
        ("/system.slice/runc-demo.scope", "demo", None, None),
        // Containers in containers: the innermost.
        ("/docker/{B}/docker/{A}", "{A}", Some("docker"), None),
        ("/docker/{B}/kubelet/kubepods/besteffort/pod{POD}/{A}", "{A}", None, Some("{POD}")),
        (
            "/system.slice/docker-{B}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/\
             kubelet-kubepods-burstable-pod{P_O_D}.slice/cri-containerd-{A}.scope",
            "{A}",
            Some("containerd"),
            Some("{POD}"),
        ),
        ("/kubepods/burstable/pod{POD}/{B}/docker/{A}", "{A}", Some("docker"), Some("{POD}")),
        ("/docker/{B}/default/demo", "demo", Some("containerd"), None),
        ("/docker/{A}/system.slice/nginx.service", "{A}", Some("docker"), None),
        // LXC and nspawn.
        ("/lxc.payload.web/system.slice/nginx.service", "web", None, None),
        ("/lxc/web", "web", None, None),
        ("/machine.slice/systemd-nspawn@web.service/payload", "web", None, None),
    ] {
        let workload = parse(&fill(path));
        let expected = (WorkloadKind::Container, fill(id), runtime, pod.map(fill));
        let Workload { kind, container_id, runtime, pod_uid, .. } = workload;
        assert_eq!(
            (kind, container_id.unwrap_or_default().into(), runtime.as_deref(), pod_uid.map(Into::into)),
            expected,
            "{path}"
        );
        assert_eq!(*workload.id, format!("container:{}", fill(id)));
        assert_eq!(*workload.cgroup_path, fill(path));
    }
}

#[test]
fn slurm_jobs() {
    for (path, id) in [
        ("/slurm/uid_1000/job_42/step_0", "slurm:42"),
        ("/slurm_node1/uid_1000/job_42/step_batch/task_0", "slurm:42"),
        ("/system.slice/slurmstepd.scope/job_42/step_0/user/task_0", "slurm:42"),
        ("/system.slice/slurmstepd.scope/job_42/step_extern/slurm", "slurm:42"),
        ("/system.slice/node1_slurmstepd.scope/job_42/step_0/user/task_special", "slurm:42"),
        ("/kubepods/burstable/pod{POD}/{A}/system.slice/slurmstepd.scope/job_7/step_0", "slurm:7"),
        ("/system.slice/slurmstepd.scope/job_42/step_0/libpod-{A}.scope", "container:{A}"),
        ("/system.slice/slurmstepd.scope/system", "systemd:slurmstepd.scope"),
        ("/batch/job_42", "host"),
    ] {
        assert_eq!(*parse(&fill(path)).id, fill(id), "{path}");
    }
    let both = parse(&fill("/system.slice/slurmstepd.scope/job_42/step_0/libpod-{A}.scope"));
    assert_eq!((both.slurm_job.as_deref(), both.container_id.as_deref()), (Some("42"), Some(A)));
}

#[test]
fn systemd_units_and_the_host() {
    for (path, id, unit) in [
        ("/system.slice/vllm.service", "systemd:vllm.service", Some("vllm.service")),
        (
            "/system.slice/system-getty.slice/getty@tty1.service",
            "systemd:getty@tty1.service",
            Some("getty@tty1.service"),
        ),
        ("/ml.slice/train.service/workers/x.scope", "systemd:train.service", Some("train.service")),
        ("/init.scope", "systemd:init.scope", Some("init.scope")),
        ("/system.slice/docker.socket", "systemd:docker.socket", Some("docker.socket")),
        ("/user.slice/user-1000.slice/session-3.scope", "systemd:user-1000.slice", Some("session-3.scope")),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/jupyter.service",
            "systemd:user-1000.slice",
            Some("jupyter.service"),
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/tmux-spawn-1a.scope",
            "systemd:user-1000.slice",
            Some("tmux-spawn-1a.scope"),
        ),
        // Monitors stand beside their containers, not in them.
        ("/machine.slice/libpod-conmon-{A}.scope", "systemd:libpod-conmon-{A}.scope", Some("libpod-conmon-{A}.scope")),
        ("/kubepods.slice/crio-conmon-{A}.scope", "systemd:crio-conmon-{A}.scope", Some("crio-conmon-{A}.scope")),
        (
            "/machine.slice/systemd-nspawn@web.service/supervisor",
            "systemd:systemd-nspawn@web.service",
            Some("systemd-nspawn@web.service"),
        ),
        ("/lxc.monitor.web", "host", None),
        ("/libpod_parent/{A}/conmon", "host", None),
        ("/libpod_parent/conmon", "host", None),
        // Not where a runtime would have put it, or not as it would have named it.
        ("/a/default/mydemo", "host", None),
        ("/default/web.service", "systemd:web.service", Some("web.service")),
        ("/default/..", "host", None),
        ("/docker/buildkit", "host", None),
        ("/system.slice/docker-desktop.scope", "systemd:docker-desktop.scope", Some("docker-desktop.scope")),
        ("/process_api/423e70fec4bc3f577344563613ffaea3", "host", None),
        ("/kubepods/besteffort", "host", None),
        ("/", "host", None),
        ("", "host", None),
    ] {
        let workload = parse(&fill(path));
        assert_eq!(
            (&*workload.id, workload.systemd_unit.as_deref()),
            (&*fill(id), unit.map(fill).as_deref()),
            "{path}"
        );
        assert_eq!(workload.container_id, None, "{path}");
    }
    let around = parse(&fill("/system.slice/web.service/libpod-payload-{A}"));
    assert_eq!(around.systemd_unit.as_deref(), Some("web.service"));
    let within = parse(&fill("/docker/{A}/system.slice/nginx.service"));
    assert_eq!(within.systemd_unit, None, "the container's own units are its own business");
}

proptest! {
    /// Any text, and any mixture of the words that mean something, gives a workload no longer than what went in.
    #[test]
    fn any_text_is_taken(
        text in "\\PC{0,200}",
        words in proptest::collection::vec(prop_oneof![
            Just("kubepods"), Just("pod"), Just(".slice"), Just(":"), Just("cri-containerd"), Just("-"), Just("/"),
            Just(".scope"), Just(A), Just("default"), Just("slurm"), Just("job_"), Just("user.slice"), Just("user-"),
            Just("docker"), Just("libpod_parent"), Just("é"), Just("\0"), Just("systemd-nspawn@"), Just("payload"),
            Just(".service"), Just("lxc.payload."), Just("buildkit"), Just(STATIC_POD),
        ], 0..40),
    ) {
        for path in [text, words.concat()] {
            let workload = parse(&path);
            prop_assert_eq!(&*workload.cgroup_path, &*path);
            prop_assert!(workload.id.len() <= path.len() + "container:".len());
            for part in [&workload.container_id, &workload.pod_uid, &workload.systemd_unit, &workload.slurm_job] {
                prop_assert!(part.as_ref().is_none_or(|part| !part.is_empty() && part.len() <= path.len()));
            }
            prop_assert_eq!(workload.kind == WorkloadKind::Host, &*workload.id == "host");
        }
    }
}

#[test]
fn an_endless_path_is_cut() {
    let workload = parse(&"/é".repeat(100_000));
    assert!(workload.cgroup_path.len() <= crate::event::text::TEXT_MAX);
}
