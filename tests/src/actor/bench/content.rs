//! read(2) and write(2) on what carries content: a regular file, a pipe, a unix socket.

use super::{sum, timed};
use crate::Context;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// Bytes of one call.
const PIECE: usize = 1024;
/// Calls that are timed together: what they move has room in a pipe (64 KiB) and in a socket's queue.
const AT_ONCE: u64 = 32;

/// What is read or written, by both its ends; the same one twice for a file.
pub struct Things {
    from: File,
    to: File,
    /// A file is read from its beginning again; of the others what was written is gone when it is read.
    file: bool,
}

impl Things {
    /// A file of its own without a name, in the directory of `path`: nobody else reads what it writes.
    pub fn file(path: &Path) -> io::Result<Things> {
        let own = path.with_file_name(format!("scratch-{}.txt", std::process::id()));
        let to =
            File::options().read(true).write(true).create_new(true).open(&own).context(|| own.display().to_string())?;
        fs::remove_file(&own)?;
        (&to).write_all(&vec![7; PIECE * AT_ONCE as usize])?;
        Ok(Things { from: to.try_clone()?, to, file: true })
    }

    pub fn pipe() -> io::Result<Things> {
        let (from, to) = io::pipe()?;
        Ok(Things { from: OwnedFd::from(from).into(), to: OwnedFd::from(to).into(), file: false })
    }

    pub fn unix() -> io::Result<Things> {
        let (from, to) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok(Things { from: from.into(), to: to.into(), file: false })
    }

    /// Times `count` reads, each of a piece that is there.
    pub fn read(&mut self, count: u64) -> io::Result<Duration> {
        sum(count.div_ceil(AT_ONCE), || {
            if !self.file {
                self.put()?;
            }
            self.rewind()?;
            self.get()
        })
    }

    /// Times `count` writes, each of a piece for which there is room.
    pub fn write(&mut self, count: u64) -> io::Result<Duration> {
        sum(count.div_ceil(AT_ONCE), || {
            self.rewind()?;
            let took = self.put()?;
            if !self.file {
                self.get()?;
            }
            Ok(took)
        })
    }

    /// How many operations a batch of `count` is.
    pub fn rounded(count: u64) -> u64 {
        count.div_ceil(AT_ONCE) * AT_ONCE
    }

    fn rewind(&mut self) -> io::Result<()> {
        if self.file { self.to.rewind() } else { Ok(()) }
    }

    fn put(&self) -> io::Result<Duration> {
        let piece = [7; PIECE];
        timed(|| (0..AT_ONCE).try_for_each(|_| (&self.to).write_all(&piece)))
    }

    fn get(&self) -> io::Result<Duration> {
        let mut piece = [0; PIECE];
        timed(|| (0..AT_ONCE).try_for_each(|_| (&self.from).read_exact(&mut piece)))
    }
}
