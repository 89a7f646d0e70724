//! Told stories: alerts made by hand, so that each says one thing only.

mod joining;
mod properties;
mod telling;

use super::*;
use crate::alert::Alert;
use crate::detection::{Evidence, Rule, RuleSet};
use crate::event::{
    Access, Actor, Ancestor, Body, BootTime, Class, Classes, Endpoints, Event, Exit, File, FileId, Flow, FlowReason,
    Open, Process, ProcessKey, Transport, Workload, WorkloadKind,
};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, LazyLock};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;

/// A process of a workload: its pid, those of its ancestors, the parent first, and the workload. An ancestor above 1000 is outside.
#[derive(Clone, Copy, Debug)]
struct Who {
    pid: u32,
    ancestors: &'static [u32],
    workload: &'static str,
}

const OUTSIDE: u32 = 1_000;

const fn who(pid: u32, ancestors: &'static [u32], workload: &'static str) -> Who {
    Who { pid, ancestors, workload }
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ticks: u64::from(pid) * 10 }
}

fn within(ancestor: &Ancestor, _: &Workload) -> bool {
    ancestor.key.pid <= OUTSIDE
}

/// Pid 1 is the first process of its container.
fn ancestor(pid: u32) -> Ancestor {
    Ancestor { key: key(pid), vpid: pid, executable: format!("/bin/p{pid}").into(), ..Ancestor::default() }
}

fn event(time: u64, who: Who, body: Body) -> Arc<Event> {
    let mut event = Event::new(BootTime(time), None, Actor { process: Some(key(who.pid)), ..Actor::default() }, body);
    event.process = Some(Arc::new(Process {
        key: key(who.pid),
        executable: format!("/bin/p{}", who.pid).into(),
        lineage: who.ancestors.iter().map(|pid| ancestor(*pid)).collect(),
        ..Process::default()
    }));
    event.workload = Some(Arc::new(Workload {
        kind: WorkloadKind::Container,
        id: format!("container:{}", who.workload).into(),
        container_id: Some(who.workload.into()),
        ..Workload::default()
    }));
    Arc::new(event)
}

fn file(inode: u64, class: Option<Class>, access: Access) -> Body {
    let file = File {
        id: Some(FileId { device: 8 << 20 | 1, inode }),
        path: format!("/models/{inode}").into(),
        size: 1_000 * inode,
        mode: 0o100_644,
        classes: class.map_or(Classes::default(), |class| Classes::default().with(class)),
        ..File::default()
    };
    Body::Open(Open { file, access, flags: 0, io_uring: false, candidate: false, carrier: false, created: false })
}

fn reads(inode: u64) -> Body {
    file(inode, Some(Class::Weights), Access::Read)
}

fn sends(host: u8, socket: u64, bytes: u64, reason: FlowReason) -> Body {
    let endpoints = Endpoints {
        local_address: None,
        local_port: None,
        peer_address: [203, 0, 113, host].into(),
        peer_port: 443,
        transport: Transport::Tcp,
    };
    Body::Flow(Flow {
        endpoints,
        socket_cookie: socket,
        bytes,
        packets: 1,
        first_time: BootTime(1),
        reason,
        initiated: true,
        owner_guessed: false,
        peers_merged: false,
        label: Default::default(),
    })
}

fn exits() -> Body {
    Body::Exit(Exit { code: Some(0), signal: None })
}

fn rule(name: &str, level: Level) -> Arc<Rule> {
    static SHIPPED: LazyLock<Rule> =
        LazyLock::new(|| Rule::clone(RuleSet::embedded().expect("right").rules().next().expect("one at least")));
    let (id, title) = (format!("id of {name}"), format!("Title of {name}"));
    Arc::new(Rule { id: id.into(), name: name.into(), title: title.into(), level, ..SHIPPED.clone() })
}

/// The alert of a rule whose name and level are given, decided by the last of the events.
fn alert(name: &str, level: Level, proof: &[Arc<Event>]) -> Alert {
    let decisive = Arc::clone(proof.last().expect("an event"));
    let mut digest = Sha256::new().chain_update(name);
    for event in proof {
        digest.update(format!("{:?} {:?}", event.time, event.actor.process));
    }
    Alert {
        uid: Uid::from_digest(&digest.finalize()),
        revision: 0,
        rule: rule(name, level),
        ruleset: "".into(),
        time: decisive.time,
        begun: proof.first().map_or(decisive.time, |first| first.time),
        sentence: String::new(),
        evidence: proof.iter().map(|event| Evidence { rule_name: name.into(), event: Arc::clone(event) }).collect(),
        decisive,
        group: Arc::default(),
        suppressed: 0,
        incident: None,
    }
}

/// What was told: the alert or not, and the record if there is one.
fn push(incidents: &mut Incidents, alert: Alert) -> (Option<Alert>, Option<Incident>) {
    let notices = incidents.push(alert, &within);
    assert!(notices.len() <= 2, "{notices:#?}");
    (notices.iter().find_map(Notice::alert).cloned(), notices.iter().find_map(Notice::incident).cloned())
}

/// Of a rule at `level`, by a process, about nothing else.
fn plain(
    incidents: &mut Incidents,
    name: &str,
    level: Level,
    time: u64,
    who: Who,
) -> (Option<Alert>, Option<Incident>) {
    push(incidents, alert(name, level, &[event(time, who, exits())]))
}
