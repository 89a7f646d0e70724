//! Which opened files are worth a look at their content, and who opened them until somebody has looked.
//!
//! A name says little: the line asks for a look ([`Candidates::take_unlooked`]) into every file of some size that no name puts among
//! the weights, keeps its opens, and goes on. The answer comes as an event of its own ([`Body::Recognized`]). If it puts the file
//! into a class, the opens that were kept are judged again, now as opens of that class: none is missed because it came before the
//! answer, and nothing waits for one. An answer for one state of a file (its change time) holds for opens of that state; of another
//! state a new answer is asked for.
//!
//! Bounds, not truths: whoever has a file open when it is found to be weights can have read them, also if its content was another when
//! it was opened. Where a file that was known cannot be looked into again, it counts as what it was.
//!
//! What escapes: a file that is smaller than the least size; one that is gone (no name, no descriptor) or
//! overwritten before it was looked into, which takes up to 50 ms;
//! one that is filled through a mapping in memory (tmpfs, memfd: its change time stands still) by a process that opened it once,
//! for writing only or before it was filled; content without a header, encrypted or compressed. All of these carry the label of
//! what they were filled from, if that was known.

use crate::bounded::{Bounded, Evictions};
use crate::event::{Access, Body, Class, Classes, ContentFinding, Event, File, FileId, Open, Recognized};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Limits of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files whose opens are kept.
    pub files: usize,
    /// Opens of one file that are kept.
    pub opens: usize,
    /// Bytes that all kept opens have together, about.
    pub bytes: usize,
    /// Files of which the answer is remembered. About 100 bytes each.
    pub known: usize,
    /// Questions that nobody has taken yet.
    pub unasked: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { files: 16_384, opens: 1024, bytes: 12 << 20, known: 65_536, unasked: 4096 }
    }
}

/// State and losses, for metrics. Totals since the start, but for `files`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files whose opens are kept now.
    pub files: usize,
    /// Questions that were asked.
    pub asked: u64,
    /// Questions that were not asked, too many were waiting: nobody looks before the next open.
    pub unasked: u64,
    /// Opens that were not kept, since the file had too many: who did them is not known to hold what is found.
    pub refused: u64,
    /// Opens that were judged again.
    pub judged: u64,
    /// Files whose opens went for lack of room (`live`): the same.
    pub evicted: Evictions,
    /// Answers that were forgotten for lack of room (`live`): such a file is looked into again.
    pub forgotten: Evictions,
}

/// A question: what is in that file?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The file as it was when it was opened.
    pub file: File,
    /// Who opened it, in the initial pid namespace; 0 if not known.
    pub pid: u32,
    /// Inode number of that process's mount namespace; 0 if not known.
    pub mount_namespace: u32,
    /// It is large enough to be looked into as it is. If not, it is opened to be filled.
    pub now: bool,
    /// It may be filled and read over the same descriptor: to be looked into again, as long as the process lives.
    pub grows: bool,
}

/// See the module's text.
#[derive(Debug)]
pub struct Candidates {
    /// Bytes from which on files are looked into; `None`: never.
    look_size: Option<u64>,
    limits: Limits,
    files: Bounded<FileId, Kept>,
    known: Bounded<FileId, Known>,
    unasked: VecDeque<Look>,
    counts: Counts,
}

/// A file that somebody may be looking into.
#[derive(Debug, Default)]
struct Kept {
    opens: Vec<Arc<Event>>,
    bytes: usize,
    /// The state that was asked about and not answered.
    asked: Option<i64>,
    /// It was said that it may grow.
    grows: bool,
}

/// The last answer about a file.
#[derive(Clone, Copy, Debug)]
struct Known {
    changed_unix_nanos: i64,
    size: u64,
    classes: Classes,
}

impl Candidates {
    /// Nothing asked yet. Files of fewer than `look_size` bytes are not looked into; `None`: none are.
    pub fn new(look_size: Option<u64>, limits: Limits) -> Candidates {
        Candidates {
            look_size,
            limits,
            files: Bounded::new(limits.files, Duration::ZERO).with_budget(limits.bytes),
            known: Bounded::new(limits.known, Duration::ZERO),
            unasked: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Other classes are in effect: what was found by those before holds no longer, and files of `look_size` bytes or more are
    /// looked into anew. Opens that are kept go on waiting for their answer.
    pub fn begin_anew(&mut self, look_size: Option<u64>) {
        self.look_size = look_size;
        self.known.clear();
    }

    /// Says of the file of an event what is known of its content. Before its classes are settled.
    pub fn trace(&mut self, event: &mut Event) {
        if let Body::Open(Open { created: true, file: File { id: Some(id), .. }, .. }) = &event.body {
            // Of the one that had its number before, nothing holds of this one, and no answer about this one of that.
            self.files.remove(id);
            self.known.remove(id);
        }
        let file = match &mut event.body {
            Body::Open(open) => &mut open.file,
            Body::Exec(exec) => &mut exec.file,
            Body::FileChange(change) => &mut change.file,
            _ => return,
        };
        let Some(known) = file.id.and_then(|id| self.known.get(&id)) else { return };
        if known.changed_unix_nanos == file.changed_unix_nanos || known.size == file.size {
            file.by_content = known.classes;
        } else {
            // Written since, or another file of the same number: what the kernel says of it comes from that answer as well.
            file.classes = Classes(file.classes.0 & !known.classes.0);
        }
    }

    /// Keeps an open that an answer could show in another light, and asks. After its classes were settled.
    pub fn keep(&mut self, event: &Arc<Event>) {
        let Body::Open(open) = &event.body else { return };
        let (Some(look_size), Some(id)) = (self.look_size, open.file.id) else { return };
        let known = self.known.peek(&id).copied();
        let stale = known.is_some_and(|known| known.changed_unix_nanos != open.file.changed_unix_nanos);
        let by_name = open.file.classes.contains(Class::Weights) && open.file.by_content.is_empty();
        // Of what is weights by its name, nothing more is to be learnt; of what is by its content, when it was changed.
        if !is_plain(&open.file) || by_name || (!open.file.classes.is_empty() && known.is_some() && !stale) {
            return;
        }
        let grows = open.access == Access::ReadWrite;
        let answered = known.is_some() && !stale && !is_memory(&open.file);
        let now = open.file.size >= look_size && !answered;
        if now || grows {
            self.take_in(id, event, open, now, grows);
        }
    }

    /// Takes an answer: the opens that are to be judged again, in their order.
    pub fn recognise(&mut self, recognized: &Recognized) -> Vec<Event> {
        let file = &recognized.file;
        let Some(id) = file.id else { return Vec::new() };
        let classes = match &recognized.finding {
            // What it was, if that is known, is the bound.
            ContentFinding::Unread(_) => self.known.peek(&id).map(|known| known.classes).unwrap_or_default(),
            ContentFinding::Format { .. } | ContentFinding::Unknown => {
                let known =
                    Known { changed_unix_nanos: file.changed_unix_nanos, size: file.size, classes: file.classes };
                self.known.insert(id, known);
                file.classes
            }
        };
        let Some(mut kept) = self.files.remove(&id) else { return Vec::new() };
        kept.opens.retain(|event| !is_of_another(event, recognized.born_unix_nanos));
        if !classes.is_empty() {
            // Those that were told so, because it was known before, are not told again.
            kept.opens.retain(|event| !is_told(event, classes));
            self.counts.judged += kept.opens.len() as u64;
            return kept.opens.iter().map(|event| judged(event, classes, file.size)).collect();
        }
        kept.asked = None;
        if !matches!(recognized.finding, ContentFinding::Unread(_)) {
            kept.opens.retain(|event| is_open_still(event, file.changed_unix_nanos));
            kept.bytes = kept.opens.iter().map(|event| weight(event)).sum();
        }
        if !kept.opens.is_empty() {
            let bytes = kept.bytes;
            self.files.set(id, kept, bytes);
        }
        Vec::new()
    }

    /// What is to be looked into since this was last called.
    pub fn take_unlooked(&mut self) -> Vec<Look> {
        self.unasked.drain(..).collect()
    }

    /// State and losses.
    pub fn counts(&self) -> Counts {
        Counts {
            files: self.files.len(),
            evicted: self.files.evictions(),
            forgotten: self.known.evictions(),
            ..self.counts
        }
    }

    fn take_in(&mut self, id: FileId, event: &Arc<Event>, open: &Open, now: bool, grows: bool) {
        let mut kept = self.files.remove(&id).unwrap_or_default();
        if kept.opens.len() >= self.limits.opens {
            self.counts.refused += 1;
        } else {
            kept.bytes += weight(event);
            kept.opens.push(event.clone());
        }
        let state = open.file.changed_unix_nanos;
        let (now, grows) = (now && kept.asked != Some(state), grows && !kept.grows);
        if now || grows {
            if self.unasked.len() >= self.limits.unasked {
                self.counts.unasked += 1;
            } else {
                self.counts.asked += 1;
                self.unasked.push_back(Look {
                    file: open.file.clone(),
                    pid: event.actor.process.map_or(0, |process| process.pid),
                    mount_namespace: event.actor.mount_namespace,
                    now,
                    grows,
                });
                kept.asked = if now { Some(state) } else { kept.asked };
                kept.grows |= grows;
            }
        }
        let bytes = kept.bytes;
        self.files.set(id, kept, bytes);
    }
}

/// The open as it would have come, had its file's content been known. Its size: the larger one, for what was filled later could be
/// read over the same descriptor.
fn judged(event: &Event, classes: Classes, size: u64) -> Event {
    let mut event = event.clone();
    if let Body::Open(open) = &mut event.body {
        open.file.by_content = classes;
        open.file.size = open.file.size.max(size);
        open.candidate = false;
    }
    event
}

/// Whether the open was already judged to be of these classes by content.
fn is_told(event: &Event, classes: Classes) -> bool {
    matches!(&event.body, Body::Open(open) if open.file.by_content.0 & classes.0 == classes.0)
}

/// Whether the file that was opened was last changed before this one was made: it had the same number.
fn is_of_another(event: &Event, born: Option<i64>) -> bool {
    match (&event.body, born) {
        (Body::Open(open), Some(born)) => open.file.changed_unix_nanos < born,
        _ => false,
    }
}

/// Whether an open is still to be kept when nothing was found in its file: it is of a later state, or may fill the file yet.
fn is_open_still(event: &Event, answered: i64) -> bool {
    match &event.body {
        Body::Open(open) => open.access == Access::ReadWrite || open.file.changed_unix_nanos > answered,
        _ => false,
    }
}

/// Bytes that a kept open has, about.
fn weight(event: &Event) -> usize {
    let path = if let Body::Open(open) = &event.body { open.file.path.len() } else { 0 };
    size_of::<Event>() + path + event.actor.comm.len()
}

/// A file that keeps what is written to it: a regular one, not of a file system that the kernel makes up, where reading can do
/// things. By magic numbers (include/uapi/linux/magic.h): proc, sysfs, debugfs, tracefs, cgroup, cgroup2, securityfs, bpf,
/// pstore, efivarfs, configfs (fs/configfs/mount.c), fusectl (fs/fuse/control.c).
fn is_plain(file: &File) -> bool {
    const S_IFMT: u32 = 0o170_000;
    const S_IFREG: u32 = 0o100_000;
    let is_made_up = matches!(
        file.filesystem,
        0x9fa0
            | 0x6265_6572
            | 0x6462_6720
            | 0x7472_6163
            | 0x0027_e0eb
            | 0x6367_7270
            | 0x7363_6673
            | 0xcafe_4a11
            | 0x6165_676c
            | 0xde5e_81e4
            | 0x6265_6570
            | 0x6573_5543
    );
    file.mode & S_IFMT == S_IFREG && !is_made_up
}

/// A file in memory, whose change time does not tell of what is written through a mapping (`shmem_vm_ops` and
/// `hugetlb_vm_ops` have no `page_mkwrite`): TMPFS_MAGIC, RAMFS_MAGIC, HUGETLBFS_MAGIC (include/uapi/linux/magic.h).
pub fn is_memory(file: &File) -> bool {
    matches!(file.filesystem, 0x0102_1994 | 0x8584_58f6 | 0x9584_58f6)
}
