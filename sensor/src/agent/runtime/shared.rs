//! What the links to the runtimes tell of themselves: for `weir status`, the metrics, and one another.

use std::path::PathBuf;
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
    states: Mutex<Vec<State>>,
}

impl Shared {
    /// Of these sockets.
    pub fn new(paths: &[PathBuf], expected: bool) -> Shared {
        let state = |path: &PathBuf| State { path: path.clone(), expected, ..State::default() };
        Shared { states: Mutex::new(paths.iter().map(state).collect()) }
    }

    /// How each link is.
    pub fn states(&self) -> Vec<State> {
        self.lock().clone()
    }

    /// Changes the state of a link.
    pub fn change(&self, link: usize, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.lock().get_mut(link) {
            change(state);
        }
    }

    /// Whether the socket of this link is that of an earlier one, under another path.
    pub fn is_another(&self, link: usize) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |path: &PathBuf| std::fs::metadata(path).ok().map(|status| (status.dev(), status.ino()));
        let paths: Vec<PathBuf> = self.lock().iter().take(link + 1).map(|state| state.path.clone()).collect();
        let Some((own, before)) = paths.split_last() else { return false };
        identity(own).is_some_and(|own| before.iter().any(|path| identity(path) == Some(own)))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
