//! What has left: the ledger's sums as an event carries them, and what the kernel's own counters say.

use super::{Held, Transport};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// What a workload has sent, as its ledger stands with this event; set on flows, connects and [`EgressGrown`] events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Egress {
    /// Of workloads that hold weights.
    pub exfil: Option<Exfil>,
    /// Where the event's bytes go.
    pub destination: DestinationSums,
}

/// What a workload that holds weights has sent since it first held any, to all undeclared destinations together, over
/// connections that it initiated. Payload bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exfil {
    /// In 30 days.
    pub bytes: u64,
    /// In 10 minutes.
    pub burst_bytes: u64,
    /// In 24 hours.
    pub day_bytes: u64,
    /// In 30 days over connections that it accepted, whoever asked.
    pub accepted_bytes: u64,
    /// Size of the largest source held, bytes: what the fraction is of. 0 if no size is known.
    pub largest: u64,
    /// Paths of the sources, the largest first, at most [`Held::PATHS_MAX`].
    pub sources: Arc<[Box<str>]>,
}

impl Exfil {
    /// `bytes` of the largest source; `None` if no size is known. Above 1 where more left than that one.
    pub fn fraction(&self) -> Option<f64> {
        (self.largest > 0).then(|| self.bytes as f64 / self.largest as f64)
    }
}

/// A destination of a workload, with what went there. Payload bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DestinationSums {
    /// What the ledger groups by: the declared entry that it falls under, else its registered domain, else its address; `others`
    /// for what there was no room to tell apart.
    pub id: Box<str>,
    /// Whether it is declared.
    pub declared: bool,
    /// Whether its address is one of the public internet's; `false` where the address is not known.
    pub public: bool,
    /// In 30 days, over connections that the workload initiated, whether or not it held anything.
    pub bytes: u64,
    /// The same in 24 hours.
    pub day_bytes: u64,
    /// The most that went there on one of the complete days of the last 30; `None` before the first is over.
    pub usual_day_bytes: Option<u64>,
    /// What may go there in a day; `None`: as much as it likes.
    pub budget_day_bytes: Option<u64>,
    /// In 24 hours, over connections that the workload accepted from there.
    pub accepted_day_bytes: u64,
    /// These are the workload's first bytes to it ever, as far as the ledger remembers.
    pub first: bool,
}

impl DestinationSums {
    /// Whether more went there in 24 hours than may; of a destination that is not declared there is no telling.
    pub fn over_budget(&self) -> Option<bool> {
        self.declared.then(|| self.budget_day_bytes.is_some_and(|budget| self.day_bytes > budget))
    }
}

/// The kernel's own count of what a workload sent to a peer has grown: read from the map `EGRESS`, so that neither a lost
/// report nor one that is not due yet (flows are reported at each doubling) leaves bytes uncounted. The actor is the cgroup of
/// the sockets' owner; no process is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressGrown {
    /// The peer; `None` for all peers together for which the map had no room.
    pub peer: Option<IpAddr>,
    /// The protocol.
    pub transport: Transport,
    /// This side asked for the connections, or sent first.
    pub initiated: bool,
    /// Payload bytes since the programs were loaded.
    pub bytes: u64,
    /// Of these, the ones since the last event about the same.
    pub grown: u64,
}

impl Held {
    /// Most paths of sources that an event carries.
    pub const PATHS_MAX: usize = 8;
}
