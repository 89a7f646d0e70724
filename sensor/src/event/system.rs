//! What processes do to the system and to one another: sockets past the flows, memory of others, programs and modules in the
//! kernel, mounts, namespaces; and to the sensor itself.

use super::{AccessHow, BpfObject, MountHow, NamespaceHow, Process, ProcessKey, serial};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A socket was made whose bytes the flows do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketMade {
    /// `AF_*`
    pub family: u32,
    /// `SOCK_*`
    pub kind: u32,
    /// The family's protocol number.
    pub protocol: u32,
}

impl SocketMade {
    /// The family's name (`weir.socket.family`): that of its constant without `AF_`; `None` for one that has none here.
    pub fn family_name(&self) -> Option<&'static str> {
        Some(match self.family {
            2 => "inet",
            3 => "ax25",
            4 => "ipx",
            5 => "appletalk",
            8 => "atmpvc",
            9 => "x25",
            10 => "inet6",
            15 => "key",
            17 => "packet",
            21 => "rds",
            24 => "pppox",
            26 => "llc",
            27 => "ib",
            28 => "mpls",
            29 => "can",
            30 => "tipc",
            31 => "bluetooth",
            33 => "rxrpc",
            35 => "phonet",
            36 => "ieee802154",
            37 => "caif",
            39 => "nfc",
            40 => "vsock",
            41 => "kcm",
            42 => "qipcrtr",
            43 => "smc",
            44 => "xdp",
            45 => "mctp",
            _ => return None,
        })
    }

    /// The type's name (`weir.socket.type`): that of its constant without `SOCK_`; `None` for one that has none.
    pub fn kind_name(&self) -> Option<&'static str> {
        Some(match self.kind {
            1 => "stream",
            2 => "dgram",
            3 => "raw",
            4 => "rdm",
            5 => "seqpacket",
            6 => "dccp",
            10 => "packet",
            _ => return None,
        })
    }
}

/// A process got at another one's memory or descriptors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessAccess {
    /// By what.
    #[serde(with = "serial")]
    pub how: AccessHow,
    /// The other process; `None` where only `target_vpid` is known and nobody in the table has it.
    pub target: Option<ProcessKey>,
    /// What the other process is in the acting one's pid namespace (of which the kernel said nothing more), or in its own; 0 if
    /// not read.
    pub target_vpid: u32,
    /// The other process, as the process table knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_process: Option<Arc<Process>>,
}

/// A bpf command that could blind a sensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bpf {
    /// `BPF_*` of `enum bpf_cmd`.
    pub command: u32,
    /// What it is about.
    #[serde(with = "serial")]
    pub object: BpfObject,
    /// The kernel's id of that, if there is one.
    pub id: Option<u32>,
    /// It is one of the sensor's own.
    pub own: bool,
    /// A program that is loaded: `BPF_PROG_TYPE_*`.
    pub program_type: u32,
    /// Its name, as the process chose it; empty for other commands.
    pub program_name: Box<str>,
}

impl Bpf {
    /// The command's name (`weir.bpf.command`): that of its constant without `BPF_`; `None` for one that is not watched.
    pub fn command_name(&self) -> Option<&'static str> {
        Some(match self.command {
            2 => "map_update_elem",
            3 => "map_delete_elem",
            5 => "prog_load",
            9 => "prog_detach",
            13 => "prog_get_fd_by_id",
            14 => "map_get_fd_by_id",
            21 => "map_lookup_and_delete_elem",
            22 => "map_freeze",
            25 => "map_lookup_and_delete_batch",
            26 => "map_update_batch",
            27 => "map_delete_batch",
            29 => "link_update",
            30 => "link_get_fd_by_id",
            34 => "link_detach",
            _ => return None,
        })
    }

    /// The object's name (`weir.bpf.object`).
    pub fn object_name(&self) -> Option<&'static str> {
        match self.object {
            BpfObject::None => None,
            BpfObject::Program => Some("program"),
            BpfObject::Map => Some("map"),
            BpfObject::Link => Some("link"),
        }
    }
}

/// A kernel module was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its name.
    pub name: Box<str>,
    /// `1 << TAINT_*` (include/linux/panic.h): bit 12 out of tree, bit 13 unsigned.
    pub taints: u64,
}

/// The tree of directories was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// By what.
    #[serde(with = "serial")]
    pub how: MountHow,
    /// What was mounted: a device, a directory or any word; of `pivot_root`, where the old root was put.
    pub source: Box<str>,
    /// The directory that it was put on; of `pivot_root`, the new root.
    pub target: Box<str>,
    /// The file system's type; empty where the call has none.
    pub filesystem: Box<str>,
    /// `MS_*`
    pub flags: u32,
}

/// A process went into other namespaces: the actor's are those that it is in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// By what.
    #[serde(with = "serial")]
    pub how: NamespaceHow,
    /// `CLONE_NEW*`; of `setns`, 0 means whichever the descriptor is of.
    pub flags: u32,
}

impl Namespace {
    /// The kinds that were asked for (`weir.namespace.type`), as `/proc/PID/ns` names them.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        // include/uapi/linux/sched.h
        const KINDS: [(u32, &str); 8] = [
            (0x80, "time"),
            (0x2_0000, "mnt"),
            (0x200_0000, "cgroup"),
            (0x400_0000, "uts"),
            (0x800_0000, "ipc"),
            (0x1000_0000, "user"),
            (0x2000_0000, "pid"),
            (0x4000_0000, "net"),
        ];
        let flags = self.flags;
        KINDS.into_iter().filter(move |(flag, _)| flags & flag != 0).map(|(_, name)| name)
    }
}

/// Something of the sensor's own was changed by somebody else, as the sensor found when it looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tamper {
    /// What: `link on_connect4`, `map SUFFIXES`.
    pub object: Box<str>,
    /// What is wrong with it, one clause.
    pub what: Box<str>,
}
