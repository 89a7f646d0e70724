//! The store: segments of events, each an SQLite file, chained to each other.
//!
//! [`chain`] says what the digest of a batch is over.

pub mod chain;
