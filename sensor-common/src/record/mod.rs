//! What crosses the ring buffer: a [`Header`], then the kind's own fixed part, then (for [`Exec`] and [`Open`]) bytes.
//!
//! All integers are native-endian (both sides run on one machine), all structures are 8-byte aligned and have no padding.
//! A record's bytes come from a kernel that an attacker feeds: lengths are bounds to check, never promises.

mod file;
mod hook;
mod names;
mod net;
mod process;
mod system;
mod transfer;

pub use file::{File, FileChange, Open, Path, SIZE_UNKNOWN, file_flags, path_flags};
pub use hook::Hook;
pub use names::{DNS_MAX, DNS_SHORT, Dns, DnsDirection, HELLO_MAX, HELLO_SHORT, Hello};
pub use net::{Connect, Endpoints, Flow, FlowReason, Listen, Socket, flow_flags};
pub use process::{Exec, Exit, Fork, Stream, exec_flags};
pub use system::{AccessHow, Bpf, BpfObject, Cgroup, Module, Mount, MountHow, Namespace, NamespaceHow, ProcessAccess};
pub use transfer::{Transfer, transfer_flags};

use crate::plain;

/// Version of every layout in this file. Raised by one with each change, additions included.
pub const VERSION: u16 = 4;

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
    /// Classified content went from a process to what carries it, or from there to a process: [`Transfer`].
    Transfer = 18,
    /// A DNS message left or arrived: [`Dns`].
    Dns = 19,
    /// A flow began with what looks like a ClientHello: [`Hello`].
    Hello = 20,
    /// A socket waits for connections: [`Listen`].
    Listen = 21,
}

impl Kind {
    /// Every kind, in wire order.
    pub const ALL: [Kind; 21] = [
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
        Kind::Transfer,
        Kind::Dns,
        Kind::Hello,
        Kind::Listen,
    ];

    /// The greatest wire value.
    pub const MAX: usize = Kind::ALL[Kind::ALL.len() - 1] as usize;

    /// The kind of a wire value.
    pub const fn from_wire(value: u8) -> Option<Kind> {
        let mut index = 0;
        while index < Kind::ALL.len() {
            if Kind::ALL[index] as u8 == value {
                return Some(Kind::ALL[index]);
            }
            index += 1;
        }
        None
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
            Kind::Transfer => "transfer",
            Kind::Dns => "dns",
            Kind::Hello => "hello",
            Kind::Listen => "listen",
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
