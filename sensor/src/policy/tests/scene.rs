//! Identification and the policy's stage, and what happens to them.

use crate::event::{
    Access, Actor, Body, BootTime, Cgroup, CgroupKey, Class, Classes, Event, Exec, Exit, File, FileId, Fork, Identity,
    Open, ProcessFound, ProcessKey, WorkloadIdentified,
};
use crate::policy::{Policy, Table};
use crate::{process, workload};
use std::sync::Arc;

pub const SECOND: u64 = 1_000_000_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const CONTAINER: CgroupKey = CgroupKey { hierarchy: 0, id: 40 };
pub const OTHER: CgroupKey = CgroupKey { hierarchy: 0, id: 41 };
pub const UNIT: CgroupKey = CgroupKey { hierarchy: 0, id: 5 };
pub const ID: &str = "34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376";
pub const OTHER_ID: &str = "44dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376";

/// Process `pid`, started at second `start`.
pub fn key(pid: u32, start: u64) -> ProcessKey {
    ProcessKey { pid, start_ticks: start * 100 }
}

/// A host with a runtime's unit and two containers.
pub struct Scene {
    processes: process::Table,
    workloads: workload::Table,
    pub policy: Table,
    pub now: u64,
}

impl Scene {
    pub fn new(policy: Policy) -> Scene {
        Scene::with(Table::new(policy, Vec::new(), 100))
    }

    pub fn with(policy: Table) -> Scene {
        let mut scene =
            Scene { processes: process::Table::new(1000), workloads: workload::Table::new(1000), policy, now: 0 };
        let runtime = key(1, 0);
        for (cgroup, path) in [
            (UNIT, "/system.slice/containerd.service".to_owned()),
            (CONTAINER, format!("/kubepods/besteffort/pod8b1a9953-c461-4c2f-9c1e-0a1f0c0d0e0f/{ID}")),
            (OTHER, format!("/kubepods/{OTHER_ID}")),
        ] {
            scene.happens(runtime, UNIT, Body::Cgroup(Cgroup { key: cgroup, path: path.into() }));
        }
        scene.exec(runtime, UNIT, "/usr/bin/containerd-shim");
        scene
    }

    pub fn happens(&mut self, process: ProcessKey, cgroup: CgroupKey, body: Body) -> Event {
        let actor = Actor { process: Some(process), cgroup, ..Actor::default() };
        let mut event = Event::new(BootTime(self.now), None, actor, body);
        self.processes.identify(&mut event);
        self.workloads.identify(&mut event);
        self.policy.select(&mut event, &self.workloads);
        self.policy.declare(&mut event);
        event
    }

    pub fn exec(&mut self, process: ProcessKey, cgroup: CgroupKey, program: &str) -> Event {
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
        self.happens(process, cgroup, Body::Exec(exec))
    }

    pub fn fork(&mut self, process: ProcessKey, cgroup: CgroupKey, child: ProcessKey) {
        self.happens(process, cgroup, Body::Fork(Fork { child, child_vpid: 0 }));
    }

    pub fn exit(&mut self, process: ProcessKey, cgroup: CgroupKey) {
        self.happens(process, cgroup, Body::Exit(Exit { code: Some(0), signal: None }));
    }

    /// Forks a child and runs a program in it.
    pub fn start(
        &mut self,
        parent: ProcessKey,
        parents: CgroupKey,
        child: ProcessKey,
        cgroup: CgroupKey,
        program: &str,
    ) {
        self.fork(parent, parents, child);
        self.exec(child, cgroup, program);
    }

    pub fn found(&mut self, process: ProcessKey, parent: Option<u32>, program: &str) {
        let path = format!("/kubepods/besteffort/pod8b1a9953-c461-4c2f-9c1e-0a1f0c0d0e0f/{ID}");
        let found = ProcessFound {
            key: process,
            parent_pid: parent,
            executable: program.into(),
            cgroup: Some(Cgroup { key: CONTAINER, path: path.into() }),
            ..ProcessFound::default()
        };
        self.happens(process, CONTAINER, Body::ProcessFound(found));
    }

    /// What a process is declared to be that opens this file for reading.
    pub fn reads(&mut self, process: ProcessKey, cgroup: CgroupKey, path: &str) -> Vec<&'static str> {
        let event = self.opens(process, cgroup, path, Access::Read);
        event.declared.names().collect()
    }

    pub fn opens(&mut self, process: ProcessKey, cgroup: CgroupKey, path: &str, access: Access) -> Event {
        let classes = if path.ends_with(".gguf") { Classes(0).with(Class::Weights) } else { Classes(0) };
        let file =
            File { id: Some(FileId { device: 1, inode: 9 }), path: path.into(), classes, links: 1, ..File::default() };
        let open = Open { file, access, flags: 0, io_uring: false, candidate: false, carrier: false, created: false };
        self.happens(process, cgroup, Body::Open(open))
    }

    pub fn identified(&mut self, id: &str, identity: Identity) -> Event {
        let told = WorkloadIdentified { container_id: id.into(), identity: Arc::new(identity) };
        let mut event = Event::new(BootTime(self.now), None, Actor::default(), Body::WorkloadIdentified(told));
        self.processes.identify(&mut event);
        self.workloads.identify(&mut event);
        self.policy.select(&mut event, &self.workloads);
        event
    }
}
