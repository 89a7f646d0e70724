//! What can be wrong with evidence, and where.

use super::key::PublicKey;
use humantime::format_rfc3339_nanos;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// Why something does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Nothing can be said: it cannot be read.
    #[error("{} cannot be read: {source}", .place.display())]
    Io {
        /// The file or directory.
        place: PathBuf,
        /// What the kernel, or SQLite, said.
        source: io::Error,
    },
    /// There is nothing to verify.
    #[error("{} is no store of evidence, no segment of one and no archive: give the directory of `weir run --evidence`, or a file of it", .place.display())]
    NotOne {
        /// The file or directory.
        place: PathBuf,
    },
    /// It is not as it was written.
    #[error("{0}")]
    Fault(#[from] Box<Fault>),
}

/// The first place where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was asked for.
    pub place: PathBuf,
    /// The segment.
    pub segment: Option<i64>,
    /// The batch.
    pub batch: Option<i64>,
    /// The time of the batch, as it says: nanoseconds since 1970.
    pub span: Option<(i64, i64)>,
    /// What is wrong.
    pub what: What,
}

/// See [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Values of rows are others, or the batch's own row is.
    Edited,
    /// So many rows of this table are not there.
    Deleted(&'static str, i64),
    /// So many rows of this table are there and were not.
    Added(&'static str, i64),
    /// There are rows which no batch has, after the batch that is named.
    Stray,
    /// These batches are not there.
    BatchesMissing(RangeInclusive<i64>),
    /// It does not follow the batch before it.
    Unlinked,
    /// It says that it is another segment.
    Swapped(String),
    /// It does not follow the segment before it.
    SegmentUnlinked,
    /// These segments are not there, and later ones are.
    SegmentsMissing(RangeInclusive<i64>),
    /// These segments, the last that were signed, are not there.
    EndMissing(RangeInclusive<i64>),
    /// It was closed and signed, and the signature is not there.
    SignatureMissing,
    /// The signature is of no use, and why.
    Signature(String),
    /// It is signed by this key, which is not the one that it is checked with.
    OtherKey(PublicKey),
    /// It agrees with itself, and not with what was signed: its digests were made anew.
    Rewritten,
    /// The file ends too early: bytes that are there, and that it says it has.
    CutOff(u64, u64),
    /// The batches are as they were signed; the file around them is not.
    AroundBatches,
    /// It cannot be read as a segment, and why.
    Damaged(String),
    /// No signed word of which segment is the last.
    HeadMissing,
    /// That word is of no use, and why.
    Head(String),
    /// A file of an archive is not as its manifest says, and in what way.
    Archive(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.place.display())?;
        if let Some(segment) = self.segment {
            write!(f, ", segment {segment}")?;
        }
        if let Some(batch) = self.batch {
            write!(f, ", batch {batch}")?;
        }
        if let Some((from, to)) = self.span {
            write!(f, " ({} to {})", time(from), time(to))?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            What::Edited => f.write_str("rows of it were edited"),
            What::Deleted(table, rows) => write!(f, "{} deleted", counted(*rows, table)),
            What::Added(table, rows) => write!(f, "{} added", counted(*rows, table)),
            What::Stray => f.write_str("after it are rows of a batch that is not there: rows were added, or a batch removed"),
            What::BatchesMissing(numbers) => write!(f, "{} removed", range("batch", "batches", numbers)),
            What::Unlinked => f.write_str("it does not follow the batch before it: batches were reordered, removed or replaced"),
            What::Swapped(says) => write!(f, "it says of itself that it is segment {says}: segments were swapped or renamed"),
            What::SegmentUnlinked => {
                f.write_str("it does not follow the segment before it: one of them was replaced, or batches were removed between them")
            }
            What::SegmentsMissing(numbers) => write!(f, "{} removed", range("segment", "segments", numbers)),
            What::EndMissing(numbers) => {
                write!(f, "{} removed: what was signed last is not there", range("segment", "segments", numbers))
            }
            What::SignatureMissing => f.write_str("it was signed, and its signature was removed"),
            What::Signature(reason) => write!(f, "its signature is not right: {reason}"),
            What::OtherKey(key) => write!(f, "it is signed by another key ({})", key.fingerprint()),
            What::Rewritten => {
                f.write_str("its last digest is not the one that was signed: something in it was changed and the digests made anew")
            }
            What::CutOff(has, needs) => write!(f, "the file was cut off: it has {has} of {needs} bytes"),
            What::AroundBatches => f.write_str(
                "the batches are as they were signed, and the file is not: its views, indexes or description were changed",
            ),
            What::Damaged(reason) => write!(f, "it cannot be read as a segment ({reason}): it is damaged, or was changed"),
            What::HeadMissing => {
                f.write_str("the file `head` was removed: nothing says which segment was the last one that was signed")
            }
            What::Head(reason) => write!(f, "the file `head` is not right: {reason}"),
            What::Archive(reason) => f.write_str(reason),
        }
    }
}

fn counted(rows: i64, table: &str) -> String {
    if rows == 1 { format!("1 row of `{table}` was") } else { format!("{rows} rows of `{table}` were") }
}

fn range(one: &str, many: &str, numbers: &RangeInclusive<i64>) -> String {
    let (first, last) = (numbers.start(), numbers.end());
    if first == last { format!("{one} {first} was") } else { format!("{many} {first} to {last} were") }
}

/// RFC 3339, as far as it can be told so.
pub(super) fn time(nanos: i64) -> String {
    let since = Duration::from_nanos(u64::try_from(nanos).unwrap_or_default());
    format_rfc3339_nanos(UNIX_EPOCH + since).to_string()
}
