//! What is declared: which workloads serve, train or build, who may load and write in them, where their bytes may go.
//!
//! [`Policy`] is `policy.yml`, read and found right; [`Table`] is the stage of the line that says which of its entries are a
//! workload's, and what a process is by them; [`declared`] is where bytes may go. Where nobody declared loaders, [`Table`] goes by
//! what the container's own entry process did in its first minutes ([`entrance`]). All are pure functions of what they are given;
//! [`Policy::load`] is the only I/O. What is worth telling when it departs from this, rules say; how many bytes went where, the
//! ledger of `provenance`.

mod declared;
mod document;
mod entrance;
mod entry;
mod error;
mod explain;
mod pattern;
mod select;
mod table;

#[cfg(test)]
mod tests;

pub use declared::{Budget, Declared, DeclaredEntry, Direction, EntryError, REQUESTS};
pub use document::{FILE, FILE_BYTES_MAX, Policy, SCHEMA};
pub use entrance::FIRST;
pub use entry::{Entry, Program};
pub use error::PolicyError;
pub use explain::{Explanation, Judged, Verdict};
pub use pattern::Pattern;
pub use select::{Condition, Fact, Select};
pub use table::{Counts, Selected, Table};
