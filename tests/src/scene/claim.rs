//! Whose leftovers may be removed.
//!
//! Each container has a directory [`HOME`]`/NAME` with a file `lock`, on which its supervisor holds `flock` as long as it lives, and
//! one cgroup `/weir-scene-NAME` in each hierarchy. A directory whose lock is free belongs to nobody any more. The lock is the
//! kernel's, so neither reuse of pids nor pid namespaces can mislead, and scenes of others that run at the same time are left alone.

use super::cgroup;
use crate::Context;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Where the directories are.
pub const HOME: &str = "/run/weir-scenes";

/// A name that is ours until this is dropped; then everything of that name is removed.
pub struct Claim {
    name: String,
    lock: File,
}

impl Claim {
    /// Claims `name`, first removing what an earlier holder that died left under it.
    pub fn new(name: &str) -> io::Result<Claim> {
        let home = lock_home()?;
        let lock = lock_file(&directory(name))?;
        if !try_lock(&lock)? {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("the scene {name} is in use")));
        }
        let claim = Claim { name: name.into(), lock };
        drop(home);
        cgroup::remove(&cgroup_of(name))?;
        fs::create_dir_all(claim.root())?;
        Ok(claim)
    }

    /// The cgroup below which all of this scene's are, as a path below each hierarchy's root.
    pub fn cgroup(&self) -> PathBuf {
        cgroup_of(&self.name)
    }

    /// An empty directory, to mount on.
    pub fn root(&self) -> PathBuf {
        directory(&self.name).join("root")
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            eprintln!("weir-actor: the scene {} is not removed: {error}", self.name);
        }
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

/// Removes what scenes whose makers are dead have left; their names.
pub fn sweep() -> io::Result<Vec<String>> {
    if !Path::new(HOME).exists() {
        return Ok(Vec::new());
    }
    let _home = lock_home()?;
    let mut swept = Vec::new();
    for entry in fs::read_dir(HOME).context(|| HOME.into())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let lock = lock_file(&entry.path())?;
        if try_lock(&lock)? {
            remove(&name).context(|| format!("removing the scene {name}"))?;
            swept.push(name);
        }
    }
    Ok(swept)
}

/// Removes the cgroups with all processes in them, then the directory. Nothing but what scenes are made of is removed.
fn remove(name: &str) -> io::Result<()> {
    cgroup::remove(&cgroup_of(name))?;
    let directory = directory(name);
    let gone =
        [fs::remove_dir(directory.join("root")), fs::remove_file(directory.join("lock")), fs::remove_dir(&directory)];
    match gone.into_iter().filter_map(Result::err).find(|error| error.kind() != io::ErrorKind::NotFound) {
        Some(error) => Err(error).context(|| directory.display().to_string()),
        None => Ok(()),
    }
}

fn directory(name: &str) -> PathBuf {
    Path::new(HOME).join(name)
}

fn cgroup_of(name: &str) -> PathBuf {
    PathBuf::from(format!("weir-scene-{name}"))
}

/// Between making a directory and locking it nobody may sweep.
fn lock_home() -> io::Result<File> {
    fs::create_dir_all(HOME).context(|| HOME.into())?;
    let home = File::open(HOME)?;
    flock(&home, FlockOperation::LockExclusive)?;
    Ok(home)
}

fn lock_file(directory: &Path) -> io::Result<File> {
    fs::create_dir_all(directory)?;
    File::create(directory.join("lock")).context(|| directory.display().to_string())
}

fn try_lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
