//! Labels: which processes hold classified content, and what carries it from one to another.
//!
//! Here live the maps ([`HOLDERS`], [`CARRIERS`]) and who writes them: opens ([`opened`]), whatever moves bytes ([`transfer`]), the
//! look at what a process has open when it connects ([`look`]), forks and exits. What a label means, and which file it comes from, is
//! the agent's to know. Labels only ever grow here: the agent removes those of things that are no more, an exit those of its process.

mod look;
pub mod object;
mod transfer;

pub use look::at_connect;
pub use object::key_of;
pub use transfer::{called, completed};

use crate::agent;
use crate::globals::{config, offset, task_load};
use crate::header::now;
use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{HashMap, LruHashMap},
    macros::btf_map,
};
use sensor_common::classify::InodeKey;
use sensor_common::label::{self, COOKIE, Direction, Label, PERHAPS, TransferKey, Transferred, label_flags};
use sensor_common::record::File;

/// By `task_struct.tgid`.
#[btf_map]
static HOLDERS: HashMap<u32, Label, { label::HOLDERS as usize }> = HashMap::new();
#[btf_map]
static CARRIERS: HashMap<InodeKey, Label, { label::CARRIERS as usize }> = HashMap::new();
#[btf_map]
static TRANSFERS: LruHashMap<TransferKey, Transferred, { label::TRANSFERS as usize }> = LruHashMap::new();

/// Adds to a counter that other CPUs add to as well.
#[inline(always)]
fn add(counter: &mut u64, bytes: u64) {
    // SAFETY: an aligned word of a map's value. `BPF_XADD`, which 5.10 has; the compiler offers no atomics for this target.
    unsafe {
        core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) &raw mut *counter, in(reg) bytes, options(nostack));
    }
}

/// Joins to a label what it does not have yet.
///
/// Two CPUs that join different classes to one label at once can lose one of them until the next time: there is no atomic "or"
/// before 5.12.
#[inline(always)]
fn join(label: &mut Label, classes: u32, bytes: u64, flags: u32) {
    if label.classes & classes != classes {
        label.classes |= classes;
    }
    if label.flags & flags != flags {
        label.flags |= flags;
    }
    add(&mut label.bytes, bytes);
    label.used = now();
}

#[inline(always)]
fn holder(tgid: u32) -> Option<&'static mut Label> {
    // SAFETY: a value of a preallocated hash map stays readable and writable; single words only are written.
    HOLDERS.get_ptr_mut(tgid).map(|label| unsafe { &mut *label })
}

#[inline(always)]
fn carrier(key: &InodeKey) -> Option<&'static mut Label> {
    // SAFETY: as above.
    CARRIERS.get_ptr_mut(key).map(|label| unsafe { &mut *label })
}

/// The current process could have read `bytes` of these classes. False: there is no room to remember it.
#[inline(never)]
fn hold(classes: u32, bytes: u64) -> bool {
    let tgid = task_load::<u32>(offset!(task_tgid));
    if let Some(label) = holder(tgid) {
        join(label, classes, bytes, 0);
        return true;
    }
    let label = Label { bytes, classes, flags: 0, used: now() };
    HOLDERS.insert(tgid, label, 0).is_ok()
}

/// `key` carries `bytes` more of these classes. False: there is no room to remember it.
#[inline(never)]
fn carry(key: &InodeKey, classes: u32, bytes: u64, flags: u32) -> bool {
    if let Some(label) = carrier(key) {
        join(label, classes, bytes, flags);
        return true;
    }
    let label = Label { bytes, classes, flags, used: now() };
    CARRIERS.insert(key, label, 0).is_ok()
}

/// What that process holds, and what was given to that socket.
#[inline(always)]
pub fn held(tgid: u32, cookie: u64, held: &mut Label) {
    *held = Label::ZERO;
    if let Some(label) = holder(tgid) {
        *held = *label;
    }
    if let Some(label) = carrier(&InodeKey { inode: cookie, device: COOKIE, reserved: 0 }) {
        held.classes |= label.classes;
        if label.bytes > held.bytes {
            held.bytes = label.bytes;
        }
    }
}

/// Whether that file carries something, and how much.
#[inline(always)]
pub fn carried(key: &InodeKey) -> Option<(u32, u64)> {
    carrier(key).map(|label| (label.classes, label.bytes))
}

/// The current process opened a file of these classes for reading: it can read all of it from now on. `carried`: of those that somebody
/// wrote to it, at most so many bytes. False: there was no room to remember it.
#[inline(always)]
pub fn opened(file: &File, classes: u32, (carried, most): (u32, u64)) -> bool {
    let key = InodeKey { inode: file.inode, device: file.device, reserved: 0 };
    let tgid = task_load::<u32>(offset!(task_tgid));
    let bytes = if classes == 0 && most < file.size { most } else { file.size };
    // Opened twice, it is held once: the reads of what it had then tell nothing new either.
    let pair = TransferKey { inode: key.inode, device: key.device, tgid, direction: Direction::In as u32, reserved: 0 };
    let next_report = file.size + 1;
    let mut new = bytes;
    // SAFETY: as in `holder`.
    match TRANSFERS.get_ptr_mut(&pair).map(|known| unsafe { &mut *known }) {
        Some(known) if known.next_report >= next_report => new = 0,
        Some(known) => known.next_report = next_report,
        None => {
            let _ = TRANSFERS.insert(&pair, Transferred { bytes: 0, next_report }, 0);
        }
    }
    let mut kept = hold(classes | carried, new);
    if classes & config!(source_classes) != 0 {
        let flags = if file.links == 0 { label_flags::SOURCE | label_flags::ANONYMOUS } else { label_flags::SOURCE };
        let known = carrier(&key).map_or(0, |label| label.bytes);
        kept &= carry(&key, classes, file.size.saturating_sub(known), flags);
    }
    kept
}

/// A thing is new: what had its number before is gone.
#[inline(always)]
pub fn forget(key: &InodeKey) {
    let _ = CARRIERS.remove(key);
}

/// The current process got at the memory or the descriptors of another one.
#[inline(always)]
pub fn reached_another() -> bool {
    hold(PERHAPS, 0)
}

/// A process made another: that has what it has.
#[inline(always)]
pub fn forked(child: u32) -> bool {
    match holder(task_load::<u32>(offset!(task_tgid))) {
        Some(label) => HOLDERS.insert(child, *label, BPF_NOEXIST.into()).is_ok(),
        None => true,
    }
}

/// A process ended.
#[inline(always)]
pub fn ended(tgid: u32) {
    let _ = HOLDERS.remove(tgid);
}

/// The current process, unless it is the agent.
#[inline(always)]
fn tgid() -> u32 {
    let tgid = task_load::<u32>(offset!(task_tgid));
    if agent::is(tgid) { 0 } else { tgid }
}
