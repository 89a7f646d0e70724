//! What is kept on disk, so that restarts change nothing about what has left ([`LEDGER`]) and what has been seen
//! ([`CORRELATIONS`]).
//!
//! One file each in a directory of their own (0700): a line `weir-NAME VERSION SHA256`, then the state as JSON. It is written
//! to `NAME.new`, synced and renamed, so that a crash leaves the old one or the new one. One that cannot be read is set aside,
//! never written over. One sensor at a time has the directory: the lock is on `lock`, and goes with the process.
//!
//! Without a directory that can be used the sensor goes on, and says so once.

use crate::event::BootTime;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The form of the files.
const VERSION: u32 = 1;
/// Most bytes of a file: some times what the limits of what is kept allow.
const SIZE_MAX: u64 = 64 << 20;

/// The egress ledger.
pub const LEDGER: Name = Name { file: "ledger", lost: "sums of what has left begin anew" };
/// The state of the correlations.
pub const CORRELATIONS: Name = Name { file: "correlations", lost: "what came before is not connected with what comes" };

/// What a file is.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    file: &'static str,
    /// What happens without it, as the end of a sentence.
    lost: &'static str,
}

/// The directory, locked.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    /// Somebody asked for one.
    wanted: bool,
    /// `None`: nothing is kept.
    locked: Option<Arc<Locked>>,
}

#[derive(Debug)]
struct Locked {
    directory: PathBuf,
    _lock: File,
}

impl StateDirectory {
    /// Keeps nothing.
    pub fn nowhere() -> StateDirectory {
        StateDirectory { wanted: false, locked: None }
    }

    /// The directory, which is made if it is not there; one that is of no use is logged, and nothing is kept.
    pub fn open(directory: &Path) -> StateDirectory {
        match prepare(directory) {
            Ok(lock) => {
                let locked = Some(Arc::new(Locked { directory: directory.to_owned(), _lock: lock }));
                StateDirectory { wanted: true, locked }
            }
            Err(error) => {
                tracing::warn!(
                    directory = %directory.display(), %error,
                    "what has left and what was seen is not kept over restarts: give a directory that only weir can write with --state-dir"
                );
                StateDirectory { wanted: true, locked: None }
            }
        }
    }
}

/// Where one state is kept.
#[derive(Debug)]
pub struct StateFile {
    directory: StateDirectory,
    name: Name,
    /// When what was last written was taken, if anything was.
    saved: Option<BootTime>,
    /// The last write, while it may be on its way.
    writing: Option<(BootTime, JoinHandle<io::Result<()>>)>,
    /// That a write failed was said, and none has succeeded since.
    said: bool,
}

/// Why a file is not what it is called.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it has more than {SIZE_MAX} bytes")]
    TooLarge,
    #[error("it does not begin as it should")]
    Malformed,
    #[error("it is of version {0}, and this weir reads {VERSION}")]
    Version(u32),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl StateFile {
    /// The file of that name in `directory`, and what was saved in it; nothing if that is of no use, which is logged.
    pub fn open<T: DeserializeOwned + Default>(directory: &StateDirectory, name: Name) -> (StateFile, T) {
        let saved = directory.locked.as_ref().map(|locked| read_or_set_aside(&locked.directory, name));
        let file = StateFile { directory: directory.clone(), name, saved: None, writing: None, said: false };
        (file, saved.unwrap_or_default())
    }

    /// Whether it is kept anywhere.
    pub fn is_kept(&self) -> bool {
        self.directory.locked.is_some()
    }

    /// Whether it was to be kept.
    pub fn is_wanted(&self) -> bool {
        self.directory.wanted
    }

    /// When it was last saved, as far as is known.
    pub fn saved(&self) -> Option<BootTime> {
        self.saved
    }

    /// Whether it is kept anywhere, and can be written now.
    pub fn is_ready(&self) -> bool {
        self.is_kept() && self.writing.as_ref().is_none_or(|(_, writing)| writing.is_finished())
    }

    /// Takes note of a write that has ended; waits for none.
    pub async fn settle(&mut self) {
        if self.is_ready() {
            self.end_write().await;
        }
    }

    /// Begins to make and write what is to be saved, on a thread of its own, what was taken at `now`: neither that nor a slow disk must hold up events. To be
    /// called when [`StateFile::is_ready`].
    pub async fn save<T: Serialize>(&mut self, now: BootTime, saved: impl FnOnce() -> T + Send + 'static) {
        self.end_write().await;
        if let Some(locked) = self.directory.locked.clone() {
            let name = self.name;
            self.writing = Some((now, tokio::task::spawn_blocking(move || write(&locked.directory, name, &saved()))));
        }
    }

    /// Waits for the last write.
    pub async fn end_write(&mut self) {
        let Some((taken, writing)) = self.writing.take() else { return };
        match writing.await.map_err(io::Error::other).flatten() {
            Ok(()) => (self.said, self.saved) = (false, Some(taken)),
            Err(error) if !self.said => {
                tracing::warn!(
                    %error, file = self.name.file,
                    "it cannot be saved, and a restart would forget what is in it: see that there is room in the state directory"
                );
                self.said = true;
            }
            Err(_) => {}
        }
    }
}

/// Makes the directory, if need be, and locks it.
fn prepare(directory: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    if fs::metadata(directory)?.mode() & 0o022 != 0 {
        return Err(io::Error::other("others can write it, and so change what the sensor knows (chmod 700)"));
    }
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(directory.join("lock"))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::other("another sensor uses it")),
        result => Ok(result.map(|()| lock)?),
    }
}

fn read_or_set_aside<T: DeserializeOwned + Default>(directory: &Path, name: Name) -> T {
    let path = directory.join(name.file);
    match read(&path, name) {
        Ok(saved) => saved,
        Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => T::default(),
        Err(reason) => {
            let aside = free_name(directory, name);
            let moved = fs::rename(&path, &aside);
            tracing::warn!(
                file = %path.display(), %reason, aside = %aside.display(), moved = moved.is_ok(),
                "what was saved cannot be read: it is set aside, and {}", name.lost
            );
            T::default()
        }
    }
}

/// A name that nothing has yet; the last one is used again.
fn free_name(directory: &Path, name: Name) -> PathBuf {
    let name = |number| directory.join(format!("{}.unreadable.{number}", name.file));
    (1..100).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(100))
}

fn read<T: DeserializeOwned>(path: &Path, name: Name) -> Result<T, Unreadable> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(Unreadable::TooLarge);
    }
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(Unreadable::Malformed)?;
    let (head, body) = bytes.split_at_checked(end).ok_or(Unreadable::Malformed)?;
    let body = body.get(1..).ok_or(Unreadable::Malformed)?;
    let head = std::str::from_utf8(head).map_err(|_| Unreadable::Malformed)?;
    let head = head.strip_prefix("weir-").and_then(|head| head.strip_prefix(name.file)?.strip_prefix(' '));
    let (version, checksum) = head.and_then(|head| head.split_once(' ')).ok_or(Unreadable::Malformed)?;
    match version.parse().map_err(|_| Unreadable::Malformed)? {
        VERSION if checksum == digest(body) => Ok(serde_json::from_slice(body)?),
        VERSION => Err(Unreadable::Checksum),
        other => Err(Unreadable::Version(other)),
    }
}

fn write<T: Serialize>(directory: &Path, name: Name, saved: &T) -> io::Result<()> {
    let body = serde_json::to_vec(saved)?;
    let new = directory.join(format!("{}.new", name.file));
    // One that a crash left, or somebody put there: it is not written into.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(format!("weir-{} {VERSION} {}\n", name.file, digest(&body)).as_bytes())?;
    file.write_all(&body)?;
    file.sync_all()?;
    fs::rename(&new, directory.join(name.file))?;
    File::open(directory)?.sync_all()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
