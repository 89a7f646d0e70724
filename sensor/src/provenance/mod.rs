//! What is worth watching, who holds it, and how much has left.
//!
//! [`ClassTable`] says which files are in which class: the kernel gets its keys, and every opened file is judged again on its
//! whole path; by what is in a file, [`content`] tells whatever its name, and [`candidates`] says which files are worth that look and
//! who opened them meanwhile. [`graph`] follows what somebody holds to whom it comes, [`Ledger`] keeps what each workload holds and
//! has sent, and [`names`] knows what destinations go by. All are pure functions of what they are given.

pub mod candidates;
mod classes;
pub mod content;
mod declared;
mod definition;
pub mod graph;
mod ledger;
pub mod names;

#[cfg(test)]
mod tests;

pub use classes::ClassTable;
pub use declared::Declared;
pub use definition::ClassesError;
pub use ledger::{Counts, Ledger, Limits};
