//! What the agent tells the programs before they are loaded: read-only globals, so that the verifier sees constants and
//! drops the branches that a kernel or a configuration does not need.

use crate::plain;

/// A field that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// Declares [`Offsets`] and the table by which the agent resolves it.
macro_rules! offsets {
    ($($(#[$attr:meta])* $field:ident = $($structure:literal . $path:literal)|+ $(, $optional:ident)?;)*) => {
        plain! {
            /// Byte offsets of kernel structure fields, from the running kernel's BTF. [`ABSENT`] where it has none.
            pub struct Offsets { $($(#[$attr])* pub $field: u32),* }
        }

        /// How each field of [`Offsets`] is found, in field order.
        pub const FIELDS: &[Field] = &[$(Field {
            name: stringify!($field),
            paths: &[$(($structure, $path)),+],
            required: offsets!(@required $($optional)?),
        }),*];
    };
    (@required) => { true };
    (@required optional) => { false };
}

/// How a field of [`Offsets`] is found in BTF.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The field of [`Offsets`].
    pub name: &'static str,
    /// Structure and member path, the first that exists wins: kernels renamed some.
    pub paths: &'static [(&'static str, &'static str)],
    /// Nothing works without it; otherwise [`ABSENT`] is stored.
    pub required: bool,
}

offsets! {
    /// Since 2.6; read through `bpf_get_current_task`.
    task_tgid = "task_struct"."tgid";
    /// Thread id.
    task_pid = "task_struct"."pid";
    /// The thread group's leader.
    task_group_leader = "task_struct"."group_leader";
    /// Start in `CLOCK_BOOTTIME` nanoseconds: `start_boottime` since 5.5.
    task_start_time = "task_struct"."start_boottime";
    /// The parent that gets the exit status.
    task_real_parent = "task_struct"."real_parent";
    /// Open descriptors.
    task_files = "task_struct"."files";
    /// Root and working directory.
    task_fs = "task_struct"."fs";
    /// Namespaces other than user and pid.
    task_nsproxy = "task_struct"."nsproxy";
    /// Effective credentials.
    task_cred = "task_struct"."cred";
    /// Address space.
    task_mm = "task_struct"."mm";
    /// What threads share.
    task_signal = "task_struct"."signal";
    /// `wait(2)` status.
    task_exit_code = "task_struct"."exit_code";
    /// Mode of the current system call: x86 `thread_info.status`, arm64 `thread_info.flags`.
    task_compat = "task_struct"."thread_info.status" | "task_struct"."thread_info.flags", optional;
    /// Where its kernel stack starts.
    task_stack = "task_struct"."stack";
    /// PF_* flags.
    task_flags = "task_struct"."flags";
    /// What it traces.
    task_ptraced = "task_struct"."ptraced";
    /// Its place in its tracer's list.
    task_ptrace_entry = "task_struct"."ptrace_entry";
    /// Its places in the lists of its process ids, one for each type.
    task_pid_links = "task_struct"."pid_links";
    /// Tasks of a process id, one list for each type.
    pid_tasks = "pid"."tasks";
    /// Thread name.
    task_comm = "task_struct"."comm";
    /// Cgroups, all hierarchies.
    task_cgroups = "task_struct"."cgroups";
    /// `struct pid` of the thread: `thread_pid` since 4.19.
    task_thread_pid = "task_struct"."thread_pid";

    /// Depth of the pid namespace.
    pid_level = "pid"."level";
    /// One number a level.
    pid_numbers = "pid"."numbers";
    /// The number in that level's namespace.
    upid_nr = "upid"."nr";
    /// The namespace.
    upid_ns = "upid"."ns";
    /// Inode number of a pid namespace.
    pid_namespace_inum = "pid_namespace"."ns.inum";

    /// Live threads.
    signal_live = "signal_struct"."live.counter";
    /// Status of a group exit.
    signal_group_exit_code = "signal_struct"."group_exit_code";

    /// Mount namespace.
    nsproxy_mnt_ns = "nsproxy"."mnt_ns";
    /// Inode number of a mount namespace.
    mnt_namespace_inum = "mnt_namespace"."ns.inum";

    /// Real user id.
    cred_uid = "cred"."uid.val";
    /// Effective user id.
    cred_euid = "cred"."euid.val";
    /// Effective group id.
    cred_egid = "cred"."egid.val";

    /// cgroup v2.
    css_set_dfl_cgrp = "css_set"."dfl_cgrp";
    /// One state a controller.
    css_set_subsys = "css_set"."subsys";
    /// The controller's cgroup.
    css_cgroup = "cgroup_subsys_state"."cgroup";
    /// Its directory.
    cgroup_kn = "cgroup"."kn";
    /// Its hierarchy.
    cgroup_root = "cgroup"."root";
    /// Its depth.
    cgroup_level = "cgroup"."level";
    /// Ids of the cgroups above it and of itself, by depth (before 6.1).
    cgroup_ancestor_ids = "cgroup"."ancestor_ids", optional;
    /// Number of the hierarchy, 0 for v2.
    cgroup_root_hierarchy_id = "cgroup_root"."hierarchy_id";
    /// Inode number of a kernfs node (64-bit kernels): `id` since 5.5.
    kernfs_node_id = "kernfs_node"."id";

    /// Descriptor table.
    files_fdt = "files_struct"."fdt";
    /// The table of a process that never had more than [`SMALL_DESCRIPTORS`] descriptors.
    files_fdtab = "files_struct"."fdtab";
    /// Its pointers.
    files_fd_array = "files_struct"."fd_array";
    /// Its length.
    fdt_max_fds = "fdtable"."max_fds";
    /// Its pointers.
    fdt_fd = "fdtable"."fd";

    /// The dentry of an open file.
    file_dentry = "file"."f_path.dentry";
    /// The mount of an open file.
    file_mnt = "file"."f_path.mnt";
    /// Its inode.
    file_inode = "file"."f_inode";
    /// O_* flags.
    file_flags = "file"."f_flags";
    /// FMODE_* flags.
    file_mode = "file"."f_mode";
    /// What a descriptor of no file system stands for: a socket, a BPF object, a process.
    file_private = "file"."private_data";

    /// Name: length.
    dentry_name_len = "dentry"."d_name.len";
    /// Name: bytes.
    dentry_name = "dentry"."d_name.name";
    /// Names short enough lie here, in the dentry itself (`d_iname` before 6.14).
    dentry_short_name = "dentry"."d_shortname" | "dentry"."d_iname";
    /// Parent; itself at a root.
    dentry_parent = "dentry"."d_parent";
    /// Inode, null for a negative dentry.
    dentry_inode = "dentry"."d_inode";

    /// Number.
    inode_ino = "inode"."i_ino";
    /// Size in bytes.
    inode_size = "inode"."i_size";
    /// Type and permissions.
    inode_mode = "inode"."i_mode";
    /// Names.
    inode_nlink = "inode"."i_nlink";
    /// Owner.
    inode_uid = "inode"."i_uid.val";
    /// Of a device's node, which device.
    inode_rdev = "inode"."i_rdev";
    /// What a file system keeps with it; of a pidfd the process since 6.9 (fs/pidfs.c).
    inode_private = "inode"."i_private";

    /// `struct path`: the mount.
    path_mnt = "path"."mnt";
    /// `struct path`: the dentry.
    path_dentry = "path"."dentry";

    /// Superblock.
    inode_sb = "inode"."i_sb";
    /// Change time: two fields since 6.11, a timespec64 before (renamed in 6.6).
    inode_ctime_seconds = "inode"."i_ctime_sec" | "inode"."__i_ctime.tv_sec" | "inode"."i_ctime.tv_sec";
    /// Change time, nanoseconds.
    inode_ctime_nanoseconds = "inode"."i_ctime_nsec" | "inode"."__i_ctime.tv_nsec" | "inode"."i_ctime.tv_nsec";
    /// Device.
    sb_dev = "super_block"."s_dev";
    /// `struct proc_inode`: whose process it is about.
    proc_inode_pid = "proc_inode"."pid", optional;
    /// The inode in it.
    proc_inode_inode = "proc_inode"."vfs_inode", optional;
    /// File system's magic number.
    sb_magic = "super_block"."s_magic";

    /// `struct vfsmount` in `struct mount`.
    mount_mnt = "mount"."mnt";
    /// Parent mount; itself at the top.
    mount_parent = "mount"."mnt_parent";
    /// Where it is mounted.
    mount_mountpoint = "mount"."mnt_mountpoint";
    /// Root of a mount.
    vfsmount_root = "vfsmount"."mnt_root";

    /// Root directory: mount.
    fs_root_mnt = "fs_struct"."root.mnt";
    /// Working directory: dentry.
    fs_pwd_dentry = "fs_struct"."pwd.dentry";
    /// Working directory: mount.
    fs_pwd_mnt = "fs_struct"."pwd.mnt";

    /// The program's file.
    mm_exe_file = "mm_struct"."exe_file";
    /// First argument, user memory.
    mm_arg_start = "mm_struct"."arg_start";
    /// Behind the last argument.
    mm_arg_end = "mm_struct"."arg_end";

    /// System call number at exit: x86-64 | arm64.
    regs_syscall = "pt_regs"."orig_ax" | "pt_regs"."syscallno";

    /// io_uring request: what it does. In BTF since 5.18 or so, with the request passed to its tracepoints.
    uring_opcode = "io_kiocb"."opcode", optional;
    /// io_uring request: what the process named it.
    uring_user_data = "io_kiocb"."cqe.user_data" | "io_kiocb"."user_data", optional;
    /// io_uring request: REQ_F_*.
    uring_flags = "io_kiocb"."flags", optional;
    /// io_uring request: its ring.
    uring_ctx = "io_kiocb"."ctx", optional;
    /// `io_open`: direct descriptor slot, 1-based, 0 for none.
    uring_open_slot = "io_open"."file_slot", optional;
    /// `io_open`: the kernel's copy of the name.
    uring_open_filename = "io_open"."filename", optional;
    /// `io_open`: O_* flags.
    uring_open_flags = "io_open"."how.flags", optional;
    /// `filename`: the bytes.
    filename_name = "filename"."name";
    /// io_uring request: the file that it works on.
    uring_file = "io_kiocb"."file", optional;
    /// `io_splice`: the descriptor that is read from (5.18, before a file).
    uring_splice_from = "io_splice"."splice_fd_in", optional;
    /// `io_ftrunc`: the new size (6.9).
    uring_ftruncate_len = "io_ftrunc"."len", optional;
    /// `io_socket`: direct descriptor slot, 1-based, 0 for none (5.19).
    uring_socket_slot = "io_socket"."file_slot", optional;
    /// `io_rename`: the kernel's copies of the names.
    uring_rename_old = "io_rename"."oldpath", optional;
    /// The same.
    uring_rename_new = "io_rename"."newpath", optional;
    /// `io_link`: the kernel's copies of the names (5.15).
    uring_link_old = "io_link"."oldpath", optional;
    /// The same.
    uring_link_new = "io_link"."newpath", optional;
    /// `io_unlink`: the kernel's copy of the name.
    uring_unlink_name = "io_unlink"."filename", optional;
    /// The same: flags, `AT_REMOVEDIR` among them.
    uring_unlink_flags = "io_unlink"."flags", optional;
    /// Completion: result.
    uring_cqe_res = "io_uring_cqe"."res", optional;
    /// Ring: direct descriptors, one node pointer each (6.13 and later).
    uring_ctx_nodes = "io_ring_ctx"."file_table.data.nodes", optional;
    /// Ring: their number (6.13 and later).
    uring_ctx_nodes_nr = "io_ring_ctx"."file_table.data.nr", optional;
    /// Node: tagged pointer to the file (6.13 and later).
    uring_node_file = "io_rsrc_node"."file_ptr", optional;
    /// Ring: direct descriptors, one tagged pointer each (5.19 to 6.12).
    uring_ctx_files = "io_ring_ctx"."file_table.files", optional;
    /// Ring: their number (5.19 to 6.12).
    uring_ctx_files_nr = "io_ring_ctx"."nr_user_files", optional;

    /// TCP state machine's socket: family.
    sock_family = "sock_common"."skc_family";
    /// Own port, host order.
    sock_local_port = "sock_common"."skc_num";
    /// Peer's port, network order.
    sock_peer_port = "sock_common"."skc_dport";
    /// Own IPv4 address.
    sock_local_v4 = "sock_common"."skc_rcv_saddr";
    /// Peer's IPv4 address.
    sock_peer_v4 = "sock_common"."skc_daddr";
    /// Own IPv6 address (absent without CONFIG_IPV6).
    sock_local_v6 = "sock_common"."skc_v6_rcv_saddr", optional;
    /// Peer's IPv6 address (absent without CONFIG_IPV6).
    sock_peer_v6 = "sock_common"."skc_v6_daddr", optional;
    /// Cookie, 0 if none was made.
    sock_cookie = "sock_common"."skc_cookie.counter";
    /// `IPPROTO_*`.
    sock_protocol = "sock"."sk_protocol";
    /// The inner socket.
    socket_sk = "socket"."sk";
    /// Its descriptor's file; null before it has one.
    socket_file = "socket"."file";
    /// The outer socket; null while nobody has accepted it, and when it is closed.
    sock_socket = "sock"."sk_socket";
    /// Unix socket: the end that receives what is sent; null if it is not connected (absent if unix sockets are a module).
    unix_peer = "unix_sock"."peer", optional;
    /// Unix socket: the name in a file system that it is bound to; null if it has none.
    unix_dentry = "unix_sock"."path.dentry", optional;
    /// `SOCK_*`.
    socket_type = "socket"."type";

    /// Ids by which `bpf(2)` finds its objects.
    bpf_map_id = "bpf_map"."id";
    /// The same.
    bpf_program_aux = "bpf_prog"."aux";
    /// The same.
    bpf_program_id = "bpf_prog_aux"."id";
    /// The same (5.8).
    bpf_link_id = "bpf_link"."id";

    /// Kernel modules (absent without CONFIG_MODULES).
    module_name = "module"."name", optional;
    /// `1 << TAINT_*`.
    module_taints = "module"."taints", optional;
}

/// `NR_OPEN_DEFAULT` (include/linux/fdtable.h): `BITS_PER_LONG`.
pub const SMALL_DESCRIPTORS: u64 = 64;

/// Words of a [`SystemCalls`].
const SYSTEM_CALL_WORDS: usize = 8;

plain! {
    /// A set of system call numbers, a bit each. Looked at by every system call on the machine: one load and a shift.
    pub struct SystemCalls {
        /// Bit n of word m: number 64 m + n.
        pub words: [u64; SYSTEM_CALL_WORDS],
    }
}

impl SystemCalls {
    /// The first number that it cannot hold. Linux has some 470; all that open are below it on every architecture.
    pub const END: u32 = 64 * SYSTEM_CALL_WORDS as u32;

    /// The set of `numbers`; those from [`SystemCalls::END`] on ([`ABSENT`] among them) are left out.
    pub const fn of(numbers: &[u32]) -> SystemCalls {
        let mut set = SystemCalls::ZERO;
        let mut at = 0;
        while at < numbers.len() {
            let number = numbers[at];
            if number < SystemCalls::END {
                set.words[(number / 64) as usize] |= 1 << (number % 64);
            }
            at += 1;
        }
        set
    }
}

/// What a system call does, as far as it is watched. The discriminant is its code in [`Config::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the system call of that name")]
pub enum Action {
    /// open, openat, openat2, creat, open_by_handle_at
    Open = 1,
    Rename = 2,
    /// renameat, renameat2
    Renameat = 3,
    Link = 4,
    Linkat = 5,
    Unlink = 6,
    Unlinkat = 7,
    Truncate = 8,
    /// The 32-bit calls whose size is in two words.
    Truncate64 = 9,
    Ftruncate = 10,
    Ftruncate64 = 11,
    Socket = 12,
    /// The 32-bit multiplexer of socket calls.
    Socketcall = 13,
    Ptrace = 14,
    ProcessVmReadv = 15,
    ProcessVmWritev = 16,
    PidfdGetfd = 17,
    Bpf = 18,
    Mount = 19,
    MoveMount = 20,
    PivotRoot = 21,
    Unshare = 22,
    Setns = 23,
    /// Watched by no program; a thread that is in it works on requests.
    IoUringEnter = 24,
    /// read, readv, pread64, preadv, preadv2, recvfrom, recvmsg
    Read = 25,
    /// recvmmsg: it returns the number of messages, not of bytes.
    ReadMany = 26,
    /// write, writev, pwrite64, pwritev, pwritev2
    Write = 27,
    /// sendmmsg
    WriteMany = 28,
    Sendfile = 29,
    /// splice, copy_file_range
    Splice = 30,
    Tee = 31,
    Vmsplice = 32,
    Ioctl = 33,
    /// mmap, and mmap2 of 32-bit programs
    Mmap = 34,
    Sendto = 35,
    Sendmsg = 36,
}

/// What io_uring's completion tracepoint tells.
pub mod uring_shape {
    /// It is not there, or tells too little.
    pub const NONE: u32 = 0;
    /// `(ctx, req, cqe)`: 6.10.
    pub const CQE: u32 = 1;
    /// `(ctx, req, user_data, res, ...)`: 5.19 to 6.9.
    pub const RESULT: u32 = 2;
    /// `(ctx, user_data, res, ...)`: 5.12 to 5.16, and 5.10 since 5.10.162. The request is found by its ring and user data.
    pub const USER_DATA: u32 = 3;
}

/// Numbers of io_uring's operations (`enum io_uring_op`, include/uapi/linux/io_uring.h).
pub mod uring_op {
    /// `IORING_OP_READV`
    pub const READV: u32 = 1;
    /// `IORING_OP_WRITEV`
    pub const WRITEV: u32 = 2;
    /// `IORING_OP_READ_FIXED`
    pub const READ_FIXED: u32 = 4;
    /// `IORING_OP_WRITE_FIXED`
    pub const WRITE_FIXED: u32 = 5;
    /// `IORING_OP_SENDMSG`
    pub const SENDMSG: u32 = 9;
    /// `IORING_OP_RECVMSG`
    pub const RECVMSG: u32 = 10;
    /// `IORING_OP_OPENAT`
    pub const OPENAT: u32 = 18;
    /// `IORING_OP_READ`
    pub const READ: u32 = 22;
    /// `IORING_OP_WRITE`
    pub const WRITE: u32 = 23;
    /// `IORING_OP_SEND`
    pub const SEND: u32 = 26;
    /// `IORING_OP_RECV`
    pub const RECV: u32 = 27;
    /// `IORING_OP_OPENAT2`
    pub const OPENAT2: u32 = 28;
    /// `IORING_OP_SPLICE`
    pub const SPLICE: u32 = 30;
    /// `IORING_OP_TEE`
    pub const TEE: u32 = 33;
    /// `IORING_OP_RENAMEAT`
    pub const RENAMEAT: u32 = 35;
    /// `IORING_OP_UNLINKAT`
    pub const UNLINKAT: u32 = 36;
    /// `IORING_OP_LINKAT`
    pub const LINKAT: u32 = 39;
    /// `IORING_OP_SOCKET`
    pub const SOCKET: u32 = 45;
    /// `IORING_OP_SEND_ZC` (6.0)
    pub const SEND_ZC: u32 = 47;
    /// `IORING_OP_SENDMSG_ZC` (6.1)
    pub const SENDMSG_ZC: u32 = 48;
    /// `IORING_OP_READ_MULTISHOT` (6.7)
    pub const READ_MULTISHOT: u32 = 49;
    /// `IORING_OP_READV_FIXED` (6.15)
    pub const READV_FIXED: u32 = 60;
    /// `IORING_OP_WRITEV_FIXED` (6.15)
    pub const WRITEV_FIXED: u32 = 61;
    /// `IORING_OP_FTRUNCATE` (6.9)
    pub const FTRUNCATE: u32 = 55;
}

/// Operations that move bytes.
pub const MOVES: &[u32] = &[
    uring_op::READV,
    uring_op::WRITEV,
    uring_op::READ_FIXED,
    uring_op::WRITE_FIXED,
    uring_op::SENDMSG,
    uring_op::RECVMSG,
    uring_op::READ,
    uring_op::WRITE,
    uring_op::SEND,
    uring_op::RECV,
    uring_op::SPLICE,
    uring_op::TEE,
    uring_op::SEND_ZC,
    uring_op::SENDMSG_ZC,
    uring_op::READ_MULTISHOT,
    uring_op::READV_FIXED,
    uring_op::WRITEV_FIXED,
];

/// Bit n for each n in `operations`, which are below 64.
pub const fn bits(operations: &[u32]) -> u64 {
    let (mut bits, mut at) = (0, 0);
    while at < operations.len() {
        bits |= 1 << operations[at];
        at += 1;
    }
    bits
}

plain! {
    /// The one element of the map `WATCHED_CALLS`: what the portable programs look at. Filled once it is known what the
    /// trampolines cover.
    pub struct Watched {
        /// System calls of this architecture.
        pub native: SystemCalls,
        /// 32-bit system calls.
        pub compat: SystemCalls,
        /// io_uring operations: bit n is operation n.
        pub io_uring: u64,
    }
}

plain! {
    /// A system call's convention: what each number does, and where the arguments are.
    pub struct Convention {
        /// [`Action`] of each number; 0 for those that are not watched.
        pub actions: [u8; SystemCalls::END as usize],
        /// Byte offsets in `struct pt_regs` of the first five arguments. At exit they still hold what was passed.
        pub arguments: [u32; 5],
        /// Which argument is the low word of a size that takes two.
        pub size_low: u32,
    }
}

plain! {
    /// The rest of what the programs need to know.
    pub struct Config {
        /// System calls of this architecture.
        pub native: Convention,
        /// 32-bit system calls, which a 64-bit program can make too (`int 0x80`).
        pub compat: Convention,
        /// These programs are at work while [`Agent::generation`] is this.
        pub generation: u32,
        /// Watch only below this cgroup v2: its id; 0 for everything.
        pub scope_cgroup_low: u32,
        /// High half of the same.
        pub scope_cgroup_high: u32,
        /// Its depth: 0 for the root, 1 for a child of it.
        pub scope_level: u32,
        /// Wake the reader each time that this many more bytes wait in the ring (a power of two); it looks by itself every 50 ms.
        pub wake_bytes: u32,
        /// A flow's bytes before its second report; each further one at twice the one before.
        pub flow_floor: u32,
        /// Where cgroup v1 identifies containers (hybrid hosts): index of a controller in `css_set.subsys`; [`ABSENT`] if not.
        pub cgroup_v1_subsystem: u32,
        /// Not 0: `bpf_get_current_task_btf` and typed loads can be used (5.11).
        pub typed_loads: u32,
        /// Where the registers are that a thread entered the kernel with: 0: not known; 1: `bpf_task_pt_regs` tells (5.15); else
        /// so many bytes above the start of its stack.
        pub task_registers: u32,
        /// Mask in the word at `task_compat` that marks a 32-bit call: x86 `TS_COMPAT` (2), arm64 `_TIF_32BIT` (1 << 22).
        pub compat_flag: u32,
        /// One of [`uring_shape`].
        pub uring_shape: u32,
        /// Mask in `io_kiocb.flags` of requests that post no completion (`REQ_F_CQE_SKIP`, 5.17); 0 if there is none.
        pub uring_skip_flag: u32,
        /// Which argument of io_uring's submission tracepoint is the request: 0, or 1 where the ring comes first (before 6.0).
        pub uring_submitted: u32,
        /// Bits of the classes that are followed from who opens them; of others nobody holds anything.
        pub held_classes: u32,
        /// Bits of the classes whose files are remembered, so that who gets a descriptor of one holds it too.
        pub source_classes: u32,
        /// Records that a cgroup may send in 100 ms while the ring is more than half full.
        pub budget: u32,
    }
}

plain! {
    /// The one element of the map `AGENT`. Written as a whole when an agent begins or takes over.
    pub struct Agent {
        /// The generation of programs that are at work; others that are attached rest.
        pub generation: u32,
        /// The agent, whose own events are filtered. In the initial pid namespace; 0 when it has ended.
        pub tgid: u32,
    }
}

plain! {
    /// Key of the map `URING_REQUESTS`, where completions tell no request.
    pub struct UringKey {
        /// The ring (`struct io_ring_ctx *`).
        pub ring: u64,
        /// What the process named the request.
        pub user_data: u64,
    }
}

/// Most requests on their way that the map `URING_REQUESTS` holds; the least recently submitted goes first.
pub const URING_REQUESTS: u32 = 4096;

/// Most objects of the sensor's own that the map `OWN_OBJECTS` holds.
pub const OWN_OBJECTS: u32 = 256;

plain! {
    /// Key of the map `OWN_OBJECTS`: one of the sensor's own programs, maps and links.
    pub struct OwnObject {
        /// A [`crate::record::BpfObject`].
        pub object: u32,
        /// The kernel's id.
        pub id: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_system_calls_holds_what_fits() {
        let set = SystemCalls::of(&[2, 257, 511, 512, ABSENT]);
        assert_eq!(set.words, [1 << 2, 0, 0, 0, 1 << 1, 0, 0, 1 << 63]);
    }
}
