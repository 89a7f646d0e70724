//! What is held and what has left, told in events.

use crate::event::{
    Access, Actor, Body, BootTime, Connect, Endpoints, Event, Exec, File, FileId, Flow, FlowReason, Held, Label, Open,
    Transport, Workload,
};
use crate::provenance::{ClassTable, Declared, Ledger, Limits};
use std::net::IpAddr;
use std::sync::Arc;

const FAR: &str = "203.0.113.9";

fn ledger(limits: Limits) -> Ledger {
    let declared = Declared::new(["10.0.0.0/8".parse().expect("a network")]);
    Ledger::with(ClassTable::load(None).expect("the built-in file is right"), declared, limits)
}

fn happens(ledger: &mut Ledger, workload: &str, body: Body) -> Event {
    let mut event = Event::new(BootTime(1), None, Actor::default(), body);
    if !workload.is_empty() {
        event.workload = Some(Arc::new(Workload { id: workload.into(), ..Workload::default() }));
    }
    ledger.trace(&mut event);
    event
}

fn opened(path: &str, inode: u64, size: u64, access: Access) -> Body {
    let file = File { id: Some(FileId { device: 1, inode }), path: path.into(), size, ..File::default() };
    Body::Open(Open { file, access, flags: 0, io_uring: false, candidate: false, carrier: false })
}

fn endpoints(peer: &str) -> Endpoints {
    let peer_address: IpAddr = peer.parse().expect("an address");
    Endpoints { local_address: None, local_port: None, peer_address, peer_port: 443, transport: Transport::Tcp }
}

fn flow(cookie: u64, peer: &str, bytes: u64) -> Flow {
    Flow {
        endpoints: endpoints(peer),
        socket_cookie: cookie,
        bytes,
        packets: 1,
        first_time: BootTime(1),
        reason: FlowReason::Grown,
        initiated: true,
        owner_guessed: false,
        peers_merged: false,
        label: Label::default(),
    }
}

fn connect(ledger: &mut Ledger, workload: &str) -> Option<Held> {
    happens(
        ledger,
        workload,
        Body::Connect(Connect { endpoints: endpoints(FAR), socket_cookie: 1, label: Label::default() }),
    )
    .held
}

fn held(sources: u64, bytes: u64, sent: u64) -> Option<Held> {
    Some(Held { sources, bytes, sent })
}

#[test]
fn a_workload_holds_each_weights_file_once_that_it_opened_for_reading() {
    let mut ledger = ledger(Limits::default());
    assert_eq!(connect(&mut ledger, "a"), None);
    for (path, inode, size, access) in [
        ("/m/1.safetensors", 1, 100, Access::Read),
        ("/other/name.safetensors", 1, 100, Access::Read),
        ("/m/2.gguf", 2, 50, Access::ReadWrite),
        ("/m/2.gguf", 2, 70, Access::Read),
        ("/m/3.gguf", 3, 1000, Access::Write),
        ("/m/4.gguf", 4, 1000, Access::None),
        ("/m/config.json", 5, 1000, Access::Read),
        ("/venv/site-packages/x.pth", 6, 1000, Access::Read),
    ] {
        happens(&mut ledger, "a", opened(path, inode, size, access));
    }
    assert_eq!(connect(&mut ledger, "a"), held(2, 170, 0));
    assert_eq!(connect(&mut ledger, "b"), None, "another workload holds nothing");
}

#[test]
fn files_are_judged_on_opens_and_execs() {
    let mut ledger = ledger(Limits::default());
    let Body::Open(open) = happens(&mut ledger, "a", opened("/m/x.gguf", 1, 1, Access::Write)).body else { panic!() };
    assert!(!open.file.classes.is_empty());
    let file = File { path: "/dev/shm/x.pt".into(), ..File::default() };
    let exec = Exec { file, parent: None, args: Box::default(), args_cut: false, working_directory: "".into() };
    let Body::Exec(exec) = happens(&mut ledger, "a", Body::Exec(exec)).body else { panic!() };
    assert!(!exec.file.classes.is_empty());
}

#[test]
fn what_leaves_after_the_first_weights_is_summed_over_flows_and_reports() {
    let mut ledger = ledger(Limits::default());
    // Before it holds anything.
    assert_eq!(happens(&mut ledger, "a", Body::Flow(flow(1, FAR, 1_000))).held, None);
    happens(&mut ledger, "a", opened("/m/1.gguf", 1, 100, Access::Read));
    for (flow, sent) in [
        (flow(1, FAR, 1_500), 500),
        (flow(1, FAR, 1_500), 500),
        (Flow { reason: FlowReason::Closed, ..flow(1, FAR, 1_600) }, 600),
        // Another socket, and another peer of an unconnected one.
        (flow(2, FAR, 30), 630),
        (flow(2, "203.0.113.10", 7), 637),
        // Declared, loopback, accepted.
        (flow(3, "10.1.2.3", 9_000), 637),
        (flow(4, "127.0.0.1", 9_000), 637),
        (flow(4, "::1", 9_000), 637),
        (flow(4, "::ffff:127.0.0.1", 9_000), 637),
        (flow(4, "0.0.0.0", 9_000), 637),
        (Flow { initiated: false, ..flow(5, FAR, 9_000) }, 637),
        // Peers for which there was no room: the one that is named says nothing.
        (Flow { peers_merged: true, ..flow(6, "127.0.0.1", 3) }, 640),
        (Flow { peers_merged: true, ..flow(6, FAR, 5) }, 642),
        // A socket's number that came back.
        (flow(2, FAR, 8), 650),
    ] {
        let body = Body::Flow(flow);
        assert_eq!(happens(&mut ledger, "a", body.clone()).held, held(1, 100, sent), "{body:?}");
    }
    assert_eq!(connect(&mut ledger, "a"), held(1, 100, 650));
    assert_eq!(ledger.counts().flows, 3, "closed flows are forgotten");
}

#[test]
fn a_file_that_the_kernel_did_not_resolve_is_held_too() {
    let mut ledger = ledger(Limits::default());
    let file = File { path: "m/x.gguf".into(), ..File::default() };
    let open = Open { file, access: Access::Read, flags: 0, io_uring: false, candidate: false, carrier: false };
    happens(&mut ledger, "a", Body::Open(open.clone()));
    happens(&mut ledger, "a", Body::Open(open));
    assert_eq!(connect(&mut ledger, "a"), held(1, 0, 0));
}

#[test]
fn tables_are_bounded_and_every_loss_is_counted() {
    let mut ledger = ledger(Limits { workloads: 2, sources: 2, flows: 2 });
    for inode in 1..=4 {
        happens(&mut ledger, "a", opened("/m/x.gguf", inode, 10, Access::Read));
    }
    assert_eq!(connect(&mut ledger, "a"), held(2, 20, 0));
    assert_eq!(ledger.counts().sources_refused, 2);
    for workload in ["b", "c"] {
        happens(&mut ledger, workload, opened("/m/x.gguf", 1, 10, Access::Read));
    }
    assert_eq!(connect(&mut ledger, "a"), None);
    for cookie in 1..=3 {
        happens(&mut ledger, "c", Body::Flow(flow(cookie, FAR, 1)));
    }
    happens(&mut ledger, "", Body::Flow(flow(9, FAR, 1)));
    happens(&mut ledger, "", opened("/m/x.gguf", 1, 10, Access::Read));
    let counts = ledger.counts();
    assert_eq!((counts.workloads, counts.workloads_evicted.live), (2, 1));
    assert_eq!((counts.flows, counts.flows_evicted.live, counts.unattributed), (2, 2, 2));
}
