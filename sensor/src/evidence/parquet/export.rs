//! All closed segments of a store, each once.

use super::place::{Place, PlaceError};
use super::segment::{Fault, Segment};
use crate::evidence::integrity::{Statement, StatementError, hex};
use crate::evidence::source::SourceError;
use crate::evidence::store::{Reader, Scan};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The machine's name; `None`: as the segments say.
    pub host: Option<&'a str>,
    /// The segment that is still written, too, to a directory with nothing in it: to look at, not to be shipped.
    pub open: bool,
}

/// Why not everything is exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] SourceError),
    /// The files cannot be written.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// One segment or more cannot be read; all others are exported. The first one:
    #[error("{} of the segments could not be exported, all others are; {}: {reason}: `weir evidence verify` says what is wrong with it", .count, .first.display())]
    Segments {
        /// How many.
        count: usize,
        /// The file.
        first: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is something already where all is to be written anew.
    #[error("{} is not empty: what is not closed yet is written to a directory of its own, to look at", .0.display())]
    NotEmpty(PathBuf),
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments that were exported now.
    pub segments: u64,
    /// Events in them.
    pub events: u64,
    /// Files.
    pub files: u64,
    /// Segments that were exported before.
    pub before: u64,
    /// The segment that is still written, if it was left out.
    pub open: Option<u64>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Report { segments, events, files, before, open } = self;
        write!(f, "{segments} segments with {events} events in {files} files; {before} were exported before")?;
        match open {
            Some(open) => write!(f, "; segment {open} is not closed yet"),
            None => Ok(()),
        }
    }
}

/// Exports `store` to the directory `out`, which is made if it is not there.
///
/// # Errors
/// See [`ExportError`]. Nothing of a segment that is not exported has its name; those before it are.
pub fn export(store: &Path, out: &Path, options: Options) -> Result<Report, ExportError> {
    let reader = Reader::open(store)?;
    if options.open && !is_empty(out) {
        return Err(ExportError::NotEmpty(out.to_owned()));
    }
    let mut work = Work { out, options, place: None, report: Report::default() };
    let mut faults: Vec<(PathBuf, String)> =
        reader.damage().iter().map(|gap| (store.to_owned(), gap.cause.to_string())).collect();
    let segments = || reader.parts().iter().filter_map(|part| Some((part.number?, part)));
    let oldest = segments().map(|(number, _)| number).min().unwrap_or(0);
    for (number, part) in segments().filter(|(_, part)| part.span.is_some()) {
        match work.segment(number, &part.path, oldest) {
            Ok(()) => {}
            Err(Failed::Place(error)) => return Err(error.into()),
            // It was rotated away since.
            Err(Failed::Segment(_)) if !part.path.exists() => {}
            Err(Failed::Segment(reason)) => faults.push((part.path.clone(), reason)),
        }
    }
    match faults.first() {
        None => Ok(work.report),
        Some((first, reason)) => {
            Err(ExportError::Segments { count: faults.len(), first: first.clone(), reason: reason.clone() })
        }
    }
}

struct Work<'a> {
    out: &'a Path,
    options: Options<'a>,
    /// Of the machine that the last segment was from.
    place: Option<(String, Place)>,
    report: Report,
}

enum Failed {
    Place(PlaceError),
    Segment(String),
}

impl Work<'_> {
    fn segment(&mut self, number: u64, path: &Path, oldest: u64) -> Result<(), Failed> {
        let statement = match Statement::open(&path.with_extension("sig")) {
            Ok(statement) => Some(statement),
            Err(StatementError::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failed::Segment(format!("its signature cannot be used ({error})"))),
        };
        if statement.is_none() && !self.options.open {
            self.report.open = Some(number);
            return Ok(());
        }
        let scan = Scan::open(path)?;
        let digest = scan.digest()?.unwrap_or_default();
        if statement.as_ref().is_some_and(|statement| statement.digest != digest) {
            return Err(Failed::Segment("its last digest is not the one that was signed".to_owned()));
        }
        let host = match self.options.host {
            Some(host) => host.to_owned(),
            None => scan.about("host")?.unwrap_or_default(),
        };
        // A store that was made anew begins to count again: the digest tells its segments from those of the one before.
        let digest: String = hex(&digest).chars().take(16).collect();
        let stem = if statement.is_some() { format!("{number:010}-{digest}") } else { format!("{number:010}-open") };
        let place = self.place(&host)?;
        if place.is_done(&stem) {
            self.report.before += 1;
            return Ok(());
        }
        let segment = Segment { scan: &scan, host: &host, number, statement: statement.as_ref() };
        let (events, files) = segment.write(place)?;
        place.publish(&stem, &files)?;
        place.mark(&stem, oldest)?;
        self.report.segments += 1;
        self.report.events += events;
        self.report.files += files.iter().map(|(_, files)| files.len() as u64).sum::<u64>();
        Ok(())
    }

    /// The directory for files of this machine.
    fn place(&mut self, host: &str) -> Result<&mut Place, PlaceError> {
        let opened = match self.place.take() {
            Some((name, place)) if name == host => place,
            _ => Place::open(self.out, host)?,
        };
        let (_, place) = self.place.insert((host.to_owned(), opened));
        Ok(place)
    }
}

impl From<PlaceError> for Failed {
    fn from(error: PlaceError) -> Failed {
        Failed::Place(error)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Failed {
        Failed::Segment(format!("it cannot be read ({error})"))
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Failed {
        match fault {
            Fault::Read(error) => error.into(),
            Fault::Write(error) => error.into(),
        }
    }
}

/// Whether there is nothing in a directory, or no directory.
fn is_empty(directory: &Path) -> bool {
    match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
