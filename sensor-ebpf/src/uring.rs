//! What io_uring does that no system call shows: opens, sockets, renames, links and unlinks. Where trampolines see these, the
//! agent asks for none of them here.
//!
//! A request that opens completes with a descriptor, or fills a direct slot of its ring; both are looked up at
//! `io_uring_complete`. It runs in a thread of the submitter (itself, its io-wq worker or its SQPOLL thread, which all share
//! its descriptors since 5.12, and 5.10.162 of the long-term kernel; before, kernel threads worked on requests, and the tracepoint
//! tells too little). A request may ask for no completion (`IOSQE_CQE_SKIP_SUCCESS`, 5.17): then the name that it asked for is
//! recorded when it is submitted, from the kernel's own copy. So are names that are gone by the completion.

use crate::globals::{config, offset, read};
use crate::header::{self, admit};
use crate::{agent, call, change, classify, files, label, open, ring, socket_made};
use aya_ebpf::{
    EbpfContext as _,
    btf_maps::{LruHashMap, PerCpuArray},
    helpers::generated::bpf_probe_read_kernel_str,
    macros::btf_map,
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use sensor_common::config::{self, ABSENT, UringKey, uring_op, uring_shape};
use sensor_common::count::Outcome;
use sensor_common::record::{File, Hook, Kind, Open, PATH_MAX, Path, file_flags, path_flags};

/// `IORING_FILE_INDEX_ALLOC`: the ring chooses the direct slot and returns it as the result.
const SLOT_CHOSEN: u32 = u32::MAX;
/// Low bits of a tagged file pointer (`FFS_MASK`, io_uring/filetable.h).
const TAG_MASK: u64 = 7;
/// `AT_REMOVEDIR` (include/uapi/linux/fcntl.h).
const AT_REMOVEDIR: u32 = 0x200;

/// The names in a request that changes a name: kernel addresses, `new` 0 for none.
pub struct Names {
    pub kind: Kind,
    pub old: u64,
    pub new: u64,
}

#[repr(C)]
struct Scratch {
    open: Open,
    path: [u8; PATH_MAX + 1],
}

#[btf_map]
static URING_SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();
/// Requests on their way, where completions do not tell which one they are of.
#[btf_map]
static URING_REQUESTS: LruHashMap<UringKey, u64, { config::URING_REQUESTS as usize }> = LruHashMap::new();

/// An argument whose number depends on the kernel. In assembly, for the compiler would make one load of several in branches, at a
/// place that it computes first; the verifier wants the place in the load.
#[inline(always)]
fn argument<const N: u32>(context: &BtfTracePointContext) -> u64 {
    let value: u64;
    // SAFETY: the verifier checks that the tracepoint has so many arguments.
    unsafe {
        core::arch::asm!("{0} = *(u64 *)({1} + {2})", out(reg) value, in(reg) context.as_ptr(), const N * 8,
            options(readonly, nostack))
    }
    value
}

/// What `request` (`struct io_kiocb *`) does, if that is watched; else 0 (`IORING_OP_NOP`).
#[inline(always)]
fn operation(request: u64) -> u32 {
    let operation = u32::from(read::<u8>(request + offset!(uring_opcode))) & 63;
    match call::watched() {
        Some(watched) if watched.io_uring >> operation & 1 != 0 => operation,
        _ => 0,
    }
}

#[inline(always)]
fn is_open(operation: u32) -> bool {
    operation == uring_op::OPENAT || operation == uring_op::OPENAT2
}

/// Whether it moves bytes between a file and memory, or between two files.
#[inline(always)]
fn moves(operation: u32) -> bool {
    const MOVES: u64 = config::bits(config::MOVES);
    MOVES >> operation & 1 != 0
}

/// The `struct file *` in a direct slot of the request's ring; 0 if there is none.
#[inline(always)]
fn of_slot(request: u64, slot: u64) -> u64 {
    let ring: u64 = read(request + offset!(uring_ctx));
    let absent = u64::from(ABSENT);
    if offset!(uring_ctx_nodes) != absent {
        let length: u32 = read(ring + offset!(uring_ctx_nodes_nr));
        if slot >= u64::from(length) {
            return 0;
        }
        let nodes: u64 = read(ring + offset!(uring_ctx_nodes));
        let node: u64 = read(nodes + slot * size_of::<u64>() as u64);
        return if node == 0 { 0 } else { read::<u64>(node + offset!(uring_node_file)) & !TAG_MASK };
    }
    if offset!(uring_ctx_files) != absent {
        let length: u32 = read(ring + offset!(uring_ctx_files_nr));
        if slot >= u64::from(length) {
            return 0;
        }
        let files: u64 = read(ring + offset!(uring_ctx_files));
        return read::<u64>(files + slot * size_of::<u64>() as u64) & !TAG_MASK;
    }
    0
}

/// `trace_io_uring_complete`, whose arguments [`uring_shape`] tells.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn on_uring_complete(context: BtfTracePointContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let (request, result): (u64, i32) = match config!(uring_shape) {
        uring_shape::CQE => (argument::<1>(&context), read(argument::<2>(&context) + offset!(uring_cqe_res))),
        uring_shape::RESULT => (argument::<1>(&context), argument::<3>(&context) as i32),
        uring_shape::USER_DATA => {
            (submitted(argument::<0>(&context), argument::<1>(&context)), argument::<2>(&context) as i32)
        }
        _ => return 0,
    };
    if request == 0 || result < 0 {
        return 0;
    }
    let operation = operation(request);
    if operation == 0 {
        return 0;
    }
    if operation == uring_op::FTRUNCATE {
        let file = read(request + offset!(uring_file));
        change::of_file(file, read(request + offset!(uring_ftruncate_len)), Hook::IoUringComplete);
        return 0;
    }
    if moves(operation) {
        if result > 0 {
            label::completed(operation, request, result as u64);
        }
        return 0;
    }
    let slot = if is_open(operation) {
        slot(request, offset!(uring_open_slot))
    } else if operation == uring_op::SOCKET {
        slot(request, offset!(uring_socket_slot))
    } else {
        return 0;
    };
    let file = match slot {
        0 => files::of_descriptor(result as u64),
        SLOT_CHOSEN => of_slot(request, result as u64),
        chosen => of_slot(request, u64::from(chosen) - 1),
    };
    if is_open(operation) {
        open::record(file, classify::of_file, Hook::IoUringComplete);
    } else {
        socket_made::of_file(file, Hook::IoUringComplete);
    }
    0
}

/// The request of that ring and name; 0 if it is not watched.
#[inline(always)]
fn submitted(ring: u64, user_data: u64) -> u64 {
    // SAFETY: the value may be replaced while it is read, but stays readable.
    let request = URING_REQUESTS.get_ptr(UringKey { ring, user_data }).map_or(0, |request| unsafe { *request });
    // The kernel uses the memory of a request again for another.
    let same = read::<u64>(request + offset!(uring_user_data)) == user_data
        && read::<u64>(request + offset!(uring_ctx)) == ring;
    if request != 0 && same { request } else { 0 }
}

/// The direct slot that a request asked for; 0 for a descriptor.
#[inline(always)]
fn slot(request: u64, place: u64) -> u32 {
    if place == u64::from(ABSENT) { 0 } else { read(request + place) }
}

/// The name in a `struct filename *` at `place` in the request.
#[inline(always)]
fn name(request: u64, place: u64) -> u64 {
    if place == u64::from(ABSENT) {
        return 0;
    }
    let filename: u64 = read(request + place);
    read(filename + offset!(filename_name))
}

/// `trace_io_uring_submit_req(req)` (6.4; before, `io_uring_submit_sqe(req, ...)`, and before 6.0 `(ctx, req, ...)`): for requests that post no completion, and
/// those whose names are gone by then.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn on_uring_submit(context: BtfTracePointContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let request = if config!(uring_submitted) == 0 { argument::<0>(&context) } else { argument::<1>(&context) };
    let skip = config!(uring_skip_flag);
    let operation = operation(request);
    if config!(uring_shape) == uring_shape::USER_DATA
        && (is_open(operation) || moves(operation) || operation == uring_op::SOCKET || operation == uring_op::FTRUNCATE)
    {
        let (ring, user_data) = (read(request + offset!(uring_ctx)), read(request + offset!(uring_user_data)));
        if URING_REQUESTS.insert(UringKey { ring, user_data }, request, 0).is_err() && admit(Kind::Open) {
            ring::count(Kind::Open, Outcome::TableFull);
        }
    }
    let names = match operation {
        operation if is_open(operation) => {
            if skip != 0 && read::<u32>(request + offset!(uring_flags)) & skip != 0 {
                will_open(request);
            }
            return 0;
        }
        uring_op::RENAMEAT => Names {
            kind: Kind::Rename,
            old: name(request, offset!(uring_rename_old)),
            new: name(request, offset!(uring_rename_new)),
        },
        uring_op::LINKAT => Names {
            kind: Kind::Link,
            old: name(request, offset!(uring_link_old)),
            new: name(request, offset!(uring_link_new)),
        },
        uring_op::UNLINKAT => {
            let flags = offset!(uring_unlink_flags);
            if flags != u64::from(ABSENT) && read::<u32>(request + flags) & AT_REMOVEDIR != 0 {
                return 0;
            }
            Names { kind: Kind::Unlink, old: name(request, offset!(uring_unlink_name)), new: 0 }
        }
        _ => return 0,
    };
    change::submitted(names);
    0
}

/// An open that will post no completion is submitted.
#[inline(always)]
fn will_open(request: u64) {
    if !admit(Kind::Open) {
        return;
    }
    let Some(scratch) = URING_SCRATCH.get_ptr_mut(0) else {
        ring::count(Kind::Open, Outcome::Fault);
        return;
    };
    // SAFETY: this program's own element of this CPU's copy; nothing else refers to it while the program runs.
    let scratch = unsafe { &mut *scratch };
    let filename: u64 = read(request + offset!(uring_open_filename));
    let name: u64 = read(filename + offset!(filename_name));
    let size = scratch.path.len() as u32;
    // SAFETY: the buffer has that many bytes.
    let length = unsafe { bpf_probe_read_kernel_str(scratch.path.as_mut_ptr().cast(), size, name as *const _) };
    if length <= 0 {
        ring::count(Kind::Open, Outcome::Fault);
        return;
    }
    let length = crate::globals::bounded::<{ PATH_MAX as u32 }>(length as u64);
    let open = &mut scratch.open;
    open.file = File::ZERO;
    open.classes = 0;
    open.flags = read(request + offset!(uring_open_flags));
    open.origin = file_flags::IO_URING;
    open.path = Path { len: length as u16, flags: path_flags::UNRESOLVED };
    let size = size_of::<Open>() as u64 + length;
    header::fill(&mut open.header, Kind::Open, Hook::IoUringSubmit, size as u32);
    // SAFETY: `length` is at most PATH_MAX, so that `size` is within the scratch space.
    unsafe { ring::send(Kind::Open, (&raw mut *scratch).cast(), size) }
}
