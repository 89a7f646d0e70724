//! Who holds what, told in events.

use super::*;
use crate::event::{Actor, Connect, Endpoints, Exit, Flow, FlowReason, Fork, Label, Process, ProcessAccess, Transport};
use std::net::Ipv4Addr;

const MODEL: u64 = 1;
const COPY: u64 = 2;
const PIPE: u64 = 3;
const OTHER: u64 = 4;
const GIB: u64 = 1 << 30;

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ticks: 1 }
}

fn file(inode: u64, path: &str, size: u64, classes: Classes) -> File {
    File { id: Some(FileId { device: 1, inode }), path: path.into(), size, classes, ..File::default() }
}

fn event(pid: u32, body: Body) -> Event {
    let actor = Actor { process: Some(key(pid)), ..Actor::default() };
    let mut event = Event::new(BootTime(1), Some(crate::event::Hook::SysExit), actor, body);
    let executable = format!("/bin/p{pid}").into();
    event.process = Some(Arc::new(Process { executable, ..Process::default() }));
    event
}

fn open(pid: u32, file: File) -> Event {
    let access = Access::Read;
    event(
        pid,
        Body::Open(Open { file, access, flags: 0, io_uring: false, candidate: false, carrier: false, created: false }),
    )
}

fn model() -> File {
    file(MODEL, "/models/a.gguf", GIB, WEIGHTS)
}

fn transfer(pid: u32, inode: u64, carrier: Carrier, direction: Direction, bytes: u64) -> Event {
    let path = if carrier == Carrier::File { "/tmp/copy" } else { "" };
    event(
        pid,
        Body::Transfer(Transfer {
            file: file(inode, path, 0, Classes::default()),
            carrier,
            direction,
            bytes,
            until: bytes,
            socket_cookie: None,
            mapped: direction == Direction::Both,
            bound: false,
            io_uring: false,
            classes: WEIGHTS,
        }),
    )
}

fn gives(pid: u32, inode: u64, carrier: Carrier, bytes: u64) -> Event {
    transfer(pid, inode, carrier, Direction::Out, bytes)
}

fn takes(pid: u32, inode: u64, carrier: Carrier, bytes: u64) -> Event {
    transfer(pid, inode, carrier, Direction::In, bytes)
}

fn endpoints() -> Endpoints {
    let peer_address = Ipv4Addr::new(192, 0, 2, 1).into();
    Endpoints { local_address: None, local_port: None, peer_address, peer_port: 443, transport: Transport::Tcp }
}

fn connect(pid: u32) -> Event {
    event(pid, Body::Connect(Connect { endpoints: endpoints(), socket_cookie: 9, label: Label::default() }))
}

fn flow(pid: u32, label: Label) -> Event {
    event(
        pid,
        Body::Flow(Flow {
            endpoints: endpoints(),
            socket_cookie: 9,
            bytes: 1,
            packets: 1,
            first_time: BootTime(1),
            reason: FlowReason::First,
            initiated: true,
            owner_guessed: false,
            peers_merged: false,
            label,
        }),
    )
}

fn graph(events: &[Event]) -> Graph {
    let mut graph = Graph::new(Limits::default());
    for event in events {
        graph.learn(event);
    }
    graph
}

/// What `pid` holds: bytes, and how it came.
fn held(graph: &mut Graph, pid: u32) -> Option<(u64, Vec<String>)> {
    let holding = Arc::clone(&graph.processes.peek(&key(pid))?.holding);
    let largest = holding.largest()?;
    Some((holding.bytes(), steps(&largest.way).iter().map(|name| name.to_string()).collect()))
}

fn way(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn who_opens_a_file_holds_all_of_it_once() {
    let mut graph = graph(&[open(1, model()), open(1, model())]);
    assert_eq!(held(&mut graph, 1), Some((GIB, vec![])));
    assert_eq!(held(&mut graph, 2), None);
    assert!(!graph.learn(&open(1, model())), "nothing new");
    assert!(graph.learn(&open(1, file(OTHER, "/models/b.gguf", 5, WEIGHTS))));
    assert_eq!(held(&mut graph, 1).unwrap().0, GIB + 5);
    let (_, trail) = graph.held(&connect(1)).unwrap();
    let source = trail.source.unwrap();
    assert_eq!((&*source.path, source.reader.key, &*source.reader.executable), ("/models/a.gguf", key(1), "/bin/p1"));
    assert_eq!(trail.sender.unwrap().key, key(1));
}

#[test]
fn what_the_kernel_side_did_not_see_it_is_told() {
    let mut before = open(1, model());
    before.hook = None;
    let mut graph = graph(&[before]);
    let id = FileId { device: 1, inode: MODEL };
    assert_eq!(graph.take_marks(), [Mark::Carrier(id, WEIGHTS, GIB), Mark::Holder(key(1), WEIGHTS, GIB)]);
    assert_eq!(graph.take_marks(), []);
}

#[test]
fn what_is_no_weights_is_not_held() {
    let mut graph = graph(&[open(1, file(OTHER, "/etc/passwd", 5, Classes::default()))]);
    assert_eq!(held(&mut graph, 1), None);
    assert_eq!(graph.counts().carriers, 0);
}

#[test]
fn a_copy_a_pipe_and_a_child_carry_it_with_the_way() {
    let mut graph = graph(&[
        open(1, model()),
        gives(1, COPY, Carrier::File, GIB),
        open(2, file(COPY, "/tmp/copy", GIB, Classes::default())),
        gives(2, PIPE, Carrier::Pipe, GIB),
        takes(3, PIPE, Carrier::Pipe, GIB),
        event(3, Body::Fork(Fork { child: key(4), child_vpid: 4 })),
    ]);
    assert_eq!(held(&mut graph, 4), Some((GIB, way(&["file:/tmp/copy", "pipe:[3]", "fork"]))));
    let (_, trail) = graph.held(&connect(4)).unwrap();
    assert_eq!(trail.source.unwrap().reader.key, key(1), "who opened it first");
    assert_eq!(trail.sender.unwrap().key, key(4));
}

#[test]
fn a_renamed_copy_is_the_same_file_and_its_way_has_both_names() {
    let mut graph = graph(&[
        open(1, model()),
        gives(1, COPY, Carrier::File, 10),
        open(2, file(COPY, "/tmp/innocent", 10, Classes::default())),
    ]);
    assert_eq!(held(&mut graph, 2), Some((10, way(&["file:/tmp/copy", "file:/tmp/innocent"]))));
}

#[test]
fn who_reads_two_megabytes_of_a_log_holds_two_megabytes() {
    let log = 2_000_000;
    let mut graph = graph(&[
        open(1, model()),
        gives(1, COPY, Carrier::File, log),
        open(2, file(COPY, "/var/log/serve.log", log, Classes::default())),
    ]);
    assert_eq!(held(&mut graph, 2).unwrap().0, log);
    graph.learn(&takes(3, COPY, Carrier::File, 5_000));
    assert_eq!(held(&mut graph, 3).unwrap().0, 5_000, "so much as it took");
    graph.learn(&takes(3, COPY, Carrier::File, 9_000));
    assert_eq!(held(&mut graph, 3).unwrap().0, 9_000, "reports are sums");
    graph.learn(&takes(3, COPY, Carrier::File, 50_000_000));
    assert_eq!(held(&mut graph, 3).unwrap().0, log, "no more than there is");
}

#[test]
fn of_two_files_what_was_taken_is_the_bound_of_both_together() {
    let graph = graph(&[
        open(1, model()),
        open(1, file(OTHER, "/models/b.gguf", GIB, WEIGHTS)),
        gives(1, PIPE, Carrier::Pipe, 1_000),
        takes(2, PIPE, Carrier::Pipe, 1_000),
    ]);
    let holding = &graph.processes.peek(&key(2)).unwrap().holding;
    assert_eq!((holding.bytes(), holding.sources()), (1_000, 2));
}

#[test]
fn a_report_that_begins_anew_is_added() {
    let mut graph = graph(&[
        open(1, model()),
        gives(1, PIPE, Carrier::Pipe, 9_000),
        takes(2, PIPE, Carrier::Pipe, 9_000),
        gives(1, PIPE, Carrier::Pipe, 100),
    ]);
    graph.learn(&takes(2, PIPE, Carrier::Pipe, 100));
    assert_eq!(held(&mut graph, 2).unwrap().0, 9_000, "of one file no more than the largest part is known to differ");
}

#[test]
fn memory_that_is_read_is_all_that_its_process_holds_and_is_told_to_the_kernel() {
    let access =
        |how| Body::ProcessAccess(ProcessAccess { target: Some(key(1)), target_vpid: 1, target_process: None, how });
    let mut graph = graph(&[open(1, model()), event(2, access(AccessHow::VmRead))]);
    assert_eq!(held(&mut graph, 2), Some((GIB, way(&["memory"]))));
    assert_eq!(graph.take_marks(), [Mark::Holder(key(2), WEIGHTS, GIB)]);
    graph.learn(&event(3, access(AccessHow::Descriptor)));
    assert_eq!(held(&mut graph, 3), Some((GIB, way(&["descriptor"]))));
    // Written to another's memory: that one has it.
    let mut graph = self::graph(&[open(2, model()), event(2, access(AccessHow::VmWrite))]);
    assert_eq!(held(&mut graph, 1).unwrap().0, GIB);
}

#[test]
fn who_is_handed_a_descriptor_of_the_weights_holds_them() {
    let mut graph = graph(&[open(1, model()), takes(2, MODEL, Carrier::File, 4_096)]);
    assert_eq!(held(&mut graph, 2), Some((4_096, way(&["descriptor:/models/a.gguf"]))));
}

#[test]
fn what_is_mapped_is_in_touch_before_and_after() {
    let both = |pid| transfer(pid, COPY, Carrier::File, Direction::Both, GIB);
    // Mapped by both, then read by one.
    let mut graph = graph(&[both(1), both(2), open(1, model())]);
    assert_eq!(held(&mut graph, 2), Some((GIB, way(&["file:/tmp/copy"]))));
    let marks = graph.take_marks();
    assert!(marks.contains(&Mark::Carrier(FileId { device: 1, inode: COPY }, WEIGHTS, GIB)), "{marks:?}");
    assert!(marks.contains(&Mark::Holder(key(2), WEIGHTS, GIB)), "{marks:?}");
    // Read before, mapped after.
    let mut graph = self::graph(&[open(1, model()), both(1), both(2)]);
    assert_eq!(held(&mut graph, 2).unwrap().0, GIB);
}

#[test]
fn a_ring_of_mappings_comes_to_an_end() {
    let mut graph = graph(&[]);
    for pid in 1..=10 {
        for inode in 100..110 {
            graph.learn(&transfer(pid, inode, Carrier::File, Direction::Both, GIB));
        }
    }
    graph.learn(&open(5, model()));
    assert!((1..=10).all(|pid| held(&mut graph, pid).is_some()));
    assert_eq!(graph.counts().news_refused, 0);
}

#[test]
fn who_gave_something_to_a_socket_sends_and_not_who_made_it() {
    let mut sends = gives(2, 0, Carrier::InetSocket, 10);
    if let Body::Transfer(transfer) = &mut sends.body {
        (transfer.file.id, transfer.socket_cookie) = (None, Some(9));
    }
    let mut graph = graph(&[open(2, model()), sends]);
    let (_, trail) = graph.held(&flow(1, Label::default())).unwrap();
    assert_eq!(trail.sender.unwrap().key, key(2));
}

#[test]
fn what_the_kernel_says_counts_where_events_were_lost() {
    let label = Label { classes: WEIGHTS, bytes: 77_000_000 };
    let (holding, trail) = graph(&[]).held(&flow(1, label)).unwrap();
    assert_eq!((holding.bytes(), trail.by), (77_000_000, HeldBy::Kernel));
    assert_eq!(trail.source, None);
}

#[test]
fn an_end_keeps_what_was_held_for_a_while() {
    let mut graph = graph(&[open(1, model()), event(1, Body::Exit(Exit { code: Some(0), signal: None }))]);
    assert!(held(&mut graph, 1).is_some(), "its socket is closed later");
    let mut later = open(2, model());
    later.time = BootTime(1_000_000_000_000);
    graph.learn(&later);
    assert!(held(&mut graph, 1).is_none());
}

#[test]
fn tables_are_bounded_and_what_goes_is_counted() {
    let mut graph = Graph::new(Limits { processes: 10, carriers: 10, pairs: 20, sockets: 10, workloads: 10 });
    for number in 0..1_000 {
        graph.learn(&open(number, file(number.into(), "/m.gguf", 5, WEIGHTS)));
        graph.learn(&gives(number, 1_000_000 + u64::from(number), Carrier::Pipe, 5));
    }
    let counts = graph.counts();
    assert!(counts.processes <= 10 && counts.carriers <= 10, "{counts:?}");
    assert_eq!(counts.processes_evicted.live, 990);
    assert!(counts.carriers_evicted.live > 1_900);
}

#[test]
fn a_later_child_has_what_its_parent_got_meanwhile() {
    let fork = |child| event(1, Body::Fork(Fork { child: key(child), child_vpid: 1 }));
    let mut graph =
        graph(&[open(1, model()), fork(2), fork(3), open(1, file(OTHER, "/models/b.gguf", 2 * GIB, WEIGHTS)), fork(4)]);
    let bytes = [2, 3, 4].map(|pid| held(&mut graph, pid).unwrap().0);
    assert_eq!(bytes, [GIB, GIB, 3 * GIB]);
}

#[test]
fn what_somebody_has_who_lives_goes_after_all_that_nobody_has() {
    let mut graph = Graph::new(Limits { carriers: 10, ..Limits::default() });
    graph.learn(&open(1, model()));
    graph.learn(&gives(1, COPY, Carrier::File, GIB));
    graph.learn(&event(1, Body::Fork(Fork { child: key(2), child_vpid: 2 })));
    let exit = || Body::Exit(Exit { code: Some(0), signal: None });
    graph.learn(&event(1, exit()));
    for number in 100..200 {
        graph.learn(&event(2, Body::Fork(Fork { child: key(number), child_vpid: 1 })));
        graph.learn(&gives(number, u64::from(number), Carrier::File, GIB));
        graph.learn(&event(number, exit()));
    }
    let counts = graph.counts();
    assert_eq!((counts.carriers_evicted.retired, counts.carriers_evicted.live), (92, 0));
    graph.learn(&takes(3, COPY, Carrier::File, GIB));
    assert_eq!(held(&mut graph, 3).unwrap().0, GIB, "the child that lives has what its parent had open");
    graph.learn(&event(2, exit()));
    for number in 200..220 {
        graph.learn(&gives(3, number, Carrier::File, GIB));
    }
    graph.learn(&takes(4, COPY, Carrier::File, GIB));
    assert_eq!(held(&mut graph, 4), None, "nobody has had it for long");
}

#[test]
fn more_files_than_are_told_apart_are_still_held() {
    let mut graph = graph(&[]);
    for inode in 0..2 * SHARES as u64 {
        graph.learn(&open(1, file(inode, "/m.gguf", 5, WEIGHTS)));
    }
    let (holding, _) = graph.held(&connect(1)).unwrap();
    assert_eq!((holding.sources(), holding.bytes()), (2 * SHARES as u64, 10 * SHARES as u64));
    assert_eq!(holding.shares().len(), SHARES);
}

#[test]
fn a_little_is_not_told_of_unless_its_workload_took_much_in_little_pieces() {
    let mut graph =
        graph(&[open(1, model()), gives(1, PIPE, Carrier::Pipe, GIB), takes(2, PIPE, Carrier::Pipe, 9_000)]);
    assert_eq!(held(&mut graph, 2).unwrap().0, 9_000);
    assert!(graph.held(&connect(2)).is_none(), "nine kilobytes of a gigabyte");
    let workload = Arc::new(crate::event::Workload { id: "container:x".into(), ..Default::default() });
    for pid in 100..110 {
        let mut piece = takes(pid, PIPE, Carrier::Pipe, 9_000);
        piece.workload = Some(Arc::clone(&workload));
        graph.learn(&piece);
    }
    let mut connect = connect(109);
    assert!(graph.held(&connect).is_none(), "as far as it is known where it is");
    connect.workload = Some(workload);
    assert_eq!(graph.held(&connect).unwrap().0.bytes(), 9_000);
}

#[test]
fn who_opens_a_file_itself_has_it_from_there() {
    let mut graph = graph(&[
        open(1, model()),
        gives(1, PIPE, Carrier::Pipe, 500),
        takes(2, PIPE, Carrier::Pipe, 500),
        event(2, Body::Fork(Fork { child: key(3), child_vpid: 3 })),
        open(3, model()),
    ]);
    assert_eq!(held(&mut graph, 3), Some((GIB, vec![])));
    let (_, trail) = graph.held(&connect(3)).unwrap();
    assert_eq!(trail.source.unwrap().reader.key, key(3));
}

#[test]
fn a_file_that_is_made_is_not_what_had_its_number_before() {
    let mut made = open(2, file(COPY, "/tmp/new", 0, Classes::default()));
    if let Body::Open(open) = &mut made.body {
        open.created = true;
    }
    let mut graph = graph(&[
        open(1, model()),
        gives(1, COPY, Carrier::File, GIB),
        made,
        open(3, file(COPY, "/tmp/new", GIB, Classes::default())),
    ]);
    assert_eq!((held(&mut graph, 2), held(&mut graph, 3)), (None, None));
}

#[test]
fn who_makes_a_socket_holds_what_it_holds() {
    let socket = |pid| event(pid, Body::Socket(crate::event::SocketMade { family: 17, kind: 3, protocol: 3 }));
    let mut graph = graph(&[open(1, model())]);
    let (holding, trail) = graph.held(&socket(1)).expect("it opened the model");
    assert_eq!((holding.bytes(), trail.by), (GIB, crate::event::HeldBy::Process));
    assert!(graph.held(&socket(2)).is_none(), "another process");
}

#[test]
fn a_source_that_is_made_anew_under_the_same_number_is_another_one() {
    let mut made = open(9, file(MODEL, "/models/b.gguf", 0, WEIGHTS));
    if let Body::Open(open) = &mut made.body {
        (open.created, open.access) = (true, Access::Write);
    }
    let mut graph = graph(&[
        open(1, model()),
        gives(1, PIPE, Carrier::Pipe, 500),
        takes(2, PIPE, Carrier::Pipe, 500),
        made,
        open(3, file(MODEL, "/models/b.gguf", GIB, WEIGHTS)),
        gives(3, OTHER, Carrier::Pipe, GIB),
        takes(2, OTHER, Carrier::Pipe, GIB),
    ]);
    let (holding, trail) = graph.held(&connect(2)).unwrap();
    assert_eq!(holding.sources(), 2);
    assert_eq!(trail.source.unwrap().reader.key, key(3), "the one of which there is more");
}

#[test]
fn a_copy_that_looks_like_weights_is_what_it_was_copied_from() {
    let mut graph =
        graph(&[open(1, model()), gives(1, COPY, Carrier::File, GIB), open(2, file(COPY, "/tmp/copy", GIB, WEIGHTS))]);
    assert_eq!(held(&mut graph, 2), Some((GIB, way(&["file:/tmp/copy"]))));
}
