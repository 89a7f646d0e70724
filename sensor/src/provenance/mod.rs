//! What is worth watching, who holds it, and how much has left.
//!
//! [`ClassTable`] says which files are in which class: the kernel gets its keys, and every opened file is judged again on its
//! whole path; by what is in a file, [`content`] tells whatever its name. [`Ledger`] keeps, for each workload, the weights that it opened and the bytes that it sent since. Both are pure
//! functions of what they are given. What carries a label from one process or file to another, budgets over time, and the
//! names of destinations do not live here yet.

mod classes;
pub mod content;
mod declared;
mod definition;
pub mod graph;
mod ledger;

#[cfg(test)]
mod tests;

pub use classes::ClassTable;
pub use declared::Declared;
pub use definition::ClassesError;
pub use ledger::{Counts, Ledger, Limits};
