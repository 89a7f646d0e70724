//! The ledger: charges bytes to accounts, and says how they stand.

use super::account::{Account, Row, account_of};
use super::channel::{ChannelKey, Channels};
use super::destination::{Destination, Place, destination_of};
use crate::bounded::{Bounded, Evictions};
use crate::event::{Body, BootTime, Egress, Event, Exfil, LedgerRestored, SavedLedger};
use crate::policy::{Budget, Declared, DeclaredEntry};
use crate::provenance::holdings::Holding;
use std::time::Duration;

/// Limits of the ledger's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Accounts of workloads that held weights, and as many of others, which cannot push them out. About 1 kB each, and its rows.
    pub accounts: usize,
    /// Destinations of an account. About 500 bytes each.
    pub destinations: usize,
    /// Destinations of all accounts together.
    pub rows: usize,
    /// Open flows, of all workloads. About 150 bytes each.
    pub flows: usize,
    /// Pairs of account and peer. About 150 bytes each.
    pub channels: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { accounts: 4096, destinations: 256, rows: 16_384, flows: 16_384, channels: 16_384 }
    }
}

/// The ledger's state and losses, for metrics. Totals since the start, but for the first two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accounts now.
    pub accounts: usize,
    /// Open flows now.
    pub flows: usize,
    /// Accounts of holders that went for lack of room (`live`): what they sent is forgotten.
    pub holders_evicted: Evictions,
    /// The same, of others: what was usual for them is forgotten.
    pub others_evicted: Evictions,
    /// Destinations that were merged into the others of their account.
    pub destinations_merged: u64,
    /// Flows that went for lack of room (`live`): what they send later is counted from their first byte again.
    pub flows_evicted: Evictions,
    /// Pairs of account and peer that went for lack of room (`live`): up to a second's bytes, or those of one doubling, are counted twice.
    pub channels_evicted: Evictions,
    /// Flows and growths of which nobody knows the workload: they are not accounted for.
    pub unattributed: u64,
    /// Payload bytes of these.
    pub unattributed_bytes: u64,
}

/// 3 times the usual and this may go to a destination that is declared without a budget.
const GRACE: u64 = 64 << 20;

/// What is held counts so many times at most: sent again, or written in more bytes than it has.
const REPEATED: u64 = 16;
/// And so much more, for sources whose size is not known.
const UNKNOWN_SIZE: u64 = 64 << 10;

/// Charges bytes to undeclared destinations to an account that holds so much. More of it than there is cannot leave, however it is
/// written.
fn exfil(account: &mut Account, holding: &Holding, bytes: u64, time: u64) {
    let most = holding.bytes.saturating_mul(REPEATED).saturating_add(UNKNOWN_SIZE);
    let bytes = bytes.min(most.saturating_sub(account.month.sum(time)));
    account.burst.add(time, bytes);
    account.day.add(time, bytes);
    account.month.add(time, bytes);
}

/// What has left.
#[derive(Debug)]
pub struct Ledger {
    limits: Limits,
    channels: Channels,
    holders: Bounded<Box<str>, Account>,
    others: Bounded<Box<str>, Account>,
    /// Rows of all accounts; at most that many, since what goes with an account is not taken off.
    rows: usize,
    /// Nanoseconds since the epoch at boot time zero.
    boot_unix_nanos: i128,
    /// Seconds since the epoch; never goes back.
    time: u64,
    /// The kernel's counters are read.
    counters: bool,
    changed: bool,
    counts: Counts,
}

impl Ledger {
    /// An empty ledger. Its time is that of the boot until [`Ledger::restore`] says otherwise.
    pub fn new(limits: Limits) -> Ledger {
        Ledger {
            limits,
            channels: Channels::new(limits.flows, limits.channels),
            holders: Bounded::new(limits.accounts, Duration::ZERO),
            others: Bounded::new(limits.accounts, Duration::ZERO),
            rows: 0,
            boot_unix_nanos: 0,
            time: 0,
            counters: false,
            changed: false,
            counts: Counts::default(),
        }
    }

    /// Goes on from what was saved. If wall time lies before that (a clock was set back), the ledger goes on from then: its time
    /// never goes back.
    pub fn restore(&mut self, restored: &LedgerRestored, time: BootTime) {
        let saved = i128::from(restored.saved.time) * 1_000_000_000;
        self.boot_unix_nanos = restored.boot_unix_nanos.max(saved - i128::from(time.0));
        self.counters = restored.counters;
        self.advance(time);
        for saved in &restored.saved.accounts {
            let account = Account::restored(saved, self.time);
            self.rows += account.rows.len();
            let accounts = if account.is_holder() { &mut self.holders } else { &mut self.others };
            accounts.insert(saved.id.clone(), account);
        }
        self.make_room();
    }

    /// A workload holds so much from now on.
    pub fn hold(&mut self, event: &Event, holding: &Holding) {
        self.advance(event.time);
        let (Some(workload), time) = (event.workload.as_deref(), self.time) else { return };
        let Some(account) = self.account(&account_of(workload), true) else { return };
        let late = account.take_since(event.time);
        exfil(account, holding, late, time);
        self.changed |= account.keep(&workload.id, holding, time) | (late > 0);
    }

    /// What the event's workload held before the agent started: it may hold it still. Of a counter, which knows no process: also what
    /// one of the workload's processes was seen to hold.
    pub fn remembered(&self, event: &Event) -> Option<Holding> {
        let workload = event.workload.as_deref()?;
        let live = matches!(event.body, Body::Egress(_));
        self.holders.peek(&account_of(workload))?.remembered(&workload.id, self.time, live)
    }

    /// Charges the bytes that a flow or a counter tells of, and sets `event.egress`; on connects it only does the latter. `holding`
    /// is what the workload holds, `declared` where it may send to.
    pub fn charge(&mut self, event: &mut Event, holding: Option<&Holding>, declared: &Declared) {
        self.advance(event.time);
        let Some(destination) = destination_of(event) else { return };
        let Some(workload) = event.workload.clone() else {
            self.counts.unattributed += 1;
            let grown = self.grown(event, "");
            self.counts.unattributed_bytes = self.counts.unattributed_bytes.saturating_add(grown);
            return;
        };
        let id = account_of(&workload);
        let bytes = self.grown(event, &id);
        let entry = destination.entry(declared).cloned();
        let place = destination.place(entry.as_ref());
        let initiated = match &event.body {
            Body::Flow(flow) => flow.initiated,
            Body::Egress(grown) => grown.initiated,
            _ => true,
        };
        let (time, limit) = (self.time, self.limits.destinations);
        let Some(account) = self.account(&id, holding.is_some()) else { return };
        if let Some(holding) = holding {
            account.touch(&workload.id, time);
            match initiated {
                true if entry.is_none() => {
                    exfil(account, holding, bytes, time);
                }
                true => {}
                false => account.accepted.add(time, bytes),
            }
        }
        if holding.is_none() && initiated && entry.is_none() && bytes > 0 {
            account.note(event.time, bytes);
        }
        account.expire(&place, time);
        let is_new = bytes > 0 && !account.rows.contains_key(&place);
        let merged = if is_new && account.rows.len() >= limit { account.shrink(limit - limit / 4, time) } else { 0 };
        if bytes > 0 {
            let row = account.rows.entry(place.clone()).or_default();
            match initiated {
                true => {
                    row.day.add(time, bytes);
                    row.month.add(time, bytes);
                }
                false => row.accepted.get_or_insert_default().add(time, bytes),
            }
        }
        let first = is_new && initiated && place != Place::Others;
        event.egress = Some(Box::new(stand(account, &destination, &place, entry.as_ref(), holding, time, first)));
        if let Some(row) = account.rows.get_mut(&place) {
            name_sender(event, row);
        }
        self.counts.destinations_merged += merged;
        self.changed |= bytes > 0;
        if is_new {
            self.rows += 1;
            self.make_room();
        }
    }

    /// The ledger as it is to be kept, if it has changed since this was last asked.
    pub fn save(&mut self) -> Option<SavedLedger> {
        std::mem::take(&mut self.changed).then(|| self.saved())
    }

    /// The ledger as it is to be kept, changed or not.
    pub fn saved(&mut self) -> SavedLedger {
        let time = self.time;
        let accounts = self.holders.iter_mut().chain(self.others.iter_mut());
        let mut accounts: Vec<_> = accounts.filter_map(|(id, account)| account.saved(id, time)).collect();
        accounts.sort_by(|a, b| a.id.cmp(&b.id));
        SavedLedger { time, accounts }
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        let (flows_evicted, channels_evicted) = self.channels.evicted();
        Counts {
            accounts: self.holders.len() + self.others.len(),
            flows: self.channels.flows(),
            holders_evicted: self.holders.evictions(),
            others_evicted: self.others.evictions(),
            flows_evicted,
            channels_evicted,
            ..self.counts
        }
    }

    fn advance(&mut self, time: BootTime) {
        let unix = self.boot_unix_nanos.saturating_add(i128::from(time.0)) / 1_000_000_000;
        self.time = self.time.max(u64::try_from(unix).unwrap_or(0));
    }

    /// Bytes that the event tells of and that nothing told of before.
    fn grown(&mut self, event: &Event, account: &str) -> u64 {
        let key = |peer, transport, initiated| ChannelKey { account: account.into(), peer, transport, initiated };
        match &event.body {
            Body::Flow(flow) => {
                let bytes = self.channels.increase(flow);
                let peer = (!flow.peers_merged).then(|| flow.endpoints.peer_address.to_canonical());
                match peer {
                    // The counters tell them by their peers.
                    None if self.counters => 0,
                    None => bytes,
                    peer => self.channels.flow(key(peer, flow.endpoints.transport, flow.initiated), bytes),
                }
            }
            Body::Egress(grown) => match grown.peer {
                None => grown.grown,
                peer => self.channels.counter(key(peer, grown.transport, grown.initiated), grown.grown),
            },
            _ => 0,
        }
    }

    /// The account of that name, made if there is none. One that comes to hold weights goes to the holders' and stays there.
    fn account(&mut self, id: &str, holds: bool) -> Option<&mut Account> {
        if self.holders.get(id).is_none() {
            let id: Box<str> = id.into();
            if holds {
                let account = self.others.remove(&id).unwrap_or_default();
                self.holders.insert(id, account);
            } else if self.others.get(&*id).is_none() {
                self.others.insert(id, Account::default());
            }
        }
        match self.holders.get(id) {
            Some(account) => Some(account),
            None => self.others.get(id),
        }
    }

    /// Merges rows, of the accounts that have most, if there are too many of all accounts together.
    fn make_room(&mut self) {
        if self.rows <= self.limits.rows {
            return;
        }
        let accounts = || self.holders.len() + self.others.len();
        let share = (self.limits.rows / 2 / accounts().max(1)).max(1);
        let time = self.time;
        let mut rows = 0;
        let mut merged = 0;
        for (_, account) in self.holders.iter_mut().chain(self.others.iter_mut()) {
            rows += account.rows.len();
        }
        if rows > self.limits.rows {
            rows = 0;
            for (_, account) in self.holders.iter_mut().chain(self.others.iter_mut()) {
                if account.rows.len() > share {
                    merged += account.shrink(share, time);
                }
                rows += account.rows.len();
            }
        }
        self.rows = rows;
        self.counts.destinations_merged += merged;
    }
}

/// How an account stands, with respect to a destination.
fn stand(
    account: &mut Account,
    destination: &Destination,
    place: &Place,
    entry: Option<&DeclaredEntry>,
    holding: Option<&Holding>,
    time: u64,
    first: bool,
) -> Egress {
    let exfil = holding.map(|holding| Exfil {
        bytes: account.month.sum(time),
        burst_bytes: account.burst.sum(time),
        day_bytes: account.day.sum(time),
        accepted_bytes: account.accepted.sum(time),
        largest: holding.largest,
        sources: holding.paths.clone(),
    });
    let mut sums = destination.facts(place);
    sums.first = first;
    if let Some(row) = account.rows.get_mut(place) {
        (sums.bytes, sums.day_bytes) = (row.month.sum(time), row.day.sum(time));
        sums.usual_day_bytes = row.month.usual(time);
        sums.accepted_day_bytes = row.accepted.as_mut().map_or(0, |day| day.sum(time));
    }
    sums.budget_day_bytes = entry.and_then(|entry| match entry.budget {
        Budget::Unlimited => None,
        Budget::PerDay(bytes) => Some(bytes),
        Budget::Usual => Some(sums.usual_day_bytes.unwrap_or(0).saturating_mul(3).saturating_add(GRACE)),
    });
    Egress { exfil, destination: sums }
}

/// Whoever sends is remembered with the destination; a counter does not know, and is told the last one.
fn name_sender(event: &mut Event, row: &mut Row) {
    match (event.actor.process, &row.sender) {
        (Some(key), _) => row.sender = Some((key, event.process.clone())),
        (None, Some((key, process))) if matches!(event.body, Body::Egress(_)) => {
            (event.actor.process, event.process) = (Some(*key), process.clone());
        }
        _ => {}
    }
}
