//! Reads what is in files, beside the line, so that a weights file is known under every name.
//!
//! The line asks ([`Sniffer::ask`]) about a file that was opened; one of two threads opens it too, without side effects (`read`),
//! looks at its ends, and what it is comes back as an answer ([`Sniffer::answer`]). Each file is read once for each of its
//! states: (device, inode, change time).
//!
//! File systems can hang (NFS, FUSE), and a thread that hangs in the kernel cannot be ended. So asking never waits; a thread that
//! has not answered within a deadline is written off and replaced, and files on its device are refused until it comes back. A few
//! threads may be written off at a time; with more, and no thread left, all is refused. Whatever is asked is accounted for:
//! asked = known + joined + refused + answered + pending ([`Counts`]).

mod counts;
mod neighbours;
mod pool;
mod read;

#[cfg(test)]
mod tests;

pub use counts::Counts;

use crate::bounded::{Bounded, Evictions};
use crate::event::{Classes, FileId};
use crate::provenance::content::{ContentClasses, Found};
use neighbours::Neighbours;
use pool::Pool;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, UnboundedReceiver};

/// A file that is to be looked at: as an event told of it, and who had it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which file.
    pub file: FileId,
    /// Its change time, nanoseconds since the epoch.
    pub changed_unix_nanos: i64,
    /// Bytes that it had.
    pub size: u64,
    /// Its path as the process sees it, as events have it ([`crate::event::text::lossless`]).
    pub path: Box<str>,
    /// The process that had it open, in the agent's pid namespace.
    pub pid: u32,
    /// Inode number of that process's mount namespace, 0 if not known: when the process is gone, any other one there will do.
    pub mount_namespace: u32,
    /// It is to be read as it is now, whatever its change time is and whatever was answered before: it may have been filled since,
    /// or is in memory, where a change need not be seen.
    pub as_it_is: bool,
}

/// A state of a file.
type Key = (FileId, i64);

impl Request {
    /// What the same question has in common.
    pub fn key(&self) -> (FileId, i64) {
        // No file was last changed then.
        (self.file, if self.as_it_is { i64::MIN } else { self.changed_unix_nanos })
    }
}

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The format, if its bytes tell.
    pub found: Option<Found>,
    /// The classes that this puts it in.
    pub classes: Classes,
    /// The change time that it had when it was read, nanoseconds since the epoch: the one that was asked about, or a later one
    /// if only its last name was removed since, or if it was to be read as it is.
    pub changed_unix_nanos: i64,
    /// When the file was made, by the same clock, where its file system keeps that.
    pub born_unix_nanos: Option<i64>,
    /// Bytes that it had.
    pub size: u64,
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unread {
    /// Neither its name nor a descriptor of the process leads to it any more.
    #[error("the file is gone: its name leads elsewhere and the process has closed it")]
    Gone,
    /// It is another state of the file, or became one while it was read; its next open will tell of that.
    #[error("the file was changed meanwhile")]
    Changed,
    /// The sensor may not read it.
    #[error("the sensor may not read the file: run it as root with CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE")]
    NotPermitted,
    /// It is a directory, a pipe, a device.
    #[error("it is no regular file")]
    NotRegular,
    /// The file system said so.
    #[error("the file cannot be read ({})", std::io::Error::from_raw_os_error(*.0))]
    Failed(i32),
    /// Nothing came within the deadline.
    #[error("the file system did not answer in time: look at the mount that the file is on")]
    Hung,
}

impl Unread {
    /// The value of the field `weir.file.unread`.
    pub fn name(self) -> &'static str {
        match self {
            Unread::Gone => "gone",
            Unread::Changed => "changed",
            Unread::NotPermitted => "not_permitted",
            Unread::NotRegular => "not_regular",
            Unread::Failed(_) => "failed",
            Unread::Hung => "hung",
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was asked.
    pub request: Request,
    /// What is in the file, or why that is not known.
    pub content: Result<Content, Unread>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// That was answered before, and is so still.
    Known(Result<Content, Unread>),
    /// An answer will come.
    Waiting,
    /// No answer will come: too much waits, or the file system hangs. The same may be asked again.
    Refused,
}

/// How much is done at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that may wait.
    pub queue: usize,
    /// Threads that read.
    pub threads: usize,
    /// How long one may take over a file.
    pub deadline: Duration,
    /// Threads that may be written off and not have come back.
    pub written_off: usize,
    /// Answers that are remembered.
    pub remembered: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { queue: 1024, threads: 2, deadline: Duration::from_secs(5), written_off: 8, remembered: 8192 }
    }
}

/// Reads files in the background. See the module's text.
pub struct Sniffer {
    pool: Pool,
    answers: UnboundedReceiver<Verdict>,
    /// What waits or is being read: no more than the queue and the threads hold, which bounds the channel too.
    pending: HashSet<Key, ahash::RandomState>,
    known: Bounded<Key, Result<Content, Unread>>,
    counts: Counts,
    /// Which format is in which class; the threads read it for each file.
    contents: Arc<Mutex<ContentClasses>>,
}

impl Sniffer {
    /// Starts the threads. `contents` says which format is in which class.
    pub fn new(contents: ContentClasses, limits: Limits) -> Sniffer {
        let neighbours = Neighbours::default();
        let contents = Arc::new(Mutex::new(contents));
        let judging = Arc::clone(&contents);
        let sniffer = Sniffer::reading(limits, move |request| {
            let read = read::read(request, &neighbours)?;
            let sample = read.sample();
            // Small, and nobody panics while holding it.
            let contents = judging.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (found, classes) = contents.judge(&sample);
            let (changed_unix_nanos, born_unix_nanos) = (read.changed_unix_nanos, read.born_unix_nanos);
            Ok(Content { found, classes, changed_unix_nanos, born_unix_nanos, size: sample.size })
        });
        Sniffer { contents, ..sniffer }
    }

    /// From now on files are judged so, and answers that were given are forgotten. Those that are under way may still be of before.
    pub fn set_contents(&mut self, contents: ContentClasses) {
        *self.contents.lock().unwrap_or_else(PoisonError::into_inner) = contents;
        self.known.clear();
    }

    /// Forgets the answer to that question.
    pub fn forget(&mut self, key: &(FileId, i64)) {
        self.known.remove(key);
    }

    fn reading(limits: Limits, look: impl Fn(&Request) -> Result<Content, Unread> + Send + Sync + 'static) -> Sniffer {
        let (sender, answers) = mpsc::unbounded_channel();
        Sniffer {
            pool: Pool::start(limits, sender, look),
            answers,
            pending: HashSet::default(),
            known: Bounded::new(limits.remembered, Duration::ZERO),
            counts: Counts::default(),
            contents: Arc::default(),
        }
    }

    /// Asks what is in a file. Never waits.
    pub fn ask(&mut self, request: Request) -> Asked {
        self.counts.asked += 1;
        let key = request.key();
        if let Some(known) = self.known.get(&key) {
            self.counts.known += 1;
            return Asked::Known(*known);
        }
        if self.pending.contains(&key) {
            self.counts.joined += 1;
            return Asked::Waiting;
        }
        if !self.pool.put(request) {
            self.counts.refused += 1;
            return Asked::Refused;
        }
        self.pending.insert(key);
        Asked::Waiting
    }

    /// The next answer. Waits until there is one; nothing is lost when it is no longer awaited.
    pub async fn answer(&mut self) -> Verdict {
        match self.answers.recv().await {
            Some(verdict) => self.settle(verdict),
            // The pool holds a sender as long as this is.
            None => std::future::pending().await,
        }
    }

    /// An answer that is there already.
    pub fn try_answer(&mut self) -> Option<Verdict> {
        let verdict = self.answers.try_recv().ok()?;
        Some(self.settle(verdict))
    }

    /// Writes off the threads that are overdue at `now`. To be called about once a second.
    pub fn keep_house(&mut self, now: Instant) {
        for hung in self.pool.write_off(now) {
            tracing::warn!(
                path = ?hung.path, device = hung.file.device, written_off = self.pool.written_off(),
                "a file could not be read in time: its file system hangs; files on it are not looked at until it answers"
            );
        }
    }

    /// Questions that have no answer yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What became of all questions so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Answers that had to be forgotten: such a file is read again.
    pub fn evictions(&self) -> Evictions {
        self.known.evictions()
    }

    fn settle(&mut self, verdict: Verdict) -> Verdict {
        let key = verdict.request.key();
        self.pending.remove(&key);
        self.counts.count(&verdict.content);
        // What another process, or a later moment, could find otherwise is not remembered.
        if matches!(verdict.content, Ok(_) | Err(Unread::NotPermitted | Unread::NotRegular)) {
            if !verdict.request.as_it_is {
                self.known.insert(key, verdict.content);
            }
            if let Ok(content) = verdict.content {
                self.known.insert((verdict.request.file, content.changed_unix_nanos), verdict.content);
            }
        }
        verdict
    }
}
