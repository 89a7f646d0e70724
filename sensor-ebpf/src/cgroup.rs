//! Cgroups come to be: `tp_btf/cgroup_mkdir`, so that a container is known before its first process runs.

use crate::globals::bounded;
use crate::header::{self, cgroup_hierarchy, cgroup_id};
use crate::{agent, ring};
use aya_ebpf::{
    btf_maps::PerCpuArray,
    helpers::generated::bpf_probe_read_kernel_str,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use sensor_common::count::Outcome;
use sensor_common::record::{Cgroup, Hook, Kind, PATH_MAX};

#[repr(C)]
struct Scratch {
    cgroup: Cgroup,
    path: [u8; PATH_MAX + 1],
}

#[btf_map]
static CGROUP_SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// `trace_cgroup_mkdir(struct cgroup *cgrp, const char *path)`, of every hierarchy.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn on_cgroup_mkdir(context: BtfTracePointContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let cgroup: u64 = context.arg(0);
    let path: u64 = context.arg(1);
    ring::count(Kind::Cgroup, Outcome::Seen);
    let Some(scratch) = CGROUP_SCRATCH.get_ptr_mut(0) else {
        ring::count(Kind::Cgroup, Outcome::Fault);
        return 0;
    };
    // SAFETY: the one user of this CPU's copy; nothing else refers to it while the program runs.
    let scratch = unsafe { &mut *scratch };
    let size = scratch.path.len() as u32;
    // SAFETY: the buffer has that many bytes.
    let length = unsafe { bpf_probe_read_kernel_str(scratch.path.as_mut_ptr().cast(), size, path as *const _) };
    if length <= 0 {
        ring::count(Kind::Cgroup, Outcome::Fault);
        return 0;
    }
    let length = bounded::<{ PATH_MAX as u32 }>(length as u64);
    let record = &mut scratch.cgroup;
    record.id = cgroup_id(cgroup);
    record.hierarchy = cgroup_hierarchy(cgroup);
    record.path_len = length as u32;
    let size = size_of::<Cgroup>() as u64 + length;
    header::fill(&mut record.header, Kind::Cgroup, Hook::CgroupMkdir, size as u32);
    // SAFETY: `length` is at most PATH_MAX, so that `size` is within the scratch space.
    unsafe { ring::send(Kind::Cgroup, (&raw mut *scratch).cast(), size) }
    0
}
