//! What crosses the ring buffer: a [`Header`], then the kind's own fixed part, then (for [`Exec`] and [`Open`]) bytes.
//!
//! All integers are native-endian (both sides run on one machine), all structures are 8-byte aligned and have no padding.
//! A record's bytes come from a kernel that an attacker feeds: lengths are bounds to check, never promises.

use crate::plain;

/// Version of every layout in this file. Raised by one with each change, additions included.
pub const VERSION: u16 = 2;

/// Length of a task's `comm`, with its NUL (`TASK_COMM_LEN`, include/linux/sched.h).
pub const COMM_LEN: usize = 16;
/// Most bytes of a path in a record. `PATH_MAX` (4096) less one; the kernel itself refuses longer names in one call.
pub const PATH_MAX: usize = 4095;
/// Most bytes of a program's arguments in an [`Exec`] record; what is cut is flagged with [`exec_flags::ARGS_CUT`].
pub const ARGS_MAX: usize = 4095;
/// Most bytes of the other strings in a [`Mount`] record, NUL included.
pub const STRING_MAX: usize = 256;
/// `MODULE_NAME_LEN` (include/linux/module.h) on 64-bit kernels.
pub const MODULE_NAME_LEN: usize = 56;
/// `BPF_OBJ_NAME_LEN` (include/uapi/linux/bpf.h).
pub const BPF_NAME_LEN: usize = 16;
/// Most path components that are walked; deeper paths are flagged with [`path_flags::CUT`].
pub const PATH_DEPTH: usize = 64;

/// What a record is about. The discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A program was started in a process: [`Exec`].
    Exec = 1,
    /// A process was created: [`Fork`].
    Fork = 2,
    /// A process ended: [`Exit`].
    Exit = 3,
    /// A file was opened: [`Open`].
    Open = 4,
    /// A connection or an unconnected send was asked for: [`Connect`].
    Connect = 5,
    /// Bytes left over a flow: [`Flow`].
    Flow = 6,
    /// A cgroup was made: [`Cgroup`].
    Cgroup = 7,
    /// A file got another name: [`FileChange`].
    Rename = 8,
    /// A file got one more name: [`FileChange`].
    Link = 9,
    /// A name of a file was removed: [`FileChange`].
    Unlink = 10,
    /// A file was cut or grown to a size: [`FileChange`].
    Truncate = 11,
    /// A socket was made whose bytes the flows do not count: [`Socket`].
    Socket = 12,
    /// A process got at another one's memory or descriptors: [`ProcessAccess`].
    ProcessAccess = 13,
    /// A bpf command that could blind a sensor: [`Bpf`].
    Bpf = 14,
    /// A kernel module was loaded: [`Module`].
    Module = 15,
    /// The tree of directories was changed: [`Mount`].
    Mount = 16,
    /// A process went into other namespaces: [`Namespace`].
    Namespace = 17,
}

impl Kind {
    /// Every kind, in wire order; `Kind::ALL[i] as usize == i + 1`.
    pub const ALL: [Kind; 17] = [
        Kind::Exec,
        Kind::Fork,
        Kind::Exit,
        Kind::Open,
        Kind::Connect,
        Kind::Flow,
        Kind::Cgroup,
        Kind::Rename,
        Kind::Link,
        Kind::Unlink,
        Kind::Truncate,
        Kind::Socket,
        Kind::ProcessAccess,
        Kind::Bpf,
        Kind::Module,
        Kind::Mount,
        Kind::Namespace,
    ];

    /// The kind of a wire value.
    pub const fn from_wire(value: u8) -> Option<Kind> {
        if value == 0 || value as usize > Kind::ALL.len() {
            return None;
        }
        Some(Kind::ALL[value as usize - 1])
    }

    /// The name used in output, rules, metrics and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Exec => "exec",
            Kind::Fork => "fork",
            Kind::Exit => "exit",
            Kind::Open => "open",
            Kind::Connect => "connect",
            Kind::Flow => "flow",
            Kind::Cgroup => "cgroup",
            Kind::Rename => "rename",
            Kind::Link => "link",
            Kind::Unlink => "unlink",
            Kind::Truncate => "truncate",
            Kind::Socket => "socket",
            Kind::ProcessAccess => "process_access",
            Kind::Bpf => "bpf",
            Kind::Module => "module",
            Kind::Mount => "mount",
            Kind::Namespace => "namespace",
        }
    }
}

/// Which kernel hook made the record. The discriminant is the wire value; [`Hook::name`] is the field `weir.hook`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Hook {
    /// `tp_btf/sched_process_exec`
    SchedProcessExec = 1,
    /// `tp_btf/sched_process_fork`
    SchedProcessFork = 2,
    /// `tp_btf/sched_process_exit`
    SchedProcessExit = 3,
    /// `tp_btf/sys_exit`: a system call that does what is watched returned.
    SysExit = 4,
    /// `tp_btf/io_uring_complete`: an io_uring request that does what is watched completed.
    IoUringComplete = 5,
    /// `tp_btf/io_uring_submit_req` (`io_uring_submit_sqe` before 6.4): a request that will post no completion, or whose names
    /// are gone by then.
    IoUringSubmit = 6,
    /// `cgroup/connect4`, `cgroup/connect6`
    CgroupConnect = 7,
    /// `cgroup/sendmsg4`, `cgroup/sendmsg6`
    CgroupSendmsg = 8,
    /// `cgroup_skb/egress`
    CgroupSkb = 9,
    /// `tp_btf/inet_sock_set_state`
    InetSockSetState = 10,
    /// `cgroup/sock_release`
    CgroupSockRelease = 11,
    /// `tp_btf/cgroup_mkdir`
    CgroupMkdir = 12,
    /// `fexit/security_file_open`
    FileOpen = 13,
    /// `fexit/security_path_rename`
    PathRename = 14,
    /// `fexit/security_path_link`
    PathLink = 15,
    /// `fexit/security_path_unlink`
    PathUnlink = 16,
    /// `fexit/security_path_truncate`
    PathTruncate = 17,
    /// `fexit/security_file_truncate` (6.2)
    FileTruncate = 18,
    /// `fexit/security_socket_post_create`
    SocketPostCreate = 19,
    /// `fexit/security_ptrace_access_check`
    PtraceAccessCheck = 20,
    /// `fexit/security_bpf`
    SecurityBpf = 21,
    /// `tp_btf/module_load`
    ModuleLoad = 22,
    /// `fexit/security_sb_mount`
    SbMount = 23,
    /// `fexit/security_move_mount`
    MoveMount = 24,
    /// `fexit/security_sb_pivotroot`
    PivotRoot = 25,
    /// `fexit/ksys_unshare`
    Unshare = 26,
    /// `fexit/__x64_sys_setns`, `fexit/__arm64_sys_setns`
    Setns = 27,
}

impl Hook {
    /// Every hook, in wire order.
    pub const ALL: [Hook; 27] = [
        Hook::SchedProcessExec,
        Hook::SchedProcessFork,
        Hook::SchedProcessExit,
        Hook::SysExit,
        Hook::IoUringComplete,
        Hook::IoUringSubmit,
        Hook::CgroupConnect,
        Hook::CgroupSendmsg,
        Hook::CgroupSkb,
        Hook::InetSockSetState,
        Hook::CgroupSockRelease,
        Hook::CgroupMkdir,
        Hook::FileOpen,
        Hook::PathRename,
        Hook::PathLink,
        Hook::PathUnlink,
        Hook::PathTruncate,
        Hook::FileTruncate,
        Hook::SocketPostCreate,
        Hook::PtraceAccessCheck,
        Hook::SecurityBpf,
        Hook::ModuleLoad,
        Hook::SbMount,
        Hook::MoveMount,
        Hook::PivotRoot,
        Hook::Unshare,
        Hook::Setns,
    ];

    /// The hook of a wire value.
    pub fn from_wire(value: u8) -> Option<Hook> {
        Hook::ALL.get(usize::from(value).checked_sub(1)?).copied()
    }

    /// The kernel's name of the attach point.
    pub const fn name(self) -> &'static str {
        match self {
            Hook::SchedProcessExec => "sched_process_exec",
            Hook::SchedProcessFork => "sched_process_fork",
            Hook::SchedProcessExit => "sched_process_exit",
            Hook::SysExit => "sys_exit",
            Hook::IoUringComplete => "io_uring_complete",
            Hook::IoUringSubmit => "io_uring_submit",
            Hook::CgroupConnect => "cgroup_connect",
            Hook::CgroupSendmsg => "cgroup_sendmsg",
            Hook::CgroupSkb => "cgroup_skb",
            Hook::InetSockSetState => "inet_sock_set_state",
            Hook::CgroupSockRelease => "cgroup_sock_release",
            Hook::CgroupMkdir => "cgroup_mkdir",
            Hook::FileOpen => "security_file_open",
            Hook::PathRename => "security_path_rename",
            Hook::PathLink => "security_path_link",
            Hook::PathUnlink => "security_path_unlink",
            Hook::PathTruncate => "security_path_truncate",
            Hook::FileTruncate => "security_file_truncate",
            Hook::SocketPostCreate => "security_socket_post_create",
            Hook::PtraceAccessCheck => "security_ptrace_access_check",
            Hook::SecurityBpf => "security_bpf",
            Hook::ModuleLoad => "module_load",
            Hook::SbMount => "security_sb_mount",
            Hook::MoveMount => "security_move_mount",
            Hook::PivotRoot => "security_sb_pivotroot",
            Hook::Unshare => "ksys_unshare",
            Hook::Setns => "sys_setns",
        }
    }
}

plain! {
    /// A process (thread group), as the kernel knows it: survives pid reuse.
    pub struct Process {
        /// Start of the thread group's leader, nanoseconds of `CLOCK_BOOTTIME` (`task_struct.start_boottime`, 5.5).
        pub start_time: u64,
        /// `task_struct.tgid`, in the initial pid namespace.
        pub tgid: u32,
        /// The same in the process's own pid namespace; 0 where it was not read.
        pub vtgid: u32,
    }
}

plain! {
    /// What every record begins with. The process is the one that acted; for [`Flow`] it is the one that made the socket.
    pub struct Header {
        /// [`VERSION`].
        pub version: u16,
        /// A [`Kind`].
        pub kind: u8,
        /// A [`Hook`].
        pub hook: u8,
        /// Bytes of the whole record, this header included.
        pub size: u32,
        /// Nanoseconds of `CLOCK_BOOTTIME` (`bpf_ktime_get_boot_ns`, 5.8).
        pub time: u64,
        /// The process that acted. `start_time` 0: not known (a socket older than the sensor).
        pub process: Process,
        /// The thread that acted; 0 where the record is not about a thread.
        pub tid: u32,
        /// Hierarchy that `cgroup` is in: 0 for cgroup v2, else a v1 `cgroup_root.hierarchy_id`.
        pub cgroup_hierarchy: u32,
        /// Id of the process's cgroup: the inode number of its directory (`kernfs_node.id`, 64-bit kernels).
        pub cgroup: u64,
        /// Inode number of the mount namespace (`/proc/PID/ns/mnt`).
        pub mount_namespace: u32,
        /// Inode number of the pid namespace that the process is in (`/proc/PID/ns/pid`).
        pub pid_namespace: u32,
        /// Effective user id, in the initial user namespace.
        pub uid: u32,
        /// Effective group id, in the initial user namespace.
        pub gid: u32,
        /// The thread's name, NUL-padded. Chosen by the process: for display only.
        pub comm: [u8; COMM_LEN],
    }
}

plain! {
    /// A file, from its `struct inode`.
    pub struct File {
        /// `super_block.s_dev` in the kernel's own encoding: major << 20 | minor.
        pub device: u32,
        /// `inode.i_mode`: type and permissions.
        pub mode: u32,
        /// `inode.i_ino`.
        pub inode: u64,
        /// `inode.i_size`, bytes.
        pub size: u64,
        /// Status change time: seconds since the epoch.
        pub changed_seconds: i64,
        /// Status change time: nanoseconds within the second.
        pub changed_nanoseconds: u32,
        /// `inode.i_nlink`; 0: no name is left (deleted, `memfd_create`, `O_TMPFILE`).
        pub links: u32,
        /// `inode.i_uid`, in the initial user namespace.
        pub uid: u32,
        /// `super_block.s_magic`, low 32 bits (`TMPFS_MAGIC` and the like, include/uapi/linux/magic.h).
        pub filesystem: u32,
    }
}

/// How a path in a record came out.
pub mod path_flags {
    /// Longer or deeper than the record holds: the front (towards the root) is missing.
    pub const CUT: u16 = 1;
    /// The file is in no directory tree (memfd, pipe, socket): the path is the kernel's own name for it.
    pub const PSEUDO: u16 = 2;
    /// As asked for by the program, from the kernel's own copy, neither resolved nor made absolute.
    pub const UNRESOLVED: u16 = 4;
    /// The walk met memory it could not read; what is there is right but incomplete.
    pub const FAULT: u16 = 8;
}

plain! {
    /// Where in a record's tail a path lies, and how it came out. A resolved path is stored as its components, leaf first,
    /// each followed by a NUL; an unresolved or pseudo one as one NUL-terminated string.
    pub struct Path {
        /// Bytes in the tail, NULs included.
        pub len: u16,
        /// [`path_flags`].
        pub flags: u16,
    }
}

/// How an [`Open`] or a [`FileChange`] came to be.
pub mod file_flags {
    /// An io_uring request did it.
    pub const IO_URING: u32 = 1;
}

plain! {
    /// `Kind::Open`. Tail: `path`.
    pub struct Open {
        /// The beginning of every record.
        pub header: Header,
        /// The file that is now open. All zero when `path` is unresolved.
        pub file: File,
        /// Classes that its name or directory matched ([`crate::classify::Classes`] bits), and those of a watched inode.
        pub classes: u32,
        /// `file.f_flags`: the O_* flags, access mode in the low two bits; without those that only matter while it is opened
        /// (O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC: `do_dentry_open` takes them away).
        pub flags: u32,
        /// The file's path.
        pub path: Path,
        /// [`file_flags`].
        pub origin: u32,
    }
}

plain! {
    /// `Kind::Rename`, `Kind::Link`, `Kind::Unlink`, `Kind::Truncate`. Tail: `path`, then `new_path`.
    pub struct FileChange {
        /// The beginning of every record.
        pub header: Header,
        /// The file as it was before. All zero when `path` is unresolved.
        pub file: File,
        /// Classes that its name, its new name or its directories matched, and those of a watched inode.
        pub classes: u32,
        /// The name that is changed, or of the file that is.
        pub path: Path,
        /// Rename and link: the name that it gets. Else empty.
        pub new_path: Path,
        /// [`file_flags`].
        pub origin: u32,
        /// Truncate: the new size in bytes, [`SIZE_UNKNOWN`] where the hook does not tell.
        pub new_size: u64,
    }
}

/// No size.
pub const SIZE_UNKNOWN: u64 = u64::MAX;

plain! {
    /// `Kind::Socket`.
    pub struct Socket {
        /// The beginning of every record.
        pub header: Header,
        /// `AF_*`.
        pub family: u32,
        /// `SOCK_*`, without flags.
        pub kind: u32,
        /// The family's protocol number.
        pub protocol: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

/// How a process got at another one. The discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum AccessHow {
    /// The kernel did not say by what: `PTRACE_MODE_ATTACH` was asked for and granted.
    Unknown = 0,
    /// `ptrace(PTRACE_ATTACH)` or `PTRACE_SEIZE`
    Ptrace = 1,
    /// `process_vm_readv(2)`
    VmRead = 2,
    /// `process_vm_writev(2)`
    VmWrite = 3,
    /// `pidfd_getfd(2)`
    Descriptor = 4,
    /// `/proc/PID/mem` was opened.
    ProcMem = 5,
}

impl AccessHow {
    /// Every way, in wire order.
    pub const ALL: [AccessHow; 6] = [
        AccessHow::Unknown,
        AccessHow::Ptrace,
        AccessHow::VmRead,
        AccessHow::VmWrite,
        AccessHow::Descriptor,
        AccessHow::ProcMem,
    ];

    /// The value of the field `weir.access.how`.
    pub const fn name(self) -> &'static str {
        match self {
            AccessHow::Unknown => "unknown",
            AccessHow::Ptrace => "ptrace",
            AccessHow::VmRead => "process_vm_readv",
            AccessHow::VmWrite => "process_vm_writev",
            AccessHow::Descriptor => "pidfd_getfd",
            AccessHow::ProcMem => "proc_mem",
        }
    }
}

plain! {
    /// `Kind::ProcessAccess`.
    pub struct ProcessAccess {
        /// The beginning of every record.
        pub header: Header,
        /// The other process. `start_time` 0: only `vtgid` is known, and it is what the acting process calls it in its own pid
        /// namespace.
        pub target: Process,
        /// An [`AccessHow`].
        pub how: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

/// What a [`Bpf`] command is about. The discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum BpfObject {
    /// Nothing in particular.
    None = 0,
    /// A program.
    Program = 1,
    /// A map.
    Map = 2,
    /// A link.
    Link = 3,
}

impl BpfObject {
    /// Every object, in wire order.
    pub const ALL: [BpfObject; 4] = [BpfObject::None, BpfObject::Program, BpfObject::Map, BpfObject::Link];
}

plain! {
    /// `Kind::Bpf`.
    pub struct Bpf {
        /// The beginning of every record.
        pub header: Header,
        /// `BPF_*` of `enum bpf_cmd` (include/uapi/linux/bpf.h).
        pub command: u32,
        /// A [`BpfObject`].
        pub object: u32,
        /// The kernel's id of the object, 0 if there is none.
        pub id: u32,
        /// Not 0: the object is one of the sensor's own.
        pub own: u32,
        /// `BPF_PROG_LOAD`: a `BPF_PROG_TYPE_*`.
        pub program_type: u32,
        /// Reserved, 0.
        pub reserved: u32,
        /// `BPF_PROG_LOAD`: the program's name, NUL-padded. Chosen by the process.
        pub name: [u8; BPF_NAME_LEN],
    }
}

plain! {
    /// `Kind::Module`.
    pub struct Module {
        /// The beginning of every record.
        pub header: Header,
        /// The module's name, NUL-terminated.
        pub name: [u8; MODULE_NAME_LEN],
        /// `module.taints`: `1 << TAINT_*`; out of tree, unsigned and the like.
        pub taints: u64,
    }
}

/// What was done to the tree of directories. The discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum MountHow {
    /// `mount(2)`
    Mount = 1,
    /// `move_mount(2)`
    Move = 2,
    /// `pivot_root(2)`
    PivotRoot = 3,
}

impl MountHow {
    /// Every way, in wire order.
    pub const ALL: [MountHow; 3] = [MountHow::Mount, MountHow::Move, MountHow::PivotRoot];

    /// The value of the field `weir.mount.how`.
    pub const fn name(self) -> &'static str {
        match self {
            MountHow::Mount => "mount",
            MountHow::Move => "move_mount",
            MountHow::PivotRoot => "pivot_root",
        }
    }
}

plain! {
    /// `Kind::Mount`. Tail: `target`, then `source`, then `filesystem`.
    pub struct Mount {
        /// The beginning of every record.
        pub header: Header,
        /// A [`MountHow`].
        pub how: u32,
        /// `mount(2)`: `MS_*`, without the magic number in the high half.
        pub flags: u32,
        /// The directory that it is put on; of `pivot_root`, the new root.
        pub target: Path,
        /// What is mounted: a device, a directory, or any word; of `pivot_root`, where the old root is put.
        pub source: Path,
        /// The file system's type, at most [`STRING_MAX`] bytes.
        pub filesystem: Path,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

/// How a process went into other namespaces. The discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum NamespaceHow {
    /// `unshare(2)`: new ones of its own.
    Unshare = 1,
    /// `setns(2)`: somebody else's.
    Setns = 2,
}

impl NamespaceHow {
    /// Every way, in wire order.
    pub const ALL: [NamespaceHow; 2] = [NamespaceHow::Unshare, NamespaceHow::Setns];

    /// The value of the field `weir.namespace.how`.
    pub const fn name(self) -> &'static str {
        match self {
            NamespaceHow::Unshare => "unshare",
            NamespaceHow::Setns => "setns",
        }
    }
}

plain! {
    /// `Kind::Namespace`. The header's namespaces are those that the process is in now.
    pub struct Namespace {
        /// The beginning of every record.
        pub header: Header,
        /// A [`NamespaceHow`].
        pub how: u32,
        /// `CLONE_NEW*`, as asked for; of `setns`, 0 means whichever the descriptor is of.
        pub flags: u32,
    }
}

/// How an [`Exec`] came out.
pub mod exec_flags {
    /// The arguments were longer than [`super::ARGS_MAX`].
    pub const ARGS_CUT: u16 = 1;
    /// The arguments could not be read (their pages were not present).
    pub const ARGS_FAULT: u16 = 2;
}

plain! {
    /// `Kind::Exec`. Tail: `path`, then `directory`, then `args` bytes of NUL-separated arguments.
    pub struct Exec {
        /// The beginning of every record.
        pub header: Header,
        /// The program's file; for a script its interpreter, as `/proc/PID/exe` shows it.
        pub file: File,
        /// The parent at that moment (`real_parent`).
        pub parent: Process,
        /// The executable's path.
        pub path: Path,
        /// The working directory's path.
        pub directory: Path,
        /// Bytes of arguments in the tail.
        pub args: u16,
        /// [`exec_flags`].
        pub flags: u16,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

plain! {
    /// `Kind::Fork`. The header's process is the one that called fork or clone, whatever parent it gave the child (`CLONE_PARENT`).
    pub struct Fork {
        /// The beginning of every record.
        pub header: Header,
        /// The new process.
        pub child: Process,
    }
}

plain! {
    /// `Kind::Exit`: the last thread of the process ended.
    pub struct Exit {
        /// The beginning of every record.
        pub header: Header,
        /// As `wait(2)` encodes it: `exit code << 8 | signal`.
        pub status: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

plain! {
    /// One side's addresses. IPv4 uses the first four bytes of an address, the rest being 0.
    pub struct Endpoints {
        /// Own address, network byte order; all zero where it is not chosen yet.
        pub local_address: [u8; 16],
        /// Peer's address, network byte order.
        pub peer_address: [u8; 16],
        /// Own port, host byte order; 0 where it is not chosen yet.
        pub local_port: u16,
        /// Peer's port, host byte order.
        pub peer_port: u16,
        /// `AF_INET` (2) or `AF_INET6` (10).
        pub family: u16,
        /// `IPPROTO_TCP` (6), `IPPROTO_UDP` (17), or another of `IPPROTO_*`.
        pub protocol: u16,
    }
}

plain! {
    /// `Kind::Connect`: what was asked for, before it is known whether it succeeds.
    pub struct Connect {
        /// The beginning of every record.
        pub header: Header,
        /// From where to where.
        pub endpoints: Endpoints,
        /// The socket (`bpf_get_socket_cookie`).
        pub cookie: u64,
    }
}

/// Why a [`Flow`] was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum FlowReason {
    /// Its first payload byte left.
    First = 1,
    /// Its bytes passed the floor, or twice what was last reported.
    Grown = 2,
    /// It ended; the bytes are final.
    Closed = 3,
}

impl FlowReason {
    /// The reason of a wire value.
    pub const fn from_wire(value: u32) -> Option<FlowReason> {
        match value {
            1 => Some(FlowReason::First),
            2 => Some(FlowReason::Grown),
            3 => Some(FlowReason::Closed),
            _ => None,
        }
    }

    /// The value of the field `weir.flow.reason`.
    pub const fn name(self) -> &'static str {
        match self {
            FlowReason::First => "first",
            FlowReason::Grown => "grown",
            FlowReason::Closed => "closed",
        }
    }
}

/// What is known of a [`Flow`].
pub mod flow_flags {
    /// This side asked for the connection (or sent first, unconnected).
    pub const INITIATED: u32 = 1;
    /// The socket was made before the sensor saw it: its owner is unknown or a guess.
    pub const OWNER_GUESSED: u32 = 2;
    /// The bytes are those of several peers of one unconnected socket, for which the flow table had no room.
    pub const PEERS_MERGED: u32 = 4;
}

plain! {
    /// `Kind::Flow`. The header's process made the socket; for an accepted connection, it made the listening one.
    pub struct Flow {
        /// The beginning of every record.
        pub header: Header,
        /// From where to where.
        pub endpoints: Endpoints,
        /// The socket (`bpf_get_socket_cookie`).
        pub cookie: u64,
        /// Payload bytes sent so far. TCP: each byte once, however often it was retransmitted.
        pub bytes: u64,
        /// Packets that carried them, before segmentation (one for a GSO packet).
        pub packets: u64,
        /// When its first payload byte left, nanoseconds of `CLOCK_BOOTTIME`.
        pub first_time: u64,
        /// A [`FlowReason`].
        pub reason: u32,
        /// [`flow_flags`].
        pub flags: u32,
    }
}

plain! {
    /// `Kind::Cgroup`: a cgroup was made. Tail: `path` bytes, as in `/proc/PID/cgroup`, NUL-terminated.
    pub struct Cgroup {
        /// The beginning of every record; the process is the one that made it.
        pub header: Header,
        /// Id of the new cgroup.
        pub id: u64,
        /// Its hierarchy, as in [`Header::cgroup_hierarchy`].
        pub hierarchy: u32,
        /// Bytes of its path in the tail.
        pub path_len: u32,
    }
}
