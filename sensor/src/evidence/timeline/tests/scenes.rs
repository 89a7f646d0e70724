//! Small scenes, each about one way that content takes, or does not.

use super::super::super::source::Gap;
use super::super::anchor::{Anchor, Limits};
use super::super::model::Role;
use super::{Scene, ask, ask_within, names, said};
use serde_json::{Value, json};

fn open(file: &str, access: &str) -> Value {
    json!({ "weir.event.kind": "open", "file.path": format!("/{file}"), "file.inode": file, "weir.file.device": "1:0",
        "weir.file.access": access, "file.size": 1_000_000, "weir.file.class": ["weights"] })
}

fn made(file: &str) -> Value {
    let mut open = open(file, "write");
    open["weir.file.created"] = true.into();
    open
}

fn transfer(direction: &str, pipe: &str, bytes: u64) -> Value {
    json!({ "weir.event.kind": "transfer", "file.inode": pipe, "weir.file.device": "0:15", "weir.transfer.carrier": "pipe",
        "weir.transfer.direction": direction, "weir.transfer.bytes": bytes, "weir.held.bytes": 1_000_000, "weir.held.by": "process" })
}

fn exec(parent: &str) -> Value {
    json!({ "weir.event.kind": "exec", "weir.process.parent.id": parent, "file.path": "/bin/x" })
}

fn fork(child: &str) -> Value {
    json!({ "weir.event.kind": "fork", "weir.process.child.id": child })
}

#[test]
fn a_file_is_followed_back_to_who_brought_it_and_what_that_one_had_read() {
    let mut scene = Scene::default();
    scene
        .does("origin-1", open("source", "read"))
        .does("origin-1", transfer("out", "p", 900_000))
        .does("fetcher-1", transfer("in", "p", 900_000))
        .does("fetcher-1", made("model"))
        .does("fetcher-1", json!({ "weir.event.kind": "unlink", "file.path": "/tmp/other" }))
        .does("other-1", open("model", "read"))
        .does("loader-1", open("model", "read"));
    let timeline = ask(&mut scene, Anchor::Process("loader-1".into())).unwrap();
    assert_eq!(names(&timeline), ["fetcher", "loader", "origin"].into(), "who only reads the same is none of it");
    assert!(said(&timeline, "unlink").is_empty(), "what a cause did otherwise is none of it");
    assert!(timeline.processes.iter().all(|process| (process.role == Role::Subject) == (process.id == "loader-1")));
}

#[test]
fn a_file_is_followed_forward_to_who_read_it_and_their_children() {
    let mut scene = Scene::default();
    scene
        .does("reader-1", open("old", "read"))
        .does("thief-1", made("copy"))
        .does("reader-1", open("copy", "read"))
        .does("reader-1", fork("child-1"))
        .does("child-1", open("other", "read"))
        .does("late-1", open("copy", "read"));
    let timeline = ask(&mut scene, Anchor::Process("thief-1".into())).unwrap();
    assert_eq!(names(&timeline), ["child", "late", "reader", "thief"].into());
    assert!(!said(&timeline, "open").iter().any(|(_, what)| what.contains("/old")), "before it was reached");
    assert!(
        timeline.processes.iter().filter(|process| process.id != "thief-1").all(|process| process.role == Role::Effect)
    );
}

#[test]
fn an_inode_that_is_used_again_is_another_file() {
    let mut scene = Scene::default();
    scene
        .does("first-1", made("7"))
        .does("victim-1", open("7", "read"))
        .does("second-1", made("7"))
        .does("reader-1", open("7", "read"));
    assert_eq!(names(&ask(&mut scene, Anchor::Process("reader-1".into())).unwrap()), ["reader", "second"].into());
    assert_eq!(names(&ask(&mut scene, Anchor::Process("first-1".into())).unwrap()), ["first", "victim"].into());
}

#[test]
fn what_a_program_says_about_itself_is_no_carrier_and_that_is_said() {
    let mut scene = Scene::default();
    scene.does("thief-1", transfer("out", "log", 999)).does("shell-1", transfer("in", "log", 999));
    let timeline = ask(&mut scene, Anchor::Process("thief-1".into())).unwrap();
    assert_eq!(names(&timeline), ["thief"].into());
    assert!(timeline.notes.iter().any(|note| note.contains("1 carrier that took less")), "{:?}", timeline.notes);
    // A drip through the same pipe adds up.
    scene.does("thief-1", transfer("out", "log", 1_000)).does("shell-1", transfer("in", "log", 1_000));
    let timeline = ask(&mut scene, Anchor::Process("thief-1".into())).unwrap();
    assert_eq!((names(&timeline), timeline.notes.len()), (["shell", "thief"].into(), 0));
}

#[test]
fn ancestors_are_there_with_their_programs_and_nothing_else_that_they_did() {
    let mut scene = Scene::default();
    scene
        .does("init-1", exec("boot-1"))
        .does("init-1", fork("shell-1"))
        .does("init-1", fork("sibling-1"))
        .does("sibling-1", open("secret", "read"))
        .does("shell-1", exec("init-1"))
        .does("shell-1", open("notes", "read"))
        .does("shell-1", fork("thief-1"))
        .does("thief-1", open("model", "read"));
    let timeline = ask(&mut scene, Anchor::Process("thief-1".into())).unwrap();
    assert_eq!(names(&timeline), ["boot", "init", "shell", "thief"].into());
    let opened = said(&timeline, "open");
    assert_eq!(opened.len(), 1, "{opened:?}");
    let forks: Vec<&str> = said(&timeline, "fork").into_iter().map(|(who, _)| who).collect();
    assert_eq!(forks, ["init-1", "shell-1"], "those that lead there");
    let parents: Vec<Option<&str>> = timeline.processes.iter().map(|process| process.parent.as_deref()).collect();
    assert_eq!(parents, [None, Some("boot-1"), Some("init-1"), Some("shell-1")]);
}

#[test]
fn who_is_his_own_ancestor_is_no_endless_tree() {
    let mut scene = Scene::default();
    scene.does("a-1", exec("b-1")).does("b-1", exec("a-1"));
    let timeline = ask(&mut scene, Anchor::Process("a-1".into())).unwrap();
    assert_eq!(names(&timeline), ["a", "b"].into());
    assert_eq!(timeline.processes.len(), 2);
}

#[test]
fn a_chain_and_a_crowd_are_bounded_and_that_is_said() {
    let mut scene = Scene::default();
    for number in 0..100 {
        scene.does(&format!("p{number}-1"), fork(&format!("p{}-1", number + 1)));
    }
    let limits = Limits { hops: 10, ..Limits::default() };
    let timeline = ask_within(&mut scene, Anchor::Process("p0-1".into()), limits).unwrap();
    assert!(names(&timeline).len() <= 12, "{}", names(&timeline).len());
    assert!(timeline.notes.iter().any(|note| note.contains("10 steps")), "{:?}", timeline.notes);
    let limits = Limits { processes: 5, hops: 1_000, ..Limits::default() };
    let timeline = ask_within(&mut scene, Anchor::Process("p0-1".into()), limits).unwrap();
    assert_eq!(timeline.processes.len(), 5);
    assert!(timeline.notes.iter().any(|note| note.contains("no room beside 5")), "{:?}", timeline.notes);
}

#[test]
fn a_wide_family_is_asked_for_at_once() {
    let mut scene = Scene::default();
    for number in 0..1_000 {
        scene.does("root-1", fork(&format!("p{number}-1")));
    }
    for number in 0..1_000 {
        scene.does(&format!("p{number}-1"), exec("root-1"));
    }
    let timeline = ask(&mut scene, Anchor::Process("root-1".into())).unwrap();
    assert_eq!(timeline.processes.len(), 1_001);
    assert!(scene.asked < 20, "{} questions", scene.asked);
}

#[test]
fn gaps_of_its_time_are_in_it() {
    let mut scene = Scene::default();
    scene.does("a-1", exec("b-1"));
    let time = scene.rows[0].time;
    let gap = |from, to| Gap { from, to, place: "kernel".into(), cause: "full".into(), kind: None, count: Some(3) };
    scene.gaps = vec![gap(time - 5, time + 5), gap(1, 2)];
    assert_eq!(ask(&mut scene, Anchor::Process("a-1".into())).unwrap().gaps, [gap(time - 5, time + 5)]);
}

#[test]
fn a_pod_is_all_of_its_containers() {
    let mut scene = Scene::default();
    let of = |container: &str, pod: &str| {
        json!({ "weir.event.kind": "exec", "weir.workload.id": format!("container:{container}"), "container.id": container,
            "container.name": container, "k8s.namespace.name": "ml", "k8s.pod.name": pod })
    };
    scene.does("a-1", of("aa", "vllm")).does("b-1", of("bb", "vllm")).does("c-1", of("cc", "other"));
    let pod = Anchor::Pod { namespace: "ml".into(), name: "vllm".into() };
    let timeline = ask(&mut scene, pod).unwrap();
    assert_eq!(names(&timeline), ["a", "b"].into());
    let workloads: Vec<&str> = timeline.workloads.iter().map(|workload| &*workload.name).collect();
    assert_eq!(workloads, ["vllm/aa", "vllm/bb"]);
    let mistaken = Anchor::Pod { namespace: "ml".into(), name: "vlm".into() };
    assert!(ask(&mut scene, mistaken).unwrap_err().to_string().contains("pod ml/vlm"));
}
