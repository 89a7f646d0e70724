//! Each deed is reported once, as the actor says, and what is nobody's business is not.
//!
//! The families of hooks differ by nature in a few things. A system call's exit shows the words that the process wrote, and nothing of
//! the file behind them; a trampoline is where the kernel has looked them up, and shows the file as it was before. So names here are
//! absolute and canonical, the same either way, but where that is what is tested.

mod file;
mod system;

use crate::watch::{self, Outcome, actor_on_host, events_in, nothing_lost, skipped};
use serde_json::{Value, json};
use std::path::Path;
use tests::scene::{Bind, Container, Directory, Spec};
use tests::sensor::Event;
use tests::{Place, Running, actor_in, skip};

/// Kinds of events that deeds give.
pub const KINDS: [&str; 10] =
    ["rename", "link", "unlink", "truncate", "socket", "process_access", "bpf", "mount", "namespace", "module"];
/// What is known of a file only where the kernel has looked up its name.
const OF_THE_FILE: [&str; 4] = ["file.inode", "file.size", "weir.file.links", "weir.file.device"];

/// A deed that was done: by whom, and what the actor says of it.
pub struct Done {
    what: String,
    pub pid: u32,
    truth: Value,
}

/// Does a deed in a container, or on the host in its cgroup; `None` if the kernel does not offer that, which was said.
pub fn deed(container: &Container, inside: bool, arguments: &[&str]) -> std::io::Result<Option<Done>> {
    let words = [&["deed", "--what"], arguments].concat();
    let actor = match inside {
        true => actor_in(Place::Container(container), &words)?,
        false => actor_on_host(container, &words)?,
    };
    done(actor, format!("{}, {}", arguments.join(" "), if inside { "in a container" } else { "on the host" }))
}

fn done(actor: Running, what: String) -> std::io::Result<Option<Done>> {
    let pid = actor.pid();
    let truth = actor.truth()?;
    Ok((!skip::if_skipped(&truth)).then_some(Done { what, pid, truth }))
}

/// The events of deeds by that process, in their order.
fn deeds_of(events: &[Event], pid: u32) -> Vec<&Event> {
    events.iter().filter(|event| KINDS.contains(&event.kind()) && event.pid() == Some(pid.into())).collect()
}

/// The process that the actor calls `vpid` and has forked, by the event of its end.
fn child<'a>(events: &'a [Event], parent: u32, vpid: &Value) -> Result<&'a Event, String> {
    let is_it = |event: &&Event| {
        event.kind() == "exit"
            && event.number("process.parent_pid") == Some(parent.into())
            && event.field("process.vpid") == Some(vpid)
    };
    events.iter().find(is_it).ok_or_else(|| format!("no end of process {vpid}, a child of {parent}"))
}

/// What was reported of each is what was done, neither more nor less.
fn compare(events: &[Event], all: &[Done]) -> Outcome {
    let mut wrong = Vec::new();
    for Done { what, pid, truth } in all {
        let truths = truth["deeds"].as_array().ok_or("the actor does not say what it did")?;
        let found = deeds_of(events, *pid);
        let kinds: Vec<&str> = found.iter().map(|event| event.kind()).collect();
        if found.len() != truths.len() {
            wrong.push(format!("{what}: {} events {kinds:?} instead of {truths:?}", found.len()));
            continue;
        }
        for (event, deed) in found.into_iter().zip(truths) {
            wrong.extend(differences(events, event, deed, *pid)?.into_iter().map(|line| format!("{what}: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Where an event and the truth differ, but for what its family of hooks cannot know.
fn differences(events: &[Event], event: &Event, deed: &Value, pid: u32) -> Result<Vec<String>, String> {
    let trampoline = watch::by_trampoline(event);
    let looked_up = trampoline || event.field("file.inode").is_some();
    let fields = deed.as_object().ok_or("a deed is an object")?;
    let (mut present, mut absent, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in fields {
        match &**name {
            // Not a field of the sensor's.
            "target.vpid" => {}
            // The system call has returned, and its descriptor shows the file as it is then.
            "file.size" if looked_up && !trampoline && event.kind() == "truncate" => {
                if event.field(name) != deed.get("weir.file.new_size") {
                    wrong.push(format!("file.size: {:?}, but it is cut already", event.field(name)));
                }
            }
            // The request has it; the file, which is all that a trampoline gets, has not.
            "weir.file.new_size" if trampoline && event.field("weir.io_uring").is_some() => absent.push(&**name),
            name if OF_THE_FILE.contains(&name) && !looked_up => absent.push(name),
            // What is moved is the root of a tree that has no place: a system call shows no name of it.
            "weir.mount.source" if deed["weir.mount.how"] == "move_mount" && trampoline => {}
            name if value.is_null() => absent.push(name),
            name => present.push(name),
        }
    }
    wrong.extend(event.differences(deed, &present));
    let there = absent.into_iter().filter(|name| event.field(name).is_some());
    wrong.extend(there.map(|name| format!("{name} should be absent, but is {:?}", event.field(name))));
    if let Some(vpid) = deed.get("target.vpid") {
        let target = child(events, pid, vpid)?;
        let truth = json!({
            "weir.access.target.pid": target.field("process.pid"),
            "weir.access.target.id": target.field("weir.process.id"),
            "weir.access.target.executable.path": target.field("process.executable.path"),
        });
        let names: Vec<&str> = truth.as_object().into_iter().flatten().map(|(name, _)| &**name).collect();
        wrong.extend(event.differences(&truth, &names));
    }
    Ok(wrong)
}

/// Where something is done, and what the actor calls the directory that both know.
fn places(directory: &Directory) -> [(bool, String); 2] {
    [(true, "/models".into()), (false, directory.path().to_string_lossy().into_owned())]
}

fn container(directory: &Directory) -> std::io::Result<Container> {
    let bind = Bind { source: directory.path().into(), target: "/models".into(), read_only: false };
    Container::start(&Spec { binds: vec![bind], ..Spec::default() })
}

/// Does those deeds in both places and compares; `arguments` gets the directory's name and where to prepare it.
fn each_in_both_places(what: &str, deeds: &[&[&str]], arguments: impl Fn(&str, &Path) -> Prepared) -> Outcome {
    if skipped(what) {
        return Ok(());
    }
    let directory = Directory::new()?;
    let container = container(&directory)?;
    let sensor = events_in(&container, &[])?;
    let mut all = Vec::new();
    for (inside, place) in places(&directory) {
        for words in deeds {
            let more = arguments(&place, directory.path())?;
            let words: Vec<&str> = words.iter().copied().chain(more.iter().map(String::as_str)).collect();
            all.extend(deed(&container, inside, &words)?);
        }
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    compare(&events, &all)?;
    for done in &all {
        for event in deeds_of(&events, done.pid) {
            assert_eq!(event.text("container.id"), Some(&*container.id), "{}", done.what);
        }
    }
    container.stop()?;
    Ok(())
}

/// More arguments of a deed.
type Prepared = std::io::Result<Vec<String>>;
