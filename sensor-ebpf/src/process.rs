//! Processes come and go: fork and exit. Threads do not count.

use crate::globals::{load, offset, read};
use crate::header::{self, excluded, process_of};
use crate::{agent, label, ring};
use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::LruHashMap,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use sensor_common::count::Outcome;
use sensor_common::record::{Exit, Fork, Hook, Kind, Process};

/// `trace_sched_process_fork(struct task_struct *parent, struct task_struct *child)`; `parent` is current.
#[btf_tracepoint(function = "sched_process_fork")]
pub fn on_fork(context: BtfTracePointContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let child: u64 = context.arg(1);
    // SAFETY: the argument is a `struct task_struct *` to the verifier.
    let (pid, tgid): (u32, u32) = unsafe { (load(child, offset!(task_pid)), load(child, offset!(task_tgid))) };
    if pid != tgid {
        return 0;
    }
    if !label::forked(tgid) {
        ring::count(Kind::Transfer, Outcome::Seen);
        ring::count(Kind::Transfer, Outcome::TableFull);
    }
    if let Some(Outcome::OutOfScope) = excluded() {
        ring::count(Kind::Fork, Outcome::OutOfScope);
        return 0;
    }
    ring::count(Kind::Fork, Outcome::Seen);
    ring::send_with::<Fork>(Kind::Fork, |fork| {
        header::fill(&mut fork.header, Kind::Fork, Hook::SchedProcessFork, size_of::<Fork>() as u32);
        fork.child = process_of(child);
    });
    0
}

const EEXIST: i32 = 17;

/// Processes whose end was told just now.
#[btf_map]
static EXITED: LruHashMap<Process, u8, 1024> = LruHashMap::new();

/// `trace_sched_process_exit(struct task_struct *p)` (6.16 added an argument); `p` is current. `do_exit` has counted the
/// thread out of `signal->live` before.
#[btf_tracepoint(function = "sched_process_exit")]
pub fn on_exit(context: BtfTracePointContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    let task: u64 = context.arg(0);
    let signal: u64 = read(task + offset!(task_signal));
    if read::<i32>(signal + offset!(signal_live)) != 0 {
        return 0;
    }
    // Two threads that end at once can both find that none is left.
    let process = process_of(task);
    if EXITED.insert(process, 0, BPF_NOEXIST.into()) == Err(-EEXIST) {
        return 0;
    }
    label::ended(process.tgid);
    let reason = excluded();
    agent::ended(process.tgid);
    if let Some(Outcome::OutOfScope) = reason {
        ring::count(Kind::Exit, Outcome::OutOfScope);
        return 0;
    }
    ring::count(Kind::Exit, Outcome::Seen);
    ring::send_with::<Exit>(Kind::Exit, |exit| {
        header::fill(&mut exit.header, Kind::Exit, Hook::SchedProcessExit, size_of::<Exit>() as u32);
        let group: u32 = read(signal + offset!(signal_group_exit_code));
        exit.status = if group != 0 { group } else { read(task + offset!(task_exit_code)) };
        exit.reserved = 0;
    });
    0
}
