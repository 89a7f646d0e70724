//! Mounts of a node that go with the test.

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tests::Context;

/// A mount; dropping it unmounts it.
pub struct Mounted(PathBuf);

impl Mounted {
    /// A directory once more, at a place where mounts below it are passed on to who asks for that.
    pub fn shared(directory: &Path, at: &Path) -> io::Result<Mounted> {
        fs::create_dir_all(at)?;
        mount_bind(directory, at).context(|| at.display().to_string())?;
        let mounted = Mounted(at.to_owned());
        mount_change(at, MountPropagationFlags::SHARED).context(|| at.display().to_string())?;
        Ok(mounted)
    }

    /// A file system for pins.
    pub fn bpf(at: &Path) -> io::Result<Mounted> {
        fs::create_dir_all(at)?;
        mount("bpf", at, "bpf", MountFlags::empty(), None).context(|| at.display().to_string())?;
        Ok(Mounted(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.0, UnmountFlags::DETACH) {
            eprintln!("{} is still mounted: {error}", self.0.display());
        }
    }
}
