//! Flows that nothing in the kernel ends: those of sockets with many peers. The map `FLOWS`, read now and then.
//!
//! The kernel side ends a flow when its socket goes, if it was the socket's last peer; other peers' flows of an unconnected
//! socket stay in the map. They are ended here once nothing was sent over them for [`IDLE`], with the bytes that the map has.

use super::decode::decode;
use super::sys::Plain;
use crate::event::{BootTime, Event};
use aya::maps::{HashMap, Map, MapData, MapError};
use sensor_common::flow::{FlowKey, FlowValue};
use sensor_common::label::Label;
use sensor_common::record::{Flow, FlowReason, Hook, Kind, VERSION};
use std::time::Duration;
use zerocopy::IntoBytes;

/// How long nothing was sent before a flow counts as ended. Conntrack's for a UDP stream that was answered is 120 s.
pub const IDLE: Duration = Duration::from_secs(60);
/// How often the map is walked. A walk costs about 1 us an entry.
const EVERY: Duration = Duration::from_secs(10);

/// The map `FLOWS`.
pub struct Flows {
    map: HashMap<MapData, Plain<FlowKey>, Plain<FlowValue>>,
    next: BootTime,
}

impl Flows {
    /// On the map `FLOWS`.
    ///
    /// # Errors
    /// When the map has another shape.
    pub fn new(map: Map) -> Result<Flows, MapError> {
        Ok(Flows { map: HashMap::try_from(map)?, next: BootTime(0) })
    }

    /// Ends the flows that have been idle for [`IDLE`] at `now`: takes them out of the map and gives their last report. Does
    /// nothing when it was called less than [`EVERY`] ago.
    pub fn end_idle(&mut self, now: BootTime) -> Vec<Event> {
        if now < self.next {
            return Vec::new();
        }
        self.next = now.plus(EVERY);
        let idle = |value: &FlowValue| now.since(BootTime(value.counters.last_time)) >= IDLE;
        // An entry that is removed while the map is walked ends the walk early (`bpf_map_get_next_key` starts again): first
        // all keys, then the removals. Entries that cannot be read any more were ended by the kernel side.
        let over: Vec<FlowKey> =
            self.map.iter().flatten().filter(|(_, value)| idle(&value.0)).map(|(key, _)| key.0).collect();
        over.into_iter().filter_map(|key| self.end(key, now)).collect()
    }

    /// Takes a flow out. What is sent between the look and the removal, after a minute of silence, starts a new flow or, in
    /// the worst case (some hundred nanoseconds), is not counted; the kernel does both in one step for hashes since 5.14 only.
    fn end(&mut self, key: FlowKey, now: BootTime) -> Option<Event> {
        let value = self.map.get(&Plain(key), 0).ok()?.0;
        self.map.remove(&Plain(key)).ok()?;
        if value.counters.bytes == 0 {
            return None;
        }
        let mut event = decode(last_report(key, &value, now).as_bytes()).ok()?;
        event.hook = None;
        Some(event)
    }
}

/// The record that the kernel side would have sent.
fn last_report(key: FlowKey, value: &FlowValue, now: BootTime) -> Flow {
    let mut flow = Flow {
        header: value.owner,
        endpoints: value.endpoints,
        cookie: key.cookie,
        bytes: value.counters.bytes,
        packets: value.counters.packets,
        first_time: value.counters.first_time,
        reason: FlowReason::Closed as u32,
        flags: value.counters.flags,
        held: Label::ZERO,
    };
    flow.header.version = VERSION;
    flow.header.kind = Kind::Flow as u8;
    flow.header.hook = Hook::CgroupSkb as u8;
    flow.header.size = size_of::<Flow>() as u32;
    flow.header.time = now.0;
    flow
}
