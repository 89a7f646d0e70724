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
#[cfg(test)]
mod tests;

use crate::bounded::{Bounded, Evictions};
use crate::event::{
    Access, AccessHow, Body, BootTime, Carrier, Class, Classes, Direction, Event, File, FileId, HeldBy, Label, Open,
    Party, ProcessKey, Source, Trail, Transfer,
};
use holding::steps;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use holding::{Holding, SHARES, Share};

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
/// Limits of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processes that hold something. About 200 bytes each, and its shares.
    pub processes: usize,
    /// Things that carry something. About 350 bytes each, of one file.
    pub carriers: usize,
    /// Pairs of a process and a thing whose quantity is remembered. About 110 bytes each.
    pub pairs: usize,
    /// Sockets that something was given to.
    pub sockets: usize,
    /// Workloads whose largest file is known.
    pub workloads: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        // The kernel side remembers as many pairs.
        let pairs = sensor_common::label::TRANSFERS as usize;
        Limits { processes: 16_384, carriers: 98_304, pairs, sockets: 16_384, workloads: 4096 }
    }
}

/// State and losses, for metrics. Totals since the start, but for the numbers of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes that hold something now.
    pub processes: usize,
    /// Things that carry something now.
    pub carriers: usize,
    /// Sockets that something was given to now.
    pub sockets: usize,
    /// Processes that went. `live`: for lack of room; the kernel side still knows that they hold something, but not what.
    pub processes_evicted: Evictions,
    /// Things that went for lack of room. `retired`: nobody who lives has used them; `live`: somebody may have them open.
    pub carriers_evicted: Evictions,
    /// Sockets that went for lack of room (`live`).
    pub sockets_evicted: Evictions,
    /// Transfers from a thing of which nobody told what it carries: what told it was lost.
    pub unexplained: u64,
    /// News that went no further, for it had gone many steps already.
    pub news_refused: u64,
}

/// What the kernel side has to be told: it does not see what is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// That process holds so many bytes of these classes.
    Holder(ProcessKey, Classes, u64),
    /// That thing carries so many bytes of these classes.
    Carrier(FileId, Classes, u64),
}

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

/// What the steps of a way are called that need no thing.
#[derive(Debug)]
struct Ways {
    fork: Arc<str>,
    memory: Arc<str>,
    descriptor: Arc<str>,
}

#[derive(Debug, Default)]
struct Holder {
    holding: Arc<Holding>,
    /// What a child of it gets, and of which holding that is: made at the first one, for a server has many and they are all alike.
    children: Option<(Arc<Holding>, Arc<Holding>)>,
    /// Things that it can have open.
    used: VecDeque<FileId>,
    /// Things in touch with it.
    mapped: VecDeque<FileId>,
}

#[derive(Debug)]
struct Thing {
    holding: Arc<Holding>,
    /// What it is called on a way.
    name: Arc<str>,
    /// Processes that live and have it among what they used.
    users: u32,
    /// It is itself what its holding is of.
    source: bool,
    /// Its number as a source ([`Source::number`]); 0: it is none.
    number: u64,
    /// Processes in touch with it.
    mapped: VecDeque<ProcessKey>,
}

/// What came to a workload.
#[derive(Debug, Default)]
struct Reach {
    /// The largest file that somebody in it opened.
    largest: Option<Arc<Source>>,
    /// Bytes that its processes took together from what carries something: in small pieces, that is not little.
    taken: u64,
}

#[derive(Debug)]
struct Sender {
    party: Arc<Party>,
    holding: Arc<Holding>,
}

/// Somebody or something that has got more.
#[derive(Clone, Copy)]
enum News {
    Process(ProcessKey),
    Thing(FileId),
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

    /// What the sender of a connect or a flow holds of weights, and the proof of it. `None`: nothing, as far as is known.
    pub fn held(&mut self, event: &Event) -> Option<(Arc<Holding>, Trail)> {
        let (cookie, label) = match &event.body {
            Body::Connect(connect) => (connect.socket_cookie, connect.label),
            Body::Flow(flow) => (flow.socket_cookie, flow.label),
            Body::Dns(dns) => (dns.socket_cookie, Label::default()),
            // It was only just made: who made it is who it is about.
            Body::Socket(_) => (0, Label::default()),
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

    fn opened(&mut self, key: ProcessKey, event: &Event, open: &Open) -> bool {
        let file = &open.file;
        if file.classes.contains(Class::Weights) && !self.is_copy(file) {
            let reader = Party { key, executable: executable(event) };
            let number = file.id.map_or(0, |id| self.number(id, file));
            let source = Arc::new(Source { number, id: file.id, path: file.path.clone(), size: file.size, reader });
            if let Some(workload) = &event.workload {
                let reach = self.workloads.get_or_insert_with(workload.id.as_ref().into(), Reach::default);
                if reach.largest.as_ref().is_none_or(|largest| source.size > largest.size) {
                    reach.largest = Some(Arc::clone(&source));
                }
            }
            if let Some(id) = file.id {
                if let Some(thing) = self.carriers.get(&id) {
                    Arc::make_mut(&mut thing.holding).open(Arc::clone(&source));
                }
                self.uses(key, id);
            }
            let gained = Arc::make_mut(&mut self.holder(key).holding).open(source);
            // The kernel side did not see it, or did not know what it saw.
            if event.hook.is_none() || !file.by_content.is_empty() {
                self.marks.extend(file.id.map(|id| Mark::Carrier(id, WEIGHTS, file.size)));
                self.mark_holder(key);
            }
            if gained {
                self.tell(News::Process(key));
            }
            return gained;
        }
        let Some(id) = file.id else { return false };
        let Some(thing) = self.carriers.get(&id) else { return false };
        if !thing.source && !file.path.is_empty() {
            // It can have been renamed since.
            let (kind, _) = thing.name.split_once(':').unwrap_or(("file", ""));
            thing.name = format!("{kind}:{}", file.path).into();
        }
        self.take(key, event, id, file.size, file.size)
    }

    fn moved(&mut self, key: ProcessKey, event: &Event, transfer: &Transfer) -> bool {
        let Some(id) = transfer.file.id else {
            if transfer.carrier == Carrier::InetSocket
                && let Some(cookie) = transfer.socket_cookie
            {
                self.sends(key, event, cookie);
            }
            return false;
        };
        // By the next report it can have grown to that.
        let limit = if transfer.bound { transfer.bytes } else { transfer.until };
        match transfer.direction {
            Direction::In => {
                let more = self.grown(key, id, Direction::In, limit);
                self.take(key, event, id, limit, more)
            }
            Direction::Out => {
                let more = self.grown(key, id, Direction::Out, limit);
                self.give(key, id, || name(transfer), limit, more);
                false
            }
            Direction::Both => {
                remember(&mut self.holder(key).mapped, id);
                remember(&mut self.thing(id, || name(transfer), false).mapped, key);
                self.uses(key, id);
                self.tell(News::Process(key));
                self.tell(News::Thing(id))
            }
        }
    }

    /// Whether a file was written, half of it at least (encoded it is longer), by somebody who held something: then it is what came from there, though it looks like
    /// weights of its own.
    fn is_copy(&self, file: &File) -> bool {
        let thing = file.id.and_then(|id| self.carriers.peek(&id)).filter(|thing| !thing.source);
        thing.is_some_and(|thing| thing.holding.bytes() >= file.size / 2 && !thing.holding.is_empty())
    }

    /// The number of a file as a source; a new one if it is not known as one.
    fn number(&mut self, id: FileId, file: &File) -> u64 {
        let thing = self.thing(id, || format!("descriptor:{}", file.path).into(), true);
        if thing.source && thing.number != 0 {
            return thing.number;
        }
        thing.source = true;
        self.sources += 1;
        let number = self.sources;
        if let Some(thing) = self.carriers.get(&id) {
            thing.number = number;
        }
        number
    }

    /// By how much the most that has gone between two has grown.
    fn grown(&mut self, key: ProcessKey, id: FileId, direction: Direction, limit: u64) -> u64 {
        let pair = (key, id, direction);
        match self.pairs.get(&pair) {
            // Less than before: the kernel side had no room to remember it, and began anew.
            Some(known) if limit < *known => {
                *known = limit;
                limit
            }
            Some(known) => limit - std::mem::replace(known, limit),
            None => {
                self.pairs.insert(pair, limit);
                limit
            }
        }
    }

    fn take(&mut self, key: ProcessKey, event: &Event, id: FileId, limit: u64, more: u64) -> bool {
        let Some(thing) = self.carriers.get(&id) else {
            self.counts.unexplained += 1;
            return false;
        };
        let (from, name) = (Arc::clone(&thing.holding), thing.name.clone());
        let gained = Arc::make_mut(&mut self.holder(key).holding).take(&from, limit, more, &name);
        self.uses(key, id);
        if gained {
            if let Some(workload) = &event.workload {
                let reach = self.workloads.get_or_insert_with(workload.id.as_ref().into(), Reach::default);
                reach.taken = reach.taken.saturating_add(more.min(from.bytes()));
            }
            self.tell(News::Process(key));
        }
        gained
    }

    fn give(&mut self, key: ProcessKey, id: FileId, name: impl FnOnce() -> Arc<str>, limit: u64, more: u64) {
        let Some(from) = self.processes.get(&key).map(|holder| Arc::clone(&holder.holding)) else { return };
        if from.is_empty() {
            return;
        }
        let thing = self.thing(id, name, false);
        let name = thing.name.clone();
        let gained = Arc::make_mut(&mut thing.holding).take(&from, limit, more, &name);
        self.uses(key, id);
        if gained {
            self.tell(News::Thing(id));
        }
    }

    fn sends(&mut self, key: ProcessKey, event: &Event, cookie: u64) {
        let Some(holding) = self.processes.get(&key).map(|holder| Arc::clone(&holder.holding)) else { return };
        if !holding.is_empty() {
            self.sockets.insert(cookie, Sender { party: party(key, event), holding });
        }
    }

    fn forked(&mut self, parent: ProcessKey, child: ProcessKey) {
        let Some(holder) = self.processes.get(&parent) else { return };
        if holder.holding.is_empty() && holder.mapped.is_empty() {
            return;
        }
        let (from, mapped, used) = (Arc::clone(&holder.holding), holder.mapped.clone(), holder.used.clone());
        let holding = match &holder.children {
            Some((of, holding)) if Arc::ptr_eq(of, &from) => Arc::clone(holding),
            _ => {
                let mut holding = Holding::default();
                holding.take(&from, u64::MAX, u64::MAX, &self.ways.fork);
                let holding = Arc::new(holding);
                holder.children = Some((from, Arc::clone(&holding)));
                holding
            }
        };
        for id in &used {
            if let Some(thing) = self.carriers.get(id) {
                thing.users = thing.users.saturating_add(1);
            }
        }
        for id in &mapped {
            if let Some(thing) = self.carriers.get(id) {
                remember(&mut thing.mapped, child);
            }
        }
        self.processes.insert(child, Holder { holding, children: None, used, mapped });
    }

    /// A process can have that thing open from now on: what somebody has who lives is the last to go for lack of room.
    fn uses(&mut self, key: ProcessKey, id: FileId) {
        let used = &mut self.holder(key).used;
        let known = used.contains(&id);
        let mut oldest = None;
        if !known {
            oldest = if used.len() >= USED { used.pop_front() } else { None };
            used.push_back(id);
        }
        if let Some(thing) = self.carriers.get(&id)
            // Another thing may have had that number before.
            && (!known || thing.users == 0)
        {
            thing.users = thing.users.saturating_add(1);
            self.carriers.revive(&id);
        }
        oldest.into_iter().for_each(|id| self.leaves(id));
    }

    /// One process less has that thing.
    fn leaves(&mut self, id: FileId) {
        let Some(thing) = self.carriers.get(&id) else { return };
        thing.users = thing.users.saturating_sub(1);
        if thing.users == 0 {
            self.carriers.retire(&id, self.now);
        }
    }

    fn ended(&mut self, key: ProcessKey) {
        self.processes.retire(&key, self.now);
        let used = self.processes.get(&key).map(|holder| std::mem::take(&mut holder.used));
        used.into_iter().flatten().for_each(|id| self.leaves(id));
    }

    /// A process got at another one: it can have whatever that one has.
    fn reached(&mut self, key: ProcessKey, target: ProcessKey, how: AccessHow) -> bool {
        if how == AccessHow::VmWrite {
            return self.pass(key, target, how);
        }
        self.pass(target, key, how)
    }

    fn pass(&mut self, from: ProcessKey, to: ProcessKey, how: AccessHow) -> bool {
        let Some(holding) = self.processes.get(&from).map(|holder| Arc::clone(&holder.holding)) else { return false };
        let through = if how == AccessHow::Descriptor { &self.ways.descriptor } else { &self.ways.memory };
        let through = Arc::clone(through);
        let gained = Arc::make_mut(&mut self.holder(to).holding).take(&holding, u64::MAX, u64::MAX, &through);
        if gained {
            self.mark_holder(to);
            self.tell(News::Process(to));
        }
        gained
    }

    /// What is in touch with who or what has got more gets it too. Whether a process did.
    fn tell(&mut self, first: News) -> bool {
        let mut waiting = VecDeque::from([first]);
        let mut gained = false;
        for _ in 0..NEWS {
            let Some(news) = waiting.pop_front() else { return gained };
            match news {
                News::Process(key) => {
                    let Some(holder) = self.processes.peek(&key) else { continue };
                    let (from, things) = (Arc::clone(&holder.holding), holder.mapped.clone());
                    for id in things {
                        let Some(thing) = self.carriers.get(&id) else { continue };
                        let name = thing.name.clone();
                        if Arc::make_mut(&mut thing.holding).take(&from, u64::MAX, u64::MAX, &name) {
                            let bytes = thing.holding.bytes();
                            self.marks.push(Mark::Carrier(id, WEIGHTS, bytes));
                            waiting.push_back(News::Thing(id));
                        }
                    }
                }
                News::Thing(id) => {
                    let Some(thing) = self.carriers.peek(&id) else { continue };
                    let (from, keys, name) = (Arc::clone(&thing.holding), thing.mapped.clone(), thing.name.clone());
                    for key in keys {
                        let Some(holder) = self.processes.get(&key) else { continue };
                        if Arc::make_mut(&mut holder.holding).take(&from, u64::MAX, u64::MAX, &name) {
                            gained = true;
                            self.mark_holder(key);
                            waiting.push_back(News::Process(key));
                        }
                    }
                }
            }
        }
        self.counts.news_refused += waiting.len() as u64;
        gained
    }

    fn mark_holder(&mut self, key: ProcessKey) {
        if let Some(holder) = self.processes.peek(&key) {
            self.marks.push(Mark::Holder(key, WEIGHTS, holder.holding.bytes()));
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
