//! Real paths, the table's stories, and this host's own hierarchies.

mod entry;
mod paths;

use super::cgroupfs::{Error, Hierarchies, mounts, scan};
use super::*;
use crate::event::{
    Actor, Body, BootTime, Cgroup, CgroupKey, Event, Exec, Exit, File, Fork, Identity, OwnerKind, ProcessFound,
    ProcessKey, WorkloadIdentified, WorkloadKind, image_name,
};
use std::path::Path;

const SECOND: u64 = 1_000_000_000;
const ID: &str = "34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376";

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ticks: u64::from(pid) }
}

fn cgroup(hierarchy: u32, id: u64) -> CgroupKey {
    CgroupKey { hierarchy, id }
}

/// What `table` says of an event of `process` in `cgroup`: the workload's id.
fn happens(table: &mut Table, time: u64, process: u32, cgroup: CgroupKey, body: Body) -> Option<String> {
    let actor = Actor { process: Some(key(process)), cgroup, ..Actor::default() };
    let mut event = Event::new(BootTime(time), None, actor, body);
    table.identify(&mut event);
    event.workload.map(|workload| workload.id.to_string())
}

fn exec() -> Body {
    let file = File::default();
    Body::Exec(Exec {
        file,
        parent: None,
        args: Box::default(),
        args_cut: false,
        working_directory: "".into(),
        streams: Default::default(),
        setuid: false,
    })
}

fn fork(child: u32) -> Body {
    Body::Fork(Fork { child: key(child), child_vpid: 0 })
}

fn exit() -> Body {
    Body::Exit(Exit { code: Some(0), signal: None })
}

fn made(cgroup: CgroupKey, path: &str) -> Body {
    Body::Cgroup(Cgroup { key: cgroup, path: path.into() })
}

fn found(process: u32, cgroup: CgroupKey, path: &str) -> Body {
    let cgroup = Some(Cgroup { key: cgroup, path: path.into() });
    Body::ProcessFound(ProcessFound { key: key(process), cgroup, ..ProcessFound::default() })
}

#[test]
fn a_process_is_part_of_what_its_cgroup_is_wherever_it_moves() {
    let mut table = Table::new(10);
    let (shim, container) = (cgroup(0, 5), cgroup(0, 6));
    happens(&mut table, 1, 1, shim, made(shim, "/system.slice/containerd.service"));
    happens(&mut table, 2, 1, shim, made(container, &format!("/kubepods/{ID}")));
    assert_eq!(happens(&mut table, 3, 2, shim, fork(3)).as_deref(), Some("systemd:containerd.service"));
    assert_eq!(happens(&mut table, 4, 3, container, exec()), Some(format!("container:{ID}")));
    let of = |process, cgroup| table.of(&key(process), &cgroup).map(|workload| workload.id.to_string());
    assert_eq!(of(3, container), Some(format!("container:{ID}")));
    assert_eq!(of(3, shim).as_deref(), Some("systemd:containerd.service"), "as it was then");
    assert_eq!(of(3, cgroup(0, 99)), None);
    // Nothing tells of a cgroup's end: a late event still finds it, until the number is taken again.
    assert_eq!(happens(&mut table, 500 * SECOND, 3, container, exit()), Some(format!("container:{ID}")));
    happens(&mut table, 501 * SECOND, 1, shim, made(container, "/system.slice/other.service"));
    assert_eq!(happens(&mut table, 502 * SECOND, 4, container, exec()).as_deref(), Some("systemd:other.service"));
    assert!(table.take_unknown().is_empty());
}

#[test]
fn a_cgroup_that_nobody_told_of_is_asked_for_and_learnt() {
    let mut table = Table::new(10);
    let unknown = cgroup(0, 77);
    assert_eq!(happens(&mut table, 1, 8, unknown, exec()), None);
    assert_eq!(happens(&mut table, 2, 9, unknown, exec()), None);
    assert_eq!(table.take_unknown(), [8], "asked for once, not with every event");
    assert_eq!(happens(&mut table, 2 * SECOND, 9, unknown, exec()), None);
    assert_eq!(table.take_unknown(), [9], "and again after a while");
    assert_eq!(table.counts().unknown, 3);
    let path = format!("/docker/{ID}");
    assert_eq!(happens(&mut table, 3, 9, unknown, found(9, unknown, &path)), Some(format!("container:{ID}")));
    assert_eq!(happens(&mut table, 4, 10, unknown, exec()), Some(format!("container:{ID}")));
}

#[test]
fn where_the_kernel_tells_only_the_root_proc_is_remembered_and_inherited() {
    let mut table = Table::new(10);
    let (root, legacy) = (cgroup(0, 1), cgroup(8, 40));
    happens(&mut table, 1, 1, root, made(root, "/"));
    happens(&mut table, 1, 5, legacy, found(5, legacy, &format!("/docker/{ID}")));
    let container = Some(format!("container:{ID}"));
    assert_eq!(happens(&mut table, 2, 5, root, fork(6)), container);
    assert_eq!(happens(&mut table, 3, 6, root, fork(7)), container);
    assert!(table.take_unknown().is_empty());
    assert_eq!(happens(&mut table, 4, 7, root, exec()), container);
    assert_eq!(table.take_unknown(), [7], "a runtime may have moved it since its fork");
    happens(&mut table, 5, 7, legacy, found(7, cgroup(8, 41), "/system.slice/x.service"));
    assert_eq!(happens(&mut table, 6, 7, root, exec()).as_deref(), Some("systemd:x.service"));
    assert_eq!(happens(&mut table, 7, 99, root, exec()).as_deref(), Some("host"));
    happens(&mut table, 8, 6, root, exit());
    assert_eq!(happens(&mut table, 9, 6, root, exec()), container, "lingers");
    happens(&mut table, 40 * SECOND, 99, root, exec());
    assert_eq!(table.counts().processes_evicted.expired, 1);
}

#[test]
fn what_proc_said_gives_way_where_the_kernel_tells_the_same_hierarchy() {
    let mut table = Table::new(10);
    let (shim, unknown) = (cgroup(0, 5), cgroup(0, 6));
    happens(&mut table, 1, 5, shim, found(5, shim, "/system.slice/containerd.service"));
    happens(&mut table, 2, 5, shim, fork(6));
    assert_eq!(happens(&mut table, 3, 6, unknown, exec()), None, "not the unit of the shim");
    assert_eq!(table.counts().processes, 0);
}

#[test]
fn a_full_table_counts_what_goes() {
    let mut table = Table::new(3);
    for id in 1..=5 {
        happens(&mut table, id, 1, cgroup(0, 99), made(cgroup(0, id), "/x"));
    }
    let counts = table.counts();
    assert_eq!((counts.cgroups, counts.cgroups_evicted.live), (3, 2));
    for pid in 0..2_000 {
        happens(&mut table, 10, pid, cgroup(0, 1_000 + u64::from(pid)), exec());
    }
    assert_eq!(table.take_unknown().len(), super::table::UNKNOWN_MAX);
    assert!(table.counts().unknown_refused > 0);
}

const HYBRID: &[u8] = br"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime shared:9 master:1 - cgroup cgroup rw,devices
39 31 0:36 / /sys/fs/cgroup/cpu,pids rw - cgroup cgroup rw,cpu,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=pids
41 31 0:38 /../.. /mnt/a\040part rw - cgroup2 cgroup2 rw
42 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
not a line
";

#[test]
fn hierarchies_are_chosen_by_what_they_are_not_by_where_they_are() {
    let lines = b"9:name=pids:/\n8:cpu,pids:/\n6:devices:/\n0::/\n";
    let mounts = mounts(HYBRID);
    let whole = |path: &Path| path != Path::new("/mnt/a part");
    let chosen = Hierarchies::choose(&mounts, lines, whole).expect("found");
    assert_eq!(chosen.unified, Path::new("/sys/fs/cgroup/unified"));
    assert_eq!(chosen.identifying(), (8, Path::new("/sys/fs/cgroup/cpu,pids")));

    let only = |name: &'static str| move |path: &Path| path.ends_with(name) || path.ends_with("unified");
    let chosen = Hierarchies::choose(&mounts, lines, only("devices")).expect("found");
    assert_eq!(chosen.legacy.map(|legacy| (legacy.hierarchy, legacy.controller)), Some((6, "devices")));
    let chosen = Hierarchies::choose(&mounts, lines, only("none")).expect("found");
    assert_eq!(chosen.identifying(), (0, Path::new("/sys/fs/cgroup/unified")));

    let error = Hierarchies::choose(&mounts, lines, |_| false).expect_err("only a part");
    assert!(error.to_string().starts_with("/mnt/a part is not the root"), "{error}");
    assert!(matches!(Hierarchies::choose(&[], lines, |_| true), Err(Error::NoUnified)));
}

#[test]
fn this_hosts_cgroups_are_found_parents_first() {
    let hierarchies = match Hierarchies::find() {
        Ok(hierarchies) => hierarchies,
        Err(error) => return println!("skipped: {error}"),
    };
    let (hierarchy, root) = hierarchies.identifying();
    let scan = scan(root, hierarchy, BootTime(1), 100_000);
    let paths: Vec<&str> = scan
        .events
        .iter()
        .map(|event| match &event.body {
            Body::Cgroup(cgroup) => &*cgroup.path,
            other => panic!("not a cgroup: {other:?}"),
        })
        .collect();
    assert_eq!(paths.first(), Some(&"/"));
    assert!(!scan.cut);
    for (at, path) in paths.iter().enumerate().skip(1) {
        let parent = path.rsplit_once('/').map(|(parent, _)| if parent.is_empty() { "/" } else { parent });
        assert!(paths[..at].iter().any(|before| Some(*before) == parent), "{path} before its parent");
    }
    let cut = super::cgroupfs::scan(root, hierarchy, BootTime(1), 1);
    assert_eq!((cut.events.len(), cut.cut), (1, paths.len() > 1));
}

fn identified(labels: usize) -> Body {
    let label = |number: usize| (format!("key{number}").into(), "x".into());
    let identity = Identity {
        namespace: Some("prod".into()),
        labels: (0..labels).map(label).chain([("long".into(), "x".repeat(LABEL_BYTES_MAX).into())]).collect(),
        ..Identity::default()
    };
    Body::WorkloadIdentified(WorkloadIdentified { container_id: ID.into(), identity: identity.into() })
}

/// The namespace that an event of `process` in `cgroup` shows.
fn namespace(table: &mut Table, process: u32, cgroup: CgroupKey) -> Option<String> {
    let actor = Actor { process: Some(key(process)), cgroup, ..Actor::default() };
    let mut event = Event::new(BootTime(5), None, actor, exec());
    table.identify(&mut event);
    Some(event.workload?.identity.as_deref()?.namespace.as_deref()?.to_owned())
}

#[test]
fn what_a_runtime_says_of_a_container_is_known_of_all_its_cgroups() {
    let mut table = Table::new(10);
    let (container, below, other) = (cgroup(0, 6), cgroup(0, 7), cgroup(0, 8));
    happens(&mut table, 1, 1, cgroup(0, 1), made(container, &format!("/docker/{ID}")));
    happens(&mut table, 1, 1, cgroup(0, 1), made(other, "/system.slice/x.service"));
    happens(&mut table, 1, 5, cgroup(8, 40), found(5, cgroup(8, 40), &format!("/docker/{ID}")));
    assert_eq!(namespace(&mut table, 2, container), None);
    let mut told = Event::new(BootTime(2), None, Actor::default(), identified(2));
    table.identify(&mut told);
    assert_eq!(told.workload.map(|workload| workload.id.to_string()), Some(format!("container:{ID}")));
    assert_eq!(namespace(&mut table, 2, container).as_deref(), Some("prod"));
    assert_eq!(namespace(&mut table, 2, other), None);
    // One that was remembered from /proc, and one that is made afterwards.
    happens(&mut table, 3, 1, cgroup(0, 1), made(cgroup(0, 1), "/"));
    assert_eq!(namespace(&mut table, 5, cgroup(0, 1)).as_deref(), Some("prod"));
    happens(&mut table, 3, 2, container, made(below, &format!("/docker/{ID}/init.scope")));
    assert_eq!(namespace(&mut table, 2, below).as_deref(), Some("prod"));
    assert_eq!((table.counts().identities, table.counts().labels_refused), (1, 1), "the long label");
}

#[test]
fn a_container_that_nobody_named_is_asked_for_once() {
    let mut table = Table::new(10_000);
    happens(&mut table, 1, 1, cgroup(0, 1), made(cgroup(0, 6), &format!("/docker/{ID}")));
    happens(&mut table, 1, 1, cgroup(0, 1), made(cgroup(0, 7), &format!("/docker/{ID}/init")));
    happens(&mut table, 1, 1, cgroup(0, 1), made(cgroup(0, 8), "/system.slice/x.service"));
    assert_eq!(table.take_unidentified(), [ID.into()]);
    assert!(table.take_unidentified().is_empty());
    let mut told = Event::new(BootTime(2), None, Actor::default(), identified(1));
    table.identify(&mut told);
    happens(&mut table, 3, 1, cgroup(0, 1), made(cgroup(0, 9), &format!("/docker/{ID}/later")));
    assert!(table.take_unidentified().is_empty(), "it is known");
    for number in 0..UNIDENTIFIED_MAX as u64 + 5 {
        happens(&mut table, 4, 1, cgroup(0, 1), made(cgroup(0, 100 + number), &format!("/docker/{number:064x}")));
    }
    assert_eq!(table.take_unidentified().len(), UNIDENTIFIED_MAX);
    assert_eq!(table.counts().unidentified_refused, 5);
}

#[test]
fn who_owns_a_pod_is_told_by_its_labels_and_name() {
    let owner = |pod: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let identity = Identity { pod_name: Some(pod.into()), labels, ..Identity::default() };
        let kinds = [OwnerKind::Deployment, OwnerKind::StatefulSet, OwnerKind::DaemonSet, OwnerKind::Job];
        let mut owners = kinds.into_iter().filter_map(|kind| Some((kind, identity.owner(kind)?.to_owned())));
        let owner = owners.next();
        assert_eq!(owners.next(), None, "one owner");
        owner
    };
    let some = |kind, name: &str| Some((kind, name.to_owned()));
    assert_eq!(
        owner("chat-api-5d9c7b6f4-x2k9p", &[("pod-template-hash", "5d9c7b6f4")]),
        some(OwnerKind::Deployment, "chat-api")
    );
    assert_eq!(owner("other-x2k9p", &[("pod-template-hash", "5d9c7b6f4")]), None, "the name was cut");
    let set = [("statefulset.kubernetes.io/pod-name", "llama-0"), ("controller-revision-hash", "llama-7c9")];
    assert_eq!(owner("llama-0", &set), some(OwnerKind::StatefulSet, "llama"));
    let daemon = [("controller-revision-hash", "7c9"), ("pod-template-generation", "1")];
    assert_eq!(owner("weir-x2k9p", &daemon), some(OwnerKind::DaemonSet, "weir"));
    assert_eq!(owner("tune-7-abcde", &[("batch.kubernetes.io/job-name", "tune-7")]), some(OwnerKind::Job, "tune-7"));
    assert_eq!(owner("tune-7-abcde", &[("job-name", "tune-7")]), some(OwnerKind::Job, "tune-7"));
    assert_eq!(owner("by-hand", &[("app", "vllm")]), None);
}

#[test]
fn labels_are_bounded_and_a_container_may_be_told_of_before_its_cgroup() {
    let mut table = Table::new(10);
    let mut told = Event::new(BootTime(1), None, Actor::default(), identified(1000));
    table.identify(&mut told);
    let workload = told.workload.expect("it says which");
    assert_eq!((&*workload.id, workload.kind), (&*format!("container:{ID}"), WorkloadKind::Container));
    assert_eq!(workload.identity.as_ref().map(|identity| identity.labels.len()), Some(LABELS_MAX));
    assert_eq!(table.counts().labels_refused, 1001 - LABELS_MAX as u64);
    happens(&mut table, 2, 1, cgroup(0, 1), made(cgroup(0, 6), &format!("/docker/{ID}")));
    assert_eq!(namespace(&mut table, 2, cgroup(0, 6)).as_deref(), Some("prod"));
}

#[test]
fn an_images_name_is_without_tag_and_digest() {
    for (reference, name) in [
        ("vllm", "vllm"),
        ("vllm:v1", "vllm"),
        ("registry.example.org:5000/serving/vllm:v1", "registry.example.org:5000/serving/vllm"),
        ("registry.example.org:5000/serving/vllm", "registry.example.org:5000/serving/vllm"),
        ("registry.example.org/vllm:v1@sha256:00ff", "registry.example.org/vllm"),
        ("vllm@sha256:00ff", "vllm"),
        ("", ""),
    ] {
        assert_eq!(image_name(reference), name, "{reference}");
    }
}
