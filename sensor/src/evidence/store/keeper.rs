//! The thread that keeps the directory in order, behind the writer: it closes segments and keeps to the budget.
//!
//! Whatever it does can be done again: a process that is killed leaves a segment that is closed at the next start, or a copy of an incident
//! to which the same events are not added twice.

use super::counts::{Totals, add};
use super::directory::{self, Directory, databases};
use super::reader::{self, connect};
use super::schema::INDEX;
use super::scope::{self, Scopes};
use super::seal;
use super::section::Limits;
use super::segment::{self, SegmentError};
use super::signer::Signer;
use crate::evidence::integrity::{self, Key, SignError};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the directory is looked at when nothing happens.
const INTERVAL: Duration = Duration::from_secs(60);
/// How far behind everything else it runs (nice).
const NICE: i32 = 10;

/// Tells the thread what to do; it ends when this goes.
pub struct Keeper {
    current: Arc<AtomicU64>,
    /// Both until it goes.
    nudges: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Whatever comes after has the directory to itself.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.nudges = None;
        // One that panicked has said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Keeper {
    /// Starts the thread; `None`, which the log says, if there can be none.
    pub fn start(directory: Directory, limits: Limits, totals: Arc<Totals>) -> Option<Keeper> {
        let (nudges, nudged) = sync_channel(1);
        let current = Arc::new(AtomicU64::new(0));
        let mut work = Work { directory, limits, totals, current: Arc::clone(&current), signer: None, said: false };
        let run = move || {
            // Should it be refused, it is no slower.
            let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
            work.turn(now());
            while !matches!(nudged.recv_timeout(INTERVAL), Err(RecvTimeoutError::Disconnected)) {
                work.turn(now());
            }
        };
        match thread::Builder::new().name("weir-keeper".to_owned()).spawn(run) {
            Ok(thread) => Some(Keeper { current, nudges: Some(nudges), thread: Some(thread) }),
            Err(error) => {
                tracing::warn!(%error, "segments of evidence are neither closed nor removed: no thread can be started");
                None
            }
        }
    }

    /// The writer has this segment now: the ones before can be closed.
    pub fn nudge(&self, current: u64) {
        self.current.store(current, Ordering::Release);
        // It has one to read already: that will do.
        let _ = self.nudges.as_ref().map(|nudges| nudges.try_send(()));
    }
}

/// What the thread has.
pub struct Work {
    pub directory: Directory,
    pub limits: Limits,
    pub totals: Arc<Totals>,
    /// The writer's segment.
    pub current: Arc<AtomicU64>,
    pub signer: Option<Box<dyn Signer>>,
    pub said: bool,
}

impl Work {
    /// Closes what is to be closed, and removes what there is no room for, at this time (nanoseconds since 1970).
    pub fn turn(&mut self, now: u64) {
        let current = self.current.load(Ordering::Acquire);
        let closed = self.close(current, now);
        // What is not signed is kept within the budget all the same.
        let kept = self.make_room(current, now).and_then(|()| self.count());
        match closed.and(kept) {
            Ok(()) => self.said = false,
            Err(error) if !std::mem::replace(&mut self.said, true) => {
                tracing::warn!(
                    directory = %self.directory.path().display(), %error,
                    "the evidence cannot be kept in order, which is tried again: see that there is room and that weir may write there"
                );
            }
            Err(_) => {}
        }
    }

    /// One that cannot be closed or signed keeps no other from it; the first that cannot is the error.
    fn close(&mut self, current: u64, now: u64) -> Result<(), SegmentError> {
        // The key is there from the first start on, so that its public part can be taken elsewhere before it matters.
        let mut done = self.sign(|_, _| Ok(()));
        let numbers = self.directory.numbers()?;
        let oldest = numbers.first().copied().unwrap_or_default();
        for number in numbers {
            let path = self.directory.segment(number);
            if number < current && !path.with_extension("sig").exists() {
                done = done.and(self.close_one(&path, number, oldest, now));
            }
        }
        done
    }

    /// Makes the index, carries the log over so that the file stands alone, and signs.
    fn close_one(&mut self, path: &Path, number: u64, oldest: u64, now: u64) -> Result<(), SegmentError> {
        let connection = segment::open(path)?;
        connection.execute_batch(INDEX)?;
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('closed', ?1)", [super::content::integer(now)])?;
        // It stays as it is while somebody reads it: then it is tried again.
        let mode: String = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
        if mode != "delete" {
            return Ok(());
        }
        drop(connection);
        File::open(path)?.sync_all()?;
        let [number, oldest] = [number, oldest].map(super::content::integer);
        self.sign(|directory, signer| integrity::close(directory, path, number, oldest, signer))
    }

    /// Signs something with the store's key, which is made if there is none.
    fn sign(&mut self, sign: impl FnOnce(&Path, &dyn Signer) -> Result<(), SignError>) -> Result<(), SegmentError> {
        let signer = match &mut self.signer {
            Some(signer) => signer,
            none => none.insert(Box::new(Key::load_or_create(self.directory.path())?)),
        };
        Ok(sign(self.directory.path(), &**signer)?)
    }

    /// Removes incidents and segments that are too old or for which there is no room.
    fn make_room(&mut self, current: u64, now: u64) -> Result<(), SegmentError> {
        self.remove_incidents(now)?;
        let oldest_kept = now.saturating_sub(nanos(self.limits.age));
        // The writer's segment grows meanwhile.
        let room = self.limits.bytes.saturating_sub(self.limits.segment_bytes);
        let mut scopes = None;
        for number in self.directory.numbers()?.into_iter().filter(|number| *number < current) {
            let path = self.directory.segment(number);
            let is_old =
                reader::end_of(&path).is_some_and(|(_, _, last)| u64::try_from(last).unwrap_or(0) < oldest_kept);
            if !is_old && self.used()? <= room {
                break;
            }
            let scopes = match &mut scopes {
                Some(scopes) => scopes,
                none => none.insert(self.scopes()?),
            };
            self.seal(&path, scopes, now)?;
            let oldest = super::content::integer(number + 1);
            let rotated = self.sign(|directory, signer| integrity::rotate(directory, oldest, signer));
            directory::remove(&path)?;
            // There may be room for it now.
            rotated.or_else(|_| self.sign(|directory, signer| integrity::rotate(directory, oldest, signer)))?;
        }
        // What was copied may be too much by now.
        self.remove_incidents(now)
    }

    /// Copies out of a segment what belongs to incidents.
    fn seal(&mut self, path: &Path, scopes: &Scopes, now: u64) -> Result<(), SegmentError> {
        let kept_since = now.saturating_sub(nanos(self.limits.incident_age));
        for (incident, scope) in scopes.iter().filter(|(_, scope)| scope.to >= kept_since) {
            match seal::copy(&self.directory, path, incident, scope) {
                Ok(true) => {
                    if let Some(path) = self.directory.incident(incident) {
                        self.sign(|_, signer| integrity::seal(&path, signer))?;
                    }
                }
                Ok(false) => {}
                // Of a damaged segment, what could be read was copied. It goes all the same: there is no room.
                Err(error) => {
                    let segment = path.file_name().unwrap_or_default().to_string_lossy();
                    tracing::warn!(%segment, incident, %error, "what belongs to an incident could not be copied whole");
                }
            }
        }
        Ok(())
    }

    /// What belongs to the incidents that any file tells of.
    fn scopes(&self) -> Result<Scopes, SegmentError> {
        let mut scopes = Scopes::new();
        let mut files = databases(&self.directory.incidents())?;
        files.extend(databases(&self.directory.segments())?);
        for file in files {
            if let Err(error) = scope::collect(&file, &mut scopes) {
                tracing::debug!(file = %file.display(), %error, "what it tells of incidents cannot be read");
            }
        }
        Ok(scopes)
    }

    /// Incidents may have half of the budget; beyond it, the one that ended first goes.
    fn remove_incidents(&mut self, now: u64) -> Result<(), SegmentError> {
        let oldest_kept = now.saturating_sub(nanos(self.limits.incident_age));
        let mut kept = Vec::new();
        for path in databases(&self.directory.incidents())? {
            let last = reader::end_of(&path).map_or(0, |(_, _, last)| u64::try_from(last).unwrap_or(0));
            if last < oldest_kept {
                directory::remove(&path)?;
            } else {
                kept.push((last, directory::size(&path), path));
            }
        }
        kept.sort();
        let mut bytes: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, own, path) in kept {
            if bytes <= self.limits.bytes / 2 {
                break;
            }
            directory::remove(&path)?;
            bytes -= own;
            add(&self.totals.incidents_early, 1);
            tracing::warn!(
                incident = %path.file_stem().unwrap_or_default().to_string_lossy(), budget = self.limits.bytes,
                "the evidence of an incident was removed before its time, for there is no room: raise `evidence: bytes:` in weir.yml"
            );
        }
        Ok(())
    }

    fn used(&self) -> io::Result<u64> {
        let mut files = databases(&self.directory.segments())?;
        files.extend(databases(&self.directory.incidents())?);
        Ok(files.iter().map(|file| directory::size(file)).sum())
    }

    fn count(&self) -> Result<(), SegmentError> {
        let numbers = self.directory.numbers()?;
        let oldest = numbers.first().and_then(|number| {
            let connection = connect(&self.directory.segment(*number)).ok()?;
            let first = connection.query_row("SELECT min(first) FROM batches", [], |row| row.get::<_, i64>(0)).ok()?;
            u64::try_from(first).ok()
        });
        let set = |count: &AtomicU64, value: u64| count.store(value, Ordering::Relaxed);
        set(&self.totals.bytes, self.used()?);
        set(&self.totals.segments, numbers.len() as u64);
        set(&self.totals.oldest, oldest.unwrap_or(0));
        set(&self.totals.incidents, databases(&self.directory.incidents())?.len() as u64);
        Ok(())
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    nanos(since)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
