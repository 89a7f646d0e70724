//! What the links to the runtimes tell of themselves: for `weir status`, the metrics, and one another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How a link is. Totals are since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The socket.
    pub path: PathBuf,
    /// A person named it, or a runtime answered there once.
    pub expected: bool,
    /// The runtime's name and version, once it has answered.
    pub runtime: Option<String>,
    /// Since when it is as it is.
    pub since: Option<SystemTime>,
    /// It answers.
    pub connected: bool,
    /// Why it does not answer, and the mend.
    pub reason: Option<String>,
    /// How it tells of containers by itself; nothing where it does not.
    pub watch: Option<&'static str>,
    /// Containers and pods that are known by it now.
    pub known: u64,
    /// Containers that it was asked for, each once.
    pub asked: u64,
    /// Of these, the ones that it named.
    pub answered: u64,
    /// Of these, the ones that it does not know.
    pub unknown: u64,
    /// Questions that failed; most are asked again.
    pub failed: u64,
    /// Containers that it could not be asked for, for want of room.
    pub refused: u64,
}

/// What all links share.
#[derive(Debug, Default)]
pub struct Shared {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    states: Vec<State>,
    /// Which link has a socket, by device and inode: the same can be seen under several paths.
    sockets: HashMap<(u64, u64), usize>,
}

impl Shared {
    /// Of these sockets.
    pub fn new(paths: &[PathBuf], expected: bool) -> Shared {
        let state = |path: &PathBuf| State { path: path.clone(), expected, ..State::default() };
        Shared { inner: Mutex::new(Inner { states: paths.iter().map(state).collect(), ..Inner::default() }) }
    }

    /// How each link is.
    pub fn states(&self) -> Vec<State> {
        self.lock().states.clone()
    }

    /// Changes the state of a link.
    pub fn change(&self, link: usize, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.lock().states.get_mut(link) {
            change(state);
        }
    }

    /// Whether the socket at `path` is this link's, or nobody's, which makes it this link's.
    pub fn claim(&self, link: usize, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(status) = std::fs::metadata(path) else { return true };
        *self.lock().sockets.entry((status.dev(), status.ino())).or_insert(link) == link
    }

    /// The link has no socket any more.
    pub fn disclaim(&self, link: usize) {
        self.lock().sockets.retain(|_, owner| *owner != link);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
