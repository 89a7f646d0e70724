//! What each workload holds of weights, and what it has sent since.
//!
//! Bounds, not truths: a workload that opened a file can have read all of it, and any byte it sent can be one of it. The unit is
//! the workload, so that a child, a pipe or a false name inside it changes nothing.
//!
//! A flow's reports are cumulative, so a lost one is made up for by the next. Bytes of a flow that left before the workload
//! first held anything are not counted, as far as reports tell: up to the last report before.

use super::{ClassTable, Declared};
use crate::bounded::{Bounded, Evictions};
use crate::event::{Access, Body, Class, Endpoints, Event, File, FileChange, FileId, Flow, FlowReason, Held, Open};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Limits of the ledger's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Workloads that hold weights. About 100 bytes each, and its sources.
    pub workloads: usize,
    /// Distinct weights files of a workload. About 40 bytes each.
    pub sources: usize,
    /// Open flows to undeclared destinations, of all workloads. About 150 bytes each.
    pub flows: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { workloads: 4096, sources: 4096, flows: 16_384 }
    }
}

/// The ledger's state and losses, for metrics. Totals since the start, but for `workloads` and `flows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Workloads that hold weights now.
    pub workloads: usize,
    /// Open flows now.
    pub flows: usize,
    /// Workloads that went, all for lack of room (`live`): what they held and sent is forgotten.
    pub workloads_evicted: Evictions,
    /// Flows that went for lack of room (`live`): what they send later is counted from their first byte again.
    pub flows_evicted: Evictions,
    /// Weights files that a workload with too many already opened: it holds more than is said.
    pub sources_refused: u64,
    /// Opens of weights, and flows, of which nobody knows the workload: they are not accounted for.
    pub unattributed: u64,
}

/// Weights held and bytes sent, by workload.
#[derive(Debug)]
pub struct Ledger {
    classes: ClassTable,
    declared: Declared,
    limits: Limits,
    accounts: Bounded<Box<str>, Account>,
    /// Bytes that each flow had sent at its last report; also those of workloads that hold nothing yet.
    flows: Bounded<FlowKey, u64>,
    counts: Counts,
}

/// A flow: its socket, and the peer where an unconnected one has several; `None` for all peers for which the kernel had no room.
type FlowKey = (u64, Option<(IpAddr, u16)>);

/// What a workload holds and has sent.
#[derive(Debug, Default)]
struct Account {
    /// The size of each weights file when it was opened, the largest if it was opened often.
    sources: HashMap<Source, u64, ahash::RandomState>,
    /// The sum of the sizes.
    bytes: u64,
    sent: u64,
}

/// A weights file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    Inode(FileId),
    /// One that the kernel did not resolve; its size is not known.
    Path(Box<str>),
}

impl Ledger {
    /// An empty ledger with the default limits, for which only loopback is declared.
    pub fn new(classes: ClassTable) -> Ledger {
        Ledger::with(classes, Declared::default(), Limits::default())
    }

    /// An empty ledger.
    pub fn with(classes: ClassTable, declared: Declared, limits: Limits) -> Ledger {
        Ledger {
            classes,
            declared,
            limits,
            accounts: Bounded::new(limits.workloads, Duration::ZERO),
            flows: Bounded::new(limits.flows, Duration::ZERO),
            counts: Counts::default(),
        }
    }

    /// Sets the classes of the file of an open or exec, learns what the event tells, and sets `event.held` on connects and flows
    /// of workloads that hold weights. Expects the workload to be known.
    pub fn trace(&mut self, event: &mut Event) {
        match &mut event.body {
            Body::Open(Open { file, .. }) => file.classes = self.classes.settle(file),
            Body::Exec(exec) => exec.file.classes = self.classes.settle(&exec.file),
            Body::FileChange(FileChange { file, .. }) => file.classes = self.classes.settle(file),
            _ => {}
        }
        let workload = event.workload.as_ref().map(|workload| &*workload.id);
        match &event.body {
            Body::Open(open) if reads_weights(open) => match workload {
                Some(workload) => self.hold(workload, &open.file),
                None => self.counts.unattributed += 1,
            },
            Body::Connect(_) | Body::Dns(_) => event.held = workload.and_then(|workload| self.held(workload)),
            Body::Flow(flow) => {
                if let Some(sent) = self.increase(flow) {
                    match workload {
                        Some(workload) => self.send(workload, sent),
                        None => self.counts.unattributed += 1,
                    }
                }
                event.held = workload.and_then(|workload| self.held(workload));
            }
            _ => {}
        }
    }

    /// The classes that files are judged by.
    pub fn classes(&self) -> &ClassTable {
        &self.classes
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts {
            workloads: self.accounts.len(),
            flows: self.flows.len(),
            workloads_evicted: self.accounts.evictions(),
            flows_evicted: self.flows.evictions(),
            ..self.counts
        }
    }

    fn hold(&mut self, workload: &str, file: &File) {
        if self.accounts.get(workload).is_none() {
            self.accounts.insert(workload.into(), Account::default());
        }
        let Some(account) = self.accounts.get(workload) else { return };
        let source = match file.id {
            Some(id) => Source::Inode(id),
            None => Source::Path(file.path.clone()),
        };
        let full = account.sources.len() >= self.limits.sources;
        match account.sources.get_mut(&source) {
            Some(size) => {
                account.bytes = account.bytes.saturating_add(file.size.saturating_sub(*size));
                *size = file.size.max(*size);
            }
            None if full => self.counts.sources_refused += 1,
            None => {
                account.bytes = account.bytes.saturating_add(file.size);
                account.sources.insert(source, file.size);
            }
        }
    }

    fn held(&mut self, workload: &str) -> Option<Held> {
        let account = self.accounts.get(workload)?;
        Some(Held { sources: account.sources.len() as u64, bytes: account.bytes, sent: account.sent })
    }

    fn send(&mut self, workload: &str, bytes: u64) {
        if let Some(account) = self.accounts.get(workload) {
            account.sent = account.sent.saturating_add(bytes);
        }
    }

    /// Bytes that an initiated flow to an undeclared destination has sent since it was last reported.
    fn increase(&mut self, flow: &Flow) -> Option<u64> {
        let Endpoints { peer_address, peer_port, .. } = flow.endpoints;
        // Of merged peers the report names one only; what it does not name cannot be declared.
        let declared = !flow.peers_merged && self.declared.contains(peer_address);
        if !flow.initiated || declared {
            return None;
        }
        let key = (flow.socket_cookie, (!flow.peers_merged).then_some((peer_address, peer_port)));
        let before = self.flows.peek(&key).copied().unwrap_or(0);
        if flow.reason == FlowReason::Closed {
            self.flows.remove(&key);
        } else {
            match self.flows.get(&key) {
                Some(last) => *last = flow.bytes,
                None => {
                    self.flows.insert(key, flow.bytes);
                }
            }
        }
        // Fewer than before: the number was taken again, by a flow that begins anew.
        Some(flow.bytes.checked_sub(before).unwrap_or(flow.bytes))
    }
}

fn reads_weights(open: &Open) -> bool {
    open.file.classes.contains(Class::Weights) && matches!(open.access, Access::Read | Access::ReadWrite)
}
