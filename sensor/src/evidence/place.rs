//! Which source a place is.

use super::archive::{Archive, is_archive};
use super::lines::Lines;
use super::source::{Source, SourceError};
use super::store::Reader;
use std::path::{Path, PathBuf};

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The sensor's own store, or a copy of one: a directory with `segments/` in it.
    Store(PathBuf),
    /// What `weir evidence export` wrote.
    Archive(PathBuf),
    /// Files of JSON lines, or directories of them.
    Lines(Vec<PathBuf>),
}

impl Place {
    /// What `places` are. Several can only be files of JSON lines.
    pub fn of(places: &[PathBuf]) -> Place {
        match places {
            [one] if is_store(one) => Place::Store(one.clone()),
            [one] if is_archive(one) => Place::Archive(one.clone()),
            several => Place::Lines(several.to_vec()),
        }
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// It is not there, may not be read, or there is nothing in it.
    pub fn open(self) -> Result<Box<dyn Source>, SourceError> {
        match self {
            Place::Store(path) => Ok(Box::new(Reader::open(&path)?)),
            // Whose signature it has, `weir evidence verify` says; one that is not whole is not read.
            Place::Archive(path) => match Archive::open(&path, &[]) {
                Ok(archive) => Ok(Box::new(archive)),
                Err(error) => Err(SourceError { place: path.display().to_string(), reason: error.to_string() }),
            },
            Place::Lines(places) => Ok(Box::new(Lines::open(&places)?)),
        }
    }
}

fn is_store(path: &Path) -> bool {
    path.join("segments").is_dir()
}
