//! What the spool asks of a file system: files by name in one directory.

use std::io;

/// Files by name in one directory, on a disk or, in tests, in a memory that tears, fails and fills.
pub trait Files {
    /// All names.
    fn list(&mut self) -> io::Result<Vec<String>>;
    /// Makes an empty file, which must not be there yet, and keeps it open for [`Files::append`] and [`Files::sync`].
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// Writes to the end of a file, which is made if it is not there. When it fails, any part may have been written.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// What was appended is durable when this returns; the name is after [`Files::sync_directory`].
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Nothing more is to be appended for now.
    fn close(&mut self, name: &str);
    /// All of a file, but no more than `limit` bytes.
    fn read(&mut self, name: &str, limit: u64) -> io::Result<Vec<u8>>;
    /// A part of a file; fewer bytes if it ends before.
    fn read_at(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Bytes of a file.
    fn size(&mut self, name: &str) -> io::Result<u64>;
    /// Gives a file another name, under which there may be one already.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// What was made, renamed and removed is durable when this returns.
    fn sync_directory(&mut self) -> io::Result<()>;
}
