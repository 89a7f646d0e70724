//! Bytes that move between a process and something that can carry them: as system calls return, and as io_uring requests complete,
//! for only then it is known how many they were.
//!
//! Reading costs a look-up of what is read, writing one of who writes; only what finds something goes on. What is mapped is told when
//! it is mapped, since nothing tells of what is read or written there afterwards.
//!
//! What is a function of its own here, and what is not, is a matter of the stack: all the frames from `on_sys_exit` down to the one
//! that fills the header have 512 bytes together (`check_max_stack_depth`, kernel/bpf/verifier.c; newer kernels allow more).

use super::object::{self, Object, before_accept, by_name, by_own_name, key_of};
use super::{TRANSFERS, add, carrier, carry, hold, holder, tgid};
use crate::call::Call;
use crate::globals::{bounded, get, offset, read, read_user};
use crate::header::{self, excluded};
use crate::scratch::{self, Slot};
use crate::{files, ring};
use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use core::ptr;
use sensor_common::classify::{CLASSES, InodeKey};
use sensor_common::config::{ABSENT, Action, uring_op};
use sensor_common::count::Outcome;
use sensor_common::label::{
    COOKIE, Carrier, Direction, Label, NAMED, NOT_ACCEPTED, PERHAPS, TransferKey, Transferred, label_flags,
};
use sensor_common::record::{File, Hook, Kind, PATH_MAX, Path, Transfer, transfer_flags};

/// `PROT_READ`, `PROT_WRITE`, `MAP_TYPE`, `MAP_SHARED`, `MAP_SHARED_VALIDATE`, `MAP_ANONYMOUS` (include/uapi/asm-generic/mman-common.h,
/// include/uapi/linux/mman.h).
const PROT_WRITE: u64 = 2;
const MAP_TYPE: u64 = 0xf;
const MAP_SHARED: u64 = 1;
const MAP_SHARED_VALIDATE: u64 = 3;
const MAP_ANONYMOUS: u64 = 0x20;
/// `FMODE_WRITE` (include/linux/fs.h) in `f_mode`.
const FMODE_WRITE: u32 = 2;
/// `FICLONE`, `FICLONERANGE` (include/uapi/linux/fs.h).
const FICLONE: u64 = 0x4004_9409;
const FICLONERANGE: u64 = 0x4020_940d;
/// What a message can have at most, where the number of messages is known and not that of their bytes: more than a unix socket's
/// buffer takes by default (`net.core.wmem_max`).
const MESSAGE: u64 = 1 << 20;
/// A descriptor is an int.
const DESCRIPTOR: u64 = 0xffff_ffff;
/// No descriptor.
const NONE: u64 = u64::MAX;
/// The first report after so many bytes more.
const FLOOR: u64 = 4096;

/// Something moved.
struct Move {
    /// `struct file *`
    file: u64,
    /// How much.
    bytes: u64,
    /// Where it goes, a `struct sockaddr *` of the process's; 0: that is the file's to know.
    to: u64,
    /// [`transfer_flags`]
    flags: u32,
    hook: Hook,
}

/// What a system call moved, between which descriptors and the process.
#[repr(C)]
struct Ends {
    /// What the process took from; [`NONE`] for nothing.
    from: u64,
    /// What it gave to; the same.
    to: u64,
    bytes: u64,
    /// Where what it gave goes, a `struct sockaddr *` of the process's; 0: that is the descriptor's to know.
    address: u64,
    /// [`transfer_flags`]
    flags: u64,
}

/// In a map, so that the verifier does not know what is in it by which way: else it would go through all that follows once for each.
#[btf_map]
static ENDS: PerCpuArray<Ends, 1> = PerCpuArray::new();

/// A system call returned that moves bytes from one descriptor to another, or to or from the process's memory.
#[inline(always)]
pub fn called(call: &Call) {
    // SAFETY: this program's own element of this CPU's copy; nothing else refers to it while the program runs.
    let Some(ends) = ENDS.get_ptr_mut(0).map(|ends| unsafe { &mut *ends }) else { return };
    if !sort(call, ends) {
        return;
    }
    // SAFETY: a reference is valid to read. Volatile, so that they are read from the map.
    let ends = unsafe { ptr::read_volatile(ends) };
    if ends.from != NONE {
        took_from(ends.from, ends.bytes, ends.flags as u32);
    }
    if ends.to != NONE {
        gave_to(ends.to, ends.bytes, ends.flags as u32, ends.address);
    }
}

/// Finds out what a system call moved. False for nothing that is to be looked at any more.
#[inline(never)]
fn sort(call: &Call, ends: &mut Ends) -> bool {
    const READ: u8 = Action::Read as u8;
    const READ_MANY: u8 = Action::ReadMany as u8;
    const WRITE: u8 = Action::Write as u8;
    const WRITE_MANY: u8 = Action::WriteMany as u8;
    const SENDFILE: u8 = Action::Sendfile as u8;
    const SPLICE: u8 = Action::Splice as u8;
    const TEE: u8 = Action::Tee as u8;
    const VMSPLICE: u8 = Action::Vmsplice as u8;
    const IOCTL: u8 = Action::Ioctl as u8;
    const SENDTO: u8 = Action::Sendto as u8;
    const SENDMSG: u8 = Action::Sendmsg as u8;
    const MMAP: u8 = Action::Mmap as u8;
    // At its end a file gives nothing, and nor does who writes nothing.
    if call.result == 0 && call.action != IOCTL {
        return false;
    }
    let first = call.argument(0) & DESCRIPTOR;
    *ends = Ends { from: NONE, to: NONE, bytes: call.result, address: 0, flags: 0 };
    match call.action {
        READ => ends.from = first,
        WRITE => ends.to = first,
        SENDTO => (ends.to, ends.address) = (first, call.argument(4)),
        // `struct user_msghdr` begins with the address.
        SENDMSG if call.is_compat() => {
            (ends.to, ends.address) = (first, read_user::<u32>(call.argument(1)).into());
        }
        SENDMSG => (ends.to, ends.address) = (first, read_user(call.argument(1))),
        READ_MANY | WRITE_MANY => {
            ends.bytes = call.result * MESSAGE;
            ends.flags = transfer_flags::BOUND.into();
            if call.action == READ_MANY {
                ends.from = first;
            } else {
                ends.to = first;
            }
        }
        // Between two descriptors, past the process's memory: as if it went through it.
        SENDFILE => (ends.from, ends.to) = (call.argument(1) & DESCRIPTOR, first),
        SPLICE => (ends.from, ends.to) = (first, call.argument(2) & DESCRIPTOR),
        TEE => (ends.from, ends.to) = (first, call.argument(1) & DESCRIPTOR),
        // Of a pipe one end only can be written to.
        VMSPLICE if read::<u32>(files::of_descriptor(first) + offset!(file_mode)) & FMODE_WRITE != 0 => ends.to = first,
        VMSPLICE => ends.from = first,
        IOCTL => return cloned(call, ends),
        MMAP => return mapped(call, ends),
        _ => return false,
    }
    true
}

/// `ioctl(FICLONE)`: the file got the blocks of another one.
#[inline(always)]
fn cloned(call: &Call, ends: &mut Ends) -> bool {
    let command = call.argument(1) & 0xffff_ffff;
    if command != FICLONE && command != FICLONERANGE {
        return false;
    }
    // `struct file_clone_range` begins with the descriptor. A range is at most the whole.
    let from = if command == FICLONE { call.argument(2) } else { read_user::<u64>(call.argument(2)) } & DESCRIPTOR;
    let file = files::of_descriptor(from);
    (ends.from, ends.to) = (from, call.argument(0) & DESCRIPTOR);
    ends.bytes = read(read::<u64>(file + offset!(file_inode)) + offset!(inode_size));
    ends.flags = if command == FICLONE { 0 } else { transfer_flags::BOUND.into() };
    true
}

/// A file was mapped. What is private or only read is as if it were read; what is shared stays in touch.
#[inline(always)]
fn mapped(call: &Call, ends: &mut Ends) -> bool {
    let (length, protection, flags) = (call.argument(1), call.argument(2), call.argument(3));
    if flags & MAP_ANONYMOUS != 0 || call.argument(4) as i32 == -1 {
        return false;
    }
    ends.from = call.argument(4) & DESCRIPTOR;
    ends.bytes = length;
    ends.flags = u64::from(transfer_flags::MAPPED | transfer_flags::BOUND);
    let shared = flags & MAP_TYPE == MAP_SHARED || flags & MAP_TYPE == MAP_SHARED_VALIDATE;
    if shared && protection & PROT_WRITE != 0 {
        let file = files::of_descriptor(ends.from);
        if file != 0 {
            stays_in_touch(file, length);
        }
        return false;
    }
    true
}

/// A file is mapped, shared and writable, whoever holds what by now: the agent is told, once for each process and file.
#[inline(never)]
fn stays_in_touch(file: u64, length: u64) {
    let mut object = Object { key: InodeKey::ZERO, carrier: 0, inode: 0 };
    object::receiver(file, &mut object);
    let tgid = tgid();
    if object.carrier == 0 || tgid == 0 || excluded().is_some() {
        return;
    }
    let flags = transfer_flags::MAPPED | transfer_flags::BOUND;
    let found = Move { file, bytes: length, to: 0, flags, hook: Hook::SysExit };
    let mut classes = carrier(&object.key).map_or(0, |label| label.classes);
    if classes != 0 {
        keep(hold(classes, length));
    }
    if let Some(label) = holder(tgid) {
        classes |= label.classes;
        keep(carry(&object.key, label.classes, length, 0));
    }
    report(&found, &object, classes, Direction::Both, tgid);
}

/// The current process read `bytes` through that descriptor.
#[inline(never)]
fn took_from(descriptor: u64, bytes: u64, flags: u32) {
    let hook = Hook::SysExit;
    match files::of_small_descriptor(descriptor) {
        Some(file) => took_typed(&Move { file, bytes, to: 0, flags, hook }),
        None => took_untyped(&Move { file: files::of_descriptor(descriptor), bytes, to: 0, flags, hook }),
    }
}

/// The current process wrote `bytes` through that descriptor.
#[inline(always)]
fn gave_to(descriptor: u64, bytes: u64, flags: u32, to: u64) {
    // Most processes hold nothing.
    if holder(tgid()).is_some() {
        gave(&Move { file: files::of_descriptor(descriptor), bytes, to, flags, hook: Hook::SysExit });
    }
}

/// An io_uring request completed.
#[inline(always)]
pub fn completed(operation: u32, request: u64, bytes: u64) {
    let file: u64 = read(request + offset!(uring_file));
    let (flags, hook) = (transfer_flags::IO_URING, Hook::IoUringComplete);
    let done = Move { file, bytes, to: 0, flags, hook };
    match operation {
        uring_op::READV
        | uring_op::READ_FIXED
        | uring_op::RECVMSG
        | uring_op::READ
        | uring_op::RECV
        | uring_op::READ_MULTISHOT
        | uring_op::READV_FIXED => took(&done),
        uring_op::SPLICE | uring_op::TEE => {
            let place = offset!(uring_splice_from);
            if place != u64::from(ABSENT) {
                let from = files::of_descriptor(u64::from(read::<u32>(request + place)));
                took(&Move { file: from, bytes, to: 0, flags, hook });
            }
            gave(&done);
        }
        _ => gave(&done),
    }
}

#[inline(always)]
fn took_typed(found: &Move) {
    let inode: u64 = get::<true, u64>(found.file, offset!(file_inode));
    let key = key_of::<true>(inode);
    let mode = u32::from(get::<true, u16>(inode, offset!(inode_mode)));
    took_out_of(found, key, mode, inode);
}

#[inline(never)]
fn took(found: &Move) {
    took_untyped(found);
}

#[inline(always)]
fn took_untyped(found: &Move) {
    let inode: u64 = read(found.file + offset!(file_inode));
    let mode = u32::from(read::<u16>(inode + offset!(inode_mode)));
    took_out_of(found, key_of::<false>(inode), mode, inode);
}

#[inline(always)]
fn took_out_of(found: &Move, mut key: InodeKey, mode: u32, inode: u64) {
    let mut label = carrier(&key);
    if label.is_none() && object::is_socket(mode) {
        key = before_accept(found.file);
        if key.device != 0 {
            label = carrier(&key);
        }
        if label.is_none() {
            key = by_own_name(found.file);
            if key.device != 0 {
                label = carrier(&key);
            }
        }
    }
    if let Some(label) = label {
        took_label(found, &key, label, inode);
    }
}

/// Counts what a process took out of a thing. Whether it may be new to it: what it opened itself it holds already, up to the size
/// that it had then.
#[inline(never)]
fn is_new(key: &InodeKey, tgid: u32, bytes: u64) -> bool {
    let direction = Direction::In as u32;
    let pair = TransferKey { inode: key.inode, device: key.device, tgid, direction, reserved: 0 };
    // SAFETY: a value of a preallocated hash map stays readable and writable.
    if let Some(known) = TRANSFERS.get_ptr_mut(&pair).map(|known| unsafe { &mut *known })
        && known.bytes + bytes < known.next_report
    {
        add(&mut known.bytes, bytes);
        return false;
    }
    true
}

/// The current process took something out of what has that label.
#[inline(never)]
fn took_label(found: &Move, key: &InodeKey, label: &Label, inode: u64) {
    let tgid = tgid();
    let (classes, flags, most) = (label.classes, label.flags, label.bytes);
    if tgid == 0 || excluded().is_some() {
        return;
    }
    if !is_new(key, tgid, found.bytes) {
        return;
    }
    let bytes = if found.bytes < most { found.bytes } else { most };
    keep(hold(classes, bytes));
    let carrier = if flags & label_flags::SOURCE != 0 { Carrier::File as u32 } else { 0 };
    let object = Object { key: *key, carrier, inode };
    report(found, &object, classes, Direction::In, tgid);
}

/// The current process gave something to `found.file`, if it holds anything.
#[inline(never)]
fn gave(found: &Move) {
    let tgid = tgid();
    let Some(label) = holder(tgid) else { return };
    let (classes, held) = (label.classes, label.bytes);
    let mut object = Object { key: InodeKey::ZERO, carrier: 0, inode: 0 };
    object::receiver(found.file, &mut object);
    if object.carrier == 0 && found.to != 0 {
        to_name(found.to, &mut object);
    }
    if object.carrier == 0 || tgid == 0 || excluded().is_some() {
        return;
    }
    let bytes = if found.bytes < held || classes & PERHAPS != 0 { found.bytes } else { held };
    if object.key.device != COOKIE || object.key.inode != 0 {
        let anonymous = object.carrier != Carrier::File as u32 && object.carrier != Carrier::Device as u32;
        keep(carry(&object.key, classes, bytes, if anonymous { label_flags::ANONYMOUS } else { 0 }));
    }
    report(found, &object, classes, Direction::Out, tgid);
}

/// A unix datagram is sent to that name.
#[inline(never)]
fn to_name(address: u64, object: &mut Object) {
    let Some((_, tail)) = scratch::of::<u64>(Slot::SysExit) else { return };
    let key = by_name(&tail, address);
    if key.device != 0 {
        object.key = key;
        object.inode = 0;
        object.carrier = Carrier::UnixSocket as u32;
    }
}

/// Whether there was room to remember it; if not, that is counted.
#[inline(always)]
fn keep(kept: bool) {
    if !kept {
        ring::count(Kind::Transfer, Outcome::Seen);
        ring::count(Kind::Transfer, Outcome::TableFull);
    }
}

/// Tells of it, if it is the first time or twice as much as it was.
#[inline(always)]
fn report(found: &Move, object: &Object, classes: u32, direction: Direction, tgid: u32) {
    let until = due(&object.key, tgid, direction, found.bytes);
    if until != 0 {
        tell(found, object, classes, direction, until);
    }
}

/// Counts what moved between a process and a thing. If that is to be told, how much there will be when it is told next: [`after`] what
/// there is now; else 0.
#[inline(never)]
fn due(key: &InodeKey, tgid: u32, direction: Direction, moved: u64) -> u64 {
    let pair = TransferKey { inode: key.inode, device: key.device, tgid, direction: direction as u32, reserved: 0 };
    // SAFETY: a value of a preallocated hash map stays readable and writable.
    if let Some(known) = TRANSFERS.get_ptr_mut(&pair).map(|known| unsafe { &mut *known }) {
        let bytes = known.bytes + moved;
        add(&mut known.bytes, moved);
        if bytes < known.next_report {
            return 0;
        }
        known.next_report = after(bytes);
        return after(bytes);
    }
    let _ = TRANSFERS.insert(&pair, Transferred { bytes: moved, next_report: after(moved) }, 0);
    after(moved)
}

/// When it is told next, if it is told at so many bytes.
#[inline(always)]
fn after(bytes: u64) -> u64 {
    bytes * 2 + FLOOR
}

/// The inverse of [`after`].
#[inline(always)]
fn before(until: u64) -> u64 {
    (until - FLOOR) / 2
}

#[inline(never)]
fn tell(found: &Move, object: &Object, classes: u32, direction: Direction, until: u64) {
    ring::count(Kind::Transfer, Outcome::Seen);
    let slot = if matches!(found.hook, Hook::SysExit) { Slot::SysExit } else { Slot::UringComplete };
    let Some((transfer, tail)) = scratch::of::<Transfer>(slot) else {
        return ring::count(Kind::Transfer, Outcome::Fault);
    };
    transfer.path = Path { len: 0, flags: 0 };
    transfer.file = File::ZERO;
    // Known by its label: what it is, its file tells.
    transfer.carrier = if object.carrier == 0 { object::carrier(found.file) } else { object.carrier };
    transfer.cookie = if object.key.device == COOKIE { object.key.inode } else { 0 };
    transfer.classes = classes & (CLASSES | PERHAPS);
    transfer.direction = direction as u32;
    (transfer.bytes, transfer.until) = (before(until), until);
    transfer.flags = found.flags;
    transfer.reserved = 0;
    // The path last: its walk is what the verifier takes longest for, once for each state that it comes there in.
    let mut end = 0;
    if object.key.device == NOT_ACCEPTED || object.key.device == NAMED {
        transfer.file.inode = object.key.inode;
    } else if object.inode != 0 {
        files::facts(&mut transfer.file, object.inode);
        if transfer.carrier == Carrier::File as u32
            || transfer.carrier == Carrier::Memory as u32
            || transfer.carrier == Carrier::Pipe as u32
        {
            let (path, at) =
                tail.path(0, read(found.file + offset!(file_dentry)), read(found.file + offset!(file_mnt)));
            transfer.path = path;
            end = at;
        }
    }
    let size = size_of::<Transfer>() as u64 + bounded::<{ PATH_MAX as u32 }>(end);
    header::fill(&mut transfer.header, Kind::Transfer, found.hook, size as u32);
    // SAFETY: the scratch space has room for a record and a path.
    unsafe { ring::send(Kind::Transfer, (&raw mut *transfer).cast(), size) }
}
