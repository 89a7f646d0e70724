//! Why a spool cannot be used: one sentence with what to do.

use std::io;
use std::path::PathBuf;

/// Why a spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be made, listed or written.
    #[error("the spool directory {} cannot be {what} ({error}); give one that this user can write with --state-dir", .directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// It is somebody else's.
    #[error("the spool directory {} belongs to user {owner}, who could change what is delivered; give it to user {user} (chown) or name another", .directory.display())]
    Foreign {
        /// Which.
        directory: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose this process is.
        user: u32,
    },
    /// Others can write it.
    #[error("the spool directory {} has mode {mode:o}, so that others can change what is delivered; take that from them (chmod 700)", .directory.display())]
    WritableByOthers {
        /// Which.
        directory: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Another process has it.
    #[error("the spool directory {} is used by another sensor; stop that one, or give this one a directory of its own with --state-dir", .directory.display())]
    InUse {
        /// Which.
        directory: PathBuf,
    },
    /// What is to be delivered is not on disk.
    #[error(
        "{file} in the spool cannot be written ({error}); see that there is room on the disk, it is tried again with the next"
    )]
    Write {
        /// Which.
        file: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The directory's content cannot be told.
    #[error("the spool cannot be listed ({error}); see that its disk is in order")]
    List {
        /// What the kernel said.
        error: io::Error,
    },
}
