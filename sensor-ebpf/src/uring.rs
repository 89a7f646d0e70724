//! Opens by io_uring, which no system call shows.
//!
//! A request that opens completes with a descriptor, or fills a direct slot of its ring; both are looked up at
//! `io_uring_complete`. It runs in a thread of the submitter (itself, its io-wq worker or its SQPOLL thread, which all share
//! its descriptors since 5.12). A request may ask for no completion (`IOSQE_CQE_SKIP_SUCCESS`, 5.17): then the name that it
//! asked for is recorded when it is submitted, from the kernel's own copy.

use crate::globals::{config, offset, read};
use crate::header::{self, admit};
use crate::open::{self, Origin};
use crate::{classify, files, ring};
use aya_ebpf::{
    btf_maps::PerCpuArray, helpers::generated::bpf_probe_read_kernel_str, macros::btf_map, macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use sensor_common::config::ABSENT;
use sensor_common::count::Outcome;
use sensor_common::record::{File, Hook, Kind, Open, PATH_MAX, Path, path_flags};

/// `IORING_FILE_INDEX_ALLOC`: the ring chooses the direct slot and returns it as the result.
const SLOT_CHOSEN: u32 = u32::MAX;
/// Low bits of a tagged file pointer (`FFS_MASK`, io_uring/filetable.h).
const TAG_MASK: u64 = 7;

#[repr(C)]
struct Scratch {
    open: Open,
    path: [u8; PATH_MAX + 1],
}

#[btf_map]
static URING_SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// Whether `request` (`struct io_kiocb *`) opens a file.
#[inline(always)]
fn is_open(request: u64) -> bool {
    let opcode = u32::from(read::<u8>(request + offset!(uring_opcode)));
    opcode == config!(uring_open_opcodes[0]) || opcode == config!(uring_open_opcodes[1])
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

/// `trace_io_uring_complete(ctx, req, cqe)`: since 6.10; the agent does not load it where the arguments are others.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn on_uring_complete(context: BtfTracePointContext) -> i32 {
    let request: u64 = context.arg(1);
    let completion: u64 = context.arg(2);
    if request == 0 || !is_open(request) {
        return 0;
    }
    let result: i32 = read(completion + offset!(uring_cqe_res));
    if result < 0 {
        return 0;
    }
    let slot: u32 =
        if offset!(uring_open_slot) == u64::from(ABSENT) { 0 } else { read(request + offset!(uring_open_slot)) };
    let (file, descriptor) = match slot {
        0 => (files::of_descriptor(result as u64), result),
        SLOT_CHOSEN => (of_slot(request, result as u64), -1),
        chosen => (of_slot(request, u64::from(chosen) - 1), -1),
    };
    if file == 0 {
        debug!(&context, "an io_uring request that opens gave {}, slot {}, which has no file", result, slot);
    }
    open::record(file, classify::of_file::<false>, Origin { hook: Hook::IoUringComplete, syscall: -1, descriptor });
    0
}

/// `trace_io_uring_submit_req(req)` (6.4; `io_uring_submit_sqe(req, ...)` from 6.0), for requests that post no completion.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn on_uring_submit(context: BtfTracePointContext) -> i32 {
    let request: u64 = context.arg(0);
    let skip = config!(uring_skip_flag);
    if skip == 0 || !is_open(request) || read::<u32>(request + offset!(uring_flags)) & skip == 0 {
        return 0;
    }
    if !admit(Kind::Open) {
        return 0;
    }
    let Some(scratch) = URING_SCRATCH.get_ptr_mut(0) else {
        ring::count(Kind::Open, Outcome::Fault);
        return 0;
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
        return 0;
    }
    let length = crate::globals::bounded::<{ PATH_MAX as u32 }>(length as u64);
    let open = &mut scratch.open;
    open.file = File::ZERO;
    open.classes = 0;
    open.flags = read(request + offset!(uring_open_flags));
    open.syscall = -1;
    open.descriptor = -1;
    open.reserved = 0;
    open.path = Path { len: length as u16, flags: path_flags::UNRESOLVED };
    let size = size_of::<Open>() as u64 + length;
    header::fill(&mut open.header, Kind::Open, Hook::IoUringSubmit, size as u32);
    // SAFETY: `length` is at most PATH_MAX, so that `size` is within the scratch space.
    unsafe { ring::send(Kind::Open, (&raw mut *scratch).cast(), size) }
    0
}
