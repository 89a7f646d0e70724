//! What a process is part of: its container, Slurm job or systemd unit, from its cgroup.
//!
//! [`parse`] reads a cgroup's path; [`Table`] learns cgroups from events and gives every event its workload; [`Entries`] knows who
//! came into a container from outside. All are pure.
//! [`cgroupfs`] is the only I/O: it finds the hierarchies and the cgroups that were there before the sensor. What a runtime
//! or an orchestrator says about a container (image, pod name, labels) comes as an event too ([`WorkloadIdentified`]).
//!
//! [`WorkloadIdentified`]: crate::event::WorkloadIdentified

pub mod cgroupfs;
mod entry;
mod parse;
mod table;

#[cfg(test)]
mod tests;

pub use entry::Entries;
pub use parse::parse;
pub use table::{Counts, LABEL_BYTES_MAX, LABELS_MAX, Table, UNIDENTIFIED_MAX, UNKNOWN_MAX};
