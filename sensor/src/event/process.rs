//! Processes as the line knows them.

use super::{BootTime, CgroupKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Kernel ticks in a second as `/proc` counts them (`USER_HZ`, fixed at 100 on x86 and arm64).
pub const TICKS_PER_SECOND: u64 = 100;

/// A process, told apart from every other one of this boot, pid reuse included.
///
/// The start is kept in `/proc/PID/stat` ticks (10 ms), so that a process found in `/proc` and the same process in a kernel
/// event have the same key. A pid could only come back within one tick if all of `pid_max` were used up in 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessKey {
    /// Id in the initial pid namespace (`process.pid`).
    pub pid: u32,
    /// Start, in ticks of `CLOCK_BOOTTIME`.
    pub start_ticks: u64,
}

impl ProcessKey {
    /// From a start in nanoseconds of `CLOCK_BOOTTIME`, as kernel events carry it.
    pub fn from_start(pid: u32, start: BootTime) -> ProcessKey {
        ProcessKey { pid, start_ticks: start.0 / (1_000_000_000 / TICKS_PER_SECOND) }
    }

    /// When it started, to the tick.
    pub fn start(self) -> BootTime {
        BootTime(self.start_ticks.saturating_mul(1_000_000_000 / TICKS_PER_SECOND))
    }
}

/// `weir.process.id`: `PID-STARTTICKS`, unique on a node within a boot.
impl fmt::Display for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.pid, self.start_ticks)
    }
}

/// A process between two execs: never changed, replaced when it runs another program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Which one.
    pub key: ProcessKey,
    /// Its id in its own pid namespace; 0 if not known.
    pub vpid: u32,
    /// The program's path in its mount namespace; empty if not known.
    pub executable: Arc<str>,
    /// The arguments, the program's name first. Shared with the processes that were forked from it, so that a fork bomb costs
    /// little memory.
    pub args: Arc<[Box<str>]>,
    /// The working directory at the exec; empty if not known.
    pub working_directory: Arc<str>,
    /// Effective user id at the exec.
    pub uid: u32,
    /// Effective group id at the exec.
    pub gid: u32,
    /// Who started whom, the parent first, at most [`Process::LINEAGE_MAX`] long.
    pub lineage: Arc<[Ancestor]>,
    /// The first of its line in its cgroup ([`super::Field::LineageId`]): itself, if it came into the cgroup from another.
    pub root: ProcessKey,
    /// Its cgroup when it last forked, ran a program or was found; its parent's until then.
    pub cgroup: CgroupKey,
    /// No event or `/proc` entry told of it: what is here was guessed from a later event.
    pub incomplete: bool,
}

impl Process {
    /// Most ancestors that are kept.
    pub const LINEAGE_MAX: usize = 16;

    /// The parent, if known.
    pub fn parent(&self) -> Option<&Ancestor> {
        self.lineage.first()
    }

    /// The arguments joined by spaces (`process.command_line`).
    pub fn command_line(&self) -> String {
        self.args.join(" ")
    }
}

/// One of a process's ancestors, as it was when the process came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ancestor {
    /// Which one.
    pub key: ProcessKey,
    /// Its program's path; empty if not known.
    pub executable: Arc<str>,
    /// Its command line; empty if not known.
    pub command_line: Arc<str>,
    /// Its id in its own pid namespace; 0 if not known.
    pub vpid: u32,
    /// Its cgroup: where a lineage leaves one workload for another.
    pub cgroup: CgroupKey,
}

/// The last component of a path; the path itself if it has none.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
