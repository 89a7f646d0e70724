//! System calls by number, for each architecture: what each does, as far as it is watched, and where its arguments are.

use sensor_common::config::{Action, Convention, SystemCalls};

/// An action, its numbers here, and its numbers in the 32-bit convention that programs can use as well.
type Row = (Action, &'static [u32], &'static [u32]);

/// What the programs must know of an architecture and BTF does not tell.
pub(super) struct Architecture {
    calls: &'static [Row],
    /// Byte offsets in `struct pt_regs` of the first five arguments.
    pub(super) arguments: [u32; 5],
    /// The same of 32-bit calls.
    pub(super) compat_arguments: [u32; 5],
    /// Mask in the word at `task_compat` that marks a 32-bit call.
    compat_flag: u32,
    /// Bytes of a thread's kernel stack; 0 if it need not be known.
    stack: u32,
    /// Which argument of the 32-bit truncate64 is the low word of the size.
    size_low: u32,
}

/// This one.
#[cfg(target_arch = "x86_64")]
const HERE: Architecture = X86_64;
/// This one.
#[cfg(target_arch = "aarch64")]
const HERE: Architecture = ARM64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("Weir knows the system calls of x86-64 and arm64 only; add this architecture's to kernel/calls.rs");

/// `struct pt_regs` (arch/x86/include/asm/ptrace.h): di, si, dx, r10, r8; 32-bit calls (`SC_IA32_REGS_TO_ARGS`): bx, cx, dx, si,
/// di. `TS_COMPAT` (arch/x86/include/asm/thread_info.h). `THREAD_SIZE` without KASAN (arch/x86/include/asm/page_64_types.h).
#[cfg(any(target_arch = "x86_64", test))]
pub(super) const X86_64: Architecture = Architecture {
    calls: X86_64_CALLS,
    arguments: [112, 104, 96, 56, 72],
    compat_arguments: [40, 88, 96, 104, 112],
    compat_flag: 2,
    stack: 16 << 10,
    size_low: 1,
};

/// `struct pt_regs` (arch/arm64/include/asm/ptrace.h): orig_x0, for x0 holds the result at exit; x1 to x4. The same for 32-bit
/// calls. `_TIF_32BIT` (arch/arm64/include/asm/thread_info.h). The stack is not needed: trampolines came later (6.4) than the
/// helper that tells the registers (5.15).
#[cfg(any(target_arch = "aarch64", test))]
pub(super) const ARM64: Architecture = Architecture {
    calls: ARM64_CALLS,
    arguments: [272, 8, 16, 24, 32],
    compat_arguments: [272, 8, 16, 24, 32],
    compat_flag: 1 << 22,
    stack: 0,
    // Pairs of words begin with an even register: (path, padding, low, high).
    size_low: 2,
};

/// arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl.
#[cfg(any(target_arch = "x86_64", test))]
const X86_64_CALLS: &[Row] = &[
    (Action::Open, &[2, 257, 437, 85, 304], &[5, 295, 437, 8, 342]),
    (Action::Rename, &[82], &[38]),
    (Action::Renameat, &[264, 316], &[302, 353]),
    (Action::Link, &[86], &[9]),
    (Action::Linkat, &[265], &[303]),
    (Action::Unlink, &[87], &[10]),
    (Action::Unlinkat, &[263], &[301]),
    (Action::Truncate, &[76], &[92]),
    (Action::Truncate64, &[], &[193]),
    (Action::Ftruncate, &[77], &[93]),
    (Action::Ftruncate64, &[], &[194]),
    (Action::Socket, &[41], &[359]),
    (Action::Socketcall, &[], &[102]),
    (Action::Ptrace, &[101], &[26]),
    (Action::ProcessVmReadv, &[310], &[347]),
    (Action::ProcessVmWritev, &[311], &[348]),
    (Action::PidfdGetfd, &[438], &[438]),
    (Action::Bpf, &[321], &[357]),
    (Action::Mount, &[165], &[21]),
    (Action::MoveMount, &[429], &[429]),
    (Action::PivotRoot, &[155], &[217]),
    (Action::Unshare, &[272], &[310]),
    (Action::Setns, &[308], &[346]),
    (Action::IoUringEnter, &[426], &[426]),
    (Action::Read, &[0, 19, 17, 295, 327, 45, 47], &[3, 145, 180, 333, 378, 371, 372]),
    (Action::ReadMany, &[299], &[337, 417]),
    (Action::Write, &[1, 20, 18, 296, 328], &[4, 146, 181, 334, 379]),
    (Action::Sendto, &[44], &[369]),
    (Action::Sendmsg, &[46], &[370]),
    (Action::WriteMany, &[307], &[345]),
    (Action::Sendfile, &[40], &[187, 239]),
    (Action::Splice, &[275, 326], &[313, 377]),
    (Action::Tee, &[276], &[315]),
    (Action::Vmsplice, &[278], &[316]),
    (Action::Ioctl, &[16], &[54]),
    (Action::Mmap, &[9], &[192]),
];

/// include/uapi/asm-generic/unistd.h and arch/arm/tools/syscall.tbl.
#[cfg(any(target_arch = "aarch64", test))]
const ARM64_CALLS: &[Row] = &[
    (Action::Open, &[56, 437, 265], &[5, 322, 437, 8, 371]),
    (Action::Rename, &[], &[38]),
    (Action::Renameat, &[38, 276], &[329, 382]),
    (Action::Link, &[], &[9]),
    (Action::Linkat, &[37], &[330]),
    (Action::Unlink, &[], &[10]),
    (Action::Unlinkat, &[35], &[328]),
    (Action::Truncate, &[45], &[92]),
    (Action::Truncate64, &[], &[193]),
    (Action::Ftruncate, &[46], &[93]),
    (Action::Ftruncate64, &[], &[194]),
    (Action::Socket, &[198], &[281]),
    (Action::Socketcall, &[], &[]),
    (Action::Ptrace, &[117], &[26]),
    (Action::ProcessVmReadv, &[270], &[376]),
    (Action::ProcessVmWritev, &[271], &[377]),
    (Action::PidfdGetfd, &[438], &[438]),
    (Action::Bpf, &[280], &[386]),
    (Action::Mount, &[40], &[21]),
    (Action::MoveMount, &[429], &[429]),
    (Action::PivotRoot, &[41], &[218]),
    (Action::Unshare, &[97], &[337]),
    (Action::Setns, &[268], &[375]),
    (Action::IoUringEnter, &[426], &[426]),
    (Action::Read, &[63, 65, 67, 69, 286, 207, 212], &[3, 145, 180, 361, 392, 291, 292, 297]),
    (Action::ReadMany, &[243], &[365, 417]),
    (Action::Write, &[64, 66, 68, 70, 287], &[4, 146, 181, 362, 393, 289]),
    (Action::Sendto, &[206], &[290]),
    (Action::Sendmsg, &[211], &[296]),
    (Action::WriteMany, &[269], &[374]),
    (Action::Sendfile, &[71], &[187, 239]),
    (Action::Splice, &[76, 285], &[340, 391]),
    (Action::Tee, &[77], &[342]),
    (Action::Vmsplice, &[75], &[343]),
    (Action::Ioctl, &[29], &[54]),
    (Action::Mmap, &[222], &[192]),
];

/// Mask in the word at `task_compat` that marks a 32-bit call.
pub const COMPAT_FLAG: u32 = HERE.compat_flag;

/// Bytes of a thread's kernel stack, where the kernel does not tell its registers otherwise (before 5.15).
pub const STACK: u32 = HERE.stack;

/// The convention of this architecture.
pub fn native() -> Convention {
    convention(|(_, native, _)| native, HERE.arguments)
}

/// The 32-bit convention that programs can use as well.
pub fn compat() -> Convention {
    convention(|(_, _, compat)| compat, HERE.compat_arguments)
}

/// The numbers of these actions, here and in the 32-bit convention.
pub fn sets(actions: &[Action]) -> (SystemCalls, SystemCalls) {
    let rows = || HERE.calls.iter().filter(|(action, ..)| actions.contains(action));
    let native: Vec<u32> = rows().flat_map(|(_, native, _)| native.iter().copied()).collect();
    let compat: Vec<u32> = rows().flat_map(|(_, _, compat)| compat.iter().copied()).collect();
    (SystemCalls::of(&native), SystemCalls::of(&compat))
}

fn convention(numbers: impl Fn(&Row) -> &'static [u32], arguments: [u32; 5]) -> Convention {
    let mut actions = [0; SystemCalls::END as usize];
    for row in HERE.calls {
        for number in numbers(row) {
            if let Some(place) = usize::try_from(*number).ok().and_then(|number| actions.get_mut(number)) {
                *place = row.0 as u8;
            }
        }
    }
    Convention { actions, arguments, size_low: HERE.size_low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_number_means_two_things() {
        for rows in [X86_64.calls, ARM64.calls] {
            for numbers in [|row: &Row| row.1, |row: &Row| row.2] {
                let all: Vec<u32> = rows.iter().flat_map(|row| numbers(row).iter().copied()).collect();
                assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
                assert!(all.iter().all(|number| *number < SystemCalls::END));
            }
        }
    }

    /// The kernel's own numbers, as libc names them.
    #[test]
    fn the_numbers_are_those_of_libc() {
        let native = native();
        for (number, action) in [
            (libc::SYS_openat, Action::Open),
            (libc::SYS_openat2, Action::Open),
            (libc::SYS_open_by_handle_at, Action::Open),
            (libc::SYS_renameat, Action::Renameat),
            (libc::SYS_renameat2, Action::Renameat),
            (libc::SYS_linkat, Action::Linkat),
            (libc::SYS_unlinkat, Action::Unlinkat),
            (libc::SYS_truncate, Action::Truncate),
            (libc::SYS_ftruncate, Action::Ftruncate),
            (libc::SYS_socket, Action::Socket),
            (libc::SYS_ptrace, Action::Ptrace),
            (libc::SYS_process_vm_readv, Action::ProcessVmReadv),
            (libc::SYS_process_vm_writev, Action::ProcessVmWritev),
            (libc::SYS_pidfd_getfd, Action::PidfdGetfd),
            (libc::SYS_bpf, Action::Bpf),
            (libc::SYS_mount, Action::Mount),
            (libc::SYS_move_mount, Action::MoveMount),
            (libc::SYS_pivot_root, Action::PivotRoot),
            (libc::SYS_unshare, Action::Unshare),
            (libc::SYS_setns, Action::Setns),
            (libc::SYS_io_uring_enter, Action::IoUringEnter),
            (libc::SYS_read, Action::Read),
            (libc::SYS_readv, Action::Read),
            (libc::SYS_pread64, Action::Read),
            (libc::SYS_preadv, Action::Read),
            (libc::SYS_preadv2, Action::Read),
            (libc::SYS_recvfrom, Action::Read),
            (libc::SYS_recvmsg, Action::Read),
            (libc::SYS_recvmmsg, Action::ReadMany),
            (libc::SYS_write, Action::Write),
            (libc::SYS_writev, Action::Write),
            (libc::SYS_pwrite64, Action::Write),
            (libc::SYS_pwritev, Action::Write),
            (libc::SYS_pwritev2, Action::Write),
            (libc::SYS_sendto, Action::Sendto),
            (libc::SYS_sendmsg, Action::Sendmsg),
            (libc::SYS_sendmmsg, Action::WriteMany),
            (libc::SYS_sendfile, Action::Sendfile),
            (libc::SYS_splice, Action::Splice),
            (libc::SYS_copy_file_range, Action::Splice),
            (libc::SYS_tee, Action::Tee),
            (libc::SYS_vmsplice, Action::Vmsplice),
            (libc::SYS_ioctl, Action::Ioctl),
            (libc::SYS_mmap, Action::Mmap),
        ] {
            assert_eq!(native.actions[usize::try_from(number).unwrap()], action as u8, "{action:?}");
        }
        assert_eq!(native.actions[libc::SYS_getppid as usize], 0);
    }
}
