//! What the graph keeps, and how much of it.

use super::Holding;
use crate::bounded::Evictions;
use crate::event::{Classes, FileId, Party, ProcessKey, Source};
use std::collections::VecDeque;
use std::sync::Arc;

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

/// What the steps of a way are called that need no thing.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) fork: Arc<str>,
    pub(super) memory: Arc<str>,
    pub(super) descriptor: Arc<str>,
}

#[derive(Debug, Default)]
pub(super) struct Holder {
    pub(super) holding: Arc<Holding>,
    /// What a child of it gets, and of which holding that is: made at the first one, for a server has many and they are all alike.
    pub(super) children: Option<(Arc<Holding>, Arc<Holding>)>,
    /// Things that it can have open.
    pub(super) used: VecDeque<FileId>,
    /// Things in touch with it.
    pub(super) mapped: VecDeque<FileId>,
}

#[derive(Debug)]
pub(super) struct Thing {
    pub(super) holding: Arc<Holding>,
    /// What it is called on a way.
    pub(super) name: Arc<str>,
    /// Processes that live and have it among what they used.
    pub(super) users: u32,
    /// It is itself what its holding is of.
    pub(super) source: bool,
    /// Its number as a source ([`Source::number`]); 0: it is none.
    pub(super) number: u64,
    /// Processes in touch with it.
    pub(super) mapped: VecDeque<ProcessKey>,
}

/// What came to a workload.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The largest file that somebody in it opened.
    pub(super) largest: Option<Arc<Source>>,
    /// Bytes that its processes took together from what carries something: in small pieces, that is not little.
    pub(super) taken: u64,
}

#[derive(Debug)]
pub(super) struct Sender {
    pub(super) party: Arc<Party>,
    pub(super) holding: Arc<Holding>,
}

/// Somebody or something that has got more.
#[derive(Clone, Copy)]
pub(super) enum News {
    Process(ProcessKey),
    Thing(FileId),
}
