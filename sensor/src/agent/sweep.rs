//! Which carriers of labels are certainly gone: so that the kernel's table of them can be cleared without ever clearing the label of
//! what an open descriptor or a live process still has.
//!
//! Who has what is read in `/proc` (`walk`): descriptors of every process and thread, and what is mapped. The decision is a pure
//! function of that ([`Holders::gone`]). Where something could hold a file unseen, nothing is certain, and all of it stays: a
//! process that cannot be read, descriptors on their way in a unix socket (SCM_RIGHTS), files registered with an io_uring, a mount
//! namespace without a process. Descriptors wander while `/proc` is read; so it is read twice, and only what is in neither is gone.
//!
//! Inode numbers alone are compared, not devices: stat(2) tells another device than the kernel's on btrfs and overlayfs. It keeps a
//! little too much, never too little.
//!
//! Run on a thread of its own ([`Sweeper`], by [`super::carriers`]), when the table is more than half full: a walk takes some microseconds a
//! descriptor.

mod walk;

#[cfg(test)]
mod tests;

use sensor_common::classify::InodeKey;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;

/// What nobody used for so long may be gone, unless the sensor is told another time; what was used since is not looked at.
pub const IDLE: Duration = Duration::from_secs(600);
/// Entries that are judged in one sweep; the others stay until the next.
pub const ENTRIES_MAX: usize = 1 << 20;

/// What a carrier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pipe without a name. A FIFO is a [`Kind::File`].
    Pipe,
    /// A socket.
    Socket,
    /// A memfd, or shared memory of System V.
    Memory,
    /// A file of a mounted file system.
    File {
        /// It has no name any more.
        unlinked: bool,
    },
}

/// A carrier in the kernel's table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its key there; the device in the kernel's own encoding, `major << 20 | minor`.
    pub key: InodeKey,
    /// What it is.
    pub kind: Kind,
    /// For how long nobody has used it.
    pub idle: Duration,
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncertain {
    /// The sensor sees some processes only.
    #[error("{0} is not that of the initial pid namespace: run the sensor with the host's (hostPID: true)")]
    Namespace(PathBuf),
    /// Something of a process is kept from the sensor.
    #[error("{path} cannot be read ({reason}): run the sensor as root with CAP_SYS_PTRACE")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        reason: String,
    },
    /// There is more than is looked at.
    #[error("more than {0} descriptors are open: what is gone is found when there are fewer")]
    TooMany(usize),
    /// Descriptors are in no process: on their way through a unix socket, or registered with an io_uring.
    #[error("process {0} has files in flight or registered with an io_uring: what is gone is found when it has not")]
    Hidden(u32),
}

/// Who has what, as far as it was asked for.
#[derive(Debug, Default)]
pub struct Holders {
    /// Inode numbers, of those asked for, that some process has open or mapped.
    pub inodes: HashSet<u64, ahash::RandomState>,
    /// Devices that are mounted in some mount namespace; `None`: there are namespaces that could not be looked into, so that
    /// nothing is known to be unmounted.
    pub devices: Option<HashSet<u32, ahash::RandomState>>,
}

impl Holders {
    /// The entries of which nothing is left. Pure.
    pub fn gone(&self, entries: &[Entry]) -> Vec<InodeKey> {
        let is_gone = |entry: &&Entry| {
            let unmounted = || self.devices.as_ref().is_some_and(|devices| !devices.contains(&entry.key.device));
            let nameless = match entry.kind {
                Kind::Pipe | Kind::Socket | Kind::Memory | Kind::File { unlinked: true } => true,
                // What has a name can be opened again, as long as its file system is there.
                Kind::File { unlinked: false } => unmounted(),
            };
            nameless && !self.inodes.contains(&entry.key.inode)
        };
        entries.iter().filter(is_gone).map(|entry| entry.key).collect()
    }
}

/// Looks who has what.
#[derive(Clone, Debug)]
pub struct Sweep {
    proc: PathBuf,
    /// Inode number of the pid namespace that `proc` has to show.
    namespace: u64,
    /// What was used since is left alone.
    idle: Duration,
}

/// `PROC_PID_INIT_INO` (include/linux/proc_ns.h): the inode number of the initial pid namespace, fixed since 3.8.
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

impl Default for Sweep {
    fn default() -> Sweep {
        Sweep { proc: Path::new("/proc").to_owned(), namespace: INITIAL_PID_NAMESPACE, idle: IDLE }
    }
}

impl Sweep {
    /// The keys of what is certainly gone; none, with a line in the log, where that cannot be known. Takes as long as two walks
    /// through `/proc` do. The caller must not have forgotten an entry's use since it read how long it was idle: a key that was used
    /// again meanwhile is to be left alone.
    pub fn certainly_gone(&self, entries: &[Entry]) -> Vec<InodeKey> {
        self.gone(entries).unwrap_or_else(|reason| {
            tracing::debug!(%reason, "what carries labels and is gone cannot be told: all of it stays");
            Vec::new()
        })
    }

    /// The same, with the reason.
    ///
    /// # Errors
    /// [`Uncertain`]: nothing can be said.
    pub fn gone(&self, entries: &[Entry]) -> Result<Vec<InodeKey>, Uncertain> {
        let mut left: Vec<Entry> =
            entries.iter().filter(|entry| entry.idle >= self.idle).take(ENTRIES_MAX).copied().collect();
        let mut gone = Vec::new();
        for _ in 0..2 {
            if left.is_empty() {
                return Ok(Vec::new());
            }
            let wanted = left.iter().map(|entry| entry.key.inode).collect();
            let namespace = self.proc.join("self/ns/pid");
            if fs::metadata(&namespace).map(|data| data.ino()).ok() != Some(self.namespace) {
                return Err(Uncertain::Namespace(namespace));
            }
            gone = walk::holders(&self.proc, &wanted)?.gone(&left);
            let keys: HashSet<(u32, u64)> = gone.iter().map(|key| (key.device, key.inode)).collect();
            left.retain(|entry| keys.contains(&(entry.key.device, entry.key.inode)));
        }
        Ok(gone)
    }
}

/// What became of all sweeps. Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sweeps that came to an end. One of nothing is none.
    pub swept: u64,
    /// Of them, those that could not tell ([`Uncertain`]).
    pub uncertain: u64,
    /// Keys that were told as gone.
    pub gone: u64,
}

/// What a sweep found; `None`: there was nothing to look for.
type Answer = Option<Result<Vec<InodeKey>, Uncertain>>;

/// Sweeps on a thread of its own, one at a time.
#[derive(Debug, Default)]
pub struct Sweeper {
    sweep: Sweep,
    running: Option<Receiver<Answer>>,
    counts: Counts,
}

impl Sweeper {
    /// One that looks at what nobody has used for `idle`.
    pub fn new(idle: Duration) -> Sweeper {
        Sweeper { sweep: Sweep { idle, ..Sweep::default() }, ..Sweeper::default() }
    }

    /// Starts a sweep of what `entries` finds on the sweep's thread, unless one is under way or no thread can be started: then
    /// `false`.
    pub fn start(&mut self, entries: impl FnOnce() -> Vec<Entry> + Send + 'static) -> bool {
        if self.running.is_some() {
            return false;
        }
        let (sender, receiver) = channel();
        let sweep = self.sweep.clone();
        let thread = thread::Builder::new().name("weir-sweep".to_owned());
        // Nobody listens any more: the agent ends.
        let started = thread.spawn(move || {
            let entries = entries();
            drop(sender.send((!entries.is_empty()).then(|| sweep.gone(&entries))));
        });
        match started {
            Ok(_) => self.running = Some(receiver),
            Err(error) => tracing::warn!(%error, "no thread can be started to sweep: it is tried again"),
        }
        self.running.is_some()
    }

    /// What a sweep that has come to its end found to be gone. Never waits.
    pub fn take(&mut self) -> Option<Vec<InodeKey>> {
        let result = match self.running.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => None,
            Ok(result) => Some(result),
        };
        self.running = None;
        if matches!(result, Some(None)) {
            return Some(Vec::new());
        }
        self.counts.swept += 1;
        match result.flatten() {
            Some(Ok(gone)) => {
                self.counts.gone += gone.len() as u64;
                Some(gone)
            }
            Some(Err(reason)) => {
                self.counts.uncertain += 1;
                // It is mostly the same every time.
                if self.counts.uncertain == 1 {
                    tracing::warn!(%reason, "what carries content and is no more cannot be told, and stays in the kernel's table");
                } else {
                    tracing::debug!(%reason, "what carries content and is no more cannot be told");
                }
                Some(Vec::new())
            }
            None => {
                self.counts.uncertain += 1;
                Some(Vec::new())
            }
        }
    }

    /// What became of all sweeps.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}
