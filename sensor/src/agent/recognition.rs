//! Has files looked into that the line asks about, and tells the line and the kernel what was found.
//!
//! What is of a class by its content is watched from then on: the kernel classifies its next open, under whatever name. What is
//! nothing is kept in the kernel as looked at, as long as it does not change. What could not be looked into is sent again when
//! the same process opens it the next time. Nothing here waits: the reading is the [`Sniffer`]'s.
//!
//! What a process opened to fill and to read over the same descriptor is looked into again later: after a second, then less and less
//! often, and when the process connects, sends or ends. What is filled and emptied again in between escapes, and what is filled
//! and sent within a second is told after it was sent.

use super::sniffer::{Asked, Content, Limits, Request, Sniffer, Unread, Verdict};
use crate::event::{Body, BootTime, Classes, ContentFinding, Event, File, FileId, Recognized};
use crate::kernel::Tables;
use crate::provenance::candidates::{self, Look, is_memory};
use crate::provenance::content::ContentClasses;
use hashlink::LinkedHashMap;
use sensor_common::classify::{InodeKey, WATCHED};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Inodes that are watched; the kernel's table has some more room. The one that was opened least recently goes first: it is looked
/// into again at its next open.
const WATCHED_MAX: usize = WATCHED as usize - 64;
/// Files that are looked into again while they may grow. About 300 bytes each.
const GROWING_MAX: usize = 1024;
/// Looks that were refused and are tried again.
const AGAIN_MAX: usize = 16_384;
/// How often one is tried again, once a second, besides whenever there is room.
const ATTEMPTS: u8 = 5;
/// A file that may grow is looked into again after this time, then after twice as long, and so on.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// What its process does makes it looked into at once, but not more often than this.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// See the module's text.
pub struct Recognition {
    sniffer: Sniffer,
    /// What each question that waits was about: as many as the sniffer's pending ones.
    asked: HashMap<(FileId, i64), Look, ahash::RandomState>,
    /// Of these, the ones that may be answered by classes that are no longer in effect.
    outdated: HashSet<(FileId, i64), ahash::RandomState>,
    /// The least recently opened first.
    watched: LinkedHashMap<FileId, (), ahash::RandomState>,
    growing: LinkedHashMap<FileId, Growing, ahash::RandomState>,
    again: VecDeque<(Look, u8)>,
    /// Answers that were there at once when something was tried again; to be told with the next.
    told_late: Vec<Recognized>,
    counts: Counts,
}

/// What the sniffer does not count itself. Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Refused, tried again a few times, and given up.
    given_up: u64,
    /// Watched inodes that had to make room.
    unwatched: u64,
    /// Files that may grow and had to make room: they are no longer looked into.
    ungrown: u64,
    /// Changes of the kernel's tables that it refused.
    table_refused: u64,
}

/// A file that a process may fill.
struct Growing {
    look: Look,
    due: Instant,
    wait: Duration,
    looked: Instant,
    /// The process ends: there is one look left.
    last: bool,
}

impl Recognition {
    /// Starts the threads that read.
    pub fn new(contents: ContentClasses) -> Recognition {
        Recognition {
            sniffer: Sniffer::new(contents, Limits::default()),
            asked: HashMap::default(),
            outdated: HashSet::default(),
            watched: LinkedHashMap::default(),
            growing: LinkedHashMap::default(),
            again: VecDeque::new(),
            told_late: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Has a file looked into that the line asks about. What is to be told at once, if anything.
    pub fn look(&mut self, look: Look, tables: &mut Tables) -> Option<Recognized> {
        if look.grows {
            self.may_grow(look.clone());
        }
        if look.now { self.ask(look, false, 0, tables) } else { None }
    }

    /// Takes note of an event as it came out of the line: what it says about the files that may grow. What is to be told at once.
    pub fn see(&mut self, event: &Event, tables: &mut Tables) -> Vec<Recognized> {
        match &event.body {
            Body::Open(open) if !open.file.by_content.is_empty() => {
                if let Some(id) = open.file.id {
                    self.watched.to_back(&id);
                }
                Vec::new()
            }
            Body::Exit(_) | Body::Connect(_) | Body::Flow(_) if !self.growing.is_empty() => {
                let Some(process) = event.actor.process else { return Vec::new() };
                let (now, ends) = (Instant::now(), matches!(event.body, Body::Exit(_)));
                for growing in self.growing.values_mut().filter(|growing| growing.look.pid == process.pid) {
                    let is_time = ends || now.saturating_duration_since(growing.looked) >= SHORTEST_WAIT;
                    growing.due = if is_time { now } else { growing.due };
                    growing.last |= ends;
                }
                self.grown(now, tables)
            }
            _ => Vec::new(),
        }
    }

    /// The next answer. Waits until there is one; nothing is lost when it is no longer awaited.
    pub async fn answer(&mut self) -> Verdict {
        self.sniffer.answer().await
    }

    /// An answer that is there already.
    pub fn try_answer(&mut self) -> Option<Verdict> {
        self.sniffer.try_answer()
    }

    /// From now on files are judged so. What was found by the classes before is forgotten here and in the kernel: every file is
    /// looked into again at its next open, and what is under way is asked again.
    pub fn reclassify(&mut self, contents: ContentClasses, tables: &mut Tables) {
        self.sniffer.set_contents(contents);
        self.outdated = self.asked.keys().copied().collect();
        for (file, ()) in std::mem::take(&mut self.watched) {
            let unwatched = tables.unwatch(key_of(file));
            self.check(unwatched);
        }
        let forgotten = tables.forget_looks();
        self.check(forgotten);
    }

    /// What an answer means: told to the kernel here, to be told to the line by the caller.
    pub fn settle(&mut self, verdict: Verdict, tables: &mut Tables) -> Option<Recognized> {
        let key = verdict.request.key();
        let look = self.asked.remove(&key);
        if self.outdated.remove(&key)
            && let Some(look) = look
        {
            self.sniffer.forget(&key);
            return self.ask(look, verdict.request.as_it_is, 0, tables);
        }
        // There is room for one more.
        if let Some((look, attempts)) = self.again.pop_front() {
            self.retry(look, attempts, tables);
        }
        Some(self.told(look?, verdict.content, tables))
    }

    /// Looks into what is due, and tries again what was refused. To be called about once a second. What is to be told at once.
    pub fn keep_house(&mut self, now: Instant, tables: &mut Tables) -> Vec<Recognized> {
        self.sniffer.keep_house(now);
        let mut told = self.grown(now, tables);
        for (look, attempts) in std::mem::take(&mut self.again) {
            told.extend(self.ask(look, false, attempts, tables));
        }
        told.append(&mut self.told_late);
        told
    }

    /// Whether something is still being looked into.
    pub fn is_busy(&self) -> bool {
        self.sniffer.pending() > 0
    }

    /// What became of all looks, and of the line's questions, by name.
    pub fn statistics(&self, line: candidates::Counts) -> Vec<(&'static str, u64)> {
        let looks = self.sniffer.counts();
        vec![
            ("asked", looks.asked),
            ("known", looks.known),
            ("joined", looks.joined),
            ("refused", looks.refused),
            ("unknown", looks.unknown),
            ("recognised", looks.recognised),
            ("gone", looks.gone),
            ("changed", looks.changed),
            ("not_permitted", looks.not_permitted),
            ("not_regular", looks.not_regular),
            ("failed", looks.failed),
            ("hung", looks.hung),
            ("pending", self.sniffer.pending() as u64),
            ("given_up", self.counts.given_up),
            ("answers_forgotten", self.sniffer.evictions().live),
            ("watched", self.watched.len() as u64),
            ("unwatched", self.counts.unwatched),
            ("growing", self.growing.len() as u64),
            ("growing_forgotten", self.counts.ungrown),
            ("table_refused", self.counts.table_refused),
            ("opens_judged_again", line.judged),
            ("opens_refused", line.refused),
            ("files_evicted", line.evicted.live),
            ("files_forgotten", line.forgotten.live),
            ("unasked", line.unasked),
        ]
    }

    /// Tries again what was refused; it does not count as an attempt if there is no room after all.
    fn retry(&mut self, look: Look, attempts: u8, tables: &mut Tables) {
        let told = self.ask(look, false, attempts.saturating_sub(1), tables);
        self.told_late.extend(told);
    }

    fn ask(&mut self, look: Look, as_it_is: bool, attempts: u8, tables: &mut Tables) -> Option<Recognized> {
        let file = look.file.id?;
        let request = Request {
            file,
            changed_unix_nanos: look.file.changed_unix_nanos,
            size: look.file.size,
            path: look.file.path.clone(),
            pid: look.pid,
            mount_namespace: look.mount_namespace,
            as_it_is: as_it_is || is_memory(&look.file),
        };
        let key = request.key();
        match self.sniffer.ask(request) {
            Asked::Known(content) => Some(self.told(look, content, tables)),
            Asked::Waiting => {
                self.asked.insert(key, look);
                None
            }
            // It comes again by itself.
            Asked::Refused if as_it_is => None,
            Asked::Refused if attempts < ATTEMPTS && self.again.len() < AGAIN_MAX => {
                self.again.push_back((look, attempts + 1));
                None
            }
            Asked::Refused => {
                self.counts.given_up += 1;
                if self.counts.given_up == 1 {
                    tracing::warn!(
                        path = ?look.file.path,
                        "more files are opened than can be looked into, or their file system hangs: some are known by name only; \
                         --statistics counts them"
                    );
                }
                let again = tables.look_again(key_of(file), look.pid);
                self.check(again);
                Some(Recognized {
                    file: look.file,
                    born_unix_nanos: None,
                    finding: ContentFinding::Unread("refused".into()),
                })
            }
        }
    }

    fn told(&mut self, look: Look, content: Result<Content, Unread>, tables: &mut Tables) -> Recognized {
        let Look { mut file, pid, .. } = look;
        let Some(id) = file.id else {
            return Recognized {
                file,
                born_unix_nanos: None,
                finding: ContentFinding::Unread(Unread::Gone.name().into()),
            };
        };
        let content = match content {
            Ok(content) => content,
            Err(reason) => {
                tracing::debug!(path = ?file.path, %reason, "a file was not looked into");
                let again = tables.look_again(key_of(id), pid);
                self.check(again);
                return Recognized {
                    file,
                    born_unix_nanos: None,
                    finding: ContentFinding::Unread(reason.name().into()),
                };
            }
        };
        let told = if content.classes.is_empty() {
            self.nothing_in(&file, id, &content, tables)
        } else {
            self.growing.remove(&id);
            self.watch(id, content.classes, tables)
        };
        self.check(told);
        file.classes = content.classes;
        (file.changed_unix_nanos, file.size) = (content.changed_unix_nanos, content.size);
        let format = |found: crate::provenance::content::Found| ContentFinding::Format {
            name: found.format.name().into(),
            confidence: found.confidence.name().into(),
        };
        let finding = content.found.map_or(ContentFinding::Unknown, format);
        Recognized { file, born_unix_nanos: content.born_unix_nanos, finding }
    }

    fn nothing_in(
        &mut self,
        file: &File,
        id: FileId,
        content: &Content,
        tables: &mut Tables,
    ) -> Result<(), crate::kernel::TableError> {
        if self.watched.remove(&id).is_some() {
            tables.unwatch(key_of(id))?;
        }
        match u64::try_from(content.changed_unix_nanos) {
            // Of what is in memory a change need not be seen: each process's open of it is looked at.
            Ok(changed) if !is_memory(file) => tables.looked_at(key_of(id), changed),
            _ => Ok(()),
        }
    }

    fn watch(&mut self, id: FileId, classes: Classes, tables: &mut Tables) -> Result<(), crate::kernel::TableError> {
        self.watched.insert(id, ());
        if self.watched.len() > WATCHED_MAX
            && let Some((oldest, ())) = self.watched.pop_front()
        {
            self.counts.unwatched += 1;
            tables.unwatch(key_of(oldest))?;
        }
        tables.watch(key_of(id), classes)
    }

    fn may_grow(&mut self, look: Look) {
        let Some(id) = look.file.id else { return };
        let now = Instant::now();
        self.growing.insert(id, Growing { look, due: now + FIRST_WAIT, wait: FIRST_WAIT, looked: now, last: false });
        if self.growing.len() > GROWING_MAX {
            self.growing.pop_front();
            self.counts.ungrown += 1;
        }
    }

    /// Looks into the files that may have grown and are due.
    fn grown(&mut self, now: Instant, tables: &mut Tables) -> Vec<Recognized> {
        let mut due = Vec::new();
        for growing in self.growing.values_mut().filter(|growing| growing.due <= now) {
            growing.wait = (growing.wait * 2).min(LONGEST_WAIT);
            (growing.looked, growing.due) = (now, now + growing.wait);
            // Told at its exit; or missed, then /proc knows.
            growing.last |= !std::path::Path::new(&format!("/proc/{}", growing.look.pid)).exists();
            due.push((growing.look.clone(), growing.last));
        }
        let mut told = Vec::new();
        for (look, last) in due {
            if let Some(id) = look.file.id.filter(|_| last) {
                self.growing.remove(&id);
            }
            told.extend(self.ask(look, true, 0, tables));
        }
        told
    }

    fn check(&mut self, result: Result<(), crate::kernel::TableError>) {
        if let Err(error) = result {
            self.counts.table_refused += 1;
            if self.counts.table_refused == 1 {
                tracing::warn!(%error, "the kernel does not take what was found in a file: it is looked into again at each open");
            }
        }
    }
}

/// An event by the agent itself: what was found in a file.
pub fn event(recognized: Recognized, now: BootTime) -> Event {
    Event::new(now, None, Default::default(), Body::Recognized(recognized))
}

fn key_of(file: FileId) -> InodeKey {
    InodeKey { inode: file.inode, device: file.device, reserved: 0 }
}
