//! The kernel's own count of bytes out, by cgroup and peer: the map `EGRESS`, read once a second.
//!
//! What has grown enters the line as [`EgressGrown`]. Nothing that happens to the ring or between a flow's reports changes it.

use super::decode::peer_address;
use super::sys::Plain;
use crate::event::{Actor, Body, BootTime, CgroupKey, EgressGrown, Event, Transport};
use aya::maps::{HashMap, Map, MapData, MapError};
use sensor_common::flow::{EGRESS, EgressKey};
use std::time::Duration;
use zerocopy::IntoBytes;

/// From this many entries on, those that have not grown for [`IDLE`] are taken out.
const CROWDED: usize = EGRESS as usize * 3 / 4;
/// How long an entry has not grown before it is taken out of a crowded map.
const IDLE: Duration = Duration::from_secs(60);

/// The map `EGRESS`.
pub struct EgressCounters {
    map: HashMap<MapData, Plain<EgressKey>, u64>,
    /// What each entry had when it was read last, and since when. At most as many as the map has.
    seen: std::collections::HashMap<[u8; size_of::<EgressKey>()], (u64, BootTime), ahash::RandomState>,
}

impl EgressCounters {
    /// On the map `EGRESS`. Makes the entries in which is counted what finds no room elsewhere.
    ///
    /// # Errors
    /// When the map has another shape, or refuses the entries.
    pub fn new(map: Map) -> Result<EgressCounters, MapError> {
        let mut map: HashMap<_, Plain<EgressKey>, u64> = HashMap::try_from(map)?;
        for initiated in [0, 1] {
            map.insert(Plain(EgressKey { initiated, ..EgressKey::ZERO }), 0, 0)?;
        }
        Ok(EgressCounters { map, seen: std::collections::HashMap::default() })
    }

    /// What has grown since the last time. Costs about 1 us an entry.
    pub fn read(&mut self, now: BootTime) -> Vec<Event> {
        let mut events = Vec::new();
        let mut entries = 0;
        // A walk that meets an entry twice finds that it has not grown since.
        for (Plain(key), bytes) in self.map.iter().flatten() {
            entries += 1;
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
        let EgressCounters { map, seen } = self;
        seen.retain(|id, (before, since)| {
            let Some(key) = zerocopy::FromBytes::read_from_bytes(id).ok().filter(|key| !is_last_resort(key)) else {
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

/// Whether it is one of the entries that have to be there always.
fn is_last_resort(key: &EgressKey) -> bool {
    key.cgroup == 0 && key.family == 0
}

fn event(key: &EgressKey, bytes: u64, grown: u64, now: BootTime) -> Option<Event> {
    let peer = match key.family {
        0 => None,
        family => Some(peer_address(family, &key.peer_address)?),
    };
    let transport = Transport::from_protocol(key.protocol);
    let body = Body::Egress(EgressGrown { peer, transport, initiated: key.initiated != 0, bytes, grown });
    let cgroup = CgroupKey { hierarchy: key.hierarchy, id: key.cgroup };
    Some(Event::new(now, None, Actor { cgroup, ..Actor::default() }, body))
}
