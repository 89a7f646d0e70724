//! Whether evidence is as it was written: keys, signed statements, and their check.
//!
//! - [`Key`] signs, [`PublicKey`] checks; Ed25519 by ring, which is in the tree for TLS.
//! - [`Statement`] is what is signed of a closed segment, [`Head`] what is signed of the store: which segment is the last one.
//! - [`close`] signs a segment, [`rotate`] says that old ones go, [`seal`] signs the copy of an incident.
//! - [`verify`] goes through a store or a segment, recomputes every digest out of the rows, and stops at the first [`Fault`].
//!
//! What is read here can have been made by the one who is to be found out: nothing of it is trusted, and all of it is bounded.
//! Nothing here writes to what it checks.

mod directory;
mod encoding;
mod fault;
mod key;
mod report;
mod segment;
mod sign;
mod statement;

#[cfg(test)]
pub(crate) mod tests;

pub use directory::verify;
pub use encoding::{hex, of_hex};
pub use fault::{Fault, VerifyError, What};
pub use key::{Key, KeyError, PublicKey};
pub use report::{Report, Signatures};
pub use sign::{SignError, close, rotate, seal};
pub use statement::{Head, Statement, StatementError};
