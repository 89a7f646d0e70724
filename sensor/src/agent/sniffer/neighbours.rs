//! Who else lives in a mount namespace: by its root the files of a process that is gone can still be reached.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Namespaces that are remembered.
const REMEMBERED: usize = 1024;
/// Processes that are looked at in one search.
const PROCESSES_MAX: usize = 65_536;
/// For so long nobody is looked for again where nobody was found.
const NOBODY_FOR: Duration = Duration::from_secs(1);

/// Remembers, for each mount namespace, a process that was there. For use by several threads.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    known: Mutex<HashMap<u32, Neighbour>>,
}

#[derive(Clone, Copy, Debug)]
enum Neighbour {
    Somebody(u32),
    NobodySince(Instant),
}

impl Neighbours {
    /// A process in the mount namespace of that inode number; `None` if there is none, or it cannot be seen. Asks each process in
    /// `/proc` if the one that is known is gone: some microseconds each.
    pub(super) fn of(&self, namespace: u32) -> Option<u32> {
        if namespace == 0 {
            return None;
        }
        // Copied out: the search is without the lock.
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&namespace).copied();
        match known {
            Some(Neighbour::Somebody(pid)) if is_in(pid, namespace) => return Some(pid),
            Some(Neighbour::NobodySince(time)) if time.elapsed() < NOBODY_FOR => return None,
            _ => (),
        }
        let found = search(namespace);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(namespace, found.map_or_else(|| Neighbour::NobodySince(Instant::now()), Neighbour::Somebody));
        found
    }
}

fn search(namespace: u32) -> Option<u32> {
    let names = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| name.to_str()?.parse::<u32>().ok()).take(PROCESSES_MAX);
    pids.into_iter().find(|pid| is_in(*pid, namespace))
}

fn is_in(pid: u32, namespace: u32) -> bool {
    fs::metadata(format!("/proc/{pid}/ns/mnt")).is_ok_and(|data| data.ino() == u64::from(namespace))
}
