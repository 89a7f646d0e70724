//! Bytes out by cgroup and peer, of every packet: what the agent reads once a second, so that neither a report that the ring had
//! no room for nor one that is not due yet leaves bytes uncounted.

use aya_ebpf::{
    EbpfContext, bindings::BPF_NOEXIST, btf_maps::HashMap, helpers::generated::bpf_skb_cgroup_id, macros::btf_map,
    programs::SkBuffContext,
};
use sensor_common::flow::{self, EgressKey, EgressRestKey};
use sensor_common::record::{Endpoints, Header};

const AF_INET: u16 = 2;
const LOOPBACK_V4: u8 = 127;
/// The last byte of `::1`.
const LOOPBACK_V6: u8 = 1;

/// Payload bytes. Preallocated: a packet does not wait for memory.
#[btf_map]
static EGRESS: HashMap<EgressKey, u64, { flow::EGRESS as usize }> = HashMap::new();

/// Payload bytes to peers for which there was no room.
#[btf_map]
static EGRESS_REST: HashMap<EgressRestKey, u64, { flow::EGRESS_REST as usize }> = HashMap::new();

/// Counts `bytes` of a packet. `owner`: who made its socket, if that is known.
#[inline(always)]
pub fn count(context: &SkBuffContext, owner: Option<&Header>, ends: &Endpoints, bytes: u64, initiated: bool) {
    if is_loopback(ends) {
        return;
    }
    let mut key = EgressKey::ZERO;
    if let Some(owner) = owner {
        (key.cgroup, key.hierarchy) = (owner.cgroup, owner.cgroup_hierarchy);
    }
    if key.cgroup == 0 {
        // The socket is older than the sensor. In cgroup_skb programs since 5.0 (`cg_skb_func_proto`).
        // SAFETY: the context is what the helper takes.
        key.cgroup = unsafe { bpf_skb_cgroup_id(context.as_ptr().cast()) };
    }
    (key.peer_address, key.family, key.protocol) = (ends.peer_address, ends.family, ends.protocol);
    key.initiated = initiated.into();
    if add(&EGRESS, &key, bytes) {
        return;
    }
    let mut rest = EgressRestKey { cgroup: key.cgroup, hierarchy: key.hierarchy, initiated: key.initiated };
    if !add(&EGRESS_REST, &rest, bytes) {
        (rest.cgroup, rest.hierarchy) = (0, 0);
        add(&EGRESS_REST, &rest, bytes);
    }
}

#[inline(always)]
fn is_loopback(ends: &Endpoints) -> bool {
    let peer = &ends.peer_address;
    if ends.family == AF_INET {
        return peer[0] == LOOPBACK_V4;
    }
    let word = |at: usize| u32::from_ne_bytes([peer[at], peer[at + 1], peer[at + 2], peer[at + 3]]);
    word(0) | word(4) | word(8) == 0 && word(12) == u32::from_be(LOOPBACK_V6.into())
}

/// Adds to the entry of `key`, made if there is room; whether there is one.
#[inline(always)]
fn add<K, const N: usize>(map: &'static HashMap<K, u64, N>, key: &K, bytes: u64) -> bool {
    let mut place = map.get_ptr_mut(key);
    if place.is_none() {
        // Another CPU may just have made it.
        let _ = map.insert(key, &0, BPF_NOEXIST.into());
        place = map.get_ptr_mut(key);
    }
    match place {
        Some(place) => {
            // SAFETY: a value of a preallocated hash map stays readable and writable, and is 8-byte aligned. Other CPUs add too:
            // atomically, by an instruction that every kernel has (`BPF_XADD`), and Rust's atomics for this target have not.
            unsafe {
                core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) place, in(reg) bytes, options(nostack))
            };
            true
        }
        None => false,
    }
}
