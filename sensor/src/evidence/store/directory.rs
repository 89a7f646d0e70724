//! The directory of the store: whose it is, and the files in it.

use super::segment::SegmentError;
use rustix::fs::{FlockOperation, OFlags, flock};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What an SQLite file has beside it, and a signature.
const BESIDE: [&str; 5] = ["db", "db-wal", "db-shm", "db-journal", "sig"];

/// The paths in a store.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Nothing is made or read.
    pub fn at(path: &Path) -> Directory {
        Directory { path: path.to_owned() }
    }

    /// Makes it, if need be (0700), and locks it: the lock goes with the file that is returned. It must be this user's, and only this
    /// user may write it.
    pub fn lock(&self) -> Result<File, SegmentError> {
        let other = |text: String| SegmentError::Io(io::Error::other(text));
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        for below in [self.segments(), self.incidents()] {
            DirBuilder::new().recursive(true).mode(0o700).create(below)?;
        }
        let status = fs::symlink_metadata(&self.path)?;
        if status.uid() != rustix::process::geteuid().as_raw() || status.mode() & 0o022 != 0 {
            return Err(other("others can write it: give a directory of weir's own".to_owned()));
        }
        let options = |path: &Path| {
            let flags = OFlags::NOFOLLOW.bits() as i32;
            OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)
        };
        let lock = options(&self.path.join("lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => Err(other("another sensor writes there".to_owned())),
            Err(error) => Err(SegmentError::Io(error.into())),
            Ok(()) => Ok(lock),
        }
    }

    /// The store itself, where the key is too.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the segments are.
    pub fn segments(&self) -> PathBuf {
        self.path.join("segments")
    }

    /// Where the copies of incidents are.
    pub fn incidents(&self) -> PathBuf {
        self.path.join("incidents")
    }

    /// The file of a segment.
    pub fn segment(&self, number: u64) -> PathBuf {
        self.segments().join(format!("{number:010}.db"))
    }

    /// The file of an incident, if its id is one that can be a file's name.
    pub fn incident(&self, id: &str) -> Option<PathBuf> {
        let is_plain = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (is_plain && !id.is_empty()).then(|| self.incidents().join(format!("{id}.db")))
    }

    /// Removes segments that were made and then never written, at the end: who made them was killed.
    pub fn remove_empty(&self) -> io::Result<()> {
        while let Some(newest) = self.numbers()?.pop() {
            let path = self.segment(newest);
            let batches = super::reader::connect(&path).and_then(|connection| {
                connection.query_row("SELECT count(*) FROM batches", [], |row| row.get::<_, i64>(0))
            });
            // What cannot be read may have something in it.
            if !matches!(batches, Ok(0)) {
                return Ok(());
            }
            remove(&path)?;
        }
        Ok(())
    }

    /// The numbers of the segments, rising.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers: Vec<u64> = databases(&self.segments())?.iter().filter_map(|path| number_of(path)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// The number that a segment's file is called by.
pub fn number_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// The databases in a directory, by name.
pub fn databases(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "db") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What a database and the files beside it take.
pub fn size(database: &Path) -> u64 {
    let sizes = BESIDE.iter().map(|beside| fs::metadata(database.with_extension(beside)).map_or(0, |data| data.len()));
    sizes.sum()
}

/// Removes a database and the files beside it, the database first: without it nobody reads the others.
pub fn remove(database: &Path) -> io::Result<()> {
    for beside in BESIDE {
        match fs::remove_file(database.with_extension(beside)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
