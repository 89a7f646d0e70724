//! Who acted: the [`Header`] that every record begins with.

use crate::globals::{config, offset, read, task, task_load};
use crate::{agent, ring};
use aya_ebpf::helpers::generated::{bpf_get_current_ancestor_cgroup_id, bpf_ktime_get_boot_ns};
use sensor_common::config::ABSENT;
use sensor_common::count::Outcome;
use sensor_common::record::{COMM_LEN, Header, Hook, Kind, Process, VERSION};

/// Id of the root directory of every kernfs file system (`kernfs_create_root`: the first id of its idr).
const ROOT_ID: u64 = 1;

/// Nanoseconds of `CLOCK_BOOTTIME`.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Why an event of the current process is not to be recorded; `None` if it is.
#[inline(always)]
pub fn excluded() -> Option<Outcome> {
    let scope = u64::from(config!(scope_cgroup_high)) << 32 | u64::from(config!(scope_cgroup_low));
    if scope != 0 && ancestor_cgroup(config!(scope_level)) != scope {
        return Some(Outcome::OutOfScope);
    }
    if agent::is(task_load::<u32>(offset!(task_tgid))) {
        return Some(Outcome::Own);
    }
    None
}

/// The id of the cgroup v2 at that depth that the current process is in; 0 if it is in none so deep.
#[inline(always)]
fn ancestor_cgroup(level: u32) -> u64 {
    if offset!(cgroup_ancestor_ids) == u64::from(ABSENT) {
        // SAFETY: arguments are plain integers. In tracing programs 5.13; without the field it is there.
        return unsafe { bpf_get_current_ancestor_cgroup_id(level as i32) };
    }
    let sets: u64 = read(task() + offset!(task_cgroups));
    let cgroup: u64 = read(sets + offset!(css_set_dfl_cgrp));
    if read::<u32>(cgroup + offset!(cgroup_level)) < level {
        return 0;
    }
    read(cgroup + offset!(cgroup_ancestor_ids) + u64::from(level) * size_of::<u64>() as u64)
}

/// Counts an event of the current process as seen, unless it is out of scope. Whether it is to be recorded; if not, it has
/// been counted as what it is.
#[inline(always)]
pub fn admit(kind: Kind) -> bool {
    let reason = excluded();
    if !matches!(reason, Some(Outcome::OutOfScope)) {
        ring::count(kind, Outcome::Seen);
    }
    match reason {
        Some(outcome) => {
            ring::count(kind, outcome);
            false
        }
        None => true,
    }
}

/// The process of `task` (`struct task_struct *` of any of its threads).
#[inline(always)]
pub fn process_of(task: u64) -> Process {
    let leader: u64 = read(task + offset!(task_group_leader));
    let pid: u64 = read(leader + offset!(task_thread_pid));
    Process {
        start_time: read(leader + offset!(task_start_time)),
        tgid: read(task + offset!(task_tgid)),
        vtgid: read(innermost(pid) + offset!(upid_nr)),
    }
}

/// The `struct upid` of `pid` in the namespace that it was made in: the last of `pid.numbers`.
#[inline(always)]
fn innermost(pid: u64) -> u64 {
    /// `sizeof(struct upid)`: an int, padding, a pointer.
    const UPID_SIZE: u64 = 16;
    let level: u32 = read(pid + offset!(pid_level));
    pid + offset!(pid_numbers) + u64::from(level) * UPID_SIZE
}

/// Fills `header` for an event of the current process, `size` bytes long. A function of its own in the object, since nearly
/// every program calls it.
#[inline(never)]
pub fn fill(header: &mut Header, kind: Kind, hook: Hook, size: u32) {
    let task = task();
    header.version = VERSION;
    header.kind = kind as u8;
    header.hook = hook as u8;
    header.size = size;
    header.time = now();
    header.process = process_of(task);
    header.tid = read(task + offset!(task_pid));
    fill_cgroup(header, task);
    let proxy: u64 = read(task + offset!(task_nsproxy));
    let mounts: u64 = read(proxy + offset!(nsproxy_mnt_ns));
    header.mount_namespace = read(mounts + offset!(mnt_namespace_inum));
    let pid: u64 = read(task + offset!(task_thread_pid));
    let pids: u64 = read(innermost(pid) + offset!(upid_ns));
    header.pid_namespace = read(pids + offset!(pid_namespace_inum));
    let credentials: u64 = read(task + offset!(task_cred));
    header.uid = read(credentials + offset!(cred_euid));
    header.gid = read(credentials + offset!(cred_egid));
    header.comm = read::<[u8; COMM_LEN]>(task + offset!(task_comm));
}

/// cgroup v2, except on hybrid hosts where a v1 hierarchy says more: runtimes that use v1 leave the container's processes
/// in the v2 cgroup of whoever started the runtime.
#[inline(always)]
fn fill_cgroup(header: &mut Header, task: u64) {
    let sets: u64 = read(task + offset!(task_cgroups));
    let subsystem = config!(cgroup_v1_subsystem);
    if subsystem != ABSENT {
        let state: u64 = read(sets + offset!(css_set_subsys) + u64::from(subsystem) * size_of::<u64>() as u64);
        let cgroup: u64 = read(state + offset!(css_cgroup));
        let id = cgroup_id(cgroup);
        if id > ROOT_ID {
            header.cgroup = id;
            header.cgroup_hierarchy = cgroup_hierarchy(cgroup);
            return;
        }
    }
    header.cgroup = cgroup_id(read(sets + offset!(css_set_dfl_cgrp)));
    header.cgroup_hierarchy = 0;
}

/// Id of a `struct cgroup`: the inode number of its directory.
#[inline(always)]
pub fn cgroup_id(cgroup: u64) -> u64 {
    let node: u64 = read(cgroup + offset!(cgroup_kn));
    read(node + offset!(kernfs_node_id))
}

/// Number of the hierarchy of a `struct cgroup`: 0 for v2.
#[inline(always)]
pub fn cgroup_hierarchy(cgroup: u64) -> u32 {
    let root: u64 = read(cgroup + offset!(cgroup_root));
    read(root + offset!(cgroup_root_hierarchy_id))
}
