//! Processes that get at the memory or the descriptors of others: at `security_ptrace_access_check`; or, where there are no
//! trampolines, as ptrace, process_vm_readv, process_vm_writev and pidfd_getfd return, and when `/proc/PID/mem` is opened.

use crate::call::{self, Call};
use crate::globals::{offset, read, task};
use crate::header::{self, admit, process_of};
use crate::{agent, files, label, ring};
use aya_ebpf::{macros::fexit, programs::FExitContext};
use sensor_common::config::{ABSENT, Action};
use sensor_common::count::Outcome;
use sensor_common::record::{AccessHow, Hook, Kind, Process, ProcessAccess};

/// `PTRACE_MODE_ATTACH` (include/linux/ptrace.h): asked for by whatever gives memory or descriptors; names and maps take less.
const MODE_ATTACH: u64 = 2;
/// `PTRACE_ATTACH`, `PTRACE_SEIZE` (include/uapi/linux/ptrace.h).
const ATTACH: u64 = 16;
const SEIZE: u64 = 0x4206;
/// `PROC_SUPER_MAGIC` (include/uapi/linux/magic.h).
const PROC_MAGIC: u32 = 0x9fa0;
/// `PIDTYPE_PID`, `PIDTYPE_TGID` (include/linux/pid.h): places in `pid.tasks` and `task.pid_links`.
const TYPE_PID: u64 = 0;
const TYPE_TGID: u64 = 1;
/// `sizeof(struct hlist_head)` and `sizeof(struct hlist_node)`.
const HEAD: u64 = 8;
const NODE: u64 = 16;

#[inline(always)]
fn send(target: Process, how: AccessHow, hook: Hook) {
    if !label::reached_another() {
        ring::count(Kind::ProcessAccess, Outcome::TableFull);
    }
    ring::send_with::<ProcessAccess>(Kind::ProcessAccess, |record| {
        header::fill(&mut record.header, Kind::ProcessAccess, hook, size_of::<ProcessAccess>() as u32);
        record.target = target;
        record.how = how as u32;
        record.reserved = 0;
    });
}

/// The current process got at `target` (`struct task_struct *`); at itself it may.
#[inline(always)]
fn record(target: u64, how: AccessHow, hook: Hook) {
    if read::<u32>(target + offset!(task_tgid)) == read::<u32>(task() + offset!(task_tgid))
        || !admit(Kind::ProcessAccess)
    {
        return;
    }
    if target == 0 {
        return ring::count(Kind::ProcessAccess, Outcome::Fault);
    }
    send(process_of(target), how, hook);
}

/// The first task of a `struct pid` as what `kind` says; 0 if there is none.
#[inline(always)]
fn task_of(pid: u64, kind: u64) -> u64 {
    let first: u64 = read(pid + offset!(pid_tasks) + kind * HEAD);
    if first == 0 { 0 } else { first - offset!(task_pid_links) - kind * NODE }
}

/// `int security_ptrace_access_check(struct task_struct *child, unsigned int mode)`
#[fexit(function = "security_ptrace_access_check")]
pub fn on_ptrace_access_check(context: FExitContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    if context.arg::<u64>(2) as i32 != 0 || context.arg::<u64>(1) & MODE_ATTACH == 0 {
        return 0;
    }
    const OPEN: u8 = Action::Open as u8;
    const PTRACE: u8 = Action::Ptrace as u8;
    const READV: u8 = Action::ProcessVmReadv as u8;
    const WRITEV: u8 = Action::ProcessVmWritev as u8;
    const GETFD: u8 = Action::PidfdGetfd as u8;
    const IO_URING: u8 = Action::IoUringEnter as u8;
    let how = match call::current() {
        Some(OPEN | IO_URING) => AccessHow::ProcMem,
        Some(PTRACE) => AccessHow::Ptrace,
        Some(READV) => AccessHow::VmRead,
        Some(WRITEV) => AccessHow::VmWrite,
        Some(GETFD) => AccessHow::Descriptor,
        // What else asks for it (`/proc/PID/stack`, `/proc/PID/syscall`) gives neither memory nor descriptors.
        Some(_) => return 0,
        None => AccessHow::Unknown,
    };
    record(context.arg(0), how, Hook::PtraceAccessCheck);
    0
}

/// One of the system calls from ptrace to pidfd_getfd returned.
#[inline(always)]
pub fn called(call: &Call) {
    const PTRACE: u8 = Action::Ptrace as u8;
    const READV: u8 = Action::ProcessVmReadv as u8;
    const WRITEV: u8 = Action::ProcessVmWritev as u8;
    let how = match call.action {
        PTRACE => {
            if call.argument(0) == ATTACH || call.argument(0) == SEIZE {
                // The newest is the first in the list (`__ptrace_link`, kernel/ptrace.c).
                let first: u64 = read(task() + offset!(task_ptraced));
                record(first - offset!(task_ptrace_entry), AccessHow::Ptrace, Hook::SysExit);
            }
            return;
        }
        READV => AccessHow::VmRead,
        WRITEV => AccessHow::VmWrite,
        _ => {
            let file = files::of_descriptor(call.argument(0));
            // Since 6.9 a pidfd is a file of pidfs, and its inode knows the process.
            let of_file: u64 = read(file + offset!(file_private));
            let of_inode: u64 = read(read::<u64>(file + offset!(file_inode)) + offset!(inode_private));
            let pid = if of_file != 0 { of_file } else { of_inode };
            return record(task_of(pid, TYPE_TGID), AccessHow::Descriptor, Hook::SysExit);
        }
    };
    // Of the other process only its number is known, as the acting one calls it.
    let target = Process { start_time: 0, tgid: 0, vtgid: call.argument(0) as u32 };
    if target.vtgid != process_of(task()).vtgid && admit(Kind::ProcessAccess) {
        send(target, how, Hook::SysExit);
    }
}

/// A file of the name `mem` was opened, of that inode. Where trampolines watch the access itself, nobody asks for such opens.
#[inline(always)]
pub fn opened(inode: u64, hook: Hook) {
    let superblock: u64 = read(inode + offset!(inode_sb));
    if read::<u64>(superblock + offset!(sb_magic)) as u32 != PROC_MAGIC || offset!(proc_inode_pid) == u64::from(ABSENT)
    {
        return;
    }
    let pid: u64 = read(inode - offset!(proc_inode_inode) + offset!(proc_inode_pid));
    record(task_of(pid, TYPE_PID), AccessHow::ProcMem, hook);
}
