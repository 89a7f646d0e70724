//! What is worth watching, who holds it, and how much has left.
//!
//! [`ClassTable`] says which files are in which class: the kernel gets its keys, and every opened file is judged again on its
//! whole path; by what is in a file, [`content`] tells whatever its name, and [`candidates`] says which files are worth that look and
//! who opened them meanwhile. [`graph`] follows what a process holds to whom it comes, [`holdings`] knows what each workload holds;
//! [`names`] knows what destinations go by, and [`egress`] is the ledger of what has left, to where. [`brought`] knows who made which file, [`replaced`]
//! what lost its name to another. [`Tracer`] is the
//! stage of the line that asks them. All are pure functions of what they are given.

mod brought;
pub mod candidates;
mod classes;
pub mod content;
mod definition;
pub mod egress;
pub mod graph;
pub mod holdings;
pub mod names;
mod replaced;
mod tracer;
mod watched;

#[cfg(test)]
mod tests;

pub use classes::ClassTable;
pub use definition::ClassesError;
pub use tracer::{Counts, Limits, Tracer};
pub use watched::{CANARY_SUFFIX, Watched};
