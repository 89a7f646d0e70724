//! Which source a place is.

use super::lines::Lines;
use super::source::{Source, SourceError};
use std::path::{Path, PathBuf};

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The sensor's own store, or a copy of one: a directory with `segments/` in it.
    Store(PathBuf),
    /// Files of JSON lines, or directories of them.
    Lines(Vec<PathBuf>),
}

impl Place {
    /// What `places` are. Several can only be files of JSON lines.
    pub fn of(places: &[PathBuf]) -> Place {
        match places {
            [one] if is_store(one) => Place::Store(one.clone()),
            several => Place::Lines(several.to_vec()),
        }
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// It is not there, may not be read, or there is nothing in it.
    pub fn open(self) -> Result<Box<dyn Source>, SourceError> {
        match self {
            Place::Store(path) => Err(SourceError {
                place: path.display().to_string(),
                reason: "this weir cannot read a store yet; give files of JSON lines".to_owned(),
            }),
            Place::Lines(places) => Ok(Box::new(Lines::open(&places)?)),
        }
    }
}

fn is_store(path: &Path) -> bool {
    path.join("segments").is_dir()
}
