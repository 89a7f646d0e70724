//! Which workloads an entry is about, and why.

use super::policy;
use crate::event::{Identity, Workload, WorkloadKind};
use crate::policy::{Explanation, Verdict};
use crate::workload;
use std::sync::Arc;

const ID: &str = "34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376";

/// A container of a pod, as a runtime tells it.
fn container() -> Workload {
    let mut workload = workload::parse(&format!("/kubepods/besteffort/pod8b1a9953-c461-4c2f-9c1e-0a1f0c0d0e0f/{ID}"));
    workload.identity = Some(Arc::new(Identity {
        namespace: Some("prod-llm".into()),
        pod_name: Some("llama-0".into()),
        labels: [("app".into(), "vllm".into()), ("tier".into(), "gpu-a".into())].into(),
        container_name: Some("server".into()),
        image: Some("registry.example.org:5000/serving/vllm".into()),
        ..Identity::default()
    }));
    workload
}

/// Whether an entry with this `select` is about `workload`.
fn takes(select: &str, workload: &Workload) -> bool {
    let policy = policy(&format!("workloads: [{{name: a, select: {select}}}]"));
    policy.unwrap_or_else(|error| panic!("{select}: {error}")).entries()[0].select.takes(workload)
}

#[test]
fn all_that_is_asked_has_to_hold_and_of_a_list_one() {
    let container = container();
    for (select, expected) in [
        ("{}", true),
        ("{k8s.namespace.name: prod-llm}", true),
        ("{k8s.namespace.name: prod}", false),
        ("{k8s.namespace.name: [dev, 'prod-*']}", true),
        ("{k8s.namespace.name: PROD-LLM}", false),
        ("{k8s.pod.name: 'llama-?'}", true),
        ("{k8s.pod.uid: 8b1a9953-*}", true),
        ("{weir.workload.labels: {app: vllm}}", true),
        ("{weir.workload.labels: {app: vllm, tier: [cpu, 'gpu-*']}}", true),
        ("{weir.workload.labels: {app: vllm, tier: cpu}}", false),
        ("{weir.workload.labels: {other: '*'}}", false),
        ("{container.name: server}", true),
        ("{container.image.name: 'registry.example.org:5000/**'}", true),
        ("{container.image.name: 'registry.example.org:5000/*'}", false),
        ("{container.image.name: '**/vllm'}", true),
        ("{container.id: 34dc*}", true),
        ("{weir.workload.kind: container}", true),
        ("{weir.workload.kind: [host, slurm_job]}", false),
        ("{process.linux.cgroup: '/kubepods/**'}", true),
        ("{weir.systemd.unit: '*'}", false),
        ("{k8s.namespace.name: prod-llm, container.name: other}", false),
    ] {
        assert_eq!(takes(select, &container), expected, "{select}");
    }
    let unit = workload::parse("/system.slice/restic-nightly.service");
    assert!(takes("{weir.systemd.unit: restic-*.service, weir.workload.kind: systemd_unit}", &unit));
    let job = workload::parse("/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0");
    assert_eq!(job.kind, WorkloadKind::SlurmJob);
    assert!(takes("{weir.slurm.job: '4711'}", &job));
    assert!(!takes("{k8s.namespace.name: '*'}", &unit), "what has none is not taken by anything");
}

#[test]
fn patterns_of_paths_are_those_of_classes_yml() {
    let allows = |pattern: &str, path: &str| {
        let text = format!("workloads: [{{name: a, select: {{}}, loaders: ['{pattern}']}}]");
        let policy = policy(&text).unwrap_or_else(|error| panic!("{error}"));
        policy.entries()[0].loaders.as_deref().is_some_and(|programs| programs[0].allows(path, None))
    };
    for (pattern, path, expected) in [
        ("/usr/bin/python3", "/usr/bin/python3", true),
        ("/usr/bin/python3", "/usr/bin/python3.11", false),
        ("/usr/bin/python3*", "/usr/bin/python3.11", true),
        ("/usr/bin/python3*", "/usr/bin/python3/x", false),
        ("/usr/bin/python3.*", "/tmp/usr/bin/python3.11", false),
        ("/**/python3", "/python3", true),
        ("/**/python3", "/opt/a/b/python3", true),
        ("/opt/**/bin/*", "/opt/bin/x", true),
        ("/opt/**", "/opt", false),
        ("/opt/**", "/opt/a/b", true),
        ("/opt/[ab]/x", "/opt/b/x", true),
        ("/opt/?/x", "/opt///x", false),
        (r"/opt/a\x2d*", r"/opt/a\x2db", true),
        ("/usr/bin/pythön*", "/usr/bin/pythön3", true),
    ] {
        assert_eq!(allows(pattern, path), expected, "{pattern} {path}");
    }
}

#[test]
fn what_was_decided_is_explained() {
    let policy = policy(
        "workloads:\n- name: a\n  select: {k8s.namespace.name: prod-*, container.name: x}\n  role: build\n\
         - name: b\n  select: {k8s.namespace.name: prod-llm}\n  role: serving\n  loaders: [/usr/bin/a]\n\
         - name: c\n  select: {weir.systemd.unit: x}\n\
         - name: d\n  select: {}\n  role: backup\n  loaders: [/usr/bin/b]\n  destinations: [10.0.0.0/8 unlimited]\n",
    )
    .unwrap();
    let everywhere = ["10.0.0.0/8 1GB/day".parse().unwrap()];
    let container = container();
    let explained = Explanation::new(&policy, &container, &everywhere);
    let verdicts: Vec<Vec<Verdict>> =
        explained.entries.iter().map(|entry| entry.conditions.iter().map(|(_, v)| v.clone()).collect()).collect();
    assert_eq!(
        verdicts,
        [
            vec![Verdict::Holds("prod-llm".into()), Verdict::Differs("server".into())],
            vec![Verdict::Holds("prod-llm".into())],
            vec![Verdict::None],
            vec![],
        ]
    );
    assert_eq!(explained.taken().map(|entry| &*entry.name).collect::<Vec<_>>(), ["b", "d"]);
    assert_eq!(explained.selected.role.map(|role| role.name()), Some("serving"), "of the first that says one");
    assert_eq!(explained.selected.loaders.as_ref().map(Vec::len), Some(2), "they add up");
    assert!(explained.selected.writers.is_none());
    let nobody_told = Workload { identity: None, ..container };
    let explained = Explanation::new(&policy, &nobody_told, &everywhere);
    assert_eq!(explained.entries[1].conditions[0].1, Verdict::Unknown);
}
