//! The store: segments of events, each an SQLite file, chained to each other.
//!
//! [`chain`] says what the digest of a batch is over, [`signer`] who signs what is closed.

pub mod chain;
pub mod signer;
