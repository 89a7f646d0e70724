//! Waiting for files to change: inotify (through rustix, which is in the tree), on directories, since editors and kubelet replace
//! files rather than write them.
//!
//! What inotify does not tell of, changes made on another host to a network file system, takes a SIGHUP.

use super::places::{Interest, Places};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use tokio::io::Interest as Ready;
use tokio::io::unix::AsyncFd;

/// What can make a file or directory another one. Reading does none of it.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// So many events are looked at before others have their turn: who may write into a directory on the way can make many.
const AT_ONCE: usize = 64;
/// Room for some events; the kernel keeps more (fs.inotify.max_queued_events) until they are read.
const BUFFER: usize = 4096;

/// Watches that the kernel keeps; made where waiting is allowed.
pub struct Prepared {
    inotify: Option<OwnedFd>,
    interests: HashMap<i32, Interest>,
}

impl Prepared {
    /// Of all that can change what these paths lead to. What cannot be watched is logged.
    pub fn of(paths: &[PathBuf]) -> Prepared {
        let nothing = Prepared { inotify: None, interests: HashMap::new() };
        if paths.is_empty() {
            return nothing;
        }
        let inotify = match inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
            Ok(inotify) => inotify,
            Err(error) => {
                tracing::warn!(%error, "changes of rules and classes go unnoticed (fs.inotify.max_user_instances): send SIGHUP");
                return nothing;
            }
        };
        let places = Places::of(paths);
        if places.cut {
            tracing::warn!(
                watched = places.directories.len(),
                "more directories of rules than are watched: send SIGHUP"
            );
        }
        let mut interests = HashMap::new();
        for (directory, interest) in places.directories {
            match inotify::add_watch(&inotify, &directory, CHANGES) {
                Ok(watch) => {
                    // Two paths to one directory (a bind mount): either's.
                    let both = interests.remove(&watch).map_or(interest.clone(), |_| Interest::All);
                    interests.insert(watch, both);
                }
                // Gone since it was found: its parent tells.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => tracing::warn!(
                    directory = %directory.display(), %error,
                    "changes in this directory go unnoticed (fs.inotify.max_user_watches): send SIGHUP"
                ),
            }
        }
        Prepared { inotify: Some(inotify), interests }
    }
}

/// Tells of changes.
pub struct Watch {
    inotify: Option<AsyncFd<OwnedFd>>,
    interests: HashMap<i32, Interest>,
}

impl Watch {
    /// Waits for those that were prepared. To be called within a runtime.
    pub fn begin(prepared: Prepared) -> Watch {
        let Prepared { inotify, interests } = prepared;
        // SAFETY: `OwnedFd` always gives the one descriptor that it owns and keeps open until it is dropped, with the `AsyncFd` that
        // owns it; it is never taken out or replaced.
        let register = |inotify| unsafe { AsyncFd::register_with_interest(inotify, Ready::READABLE) };
        let inotify = inotify.and_then(|inotify| match register(inotify) {
            Ok(inotify) => Some(inotify),
            Err(error) => {
                tracing::warn!(%error, "changes of rules and classes go unnoticed: send SIGHUP");
                None
            }
        });
        Watch { inotify, interests }
    }

    /// Waits until something has changed that matters. Nothing is lost when it is no longer awaited.
    pub async fn changed(&mut self) {
        loop {
            let Some(inotify) = &self.inotify else { return std::future::pending().await };
            let Ok(mut ready) = inotify.readable().await else {
                self.inotify = None;
                continue;
            };
            let (matters, drained) = read(inotify.get_ref(), &self.interests);
            if drained {
                ready.clear_ready();
            }
            if matters {
                return;
            }
        }
    }
}

/// Whether something in the next events matters, and whether all were taken.
fn read(inotify: &OwnedFd, interests: &HashMap<i32, Interest>) -> (bool, bool) {
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut reader = Reader::new(inotify, &mut buffer);
    let mut matters = false;
    for _ in 0..AT_ONCE {
        let event = match reader.next() {
            Ok(event) => event,
            Err(Errno::INTR) => continue,
            // Nothing more. Anything else would come again and again: it is as if nothing came any more.
            Err(_) => return (matters, true),
        };
        let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
        let interest = interests.get(&event.wd());
        matters |= event.events().contains(ReadFlags::QUEUE_OVERFLOW)
            || !event.events().contains(ReadFlags::IGNORED) && interest.is_some_and(|interest| interest.takes(name));
    }
    // What is left in the buffer is not read again.
    while !reader.is_buffer_empty() && reader.next().is_ok() {}
    (matters, false)
}
