//! Sending records, and counting what became of every event.

use crate::budget;
use crate::globals::config;
use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, BPF_RB_RING_SIZE},
    btf_maps::{PerCpuArray, RingBuf},
    helpers::generated::{bpf_ringbuf_output, bpf_ringbuf_query},
    macros::btf_map,
};
use core::ffi::c_void;
use core::mem::MaybeUninit;
use sensor_common::{
    count::{self, Outcome},
    record::{Header, Kind},
};

/// All records. The agent sets its size.
#[btf_map]
static EVENTS: RingBuf<[u8; 0], { 4 << 20 }> = RingBuf::new();

/// [`count::index`] -> how often. Per CPU: no contention, and exact, since a program is not interrupted by itself.
#[btf_map]
static COUNTERS: PerCpuArray<u64, { count::COUNTERS as usize }> = PerCpuArray::new();

/// Counts one event of `kind`.
#[inline(always)]
pub fn count(kind: Kind, outcome: Outcome) {
    if let Some(counter) = COUNTERS.get_ptr_mut(count::index(kind, outcome)) {
        // SAFETY: an element of this CPU's own copy.
        unsafe { *counter += 1 }
    }
}

/// Bytes that wait in the ring (`BPF_RB_AVAIL_DATA`), or that it has (`BPF_RB_RING_SIZE`).
#[inline(always)]
fn query(what: u32) -> u64 {
    // SAFETY: reads the ring's positions.
    unsafe { bpf_ringbuf_query((&raw const EVENTS).cast_mut().cast(), what.into()) }
}

/// A wake-up costs the traced process 3 to 11 us: only each time that another `wake_bytes` wait; else the agent's timer finds
/// the record. Not just at the first mark: two CPUs that write at once could step over one together.
#[inline(always)]
fn wake_up(waiting: u64, size: u64) -> u64 {
    let mark = u64::from(config!(wake_bytes));
    if (waiting ^ (waiting + size)) & !(mark - 1) != 0 { BPF_RB_FORCE_WAKEUP.into() } else { BPF_RB_NO_WAKEUP.into() }
}

/// Sends `size` bytes at `record`, which begin with a [`Header`], and counts it.
///
/// # Safety
/// `record` points to at least as many readable bytes as the verifier's bound of `size` allows.
#[inline(always)]
pub unsafe fn send(kind: Kind, record: *mut c_void, size: u64) {
    let waiting = query(BPF_RB_AVAIL_DATA);
    // SAFETY: by the contract above.
    let cgroup = unsafe { (*record.cast::<Header>()).cgroup };
    if !budget::allows(cgroup, waiting, query(BPF_RB_RING_SIZE)) {
        return count(kind, Outcome::OverBudget);
    }
    let flags = wake_up(waiting, size);
    // SAFETY: by the contract above; the verifier checks it.
    let result = unsafe { bpf_ringbuf_output((&raw const EVENTS).cast_mut().cast(), record, size, flags) };
    count(kind, if result == 0 { Outcome::Sent } else { Outcome::RingFull });
}

/// Sends a record of fixed size that begins with a [`Header`], made in place by `fill`, and counts it.
#[inline(always)]
pub fn send_with<T: 'static>(kind: Kind, fill: impl FnOnce(&mut T)) {
    // SAFETY: the reservation is `size_of::<T>()` bytes, 8-byte aligned; records are plain data and `fill` writes all of it,
    // so that nothing uninitialised is read.
    send_if::<T>(kind, |place| unsafe {
        fill(&mut *place);
        true
    });
}

/// The same; if `fill` says that it could not make it, nothing is sent and that is counted.
#[inline(always)]
pub fn send_if<T: 'static>(kind: Kind, fill: impl FnOnce(*mut T) -> bool) {
    let waiting = query(BPF_RB_AVAIL_DATA);
    let Some(mut entry) = EVENTS.reserve_untyped::<T>(0) else {
        count(kind, Outcome::RingFull);
        return;
    };
    let place: *mut MaybeUninit<T> = &raw mut *entry;
    if !fill(place.cast()) {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        return count(kind, Outcome::Fault);
    }
    // SAFETY: filled, and every record begins with a header.
    let cgroup = unsafe { (*place.cast::<Header>()).cgroup };
    if !budget::allows(cgroup, waiting, query(BPF_RB_RING_SIZE)) {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        return count(kind, Outcome::OverBudget);
    }
    entry.submit(wake_up(waiting, size_of::<T>() as u64));
    count(kind, Outcome::Sent);
}
