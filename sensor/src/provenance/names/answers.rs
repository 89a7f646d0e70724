//! Address -> name, by the DNS answers that each workload received to questions that it sent.

use super::{Resolvers, registered_domain};
use crate::bounded::{Bounded, Evictions};
use crate::event::{BootTime, Dns};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Questions of a workload that wait for their answer. About 150 bytes each; names of 255 bytes make it 1,100 (escapes).
const QUESTIONS: usize = 32;
/// Addresses of a workload that have a name. About 200 bytes each.
const ADDRESSES: usize = 256;
/// Names of an address that are kept: the hosts of a content network share theirs.
const NAMES: usize = 4;
/// For how long a name is kept, whatever its time to live says: programs hold on to addresses for longer than that, and nobody may
/// fill the table with names for ever.
const KEPT: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(86_400));

/// What became of answers, for metrics. Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers to a question that the workload is not known to have sent.
    pub unasked: u64,
    /// Answers of resolvers that are not declared: they name nothing.
    pub undeclared: u64,
    /// Answers that name an address.
    pub taken: u64,
    /// Workloads whose names were forgotten for lack of room.
    pub workloads_evicted: Evictions,
    /// Addresses whose names were forgotten for lack of room in their workload.
    pub addresses_evicted: u64,
}

/// The names that workloads were told.
#[derive(Debug)]
pub(super) struct Answers {
    resolvers: Resolvers,
    views: Bounded<Box<str>, View>,
    counts: Counts,
}

/// What one workload asked and was told.
#[derive(Debug)]
struct View {
    /// Question -> whom it was sent to.
    questions: Bounded<Question, IpAddr>,
    /// The last name is the one told last.
    names: Bounded<IpAddr, Vec<Named>>,
}

/// A question: its socket, number, name and type.
type Question = (u64, u16, Box<str>, u16);

#[derive(Debug)]
struct Named {
    name: Arc<str>,
    until: BootTime,
}

impl Answers {
    pub(super) fn new(resolvers: Resolvers, workloads: usize) -> Answers {
        Answers { resolvers, views: Bounded::new(workloads, Duration::ZERO), counts: Counts::default() }
    }

    pub(super) fn set_resolvers(&mut self, resolvers: Resolvers) {
        self.resolvers = resolvers;
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { workloads_evicted: self.views.evictions(), ..self.counts }
    }

    /// A question left.
    pub(super) fn ask(&mut self, workload: &str, dns: &Dns) {
        let Some(question) = question(dns).filter(|_| dns.message.as_ref().is_some_and(|message| !message.response))
        else {
            return;
        };
        if self.views.get(workload).is_none() {
            let view = View {
                questions: Bounded::new(QUESTIONS, Duration::ZERO),
                names: Bounded::new(ADDRESSES, Duration::ZERO),
            };
            self.views.insert(workload.into(), view);
        }
        if let Some(view) = self.views.get(workload) {
            view.questions.insert(question, dns.endpoints.peer_address);
        }
    }

    /// An answer arrived. Taken if it answers a question, by socket, number, name and type, and if both who was asked and who answers
    /// are declared resolvers. They need not be the same: a question whose address was changed on the way out shows whom it
    /// went to, and its answer whom it was sent to.
    pub(super) fn hear(&mut self, workload: &str, dns: &Dns, time: BootTime) {
        let Some((message, question)) = dns.message.as_ref().filter(|m| m.response).zip(question(dns)) else { return };
        let Some(view) = self.views.get(workload) else {
            self.counts.unasked += 1;
            return;
        };
        let Some(asked) = view.questions.remove(&question) else {
            self.counts.unasked += 1;
            return;
        };
        if !self.resolvers.contains(asked) || !self.resolvers.contains(dns.endpoints.peer_address) {
            self.counts.undeclared += 1;
            return;
        }
        let evicted = view.names.evictions().live;
        let name: Arc<str> = Arc::from(&*message.name);
        for (address, ttl) in &message.addresses {
            let kept = Duration::from_secs((*ttl).into()).clamp(KEPT.0, KEPT.1);
            let nanoseconds = u64::try_from(kept.as_nanos()).unwrap_or(u64::MAX);
            let until = BootTime(time.0.saturating_add(nanoseconds));
            if view.names.get(address).is_none() {
                view.names.insert(*address, Vec::new());
            }
            let Some(names) = view.names.get(address) else { continue };
            names.retain(|named| named.name != name && named.until > time);
            if names.len() >= NAMES {
                names.remove(0);
            }
            names.push(Named { name: name.clone(), until });
        }
        self.counts.taken += u64::from(!message.addresses.is_empty());
        self.counts.addresses_evicted += view.names.evictions().live - evicted;
    }

    /// The name of `address` for that workload now. If it has several: `wanted`, else one in the registered domain of that, else the
    /// one that it was told last.
    pub(super) fn name(
        &self,
        workload: &str,
        address: IpAddr,
        now: BootTime,
        wanted: Option<&str>,
    ) -> Option<Arc<str>> {
        let names = self.views.peek(&Box::from(workload))?.names.peek(&address.to_canonical())?;
        let valid = || names.iter().rev().filter(|named| named.until > now);
        let of = |wanted: &str| {
            let same = valid().find(|named| &*named.name == wanted);
            same.or_else(|| valid().find(|named| registered_domain(&named.name) == registered_domain(wanted)))
        };
        let named = wanted.and_then(of).or_else(|| valid().next());
        named.map(|named| named.name.clone())
    }
}

fn question(dns: &Dns) -> Option<Question> {
    let message = dns.message.as_ref()?;
    Some((dns.socket_cookie, message.id, message.name.clone(), message.kind))
}
