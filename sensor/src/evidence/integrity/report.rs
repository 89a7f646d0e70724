//! What a check covered, and what it did not.

use super::fault::time;
use super::key::PublicKey;
use super::segment::Segment;
use std::fmt;

/// Evidence that is as it was written, as far as can be said.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// First and last segment; `None`: there is none.
    pub segments: Option<(i64, i64)>,
    /// How many batches.
    pub batches: i64,
    /// Rows of `events`, `told` and `gaps`.
    pub rows: [i64; 3],
    /// The time that it is of: nanoseconds since 1970.
    pub span: Option<(i64, i64)>,
    /// Who signed what.
    pub signed: Vec<Signatures>,
    /// Segments that are not signed yet: first, last, and from when they are.
    pub unsigned: Option<(i64, i64, Option<i64>)>,
    /// Sealed incidents that were checked, and how many of them are not signed.
    pub incidents: (u64, u64),
    /// The signatures were checked with keys that were given.
    pub checked: bool,
}

/// The segments that one key signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// The key.
    pub key: PublicKey,
    /// The first segment.
    pub first: i64,
    /// The last one.
    pub last: i64,
}

impl Report {
    /// Adds a segment, and who signed it.
    pub(super) fn add(&mut self, segment: &Segment, signer: Option<PublicKey>) {
        let number = segment.number;
        self.segments = Some((self.segments.map_or(number, |(first, _)| first), number));
        self.batches += segment.batches.map_or(0, |(first, last)| last - first + 1);
        for (sum, rows) in self.rows.iter_mut().zip(segment.rows) {
            *sum += rows;
        }
        if let Some((from, to)) = segment.span {
            let (begin, end) = self.span.unwrap_or((from, to));
            self.span = Some((begin.min(from), end.max(to)));
        }
        match (signer, self.signed.last_mut()) {
            (Some(key), Some(signed)) if signed.key == key => signed.last = number,
            (Some(key), _) => self.signed.push(Signatures { key, first: number, last: number }),
            (None, _) => {
                let since = segment.span.map(|(from, _)| from);
                let (first, since) =
                    self.unsigned.map_or((number, since), |(first, _, known)| (first, known.or(since)));
                self.unsigned = Some((first, number, since));
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [events, told, gaps] = self.rows;
        match self.segments {
            None => writeln!(f, "whole, and empty: there is no segment")?,
            Some((first, last)) => writeln!(
                f,
                "whole: {}, {}, {}, {}, {}",
                range("segment", first, last),
                counted(self.batches, "batch", "batches"),
                counted(events, "event", "events"),
                counted(told, "alert, incident or coverage record", "alerts, incidents and coverage records"),
                counted(gaps, "gap", "gaps"),
            )?,
        }
        if let Some((from, to)) = self.span {
            writeln!(f, "from {} to {}", time(from), time(to))?;
        }
        for signed in &self.signed {
            writeln!(f, "signed by {}: {}", signed.key.fingerprint(), range("segment", signed.first, signed.last))?;
        }
        if !self.signed.is_empty() && !self.checked {
            writeln!(f, "not checked against a key of yours: give the public key that you know with --key")?;
        }
        if let Some((first, last, since)) = self.unsigned {
            let since = since.map(|since| format!(", from {} on", time(since))).unwrap_or_default();
            writeln!(
                f,
                "not signed yet: {}{since}; whoever was root on the machine could have changed or removed what is in there",
                range("segment", first, last)
            )?;
        }
        if let Some((first, _)) = self.segments.filter(|(first, _)| *first > 1) {
            writeln!(f, "not there: {}, rotated away before", range("segment", 1, first - 1))?;
        }
        match self.incidents {
            (0, _) => Ok(()),
            (all, 0) => writeln!(f, "sealed incidents: {all}, each signed"),
            (all, unsigned) => writeln!(f, "sealed incidents: {all}, {unsigned} of them not signed yet"),
        }
    }
}

fn range(what: &str, first: i64, last: i64) -> String {
    if first == last { format!("{what} {first}") } else { format!("{what}s {first} to {last}") }
}

fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
