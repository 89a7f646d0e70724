//! Through the whole line: what is declared for a workload is what its bytes are held against.

use super::super::*;
use crate::event::{
    Access, Actor, Cgroup, CgroupKey, EgressGrown, Exec, Exfil, Fork, Identity, ProcessKey, Transport,
    WorkloadIdentified,
};

const MIB: u64 = 1 << 20;
const MODEL: &str = "/models/llama.safetensors";
const POLICY: &str = "\
workloads:
- name: serving
  select: {k8s.namespace.name: prod}
  role: serving
  destinations: [{to: 203.0.113.0/24, budget: 3 MiB/day}, {to: 192.0.2.1, direction: download}]
- name: strict
  select: {k8s.namespace.name: strict}
  loaders: [/usr/bin/python3]
";

/// Containers, told apart by a digit, whose programs open weights and send.
struct Scene {
    line: Line,
}

fn cgroup(container: u32) -> CgroupKey {
    CgroupKey { hierarchy: 0, id: 1000 + u64::from(container) }
}

fn id(container: u32) -> String {
    format!("{container}f4e5a6b").repeat(8)
}

impl Scene {
    fn new() -> Scene {
        let rules = RuleSet::embedded().unwrap_or_else(|error| panic!("{error}"));
        let mut line = Line::new(rules, ClassTable::load(None).unwrap(), Limits::default());
        line.set_policy(Policy::parse(POLICY, &"policy.yml".into()).unwrap());
        Scene { line }
    }

    fn push(&mut self, actor: Actor, body: Body) -> (Arc<Event>, Vec<String>) {
        let (event, notices) = self.line.push(Event::new(BootTime(1_000_000_000), None, actor, body));
        let name =
            |notice: Notice| if let Notice::Alert(alert) = notice { Some(alert.rule.name.to_string()) } else { None };
        (event, notices.into_iter().filter_map(name).collect())
    }

    /// A container, in a namespace if a runtime tells it.
    fn container(&mut self, container: u32, namespace: Option<&str>) {
        let path = format!("/system.slice/docker-{}.scope", id(container));
        self.push(Actor::default(), Body::Cgroup(Cgroup { key: cgroup(container), path: path.into() }));
        if let Some(namespace) = namespace {
            let identity = Identity { namespace: Some(namespace.into()), ..Identity::default() };
            let told = WorkloadIdentified { container_id: id(container).into(), identity: Arc::new(identity) };
            self.push(Actor::default(), Body::WorkloadIdentified(told));
        }
    }

    fn actor(container: u32) -> Actor {
        let process = Some(ProcessKey { pid: container + 7, start_ticks: 1 });
        Actor { process, cgroup: cgroup(container), ..Actor::default() }
    }

    /// Its first process opens weights; the alerts.
    fn reads(&mut self, container: u32, program: &str) -> Vec<String> {
        let shim = Actor { process: Some(ProcessKey { pid: 2, start_ticks: 0 }), ..Actor::default() };
        let child = Scene::actor(container).process.unwrap_or_default();
        self.push(shim, Body::Fork(Fork { child, child_vpid: 1 }));
        let file = File { path: program.into(), ..File::default() };
        let exec = Exec {
            file,
            parent: None,
            args: Box::default(),
            args_cut: false,
            working_directory: "".into(),
            streams: Default::default(),
            setuid: false,
        };
        self.push(Scene::actor(container), Body::Exec(exec));
        self.opens(container)
    }

    fn opens(&mut self, container: u32) -> Vec<String> {
        let id = Some(crate::event::FileId { device: 1, inode: 2 });
        let file = File { id, path: MODEL.into(), size: 16_000_000_000, links: 1, ..File::default() };
        let open = Open {
            file,
            access: Access::Read,
            flags: 0,
            io_uring: false,
            candidate: false,
            carrier: false,
            created: false,
        };
        self.push(Scene::actor(container), Body::Open(open)).1
    }

    /// So many bytes more go to a peer, told by the kernel's counters.
    fn sends(&mut self, container: u32, peer: &str, grown: u64) -> (Arc<Event>, Vec<String>) {
        let actor = Actor { process: None, ..Scene::actor(container) };
        let peer = Some(peer.parse().unwrap());
        let grown = EgressGrown { peer, transport: Transport::Tcp, initiated: true, bytes: grown, grown };
        self.push(actor, Body::Egress(grown))
    }
}

#[test]
fn a_destination_is_declared_for_the_workloads_that_the_policy_means() {
    let mut scene = Scene::new();
    scene.container(1, Some("prod"));
    scene.container(2, Some("other"));
    scene.container(3, None);
    for container in 1..=3 {
        scene.reads(container, "/usr/bin/python3");
    }
    let stands = |(event, alerts): (Arc<Event>, Vec<String>)| {
        let egress = event.egress.as_deref().cloned().unwrap_or_default();
        let destination = egress.destination;
        let exfil = egress.exfil.map_or(0, |Exfil { bytes, .. }| bytes);
        (destination.declared, destination.id.to_string(), destination.budget_day_bytes, exfil, alerts)
    };
    let entry = || "203.0.113.0/24".to_owned();
    assert_eq!(stands(scene.sends(1, "203.0.113.9", 2 * MIB)), (true, entry(), Some(3 * MIB), 0, vec![]));
    let over = stands(scene.sends(1, "203.0.113.10", 2 * MIB));
    assert_eq!(over, (true, entry(), Some(3 * MIB), 0, vec!["egress_over_budget".to_owned()]), "the entry is one row");
    for container in [2, 3] {
        let (declared, id, budget, exfil, alerts) = stands(scene.sends(container, "203.0.113.9", 2 * MIB));
        assert_eq!((declared, &*id, budget, exfil), (false, "203.0.113.9", None, 2 * MIB), "container {container}");
        assert!(alerts.contains(&"egress_burst".to_owned()), "{alerts:?}");
    }
    // Only to ask there.
    let asked = stands(scene.sends(1, "192.0.2.1", 65 * MIB));
    assert_eq!((asked.0, asked.2, asked.4), (true, Some(64 * MIB), vec!["egress_over_budget".to_owned()]));
}

#[test]
fn weights_are_opened_by_whom_the_policy_or_the_containers_beginning_says() {
    const RULE: &str = "weights_opened_unexpectedly";
    let mut scene = Scene::new();
    scene.container(1, None);
    assert_eq!(scene.reads(1, "/opt/own/server"), [""; 0], "the container's first process");
    scene.container(2, Some("strict"));
    assert_eq!(scene.reads(2, "/usr/bin/python3"), [""; 0], "declared");
    scene.container(3, Some("strict"));
    assert_eq!(
        scene.reads(3, "/tmp/python3"),
        [RULE],
        "it has the name of a loader, and is not the one that is declared"
    );
    scene.container(4, Some("prod"));
    assert_eq!(scene.reads(4, "/opt/own/server"), [""; 0], "the policy says nothing of loaders there");
}
