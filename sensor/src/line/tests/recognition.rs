//! What is learnt late is told, and the same stream gives the same again.

use super::super::*;
use crate::event::{
    Access, Actor, BootTime, Cgroup, CgroupKey, Class, Classes, Connect, ContentFinding, Endpoints, File, FileId,
    Label, Open, ProcessKey, Recognized, Transport,
};

const CGROUP: CgroupKey = CgroupKey { hierarchy: 0, id: 5 };

fn line() -> Line {
    let rules = RuleSet::load::<&std::path::Path>(&[]).expect("the built-in rules are right");
    let mut line = Line::new(rules, ClassTable::load(None).expect("the built-in file is right"), Limits::default());
    line.push(by(1, Body::Cgroup(Cgroup { key: CGROUP, path: "/system.slice/trainer.service".into() })));
    line
}

fn by(time: u64, body: Body) -> Event {
    let actor = Actor { process: Some(ProcessKey { pid: 7, start_ticks: 1 }), cgroup: CGROUP, ..Actor::default() };
    Event::new(BootTime(time), None, actor, body)
}

fn blob() -> File {
    File {
        id: Some(FileId { device: 1, inode: 2 }),
        path: "/tmp/blob".into(),
        size: 4 << 20,
        mode: 0o100_644,
        changed_unix_nanos: 5,
        ..File::default()
    }
}

/// A blob is opened and turns out to be weights; then its reader connects.
fn stream() -> Vec<Event> {
    let open = Open {
        file: blob(),
        access: Access::Read,
        flags: 0,
        io_uring: false,
        candidate: true,
        carrier: false,
        created: false,
    };
    let file = File { classes: Classes::default().with(Class::Weights), ..blob() };
    let finding = ContentFinding::Format { name: "gguf".into(), confidence: "certain".into() };
    let recognized = Event::new(
        BootTime(3),
        None,
        Actor::default(),
        Body::Recognized(Recognized { file, born_unix_nanos: None, finding }),
    );
    let far = "203.0.113.9".parse().expect("an address");
    let endpoints = Endpoints {
        local_address: None,
        local_port: None,
        peer_address: far,
        peer_port: 443,
        transport: Transport::Tcp,
    };
    vec![
        by(2, Body::Open(open)),
        recognized,
        by(4, Body::Connect(Connect { endpoints, socket_cookie: 1, label: Label::default() })),
    ]
}

fn classes(event: &Event) -> Classes {
    if let Body::Open(open) = &event.body { open.file.classes } else { Classes::default() }
}

#[test]
fn an_open_comes_again_when_its_file_is_recognised_and_from_then_on_its_reader_holds_it() {
    let mut line = line();
    let mut events = stream().into_iter();
    let mut push = |line: &mut Line| line.push(events.next().expect("there are three"));
    let (open, alerts) = push(&mut line);
    assert_eq!((classes(&open), alerts.len(), line.take_derived().len()), (Classes::default(), 0, 0));
    assert_eq!(line.take_unlooked().len(), 1);
    push(&mut line);
    let derived = line.take_derived();
    let [(open, alerts)] = &derived[..] else { panic!("one open comes again: {derived:?}") };
    assert!(classes(open).contains(Class::Weights) && open.time == BootTime(2), "at its own time");
    assert_eq!(alerts.len(), 1, "an unexpected process opened weights");
    let (connect, _) = push(&mut line);
    assert_eq!(connect.held.as_ref().map(|held| held.bytes), Some(4 << 20));
    assert_eq!((line.take_derived().len(), line.take_unlooked().len()), (0, 0));
}

#[test]
fn the_same_stream_gives_the_same_again() {
    let told = || {
        let mut line = line();
        let mut all = Vec::new();
        for event in stream() {
            let pushed = line.push(event);
            all.extend(line.take_derived().into_iter().chain([pushed]));
        }
        format!("{all:?}")
    };
    assert_eq!(told(), told());
}
