//! DNS as a way out: what each workload asks for below each registered domain, over about an hour.
//!
//! Told are bounds that cannot miss. A workload has room for [`DOMAINS`] domains at once; when one more comes, the one that was
//! asked for least makes room, and the new one starts with what any that went had at most ("space saving", Metwally and
//! others, 2005). So asking for thousands of other domains does not make this forget: it only raises what is told of new
//! ones, by about the sum of all over the number of places. Different names are counted in a bit map under a key that the
//! asking program does not know (it comes from the nanosecond of the workload's first query, so that the same events
//! give the same result), which it cannot aim its names at.

use super::registered_domain;
use crate::bounded::{Bounded, Evictions};
use crate::event::{BootTime, Dns, DnsChannel};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// Domains of a workload that are told apart.
const DOMAINS: usize = 64;
/// The hour is kept in parts of 20 minutes; the last one is not over, so that 60 to 80 minutes are summed: never less than an hour.
const SLOTS: usize = 4;
const SLOT_NANOSECONDS: u64 = 1_200_000_000_000;
/// Bits of a map of names. At 500 names the error is 2 %; it can tell at most some 7,000.
const WORDS: usize = 16;
const BITS: u32 = WORDS as u32 * 64;
/// Bytes that a query has beside its name: header, type and class, and what resolvers usually add (EDNS with a cookie, padding to the
/// next 128 bytes of RFC 8467 is not sent in the clear).
const QUERY_BYTES: u64 = 12 + 2 + 4 + 64;

/// What every workload asked for.
#[derive(Debug)]
pub(super) struct Channels {
    workloads: Bounded<Box<str>, Workload>,
}

#[derive(Debug)]
struct Workload {
    key: u64,
    domains: Vec<Domain>,
    /// The most that any domain had that made room, by the part of the hour in which it did.
    gone: [Slot<Sum>; SLOTS],
}

#[derive(Debug)]
struct Domain {
    name: Arc<str>,
    /// What it may have had before it got its place.
    before: Slot<Sum>,
    slots: [Slot<Asked>; SLOTS],
}

/// A value of one part of the hour.
#[derive(Clone, Copy, Debug, Default)]
struct Slot<T> {
    number: u64,
    value: T,
}

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    bytes: u64,
    names: [u64; WORDS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    bytes: u64,
    labels: u64,
}

impl<T: Default> Slot<T> {
    /// Whether it is of the last hour.
    fn is_recent(&self, now: u64) -> bool {
        self.number.saturating_add(SLOTS as u64) > now
    }
}

/// The place of the part of the hour `now`, emptied if it was of an earlier one.
fn current<T: Default>(slots: &mut [Slot<T>; SLOTS], now: u64) -> Option<&mut T> {
    let slot = slots.get_mut(usize::try_from(now % SLOTS as u64).ok()?)?;
    if slot.number != now {
        *slot = Slot { number: now, value: T::default() };
    }
    Some(&mut slot.value)
}

impl Channels {
    pub(super) fn new(workloads: usize) -> Channels {
        Channels { workloads: Bounded::new(workloads, Duration::ZERO) }
    }

    pub(super) fn evictions(&self) -> Evictions {
        self.workloads.evictions()
    }

    /// Adds a query; what its workload has asked for there.
    pub(super) fn count(&mut self, workload: &str, dns: &Dns, time: BootTime) -> DnsChannel {
        let address = || dns.endpoints.peer_address.to_string();
        let (name, domain, bytes) = match &dns.message {
            Some(message) => {
                let bytes = u64::from(message.name_bytes);
                let more = u64::from(dns.size) > bytes + QUERY_BYTES;
                (
                    &*message.name,
                    registered_domain(&message.name).to_owned(),
                    if more { dns.size.into() } else { bytes },
                )
            }
            None => ("", address(), dns.size.into()),
        };
        // Numbered from 1, so that an empty place is of no part of any hour.
        let now = time.0 / SLOT_NANOSECONDS + SLOTS as u64;
        if self.workloads.get(workload).is_none() {
            let empty = Workload { key: time.0, domains: Vec::new(), gone: Default::default() };
            self.workloads.insert(workload.into(), empty);
        }
        match self.workloads.get(workload) {
            Some(workload) => workload.count(domain, name, bytes, now),
            None => DnsChannel { registered_domain: domain.into(), query_bytes: bytes, distinct_labels: 1 },
        }
    }
}

impl Workload {
    fn count(&mut self, domain: String, name: &str, bytes: u64, now: u64) -> DnsChannel {
        let bit = bit(self.key, name);
        let index = match self.domains.iter().position(|known| *known.name == domain) {
            Some(index) => index,
            None => self.place(domain.into(), now),
        };
        let Some(domain) = self.domains.get_mut(index) else {
            return DnsChannel { registered_domain: "".into(), query_bytes: bytes, distinct_labels: 1 };
        };
        if let Some(asked) = current(&mut domain.slots, now) {
            asked.bytes = asked.bytes.saturating_add(bytes);
            if let Some(word) = asked.names.get_mut(bit as usize / 64) {
                *word |= 1 << (bit % 64);
            }
        }
        let Sum { bytes, labels } = domain.sum(now);
        DnsChannel { registered_domain: domain.name.clone(), query_bytes: bytes, distinct_labels: labels }
    }

    /// Makes a place for a domain.
    fn place(&mut self, name: Arc<str>, now: u64) -> usize {
        if self.domains.len() >= DOMAINS {
            let least = (0..self.domains.len()).min_by_key(|index| self.domains.get(*index).map(|d| d.sum(now).bytes));
            let gone = least.map(|index| self.domains.swap_remove(index).sum(now)).unwrap_or_default();
            if let Some(most) = current(&mut self.gone, now) {
                *most = Sum { bytes: most.bytes.max(gone.bytes), labels: most.labels.max(gone.labels) };
            }
        }
        let recent = self.gone.iter().filter(|slot| slot.is_recent(now));
        let most = recent.fold(Sum::default(), |most, slot| Sum {
            bytes: most.bytes.max(slot.value.bytes),
            labels: most.labels.max(slot.value.labels),
        });
        let before = Slot { number: now, value: most };
        self.domains.push(Domain { name, before, slots: Default::default() });
        self.domains.len() - 1
    }
}

impl Domain {
    fn sum(&self, now: u64) -> Sum {
        let before = if self.before.is_recent(now) { self.before.value } else { Sum::default() };
        let recent = self.slots.iter().filter(|slot| slot.is_recent(now));
        let all = recent.fold(Asked::default(), |mut all, slot| {
            all.bytes = all.bytes.saturating_add(slot.value.bytes);
            all.names.iter_mut().zip(slot.value.names).for_each(|(all, names)| *all |= names);
            all
        });
        Sum {
            bytes: before.bytes.saturating_add(all.bytes),
            labels: before.labels.saturating_add(distinct(&all.names)),
        }
    }
}

/// The place of a name in the map.
fn bit(key: u64, name: &str) -> u32 {
    let digest = Sha256::new_with_prefix(key.to_le_bytes()).chain_update(name).finalize();
    digest.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) % BITS)
}

/// How many names set so many bits, most likely (linear counting; Whang and others, 1990).
fn distinct(names: &[u64; WORDS]) -> u64 {
    let set: u32 = names.iter().map(|word| word.count_ones()).sum();
    let all = f64::from(BITS);
    // A full map tells of no more than all but one of its bits.
    let empty = f64::from((BITS - set).max(1));
    (all * (all / empty).ln()).round() as u64
}
