//! The agent's own privileges: once the programs are attached, it gives up what it does not need from then on.
//!
//! Who takes the agent over by a fault in it then has what is left, and no more: docs/privileges.md says what that is. Capabilities
//! belong to threads, and so this is done while there is one thread only; those that come inherit what it has. What cannot be given
//! up is said, and the sensor goes on.

mod calls;
#[cfg(test)]
mod tests;

use crate::kernel::capability::{self, Capability};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    no_new_privs, remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use std::io;

/// What the agent found of its privileges at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// What is less than it should be, each a sentence.
    pub problems: Vec<String>,
}

/// What a thread may do, as the kernel says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Permitted capabilities by name; `0x...` for those without a name here.
    pub capabilities: Vec<String>,
    /// `no_new_privs`: what it starts can have no more.
    pub no_new_privileges: bool,
    /// It has a seccomp filter.
    pub seccomp: bool,
}

impl Privileges {
    /// Says what is lacking for the sensor's work, then gives up what it does not need any more, unless `keep`.
    pub fn reduce(keep: bool) -> Privileges {
        let mut problems: Vec<String> = Capability::lacking(capability::effective())
            .map(|lacks| format!("without {name} {}: give weir {name}", lacks.without(), name = lacks.name()))
            .collect();
        if !keep {
            problems.extend(give_up());
        }
        problems.iter().for_each(|problem| tracing::warn!("{problem}"));
        Privileges { problems }
    }
}

/// What could not be given up, a sentence each.
fn give_up() -> Vec<String> {
    let failed = |what: &str, error: io::Error| {
        format!("{what} ({error}): whoever takes the sensor over by a fault in it has more than is needed")
    };
    let steps: [(&str, io::Result<()>); 4] = [
        ("the capabilities that are not needed any more cannot be given up", give_up_capabilities()),
        (
            "a dump of the sensor's memory cannot be forbidden",
            set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Into::into),
        ),
        ("no_new_privs cannot be set", set_no_new_privs(true).map_err(Into::into)),
        ("system calls that are not needed cannot be forbidden", calls::forbid()),
    ];
    steps.into_iter().filter_map(|(what, done)| Some(failed(what, done.err()?))).collect()
}

/// Reduces all five sets of this thread to what is needed and there.
fn give_up_capabilities() -> io::Result<()> {
    alone()?;
    let sets = capabilities(None)?;
    let kept = kept(sets.permitted);
    if sets.effective.contains(CapabilitySet::SETPCAP) {
        // First, since it needs CAP_SETPCAP. In a container that does not have that, the set stays as it was made, and can only
        // shrink what a program gets that is started: which no_new_privs bounds by what there is already.
        for bit in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
            // The kernel knows no capability from there on (EINVAL).
            let Ok(there) = capability_is_in_bounding_set(bit) else { break };
            if there && !kept.contains(bit) {
                remove_capability_from_bounding_set(bit)?;
            }
        }
    }
    clear_ambient_capability_set()?;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}

/// Of these, what the agent needs once the programs are attached. Where CAP_SYS_ADMIN stands for CAP_BPF, and that is needed, it stays.
fn kept(permitted: CapabilitySet) -> CapabilitySet {
    let needed = capability::needed_to_go_on();
    let kept = needed & permitted;
    let stands_in = needed.contains(CapabilitySet::BPF) && !kept.contains(CapabilitySet::BPF);
    if stands_in { kept | (permitted & CapabilitySet::SYS_ADMIN) } else { kept }
}

/// Other threads would keep what they have.
fn alone() -> io::Result<()> {
    match std::fs::read_dir("/proc/self/task")?.count() {
        0 | 1 => Ok(()),
        threads => Err(io::Error::other(format!("{threads} threads run already, which is a fault of weir"))),
    }
}

/// What the calling thread may do now.
pub fn left() -> Left {
    let permitted = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    let named = Capability::ALL.into_iter().filter(|capability| permitted.contains(capability.set()));
    let mut names: Vec<String> = named.map(|capability| capability.name().to_owned()).collect();
    let others = Capability::ALL.into_iter().fold(permitted, |rest, capability| rest - capability.set());
    if !others.is_empty() {
        names.push(format!("{:#x}", others.bits()));
    }
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let seccomp = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    Left {
        capabilities: names,
        no_new_privileges: no_new_privs().unwrap_or(false),
        seccomp: seccomp.is_some_and(|mode| mode.trim() == "2"),
    }
}
