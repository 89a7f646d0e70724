//! What is held, told in events.

use crate::event::{
    Access, Actor, Body, BootTime, Dns, DnsDirection, Endpoints, Event, Exec, File, FileId, Held, Open, SocketMade,
    Transport, Workload,
};
use crate::policy;
use crate::provenance::{ClassTable, Limits, Tracer};
use std::sync::Arc;

fn tracer(limits: Limits) -> Tracer {
    Tracer::new(ClassTable::load(None).expect("the built-in file is right"), limits)
}

fn happens(tracer: &mut Tracer, workload: &str, body: Body) -> Event {
    let mut event = Event::new(BootTime(1), None, Actor::default(), body);
    if !workload.is_empty() {
        event.workload = Some(Arc::new(Workload { id: workload.into(), ..Workload::default() }));
    }
    tracer.trace(&mut event, &policy::Table::default());
    event
}

fn opened(path: &str, inode: u64, size: u64, access: Access) -> Body {
    let file = File { id: Some(FileId { device: 1, inode }), path: path.into(), size, ..File::default() };
    Body::Open(Open { file, access, flags: 0, io_uring: false, candidate: false, carrier: false, created: false })
}

/// By a socket that nobody counts, which asks and changes nothing.
fn held(tracer: &mut Tracer, workload: &str) -> Option<(u64, u64)> {
    let socket = SocketMade { family: 17, kind: 3, protocol: 3 };
    happens(tracer, workload, Body::Socket(socket)).held.map(|Held { sources, bytes }| (sources, bytes))
}

#[test]
fn a_workload_holds_each_weights_file_once_that_it_opened_for_reading() {
    let mut tracer = tracer(Limits::default());
    assert_eq!(held(&mut tracer, "a"), None);
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
        happens(&mut tracer, "a", opened(path, inode, size, access));
    }
    assert_eq!(held(&mut tracer, "a"), Some((2, 170)));
    assert_eq!(held(&mut tracer, "b"), None, "another workload holds nothing");
}

#[test]
fn files_are_judged_on_opens_and_execs() {
    let mut tracer = tracer(Limits::default());
    let Body::Open(open) = happens(&mut tracer, "a", opened("/m/x.gguf", 1, 1, Access::Write)).body else { panic!() };
    assert!(!open.file.classes.is_empty());
    let file = File { path: "/dev/shm/x.pt".into(), ..File::default() };
    let exec = Exec {
        file,
        parent: None,
        args: Box::default(),
        args_cut: false,
        working_directory: "".into(),
        streams: Default::default(),
        setuid: false,
    };
    let Body::Exec(exec) = happens(&mut tracer, "a", Body::Exec(exec)).body else { panic!() };
    assert!(!exec.file.classes.is_empty());
}

#[test]
fn a_file_that_the_kernel_did_not_resolve_is_held_too() {
    let mut tracer = tracer(Limits::default());
    let file = File { path: "m/x.gguf".into(), ..File::default() };
    let open = Open {
        file,
        access: Access::Read,
        flags: 0,
        io_uring: false,
        candidate: false,
        carrier: false,
        created: false,
    };
    happens(&mut tracer, "a", Body::Open(open.clone()));
    happens(&mut tracer, "a", Body::Open(open));
    assert_eq!(held(&mut tracer, "a"), Some((1, 0)));
}

#[test]
fn a_way_out_that_nobody_counts_tells_what_its_workload_holds() {
    let mut tracer = tracer(Limits::default());
    let device = || opened("/dev/infiniband/uverbs0", 9, 0, Access::ReadWrite);
    assert_eq!(happens(&mut tracer, "a", device()).held, None);
    let opened = happens(&mut tracer, "a", opened("/m/x.gguf", 1, 10, Access::Read));
    assert_eq!((opened.held, opened.egress), (None, None), "a reader of weights does not say so of itself");
    assert_eq!(happens(&mut tracer, "a", device()).held, Some(Held { sources: 1, bytes: 10 }));
    assert_eq!(happens(&mut tracer, "b", device()).held, None);
}

#[test]
fn a_query_tells_what_its_workload_holds_and_an_answer_does_not() {
    let mut tracer = tracer(Limits::default());
    let dns = |direction| {
        let peer_address = [192, 0, 2, 53].into();
        let (local_address, local_port, peer_port, transport) = (None, None, 53, Transport::Udp);
        let endpoints = Endpoints { local_address, local_port, peer_address, peer_port, transport };
        Body::Dns(Dns { endpoints, socket_cookie: 9, direction, size: 40, message: None, channel: None })
    };
    assert_eq!(happens(&mut tracer, "a", dns(DnsDirection::Query)).held, None);
    happens(&mut tracer, "a", opened("/m/x.gguf", 1, 10, Access::Read));
    assert_eq!(happens(&mut tracer, "a", dns(DnsDirection::Query)).held, Some(Held { sources: 1, bytes: 10 }));
    assert_eq!(happens(&mut tracer, "a", dns(DnsDirection::Answer)).held, None);
    assert_eq!(happens(&mut tracer, "b", dns(DnsDirection::Query)).held, None);
}

#[test]
fn tables_are_bounded_and_every_loss_is_counted() {
    let mut limits = Limits::default();
    (limits.holdings.workloads, limits.holdings.sources) = (2, 2);
    let mut tracer = tracer(limits);
    for inode in 1..=4 {
        happens(&mut tracer, "a", opened("/m/x.gguf", inode, 10, Access::Read));
    }
    assert_eq!(held(&mut tracer, "a"), Some((2, 20)));
    assert_eq!(tracer.counts().holdings.sources_refused, 2);
    for workload in ["b", "c"] {
        happens(&mut tracer, workload, opened("/m/x.gguf", 1, 10, Access::Read));
    }
    assert_eq!(held(&mut tracer, "a"), None);
    happens(&mut tracer, "", opened("/m/x.gguf", 1, 10, Access::Read));
    let counts = tracer.counts().holdings;
    assert_eq!((counts.workloads, counts.workloads_evicted.live, counts.unattributed), (2, 1, 1));
}
