//! The spool: what is to be delivered is on disk, synced, before it is shown or sent, and stays until it was acknowledged.
//!
//! Here is a queue of opaque records on disk, and nothing that knows what is in them, to whom they go or what time it is. It is
//! synchronous: one thread owns it.
//!
//! # On disk
//! A directory of weir's own (0700), with
//! - `lock`: locked (flock) by the one sensor that uses the directory;
//! - `SS-FIRST.records`: a segment: records of severity number SS, in the order of their ids, of which FIRST is the first. A record
//!   is a header (marker, id, time, lengths, checksum of the body, checksum of the header), the uid and the bytes ([`record`]).
//!   A segment is only appended to, and only by the process that made it: after a restart there is a new one;
//! - `SS-FIRST.acknowledged`: ids of records of that segment that are done, each with the record's checksum and one of its own;
//! - `losses`: how many were evicted, by severity, refused and set aside, ever. Written anew, synced and renamed;
//! - `aside.jsonl`, `aside.1.jsonl`: what a receiver refused for good, with its reason, one JSON object a line, for a person to read. Two
//!   files of 4 MiB at most; the older goes.
//!
//! # Invariants
//! 1. What [`Spool::append`] confirmed comes out of [`Spool::take`], after any crash, until it was acknowledged, set aside, or
//!    counted as evicted. It may come out more than once, with the same uid.
//! 2. Nothing comes out that was not appended, and nothing changed.
//! 3. The most severe come out first, and within a severity the oldest. Ids rise and are not used twice while anything has them.
//! 4. The bytes on disk of segments and acknowledgements stay below the limit. When there is no room, a segment goes: the oldest of
//!    the least severe. What is less severe than all that is there is not taken in. Either way it is counted by its severity, on
//!    disk before the segment goes.
//! 5. A torn or flipped record costs that record alone: if the body is wrong, the header says where the next one begins; if the
//!    header is wrong, the next one begins at the next marker whose header is right. The marker has a byte that UTF-8 never has, and
//!    records with that byte are refused, so no text of an attacker is taken for a record.
//! 6. A write that fails seals its segment, because what is behind a failed sync is unknown; the next append makes a new one. If the
//!    disk is full, segments of lesser severity go first. Nothing needs to be told that there is room again.
//!
//! # What a crash leaves
//! | while | is found | and then |
//! |---|---|---|
//! | a segment is made | nothing, or an empty file | it is removed |
//! | records are written or synced | any part of them, perhaps garbage | whole ones come out, though nobody was told that they are safe; the rest is counted as torn |
//! | the directory is synced | the segment, or not | the same: append has not returned |
//! | acknowledgements are written (never synced) | some of them | the others are delivered again |
//! | a segment is removed | it, its acknowledgements, both or none | delivered again; acknowledgements alone are removed. An acknowledgement names the record's checksum, so an old one never hits a new record |
//! | `losses` is written | the old one or the new one | an eviction may be counted that then did not happen, never the other way round |
//! | records are set aside | the line, without the acknowledgement | they are offered again, and may be set aside twice |
//!
//! # Why files of our own
//! The crates were looked at first. queue-file and yaque are first in, first out: no record but the first can be acknowledged or
//! evicted. persistent-queue does without priorities by design, and is new. redb, fjall and sled are ordered stores in which the
//! rest could be built, but what is damaged costs a page or a table, not a record, after a failed write they must be closed and opened
//! again, and what they take on disk is bounded by their compaction, not by us. What is left to write is small, and tested
//! against a model on a file system that tears, fails and fills. Checksums are crc32fast's.

mod acknowledged;
mod append;
mod aside;
mod deliver;
mod directory;
mod error;
mod files;
mod limits;
mod losses;
mod open;
mod record;
mod segment;

#[cfg(test)]
mod tests;

pub use append::Appended;
pub use directory::Directory;
pub use error::SpoolError;
pub use files::Files;
pub use limits::{Limits, Section};
pub use open::{Counts, Opened, Spool};
pub use record::{Draft, Entry, Found, Kind, Scan, encode, scan};
