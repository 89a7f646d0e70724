//! What each workload holds of weights.
//!
//! Bounds, not truths: a workload that opened a file can have read all of it. The unit is the workload, so that a child, a pipe or
//! a false name inside it changes nothing.

use super::graph;
use crate::bounded::{Bounded, Evictions};
use crate::event::{Access, Body, Class, Event, File, FileId, Held, Open};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Limits of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Workloads that hold weights. About 1 kB each, and its sources.
    pub workloads: usize,
    /// Distinct weights files of a workload. About 40 bytes each.
    pub sources: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { workloads: 4096, sources: 4096 }
    }
}

/// State and losses, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Workloads that hold weights now.
    pub workloads: usize,
    /// Workloads that went, all for lack of room (`live`): what they held is forgotten.
    pub workloads_evicted: Evictions,
    /// Weights files that a workload with too many already opened: it holds more than is said.
    pub sources_refused: u64,
    /// Opens of weights of which nobody knows the workload.
    pub unattributed: u64,
}

/// What is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Distinct weights files.
    pub sources: u64,
    /// The sum of their sizes, bytes.
    pub bytes: u64,
    /// The size of the largest, bytes.
    pub largest: u64,
    /// Paths, the largest first, at most [`Held::PATHS_MAX`].
    pub paths: Arc<[Box<str>]>,
}

impl Holding {
    /// What is known of a process, in the same terms.
    pub fn of(held: &graph::Holding) -> Holding {
        let mut shares: Vec<_> = held.shares().iter().collect();
        shares.sort_by_key(|share| Reverse((share.bytes, share.source.size)));
        Holding {
            sources: held.sources(),
            bytes: held.bytes(),
            largest: shares.first().map_or(0, |share| share.source.size),
            paths: shares.iter().take(Held::PATHS_MAX).map(|share| share.source.path.clone()).collect(),
        }
    }
}

/// Who holds what.
#[derive(Debug)]
pub struct Holdings {
    limits: Limits,
    workloads: Bounded<Box<str>, Sources>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Sources {
    /// The size of each weights file when it was opened, the largest if it was opened often.
    sizes: HashMap<Source, u64, ahash::RandomState>,
    /// The largest of them, with their paths.
    top: Vec<(u64, Source, Box<str>)>,
    holding: Holding,
}

/// A weights file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    Inode(FileId),
    /// One that the kernel did not resolve; its size is not known.
    Path(Box<str>),
}

impl Holdings {
    /// Nobody holds anything.
    pub fn new(limits: Limits) -> Holdings {
        let workloads = Bounded::new(limits.workloads, Duration::ZERO);
        Holdings { limits, workloads, counts: Counts::default() }
    }

    /// Learns what the event tells. Expects files to have their classes, and the workload to be known. Whether somebody holds
    /// more than before.
    pub fn learn(&mut self, event: &Event) -> bool {
        let workload = event.workload.as_ref().map(|workload| &*workload.id);
        match (&event.body, workload) {
            (Body::Open(open), Some(workload)) if reads_weights(open) => self.hold(workload, &open.file),
            (Body::Open(open), None) if reads_weights(open) => {
                self.counts.unattributed += 1;
                false
            }
            // Whoever sends is not the one to be forgotten for lack of room.
            (Body::Flow(_) | Body::Connect(_) | Body::Egress(_), Some(workload)) => {
                self.workloads.get(workload);
                false
            }
            _ => false,
        }
    }

    /// What the event's workload holds; `None` if nothing.
    pub fn held(&self, event: &Event) -> Option<Holding> {
        let workload = event.workload.as_ref()?;
        self.workloads.peek(&workload.id).map(|sources| sources.holding.clone())
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts { workloads: self.workloads.len(), workloads_evicted: self.workloads.evictions(), ..self.counts }
    }

    fn hold(&mut self, workload: &str, file: &File) -> bool {
        if self.workloads.get(workload).is_none() {
            self.workloads.insert(workload.into(), Sources::default());
        }
        let Some(sources) = self.workloads.get(workload) else { return false };
        let source = file.id.map_or_else(|| Source::Path(file.path.clone()), Source::Inode);
        let full = sources.sizes.len() >= self.limits.sources;
        let more = match sources.sizes.get_mut(&source) {
            Some(size) => {
                let more = file.size.saturating_sub(*size);
                *size = file.size.max(*size);
                more
            }
            None if full => {
                self.counts.sources_refused += 1;
                return false;
            }
            None => {
                sources.sizes.insert(source.clone(), file.size);
                sources.holding.sources += 1;
                file.size
            }
        };
        if more == 0 && sources.top.iter().any(|(_, known, _)| *known == source) {
            return false;
        }
        sources.holding.bytes = sources.holding.bytes.saturating_add(more);
        sources.rank(source, file);
        true
    }
}

impl Sources {
    /// Puts a file among the largest, if it is.
    fn rank(&mut self, source: Source, file: &File) {
        self.top.retain(|(_, known, _)| *known != source);
        self.top.push((file.size, source, file.path.clone()));
        // Stable: of files of one size the first that was opened stays first.
        self.top.sort_by_key(|(size, ..)| Reverse(*size));
        self.top.truncate(Held::PATHS_MAX);
        self.holding.largest = self.top.first().map_or(0, |(size, ..)| *size);
        self.holding.paths = self.top.iter().map(|(.., path)| path.clone()).collect();
    }
}

fn reads_weights(open: &Open) -> bool {
    open.file.classes.contains(Class::Weights) && matches!(open.access, Access::Read | Access::ReadWrite)
}
