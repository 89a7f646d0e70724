//! Directories for files that go with the test.

use crate::Context;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "weir-scene-";
/// Locked as long as the directory is somebody's.
const LOCK: &str = ".lock";

/// A directory among the temporary files; dropping it removes it with all in it. What a killed process left, a sweep removes.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// A new one, open to its owner only.
    pub fn new() -> io::Result<Directory> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                // Left by an earlier process with our pid.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.context(|| path.display().to_string())?,
            }
            let lock = File::create_new(path.join(LOCK)).context(|| path.display().to_string())?;
            // A sweep that comes before the lock takes the directory for nobody's: then another.
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && lock.metadata()?.nlink() > 0 {
                return Ok(Directory { path, _lock: lock });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{} is not removed: {error}", self.path.display());
        }
    }
}

/// Removes those of our own user that nobody holds any more; their paths.
pub(super) fn sweep() -> io::Result<Vec<String>> {
    let mut swept = Vec::new();
    for entry in fs::read_dir(std::env::temp_dir())?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if !name.to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let ours =
            entry.metadata().is_ok_and(|kind| kind.is_dir() && kind.uid() == rustix::process::geteuid().as_raw());
        let Some(lock) = ours.then(|| File::open(path.join(LOCK)).ok()).flatten() else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            fs::remove_dir_all(&path).context(|| path.display().to_string())?;
            swept.push(path.display().to_string());
        }
    }
    Ok(swept)
}
