//! Without declared loaders: what a container's own entry process did in its first minutes is its loader.
//!
//! The entry is the first process of the container, its line whatever descends from it. What it and its line start in the first
//! [`FIRST`] is *early*. A program that opens weights for reading is a loader of the container from then on if somebody of the
//! line runs it who runs a program that is early and has not ended: so a server that loads late, or starts another of itself to load,
//! is a loader, and a `cp` that a thief starts is none, although the entry's script may have run one in the beginning.
//!
//! Who *entered* from outside (kubectl exec) descends from somebody else, and is never a loader, whatever it runs. Who broke into
//! the entry's line in the first minutes, or runs its very program, is: that says nothing but that an open is expected. What is
//! held and what leaves is counted all the same.

use crate::event::{Ancestor, Body, Event, Process, ProcessKey};
use std::sync::Arc;
use std::time::Duration;

/// How long the beginning of a container is, from the start of its entry process, in event time.
pub const FIRST: Duration = Duration::from_secs(5 * 60);
/// Most early processes of a container that are kept.
pub(super) const EARLY_MAX: usize = 64;
/// Most loaders of a container that are learnt.
pub(super) const LOADERS_MAX: usize = 32;

/// What is known of a container's beginning. At most some kilobytes.
#[derive(Debug, Default)]
pub(super) struct Entrance {
    /// The first process.
    entry: Option<ProcessKey>,
    /// Processes of its line that started in the first minutes and have not ended, each with the program that it ran then.
    early: Vec<(ProcessKey, Arc<str>)>,
    /// Programs that opened weights.
    loaders: Vec<Arc<str>>,
}

/// What was learnt, for the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learnt {
    /// Nothing new.
    Nothing,
    /// A loader.
    Loader,
    /// There was no room for an early process, or for a loader.
    Refused,
}

impl Entrance {
    /// Learns who is early from what a process of the container does; `is_here` says whether an ancestor is in it.
    pub fn learn(&mut self, event: &Event, is_here: impl Fn(&Ancestor) -> bool) -> Learnt {
        let (Some(process), Some(key)) = (event.process.as_deref(), event.actor.process) else {
            return Learnt::Nothing;
        };
        if !process.incomplete {
            self.find_entry(event, process, is_here);
        }
        match &event.body {
            Body::Exit(_) => {
                self.early.retain(|(early, _)| *early != key);
                Learnt::Nothing
            }
            Body::Exec(_) | Body::ProcessFound(_) => {
                // Who runs another program now, later, is not early any more.
                self.early.retain(|(early, _)| *early != key);
                match self.is_beginning(event) && self.is_in_line(process) {
                    true => self.keep(key, &process.executable),
                    false => Learnt::Nothing,
                }
            }
            Body::Fork(fork) if self.is_beginning(event) && self.is_in_line(process) => {
                self.keep(fork.child, &process.executable)
            }
            _ => Learnt::Nothing,
        }
    }

    /// A process opened weights for reading.
    pub fn opened(&mut self, process: &Process) -> Learnt {
        let program = &process.executable;
        let is_early = self.early.iter().any(|(_, early)| early == program);
        if !is_early || !self.is_in_line(process) || self.loaders.contains(program) {
            return Learnt::Nothing;
        }
        if self.loaders.len() >= LOADERS_MAX {
            return Learnt::Refused;
        }
        self.loaders.push(Arc::clone(program));
        Learnt::Loader
    }

    /// Whether a process is a loader by what was learnt.
    pub fn is_loader(&self, process: &Process) -> bool {
        self.loaders.contains(&process.executable) && self.is_in_line(process)
    }

    /// The first process is the outermost one, in the container, of the first that is seen of it. When the sensor starts, processes
    /// are found in any order: then the oldest is.
    fn find_entry(&mut self, event: &Event, process: &Process, is_here: impl Fn(&Ancestor) -> bool) {
        let is_start = matches!(event.body, Body::ProcessFound(_));
        if self.entry.is_some() && !is_start {
            return;
        }
        let outermost = process.lineage.iter().take_while(|ancestor| is_here(ancestor)).last();
        let first = outermost.map_or(process.key, |ancestor| ancestor.key);
        if self.entry.is_none_or(|entry| first.start_ticks < entry.start_ticks) {
            *self = Entrance { entry: Some(first), ..Entrance::default() };
        }
    }

    fn is_beginning(&self, event: &Event) -> bool {
        self.entry.is_some_and(|entry| event.time.since(entry.start()) <= FIRST)
    }

    fn is_in_line(&self, process: &Process) -> bool {
        let Some(entry) = self.entry else { return false };
        process.key == entry || process.lineage.iter().any(|ancestor| ancestor.key == entry)
    }

    fn keep(&mut self, process: ProcessKey, program: &Arc<str>) -> Learnt {
        if program.is_empty() || self.early.iter().any(|(early, _)| *early == process) {
            return Learnt::Nothing;
        }
        if self.early.len() >= EARLY_MAX {
            return Learnt::Refused;
        }
        self.early.push((process, Arc::clone(program)));
        Learnt::Nothing
    }
}
