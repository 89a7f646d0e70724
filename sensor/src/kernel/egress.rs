//! The kernel's own count of bytes out, by cgroup and peer: the maps `EGRESS` and `EGRESS_REST`, read once a second.
//!
//! What has grown enters the line as [`EgressGrown`]. Nothing that happens to the ring or between a flow's reports changes it.

use super::decode::peer_address;
use super::sys::Plain;
use crate::event::{Actor, Body, BootTime, CgroupKey, EgressGrown, Event, Transport};
use aya::maps::{HashMap, Map, MapData, MapError};
use sensor_common::flow::{EGRESS, EGRESS_REST, EgressKey, EgressRestKey};
use std::time::Duration;
use zerocopy::IntoBytes;

/// From this many entries on, those that have not grown for [`IDLE`] are taken out.
const CROWDED: usize = EGRESS as usize * 3 / 4;
/// How long an entry has not grown before it is taken out of a crowded map.
const IDLE: Duration = Duration::from_secs(60);

/// `BPF_NOEXIST` (include/uapi/linux/bpf.h)
const BPF_NOEXIST: u64 = 1;

/// The maps `EGRESS` and `EGRESS_REST`.
pub struct EgressCounters {
    map: HashMap<MapData, Plain<EgressKey>, u64>,
    rest: HashMap<MapData, Plain<EgressRestKey>, u64>,
    /// What each entry had when it was read last, and since when. At most as many as the maps have.
    seen: std::collections::HashMap<[u8; size_of::<EgressKey>()], (u64, BootTime), ahash::RandomState>,
}

impl EgressCounters {
    /// On these maps. Makes the entries in which is counted what finds no room elsewhere.
    ///
    /// # Errors
    /// When one has another shape, or refuses the entries.
    pub fn new(map: Map, rest: Map) -> Result<EgressCounters, MapError> {
        let mut rest: HashMap<_, Plain<EgressRestKey>, u64> = HashMap::try_from(rest)?;
        for initiated in [0, 1] {
            // Those that are there go on.
            match rest.insert(Plain(EgressRestKey { initiated, ..EgressRestKey::ZERO }), 0, BPF_NOEXIST) {
                Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::EEXIST) => (),
                inserted => inserted?,
            }
        }
        Ok(EgressCounters { map: HashMap::try_from(map)?, rest, seen: std::collections::HashMap::default() })
    }

    /// How far each was told: the key's bytes in hexadecimal, and the count.
    pub fn told(&self) -> Vec<(Box<str>, u64)> {
        self.seen.iter().map(|(id, (bytes, _))| (hex(id), *bytes)).collect()
    }

    /// Goes on from there: what was told up to then is not told again. What is no such key is left out.
    pub fn restore(&mut self, told: &[(Box<str>, u64)], time: BootTime) {
        let entries = told.iter().filter_map(|(id, bytes)| Some((unhex(id)?, (*bytes, time))));
        self.seen.extend(entries.take((EGRESS + EGRESS_REST) as usize));
    }

    /// What has grown since the last time. Costs about 1 us an entry.
    pub fn read(&mut self, now: BootTime) -> Vec<Event> {
        let mut events = Vec::new();
        let mut entries = 0;
        // A walk that meets an entry twice finds that it has not grown since.
        let peers = self.map.iter().flatten().map(|(Plain(key), bytes)| (key, bytes));
        // A family of 0 stands for no peer in particular.
        let rest = self.rest.iter().flatten().map(|(Plain(key), bytes)| {
            let EgressRestKey { cgroup, hierarchy, initiated } = key;
            (EgressKey { cgroup, hierarchy, initiated, ..EgressKey::ZERO }, bytes)
        });
        for (key, bytes) in peers.chain(rest) {
            entries += usize::from(key.family != 0);
            let Ok(id) = key.as_bytes().try_into() else { continue };
            let (before, since) = self.seen.entry(id).or_insert((0, now));
            let grown = bytes.saturating_sub(*before);
            if grown > 0 {
                (*before, *since) = (bytes, now);
                events.extend(event(&key, bytes, grown, now));
            }
        }
        if entries >= CROWDED {
            events.extend(self.clear(now));
        }
        events
    }

    /// Takes out what has not grown for long, and tells what came in between. What is sent between the look and the removal, after a
    /// minute of silence, would be lost: some hundred nanoseconds (the kernel does both in one step for hashes since 5.14 only).
    fn clear(&mut self, now: BootTime) -> Vec<Event> {
        let mut events = Vec::new();
        let EgressCounters { map, seen, .. } = self;
        seen.retain(|id, (before, since)| {
            let Some(key) = zerocopy::FromBytes::read_from_bytes(id).ok().filter(|key: &EgressKey| key.family != 0)
            else {
                return true;
            };
            if now.since(*since) < IDLE {
                return true;
            }
            let bytes = map.get(&Plain(key), 0).unwrap_or(*before);
            if map.remove(&Plain(key)).is_err() {
                return true;
            }
            if bytes > *before {
                events.extend(event(&key, bytes, bytes - *before, now));
            }
            false
        });
        events
    }
}

fn hex(bytes: &[u8]) -> Box<str> {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|byte| {
        // Into memory: it cannot fail.
        let _ = write!(text, "{byte:02x}");
    });
    text.into()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn event(key: &EgressKey, bytes: u64, grown: u64, now: BootTime) -> Option<Event> {
    let peer = match key.family {
        0 => None,
        family => Some(peer_address(family, &key.peer_address)?),
    };
    let transport = Transport::from_protocol(key.protocol);
    let initiated = key.initiated != 0 || peer.is_some() && transport.is_unasked();
    let body = Body::Egress(EgressGrown { peer, transport, initiated, bytes, grown });
    let cgroup = CgroupKey { hierarchy: key.hierarchy, id: key.cgroup };
    Some(Event::new(now, None, Actor { cgroup, ..Actor::default() }, body))
}
