//! Records about what processes do to the system and to one another.

use super::{BPF_NAME_LEN, Header, MODULE_NAME_LEN, Path, Process};
use crate::plain;

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
