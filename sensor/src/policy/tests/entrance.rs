//! Without declared loaders: who is one by what the container's entry process did.

use super::scene::{CONTAINER, MINUTE, OTHER, SECOND, Scene, UNIT, key};
use crate::event::Access;
use crate::policy::Policy;

const MODEL: &str = "/models/a.gguf";
const NOBODY: [&str; 0] = [];

/// A container whose entry script has started a server, a minute after it began; its processes.
fn server() -> (Scene, crate::event::ProcessKey, crate::event::ProcessKey) {
    let mut scene = Scene::new(Policy::default());
    let (script, server) = (key(10, 0), key(11, 60));
    scene.start(key(1, 0), UNIT, script, CONTAINER, "/bin/sh");
    scene.now = MINUTE;
    scene.start(script, CONTAINER, server, CONTAINER, "/usr/bin/serve");
    (scene, script, server)
}

#[test]
fn what_the_entry_started_in_its_first_minutes_loads() {
    let (mut scene, script, server) = server();
    assert_eq!(scene.reads(server, CONTAINER, "/etc/passwd"), NOBODY, "weights only");
    assert_eq!(scene.reads(server, CONTAINER, MODEL), ["loader"], "from the first open on");
    assert_eq!(scene.reads(script, CONTAINER, "/etc/passwd"), NOBODY, "who has not loaded is none");
    assert_eq!(scene.opens(server, CONTAINER, MODEL, Access::Write).declared.names().count(), 1);
    // Late, and by another of itself.
    scene.now = 60 * MINUTE;
    let worker = key(12, 3600);
    scene.start(server, CONTAINER, worker, CONTAINER, "/usr/bin/serve");
    assert_eq!(scene.reads(worker, CONTAINER, MODEL), ["loader"]);
    assert_eq!(scene.policy.counts().loaders_learnt, 1);
}

#[test]
fn a_server_that_loads_late_is_a_loader_too() {
    let (mut scene, _, server) = server();
    scene.now = 600 * MINUTE;
    let worker = key(12, 36_000);
    scene.start(server, CONTAINER, worker, CONTAINER, "/usr/bin/serve");
    assert_eq!(scene.reads(worker, CONTAINER, MODEL), ["loader"]);
}

#[test]
fn what_is_started_later_is_none() {
    let (mut scene, _, server) = server();
    scene.now = 5 * MINUTE + SECOND;
    let thief = key(12, 301);
    scene.start(server, CONTAINER, thief, CONTAINER, "/usr/bin/cp");
    assert_eq!(scene.reads(thief, CONTAINER, MODEL), NOBODY);
    // The server becomes something else.
    scene.exec(server, CONTAINER, "/usr/bin/tar");
    assert_eq!(scene.reads(server, CONTAINER, MODEL), NOBODY);
    assert_eq!(scene.policy.counts().loaders_learnt, 0);
}

#[test]
fn a_program_that_the_entry_ran_and_that_has_ended_is_none_later() {
    let (mut scene, script, server) = server();
    let helper = key(12, 61);
    scene.start(script, CONTAINER, helper, CONTAINER, "/usr/bin/cp");
    scene.exit(helper, CONTAINER);
    scene.now = 10 * MINUTE;
    let thief = key(13, 600);
    scene.start(server, CONTAINER, thief, CONTAINER, "/usr/bin/cp");
    assert_eq!(scene.reads(thief, CONTAINER, MODEL), NOBODY);
}

#[test]
fn a_copy_in_the_beginning_makes_a_loader_of_the_copier() {
    let (mut scene, script, server) = server();
    let helper = key(12, 61);
    scene.start(script, CONTAINER, helper, CONTAINER, "/usr/bin/cp");
    assert_eq!(scene.reads(helper, CONTAINER, MODEL), ["loader"]);
    scene.exit(helper, CONTAINER);
    scene.now = 10 * MINUTE;
    let again = key(13, 600);
    scene.start(server, CONTAINER, again, CONTAINER, "/usr/bin/cp");
    assert_eq!(scene.reads(again, CONTAINER, MODEL), ["loader"], "it is what the container does");
}

#[test]
fn who_enters_from_outside_is_never_one() {
    let (mut scene, _, server) = server();
    assert_eq!(scene.reads(server, CONTAINER, MODEL), ["loader"]);
    // kubectl exec: the runtime forks, and what it forks joins the container. Even the server's own program.
    let entered = key(20, 62);
    scene.start(key(1, 0), UNIT, entered, CONTAINER, "/usr/bin/serve");
    assert_eq!(scene.reads(entered, CONTAINER, MODEL), NOBODY);
    let child = key(21, 63);
    scene.start(entered, CONTAINER, child, CONTAINER, "/usr/bin/serve");
    assert_eq!(scene.reads(child, CONTAINER, MODEL), NOBODY);
    let other = key(22, 64);
    scene.start(entered, CONTAINER, other, CONTAINER, "/usr/bin/python3");
    assert_eq!(scene.reads(other, CONTAINER, MODEL), NOBODY);
}

#[test]
fn a_fork_in_the_beginning_is_as_early_as_its_parent() {
    let (mut scene, _, server) = server();
    let daemon = key(12, 61);
    scene.fork(server, CONTAINER, daemon);
    scene.exit(server, CONTAINER);
    scene.now = 60 * MINUTE;
    assert_eq!(scene.reads(daemon, CONTAINER, MODEL), ["loader"]);
}

#[test]
fn each_container_learns_for_itself() {
    let (mut scene, _, server) = server();
    assert_eq!(scene.reads(server, CONTAINER, MODEL), ["loader"]);
    let other = key(30, 70);
    scene.now = 70 * SECOND;
    scene.start(key(1, 0), UNIT, other, OTHER, "/bin/sh");
    scene.now = 30 * MINUTE;
    let late = key(31, 1800);
    scene.start(other, OTHER, late, OTHER, "/usr/bin/serve");
    assert_eq!(scene.reads(late, OTHER, MODEL), NOBODY);
}

#[test]
fn nothing_is_learnt_of_a_container_that_is_older() {
    let mut scene = Scene::new(Policy::default());
    scene.now = 100 * MINUTE;
    // Found in any order: somebody's shell first.
    scene.found(key(50, 5_000), Some(1), "/bin/bash");
    scene.found(key(10, 3), Some(1), "/usr/bin/serve");
    assert_eq!(scene.reads(key(10, 3), CONTAINER, MODEL), NOBODY);
    assert_eq!(scene.reads(key(50, 5_000), CONTAINER, MODEL), NOBODY);
}

#[test]
fn a_container_that_has_just_begun_is_learnt_of_when_the_sensor_starts() {
    let mut scene = Scene::new(Policy::default());
    scene.now = 2 * MINUTE;
    scene.found(key(50, 100), Some(1), "/bin/bash");
    scene.found(key(10, 3), Some(1), "/usr/bin/serve");
    assert_eq!(scene.reads(key(10, 3), CONTAINER, MODEL), ["loader"]);
    assert_eq!(scene.reads(key(50, 100), CONTAINER, MODEL), NOBODY, "it is not the first");
}

#[test]
fn what_is_kept_of_a_beginning_is_bounded_and_refusals_are_counted() {
    let (mut scene, script, server) = server();
    for number in 0..300 {
        scene.start(script, CONTAINER, key(100 + number, 61), CONTAINER, &format!("/usr/bin/p{number}"));
    }
    let refused = scene.policy.counts().refused;
    assert!((200..=600).contains(&refused), "{refused}");
    assert_eq!(scene.reads(server, CONTAINER, MODEL), ["loader"], "who was first stays");
    for number in 0..300 {
        scene.reads(key(100 + number, 61), CONTAINER, MODEL);
    }
    assert!(scene.policy.counts().loaders_learnt <= super::super::entrance::LOADERS_MAX as u64);
    assert!(scene.policy.counts().refused > refused, "loaders too");
}

#[test]
fn the_policy_has_the_last_word() {
    let text = |loaders: &str| super::policy(&format!("workloads: [{{name: a, select: {{}}, {loaders}}}]")).unwrap();
    for (loaders, expected) in [("role: serving", &["loader"][..]), ("loaders: []", &[]), ("loaders: [/x]", &[])] {
        let mut scene = Scene::new(text(loaders));
        scene.start(key(1, 0), UNIT, key(10, 0), CONTAINER, "/usr/bin/serve");
        assert_eq!(scene.reads(key(10, 0), CONTAINER, MODEL), expected, "{loaders}");
    }
}
