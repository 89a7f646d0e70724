//! Who holds what of which file, and how it came there: processes, and the things that carry content between them.
//!
//! A process holds a file's bytes when it opens the file; a child has what its parent has; what a holder gives to a file, a pipe or
//! a socket, that carries; who takes from there holds it, at most so much as was taken. What is mapped, shared and writable, and
//! what is read out of another process's memory, is taken to be all that there is. Everything is a bound and none is forgotten while
//! its process lives and its thing exists, as long as the tables have room; what had to go is counted.
//!
//! Two mappings of one file are in touch: what one gets, the other has. That is followed a few steps at a time, and each step goes
//! only where there is something new, so that it ends.

mod holding;
mod moves;
mod news;
mod state;
#[cfg(test)]
mod tests;

use crate::bounded::Bounded;
use crate::event::{
    Access, AccessHow, Body, BootTime, Carrier, Class, Classes, Direction, Event, File, FileId, HeldBy, Label, Open,
    Party, ProcessKey, Source, Trail, Transfer,
};
use holding::steps;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use holding::{Holding, SHARES, Share};
pub use state::{Counts, Limits, Mark};
use state::{Holder, News, Reach, Sender, Thing, Ways};

/// How long an ended process stays known, in event time: its sockets send on, and their flows are closed later.
const ENDED_KEPT: Duration = Duration::from_secs(60);
/// Things that a process has mapped, and processes that have mapped a thing, that are remembered; the oldest goes first.
const MAPPED: usize = 16;
/// Who holds less is not told of, nor is what it sends charged, unless its workload took as much in all: whoever reads the end of a log, or a
/// line of a server's output, holds a little of the model as far as anybody can tell.
const LITTLE: u64 = 64 << 10;
/// Things that a process has used last, which stay as long as it lives before all others; of more, the oldest is not one of them.
const USED: usize = 16;
/// Steps that news goes at once.
const NEWS: usize = 256;

/// Who holds what.
#[derive(Debug)]
pub struct Graph {
    processes: Bounded<ProcessKey, Holder>,
    carriers: Bounded<FileId, Thing>,
    /// Who gave something to an IPv4 or IPv6 socket, by the socket's number.
    sockets: Bounded<u64, Sender>,
    /// What came to workloads.
    workloads: Bounded<Box<str>, Reach>,
    /// How much has gone between a process and a thing, as far as it was told, by direction.
    pairs: Bounded<(ProcessKey, FileId, Direction), u64>,
    marks: Vec<Mark>,
    /// Files that were opened as sources so far.
    sources: u64,
    counts: Counts,
    now: BootTime,
    ways: Ways,
}

impl Graph {
    /// Nobody holds anything.
    pub fn new(limits: Limits) -> Graph {
        Graph {
            processes: Bounded::new(limits.processes, ENDED_KEPT),
            carriers: Bounded::new(limits.carriers, Duration::MAX).lingering(),
            sockets: Bounded::new(limits.sockets, ENDED_KEPT),
            workloads: Bounded::new(limits.workloads, Duration::ZERO),
            pairs: Bounded::new(limits.pairs, Duration::ZERO),
            marks: Vec::new(),
            sources: 0,
            counts: Counts::default(),
            now: BootTime::default(),
            ways: Ways { fork: "fork".into(), memory: "memory".into(), descriptor: "descriptor".into() },
        }
    }

    /// Learns what the event tells. Expects files to have their classes, and the process to be known. Whether the process holds more
    /// than before.
    pub fn learn(&mut self, event: &Event) -> bool {
        self.now = event.time;
        self.processes.advance(event.time);
        self.sockets.advance(event.time);
        let Some(key) = event.actor.process else { return false };
        if let Body::Open(Open { created: true, file: File { id: Some(id), .. }, .. }) = &event.body {
            self.carriers.remove(id);
        }
        match &event.body {
            Body::Open(open) if reads(open) => self.opened(key, event, open),
            Body::Transfer(transfer) => self.moved(key, event, transfer),
            Body::Fork(fork) => {
                self.forked(key, fork.child);
                false
            }
            Body::Exit(_) => {
                self.ended(key);
                false
            }
            Body::ProcessAccess(access) => access.target.is_some_and(|target| self.reached(key, target, access.how)),
            _ => false,
        }
    }

    /// What the sender of a connect or a flow, or who did what else is asked about, holds of weights, and the proof of it. `None`: nothing, as far as is known.
    pub fn held(&mut self, event: &Event) -> Option<(Arc<Holding>, Trail)> {
        let (cookie, label) = match &event.body {
            Body::Connect(connect) => (connect.socket_cookie, connect.label),
            Body::Flow(flow) => (flow.socket_cookie, flow.label),
            Body::Dns(dns) => (dns.socket_cookie, Label::default()),
            // Of a socket that was only just made, and of what is no socket, it is about who did it.
            Body::Socket(_) | Body::Exec(_) | Body::Transfer(_) | Body::ProcessAccess(_) => (0, Label::default()),
            _ => return None,
        };
        // Who sends is not always who made the socket.
        let sender = self
            .sockets
            .get(&cookie)
            .filter(|_| cookie != 0)
            .map(|sender| (Arc::clone(&sender.party), Arc::clone(&sender.holding)));
        let maker_unknown = event.actor.process.is_none_or(|key| self.processes.peek(&key).is_none());
        let maker = event.actor.process.and_then(|key| {
            let holding = self.processes.get(&key).map(|holder| Arc::clone(&holder.holding))?;
            Some((party(key, event), holding))
        });
        let taken = event
            .workload
            .as_ref()
            .and_then(|workload| self.workloads.get(&workload.id))
            .map_or(0, |reach| reach.taken);
        // Of each file: a supervisor that reads a line of each of a hundred servers holds nothing worth mentioning of any.
        let much = |holding: &Holding| {
            let largest = holding.largest();
            taken >= LITTLE || largest.is_some_and(|share| share.bytes >= LITTLE.min(share.source.size))
        };
        let best = [sender, maker].into_iter().flatten().filter(|(_, holding)| !holding.is_empty() && much(holding));
        if let Some((party, holding)) = best.max_by_key(|(_, holding)| holding.bytes()) {
            let largest = holding.largest()?;
            let trail = Trail {
                by: HeldBy::Process,
                bound: true,
                source: Some(Arc::clone(&largest.source)),
                sender: Some(party),
                carriers: steps(&largest.way).into(),
            };
            return Some((holding, trail));
        }
        if label.classes.contains(Class::Weights) && label.bytes >= LITTLE && maker_unknown {
            self.counts.unexplained += 1;
            let holding = Arc::new(Holding::unexplained(label.bytes));
            let sender = event.actor.process.map(|key| party(key, event));
            let trail = Trail { by: HeldBy::Kernel, bound: true, sender, ..Trail::default() };
            return Some((holding, trail));
        }
        None
    }

    /// The largest file that somebody in the event's workload opened.
    pub fn source_of(&mut self, event: &Event) -> Option<Arc<Source>> {
        self.workloads.get(&event.workload.as_ref()?.id)?.largest.clone()
    }

    /// What the kernel side has to be told since the last time.
    pub fn take_marks(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.marks)
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts {
            processes: self.processes.len(),
            carriers: self.carriers.len(),
            sockets: self.sockets.len(),
            processes_evicted: self.processes.evictions(),
            carriers_evicted: self.carriers.evictions(),
            sockets_evicted: self.sockets.evictions(),
            ..self.counts
        }
    }

    fn holder(&mut self, key: ProcessKey) -> &mut Holder {
        self.processes.get_or_insert_with(key, Holder::default)
    }

    fn thing(&mut self, id: FileId, name: impl FnOnce() -> Arc<str>, source: bool) -> &mut Thing {
        self.carriers.get_or_insert_with(id, || Thing {
            holding: Arc::default(),
            name: name(),
            users: 0,
            source,
            number: 0,
            mapped: VecDeque::new(),
        })
    }
}

/// The class whose way is followed.
const WEIGHTS: Classes = Classes(Class::Weights as u32);

fn reads(open: &Open) -> bool {
    matches!(open.access, Access::Read | Access::ReadWrite)
}

fn executable(event: &Event) -> Arc<str> {
    event.process.as_ref().map(|process| process.executable.clone()).unwrap_or_default()
}

fn party(key: ProcessKey, event: &Event) -> Arc<Party> {
    Arc::new(Party { key, executable: executable(event) })
}

/// What a thing is called on a way: a pipe or a socket has no other name than what it is.
fn name(transfer: &Transfer) -> Arc<str> {
    let File { path, .. } = &transfer.file;
    match transfer.carrier {
        Carrier::File | Carrier::Memory | Carrier::Device if !path.is_empty() => {
            format!("{}:{path}", transfer.carrier.name()).into()
        }
        Carrier::Pipe if path.starts_with('/') => format!("pipe:{path}").into(),
        // As `/proc/PID/fd` shows them.
        carrier => match transfer.file.id {
            Some(id) => format!("{}:[{}]", carrier.name(), id.inode).into(),
            None => carrier.name().into(),
        },
    }
}

/// Adds to a short list what is not in it.
fn remember<T: PartialEq>(list: &mut VecDeque<T>, item: T) {
    if list.contains(&item) {
        return;
    }
    if list.len() >= MAPPED {
        list.pop_front();
    }
    list.push_back(item);
}
