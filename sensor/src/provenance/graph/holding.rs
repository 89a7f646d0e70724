//! What somebody, or something, can have of which files: shares, each with the way that it came.

use crate::event::Source;
use std::sync::Arc;

/// Files of which a holding tells apart what it can have. More are summed.
pub const SHARES: usize = 256;
/// Steps of a way that are kept; of a longer one the first are.
pub const STEPS: usize = 16;

/// One step on a way, from one process to the next.
#[derive(Debug)]
pub struct Step {
    /// `pipe`, `file:/tmp/x`, `memory`, `fork` and the like.
    pub through: Arc<str>,
    /// The step before.
    before: Option<Arc<Step>>,
    depth: usize,
}

/// How a share came to where it is; `None`: it was opened there.
pub type Way = Option<Arc<Step>>;

/// The way that goes on through `through`. One that is long enough is not made longer, and none goes twice through the same in a row.
pub fn on(way: &Way, through: &Arc<str>) -> Way {
    let depth = way.as_ref().map_or(0, |step| step.depth);
    if depth >= STEPS || way.as_ref().is_some_and(|step| *step.through == **through) {
        return way.clone();
    }
    Some(Arc::new(Step { through: Arc::clone(through), before: way.clone(), depth: depth + 1 }))
}

/// The names of a way's steps, the first in front.
pub fn steps(way: &Way) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = std::iter::successors(way.as_deref(), |step| step.before.as_deref())
        .map(|step| (*step.through).into())
        .collect();
    names.reverse();
    names
}

/// What can be had of one file.
#[derive(Clone, Debug)]
pub struct Share {
    /// Of which.
    pub source: Arc<Source>,
    /// Most bytes of it.
    pub bytes: u64,
    /// How it came.
    pub way: Way,
}

/// What a process or a thing can have of all files. Cheap to copy: a forked process has its parent's until one of them gets more.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// By file, in the order in which they came.
    shares: Vec<Share>,
    /// Most bytes in all: of two megabytes read from what can be ten files, there are two.
    bytes: u64,
    /// Most bytes of files that found no room among the shares.
    others: u64,
    /// Files that found no room.
    refused: u64,
}

impl Holding {
    /// So many bytes of which it is not known what they are of.
    pub fn unexplained(bytes: u64) -> Holding {
        Holding { bytes, ..Holding::default() }
    }

    /// Shares by file.
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// Most bytes in all.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Distinct files, as far as they were told apart.
    pub fn sources(&self) -> u64 {
        self.shares.len() as u64 + self.refused
    }

    /// The largest share.
    pub fn largest(&self) -> Option<&Share> {
        self.shares.iter().max_by_key(|share| (share.bytes, share.source.size))
    }

    /// All of a file was opened. Who opens a file itself has it from there, whatever came to it of the same file on other ways. True if
    /// that is more than was held.
    pub fn open(&mut self, source: Arc<Source>) -> bool {
        let size = source.size;
        let before = self.share(&source);
        let grown = size.saturating_sub(before);
        match self.shares.iter_mut().find(|share| same(&share.source, &source)) {
            Some(share) if share.way.is_some() => *share = Share { source, bytes: size.max(before), way: None },
            Some(share) => share.bytes = size.max(before),
            None => {
                self.put(&source, size, &None);
            }
        }
        self.bytes = self.bytes.saturating_add(grown);
        grown > 0
    }

    /// At most `more` bytes more of what `from` has came through `through`, `limit` in all. True if that is more than was held.
    pub fn take(&mut self, from: &Holding, limit: u64, more: u64, through: &Arc<str>) -> bool {
        let mut gained = false;
        for share in &from.shares {
            let bytes = share.bytes.min(limit);
            let held = self.share(&share.source);
            if held == 0 {
                gained |= self.put(&share.source, bytes, &on(&share.way, through));
            } else if bytes > held {
                let way = on(&share.way, through);
                self.raise(&share.source, bytes, way);
                gained = true;
            }
        }
        let others = from.others.min(limit);
        self.others = self.others.max(others);
        let most = self.shares.iter().fold(self.others, |sum, share| sum.saturating_add(share.bytes));
        let bytes = self.bytes.saturating_add(more.min(from.bytes)).min(most);
        gained |= bytes > self.bytes;
        self.bytes = self.bytes.max(bytes);
        gained
    }

    fn share(&self, source: &Source) -> u64 {
        self.find(source).map_or(0, |share| share.bytes)
    }

    fn find(&self, source: &Source) -> Option<&Share> {
        self.shares.iter().find(|share| same(&share.source, source))
    }

    /// What came on a way by which most of it came is told to have come on that one.
    fn raise(&mut self, source: &Source, bytes: u64, way: Way) {
        if let Some(share) = self.shares.iter_mut().find(|share| same(&share.source, source)) {
            if share.way.is_some() && bytes / 2 > share.bytes {
                share.way = way;
            }
            share.bytes = share.bytes.max(bytes);
        }
    }

    /// False if there was no room.
    fn put(&mut self, source: &Arc<Source>, bytes: u64, way: &Way) -> bool {
        if self.shares.len() >= SHARES {
            self.others = self.others.saturating_add(bytes);
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        if self.shares.is_empty() {
            // Most hold of one file only, and there are many.
            self.shares.reserve_exact(1);
        }
        self.shares.push(Share { source: Arc::clone(source), bytes, way: way.clone() });
        true
    }
}

/// Whether these are one file. It can have been opened at several sizes, by several.
fn same(one: &Source, other: &Source) -> bool {
    match (one.id, other.id) {
        (Some(_), Some(_)) => one.number == other.number,
        (None, None) => one.path == other.path,
        _ => false,
    }
}
