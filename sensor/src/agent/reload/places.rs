//! Where a change of files shows: the directories that have to be watched, and for which names.
//!
//! A path can change at each of its symbolic links. A mounted ConfigMap is a directory of links through `..data`, a link to the
//! directory of its version, which kubelet renames another one over: so the directory of each link on the way is watched for the
//! link's name, and what it leads to besides.

use crate::detection::source::FILES_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Most directories that are watched.
const DIRECTORIES_MAX: usize = 1024;
/// Most symbolic links on the way to one path: as many as the kernel follows (MAXSYMLINKS, linux/namei.h).
const LINKS_MAX: usize = 40;
/// Most levels of directories, as when rules are read.
const DEPTH_MAX: usize = 8;

/// What of a directory matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Whatever is in it.
    All,
    /// These names.
    Names(BTreeSet<OsString>),
}

impl Interest {
    /// Whether something that happened to `name` matters; `None`: to the directory itself.
    pub fn takes(&self, name: Option<&OsStr>) -> bool {
        match (self, name) {
            (Interest::All, _) | (_, None) => true,
            (Interest::Names(names), Some(name)) => names.contains(name),
        }
    }
}

/// The directories.
#[derive(Debug, Default)]
pub struct Places {
    /// Each without symbolic links in its path.
    pub directories: BTreeMap<PathBuf, Interest>,
    /// Entries that were looked at so far.
    entries: usize,
    /// There are more directories than are watched.
    pub cut: bool,
}

impl Places {
    /// For these files and directories, which need not exist yet.
    pub fn of(paths: &[PathBuf]) -> Places {
        let mut places = Places::default();
        for path in paths {
            if let Ok(path) = std::path::absolute(path) {
                places.add(&path);
            }
        }
        places
    }

    fn add(&mut self, path: &Path) {
        let Some(real) = self.follow(path, &mut 0) else { return };
        if let (Some(parent), Some(name)) = (real.parent(), real.file_name()) {
            self.name(parent, name);
        }
        if real.is_dir() {
            self.walk(&real, 0);
        }
    }

    /// A directory of rules: as they are read, without names that start with a dot.
    fn walk(&mut self, directory: &Path, depth: usize) {
        self.set(directory, Interest::All);
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > FILES_MAX || depth >= DEPTH_MAX || self.cut {
                return;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let real = if kind.is_symlink() { self.follow(&entry.path(), &mut 0) } else { Some(entry.path()) };
            let Some(real) = real else { continue };
            if real.is_dir() {
                self.walk(&real, depth + 1);
            } else if let (true, Some(parent), Some(name)) = (kind.is_symlink(), real.parent(), real.file_name()) {
                self.name(parent, name);
            }
        }
    }

    /// Where `path`, which is absolute, leads; each link on the way, and the first name that is not there, are watched.
    fn follow(&mut self, path: &Path, links: &mut usize) -> Option<PathBuf> {
        let mut at = PathBuf::from("/");
        for component in path.components() {
            let name = match component {
                Component::Normal(name) => name,
                Component::ParentDir => {
                    at.pop();
                    continue;
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
            };
            let next = at.join(name);
            match fs::symlink_metadata(&next) {
                Err(_) => {
                    self.name(&at, name);
                    return None;
                }
                Ok(metadata) if metadata.is_symlink() => {
                    self.name(&at, name);
                    *links += 1;
                    if *links > LINKS_MAX {
                        return None;
                    }
                    let target = fs::read_link(&next).ok()?;
                    at = self.follow(&at.join(target), links)?;
                }
                Ok(_) => at = next,
            }
        }
        Some(at)
    }

    fn name(&mut self, directory: &Path, name: &OsStr) {
        match self.directories.get_mut(directory) {
            Some(Interest::All) => {}
            Some(Interest::Names(names)) => {
                names.insert(name.to_owned());
            }
            None => self.set(directory, Interest::Names([name.to_owned()].into())),
        }
    }

    fn set(&mut self, directory: &Path, interest: Interest) {
        if self.directories.len() >= DIRECTORIES_MAX && !self.directories.contains_key(directory) {
            self.cut = true;
            return;
        }
        self.directories.insert(directory.to_owned(), interest);
    }
}
