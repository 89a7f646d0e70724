//! What is worth watching, who holds it, and how much has left.
//!
//! [`ClassTable`] says which files are in which class: the kernel gets its keys, and every opened file is judged again on its
//! whole path; by what is in a file, [`content`] tells whatever its name. [`holdings`] knows what each workload holds of weights;
//! [`egress`] is the ledger of what has left, to where; [`Tracer`] is the stage of the line that asks all three. All are pure
//! functions of what they are given. What carries a label from one process or file to another does not live here yet.

mod classes;
pub mod content;
mod declared;
mod definition;
pub mod egress;
pub mod holdings;
mod tracer;

#[cfg(test)]
mod tests;

pub use classes::ClassTable;
pub use declared::{Declared, DeclaredEntry, EntryError};
pub use definition::ClassesError;
pub use tracer::{Counts, Limits, Tracer};
