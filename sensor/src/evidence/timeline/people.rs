//! Who is in a timeline: processes, parents before children, and the workloads that they are part of.

use super::super::source::Row;
use super::super::words::Facts;
use super::model::{Process, Role, Time, Workload};
use super::walk::Found;
use crate::alert::{VALUE_MAX, escape};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How far up a process's parent is looked for among those who are in the timeline.
const ANCESTORS_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct People {
    /// Parents before children.
    pub processes: Vec<Process>,
    /// In the order in which processes name them.
    pub workloads: Vec<Workload>,
    numbers: BTreeMap<Box<str>, usize>,
    ids: BTreeSet<Box<str>>,
}

impl People {
    /// Those of what was found.
    pub fn of(found: &Found) -> People {
        let mut people = People { ids: found.processes.keys().cloned().collect(), ..People::default() };
        let mut processes: Vec<Process> =
            found.processes.iter().map(|(id, role)| people.process(found, id, *role)).collect();
        processes.sort_by(|one, other| (one.begin.nanos, one.pid).cmp(&(other.begin.nanos, other.pid)));
        let ids: BTreeSet<String> = processes.iter().map(|process| process.id.clone()).collect();
        let mut children: BTreeMap<Option<String>, Vec<Process>> = BTreeMap::new();
        for process in processes {
            let parent = process.parent.clone().filter(|parent| ids.contains(parent));
            children.entry(parent).or_default().push(process);
        }
        // A stack, not recursion: how deep it goes, others decide.
        let mut stack = children.remove(&None).unwrap_or_default();
        stack.reverse();
        while let Some(process) = stack.pop() {
            let own = children.remove(&Some(process.id.clone())).unwrap_or_default();
            people.processes.push(process);
            stack.extend(own.into_iter().rev());
        }
        // Who would be his own ancestor is in no tree; he is still in the list.
        people.processes.extend(children.into_values().flatten().map(|process| Process { parent: None, ..process }));
        people
    }

    fn process(&mut self, found: &Found, id: &str, role: Role) -> Process {
        let (mut begin, mut end, mut ended) = (None, None, None);
        let (mut executable, mut command_line) = (String::new(), String::new());
        let (mut held, mut flows, mut workload) = (0, BTreeMap::<u64, u64>::new(), None);
        let mut opened: BTreeMap<String, u64> = BTreeMap::new();
        for (key, row) in found.known.about_process(id) {
            let facts = Facts(&row.attributes);
            begin = begin.or(Some(key.0));
            if facts.text("weir.process.id") != Some(id) {
                // The fork that it comes from: until it runs a program of its own it is what its parent is.
                executable = facts.text("process.executable.path").unwrap_or_default().to_owned();
                command_line = facts.command_line();
                continue;
            }
            if let Some(path) = facts.text("process.executable.path") {
                executable = path.to_owned();
                command_line = facts.command_line();
            }
            if facts.kind() == "exit" {
                end = Some(Time::of(key.0));
                ended = Some(match facts.number("weir.process.exit.signal") {
                    Some(signal) => format!("signal {signal}"),
                    None => format!("exit {}", facts.number("process.exit.code").unwrap_or_default()),
                });
            }
            // What its workload held is not what it held.
            if facts.text("weir.held.by") == Some("process") {
                held = held.max(facts.number("weir.held.bytes").unwrap_or_default());
            }
            if let Some((file, size)) = opens_weights(row) {
                opened.insert(file, size);
            }
            if facts.kind() == "flow" && facts.text("weir.sender.id").is_none_or(|sender| sender == id) {
                let sent = flows.entry(facts.number("weir.socket.cookie").unwrap_or_default()).or_default();
                *sent = (*sent).max(facts.number("weir.flow.bytes").unwrap_or_default());
            }
            workload = self.enter(facts).or(workload);
        }
        if let Some(told) = found.known.program(id).filter(|_| executable.is_empty()) {
            (executable, command_line) = (told.executable.to_string(), told.command_line.to_string());
            begin = begin.or(Some(told.time));
        }
        let opened = opened.values().fold(0_u64, |sum, size| sum.saturating_add(*size));
        Process {
            id: id.to_owned(),
            parent: parent(found, id),
            pid: id.split_once('-').and_then(|(pid, _)| pid.parse().ok()).unwrap_or_default(),
            executable,
            command_line,
            workload,
            begin: Time::of(begin.unwrap_or_default()),
            end,
            ended,
            held: held.max(opened),
            sent: flows.values().fold(0, |sum: u64, sent| sum.saturating_add(*sent)),
            role,
        }
    }

    fn enter(&mut self, facts: Facts<'_>) -> Option<usize> {
        let id = facts.text("weir.workload.id")?;
        let named = name(facts);
        let number = *self.numbers.entry(id.into()).or_insert_with(|| {
            let name = named.clone().unwrap_or_else(|| shortened(id));
            self.workloads.push(Workload { id: id.to_owned(), name });
            self.workloads.len() - 1
        });
        // A runtime tells a container's name after its first processes have run.
        if let (Some(name), Some(workload)) = (named, self.workloads.get_mut(number)) {
            workload.name = name;
        }
        Some(number)
    }

    /// Index of a workload.
    pub fn workload(&self, id: &str) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// Who did it, if he is in the timeline: of bytes that are sent the sender, who need not be who made the socket.
    pub fn acting(&self, attributes: &Map<String, Value>) -> Option<String> {
        let facts = Facts(attributes);
        let ids = ["weir.sender.id", "weir.process.id"].map(|name| facts.text(name));
        let sends = ["flow", "connect"].contains(&facts.kind());
        let [sender, process] = ids;
        let known = |id: &&str| self.ids.contains(*id);
        sender.filter(|_| sends).filter(known).or(process.filter(known)).map(str::to_owned)
    }
}

/// A weight file that is opened for reading, and its size.
pub fn opens_weights(row: &Row) -> Option<(String, u64)> {
    let facts = Facts(&row.attributes);
    let reads = ["read", "read_write"].contains(&facts.text("weir.file.access")?);
    let is_weights = facts.list("weir.file.class").any(|class| class == "weights");
    if facts.kind() != "open" || !reads || !is_weights {
        return None;
    }
    let file = super::super::source::file_of(&row.attributes).or_else(|| facts.text("file.path").map(str::to_owned))?;
    Some((file, facts.number("file.size").unwrap_or_default()))
}

/// The nearest ancestor who is in the timeline.
fn parent(found: &Found, id: &str) -> Option<String> {
    let mut next = found.known.parent(id);
    for _ in 0..ANCESTORS_MAX {
        let parent = next?;
        if parent != id && found.processes.contains_key(parent) {
            return Some(parent.to_owned());
        }
        next = found.known.parent(parent);
    }
    None
}

/// "pod/container", as far as a runtime told.
fn name(facts: Facts<'_>) -> Option<String> {
    let (pod, container) = (facts.text("k8s.pod.name"), facts.text("container.name"));
    let name = match (pod, container) {
        (Some(pod), Some(container)) => format!("{pod}/{container}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => return None,
    };
    Some(escape(&name, VALUE_MAX))
}

/// Container ids are known by their first twelve digits.
fn shortened(id: &str) -> String {
    const SHOWN: usize = "container:".len() + 12;
    let id = if id.starts_with("container:") { id.get(..SHOWN).unwrap_or(id) } else { id };
    escape(id, VALUE_MAX)
}
