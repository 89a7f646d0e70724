//! The store: a flight recorder of everything that the line saw and told, in a bounded directory that any SQLite tool reads.
//!
//! - `segments/NNNNNNNNNN.db` are SQLite files of about a million events each ([`schema`]). SQLite, compiled in (`rusqlite`, MIT; the
//!   library is in the public domain), because whoever investigates has a tool for it already, and because it survives being killed.
//! - What is the same for many events is in dictionaries ([`columns`], [`encode`]); views have the vocabulary's names.
//! - A batch is a transaction ([`segment`]), and each has a digest over the one before ([`chain`]). Closed segments are signed ([`signer`]).
//! - [`Store`] is what the agent has: it hands batches to a thread ([`writer`]) through a bounded channel and never waits. What
//!   there is no room for is counted, and a gap in the store when it goes on.
//! - Another thread of low priority closes segments, keeps the directory within its budget, and copies what belongs to incidents out of a
//!   segment before that goes ([`keeper`], [`seal`]).
//! - [`Reader`] reads a directory, live or copied, or one file ([`super::source::Source`]); what is damaged is a gap.
//!   [`Scan`] reads one file from its beginning to its end.
//!
//! Here is what writes, keeps and reads the files. What is cut out of them is `timeline`'s, keys and verification are `integrity`'s.

pub mod chain;
pub mod columns;
mod content;
mod counts;
mod decode;
mod directory;
mod encode;
mod handle;
mod keeper;
mod raw;
mod reader;
mod scan;
mod schema;
mod scope;
mod seal;
mod section;
mod segment;
pub mod signer;
mod writer;

#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use handle::{Settings, Store};
pub use raw::Raw;
pub use reader::Reader;
pub use scan::Scan;
pub use section::{Limits, Section};
