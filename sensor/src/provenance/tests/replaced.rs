//! What a rename takes a name from, and whether the workload itself had put that there.

use crate::event::{
    Access, Actor, Body, BootTime, Change, Class, Classes, Event, Field, File, FileChange, FileId, Open, Process,
    Replaced, Value, Workload,
};
use crate::policy;
use crate::provenance::{ClassTable, Limits, Tracer};
use std::sync::Arc;

const MODEL: &str = "/models/model.safetensors";

fn tracer() -> Tracer {
    Tracer::new(ClassTable::load(None).expect("the built-in file is right"), Limits::default())
}

/// What `body` says after the line, done by `workload` in that mount namespace by a process that was started in `/models`.
fn traced(tracer: &mut Tracer, workload: &str, namespace: u32, body: Body) -> Event {
    let actor = Actor { mount_namespace: namespace, ..Actor::default() };
    let mut event = Event::new(BootTime(1), None, actor, body);
    event.workload = Some(Arc::new(Workload { id: workload.into(), ..Workload::default() }));
    event.process = Some(Arc::new(Process { working_directory: "/models".into(), ..Process::default() }));
    tracer.trace(&mut event, &policy::Table::default());
    event
}

fn file(path: &str, inode: Option<u64>) -> File {
    // As the kernel side does it: by the name.
    let classes = if path.ends_with(".safetensors") { Classes(Class::Weights as u32) } else { Classes::default() };
    let id = inode.map(|inode| FileId { device: 1, inode });
    File { id, path: path.into(), size: 9, classes, ..File::default() }
}

fn opens(tracer: &mut Tracer, workload: &str, namespace: u32, path: &str, inode: u64, created: bool) {
    let access = if created { Access::Write } else { Access::Read };
    let file = file(path, Some(inode));
    let open = Open { file, access, flags: 0, io_uring: false, candidate: false, carrier: false, created };
    traced(tracer, workload, namespace, Body::Open(open));
}

fn change(change: Change, file: File, new: &str, replaced: Option<u64>) -> Body {
    let classes = file.classes.0 | self::file(new, None).classes.0;
    let replaced = replaced.map(|inode| Replaced { id: Some(FileId { device: 1, inode }) });
    let file = File { classes: Classes(classes), ..file };
    Body::FileChange(FileChange { change, file, new_path: new.into(), replaced, new_size: None, io_uring: false })
}

/// What is said of a rename: replaced, the inode, brought, the classes.
fn said(event: &Event) -> (bool, Option<String>, Option<bool>, Vec<String>) {
    let flag = |field: Field| match field.get(event) {
        Some(Value::Flag(flag)) => Some(flag),
        _ => None,
    };
    let inode = match Field::FileReplacedInode.get(event) {
        Some(Value::Text(text)) => Some(text.into_owned()),
        _ => None,
    };
    let classes = match Field::FileClass.get(event) {
        Some(Value::List(list)) => list.into_iter().map(|name| name.into_owned()).collect(),
        _ => Vec::new(),
    };
    (flag(Field::FileReplaced) == Some(true), inode, flag(Field::FileBrought), classes)
}

/// A rename of which only the words are known, in namespace 7.
fn words(
    tracer: &mut Tracer,
    workload: &str,
    old: &str,
    new: &str,
) -> (bool, Option<String>, Option<bool>, Vec<String>) {
    let body = change(Change::Rename, file(old, None), new, None);
    said(&traced(tracer, workload, 7, body))
}

fn weights() -> Vec<String> {
    vec!["weights".into()]
}

#[test]
fn words_replace_what_was_opened_under_that_name() {
    for (old, new) in [
        ("/models/.new", MODEL),
        (".new", "model.safetensors"),
        ("/tmp/x", "/models//a/.././model.safetensors"),
        ("./.new", "../models/model.safetensors"),
    ] {
        let mut tracer = tracer();
        assert_eq!(words(&mut tracer, "a", old, new), (false, None, None, weights()), "nobody opened it: {new}");
        let mut tracer = self::tracer();
        opens(&mut tracer, "a", 7, MODEL, 5, false);
        assert_eq!(words(&mut tracer, "a", old, new), (true, Some("5".into()), Some(false), weights()), "{new}");
        // What is there now the workload put there itself.
        assert_eq!(words(&mut tracer, "a", old, new), (true, None, Some(true), weights()), "{new}");
        assert_eq!(words(&mut tracer, "b", old, new), (true, None, Some(false), weights()), "{new}");
    }
}

#[test]
fn a_name_is_of_its_mount_namespace_and_goes_with_its_file() {
    let mut tracer = tracer();
    opens(&mut tracer, "a", 8, MODEL, 5, false);
    assert!(!words(&mut tracer, "a", "/models/.new", MODEL).0, "another's");

    let mut tracer = self::tracer();
    opens(&mut tracer, "a", 7, MODEL, 5, false);
    traced(&mut tracer, "a", 7, change(Change::Unlink, file(MODEL, None), "", None));
    assert!(!words(&mut tracer, "a", "/models/.new", MODEL).0, "it is gone");

    let mut tracer = self::tracer();
    opens(&mut tracer, "a", 7, MODEL, 5, false);
    let kept = "/models/kept.safetensors";
    assert!(!words(&mut tracer, "a", MODEL, kept).0);
    assert!(!words(&mut tracer, "a", "/models/.new", MODEL).0, "it has another name");
    assert_eq!(words(&mut tracer, "a", "/models/.new", kept), (true, Some("5".into()), Some(false), weights()));

    let mut tracer = self::tracer();
    opens(&mut tracer, "a", 7, MODEL, 5, false);
    traced(&mut tracer, "a", 7, change(Change::Link, file(MODEL, None), kept, None));
    assert!(!words(&mut tracer, "a", MODEL, kept).0, "two names of one file");

    let mut tracer = self::tracer();
    opens(&mut tracer, "a", 7, "/models/notes.txt", 6, false);
    assert!(!words(&mut tracer, "a", MODEL, "/models/notes.txt").0, "of no class, so not remembered");
}

/// A rename of which the kernel tells the inodes.
fn inodes(tracer: &mut Tracer, workload: &str, old: (&str, u64), new: &str, replaced: Option<u64>) -> Option<bool> {
    let body = change(Change::Rename, file(old.0, Some(old.1)), new, replaced);
    let event = traced(tracer, workload, 7, body);
    let (is_replaced, inode, brought, classes) = said(&event);
    assert_eq!((is_replaced, inode), (replaced.is_some(), replaced.map(|inode| inode.to_string())));
    assert_eq!(classes, weights());
    brought
}

#[test]
fn who_replaces_its_own_work_replaces_nobodys() {
    let mut tracer = tracer();
    // A checkpoint after the other; the files that are written are in no class until they have their name.
    assert_eq!(inodes(&mut tracer, "a", ("/models/tmp", 10), MODEL, None), None, "nothing was there");
    assert_eq!(inodes(&mut tracer, "a", ("/models/tmp", 11), MODEL, Some(10)), Some(true));
    assert_eq!(inodes(&mut tracer, "a", ("/models/tmp", 12), MODEL, Some(11)), Some(true));
    assert_eq!(inodes(&mut tracer, "b", ("/models/tmp", 13), MODEL, Some(12)), Some(false));
    assert_eq!(inodes(&mut tracer, "a", ("/models/tmp", 14), MODEL, Some(99)), Some(false), "older than the sensor");
    opens(&mut tracer, "a", 7, "/models/own.safetensors", 20, true);
    assert_eq!(inodes(&mut tracer, "a", ("/models/tmp", 15), "/models/own.safetensors", Some(20)), Some(true));
}

#[test]
fn a_name_and_back_makes_nothing_ones_own() {
    let mut tracer = tracer();
    assert_eq!(inodes(&mut tracer, "a", (MODEL, 5), "/models/x", None), None);
    assert_eq!(inodes(&mut tracer, "a", ("/models/x", 5), MODEL, None), None);
    assert_eq!(inodes(&mut tracer, "a", ("/models/tmp", 6), MODEL, Some(5)), Some(false));
}

#[test]
fn names_are_bounded() {
    let mut tracer = tracer();
    for inode in 0..20_000 {
        opens(&mut tracer, "a", 7, &format!("/models/{inode}.safetensors"), inode, false);
    }
    assert!(tracer.counts().names_evicted.live >= 3_000, "{:?}", tracer.counts().names_evicted);
    assert!(words(&mut tracer, "a", "/x", "/models/19999.safetensors").0);
    assert!(!words(&mut tracer, "a", "/x", "/models/0.safetensors").0);
    let long = "x".repeat(4000);
    for inode in 0..2_000 {
        opens(&mut tracer, "a", 7, &format!("/{long}/{inode}.safetensors"), inode, false);
    }
    assert!(!words(&mut tracer, "a", "/x", "/models/19998.safetensors").0, "long names push out more");
}
