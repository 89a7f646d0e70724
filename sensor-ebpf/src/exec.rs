//! Program starts: `tp_btf/sched_process_exec`, when the new program is in place and has not run yet.

use crate::globals::{bounded, offset, read, task};
use crate::header::{self, excluded, process_of};
use crate::{agent, files, path, ring, stream};
use aya_ebpf::{
    btf_maps::PerCpuArray,
    helpers::generated::bpf_probe_read_user,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use sensor_common::count::Outcome;
use sensor_common::record::{ARGS_MAX, Exec, Hook, Kind, PATH_MAX, exec_flags};

/// Room for each of the three parts of the tail at its longest.
const TAIL: usize = 16_384;

#[repr(C)]
struct Scratch {
    exec: Exec,
    tail: [u8; TAIL + path::SLACK],
}

#[btf_map]
static EXEC_SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// `trace_sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`; `p` is current.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn on_exec(context: BtfTracePointContext) -> i32 {
    if !agent::at_work() {
        return 0;
    }
    match excluded() {
        Some(Outcome::OutOfScope) => {
            ring::count(Kind::Exec, Outcome::OutOfScope);
            return 0;
        }
        // The agent starts no programs; if it did, that would be worth telling.
        _ => ring::count(Kind::Exec, Outcome::Seen),
    }
    let Some(scratch) = EXEC_SCRATCH.get_ptr_mut(0) else {
        ring::count(Kind::Exec, Outcome::Fault);
        return 0;
    };
    // SAFETY: the one user of this CPU's copy; nothing else refers to it while the program runs.
    let scratch = unsafe { &mut *scratch };
    let exec = &mut scratch.exec;
    let tail = scratch.tail.as_mut_ptr();
    let task = task();
    let mm: u64 = read(task + offset!(task_mm));
    let file: u64 = read(mm + offset!(mm_exe_file));
    if file == 0 {
        debug!(&context, "exec without a program file");
        ring::count(Kind::Exec, Outcome::Fault);
        return 0;
    }
    files::facts(&mut exec.file, read(file + offset!(file_inode)));
    exec.parent = process_of(read(task + offset!(task_real_parent)));
    exec.reserved = 0;
    exec.streams = [stream::of_descriptor(0) as u8, stream::of_descriptor(1) as u8, stream::of_descriptor(2) as u8];
    let credentials: u64 = read(task + offset!(task_cred));
    let is_other = read::<u32>(credentials + offset!(cred_uid)) != read::<u32>(credentials + offset!(cred_euid));

    const PATH: u32 = PATH_MAX as u32;
    // SAFETY: each part begins at most at the sum of the greatest lengths of those before it, 2 * PATH_MAX, and the tail has
    // room for one more and the slack; `bounded` shows it to the verifier.
    unsafe {
        exec.path = path::write::<PATH>(tail, read(file + offset!(file_dentry)), read(file + offset!(file_mnt)));
        let fs: u64 = read(task + offset!(task_fs));
        let at = bounded::<PATH>(exec.path.len.into());
        let (dentry, mount) = (read(fs + offset!(fs_pwd_dentry)), read(fs + offset!(fs_pwd_mnt)));
        exec.directory = path::write::<PATH>(tail.add(at as usize), dentry, mount);
        let at = at + bounded::<PATH>(exec.directory.len.into());

        // The arguments lie in user memory, but the kernel wrote them just now and the program has not run: only a process
        // with the right to write to its memory could have changed them.
        let start: u64 = read(mm + offset!(mm_arg_start));
        let end: u64 = read(mm + offset!(mm_arg_end));
        let length = end.saturating_sub(start);
        let mut flags = if is_other { exec_flags::SETUID } else { 0 };
        let mut args = bounded::<{ ARGS_MAX as u32 }>(if length > ARGS_MAX as u64 { ARGS_MAX as u64 } else { length });
        if length > ARGS_MAX as u64 {
            flags |= exec_flags::ARGS_CUT;
        }
        let place = tail.add(bounded::<{ 2 * PATH + 1 }>(at) as usize);
        if bpf_probe_read_user(place.cast(), args as u32, start as *const _) != 0 {
            flags |= exec_flags::ARGS_FAULT;
            args = 0;
        }
        exec.args = args as u16;
        exec.flags = flags;
        let size = size_of::<Exec>() as u64 + bounded::<{ TAIL as u32 - 1 }>(at + args);
        header::fill(&mut exec.header, Kind::Exec, Hook::SchedProcessExec, size as u32);
        ring::send(Kind::Exec, (&raw mut *scratch).cast(), size);
    }
    0
}
