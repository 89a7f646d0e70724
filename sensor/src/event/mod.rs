//! The domain model: what happened, said once, in the field's own words.
//!
//! Here live [`Event`] and its parts, and access to them by semantic-convention name ([`field`]). Everything on the event
//! line reads and writes these types; this module depends on no other one of the agent. No I/O, no clock, no tables.

mod attributes;
mod body;
mod class;
mod correlations;
mod egress;
mod field;
mod file;
mod names;
mod ledger;
mod policy;
mod process;
mod recognized;
mod remembered;
mod serial;
mod system;
pub mod text;
mod time;
mod trail;
mod transfer;
mod value;
mod workload;

#[cfg(test)]
mod tests;

pub use attributes::Attributes;
pub use body::{
    Body, Cgroup, Connect, Endpoints, Exec, Exit, Flow, Fork, Listen, Lost, ProcessFound, Reloaded, Tick, Transport,
};
pub use class::{Class, Classes};
pub use correlations::{
    CorrelationsRestored, SavedCorrelation, SavedCorrelations, SavedEvent, SavedGroup, SavedRow, SavedSeen,
};
pub use egress::{DestinationSums, Egress, EgressGrown, Exfil};
pub use field::{Field, Stability};
pub use file::{Access, Change, File, FileChange, FileId, Open, Replaced};
pub use ledger::{LedgerRestored, SavedAccount, SavedDestination, SavedHolding, SavedLedger, SavedPlace, SavedWindow};
pub use names::{Dns, DnsChannel, DnsDirection, DnsMessage, Hello, NamedBy, Server, host_name};
pub use policy::{DeclaredAs, Declares, Role};
pub use process::{Ancestor, Process, ProcessKey, file_name};
pub use recognized::{ContentFinding, Recognized};
pub use remembered::{Remembered, escaped_len};
pub use system::{Bpf, Module, Mount, Namespace, ProcessAccess, SocketMade, Tamper};
pub use time::{BootTime, Rfc3339, WallClock};
pub use trail::{HeldBy, Party, Source, Trail};
pub use transfer::{Label, Transfer};
pub use value::Value;
pub use workload::{CgroupKey, Identity, Owner, OwnerKind, Workload, WorkloadIdentified, WorkloadKind, image_name};

pub use sensor_common::label::{Carrier, Direction};
pub use sensor_common::record::{AccessHow, BpfObject, FlowReason, Hook, Kind, MountHow, NamespaceHow, Stream};

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that happened, and who did it.
///
/// A decoded event knows only numbers; the stages of the line add what they know: `process` and `workload` say who acted
/// (identification), `role`, `declares` and `declared` what it is to do (policy), `held` what the workload held then and `egress` what it has sent (provenance).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub time: BootTime,
    /// Which kernel hook saw it; `None` for what the agent itself contributed.
    #[serde(with = "serial::option", default)]
    pub hook: Option<Hook>,
    /// Who acted, as the kernel said it.
    pub actor: Actor,
    /// What happened.
    pub body: Body,
    /// Who acted, as the process table knows it. For an exec: as it is after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Arc<Process>>,
    /// What the process is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<Arc<Workload>>,
    /// What the workload is for, by the policy.
    #[serde(skip)]
    pub role: Option<Role>,
    /// What the policy says anything about for the workload.
    #[serde(skip)]
    pub declares: Declares,
    /// What the policy, or what the container did in its first minutes, makes of the process.
    #[serde(skip)]
    pub declared: DeclaredAs,
    /// What the workload had opened of classified content before this event; on what can send, on execs, on content given away and on
    /// accesses to other processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// How who did it came to what they hold; where `held` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail: Option<Box<Trail>>,
    /// What the destination goes by; on connects and flows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// What the workload has sent so far, and to where this goes; on connects, flows and growths of the kernel's counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<Box<Egress>>,
    /// Whether the workload itself made the file, as far as it is known; on opens for writing, and on what cuts or deletes a file. On
    /// renames: the file that is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brought: Option<bool>,
    /// Whether the process, or an ancestor of it in its container, came into the container from outside; `None` where that is not known.
    #[serde(skip)]
    pub entered: Option<bool>,
}

impl Event {
    /// An event as it comes from the decoder: nothing added yet.
    pub fn new(time: BootTime, hook: Option<Hook>, actor: Actor, body: Body) -> Event {
        Event {
            time,
            hook,
            actor,
            body,
            process: None,
            workload: None,
            role: None,
            declares: Declares::default(),
            declared: DeclaredAs::default(),
            held: None,
            trail: None,
            server: None,
            egress: None,
            brought: None,
            entered: None,
        }
    }

    /// When it happened, as wall time in RFC 3339.
    pub fn rfc3339(&self, clock: WallClock) -> Rfc3339 {
        self.before_boot().map_or_else(|| clock.rfc3339(self.time), Rfc3339::new)
    }

    /// When it happened, nanoseconds since the Unix epoch, if that was before this boot.
    pub fn before_boot(&self) -> Option<u64> {
        match &self.body {
            Body::Remembered(remembered) => remembered.unix_nanos,
            _ => None,
        }
    }
}

/// Who acted, as the kernel said it with the event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Actor {
    /// The process; `None` when the kernel does not know (a socket older than the sensor).
    pub process: Option<ProcessKey>,
    /// The process's id in its own pid namespace; 0 if not read.
    pub vpid: u32,
    /// The thread; 0 where it is not about a thread.
    pub tid: u32,
    /// The thread's name. Chosen by the process: for display only, no decision may rest on it.
    pub comm: Box<str>,
    /// Effective user id, initial user namespace.
    pub uid: u32,
    /// Effective group id, initial user namespace.
    pub gid: u32,
    /// The process's cgroup.
    pub cgroup: CgroupKey,
    /// Inode number of the mount namespace.
    pub mount_namespace: u32,
    /// Inode number of the pid namespace.
    pub pid_namespace: u32,
}

/// What a workload has opened of weights, as a bound: it can have read at most this much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Distinct weight files (device, inode) opened for reading.
    pub sources: u64,
    /// The sum of their sizes when they were opened, bytes: an upper bound of what was read.
    pub bytes: u64,
}
