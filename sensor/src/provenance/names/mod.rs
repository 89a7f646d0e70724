//! What a destination goes by: DNS answers, TLS and QUIC server names.
//!
//! [`Names`] hears DNS messages and ClientHellos and gives each connect and flow the name of its server. The answer of a declared
//! resolver that the workload itself received judges; else the name in the flow's own ClientHello, which is only what the
//! client says; else there is only the address. [`registered_domain`] says whose a name is. DNS as a way out is counted here
//! too ([`channel`]). Who may send where does not live here.

mod answers;
mod channel;
mod domain;
#[doc(hidden)]
pub mod hello;
mod initial;
mod resolvers;
#[doc(hidden)]
pub mod samples;
#[cfg(test)]
mod tests;

pub use answers::Counts as AnswerCounts;
pub use domain::registered_domain;
pub use resolvers::Resolvers;

use crate::bounded::{Bounded, Evictions};
use crate::event::{
    Body, BootTime, Dns, DnsChannel, DnsDirection, Endpoints, Event, Flow, FlowReason, Hello, NamedBy, Server,
    Transport,
};
use answers::Answers;
use channel::Channels;
use hello::{Assembly, Found};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Limits of the tables of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Workloads whose DNS is followed. Each takes 155 kB if it does its worst, and usually 2.
    pub workloads: usize,
    /// Flows whose name is kept. About 200 bytes each.
    pub flows: usize,
    /// Flows whose ClientHello is not complete yet. At most 8 KiB each.
    pub hellos: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { workloads: 512, flows: 16_384, hellos: 256 }
    }
}

/// Losses and state, for metrics. Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of answers.
    pub answers: AnswerCounts,
    /// Flows whose name was forgotten early: it is looked for anew.
    pub flows_evicted: Evictions,
    /// ClientHellos that were given up before they were complete.
    pub hellos_evicted: Evictions,
    /// Workloads of which it was forgotten what they asked for.
    pub channels_evicted: Evictions,
    /// Beginnings of flows that were no ClientHello after all, or without a name.
    pub hellos_unnamed: u64,
    /// DNS messages of which nobody knows the workload.
    pub unattributed: u64,
}

/// A flow is kept for so long after its end: its last report may come late.
const LINGER: Duration = Duration::from_secs(30);

/// A flow: its socket, and the peer where a socket has several. A connected socket may have its peer's address changed on the way
/// (by load balancing at the socket), and is the same flow all the same.
type FlowKey = (u64, Option<(IpAddr, u16)>);

/// What is known of a flow's server.
#[derive(Clone, Debug, Default)]
struct Known {
    dns: Option<Arc<str>>,
    hello: Option<(Arc<str>, NamedBy)>,
}

/// The names of destinations, as each workload was told them.
#[derive(Debug)]
pub struct Names {
    answers: Answers,
    channels: Channels,
    flows: Bounded<FlowKey, Known>,
    hellos: Bounded<FlowKey, Assembly>,
    counts: Counts,
}

impl Names {
    /// Nothing known yet; with the default limits.
    pub fn new(resolvers: Resolvers) -> Names {
        Names::with(resolvers, Limits::default())
    }

    /// Nothing known yet.
    pub fn with(resolvers: Resolvers, limits: Limits) -> Names {
        Names {
            answers: Answers::new(resolvers, limits.workloads),
            channels: Channels::new(limits.workloads),
            flows: Bounded::new(limits.flows, LINGER),
            hellos: Bounded::new(limits.hellos, Duration::ZERO),
            counts: Counts::default(),
        }
    }

    /// From now on these resolvers are believed; what others were believed stays until it ends.
    pub fn set_resolvers(&mut self, resolvers: Resolvers) {
        self.answers.set_resolvers(resolvers);
    }

    /// Learns what the event tells, and sets the server's name on connects and flows, what was asked for on queries, and the name
    /// in a ClientHello that is complete. Expects the workload to be known.
    pub fn trace(&mut self, event: &mut Event) {
        let time = event.time;
        self.flows.advance(time);
        let workload = event.workload.as_ref().map(|workload| &*workload.id);
        match &mut event.body {
            Body::Dns(dns) => match workload {
                Some(workload) => dns.channel = self.dns(workload, dns, time),
                None => self.counts.unattributed += 1,
            },
            Body::Hello(hello) => hello.server_name = self.hello(workload, hello, time),
            Body::Connect(connect) => {
                let key = key(connect.socket_cookie, &connect.endpoints);
                let dns = workload.and_then(|id| self.answers.name(id, connect.endpoints.peer_address, time, None));
                let known = Known { dns, hello: None };
                event.server = Some(known.server());
                self.flows.insert(key, known);
            }
            Body::Flow(flow) => event.server = Some(self.flow(workload, flow, time)),
            // What counters say is of all sockets together: what the address goes by.
            Body::Egress(grown) => {
                let address = grown.peer.filter(|_| grown.initiated);
                let dns = workload.zip(address).and_then(|(id, address)| self.answers.name(id, address, time, None));
                event.server = Some(Known { dns, hello: None }.server());
            }
            _ => {}
        }
    }

    /// What a peer of a socket goes by for a workload now.
    pub fn name_of(&self, workload: &str, cookie: u64, ends: &Endpoints, now: BootTime) -> Option<(Arc<str>, NamedBy)> {
        let known = self
            .flows
            .peek(&key(cookie, ends))
            .cloned()
            .unwrap_or_else(|| Known { dns: self.answers.name(workload, ends.peer_address, now, None), hello: None });
        let server = known.server();
        server.name.map(|name| (name, server.by))
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts {
            answers: self.answers.counts(),
            flows_evicted: self.flows.evictions(),
            hellos_evicted: self.hellos.evictions(),
            channels_evicted: self.channels.evictions(),
            ..self.counts
        }
    }

    fn dns(&mut self, workload: &str, dns: &Dns, time: BootTime) -> Option<DnsChannel> {
        match dns.direction {
            DnsDirection::Query => {
                self.answers.ask(workload, dns);
                Some(self.channels.count(workload, dns, time))
            }
            DnsDirection::Answer => {
                self.answers.hear(workload, dns, time);
                None
            }
        }
    }

    fn hello(&mut self, workload: Option<&str>, hello: &Hello, time: BootTime) -> Option<Arc<str>> {
        let key = key(hello.socket_cookie, &hello.endpoints);
        let quic = hello.endpoints.transport == Transport::Udp;
        // Its name is known: what else looks like a beginning is the rest of the handshake.
        if hello.offset > 0 && self.flows.peek(&key).is_some_and(|known| known.hello.is_some()) {
            return None;
        }
        if hello.offset == 0 || self.hellos.get(&key).is_none() {
            self.hellos.insert(key, Assembly::new(quic));
        }
        let found = self.hellos.get(&key).map_or(Found::Nothing, |assembly| assembly.add(hello.offset, &hello.bytes));
        let name = match found {
            Found::More => return None,
            Found::Nothing => None,
            Found::Name(name) => Some(Arc::<str>::from(name)),
        };
        self.hellos.remove(&key);
        let Some(name) = name else {
            self.counts.hellos_unnamed += 1;
            return None;
        };
        let address = hello.endpoints.peer_address;
        // Of several names that the address has, the one that is asked for.
        let dns = workload.and_then(|id| self.answers.name(id, address, time, Some(&name)));
        let said = Some((name.clone(), if quic { NamedBy::Quic } else { NamedBy::Tls }));
        match self.flows.get(&key) {
            Some(known) if known.dns.is_some() => {
                known.hello = said;
                known.dns = dns.or(known.dns.take());
            }
            // Without a name when it began: one that was answered since then changes nothing.
            Some(known) => known.hello = said,
            None => {
                self.flows.insert(key, Known { dns, hello: said });
            }
        }
        Some(name)
    }

    fn flow(&mut self, workload: Option<&str>, flow: &Flow, time: BootTime) -> Server {
        // Who asked in has no name that was asked for; of merged peers the report names one only.
        if !flow.initiated || flow.peers_merged {
            return Known::default().server();
        }
        let key = key(flow.socket_cookie, &flow.endpoints);
        let server = match self.flows.get(&key) {
            Some(known) => known.server(),
            None => {
                let address = flow.endpoints.peer_address;
                let dns = workload.and_then(|workload| self.answers.name(workload, address, time, None));
                let known = Known { dns, hello: None };
                let server = known.server();
                self.flows.insert(key, known);
                server
            }
        };
        if flow.reason == FlowReason::Closed {
            self.flows.retire(&key, time);
            self.hellos.remove(&key);
        }
        server
    }
}

fn key(cookie: u64, ends: &Endpoints) -> FlowKey {
    (cookie, (ends.transport != Transport::Tcp).then_some((ends.peer_address, ends.peer_port)))
}

impl Known {
    /// The first that there is.
    fn server(&self) -> Server {
        let tls = self.hello.as_ref().map(|(name, _)| name.clone());
        match (&self.dns, &self.hello) {
            (Some(name), hello) => {
                let other = |said: &str| registered_domain(said) != registered_domain(name);
                let disagrees = hello.as_ref().is_some_and(|(said, _)| other(said));
                Server { name: Some(name.clone()), by: NamedBy::Dns, tls, disagrees }
            }
            (None, Some((name, by))) => Server { name: Some(name.clone()), by: *by, tls, disagrees: false },
            (None, None) => Server { name: None, by: NamedBy::Address, tls, disagrees: false },
        }
    }
}
