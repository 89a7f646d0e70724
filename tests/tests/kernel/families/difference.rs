//! Where events of the two families differ, though they should not.

use ::tests::sensor::Event;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

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

/// What a rename takes a name from: portable hooks tell it of names under which they saw a file, which may be gone by a way that they do
/// not see (the host's own name of it), or not be opened yet.
const OF_THE_REPLACED: [&str; 3] = ["weir.file.replaced", "weir.file.replaced.inode", "weir.file.brought"];

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

/// Where what processes did reads differently under the two families: one line a difference.
pub fn all(portable: &[Event], trampoline: &[Event]) -> Vec<String> {
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
            _ if trampoline.kind() == "rename" && OF_THE_REPLACED.contains(&name) => None,
            // The request has the size; the file, which is all that a trampoline gets, has not.
            (Some(_), None) if name == "weir.file.new_size" && trampoline.field("weir.io_uring").is_some() => None,
            (one, other) => Some(format!("{name}: {} by portable hooks, {} by trampolines", show(one), show(other))),
        })
        .collect()
}

/// Whether an open that emptied the file (O_TRUNC) was told as a truncation too: what is open shows the flag no more, so that only
/// trampolines tell.
fn emptied_by(open: &Event, event: &Event) -> bool {
    event.kind() == "truncate"
        && event.number("weir.file.new_size") == Some(0)
        && open.kind() == "open"
        && ["file.path", "weir.process.id"].into_iter().all(|name| open.field(name) == event.field(name))
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
        if let Some(of_it) = all.get_mut(place)
            && !of_it.last().is_some_and(|before| emptied_by(before, event))
        {
            of_it.push(event);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::all;
    use ::tests::sensor::Event;

    fn event(fields: &str) -> Event {
        Event::parse(&format!("{{{fields}}}")).unwrap_or_else(|what| panic!("{what}"))
    }

    const RENAME: &str = r#""weir.event.kind": "rename", "weir.process.id": "7-1", "file.path": "/a.gguf""#;

    #[test]
    fn what_is_another_one_in_each_run_is_equal() {
        let one = event(&format!(r#"{RENAME}, "time": "a", "weir.hook": "sys_exit", "process.pid": 7"#));
        let other = event(&RENAME.replace("7-1", "8-1"));
        assert_eq!(all(&[one], &[other]), [""; 0]);
    }

    #[test]
    fn a_field_that_differs_is_found() {
        let found = all(&[event(RENAME)], &[event(&RENAME.replace("/a", "/b"))]);
        assert_eq!(found, [r#"?: rename: file.path: "/a.gguf" by portable hooks, "/b.gguf" by trampolines"#]);
    }

    #[test]
    fn a_field_that_one_family_lacks_is_found_unless_it_is_known_for_that() {
        let (words, looked_up) = ([event(RENAME)], [event(&format!(r#"{RENAME}, "file.size": 7"#))]);
        assert_eq!(all(&words, &looked_up), [""; 0]);
        assert_eq!(all(&looked_up, &words).len(), 1, "only trampolines know it");
        let new_path = [event(&format!(r#"{RENAME}, "weir.file.new_path": "/b.gguf""#))];
        assert_eq!(all(&words, &new_path).len(), 1);
        assert_eq!(all(&new_path, &words).len(), 1);
        let open = RENAME.replace("rename", "open");
        let sized = event(&format!(r#"{open}, "file.size": 7"#));
        assert_eq!(all(&[event(&open)], &[sized]).len(), 1, "an open by a system call has it either way");
    }

    #[test]
    fn an_open_that_empties_is_one_event_or_two() {
        let open = event(&RENAME.replace("rename", "open"));
        let truncate = |size: u32| {
            let fields = RENAME.replace("rename", "truncate");
            event(&format!(r#"{fields}, "weir.file.new_size": {size}"#))
        };
        assert_eq!(all(std::slice::from_ref(&open), &[open.clone(), truncate(0)]), [""; 0]);
        assert_eq!(all(std::slice::from_ref(&open), &[open.clone(), truncate(3)]).len(), 1);
        assert_eq!(all(std::slice::from_ref(&open), &[truncate(0), open.clone()]).len(), 1);
    }

    #[test]
    fn an_event_or_a_process_that_is_missing_is_found() {
        let (one, other, link) = (RENAME.to_owned(), RENAME.replace("7-1", "8-1"), RENAME.replace("rename", "link"));
        let events = |texts: &[&String]| -> Vec<Event> { texts.iter().map(|text| event(text)).collect() };
        assert_eq!(all(&events(&[&one]), &events(&[&one, &other])).len(), 1);
        assert_eq!(all(&events(&[&one]), &events(&[&one, &one])).len(), 1);
        assert_eq!(all(&events(&[&one, &link]), &events(&[&link, &one])).len(), 1, "their order counts");
    }
}
