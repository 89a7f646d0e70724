//! By what alerts hang together: the links of an alert.
//!
//! - **Processes**: who acted in the deciding event and in the evidence, readers and senders that provenance names, and ancestors of the former
//!   within the workload. Ancestry ends where the workload does (a runtime's shim has a hundred containers under it), and the
//!   process that a container begins with is none: everything in it descends from that, which would join whatever happens in
//!   it. A shell that somebody opened in the container from outside is one. Told by cgroups and pid namespaces, never by name; in
//!   units and jobs, where there is no such namespace, the first process is the one that nobody of the workload started.
//! - **Sources**: a classified file that was opened or changed, within one workload only: all pods of a deployment share the file of the
//!   weights, and that joins no two thefts of them.
//! - **Carriers**: a file that was opened for writing, by device and inode, whichever workload writes it: across a shared volume
//!   the reader's alert asks for it. So a source joins two workloads if one of them wrote it and the other read it.
//!   Carriers that provenance names (a file, a pipe, a socket on the way from reader to sender) join within one workload.
//! - **Workload**: only where nothing else is known, as for bytes of a socket without an owner.

use crate::alert::Alert;
use crate::event::{
    Access, Ancestor, Body, Event, Field, File, FileId, HeldBy, Process, ProcessKey, Value, Workload, WorkloadKind,
};
use sha2::{Digest as _, Sha256};

/// Most links of one alert; of a long proof the deciding event's come first.
pub const LINKS_MAX: usize = 64;

/// A digest instead of a name: attackers choose how long names are.
pub type Digest = [u8; 16];

/// One thing by which alerts hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A process.
    Process(ProcessKey),
    /// A classified file, in one workload (digest of its id).
    Source(Digest, FileId),
    /// A file that something was written to.
    Carrier(FileId),
    /// A carrier that is known by name only, in one workload: digests of its id and of the name.
    NamedCarrier(Digest, Digest),
    /// A workload, where nothing else is known.
    Workload(Digest),
}

/// The links of an alert, without doubles, at most [`LINKS_MAX`] of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// What it has: whoever has one of these too is of the same incident.
    pub has: Vec<Key>,
    /// What it asks for: it is of the incident that has one of these, but does not have them itself.
    pub asks: Vec<Key>,
    /// Links that did not fit.
    pub refused: u64,
}

impl Links {
    fn has(&mut self, key: Key) {
        add(&mut self.has, &mut self.refused, key);
    }

    fn asks(&mut self, key: Key) {
        add(&mut self.asks, &mut self.refused, key);
    }
}

fn add(keys: &mut Vec<Key>, refused: &mut u64, key: Key) {
    if keys.contains(&key) {
    } else if keys.len() < LINKS_MAX {
        keys.push(key);
    } else {
        *refused += 1;
    }
}

/// The links of `alert`; `within` says whether an ancestor is of a workload.
pub fn links_of(alert: &Alert, within: &dyn Fn(&Ancestor, &Workload) -> bool) -> Links {
    let mut links = Links::default();
    for event in events(alert) {
        of_processes(event, within, &mut links);
        of_files(event, &mut links);
    }
    if links.has.is_empty()
        && let Some(workload) = alert.workload()
    {
        links.has(Key::Workload(digest(&workload.id)));
    }
    links
}

/// The events of an alert, the deciding one first, then the proof from its end, which is nearest to it.
pub fn events(alert: &Alert) -> impl Iterator<Item = &Event> {
    let decisive = &alert.decisive;
    let proof = alert.evidence.iter().rev().map(|evidence| &evidence.event);
    let earlier = proof.filter(move |event| !std::sync::Arc::ptr_eq(event, decisive));
    std::iter::once(&**decisive).chain(earlier.map(|event| &**event))
}

fn of_processes(event: &Event, within: &dyn Fn(&Ancestor, &Workload) -> bool, links: &mut Links) {
    event.actor.process.into_iter().for_each(|key| links.has(Key::Process(key)));
    if let Some(trail) = &event.trail {
        trail.sender.iter().for_each(|sender| links.has(Key::Process(sender.key)));
        // Where somebody in the workload holds it is all that is known, who read it need not have to do with who sends.
        let reader = trail.source.as_ref().filter(|_| trail.by != HeldBy::Workload).map(|source| source.reader.key);
        reader.into_iter().for_each(|reader| links.has(Key::Process(reader)));
    }
    if let Body::ProcessAccess(access) = &event.body {
        access.target.into_iter().for_each(|key| links.has(Key::Process(key)));
    }
    if let (Some(process), Some(workload)) = (&event.process, &event.workload) {
        lineage(process, workload, within).for_each(|ancestor| links.has(Key::Process(ancestor.key)));
    }
}

/// The ancestors of a process within its workload, without the process that the workload began with.
fn lineage<'a>(
    process: &'a Process,
    workload: &Workload,
    within: &dyn Fn(&Ancestor, &Workload) -> bool,
) -> impl Iterator<Item = &'a Ancestor> {
    let inside = process.lineage.iter().take_while(|ancestor| within(ancestor, workload)).count();
    let first = inside.checked_sub(1).and_then(|at| process.lineage.get(at));
    let begins = first.is_some_and(|first| match workload.kind {
        WorkloadKind::SlurmJob | WorkloadKind::SystemdUnit => true,
        // An inner one, of a pid namespace that somebody in the workload made, is as good as any other.
        WorkloadKind::Container | WorkloadKind::Host => first.vpid == 1,
    });
    process.lineage.iter().take(inside - usize::from(begins))
}

fn of_files(event: &Event, links: &mut Links) {
    const REGULAR: u32 = 0o100_000;
    let workload = event.workload.as_ref().map(|workload| digest(&workload.id));
    let source = |id: FileId| Some(Key::Source(workload?, id));
    let classified = |file: &File| file.id.filter(|_| !file.classes.is_worthless());
    match &event.body {
        Body::Open(open) => {
            classified(&open.file).and_then(source).into_iter().for_each(|key| links.has(key));
            let written = open.file.id.filter(|_| open.file.mode & 0o170_000 == REGULAR).map(Key::Carrier);
            match open.access {
                Access::Write | Access::ReadWrite => written.into_iter().for_each(|key| links.has(key)),
                Access::Read | Access::None => written.into_iter().for_each(|key| links.asks(key)),
            }
        }
        Body::FileChange(change) => {
            classified(&change.file).and_then(source).into_iter().for_each(|key| links.has(key))
        }
        _ => {}
    }
    let Some(trail) = &event.trail else { return };
    let held = trail.source.as_ref().and_then(|source| source.id);
    held.and_then(source).into_iter().for_each(|key| links.has(key));
    for carrier in &trail.carriers {
        // `fork` and `memory` name nothing: the processes at their ends tell.
        if let (true, Some(workload)) = (carrier.contains(':'), workload) {
            links.has(Key::NamedCarrier(workload, digest(carrier)));
        }
    }
}

/// The value of a list of the vocabulary.
pub fn named_list(event: &Event, name: &str) -> Vec<String> {
    match Field::from_name(name).and_then(|field| field.get(event)) {
        Some(Value::List(list)) => list.into_iter().map(|item| item.into_owned()).collect(),
        Some(Value::Text(text)) => vec![text.into_owned()],
        _ => Vec::new(),
    }
}

/// The value of a field of the vocabulary as text. By name, since what the ledger tells is for it to say: a field that it does not
/// know is one that no event has.
pub fn named(event: &Event, name: &str) -> Option<String> {
    match Field::from_name(name)?.get(event)? {
        Value::Text(text) => Some(text.into_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Ratio(_) | Value::Flag(_) | Value::List(_) => None,
    }
}

fn digest(text: &str) -> Digest {
    Sha256::digest(text.as_bytes()).first_chunk().copied().unwrap_or_default()
}
