//! Who acted: the process table, and what fills it before the first event.
//!
//! [`Table`] is a pure function of events: executed, forked, ended, found. It gives every event its process with lineage, and
//! says which processes nobody has told it about; the agent looks for those in `/proc` ([`proc`], the only I/O here) and puts
//! what it finds on the line as an event. No cgroups, containers or rules live here.

pub mod proc;
mod table;

#[cfg(test)]
mod tests;

pub use table::{ARGS_BYTES, ARGS_COUNT, BYTES_EACH, Counts, EXITED_KEPT, Table, UNKNOWN_MAX};
