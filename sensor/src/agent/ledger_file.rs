//! The egress ledger on disk, so that restarts change nothing about what has left.
//!
//! One file, `ledger`, in a directory of its own (0700): a line `weir-ledger VERSION SHA256`, then the ledger as JSON. It is written
//! to `ledger.new`, synced and renamed, so that a crash leaves the old one or the new one. One that cannot be read is set aside,
//! never written over. One sensor at a time has it: the lock is on `lock`, and goes with the process.
//!
//! Without a directory that can be used the sensor goes on, and says so once.

use crate::event::{BootTime, SavedLedger};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use tokio::task::JoinHandle;

/// The form of the file.
const VERSION: u32 = 1;
/// Most bytes of the file: some times what the ledger's limits allow.
const SIZE_MAX: u64 = 64 << 20;

/// Where the ledger is kept.
#[derive(Debug)]
pub struct LedgerFile {
    /// Somebody asked for it to be kept.
    wanted: bool,
    /// When what was last written was taken, if anything was.
    saved: Option<BootTime>,
    /// `None`: nowhere.
    kept: Option<Kept>,
    /// The last write, while it may be on its way.
    writing: Option<(BootTime, JoinHandle<io::Result<()>>)>,
    /// That a write failed was said, and none has succeeded since.
    said: bool,
}

#[derive(Debug)]
struct Kept {
    directory: PathBuf,
    /// Locked.
    _lock: File,
}

/// Why a file is no ledger.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it has more than {SIZE_MAX} bytes")]
    TooLarge,
    #[error("it does not begin like a ledger")]
    Malformed,
    #[error("it is of version {0}, and this weir reads {VERSION}")]
    Version(u32),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl LedgerFile {
    /// Keeps nothing.
    pub fn nowhere() -> LedgerFile {
        LedgerFile { wanted: false, saved: None, kept: None, writing: None, said: false }
    }

    /// The ledger in `directory`, which is made if it is not there, and what was saved in it; nothing if that is of no use, which
    /// is logged.
    pub fn open(directory: &Path) -> (LedgerFile, SavedLedger) {
        match prepare(directory) {
            Ok(lock) => {
                let saved = read_or_set_aside(directory);
                let kept = Kept { directory: directory.to_owned(), _lock: lock };
                (LedgerFile { wanted: true, kept: Some(kept), ..LedgerFile::nowhere() }, saved)
            }
            Err(error) => {
                tracing::warn!(
                    directory = %directory.display(), %error,
                    "what has left is not kept over restarts: give a directory that only weir can write with --state-dir"
                );
                (LedgerFile { wanted: true, ..LedgerFile::nowhere() }, SavedLedger::default())
            }
        }
    }

    /// Whether it is kept anywhere.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether it was to be kept.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// When it was last saved, as far as is known.
    pub fn saved(&self) -> Option<BootTime> {
        self.saved
    }

    /// Whether it is kept anywhere, and can be written now.
    pub fn is_ready(&self) -> bool {
        self.kept.is_some() && self.writing.as_ref().is_none_or(|(_, writing)| writing.is_finished())
    }

    /// Takes note of a write that has ended; waits for none.
    pub async fn settle(&mut self) {
        if self.is_ready() {
            self.end_write().await;
        }
    }

    /// Begins to write, on a thread of its own: a slow disk must not hold up events. To be called when [`LedgerFile::is_ready`].
    pub async fn save(&mut self, saved: SavedLedger, now: BootTime) {
        self.end_write().await;
        if let Some(kept) = &self.kept {
            let directory = kept.directory.clone();
            self.writing = Some((now, tokio::task::spawn_blocking(move || write(&directory, &saved))));
        }
    }

    /// Waits for the last write.
    pub async fn end_write(&mut self) {
        let Some((taken, writing)) = self.writing.take() else { return };
        match writing.await.map_err(io::Error::other).flatten() {
            Ok(()) => (self.said, self.saved) = (false, Some(taken)),
            Err(error) if !self.said => {
                tracing::warn!(
                    %error,
                    "what has left cannot be saved, and a restart would forget it: see that there is room in the state directory"
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

fn read_or_set_aside(directory: &Path) -> SavedLedger {
    let path = directory.join("ledger");
    match read(&path) {
        Ok(saved) => saved,
        Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => SavedLedger::default(),
        Err(reason) => {
            let aside = free_name(directory);
            let moved = fs::rename(&path, &aside);
            tracing::warn!(
                file = %path.display(), %reason, aside = %aside.display(), moved = moved.is_ok(),
                "the saved ledger cannot be read: it is set aside, and sums of what has left begin anew"
            );
            SavedLedger::default()
        }
    }
}

/// A name that nothing has yet; the last one is used again.
fn free_name(directory: &Path) -> PathBuf {
    let name = |number| directory.join(format!("ledger.unreadable.{number}"));
    (1..100).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(100))
}

fn read(path: &Path) -> Result<SavedLedger, Unreadable> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(Unreadable::TooLarge);
    }
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(Unreadable::Malformed)?;
    let (head, body) = bytes.split_at_checked(end).ok_or(Unreadable::Malformed)?;
    let body = body.get(1..).ok_or(Unreadable::Malformed)?;
    let head = std::str::from_utf8(head).map_err(|_| Unreadable::Malformed)?;
    let ["weir-ledger", version, checksum] = head.split(' ').collect::<Vec<_>>()[..] else {
        return Err(Unreadable::Malformed);
    };
    match version.parse().map_err(|_| Unreadable::Malformed)? {
        VERSION if *checksum == digest(body) => Ok(serde_json::from_slice(body)?),
        VERSION => Err(Unreadable::Checksum),
        other => Err(Unreadable::Version(other)),
    }
}

fn write(directory: &Path, saved: &SavedLedger) -> io::Result<()> {
    let body = serde_json::to_vec(saved)?;
    let new = directory.join("ledger.new");
    // One that a crash left, or somebody put there: it is not written into.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(format!("weir-ledger {VERSION} {}\n", digest(&body)).as_bytes())?;
    file.write_all(&body)?;
    file.sync_all()?;
    fs::rename(&new, directory.join("ledger"))?;
    File::open(directory)?.sync_all()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
