//! The system calls that the agent gives up: a seccomp filter that forbids what a sensor never does and an attacker would.
//!
//! A list of what is forbidden, not of what is allowed: an update of the C library or of a crate may bring calls that nobody thought
//! of, and a sensor that cannot make them would be blind on every node at once. What is forbidden fails with EPERM, and the kernel
//! logs it (audit type 1326, `SECCOMP_FILTER_FLAG_LOG`, 4.14); the agent is not killed, since to make it end is what an attacker wants.

use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, sock_filter};
use std::collections::BTreeMap;
use std::io;

/// Forbidden whatever the arguments are.
const ALWAYS: &[libc::c_long] = &[
    // The memory and descriptors of other processes. kcmp(2) stays: the sweep of the carriers compares tables of descriptors by it.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    // Signals to other processes; tgkill to the own threads stays, for abort(3).
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
    // Mounts, roots and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    // Files by handle: past every mount namespace, for who may read all files.
    libc::SYS_open_by_handle_at,
    // The kernel itself: its modules, its next image, its end, its clock, its log.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // Where faults of the kernel have been reached from, and which the agent does not use. io_uring goes past this filter, too.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_fanotify_init,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_personality,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

/// The same, where the architecture has it.
#[cfg(target_arch = "x86_64")]
const ALWAYS_HERE: &[libc::c_long] =
    &[libc::SYS_kexec_file_load, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const ALWAYS_HERE: &[libc::c_long] = &[];

/// Commands of bpf(2) that stay (`enum bpf_cmd`, include/uapi/linux/bpf.h): reading and writing maps, and what is known of a descriptor.
const BPF_COMMANDS: &[u64] = &[
    1,  // MAP_LOOKUP_ELEM
    2,  // MAP_UPDATE_ELEM
    3,  // MAP_DELETE_ELEM
    4,  // MAP_GET_NEXT_KEY
    15, // OBJ_GET_INFO_BY_FD
    21, // MAP_LOOKUP_AND_DELETE_ELEM
    24, // MAP_LOOKUP_BATCH
    25, // MAP_LOOKUP_AND_DELETE_BATCH
    26, // MAP_UPDATE_BATCH
    27, // MAP_DELETE_BATCH
];

/// Families of sockets that stay; of netlink only NETLINK_ROUTE, by which the C library asks for the own addresses.
const FAMILIES: &[libc::c_int] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// `SOCK_TYPE_MASK` (include/linux/net.h): without SOCK_CLOEXEC and SOCK_NONBLOCK.
const SOCK_TYPE_MASK: u64 = 0xf;

/// Of AF_INET, another name of packet sockets (`__sock_create`, net/socket.c); the C library's has a mark of age.
const SOCK_PACKET: libc::c_int = 10;

/// What clone(2) may not be asked for. CLONE_NEWTIME has no bit there.
const NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Calls by x32, which x86-64 kernels may offer, have this bit in their number (`__X32_SYSCALL_BIT`, asm/unistd.h).
const X32: u32 = 0x4000_0000;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts the filter on all threads of the process, which get `no_new_privs` by it as well.
///
/// # Errors
/// The kernel has no seccomp filters (CONFIG_SECCOMP_FILTER), or does not let this process have one.
pub fn forbid() -> io::Result<()> {
    // Two filters, since a filter refuses in one way only. The second one is not logged: the C library asks before each thread.
    install(&clone3().map_err(io::Error::other)?, 0)?;
    install(&forbidden(libc::EPERM).map_err(io::Error::other)?, libc::SECCOMP_FILTER_FLAG_LOG)
}

/// What is forbidden, with that error.
pub(super) fn forbidden(error: libc::c_int) -> Result<BpfProgram, BackendError> {
    let always = ALWAYS.iter().chain(ALWAYS_HERE);
    // No rules means: whatever the arguments.
    let mut rules: Rules = always.map(|number| (*number, Vec::new())).collect();
    rules.insert(libc::SYS_bpf, vec![none_of(0, BPF_COMMANDS.iter().copied())?]);
    rules.insert(libc::SYS_tgkill, vec![none_of(0, [u64::from(std::process::id())])?]);
    let namespaces = NAMESPACES.iter().map(|flag| {
        let flag = u64::from(flag.cast_unsigned());
        SeccompRule::new(vec![SeccompCondition::new(0, Dword, MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, namespaces.collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_socket, sockets()?);
    let program = filter(rules, error)?;
    Ok(refuse_x32(program, error))
}

/// clone3(2) has its flags in memory, where a filter cannot look. Where it is not there the C library takes clone(2).
pub(super) fn clone3() -> Result<BpfProgram, BackendError> {
    filter(Rules::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)
}

fn sockets() -> Result<Vec<SeccompRule>, BackendError> {
    let is = |at, value: libc::c_int| SeccompCondition::new(at, Dword, Eq, u64::from(value.cast_unsigned()));
    let is_not = |at, value: libc::c_int| SeccompCondition::new(at, Dword, Ne, u64::from(value.cast_unsigned()));
    let kind = |value: libc::c_int| {
        SeccompCondition::new(1, Dword, MaskedEq(SOCK_TYPE_MASK), u64::from(value.cast_unsigned()))
    };
    Ok(vec![
        none_of(0, FAMILIES.iter().map(|family| u64::from(family.cast_unsigned())))?,
        SeccompRule::new(vec![is(0, libc::AF_NETLINK)?, is_not(2, libc::NETLINK_ROUTE)?])?,
        // The C library's sockets of netlink are raw ones by name.
        SeccompRule::new(vec![is_not(0, libc::AF_NETLINK)?, kind(libc::SOCK_RAW)?])?,
        SeccompRule::new(vec![is_not(0, libc::AF_NETLINK)?, kind(SOCK_PACKET)?])?,
    ])
}

/// The argument is none of these.
fn none_of(argument: u8, values: impl IntoIterator<Item = u64>) -> Result<SeccompRule, BackendError> {
    let conditions = values.into_iter().map(|value| SeccompCondition::new(argument, Dword, Ne, value));
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

/// Calls of another architecture's table (32-bit ones) end the process: seccompiler has no other way, and nothing here makes any.
fn filter(rules: Rules, error: libc::c_int) -> Result<BpfProgram, BackendError> {
    let refuse = SeccompAction::Errno(error.cast_unsigned());
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture)?.try_into()
}

/// Calls by x32 come with the architecture of x86-64 and other numbers, which no rule knows: refused before all else. On other
/// architectures there are no such numbers.
fn refuse_x32(program: BpfProgram, error: libc::c_int) -> BpfProgram {
    let number = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
    let code = |code: u32| code as u16;
    let refuse = libc::SECCOMP_RET_ERRNO | error.cast_unsigned();
    let mut whole = vec![
        sock_filter { code: code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS), jt: 0, jf: 0, k: number },
        sock_filter { code: code(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K), jt: 0, jf: 1, k: X32 },
        sock_filter { code: code(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: refuse },
    ];
    whole.extend(program);
    whole
}

/// Gives all threads the filter. Before 5.16 a filter also switched a thread's speculation off, which costs a lot and protects only
/// who runs strangers' programs: not wanted here (`SECCOMP_FILTER_FLAG_SPEC_ALLOW`, 4.17).
pub(super) fn install(program: &BpfProgram, flags: libc::c_ulong) -> io::Result<()> {
    let flags = flags | libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // `sock_filter` of seccompiler and of libc are both the kernel's `struct sock_filter`; the kernel only reads.
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: `program` and what it points to live through the call, and are as long as `len` says; the kernel copies them.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    match result {
        0 => Ok(()),
        1.. => Err(io::Error::other(format!("thread {result} has a filter of its own"))),
        _ => Err(io::Error::last_os_error()),
    }
}
