//! The table against told stories, and `/proc` against this very process.

use super::proc::{Reader, Stat, Status, cgroup_path, parents_first};
use super::table::{ARGS_BYTES, ARGS_COUNT, BYTES_EACH, UNKNOWN_MAX};
use super::*;
use crate::event::{
    Access, Actor, Body, BootTime, Cgroup, CgroupKey, Event, Exec, Exit, File, Fork, Open, Process, ProcessFound,
    ProcessKey,
};
use proptest::prelude::*;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

fn key(pid: u32, start_ticks: u64) -> ProcessKey {
    ProcessKey { pid, start_ticks }
}

fn actor(process: ProcessKey) -> Actor {
    Actor { process: Some(process), comm: "comm".into(), ..Actor::default() }
}

fn happens(table: &mut Table, time: u64, process: ProcessKey, body: Body) -> Option<Arc<Process>> {
    let mut event = Event::new(BootTime(time), None, actor(process), body);
    table.identify(&mut event);
    event.process
}

fn exec(path: &str, parent: Option<ProcessKey>, args: &[&str]) -> Body {
    Body::Exec(Exec {
        file: File { path: path.into(), ..File::default() },
        parent,
        args: args.iter().map(|arg| (*arg).into()).collect(),
        args_cut: false,
        working_directory: "/work".into(),
        streams: Default::default(),
        setuid: false,
    })
}

fn fork(child: ProcessKey) -> Body {
    Body::Fork(Fork { child, child_vpid: 0 })
}

fn exit() -> Body {
    Body::Exit(Exit { code: Some(0), signal: None })
}

fn open() -> Body {
    Body::Open(Open {
        file: File::default(),
        access: Access::Read,
        flags: 0,
        io_uring: false,
        candidate: false,
        carrier: false,
        created: false,
    })
}

fn found(process: ProcessKey, parent_pid: u32, path: &str) -> Body {
    Body::ProcessFound(ProcessFound {
        key: process,
        parent_pid: Some(parent_pid).filter(|pid| *pid != 0),
        executable: path.into(),
        args: Box::new([path.into()]),
        ..ProcessFound::default()
    })
}

fn programs(process: &Process) -> Vec<&str> {
    process.lineage.iter().map(|ancestor| &*ancestor.executable).collect()
}

#[test]
fn a_child_is_its_parent_until_it_runs_a_program_and_keeps_who_started_it() {
    let mut table = Table::new(100);
    let (init, shell, child) = (key(1, 0), key(10, 5), key(11, 9));
    happens(&mut table, 1, init, found(init, 0, "/sbin/init"));
    happens(&mut table, 1, shell, found(shell, 1, "/bin/sh"));
    let parent = happens(&mut table, 2, shell, fork(child)).expect("the actor of a fork is the parent");
    assert_eq!(&*parent.executable, "/bin/sh");

    let before = happens(&mut table, 3, child, open()).expect("known from the fork");
    assert_eq!((&*before.executable, before.key, before.incomplete), ("/bin/sh", child, false));
    assert_eq!(programs(&before), ["/bin/sh", "/sbin/init"]);

    let after = happens(&mut table, 4, child, exec("/bin/cat", Some(shell), &["cat", "x"])).expect("known");
    assert_eq!(
        (&*after.executable, after.command_line().as_str(), &*after.working_directory),
        ("/bin/cat", "cat x", "/work")
    );
    assert_eq!(programs(&after), ["/bin/sh", "/sbin/init"]);
    assert_eq!(&*before.executable, "/bin/sh", "what was said of an earlier event stands");
    assert!(table.take_unknown().is_empty());
}

#[test]
fn a_lineage_tells_where_it_left_one_cgroup_for_another() {
    let mut table = Table::new(100);
    let (runtime, first, second) = (key(10, 5), key(11, 9), key(12, 10));
    let cgroup = |id| CgroupKey { hierarchy: 0, id };
    let mut happens = |time, process, id, body| {
        let mut event = Event::new(BootTime(time), None, Actor { cgroup: cgroup(id), ..actor(process) }, body);
        table.identify(&mut event);
        event.process.expect("known")
    };
    happens(1, runtime, 1, exec("/usr/bin/runc", None, &["runc"]));
    happens(2, runtime, 1, fork(first));
    // It was moved between the two.
    happens(3, runtime, 2, fork(second));
    let first = happens(4, first, 3, exec("/bin/sh", Some(runtime), &["sh"]));
    assert_eq!((first.cgroup, first.parent().map(|parent| parent.cgroup)), (cgroup(3), Some(cgroup(1))));
    let second = happens(4, second, 2, open());
    assert_eq!((second.cgroup, second.parent().map(|parent| parent.cgroup)), (cgroup(2), Some(cgroup(2))));
}

#[test]
fn a_line_begins_where_a_process_came_into_its_cgroup() {
    let mut table = Table::new(100);
    let (runtime, entry, worker, visitor, child) = (key(10, 5), key(11, 9), key(12, 10), key(13, 11), key(14, 12));
    let cgroup = |id| CgroupKey { hierarchy: 0, id };
    let mut root = |time, process, id, body| {
        let mut event = Event::new(BootTime(time), None, Actor { cgroup: cgroup(id), ..actor(process) }, body);
        table.identify(&mut event);
        event.process.expect("known").root
    };
    assert_eq!(root(1, runtime, 1, exec("/usr/bin/runc", None, &["runc"])), runtime);
    root(2, runtime, 1, fork(entry));
    assert_eq!(root(3, entry, 1, open()), runtime, "as long as it is where the runtime is");
    assert_eq!(root(4, entry, 7, exec("/bin/server", Some(runtime), &[])), entry);
    root(5, entry, 7, fork(worker));
    assert_eq!(root(6, worker, 7, exec("/bin/worker", Some(entry), &[])), entry);
    // Somebody starts a shell in the container from outside.
    root(7, runtime, 1, fork(visitor));
    assert_eq!(root(8, visitor, 7, exec("/bin/sh", Some(runtime), &[])), visitor);
    root(9, visitor, 7, fork(child));
    assert_eq!(root(10, child, 7, open()), visitor);
    // One that was found in `/proc`, and one of which no fork was seen.
    let place = Some(Cgroup { key: cgroup(7), path: "/c".into() });
    let found =
        |key, parent| ProcessFound { key, parent_pid: Some(parent), cgroup: place.clone(), ..Default::default() };
    assert_eq!(root(11, key(15, 13), 7, Body::ProcessFound(found(key(15, 13), 14))), visitor);
    assert_eq!(root(12, key(16, 14), 7, exec("/bin/x", Some(worker), &[])), entry);
    // What is below an unknown one belongs to whatever that turns out to belong to.
    let (unknown, below) = (key(20, 20), key(21, 21));
    root(13, unknown, 7, fork(below));
    assert_eq!(root(14, below, 7, open()), unknown);
    root(15, unknown, 7, Body::ProcessFound(found(unknown, 12)));
    assert_eq!(root(16, below, 7, open()), entry);
}

#[test]
fn a_double_fork_does_not_shed_its_lineage() {
    let mut table = Table::new(100);
    let (init, server, middle, thief) = (key(1, 0), key(10, 5), key(11, 9), key(12, 10));
    happens(&mut table, 1, init, found(init, 0, "/sbin/init"));
    happens(&mut table, 1, server, found(server, 1, "/usr/bin/vllm"));
    happens(&mut table, 2, server, fork(middle));
    happens(&mut table, 3, middle, fork(thief));
    happens(&mut table, 4, middle, exit());
    let thief = happens(&mut table, 5, thief, exec("/usr/bin/curl", Some(init), &["[kworker]"])).expect("known");
    assert_eq!(programs(&thief), ["/usr/bin/vllm", "/usr/bin/vllm", "/sbin/init"]);
}

#[test]
fn an_ancestor_is_what_it_was_when_the_child_was_born() {
    let mut table = Table::new(100);
    let (shell, first, second) = (key(10, 5), key(11, 9), key(12, 10));
    happens(&mut table, 1, shell, found(shell, 0, "/bin/sh"));
    happens(&mut table, 2, shell, fork(first));
    happens(&mut table, 3, shell, exec("/usr/bin/python3", None, &["python3"]));
    happens(&mut table, 4, shell, fork(second));
    assert_eq!(programs(&happens(&mut table, 5, first, open()).expect("known")), ["/bin/sh"]);
    assert_eq!(programs(&happens(&mut table, 5, second, open()).expect("known")), ["/usr/bin/python3"]);
}

#[test]
fn lineage_is_bounded_nearest_first() {
    let mut table = Table::new(100);
    let mut parent = key(1, 1);
    happens(&mut table, 1, parent, found(parent, 0, "/p1"));
    for pid in 2..=40 {
        let child = key(pid, u64::from(pid));
        happens(&mut table, u64::from(pid), parent, fork(child));
        happens(&mut table, u64::from(pid), child, exec(&format!("/p{pid}"), Some(parent), &[]));
        parent = child;
    }
    let process = table.get(&parent).expect("known");
    assert_eq!(process.lineage.len(), Process::LINEAGE_MAX);
    assert_eq!((programs(process)[0], programs(process)[15]), ("/p39", "/p24"));
}

#[test]
fn an_unknown_process_is_incomplete_asked_for_once_and_completed() {
    let mut table = Table::new(100);
    let (parent, child) = (key(20, 50), key(21, 60));
    let seen = happens(&mut table, SECOND, parent, open()).expect("named by the event");
    assert!(seen.incomplete);
    assert_eq!(&*seen.executable, "", "the thread's name is not a program");
    happens(&mut table, SECOND, parent, fork(child));
    happens(&mut table, SECOND, child, exec("/bin/id", Some(parent), &["id"]));
    happens(&mut table, SECOND, parent, open());
    assert_eq!(table.take_unknown(), [20]);
    assert!(table.take_unknown().is_empty(), "given once");

    let init = key(1, 0);
    happens(&mut table, 2 * SECOND, init, found(init, 0, "/sbin/init"));
    let told = happens(&mut table, 2 * SECOND, parent, found(parent, 1, "/bin/sh")).expect("found");
    assert!(!told.incomplete);
    assert_eq!(programs(&told), ["/sbin/init"]);
    let child = happens(&mut table, 3 * SECOND, child, open()).expect("known");
    assert_eq!(programs(&child), ["/bin/sh", "/sbin/init"], "those below learn of it too");
    assert_eq!(table.counts().unknown, 1);
}

#[test]
fn an_exec_names_its_parent_where_no_fork_was_seen() {
    let mut table = Table::new(100);
    let (parent, child) = (key(20, 50), key(21, 60));
    happens(&mut table, 1, parent, found(parent, 0, "/bin/sh"));
    let known = happens(&mut table, 2, child, exec("/bin/id", Some(parent), &["id"])).expect("told");
    assert_eq!(programs(&known), ["/bin/sh"]);
    let orphan = happens(&mut table, 2, key(30, 70), exec("/bin/id", Some(key(29, 69)), &["id"])).expect("told");
    assert_eq!((orphan.parent().map(|parent| parent.key), programs(&orphan)), (Some(key(29, 69)), vec![""]));
    assert_eq!(table.take_unknown(), [29]);
}

#[test]
fn a_pid_that_comes_back_is_another_process() {
    let mut table = Table::new(100);
    let (old, new) = (key(7, 100), key(7, 900));
    happens(&mut table, SECOND, old, found(old, 0, "/bin/old"));
    // The exit of the old one was lost.
    happens(&mut table, 9 * SECOND, new, exec("/bin/new", None, &[]));
    assert_eq!(&*happens(&mut table, 10 * SECOND, old, open()).expect("lingers").executable, "/bin/old");
    assert_eq!(&*happens(&mut table, 10 * SECOND, new, open()).expect("known").executable, "/bin/new");
    let child = key(8, 950);
    let child = happens(&mut table, 11 * SECOND, child, found(child, 7, "/bin/child")).expect("found");
    assert_eq!(programs(&child), ["/bin/new"]);
    happens(&mut table, 60 * SECOND, new, open());
    assert!(table.get(&old).is_none(), "it has ended, whatever was lost");

    // A parent cannot be younger than its child: that pid was taken again.
    let late = key(9, 800);
    let late = happens(&mut table, 61 * SECOND, late, found(late, 7, "/bin/late")).expect("found");
    assert_eq!(programs(&late), Vec::<&str>::new());
}

#[test]
fn an_ended_process_stays_for_its_late_events_and_then_goes() {
    let mut table = Table::new(100);
    let process = key(7, 100);
    happens(&mut table, SECOND, process, exec("/bin/x", None, &[]));
    assert_eq!(&*happens(&mut table, 2 * SECOND, process, exit()).expect("known").executable, "/bin/x");
    assert_eq!(&*happens(&mut table, 31 * SECOND, process, open()).expect("lingers").executable, "/bin/x");
    happens(&mut table, 32 * SECOND, key(8, 8), exec("/bin/y", None, &[]));
    assert!(table.get(&process).is_none());
    assert_eq!(table.counts().evictions.expired, 1);
}

#[test]
fn a_full_table_loses_the_ended_first_then_the_idle_and_counts_both() {
    let mut table = Table::new(3);
    for pid in 1..=3 {
        happens(&mut table, 1, key(pid, 1), exec("/bin/x", None, &[]));
    }
    happens(&mut table, 2, key(3, 1), exit());
    happens(&mut table, 3, key(1, 1), open());
    happens(&mut table, 4, key(4, 4), exec("/bin/x", None, &[]));
    assert!(table.get(&key(3, 1)).is_none() && table.get(&key(2, 1)).is_some());
    happens(&mut table, 5, key(5, 5), exec("/bin/x", None, &[]));
    assert!(table.get(&key(2, 1)).is_none() && table.get(&key(1, 1)).is_some());
    let counts = table.counts();
    assert_eq!((counts.processes, counts.evictions.retired, counts.evictions.live), (3, 1, 1));
}

#[test]
fn the_queue_of_the_unknown_is_bounded_and_asks_again() {
    let mut table = Table::new(10_000);
    for pid in 1..=UNKNOWN_MAX as u32 + 5 {
        happens(&mut table, 1, key(pid, 1), open());
    }
    assert_eq!(table.counts().unknown_refused, 5);
    assert_eq!(table.take_unknown().len(), UNKNOWN_MAX);
    let refused = UNKNOWN_MAX as u32 + 1;
    happens(&mut table, 2, key(refused, 1), open());
    assert_eq!(table.take_unknown(), [refused]);
}

#[test]
fn an_exec_shows_all_its_arguments_and_the_table_keeps_a_bounded_part() {
    let mut table = Table::new(10);
    let long = "é".repeat(ARGS_BYTES);
    let shown = happens(&mut table, 1, key(1, 1), exec("/bin/x", None, &["x", &long, "--end"])).expect("told");
    assert_eq!(shown.args.len(), 3);
    let kept = table.get(&key(1, 1)).expect("known");
    assert_eq!(kept.args.iter().map(|arg| arg.len()).sum::<usize>(), ARGS_BYTES - 1, "cut between characters");

    let many = vec!["a"; ARGS_COUNT + 1];
    happens(&mut table, 2, key(2, 2), exec("/bin/x", None, &many));
    assert_eq!(table.get(&key(2, 2)).expect("known").args.len(), ARGS_COUNT);
    assert_eq!(table.counts().args_cut, 2);
}

#[test]
fn long_paths_cannot_fill_the_memory() {
    let mut table = Table::new(100);
    let long = "x".repeat(BYTES_EACH * 10);
    for pid in 1..=100 {
        happens(&mut table, 1, key(pid, 1), exec(&long, None, &[]));
    }
    let counts = table.counts();
    assert!((5..10).contains(&counts.processes), "{counts:?}");
    assert_eq!(counts.processes as u64 + counts.evictions.live, 100);
}

#[test]
fn a_fork_that_is_read_late_does_not_undo_the_exec() {
    let mut table = Table::new(100);
    let (shell, child) = (key(10, 5), key(11, 9));
    happens(&mut table, 1, shell, found(shell, 0, "/bin/sh"));
    happens(&mut table, 3, child, exec("/bin/id", Some(shell), &[]));
    happens(&mut table, 2, shell, fork(child));
    assert_eq!(&*table.get(&child).expect("known").executable, "/bin/id");
}

#[test]
fn what_proc_said_before_an_exec_does_not_undo_it_and_a_lost_exec_is_made_up_for() {
    let mut table = Table::new(10);
    let process = key(7, 7);
    happens(&mut table, 20, process, exec("/bin/new", None, &[]));
    let told = happens(&mut table, 19, process, found(process, 0, "/bin/old")).expect("found");
    assert_eq!(&*told.executable, "/bin/new");
    let told = happens(&mut table, 21, process, found(process, 0, "/bin/newer")).expect("found");
    assert_eq!(&*told.executable, "/bin/newer");
}

#[test]
fn stat_is_read_whatever_the_process_calls_itself() {
    let tail = "S 41 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 1 1";
    for (name, comm) in [("cat", "cat"), ("a) R 1 (b", "a) R 1 (b"), ("", "")] {
        let stat = Stat::parse(format!("43 ({name}) {tail}").as_bytes()).expect("parses");
        assert_eq!((&*stat.comm, stat.state, stat.parent_pid, stat.start_ticks), (comm, b'S', 41, 123_456));
    }
    let odd = [b"43 (\xff\n) ".as_slice(), tail.as_bytes()].concat();
    assert_eq!(&*Stat::parse(&odd).expect("parses").comm, "\\xff\n");
    for bad in ["", "43", "43 (x", "43 (x) S", "43 )x( S 1", "43 (x) S 1 2 3"] {
        assert_eq!(Stat::parse(bad.as_bytes()), None, "{bad}");
    }
    let status = Status::parse(b"Name:\t\xff\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNStgid:\t900\t12\t1\n");
    assert_eq!((status.uid, status.gid, status.vpid), (2, 6, 1));
}

#[test]
fn the_cgroup_is_that_of_the_hierarchy_asked_for() {
    let lines = b"8:pids:/kubepods/a:b\n1:name=systemd:/x\n0::/gone (deleted)\n";
    assert_eq!(cgroup_path(lines, 8), Some(&b"/kubepods/a:b"[..]));
    assert_eq!(cgroup_path(lines, 0), Some(&b"/gone"[..]));
    assert_eq!(cgroup_path(lines, 5), None);
}

#[test]
fn parents_come_before_their_children_and_nothing_is_dropped() {
    // The pids are in the way: wrapped around, and two that seem to be each other's parent.
    let read = [(5, 9), (9, 30), (30, 1), (1, 0), (7, 8), (8, 7), (40, 99)].map(|(pid, parent)| {
        let parent_pid = Some(parent).filter(|pid| *pid != 0);
        (ProcessFound { key: key(pid, 1), parent_pid, ..ProcessFound::default() }, ())
    });
    let ordered = parents_first(read.into());
    let ordered: Vec<u32> = ordered.iter().map(|(found, ())| found.key.pid).collect();
    assert_eq!(ordered, [1, 40, 30, 9, 5, 7, 8]);
}

#[test]
fn this_process_is_found_in_proc_with_its_parents_before_it() {
    let reader = Reader::new(None);
    let own = std::process::id();
    let events = reader.all(BootTime(1), 1_000_000).expect("/proc can be listed").events;
    let mut table = Table::new(100_000);
    for mut event in events {
        table.identify(&mut event);
    }
    let one = reader.one(own, BootTime(2)).expect("runs");
    let Body::ProcessFound(seen) = &one.body else { panic!("not a process: {one:?}") };
    let process = table.get(&seen.key).expect("found");
    assert_eq!(&*process.executable, std::env::current_exe().expect("has one").to_str().expect("UTF-8"));
    assert_eq!(process.args.len(), std::env::args().count().min(ARGS_COUNT));
    assert_eq!(&*process.working_directory, std::env::current_dir().expect("has one").to_str().expect("UTF-8"));
    assert!(process.parent().is_some_and(|parent| !parent.executable.is_empty()), "{:?}", process.lineage);
    assert!(reader.one(u32::MAX, BootTime(2)).is_none());
    assert_eq!(reader.all(BootTime(1), 1).expect("/proc can be listed").events.len(), 1);
}

proptest! {
    /// Whatever comes, in whatever order: an event with an actor gets that actor's process, and nothing outgrows its bound.
    #[test]
    fn any_story_is_told_within_bounds(
        story in proptest::collection::vec((0u8..5, 0u32..12, 0u64..4, 0u32..12, 0u64..100), 0..300)
    ) {
        let mut table = Table::new(8);
        for (kind, pid, start, other, time) in story {
            let (process, other) = (key(pid, start), key(other, start));
            let body = match kind {
                0 => exec("/bin/x", Some(other), &["x"]),
                1 => fork(other),
                2 => exit(),
                3 => found(process, other.pid, "/bin/y"),
                _ => open(),
            };
            let told = happens(&mut table, time * SECOND, process, body).expect("an actor is a process");
            prop_assert_eq!(told.key, process);
            prop_assert!(told.lineage.len() <= Process::LINEAGE_MAX);
            prop_assert!(told.incomplete || !told.executable.is_empty());
            prop_assert!(table.counts().processes <= 8);
        }
    }
}
