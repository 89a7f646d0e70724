//! The spool's directory on a real file system: that it is ours alone, and the files in it.

use super::{Files, SpoolError};
use rustix::fs::{FlockOperation, OFlags, flock};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A directory that this process alone uses.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// The directory itself, to sync it.
    handle: File,
    /// Goes with the process.
    _lock: File,
    /// What is appended to: a segment a severity at most.
    open: BTreeMap<String, File>,
    /// What was read last: records are taken in the order of their files.
    reading: Option<(String, File)>,
}

impl Directory {
    /// Makes it, if need be (0700), and locks it. It must be this user's, and only this user may write it.
    pub fn open(path: &Path) -> Result<Directory, SpoolError> {
        let wrong = |what| move |error| SpoolError::Directory { directory: path.to_owned(), what, error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(wrong("made"))?;
        let handle = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::DIRECTORY.union(OFlags::NOFOLLOW).bits() as i32)
            .open(path)
            .map_err(wrong("opened"))?;
        let metadata = handle.metadata().map_err(wrong("examined"))?;
        let user = rustix::process::geteuid().as_raw();
        if metadata.uid() != user {
            return Err(SpoolError::Foreign { directory: path.to_owned(), owner: metadata.uid(), user });
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(SpoolError::WritableByOthers { directory: path.to_owned(), mode });
        }
        let lock = options().append(true).create(true).open(path.join("lock")).map_err(wrong("written"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(SpoolError::InUse { directory: path.to_owned() }),
            result => result.map_err(|error| wrong("locked")(error.into()))?,
        }
        Ok(Directory { path: path.to_owned(), handle, _lock: lock, open: BTreeMap::new(), reading: None })
    }

    fn reader(&mut self, name: &str) -> io::Result<&File> {
        if self.reading.as_ref().is_none_or(|(open, _)| open != name) {
            self.reading = Some((name.to_owned(), File::open(self.path.join(name))?));
        }
        self.reading.as_ref().map(|(_, file)| file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn forget(&mut self, name: &str) {
        self.open.remove(name);
        self.reading.take_if(|(open, _)| open == name);
    }
}

/// Nobody else's business; no link is followed.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

impl Files for Directory {
    fn list(&mut self) -> io::Result<Vec<String>> {
        // What is no text is none of ours.
        fs::read_dir(&self.path)?
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let file = options().append(true).create_new(true).open(self.path.join(name))?;
        self.open.insert(name.to_owned(), file);
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match self.open.get_mut(name) {
            Some(file) => file.write_all(bytes),
            None => options().append(true).create(true).open(self.path.join(name))?.write_all(bytes),
        }
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        match self.open.get(name) {
            Some(file) => file.sync_data(),
            None => File::open(self.path.join(name))?.sync_data(),
        }
    }

    fn close(&mut self, name: &str) {
        self.open.remove(name);
    }

    fn read(&mut self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path.join(name))?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read_at(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = self.reader(name)?;
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn size(&mut self, name: &str) -> io::Result<u64> {
        Ok(fs::symlink_metadata(self.path.join(name))?.len())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.forget(from);
        self.forget(to);
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.forget(name);
        fs::remove_file(self.path.join(name))
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.handle.sync_all()
    }
}
