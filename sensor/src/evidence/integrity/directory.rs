//! The check of a store: its segments in order, what is signed of them, and that none is missing.

use super::fault::{Fault, VerifyError, What};
use super::key::PublicKey;
use super::report::Report;
use super::segment::{Expected, MAGIC, Segment, check};
use super::statement::{Head, Statement, StatementError};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Checks a store's directory, or one segment. Signatures must be by one of `keys`; if none are given, all by the same key, whosever
/// that is.
///
/// # Errors
/// It cannot be read, is neither of them, or is not as it was written: see [`Fault`].
pub fn verify(place: &Path, keys: &[PublicKey]) -> Result<Report, VerifyError> {
    let data = place.metadata().map_err(|source| VerifyError::Io { place: place.to_owned(), source })?;
    let mut check = Check { keys, first: None, report: Report { checked: !keys.is_empty(), ..Report::default() } };
    if data.is_dir() {
        check.directory(place)?;
    } else if is_segment(place) {
        let number = number_of(place).filter(|_| place.parent().is_some_and(|parent| parent.ends_with(SEGMENTS)));
        let statement = check.statement(place, number)?;
        let segment = super::segment::check(place, &Expected { number, after: None, statement: statement.as_ref() })?;
        check.report.add(&segment, statement.map(|statement| PublicKey(statement.key)));
    } else {
        return Err(VerifyError::NotOne { place: place.to_owned() });
    }
    Ok(check.report)
}

/// Where the segments are, in a store, and the incidents that are kept longer.
const SEGMENTS: &str = "segments";
const INCIDENTS: &str = "incidents";

struct Check<'a> {
    keys: &'a [PublicKey],
    /// The first key that was seen, where none are given.
    first: Option<PublicKey>,
    report: Report,
}

impl Check<'_> {
    fn directory(&mut self, place: &Path) -> Result<(), VerifyError> {
        let segments = place.join(SEGMENTS);
        if !segments.is_dir() {
            return Err(VerifyError::NotOne { place: place.to_owned() });
        }
        let fault = |segment, what| Fault { place: place.to_owned(), segment, batch: None, span: None, what };
        let head = Head::open(place).map_err(|error| Box::new(fault(None, What::Head(error.to_string()))))?;
        let (files, signatures) = listed(&segments)?;
        let last_signed = signatures.last().copied();
        if head.is_none() && last_signed.is_some() {
            return Err(Box::new(fault(None, What::HeadMissing)).into());
        }
        let mut next = head.as_ref().map(|head| head.oldest);
        let mut after = None;
        for number in files.iter().copied() {
            if let Some(next) = next.filter(|next| *next < number) {
                return Err(Box::new(fault(Some(number), What::SegmentsMissing(next..=number - 1))).into());
            }
            let segment = self.segment(&segments, number, after, head.as_ref(), last_signed)?;
            after = segment.batches.map(|(_, last)| (last, segment.digest)).or(after);
            next = Some(number.saturating_add(1));
        }
        // A statement without its segment tells of one that was there, too.
        let last = head.as_ref().map(|head| head.segment).max(last_signed);
        if let Some(last) = last.filter(|last| files.last().is_none_or(|there| there < last)) {
            let first = next.unwrap_or(last).min(last);
            return Err(Box::new(fault(None, What::EndMissing(first..=last))).into());
        }
        if let Some(head) = &head {
            self.known(PublicKey(head.key)).map_err(|what| Box::new(fault(None, what)))?;
            // The head is written before the statement: it is behind by no more than a crash in another order explains.
            if last_signed.is_some_and(|signed| head.segment.saturating_add(1) < signed) {
                let reason =
                    format!("it tells of segment {}, and later ones are signed: an old one was put back", head.segment);
                return Err(Box::new(fault(None, What::Head(reason))).into());
            }
        }
        self.incidents(&place.join(INCIDENTS))
    }

    fn segment(
        &mut self,
        segments: &Path,
        number: i64,
        after: Option<(i64, [u8; 32])>,
        head: Option<&Head>,
        last_signed: Option<i64>,
    ) -> Result<Segment, VerifyError> {
        let file = segments.join(format!("{number:010}.db"));
        let fault = |what| Fault { place: file.clone(), segment: Some(number), batch: None, span: None, what };
        let statement = self.statement(&file, Some(number))?;
        let segment = check(&file, &Expected { number: Some(number), after, statement: statement.as_ref() })?;
        if let Some(head) = head.filter(|head| head.segment == number)
            && (segment.batches.map_or(0, |(_, last)| last), segment.digest) != (head.batch, head.digest)
        {
            return Err(Box::new(fault(What::Rewritten)).into());
        }
        // Only what comes after all that was signed can have no signature.
        let signed = last_signed.max(head.map(|head| head.segment.saturating_sub(1)));
        if statement.is_none() && signed.is_some_and(|signed| number <= signed) {
            return Err(Box::new(fault(What::SignatureMissing)).into());
        }
        self.report.add(&segment, statement.map(|statement| PublicKey(statement.key)));
        Ok(segment)
    }

    /// What is signed of the segment in `file`, by a key that is known; `None`: nothing yet.
    fn statement(&mut self, file: &Path, segment: Option<i64>) -> Result<Option<Statement>, VerifyError> {
        let fault = |what| Box::new(Fault { place: file.to_owned(), segment, batch: None, span: None, what });
        let statement = match Statement::open(&file.with_extension("sig")) {
            Ok(statement) => statement,
            Err(StatementError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault(What::Signature(error.to_string())).into()),
        };
        self.known(PublicKey(statement.key)).map_err(fault)?;
        Ok(Some(statement))
    }

    fn known(&mut self, key: PublicKey) -> Result<(), What> {
        let known = if self.keys.is_empty() { *self.first.get_or_insert(key) == key } else { self.keys.contains(&key) };
        if known { Ok(()) } else { Err(What::OtherKey(key)) }
    }

    /// The incidents that are kept: each a chain of its own.
    fn incidents(&mut self, directory: &Path) -> Result<(), VerifyError> {
        if !directory.is_dir() {
            return Ok(());
        }
        for file in files(directory)?.into_iter().filter(|file| file.extension().is_some_and(|end| end == "db")) {
            let statement = self.statement(&file, None)?;
            check(&file, &Expected { number: None, after: None, statement: statement.as_ref() })?;
            self.report.incidents.0 += 1;
            self.report.incidents.1 += u64::from(statement.is_none());
        }
        Ok(())
    }
}

/// Whether it begins like an SQLite file.
fn is_segment(file: &Path) -> bool {
    let mut begin = [0; 16];
    File::open(file).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == *MAGIC
}

/// The segments that are there, and those that there are signatures of.
fn listed(directory: &Path) -> Result<(BTreeSet<i64>, BTreeSet<i64>), VerifyError> {
    let (mut segments, mut signatures) = (BTreeSet::new(), BTreeSet::new());
    for file in files(directory)? {
        match (number_of(&file), file.extension().and_then(|end| end.to_str())) {
            (Some(number), Some("db")) => _ = segments.insert(number),
            (Some(number), Some("sig")) => _ = signatures.insert(number),
            _ => {}
        }
    }
    Ok((segments, signatures))
}

/// The number that a segment's file is called by: ten digits.
fn number_of(file: &Path) -> Option<i64> {
    let name = file.file_stem()?.to_str()?;
    name.parse().ok().filter(|number| format!("{number:010}") == name)
}

/// The files of a directory, by their names.
fn files(directory: &Path) -> Result<Vec<PathBuf>, VerifyError> {
    let io = |source| VerifyError::Io { place: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(io)? {
        files.push(entry.map_err(io)?.path());
    }
    files.sort();
    Ok(files)
}
