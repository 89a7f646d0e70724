//! Who came into a container from outside: `kubectl exec`, `docker exec`, a debugger of the host.
//!
//! A process's cgroup says what it is part of, and a process comes into a container by being moved there. The first that is moved
//! into a new container is what the runtime makes its init of; whoever is moved there later came from outside, and so did all that
//! descends from it there. Who only goes into a container's namespaces (nsenter) stays part of what it was: that is told as a
//! namespace event, not here.
//!
//! What came there before the sensor is not known, nor what descends from it: nothing is said of it then.

use crate::bounded::{Bounded, Evictions};
use crate::event::{Body, Cgroup, Event, Hook, ProcessKey, Workload, WorkloadKind};
use crate::process::EXITED_KEPT;
use std::sync::Arc;
use std::time::Duration;

/// Where each process is, and how it came there.
#[derive(Debug)]
pub struct Entries {
    processes: Bounded<ProcessKey, Place>,
    /// Containers by workload id. Of one that had to go, it is not known whether somebody was in it.
    containers: Bounded<Box<str>, Container>,
}

/// What a process was last seen in.
#[derive(Clone, Debug)]
struct Place {
    workload: Arc<Workload>,
    entered: Option<bool>,
}

#[derive(Debug)]
struct Container {
    /// The path of its outermost cgroup.
    path: Box<str>,
    /// Nobody has been in it since it was made.
    is_new: bool,
}

impl Entries {
    /// Nobody is anywhere. At most `limit` processes and as many containers are kept.
    pub fn new(limit: usize) -> Entries {
        Entries { processes: Bounded::new(limit, EXITED_KEPT), containers: Bounded::new(limit, Duration::ZERO) }
    }

    /// Learns from the event and sets `event.entered`. Expects the workload to be known.
    pub fn trace(&mut self, event: &mut Event) {
        self.processes.advance(event.time);
        if let (Body::Cgroup(cgroup), Some(Hook::CgroupMkdir)) = (&event.body, event.hook) {
            self.made(cgroup);
        }
        let (Some(key), Some(workload)) = (event.actor.process, &event.workload) else { return };
        event.entered = match &event.body {
            // These tell where the socket's maker was when it made it, and where it was when it ended is of no interest any more.
            Body::Flow(_) | Body::Dns(_) | Body::Hello(_) | Body::Exit(_) => self.entered(key, workload),
            _ => self.seen(key, workload),
        };
        match &event.body {
            Body::Fork(fork) => {
                let place = Place { workload: Arc::clone(workload), entered: event.entered };
                self.processes.insert(fork.child, place);
            }
            Body::Exit(_) => self.processes.retire(&key, event.time),
            _ => {}
        }
    }

    /// Processes and containers that were forgotten.
    pub fn evictions(&self) -> [Evictions; 2] {
        [self.processes.evictions(), self.containers.evictions()]
    }

    /// A cgroup was made. Docker starts a container anew in a cgroup of the same path; what is made below is part of the same container.
    fn made(&mut self, cgroup: &Cgroup) {
        let workload = super::parse(&cgroup.path);
        if workload.kind != WorkloadKind::Container {
            return;
        }
        let is_below = |known: &mut Container| known.path.len() < cgroup.path.len();
        if !self.containers.get(&workload.id).is_some_and(is_below) {
            self.containers.insert(workload.id, Container { path: cgroup.path.clone(), is_new: true });
        }
    }

    /// How a process came into a workload, as far as it was seen there.
    fn entered(&self, key: ProcessKey, workload: &Workload) -> Option<bool> {
        self.processes.peek(&key).filter(|place| place.workload.id == workload.id)?.entered
    }

    /// A process is seen in a workload: how it came there.
    fn seen(&mut self, key: ProcessKey, workload: &Arc<Workload>) -> Option<bool> {
        let before = self.processes.get(&key);
        if let Some(place) = &before
            && place.workload.id == workload.id
        {
            return place.entered;
        }
        let is_moved = before.is_some();
        let entered = if workload.kind == WorkloadKind::Container { self.comes_into(workload, is_moved) } else { None };
        self.processes.insert(key, Place { workload: Arc::clone(workload), entered });
        entered
    }

    /// A process is in a container in which it was not before; `is_moved`: it was elsewhere, else it was nowhere seen.
    fn comes_into(&mut self, workload: &Workload, is_moved: bool) -> Option<bool> {
        let Some(container) = self.containers.get(&workload.id) else {
            let path = workload.cgroup_path.clone();
            self.containers.insert(workload.id.clone(), Container { path, is_new: false });
            return None;
        };
        let was_new = std::mem::replace(&mut container.is_new, false);
        is_moved.then_some(!was_new)
    }
}
