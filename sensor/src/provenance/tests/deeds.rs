//! What is known of who does something else than to send: starts programs, gives content away, gets at others.

use crate::event::{
    Access, AccessHow, Actor, Body, BootTime, Carrier, Class, Classes, Direction, Event, Exec, File, FileId, Fork,
    HeldBy, Open, Process, ProcessAccess, ProcessKey, Transfer, Workload,
};
use crate::policy;
use crate::provenance::{ClassTable, Limits, Tracer};
use std::sync::Arc;

const SIZE: u64 = 20 << 20;

fn tracer() -> Tracer {
    Tracer::new(ClassTable::load(None).unwrap(), Limits::default())
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ticks: 1 }
}

fn weights() -> File {
    let classes = Classes::default().with(Class::Weights);
    let id = Some(FileId { device: 1, inode: 7 });
    File { id, path: "/models/a.safetensors".into(), size: SIZE, mode: 0o100_644, classes, ..File::default() }
}

/// What the process `pid` does, in one container, as the tracer leaves it.
fn traced(tracer: &mut Tracer, pid: u32, body: Body) -> Event {
    let actor = Actor { process: Some(key(pid)), ..Actor::default() };
    let mut event = Event::new(BootTime(1), None, actor, body);
    event.process = Some(Arc::new(Process { key: key(pid), executable: "/usr/bin/x".into(), ..Process::default() }));
    event.workload = Some(Arc::new(Workload { id: "container:a".into(), ..Workload::default() }));
    tracer.trace(&mut event, &policy::Table::default());
    event
}

fn opens() -> Body {
    Body::Open(Open {
        file: weights(),
        access: Access::Read,
        flags: 0,
        io_uring: false,
        candidate: false,
        carrier: false,
        created: false,
    })
}

fn starts() -> Body {
    Body::Exec(Exec {
        file: File::default(),
        parent: None,
        args: Box::default(),
        args_cut: false,
        working_directory: "/".into(),
        streams: Default::default(),
        setuid: false,
    })
}

fn by(event: &Event) -> Option<HeldBy> {
    event.trail.as_ref().map(|trail| trail.by)
}

#[test]
fn a_program_that_a_holder_starts_holds_and_one_next_to_it_only_by_its_workload() {
    let mut tracer = tracer();
    assert_eq!(traced(&mut tracer, 8, starts()).held, None, "nobody has read anything");
    traced(&mut tracer, 7, opens());
    traced(&mut tracer, 7, Body::Fork(Fork { child: key(9), child_vpid: 0 }));
    let child = traced(&mut tracer, 9, starts());
    assert_eq!((by(&child), child.held.as_ref().map(|held| held.bytes)), (Some(HeldBy::Process), Some(SIZE)));
    assert!(child.trail.is_some_and(|trail| trail.source.is_none()), "it would join all that a server starts");
    let neighbour = traced(&mut tracer, 8, starts());
    assert_eq!((by(&neighbour), neighbour.held.map(|held| held.bytes)), (Some(HeldBy::Workload), Some(SIZE)));
}

#[test]
fn who_gets_at_a_holder_holds_by_memory_and_who_gets_at_another_does_not() {
    let mut tracer = tracer();
    traced(&mut tracer, 7, opens());
    let reach = |target| {
        Body::ProcessAccess(ProcessAccess {
            how: AccessHow::VmRead,
            target: Some(key(target)),
            target_vpid: 0,
            target_process: None,
        })
    };
    let debugger = traced(&mut tracer, 8, reach(50));
    assert_eq!(by(&debugger), Some(HeldBy::Workload));
    let thief = traced(&mut tracer, 8, reach(7));
    assert_eq!(by(&thief), Some(HeldBy::Process));
    assert_eq!(thief.trail.map(|trail| trail.carriers), Some(["memory".into()].into()));
}

#[test]
fn what_a_holder_gives_away_says_of_which_file_it_can_be() {
    let mut tracer = tracer();
    traced(&mut tracer, 7, opens());
    let gives = |direction| {
        let id = Some(FileId { device: 2, inode: 9 });
        Body::Transfer(Transfer {
            file: File { id, path: "/dev/shm/x".into(), ..File::default() },
            carrier: Carrier::Memory,
            direction,
            bytes: SIZE,
            until: SIZE,
            socket_cookie: None,
            mapped: false,
            bound: false,
            io_uring: false,
            classes: Classes::default(),
        })
    };
    let given = traced(&mut tracer, 7, gives(Direction::Out));
    let source = given.trail.as_ref().and_then(|trail| trail.source.as_ref()).map(|source| source.path.clone());
    assert_eq!(source.as_deref(), Some("/models/a.safetensors"));
    assert_eq!(traced(&mut tracer, 7, gives(Direction::In)).held, None, "nothing was given");
}
