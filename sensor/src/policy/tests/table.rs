//! The policy on the line.

use super::policy;
use super::scene::{CONTAINER, ID, OTHER, OTHER_ID, Scene, UNIT, key};
use crate::event::{
    Access, Body, Cgroup, CgroupKey, Connect, Endpoints, Field, Identity, Label, NamedBy, Transport, Value,
};
use crate::policy::{Budget, Policy, Table};

/// Containers of the namespace `prod` serve.
fn prod() -> Policy {
    policy(
        "workloads:\n- name: serving\n  select: {k8s.namespace.name: prod}\n  role: serving\n\
         \x20 loaders: [{executables: /opt/serve, files: /models/**}, /usr/bin/check]\n\
         \x20 writers: [{executables: /opt/sync, files: /models/**}]\n\
         \x20 destinations: [10.0.0.0/8 1GB/day]\n\
         - name: kubernetes\n  select: {process.linux.cgroup: '/kubepods/**'}\n  role: build\n  destinations: ['192.0.2.1']\n",
    )
    .unwrap_or_else(|error| panic!("{error}"))
}

fn in_namespace(name: &str) -> Identity {
    Identity { namespace: Some(name.into()), ..Identity::default() }
}

fn connects() -> Body {
    let endpoints = Endpoints {
        local_address: None,
        local_port: None,
        peer_address: [10, 0, 0, 1].into(),
        peer_port: 1,
        transport: Transport::Tcp,
    };
    Body::Connect(Connect { endpoints, socket_cookie: 1, label: Label::default() })
}

/// What may go in a day to 10.0.0.1.
fn budget(scene: &Scene, event: &crate::event::Event) -> Option<Budget> {
    let declared = scene.policy.destinations(event.workload.as_deref());
    declared.find(None, NamedBy::Address, Some([10, 0, 0, 1].into())).map(|entry| entry.budget)
}

#[test]
fn roles_and_programs_are_those_of_the_workload() {
    let mut scene = Scene::new(prod());
    scene.identified(ID, in_namespace("prod"));
    scene.start(key(1, 0), UNIT, key(10, 0), CONTAINER, "/opt/serve");
    let event = scene.opens(key(10, 0), CONTAINER, "/models/a.gguf", Access::Read);
    let fields = [Field::WorkloadRole, Field::ProcessDeclared, Field::WorkloadDeclares, Field::NamespaceName];
    let [role, declared, declares, namespace] = fields.map(|field| field.get(&event));
    assert_eq!(role, Some("serving".into()));
    assert_eq!(namespace, Some("prod".into()));
    let list = |names: &[&'static str]| Some(Value::List(names.iter().map(|name| (*name).into()).collect()));
    assert_eq!(declared, list(&["loader"]));
    assert_eq!(declares, list(&["loaders", "writers", "destinations"]));
    assert_eq!(scene.reads(key(10, 0), CONTAINER, "/data/a.gguf"), [""; 0], "not of these files");
    let connect = scene.happens(key(10, 0), CONTAINER, connects());
    assert_eq!(connect.declared.names().collect::<Vec<_>>(), ["loader"], "no file is in question");
    scene.exec(key(10, 0), CONTAINER, "/opt/sync");
    assert_eq!(scene.reads(key(10, 0), CONTAINER, "/models/a.gguf"), ["writer"]);
    scene.exec(key(10, 0), CONTAINER, "/usr/bin/check");
    assert_eq!(scene.reads(key(10, 0), CONTAINER, "/data/a.gguf"), ["loader"], "of any file");
    scene.exec(key(10, 0), CONTAINER, "/tmp/opt/serve");
    assert_eq!(scene.reads(key(10, 0), CONTAINER, "/models/a.gguf"), [""; 0], "from the root on");
    // Another container of the node, and a unit.
    scene.start(key(1, 0), UNIT, key(20, 0), OTHER, "/opt/serve");
    let other = scene.opens(key(20, 0), OTHER, "/models/a.gguf", Access::Read);
    assert_eq!(other.role.map(|role| role.name()), Some("build"));
    assert_eq!(Field::WorkloadDeclares.get(&other), list(&["destinations"]));
    assert_eq!(other.declared.names().collect::<Vec<_>>(), ["loader"], "learnt, since nobody declares loaders there");
    let unit = scene.exec(key(1, 0), UNIT, "/opt/serve");
    assert_eq!((unit.role, unit.declared.names().count(), unit.declares.names().count()), (None, 0, 0));
}

#[test]
fn what_is_selected_changes_when_a_runtime_says_what_it_is() {
    let everywhere = vec!["10.0.0.0/8 2GB/day".parse().unwrap()];
    let mut scene = Scene::with(Table::new(prod(), everywhere, 100));
    scene.start(key(1, 0), UNIT, key(10, 0), CONTAINER, "/opt/serve");
    let before = scene.happens(key(10, 0), CONTAINER, connects());
    assert_eq!(before.role.map(|role| role.name()), Some("build"));
    assert_eq!(budget(&scene, &before), Some(Budget::PerDay(2_000_000_000)), "as for all workloads");
    let told = scene.identified(ID, in_namespace("prod"));
    assert_eq!(Field::NamespaceName.get(&told), Some("prod".into()), "the event shows what it says");
    let after = scene.happens(key(10, 0), CONTAINER, connects());
    assert_eq!(after.role.map(|role| role.name()), Some("serving"));
    assert_eq!(budget(&scene, &after), Some(Budget::PerDay(1_000_000_000)), "its own entry comes first");
    scene.identified(ID, in_namespace("dev"));
    let again = scene.happens(key(10, 0), CONTAINER, connects());
    assert_eq!(again.role.map(|role| role.name()), Some("build"));
}

#[test]
fn a_cgroup_below_its_own_makes_no_other_workload_of_a_container() {
    let text =
        format!("workloads: [{{name: a, select: {{process.linux.cgroup: '/kubepods/*/*/{ID}'}}, role: serving}}]");
    let mut scene = Scene::new(policy(&text).unwrap());
    scene.start(key(1, 0), UNIT, key(10, 0), CONTAINER, "/bin/sh");
    let below = CgroupKey { hierarchy: 0, id: 77 };
    let path = format!("/kubepods/besteffort/pod8b1a9953-c461-4c2f-9c1e-0a1f0c0d0e0f/{ID}/hidden");
    scene.happens(key(10, 0), CONTAINER, Body::Cgroup(Cgroup { key: below, path: path.into() }));
    let moved = scene.exec(key(10, 0), below, "/bin/thief");
    assert_eq!(moved.role.map(|role| role.name()), Some("serving"));
    // Also when another policy comes.
    scene.policy.replace(policy(&text).unwrap(), Vec::new());
    assert_eq!(scene.exec(key(10, 0), below, "/bin/thief").role.map(|role| role.name()), Some("serving"));
}

#[test]
fn another_policy_counts_from_the_next_event_on_and_what_was_learnt_stays() {
    let mut scene = Scene::new(Policy::default());
    scene.start(key(1, 0), UNIT, key(10, 0), CONTAINER, "/opt/serve");
    assert_eq!(scene.reads(key(10, 0), CONTAINER, "/models/a.gguf"), ["loader"]);
    let strict = policy("workloads: [{name: a, select: {}, role: notebook, loaders: []}]").unwrap();
    scene.policy.replace(strict, Vec::new());
    let event = scene.opens(key(10, 0), CONTAINER, "/models/a.gguf", Access::Read);
    assert_eq!((event.role.map(|role| role.name()), event.declared.names().count()), (Some("notebook"), 0));
    scene.policy.replace(Policy::default(), Vec::new());
    let event = scene.opens(key(10, 0), CONTAINER, "/models/a.gguf", Access::Read);
    assert_eq!((event.role, event.declared.names().count()), (None, 1));
}

#[test]
fn what_is_known_of_workloads_is_bounded() {
    let mut scene = Scene::with(Table::new(prod(), Vec::new(), 1));
    scene.identified(OTHER_ID, in_namespace("prod"));
    scene.start(key(1, 0), UNIT, key(10, 0), CONTAINER, "/opt/serve");
    scene.start(key(1, 0), UNIT, key(20, 0), OTHER, "/opt/serve");
    let counts = scene.policy.counts();
    assert_eq!(counts.workloads, 1);
    assert!(counts.workloads_evicted.live >= 2, "{counts:?}");
    assert_eq!(scene.exec(key(20, 0), OTHER, "/x").role.map(|role| role.name()), Some("serving"), "decided anew");
}
