//! Who opened a file before its content was known is told when it is.

use crate::event::{
    Access, Actor, Body, BootTime, Class, Classes, ContentFinding, Event, File, FileId, Open, ProcessKey, Recognized,
};
use crate::provenance::candidates::{Candidates, Counts, Limits, Look};
use std::sync::Arc;

const LARGE: u64 = 1 << 20;
const TMPFS: u32 = 0x0102_1994;

fn candidates() -> Candidates {
    Candidates::new(Some(65_536), Limits::default())
}

fn file(inode: u64, changed: i64, size: u64) -> File {
    File {
        id: Some(FileId { device: 1, inode }),
        path: "/tmp/blob".into(),
        size,
        mode: 0o100_644,
        changed_unix_nanos: changed,
        ..File::default()
    }
}

fn weights() -> Classes {
    Classes::default().with(Class::Weights)
}

fn opens(candidates: &mut Candidates, pid: u32, file: File, access: Access) -> Arc<Event> {
    let open = Open { file, access, flags: 0, io_uring: false, candidate: true, carrier: false, created: false };
    comes(candidates, pid, open)
}

/// The open that makes the file.
fn made(candidates: &mut Candidates, pid: u32, file: File) -> Arc<Event> {
    let access = Access::ReadWrite;
    comes(
        candidates,
        pid,
        Open { file, access, flags: 0, io_uring: false, candidate: true, carrier: false, created: true },
    )
}

/// What comes out of the stage, as the line would have it.
fn comes(candidates: &mut Candidates, pid: u32, open: Open) -> Arc<Event> {
    let actor = Actor { process: Some(ProcessKey { pid, start_ticks: 1 }), ..Actor::default() };
    let mut event = Event::new(BootTime(pid.into()), None, actor, Body::Open(open));
    candidates.trace(&mut event);
    if let Body::Open(open) = &mut event.body {
        open.file.classes = Classes(open.file.classes.0 | open.file.by_content.0);
    }
    let event = Arc::new(event);
    candidates.keep(&event);
    event
}

fn reads(candidates: &mut Candidates, pid: u32, file: File) -> Classes {
    classes(&opens(candidates, pid, file, Access::Read))
}

fn classes(event: &Event) -> Classes {
    let Body::Open(open) = &event.body else { panic!("an open") };
    open.file.classes
}

fn answer(file: File, classes: Classes) -> Recognized {
    let finding = ContentFinding::Format { name: "gguf".into(), confidence: "certain".into() };
    let finding = if classes.is_empty() { ContentFinding::Unknown } else { finding };
    Recognized { file: File { classes, ..file }, born_unix_nanos: None, finding }
}

fn unread(file: File) -> Recognized {
    Recognized { file, born_unix_nanos: None, finding: ContentFinding::Unread("gone".into()) }
}

/// Pids of the opens that come out, all of that class by content.
fn judged(candidates: &mut Candidates, answer: &Recognized) -> Vec<u32> {
    let events = candidates.recognise(answer);
    let pid = |event: &Event| {
        let Body::Open(open) = &event.body else { panic!("an open") };
        assert_eq!((open.file.by_content, open.candidate), (weights(), false));
        event.actor.process.map_or(0, |process| process.pid)
    };
    events.iter().map(pid).collect()
}

fn states(looks: &[Look]) -> Vec<i64> {
    looks.iter().map(|look| look.file.changed_unix_nanos).collect()
}

#[test]
fn everybody_who_opened_it_before_the_answer_is_told_once_and_who_comes_later_at_once() {
    let mut candidates = candidates();
    for pid in [7, 8] {
        assert!(reads(&mut candidates, pid, file(1, 5, LARGE)).is_empty());
    }
    let looks = candidates.take_unlooked();
    assert_eq!((states(&looks), looks[0].pid, looks[0].now, looks[0].grows), (vec![5], 7, true, false), "asked once");
    assert_eq!(judged(&mut candidates, &answer(file(1, 5, LARGE), weights())), [7, 8]);
    assert_eq!(judged(&mut candidates, &answer(file(1, 5, LARGE), weights())), [0; 0], "told once");
    assert_eq!(reads(&mut candidates, 9, file(1, 5, LARGE)), weights());
    assert_eq!(candidates.take_unlooked(), []);
    assert_eq!(candidates.counts(), Counts { asked: 1, judged: 2, ..Counts::default() });
}

#[test]
fn what_is_nothing_is_not_asked_about_again_until_it_changes() {
    let mut candidates = candidates();
    reads(&mut candidates, 7, file(1, 5, LARGE));
    assert_eq!(judged(&mut candidates, &answer(file(1, 5, LARGE), Classes::default())), [0; 0]);
    candidates.take_unlooked();
    reads(&mut candidates, 7, file(1, 5, LARGE));
    assert_eq!((states(&candidates.take_unlooked()), candidates.counts().files), (vec![], 0));
    reads(&mut candidates, 8, file(1, 6, LARGE));
    assert_eq!(states(&candidates.take_unlooked()), [6]);
    assert_eq!(judged(&mut candidates, &answer(file(1, 6, LARGE), weights())), [8], "who read what it was is not told");
    // Of what is in memory a change need not be seen.
    let shared = |changed| File { filesystem: TMPFS, ..file(2, changed, LARGE) };
    reads(&mut candidates, 7, shared(5));
    candidates.recognise(&answer(shared(5), Classes::default()));
    reads(&mut candidates, 8, shared(5));
    assert_eq!(states(&candidates.take_unlooked()), [5, 5]);
    assert_eq!(judged(&mut candidates, &answer(shared(5), weights())), [8]);
}

#[test]
fn what_was_known_and_changed_counts_as_what_it_was_unless_a_look_tells_otherwise() {
    let mut candidates = candidates();
    candidates.recognise(&answer(file(1, 5, LARGE), weights()));
    assert_eq!(reads(&mut candidates, 7, file(1, 6, LARGE)), weights(), "the same size: a new name or mode, mostly");
    assert_eq!(states(&candidates.take_unlooked()), [6]);
    let watched = |size| File { classes: weights(), ..file(1, 7, size) };
    assert_eq!(reads(&mut candidates, 8, watched(LARGE + 1)), Classes::default(), "another size: first look");
    assert_eq!(states(&candidates.take_unlooked()), [7]);
    assert_eq!(judged(&mut candidates, &unread(file(1, 7, LARGE + 1))), [8], "no look, so the bound");
    assert_eq!(reads(&mut candidates, 9, watched(10)), Classes::default(), "another file of that number");
    assert_eq!(reads(&mut candidates, 9, watched(LARGE + 1)), Classes::default());
    assert_eq!(judged(&mut candidates, &answer(file(1, 7, LARGE + 1), Classes::default())), [0; 0]);
    assert_eq!(reads(&mut candidates, 9, file(1, 7, LARGE + 1)), Classes::default());
}

#[test]
fn a_look_that_failed_leaves_it_open() {
    let mut candidates = candidates();
    reads(&mut candidates, 7, file(1, 5, LARGE));
    candidates.take_unlooked();
    assert_eq!(judged(&mut candidates, &unread(file(1, 5, LARGE))), [0; 0]);
    reads(&mut candidates, 8, file(1, 5, LARGE));
    assert_eq!(states(&candidates.take_unlooked()), [5], "asked again");
    assert_eq!(judged(&mut candidates, &answer(file(1, 5, LARGE), weights())), [7, 8]);
}

#[test]
fn what_is_filled_over_the_same_descriptor_is_told_with_what_it_holds_then() {
    let mut candidates = candidates();
    opens(&mut candidates, 7, file(1, 5, 0), Access::ReadWrite);
    opens(&mut candidates, 8, file(2, 5, 0), Access::Read);
    opens(&mut candidates, 8, file(3, 5, 0), Access::Write);
    let looks = candidates.take_unlooked();
    assert_eq!((states(&looks), looks[0].now, looks[0].grows), (vec![5], false, true));
    assert_eq!(judged(&mut candidates, &answer(file(1, 6, 100), Classes::default())), [0; 0], "not yet");
    let told = candidates.recognise(&answer(file(1, 9, LARGE), weights()));
    assert!(matches!(&told[..], [Event { body: Body::Open(open), .. }] if open.file.size == LARGE), "{told:#?}");
}

#[test]
fn names_that_say_it_and_files_that_are_none_are_left_alone() {
    let mut candidates = candidates();
    let named = File { classes: weights(), ..file(1, 5, LARGE) };
    let dataset = File { classes: Classes::default().with(Class::Dataset), ..file(2, 5, LARGE) };
    let proc = File { filesystem: 0x9fa0, ..file(3, 5, LARGE) };
    let device = File { mode: 0o020_644, ..file(4, 5, LARGE) };
    let unknown = File { id: None, ..file(5, 5, LARGE) };
    for file in [named, proc, device, unknown, file(6, 5, 65_535)] {
        reads(&mut candidates, 7, file);
    }
    assert_eq!(candidates.take_unlooked(), []);
    reads(&mut candidates, 7, dataset);
    assert_eq!(candidates.take_unlooked().len(), 1, "another class by name says nothing of weights");
    let mut none = Candidates::new(None, Limits::default());
    reads(&mut none, 7, file(1, 5, LARGE));
    assert_eq!(none.take_unlooked(), []);
}

#[test]
fn every_table_has_an_end_and_counts_what_it_loses() {
    let limits = Limits { files: 2, opens: 3, bytes: 1 << 20, known: 2, unasked: 3 };
    let mut candidates = Candidates::new(Some(65_536), limits);
    for pid in 1..=5 {
        reads(&mut candidates, pid, file(1, 5, LARGE));
    }
    assert_eq!(candidates.counts().refused, 2);
    for inode in 2..=5 {
        reads(&mut candidates, 7, file(inode, 5, LARGE));
    }
    let counts = candidates.counts();
    assert_eq!((counts.files, counts.evicted.live, counts.asked, counts.unasked), (2, 3, 3, 2));
    for inode in 1..=3 {
        candidates.recognise(&answer(file(inode, 5, LARGE), weights()));
    }
    assert_eq!(candidates.counts().forgotten.live, 1);
    let bytes = Limits { bytes: 3 * size_of::<Event>(), ..Limits::default() };
    let mut candidates = Candidates::new(Some(65_536), bytes);
    for inode in 1..=5 {
        reads(&mut candidates, 7, file(inode, 5, LARGE));
    }
    assert_eq!((candidates.counts().files, candidates.counts().evicted.live), (2, 3));
}

#[test]
fn who_opened_another_file_of_the_same_number_is_not_told() {
    // By the time of its making, where that is kept.
    let mut candidates = candidates();
    opens(&mut candidates, 7, file(1, 5, 0), Access::ReadWrite);
    reads(&mut candidates, 8, file(1, 9, LARGE));
    let found = Recognized { born_unix_nanos: Some(6), ..answer(file(1, 9, LARGE), weights()) };
    assert_eq!(judged(&mut candidates, &found), [8]);
    // By its making, where that was told.
    let mut candidates = self::candidates();
    opens(&mut candidates, 7, file(1, 5, 0), Access::ReadWrite);
    made(&mut candidates, 8, file(1, 5, 0));
    assert_eq!(judged(&mut candidates, &answer(file(1, 9, LARGE), weights())), [8]);
    // What the first one was does not matter to the second, of whatever size it is.
    assert_eq!(classes(&made(&mut candidates, 9, file(1, 12, LARGE))), Classes::default());
}
