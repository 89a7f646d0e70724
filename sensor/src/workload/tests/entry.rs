//! Who came into a container from outside.

use super::{ID, SECOND, cgroup, exec, exit, fork, found, key, made};
use crate::event::{
    Actor, Body, BootTime, CgroupKey, Endpoints, Event, Field, Flow, FlowReason, Hook, Label, Transport, Value,
};
use crate::workload::{Entries, Table};

const SHIM: CgroupKey = CgroupKey { hierarchy: 0, id: 5 };
const CONTAINER: CgroupKey = CgroupKey { hierarchy: 0, id: 6 };

/// Both tables, as the line has them.
struct Story {
    table: Table,
    entries: Entries,
    now: u64,
}

impl Story {
    /// A runtime, process 1, is known.
    fn begin() -> Story {
        let mut story = Story { table: Table::new(50), entries: Entries::new(50), now: 0 };
        story.happens(1, SHIM, None, made(SHIM, "/system.slice/containerd.service"));
        story.happens(1, SHIM, None, found(1, SHIM, "/system.slice/containerd.service"));
        story
    }

    /// What is said of the event's process.
    fn happens(&mut self, process: u32, cgroup: CgroupKey, hook: Option<Hook>, body: Body) -> Option<bool> {
        self.now += SECOND;
        let actor = Actor { process: Some(key(process)), cgroup, ..Actor::default() };
        let mut event = Event::new(BootTime(self.now), hook, actor, body);
        self.table.identify(&mut event);
        self.entries.trace(&mut event);
        match Field::ProcessEntered.get(&event) {
            Some(Value::Flag(entered)) => Some(entered),
            _ => None,
        }
    }

    fn container_is_made(&mut self) {
        self.happens(1, SHIM, Some(Hook::CgroupMkdir), made(CONTAINER, &format!("/kubepods/pod1/{ID}")));
    }

    /// The runtime forks a process and moves it into the container, where it runs a program.
    fn runtime_starts(&mut self, process: u32) -> Option<bool> {
        assert_eq!(self.happens(1, SHIM, None, fork(process)), None, "the runtime is in no container");
        self.happens(process, CONTAINER, None, exec())
    }
}

#[test]
fn who_is_moved_into_a_container_after_its_first_process_came_from_outside() {
    let mut story = Story::begin();
    story.container_is_made();
    assert_eq!(story.runtime_starts(10), Some(false), "the first process");
    assert_eq!(story.happens(10, CONTAINER, None, fork(11)), Some(false));
    assert_eq!(story.happens(11, CONTAINER, None, exec()), Some(false), "its child");
    assert_eq!(story.runtime_starts(20), Some(true), "kubectl exec");
    assert_eq!(story.happens(20, CONTAINER, None, fork(21)), Some(true));
    assert_eq!(story.happens(21, CONTAINER, None, exec()), Some(true), "its child");
    assert_eq!(story.happens(21, CONTAINER, None, exit()), Some(true));
    // A systemd in the container makes a cgroup of its own: that is no new container.
    let below = cgroup(0, 7);
    story.happens(11, CONTAINER, Some(Hook::CgroupMkdir), made(below, &format!("/kubepods/pod1/{ID}/init.scope")));
    assert_eq!(story.happens(11, below, None, exec()), Some(false));
    assert_eq!(story.happens(20, below, None, exec()), Some(true));
    assert_eq!(story.runtime_starts(30), Some(true));
}

/// runc: the one that is moved is not the one that runs the program, but its parent, which has ended.
#[test]
fn the_child_of_who_was_moved_came_as_its_parent_did() {
    let mut story = Story::begin();
    story.container_is_made();
    for (stage, expected) in [(10, false), (20, true)] {
        story.happens(1, SHIM, None, fork(stage));
        story.happens(stage, SHIM, None, exec());
        assert_eq!(story.happens(stage, CONTAINER, None, fork(stage + 1)), Some(expected));
        assert_eq!(story.happens(stage, CONTAINER, None, exit()), Some(expected));
        assert_eq!(story.happens(stage + 1, CONTAINER, None, exec()), Some(expected));
    }
}

/// A flow is told with the cgroup in which its socket was made.
#[test]
fn what_a_socket_was_made_in_is_not_where_its_maker_is() {
    let mut story = Story::begin();
    story.container_is_made();
    assert_eq!(story.runtime_starts(10), Some(false));
    assert_eq!(story.happens(10, SHIM, None, flow()), None, "of a time before it came");
    assert_eq!(story.happens(10, CONTAINER, None, exec()), Some(false));
    assert_eq!(story.happens(10, CONTAINER, None, flow()), Some(false));
}

fn flow() -> Body {
    let peer_address = std::net::Ipv4Addr::LOCALHOST.into();
    let (local_address, local_port, transport) = (None, None, Transport::Tcp);
    Body::Flow(Flow {
        endpoints: Endpoints { local_address, local_port, peer_address, peer_port: 443, transport },
        socket_cookie: 1,
        bytes: 1,
        packets: 1,
        first_time: BootTime(1),
        reason: FlowReason::First,
        initiated: true,
        owner_guessed: false,
        peers_merged: false,
        label: Label::default(),
    })
}

#[test]
fn a_container_that_is_started_anew_has_a_first_process_again() {
    let mut story = Story::begin();
    story.container_is_made();
    assert_eq!(story.runtime_starts(10), Some(false));
    assert_eq!(story.runtime_starts(20), Some(true));
    story.container_is_made();
    assert_eq!(story.runtime_starts(30), Some(false));
    assert_eq!(story.runtime_starts(40), Some(true));
}

#[test]
fn of_what_came_before_the_sensor_nothing_is_said() {
    let mut story = Story::begin();
    let path = format!("/kubepods/pod1/{ID}");
    assert_eq!(story.happens(10, CONTAINER, None, found(10, CONTAINER, &path)), None);
    assert_eq!(story.happens(10, CONTAINER, None, fork(11)), None);
    assert_eq!(story.happens(11, CONTAINER, None, exec()), None);
    assert_eq!(story.runtime_starts(20), Some(true), "but the container is not empty");
    // One whose fork was lost.
    assert_eq!(story.happens(90, CONTAINER, None, exec()), None);
}

#[test]
fn a_container_of_which_nothing_is_known_may_be_empty() {
    let mut story = Story::begin();
    // Found by a look at the hierarchy, before any process of it is.
    story.happens(1, SHIM, None, made(CONTAINER, &format!("/kubepods/pod1/{ID}")));
    assert_eq!(story.runtime_starts(10), None);
    assert_eq!(story.runtime_starts(20), Some(true));
}
