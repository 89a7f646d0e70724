//! One cgroup's flood must not blind the sensor to the others: while the ring is more than half full, each cgroup may send only so many
//! records in a time. So half of the ring is there for whoever is quiet.

use crate::globals::config;
use crate::header::now;
use aya_ebpf::{btf_maps::LruHashMap, macros::btf_map};
use sensor_common::count::{BUDGETS, Budget};

/// By cgroup id ([`sensor_common::record::Header::cgroup`]); the least recently active goes first, and begins anew.
#[btf_map]
static BUDGET: LruHashMap<u64, Budget, { BUDGETS as usize }> = LruHashMap::new();

/// How long a budget is for, nanoseconds: the agent empties the ring every 50 ms.
const WINDOW: u64 = 100_000_000;

/// Whether that cgroup may send one more record, of which `waiting` bytes are in the ring, that has `size`.
#[inline(never)]
pub fn allows(cgroup: u64, waiting: u64, size: u64) -> bool {
    if waiting < size / 2 {
        return true;
    }
    let now = now();
    let Some(budget) = BUDGET.get_ptr_mut(cgroup) else {
        // Without room the ring itself is the bound.
        let _ = BUDGET.insert(cgroup, Budget { since: now, sent: 1, refused: 0 }, 0);
        return true;
    };
    // SAFETY: a value of a preallocated map stays readable and writable. CPUs that count at once can lose a count to each other: it
    // bounds, and proves nothing.
    let budget = unsafe { &mut *budget };
    if now - budget.since >= WINDOW {
        budget.since = now;
        budget.sent = 0;
    }
    budget.sent += 1;
    // The fuller the ring, the less: an agent that gets no time must not lose the quiet ones over it.
    let all = u64::from(config!(budget));
    let allowed = if waiting < size / 4 * 3 { all } else { all / 16 };
    if budget.sent <= allowed {
        return true;
    }
    budget.refused += 1;
    false
}
