//! A file system in memory that tears, fails and fills.

use super::super::Files;
use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// Shared, so that the disk stays when the spool is gone.
#[derive(Clone, Debug, Default)]
pub struct Memory(Rc<RefCell<Disk>>);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO.
    Io,
    /// ENOSPC.
    Full,
}

#[derive(Debug, Default)]
pub struct Disk {
    names: BTreeMap<String, usize>,
    /// The names that a crash leaves, before `pending`.
    durable: BTreeMap<String, usize>,
    /// What was done to names since they were synced.
    pending: Vec<Change>,
    files: Vec<Content>,
    /// Bytes of all files.
    pub capacity: Option<usize>,
    /// After so many calls, so many of them fail.
    pub fault: Option<(u32, u32, Fault)>,
    /// How often a file was synced.
    pub syncs: u32,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
    /// A sync failed: the kernel has dropped what was to be written, and later syncs say that all is well.
    dropped: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, usize),
    Unlink(String),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Change::Link(name, file) => names.insert(name.clone(), *file),
            Change::Unlink(name) => names.remove(name),
        };
    }
}

impl Disk {
    fn check(&mut self) -> io::Result<()> {
        match &mut self.fault {
            None => Ok(()),
            Some((0, 0, _)) => {
                self.fault = None;
                Ok(())
            }
            Some((0, times, fault)) => {
                *times -= 1;
                Err(match fault {
                    Fault::Io => io::Error::from_raw_os_error(5),
                    Fault::Full => io::Error::from_raw_os_error(28),
                })
            }
            Some((after, ..)) => {
                *after -= 1;
                Ok(())
            }
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn free(&self) -> usize {
        let used: usize = self.names.values().map(|file| self.files[*file].bytes.len()).sum();
        self.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(used))
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn make(&mut self, name: &str) -> io::Result<usize> {
        if self.free() == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.files.push(Content::default());
        self.change(Change::Link(name.to_owned(), self.files.len() - 1));
        Ok(self.files.len() - 1)
    }

    /// Any part of what was not synced stays, perhaps with garbage at its end.
    fn crash(&mut self, mut seed: u64) {
        let mut random = || {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (seed >> 33) as usize
        };
        for change in std::mem::take(&mut self.pending) {
            if random() % 2 == 0 {
                change.apply(&mut self.durable);
            }
        }
        self.names = self.durable.clone();
        for content in &mut self.files {
            let unsynced = content.bytes.len() - content.synced;
            content.bytes.truncate(content.synced + random() % (unsynced + 1));
            let kept = content.bytes.len() - content.synced;
            let garbage = if random() % 3 == 0 { random() % (kept + 1) } else { 0 };
            let start = content.bytes.len() - garbage;
            for byte in &mut content.bytes[start..] {
                *byte = if random() % 2 == 0 { 0 } else { random() as u8 };
            }
            *content =
                Content { synced: content.bytes.len(), bytes: std::mem::take(&mut content.bytes), dropped: false };
        }
        (self.fault, self.capacity) = (None, self.capacity);
    }
}

impl Memory {
    pub fn disk(&self) -> RefMut<'_, Disk> {
        self.0.borrow_mut()
    }

    pub fn crash(&self, seed: u64) {
        self.disk().crash(seed);
    }

    /// The names of files that end so.
    pub fn names(&self, end: &str) -> Vec<String> {
        self.disk().names.keys().filter(|name| name.ends_with(end)).cloned().collect()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let disk = self.disk();
        disk.file(name).map(|file| disk.files[file].bytes.clone()).unwrap_or_default()
    }

    /// Changes a file behind the back of the spool.
    pub fn edit(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk();
        let file = disk.file(name).expect("it is there");
        edit(&mut disk.files[file].bytes);
    }

    /// Another disk with the same files.
    pub fn copy(&self) -> Memory {
        let disk = self.disk();
        let (names, files) = (disk.names.clone(), disk.files.clone());
        Memory(Rc::new(RefCell::new(Disk { durable: names.clone(), names, files, ..Disk::default() })))
    }
}

impl Files for Memory {
    fn list(&mut self) -> io::Result<Vec<String>> {
        let mut disk = self.disk();
        disk.check()?;
        Ok(disk.names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check()?;
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        disk.make(name).map(|_| ())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        let outcome = disk.check();
        let file = match disk.file(name) {
            Err(_) if outcome.is_ok() => disk.make(name),
            found => found,
        }?;
        // A write that fails has done half of it.
        let room = disk.free().min(if outcome.is_err() { bytes.len() / 2 } else { usize::MAX });
        disk.files[file].bytes.extend(bytes.iter().take(room));
        outcome?;
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let outcome = disk.check();
        disk.syncs += 1;
        let file = disk.file(name)?;
        let content = &mut disk.files[file];
        content.dropped |= outcome.is_err();
        if !content.dropped {
            content.synced = content.bytes.len();
        }
        outcome
    }

    fn close(&mut self, _: &str) {}

    fn read(&mut self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.read_at(name, 0, usize::try_from(limit).unwrap_or(usize::MAX))
    }

    fn read_at(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut disk = self.disk();
        let file = disk.file(name)?;
        disk.check()?;
        Ok(disk.files[file].bytes.iter().skip(offset as usize).take(length).copied().collect())
    }

    fn size(&mut self, name: &str) -> io::Result<u64> {
        let mut disk = self.disk();
        let file = disk.file(name)?;
        disk.check()?;
        Ok(disk.files[file].bytes.len() as u64)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let file = disk.file(from)?;
        disk.check()?;
        // One step: a crash never leaves half of it.
        disk.names.remove(from);
        disk.pending.retain(|change| !matches!(change, Change::Link(name, _) if name == from));
        disk.durable.remove(from);
        disk.change(Change::Link(to.to_owned(), file));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.file(name)?;
        disk.check()?;
        disk.change(Change::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check()?;
        disk.durable = disk.names.clone();
        disk.pending.clear();
        Ok(())
    }
}
