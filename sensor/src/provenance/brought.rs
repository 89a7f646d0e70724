//! Which files a workload made itself: who writes over the work of others is told from who writes over its own.
//!
//! A file is told by its inode, so that a rename after the download changes nothing. What was made before the sensor started, or by
//! an earlier container of the same pod, counts as somebody else's.

use crate::bounded::{Bounded, Evictions};
use crate::event::{Access, Body, Change, Event, File, FileChange, FileId};
use std::time::Duration;

/// Files whose maker is kept. About 150 bytes each; of one that had to go, nobody is said to have made it.
const FILES: usize = 16_384;

/// See the module's text.
#[derive(Debug)]
pub struct Brought {
    /// The id of the workload that made it.
    makers: Bounded<FileId, Box<str>>,
}

impl Brought {
    /// Nobody made anything yet.
    pub fn new() -> Brought {
        Brought { makers: Bounded::new(FILES, Duration::ZERO) }
    }

    /// Learns from opens that make files who made them, and sets `brought` on every open for writing, and on what
    /// cuts or deletes a file. Expects the workload to be
    /// known.
    pub fn trace(&mut self, event: &mut Event) {
        let Some(workload) = &event.workload else { return };
        if let Body::FileChange(FileChange {
            change: Change::Truncate | Change::Unlink,
            file: File { id: Some(id), .. },
            ..
        }) = &event.body
        {
            event.brought = Some(self.makers.get(id).is_some_and(|maker| *maker == workload.id));
        }
        let Body::Open(open) = &event.body else { return };
        let Some(id) = open.file.id else { return };
        if open.created {
            self.makers.insert(id, workload.id.clone());
        }
        if matches!(open.access, Access::Write | Access::ReadWrite) {
            event.brought = Some(self.makers.get(&id).is_some_and(|maker| *maker == workload.id));
        }
    }

    /// Makers that were forgotten.
    pub fn evictions(&self) -> Evictions {
        self.makers.evictions()
    }
}
