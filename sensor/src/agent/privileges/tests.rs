//! The filter, in a child that has it: with an error of its own, so that no refusal of the kernel's is taken for one of the filter's.

use super::calls::{clone3, forbidden, install};
use seccompiler::BpfProgram;
use std::io::{Read as _, Write as _};
use std::os::fd::FromRawFd as _;

/// What no call here fails with by itself.
const MARK: i32 = libc::EXFULL;

/// A call and its arguments.
type Call = (&'static str, libc::c_long, [libc::c_long; 4]);

/// With arguments that no kernel takes, should the filter let it pass.
fn bad(name: &'static str, number: libc::c_long) -> Call {
    (name, number, [-1; 4])
}

fn number(value: impl Into<i64>) -> libc::c_long {
    value.into()
}

/// How the calls end in a child with the filter: 0, or the error. It has no capabilities, so that nothing happens that should not.
fn in_child(program: &BpfProgram, calls: &[Call]) -> Vec<i32> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: the child makes system calls only; it allocates nothing, and ends by _exit.
    let child = unsafe { libc::fork() };
    // SAFETY: pipe(2) made both for us; each side drops the one that it does not use, and owns the other.
    let (mut reading, mut writing) =
        unsafe { (std::fs::File::from_raw_fd(ends[0]), std::fs::File::from_raw_fd(ends[1])) };
    if child == 0 {
        let ready = rustix::thread::set_no_new_privs(true).is_ok()
            && rustix::thread::set_capabilities(None, none()).is_ok()
            && install(program, 0).is_ok();
        for (_, number, [a, b, c, d]) in calls.iter().filter(|_| ready) {
            // SAFETY: the arguments are numbers that make the kernel refuse, or for calls that touch no memory of this process.
            let result = unsafe { libc::syscall(*number, *a, *b, *c, *d, -1 as libc::c_long) };
            // SAFETY: the C library's own place for this thread.
            let error = if result == -1 { unsafe { *libc::__errno_location() } } else { 0 };
            let _ = writing.write_all(&error.to_ne_bytes());
        }
        // SAFETY: ends the process, and nothing of the parent's is run.
        unsafe { libc::_exit(0) };
    }
    drop(writing);
    let mut bytes = Vec::new();
    reading.read_to_end(&mut bytes).unwrap();
    // SAFETY: the child is ours, and nobody else waits for it; its status is not asked for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    bytes.chunks_exact(4).map(|error| i32::from_ne_bytes(error.try_into().unwrap())).collect()
}

fn none() -> rustix::thread::CapabilitySets {
    let empty = rustix::thread::CapabilitySet::empty();
    rustix::thread::CapabilitySets { effective: empty, permitted: empty, inheritable: empty }
}

/// Which of the calls the filter refused.
fn refused(calls: &[Call]) -> Vec<&'static str> {
    let errors = in_child(&forbidden(MARK).unwrap(), calls);
    assert_eq!(errors.len(), calls.len(), "the child did all of it");
    calls.iter().zip(errors).filter(|(_, error)| *error == MARK).map(|((name, ..), _)| *name).collect()
}

fn all_are_refused(calls: &[Call]) {
    let names: Vec<_> = calls.iter().map(|(name, ..)| *name).collect();
    assert_eq!(refused(calls), names);
}

fn none_is_refused(calls: &[Call]) {
    assert_eq!(refused(calls), [""; 0]);
}

#[test]
fn what_an_attacker_would_call_is_refused() {
    all_are_refused(&[
        bad("ptrace", libc::SYS_ptrace),
        bad("process_vm_readv", libc::SYS_process_vm_readv),
        bad("process_vm_writev", libc::SYS_process_vm_writev),
        bad("pidfd_getfd", libc::SYS_pidfd_getfd),
        bad("kill", libc::SYS_kill),
        bad("tkill", libc::SYS_tkill),
        bad("tgkill of another process", libc::SYS_tgkill),
        bad("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo),
        bad("rt_tgsigqueueinfo", libc::SYS_rt_tgsigqueueinfo),
        bad("pidfd_send_signal", libc::SYS_pidfd_send_signal),
        bad("mount", libc::SYS_mount),
        bad("umount2", libc::SYS_umount2),
        bad("move_mount", libc::SYS_move_mount),
        bad("open_tree", libc::SYS_open_tree),
        bad("fsopen", libc::SYS_fsopen),
        bad("fsconfig", libc::SYS_fsconfig),
        bad("fsmount", libc::SYS_fsmount),
        bad("mount_setattr", libc::SYS_mount_setattr),
        bad("pivot_root", libc::SYS_pivot_root),
        bad("chroot", libc::SYS_chroot),
        bad("setns", libc::SYS_setns),
        bad("unshare", libc::SYS_unshare),
        bad("open_by_handle_at", libc::SYS_open_by_handle_at),
        bad("init_module", libc::SYS_init_module),
        bad("finit_module", libc::SYS_finit_module),
        bad("delete_module", libc::SYS_delete_module),
        bad("kexec_load", libc::SYS_kexec_load),
        bad("reboot", libc::SYS_reboot),
        bad("clock_settime", libc::SYS_clock_settime),
        bad("syslog", libc::SYS_syslog),
        bad("io_uring_setup", libc::SYS_io_uring_setup),
        bad("io_uring_enter", libc::SYS_io_uring_enter),
        bad("perf_event_open", libc::SYS_perf_event_open),
        bad("userfaultfd", libc::SYS_userfaultfd),
        bad("fanotify_init", libc::SYS_fanotify_init),
        bad("add_key", libc::SYS_add_key),
        bad("keyctl", libc::SYS_keyctl),
        bad("personality", libc::SYS_personality),
    ]);
}

#[test]
fn new_namespaces_are_refused_and_threads_are_not() {
    // A thread without shared signal handlers is refused by every kernel (`copy_process`, kernel/fork.c): nothing is started here.
    let clone = |name, flag: i32| -> Call { (name, libc::SYS_clone, [number(flag | libc::CLONE_THREAD), 0, 0, 0]) };
    all_are_refused(&[
        clone("mount", libc::CLONE_NEWNS),
        clone("cgroup", libc::CLONE_NEWCGROUP),
        clone("uts", libc::CLONE_NEWUTS),
        clone("ipc", libc::CLONE_NEWIPC),
        clone("user", libc::CLONE_NEWUSER),
        clone("pid", libc::CLONE_NEWPID),
        clone("net", libc::CLONE_NEWNET),
        clone("user among others", libc::CLONE_NEWUSER | libc::CLONE_VM | libc::SIGCHLD),
    ]);
    none_is_refused(&[clone("a thread", libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES)]);
    assert_eq!(in_child(&clone3().unwrap(), &[bad("clone3", libc::SYS_clone3)]), [libc::ENOSYS]);
}

#[test]
fn of_bpf_only_maps_and_what_is_known_of_a_descriptor_stay() {
    // Up to BPF_PROG_STREAM_READ_BY_FD (6.17), and what may come. The size is one that every kernel refuses (E2BIG).
    let stays = [1, 2, 3, 4, 15, 21, 24, 25, 26, 27];
    let call = |command: i64| -> Call { ("bpf", libc::SYS_bpf, [number(command), -1, number(1 << 20), 0]) };
    let (stay, go): (Vec<i64>, Vec<i64>) =
        (0..64).chain([i64::from(u32::MAX)]).partition(|command| stays.contains(command));
    all_are_refused(&go.into_iter().map(call).collect::<Vec<_>>());
    none_is_refused(&stay.into_iter().map(call).collect::<Vec<_>>());
}

#[test]
fn sockets_of_the_internet_stay_and_raw_ones_go() {
    let socket = |name, family: i32, kind: i32, protocol: i32| -> Call {
        (name, libc::SYS_socket, [number(family), number(kind), number(protocol), 0])
    };
    all_are_refused(&[
        socket("packet", libc::AF_PACKET, libc::SOCK_DGRAM, 0),
        socket("packet by its old name", libc::AF_INET, 10 | libc::SOCK_CLOEXEC, 0),
        socket("raw", libc::AF_INET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, libc::IPPROTO_ICMP),
        socket("raw, IPv6", libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_TCP),
        socket("vsock", libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        socket("the kernel's ciphers", libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        socket("netfilter", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER),
        socket("bluetooth", libc::AF_BLUETOOTH, libc::SOCK_STREAM, 0),
        socket("express data path", libc::AF_XDP, libc::SOCK_RAW, 0),
    ]);
    none_is_refused(&[
        socket("tcp", libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0),
        socket("udp, IPv6", libc::AF_INET6, libc::SOCK_DGRAM, 0),
        socket("unix", libc::AF_UNIX, libc::SOCK_STREAM, 0),
        socket("the own addresses", libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE),
    ]);
}

#[test]
fn what_a_sensor_does_stays() {
    let own = number(i64::from(std::process::id()));
    none_is_refused(&[
        bad("openat", libc::SYS_openat),
        bad("execve", libc::SYS_execve),
        bad("kcmp", libc::SYS_kcmp),
        bad("memfd_create", libc::SYS_memfd_create),
        bad("flock", libc::SYS_flock),
        bad("renameat2", libc::SYS_renameat2),
        bad("inotify_add_watch", libc::SYS_inotify_add_watch),
        bad("statfs", libc::SYS_statfs),
        bad("connect", libc::SYS_connect),
        // For the child that is another process, and no signal (0) is sent.
        ("tgkill of the own", libc::SYS_tgkill, [own, own, 0, 0]),
    ]);
}

/// By a number that x86-64 kernels with x32 would take, and no rule of the filter knows.
#[cfg(target_arch = "x86_64")]
#[test]
fn there_is_no_way_round_by_x32() {
    all_are_refused(&[bad("ptrace", libc::SYS_ptrace | 0x4000_0000), bad("openat", libc::SYS_openat | 0x4000_0000)]);
}
