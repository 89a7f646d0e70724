//! What opens, transfers, forks and accesses do to the graph.

use super::*;

impl Graph {
    pub(super) fn opened(&mut self, key: ProcessKey, event: &Event, open: &Open) -> bool {
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

    pub(super) fn moved(&mut self, key: ProcessKey, event: &Event, transfer: &Transfer) -> bool {
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
    pub(super) fn is_copy(&self, file: &File) -> bool {
        let thing = file.id.and_then(|id| self.carriers.peek(&id)).filter(|thing| !thing.source);
        thing.is_some_and(|thing| thing.holding.bytes() >= file.size / 2 && !thing.holding.is_empty())
    }

    /// The number of a file as a source; a new one if it is not known as one.
    pub(super) fn number(&mut self, id: FileId, file: &File) -> u64 {
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
    pub(super) fn grown(&mut self, key: ProcessKey, id: FileId, direction: Direction, limit: u64) -> u64 {
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

    pub(super) fn take(&mut self, key: ProcessKey, event: &Event, id: FileId, limit: u64, more: u64) -> bool {
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

    pub(super) fn give(&mut self, key: ProcessKey, id: FileId, name: impl FnOnce() -> Arc<str>, limit: u64, more: u64) {
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

    pub(super) fn sends(&mut self, key: ProcessKey, event: &Event, cookie: u64) {
        let Some(holding) = self.processes.get(&key).map(|holder| Arc::clone(&holder.holding)) else { return };
        if !holding.is_empty() {
            self.sockets.insert(cookie, Sender { party: party(key, event), holding });
        }
    }

    pub(super) fn forked(&mut self, parent: ProcessKey, child: ProcessKey) {
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
    pub(super) fn uses(&mut self, key: ProcessKey, id: FileId) {
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
    pub(super) fn leaves(&mut self, id: FileId) {
        let Some(thing) = self.carriers.get(&id) else { return };
        thing.users = thing.users.saturating_sub(1);
        if thing.users == 0 {
            self.carriers.retire(&id, self.now);
        }
    }

    pub(super) fn ended(&mut self, key: ProcessKey) {
        self.processes.retire(&key, self.now);
        let used = self.processes.get(&key).map(|holder| std::mem::take(&mut holder.used));
        used.into_iter().flatten().for_each(|id| self.leaves(id));
    }

    /// A process got at another one: it can have whatever that one has.
    pub(super) fn reached(&mut self, key: ProcessKey, target: ProcessKey, how: AccessHow) -> bool {
        if how == AccessHow::VmWrite {
            return self.pass(key, target, how);
        }
        self.pass(target, key, how)
    }

    pub(super) fn pass(&mut self, from: ProcessKey, to: ProcessKey, how: AccessHow) -> bool {
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
}
