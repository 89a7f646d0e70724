//! Which files a workload made itself: who writes over the work of others is told from who writes over its own.
//!
//! A file is told by its inode, so that a rename after the download changes nothing. What was made before the sensor started, or by
//! an earlier container of the same pod, counts as somebody else's. Files that are in no class when they are made are not seen then:
//! who gives such a file a name that is in one counts as its maker, unless it had been in one before.

use crate::bounded::{Bounded, Evictions};
use crate::event::{Access, Body, Change, Classes, Event, FileChange, FileId, Open};
use std::time::Duration;

/// Files whose maker is kept. About 150 bytes each; of one that had to go, nobody is said to have made it.
const FILES: usize = 16_384;

/// See the module's text.
#[derive(Debug)]
pub struct Brought {
    /// The id of the workload that made it; empty: somebody else, before.
    makers: Bounded<FileId, Box<str>>,
}

impl Brought {
    /// Nobody made anything yet.
    pub fn new() -> Brought {
        Brought { makers: Bounded::new(FILES, Duration::ZERO) }
    }

    /// Learns who made which file, and sets `brought` on every open for writing, on what cuts or deletes a file, and on renames
    /// that replace one that is known. Expects
    /// the workload to be known. `before`: the classes that the file of a change was in before.
    pub fn trace(&mut self, event: &mut Event, before: Classes) {
        let Some(workload) = &event.workload else { return };
        let id = &workload.id;
        match &event.body {
            Body::Open(Open { file, access, created, .. }) => {
                let Some(file) = file.id else { return };
                if *created {
                    self.makers.insert(file, id.clone());
                }
                if matches!(access, Access::Write | Access::ReadWrite) {
                    event.brought = Some(self.made(id, file));
                }
            }
            Body::FileChange(FileChange { change: Change::Rename, file, replaced, .. }) => {
                if let Some(file) = file.id {
                    let maker = if before.is_empty() { id.clone() } else { Box::default() };
                    self.makers.get_or_insert_with(file, || maker);
                }
                if let Some(replaced) = replaced.and_then(|replaced| replaced.id) {
                    event.brought = Some(self.made(id, replaced));
                }
            }
            Body::FileChange(FileChange { change: Change::Truncate | Change::Unlink, file, .. }) => {
                if let Some(file) = file.id {
                    event.brought = Some(self.made(id, file));
                }
            }
            _ => {}
        }
    }

    fn made(&mut self, workload: &str, file: FileId) -> bool {
        self.makers.get(&file).is_some_and(|maker| **maker == *workload)
    }

    /// Makers that were forgotten.
    pub fn evictions(&self) -> Evictions {
        self.makers.evictions()
    }
}
