//! A million short lives and more labelled files than there is room for through the whole line, in a process of its own, so that its memory
//! is the line's: what lives on keeps its label, what goes is counted, and the memory stays bounded.

use sensor::detection::RuleSet;
use sensor::event::{
    Access, Actor, Body, BootTime, Carrier, Cgroup, CgroupKey, Classes, Connect, Direction, Endpoints, Event, Exit,
    File, FileId, Fork, HeldBy, Hook, Label, Open, ProcessKey, Transfer, Transport,
};
use sensor::line::{Limits, Line};
use sensor::provenance::ClassTable;
use std::net::Ipv4Addr;

const PROCESSES: u64 = 1_000_000;
/// More than there is room for.
const FILES: u64 = 120_000;
/// Processes that live on and do nothing for all that time, each with a file of its own that it has mapped and one that it has read.
const IDLE: u32 = 200;
/// Bytes that the line may take for all that.
const GROWTH: u64 = 64 << 20;

const SERVER: u32 = 2;
const FIRST_IDLE: u32 = 1000;
const FIRST_SHORT: u32 = 100_000;
const PIDS: u64 = 4_000_000;
const GIB: u64 = 1 << 30;
const CGROUP: CgroupKey = CgroupKey { hierarchy: 0, id: 5 };
const MODEL: FileId = FileId { device: 1, inode: 1 };

struct Churn {
    line: Line,
    now: u64,
}

impl Churn {
    fn new() -> Churn {
        let rules = RuleSet::embedded().expect("the built-in rules are right");
        let classes = ClassTable::load(None).expect("the built-in file is right");
        let mut churn = Churn { line: Line::new(rules, classes, Limits::default()), now: 0 };
        churn.push(key(1), Body::Cgroup(Cgroup { key: CGROUP, path: "/system.slice/serve.service".into() }));
        churn
    }

    /// As fast as a machine makes them: a hundred thousand a second.
    fn push(&mut self, by: ProcessKey, body: Body) -> std::sync::Arc<Event> {
        self.now += 10_000;
        let actor = Actor { process: Some(by), cgroup: CGROUP, ..Actor::default() };
        let (event, _) = self.line.push(Event::new(BootTime(self.now), Some(Hook::SysExit), actor, body));
        // What the agent does with what comes out.
        drop((self.line.take_derived(), self.line.take_marks(), self.line.take_unlooked(), self.line.take_unknown()));
        event
    }

    fn fork(&mut self, parent: ProcessKey, child: ProcessKey) {
        self.push(parent, Body::Fork(Fork { child, child_vpid: child.pid }));
    }

    fn open(&mut self, by: ProcessKey, id: FileId, path: &str, size: u64) {
        let file = File { id: Some(id), path: path.into(), size, ..File::default() };
        let access = Access::Read;
        let open = Open { file, access, flags: 0, io_uring: false, candidate: false, carrier: false, created: false };
        self.push(by, Body::Open(open));
    }

    fn transfer(&mut self, by: ProcessKey, id: FileId, path: &str, direction: Direction, bytes: u64) {
        let transfer = Transfer {
            file: File { id: Some(id), path: path.into(), ..File::default() },
            carrier: Carrier::File,
            direction,
            bytes,
            until: bytes,
            socket_cookie: None,
            mapped: direction == Direction::Both,
            bound: false,
            io_uring: false,
            classes: Classes::default(),
        };
        self.push(by, Body::Transfer(transfer));
    }

    /// What the line tells of a connect: bytes that are held as far as the process is known to, and the path of the file.
    fn told(&mut self, by: ProcessKey) -> Option<(u64, HeldBy, String)> {
        let peer_address = Ipv4Addr::new(203, 0, 113, 9).into();
        let transport = Transport::Tcp;
        let endpoints = Endpoints { local_address: None, local_port: None, peer_address, peer_port: 443, transport };
        let connect = Connect { endpoints, socket_cookie: 9, label: Label::default() };
        let event = self.push(by, Body::Connect(connect));
        let (held, trail) = (event.held.as_ref()?, event.trail.as_ref()?);
        let path = trail.source.as_ref().map(|source| source.path.to_string()).unwrap_or_default();
        Some((held.bytes, trail.by, path))
    }
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ticks: 1 }
}

fn idle(number: u32) -> ProcessKey {
    key(FIRST_IDLE + number)
}

/// Numbers of processes come again after a while.
fn short(number: u64) -> ProcessKey {
    ProcessKey { pid: FIRST_SHORT + (number % PIDS) as u32, start_ticks: 1 + number / PIDS }
}

fn mapped(number: u32) -> FileId {
    FileId { device: 2, inode: 10 + u64::from(number) }
}

fn read(number: u32) -> FileId {
    FileId { device: 3, inode: 10 + u64::from(number) }
}

/// `VmHWM` and `VmRSS` of this process, bytes (proc_pid_status(5)).
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("every process has it");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("every process has it");
    line.trim_start_matches(':')
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<u64>().ok())
        .expect("a number")
        << 10
}

#[test]
fn a_million_lives_and_many_files_take_little_and_lose_nothing_that_lives() {
    let mut churn = Churn::new();
    let before = memory("VmRSS");
    let server = key(SERVER);
    churn.open(server, MODEL, "/models/a.gguf", GIB);
    for number in 0..IDLE {
        churn.fork(server, idle(number));
        churn.transfer(idle(number), mapped(number), "/dev/shm/x", Direction::Both, GIB);
        churn.transfer(server, read(number), "/tmp/kept", Direction::Out, 1 << 20);
        churn.transfer(idle(number), read(number), "/tmp/kept", Direction::In, 1 << 20);
    }
    for number in 0..PROCESSES {
        let process = short(number);
        churn.fork(server, process);
        let id = FileId { device: 4, inode: 10 + number % FILES };
        churn.transfer(process, id, "/tmp/part", Direction::Out, 1 << 20);
        churn.push(process, Body::Exit(Exit { code: Some(0), signal: None }));
    }
    let growth = memory("VmHWM").saturating_sub(before);
    let counts = churn.line.provenance().graph;
    eprintln!("grown by {} MiB: {counts:?}", growth >> 20);

    // Who lives on still holds, and from where is still known.
    for number in 0..IDLE {
        let (bytes, by, path) = churn.told(idle(number)).expect("it holds the model");
        assert_eq!((bytes, by, path.as_str()), (GIB, HeldBy::Process, "/models/a.gguf"), "process {number}");
    }
    // Whoever takes from what is open or mapped somewhere gets it, and it is known from where.
    let unexplained = churn.line.provenance().graph.unexplained;
    for number in 0..IDLE {
        for (place, id) in [(0, mapped(number)), (1, read(number))] {
            let taker = key(50_000 + 2 * number + place);
            churn.transfer(taker, id, "", Direction::In, 1 << 20);
            let (bytes, by, path) = churn.told(taker).expect("it holds what it took");
            assert_eq!((by, path.as_str()), (HeldBy::Process, "/models/a.gguf"), "file {number}: {bytes} bytes");
        }
    }
    assert_eq!(churn.line.provenance().graph.unexplained, unexplained);
    let short_lives = counts.processes_evicted;
    assert!(short_lives.retired + short_lives.expired > PROCESSES / 2, "who ended is counted: {counts:?}");
    assert_eq!(short_lives.live, 0, "{counts:?}");
    let files = counts.carriers_evicted;
    assert!(counts.carriers as u64 + files.retired >= FILES, "what nobody has any more is counted: {counts:?}");
    assert_eq!(files.live, 0, "{counts:?}");
    assert!(growth < GROWTH, "grown by {} MiB", growth >> 20);
}
