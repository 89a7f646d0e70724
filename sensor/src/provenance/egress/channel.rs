//! What of a flow's or a counter's bytes is new.
//!
//! Two sources tell of the same bytes: reports of flows, soon but in doublings, and some of them may be lost; and the kernel's
//! counters a (cgroup, peer), exact but a second late. Charged is what the one that is ahead says: their maximum, for each account and
//! peer. Of both only what is new counts, so no more has to be remembered than by how much the flows are ahead.

use crate::bounded::{Bounded, Evictions};
use crate::event::{Flow, FlowReason, Transport};
use std::net::IpAddr;
use std::time::Duration;

/// Between whom: an account, a peer, how, and who asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ChannelKey {
    pub account: Box<str>,
    pub peer: Option<IpAddr>,
    pub transport: Transport,
    pub initiated: bool,
}

/// A flow: its socket, and the peer where an unconnected one has several; `None` for all peers for which the kernel had no room.
type FlowKey = (u64, Option<(IpAddr, u16)>);

/// What has been counted already.
#[derive(Debug)]
pub(super) struct Channels {
    /// Bytes that each flow had sent at its last report.
    flows: Bounded<FlowKey, u64>,
    /// Bytes that flows told of and the counters have not yet; below zero: that flows have not told of yet.
    ahead: Bounded<ChannelKey, i64>,
}

impl Channels {
    pub fn new(flows: usize, channels: usize) -> Channels {
        Channels { flows: Bounded::new(flows, Duration::ZERO), ahead: Bounded::new(channels, Duration::ZERO) }
    }

    /// Bytes that a flow has sent since it was last reported.
    pub fn increase(&mut self, flow: &Flow) -> u64 {
        let ends = &flow.endpoints;
        let key = (flow.socket_cookie, (!flow.peers_merged).then_some((ends.peer_address, ends.peer_port)));
        let before = self.flows.peek(&key).copied().unwrap_or(0);
        if flow.reason == FlowReason::Closed {
            self.flows.remove(&key);
        } else {
            match self.flows.get(&key) {
                Some(last) => *last = flow.bytes,
                None => drop(self.flows.insert(key, flow.bytes)),
            }
        }
        // Fewer than before: the number was taken again, by a flow that begins anew.
        flow.bytes.checked_sub(before).unwrap_or(flow.bytes)
    }

    /// A flow told of so many more bytes; how many of them are to be charged.
    pub fn flow(&mut self, key: ChannelKey, bytes: u64) -> u64 {
        let before = self.ahead(&key);
        let after = before.saturating_add(signed(bytes));
        self.set(key, after);
        positive(after).saturating_sub(positive(before))
    }

    /// The counter grew by so many; how many of them are to be charged.
    pub fn counter(&mut self, key: ChannelKey, bytes: u64) -> u64 {
        let before = self.ahead(&key);
        let after = before.saturating_sub(signed(bytes));
        self.set(key, after);
        bytes.saturating_sub(positive(before).saturating_sub(positive(after)))
    }

    /// Open flows.
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    /// Flows and channels that went for lack of room. Their bytes may then be charged twice, never not at all.
    pub fn evicted(&self) -> (Evictions, Evictions) {
        (self.flows.evictions(), self.ahead.evictions())
    }

    fn ahead(&self, key: &ChannelKey) -> i64 {
        self.ahead.peek(key).copied().unwrap_or(0)
    }

    fn set(&mut self, key: ChannelKey, ahead: i64) {
        match self.ahead.get(&key) {
            Some(last) => *last = ahead,
            None => drop(self.ahead.insert(key, ahead)),
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn positive(ahead: i64) -> u64 {
    u64::try_from(ahead).unwrap_or(0)
}
