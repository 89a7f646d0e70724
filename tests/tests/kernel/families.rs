//! Both families of hooks say the same of the same deeds.

use crate::deeds::{Done, KINDS, deed};
use crate::watch::{Outcome, events_in, nothing_lost, skipped};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use tests::scene::{Bind, Container, Directory, Network, Spec};
use tests::sensor::{Event, Sensor};
use tests::sink::{Sink, Transport};
use tests::{Place, actor_in, skip};

/// What is another one in each run, or says which family saw it.
const UNEQUAL: [&str; 18] = [
    "time",
    "weir.hook",
    // Processes and threads.
    "process.pid",
    "process.vpid",
    "process.parent_pid",
    "thread.id",
    "weir.process.id",
    "weir.process.child.id",
    "weir.process.child.pid",
    "weir.access.target.pid",
    "weir.access.target.id",
    // Inodes, of files and of what has files.
    "file.inode",
    "weir.cgroup.id",
    "weir.process.mount_namespace",
    "weir.process.pid_namespace",
    // Sockets.
    "weir.socket.cookie",
    "network.local.port",
    // Of a packet's length depends how many there are.
    "weir.flow.packets",
];

/// What of a file is known only where the kernel has looked up its name: portable hooks see the words that the process wrote.
const OF_THE_FILE: [&str; 6] =
    ["file.size", "file.mode", "file.owner.id", "weir.file.device", "weir.file.links", "weir.file.memory"];

/// Fields that only trampolines give: `(kind, which events of it, fields)`.
type Only = (&'static str, fn(&Event) -> bool, &'static [&'static str]);

const ONLY_BY_TRAMPOLINE: [Only; 6] = [
    ("rename", |_| true, &OF_THE_FILE),
    ("link", |_| true, &OF_THE_FILE),
    ("unlink", |_| true, &OF_THE_FILE),
    // ftruncate's descriptor tells a system call's exit too, though only what the file is afterwards.
    ("truncate", |_| true, &OF_THE_FILE),
    // IOSQE_CQE_SKIP_SUCCESS: nothing tells that it was done, nor what was opened.
    ("open", |event| event.field("weir.io_uring").is_some(), &OF_THE_FILE),
    // Of a tree that has no place move_mount(2) is given an empty name.
    ("mount", |event| event.text("weir.mount.how") == Some("move_mount"), &["weir.mount.source"]),
];

/// Fields whose values differ by nature where both have them.
fn may_differ(name: &str, event: &Event) -> bool {
    match name {
        // The size before and after.
        "file.size" => event.kind() == "truncate",
        // The name of the thread: the kernel's worker where it is done, the process's own where it is asked for.
        "process.title" => event.field("weir.io_uring").is_some(),
        _ => false,
    }
}

/// Where what a process did reads differently under the two families: one line a difference.
fn differences(portable: &[Event], trampoline: &[Event]) -> Vec<String> {
    let (portable, trampoline) = (by_process(portable), by_process(trampoline));
    let mut found = Vec::new();
    if portable.len() != trampoline.len() {
        found.push(format!("{} processes instead of {}", portable.len(), trampoline.len()));
    }
    for (portable, trampoline) in portable.iter().zip(&trampoline) {
        let kinds = |events: &[&Event]| events.iter().map(|event| event.kind().to_owned()).collect::<Vec<_>>();
        if kinds(portable) != kinds(trampoline) {
            let who = trampoline.iter().chain(portable).find_map(|event| event.text("process.command_line"));
            found.push(format!("{}: {:?} instead of {:?}", who.unwrap_or("?"), kinds(portable), kinds(trampoline)));
            continue;
        }
        for (one, other) in portable.iter().zip(trampoline) {
            let who = other.text("process.command_line").unwrap_or("?");
            found.extend(different_fields(one, other).into_iter().map(|line| format!("{who}: {}: {line}", one.kind())));
        }
    }
    found
}

/// The fields in which the two events differ, though they may not.
fn different_fields(portable: &Event, trampoline: &Event) -> Vec<String> {
    let names: BTreeSet<&String> = portable.fields().keys().chain(trampoline.fields().keys()).collect();
    let names = names.into_iter().map(String::as_str).filter(|name| !UNEQUAL.contains(name));
    let only = |name: &str| {
        ONLY_BY_TRAMPOLINE
            .iter()
            .any(|(kind, which, fields)| *kind == trampoline.kind() && which(trampoline) && fields.contains(&name))
    };
    let show = |value: Option<&Value>| value.map_or_else(|| "nothing".into(), Value::to_string);
    names
        .filter_map(|name| match (portable.field(name), trampoline.field(name)) {
            (Some(one), Some(other)) if one == other => None,
            (Some(_), Some(_)) if may_differ(name, trampoline) => None,
            (None, Some(_)) if only(name) => None,
            (one, other) => Some(format!("{name}: {} by portable hooks, {} by trampolines", show(one), show(other))),
        })
        .collect()
}

/// Events by process, in the order in which processes were first heard of; those of none are left out.
fn by_process(events: &[Event]) -> Vec<Vec<&Event>> {
    let (mut places, mut all) = (HashMap::new(), Vec::<Vec<&Event>>::new());
    for event in events {
        let Some(process) = event.text("weir.process.id") else { continue };
        let place = *places.entry(process).or_insert_with(|| {
            all.push(Vec::new());
            all.len() - 1
        });
        if let Some(of_it) = all.get_mut(place) {
            of_it.push(event);
        }
    }
    all
}

/// Ways to open a file, as in [`crate::opens`].
const OPENS: [&str; 14] = [
    "open",
    "openat",
    "openat2",
    "creat",
    "open_by_handle_at",
    "io_uring-openat",
    "io_uring-openat2",
    "io_uring-direct",
    "io_uring-skip-cqe",
    "ia32-open",
    "ia32-creat",
    "ia32-openat",
    "ia32-openat2",
    "ia32-open_by_handle_at",
];

const DEEDS: [&str; 39] = [
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "truncate",
    "ftruncate",
    "rename --by ia32",
    "link --by ia32",
    "unlinkat --by ia32",
    "truncate --by ia32",
    "ftruncate --by ia32",
    "renameat --by io_uring",
    "linkat --by io_uring",
    "unlinkat --by io_uring",
    "ftruncate --by io_uring",
    "socket_packet",
    "socket_raw",
    "socketcall_raw --by ia32",
    "socket_xdp --by io_uring",
    "socket_vsock",
    "socket_inet",
    "ptrace_seize",
    "ptrace_attach",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "proc_mem",
    "mount_tmpfs",
    "mount_bind",
    "move_mount",
    "pivot_root",
    "unshare",
    "setns",
    "setns_any",
    "setns --by ia32",
    "bpf_prog_load",
];

/// Where it is played.
struct Stage {
    directory: Directory,
    container: Container,
    sink: String,
}

impl Stage {
    /// Everything that either family sees; what is reported of it under one.
    fn play(&self, hooks: &str) -> Result<Vec<Event>, Box<dyn std::error::Error>> {
        let sensor = events_in(&self.container, &["--hooks", hooks])?;
        for how in OPENS {
            self.prepare()?;
            self.act(&["open", "--how", how, "/models/model.safetensors"])?;
        }
        for what in DEEDS {
            self.prepare()?;
            let path =
                if what.contains("mount") || what == "pivot_root" { "/models" } else { "/models/model.safetensors" };
            let words: Vec<&str> = what.split(' ').chain(["--to", "/models/other.gguf", "--size", "3", path]).collect();
            let _: Option<Done> = deed(&self.container, true, &words)?;
        }
        self.act(&["storm", "--execs", "1"])?;
        self.act(&["exec-memfd"])?;
        self.act(&["upload", "--to", &self.sink, "--bytes", "1000"])?;
        let events = sensor.stop()?.events;
        nothing_lost(&events);
        Ok(events)
    }

    fn act(&self, arguments: &[&str]) -> io::Result<()> {
        let truth = actor_in(Place::Container(&self.container), arguments)?.truth()?;
        let _ = skip::if_skipped(&truth);
        Ok(())
    }

    /// A new file of weights with one name.
    fn prepare(&self) -> io::Result<()> {
        let path = |name| self.directory.path().join(name);
        let _ = fs::remove_file(path("other.gguf"));
        let _ = fs::remove_file(path("model.safetensors"));
        fs::write(path("model.safetensors"), "weights")
    }
}

#[test]
fn both_families_see_the_same() -> Outcome {
    if skipped("both families of hooks") {
        return Ok(());
    }
    if let Some(family) = std::env::var_os("WEIR_HOOKS") {
        skip::say(&format!("one family was asked for (WEIR_HOOKS={}): both families", family.display()));
        return Ok(());
    }
    if let Err(why) = Sensor::start(&["events", "--hooks", "trampoline"]).and_then(Sensor::stop) {
        let why = why.to_string();
        skip::say(&format!("no trampolines here: {}", why.lines().last().unwrap_or_default()));
        return Ok(());
    }
    let network = Network::new()?;
    let directory = Directory::new()?;
    let bind = Bind { source: directory.path().into(), target: "/models".into(), read_only: false };
    let spec = Spec { binds: vec![bind], network: Some(&network.inside), ..Spec::default() };
    let address = network.outside_addresses().into_iter().next().ok_or("no address")?;
    let sink = Sink::start(&[address], Some(&network.outside))?;
    let to = sink.address(Transport::Tcp, address)?.to_string();
    let stage = Stage { directory, container: Container::start(&spec)?, sink: to };
    let (portable, trampoline) = (stage.play("portable")?, stage.play("trampoline")?);
    let mut kinds = BTreeMap::<&str, usize>::new();
    for event in &trampoline {
        *kinds.entry(event.kind()).or_default() += 1;
    }
    println!("compared: {kinds:?}");
    for kind in KINDS.into_iter().filter(|kind| *kind != "module").chain(["open", "exec", "connect", "flow"]) {
        assert!(kinds.contains_key(kind), "no {kind} was compared");
    }
    let found = differences(&portable, &trampoline);
    assert!(found.is_empty(), "{}", found.join("\n"));
    stage.container.stop()?;
    sink.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests_of_the_comparison {
    use super::*;

    fn event(fields: &str) -> Event {
        Event::parse(&format!("{{{fields}}}")).unwrap_or_else(|what| panic!("{what}"))
    }

    const RENAME: &str = r#""weir.event.kind": "rename", "weir.process.id": "7-1", "file.path": "/a.gguf""#;

    #[test]
    fn what_is_another_one_in_each_run_is_equal() {
        let one = event(&format!(r#"{RENAME}, "time": "a", "weir.hook": "sys_exit", "process.pid": 7"#));
        let other = event(&RENAME.replace("7-1", "8-1"));
        assert_eq!(differences(&[one], &[other]), [""; 0]);
    }

    #[test]
    fn a_field_that_differs_is_found() {
        let (one, other) = (event(RENAME), event(&RENAME.replace("/a", "/b")));
        let found = differences(&[one], &[other]);
        assert_eq!(found, [r#"?: rename: file.path: "/a.gguf" by portable hooks, "/b.gguf" by trampolines"#]);
    }

    #[test]
    fn a_field_that_one_family_lacks_is_found_unless_it_is_known_for_that() {
        let (words, both) = (event(RENAME), event(&format!(r#"{RENAME}, "file.size": 7"#)));
        assert_eq!(differences(&[words.clone()], &[both.clone()]), [""; 0]);
        assert_eq!(differences(&[both], &[words.clone()]).len(), 1, "only trampolines know it");
        let new_path = event(&format!(r#"{RENAME}, "weir.file.new_path": "/b.gguf""#));
        assert_eq!(differences(&[words.clone()], &[new_path.clone()]).len(), 1);
        assert_eq!(differences(&[new_path], &[words]).len(), 1);
        let open = RENAME.replace("rename", "open");
        let sized = event(&format!(r#"{open}, "file.size": 7"#));
        assert_eq!(differences(&[event(&open)], &[sized]).len(), 1, "an open by a system call has it either way");
    }

    #[test]
    fn an_event_or_a_process_that_is_missing_is_found() {
        let (one, other) = (event(RENAME), event(&RENAME.replace("7-1", "8-1")));
        assert_eq!(differences(&[one.clone()], &[one.clone(), other.clone()]).len(), 1);
        assert_eq!(differences(&[one.clone()], &[one.clone(), one.clone()]).len(), 1);
        let link = event(&RENAME.replace("rename", "link"));
        assert_eq!(differences(&[one.clone(), link.clone()], &[link, one]).len(), 1, "their order counts");
    }
}
