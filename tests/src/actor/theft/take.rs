//! How the reader reads.

use super::{Args, open, say_skipped};
use crate::Context;
use crate::actor::open::Opened;
use crate::actor::open::c_path;
use crate::actor::uring::{self, Mode, Ring};
use clap::ValueEnum;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};

/// How the reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Take {
    /// read(2)
    Read,
    /// mmap(2), and the descriptor closed at once: nothing is ever read.
    Mmap,
    /// io_uring: opened and read by requests.
    IoUring,
}

/// Opens the file, says so, and gives what reads it. `None` if the kernel does not offer it, which is said.
pub fn source(args: &Args) -> io::Result<Option<Box<dyn Read>>> {
    let path = args.source()?;
    let source: Box<dyn Read> = match args.take {
        Take::Read => Box::new(open(path)?),
        Take::Mmap => Box::new(Mapping::of(&open(path)?)?),
        Take::IoUring => {
            let opened = uring::openat(&c_path(path)?, libc::O_RDONLY | libc::O_CLOEXEC, Mode::default());
            let file = match opened.context(|| path.display().to_string())? {
                Opened::Fd(file) => file,
                Opened::Skipped(why) => return say_skipped(why).map(|()| None),
                Opened::Direct(_) => return Err(io::Error::other("a direct descriptor was not asked for")),
            };
            let file = File::from(file);
            super::say_reader(&file)?;
            match Ring::new(Mode::default())? {
                Ok(ring) => Box::new(Requests { ring, file: file.into(), offset: 0 }),
                Err(why) => return say_skipped(why).map(|()| None),
            }
        }
    };
    Ok(Some(Box::new(source.take(args.limit))))
}

/// A file that is mapped and not read.
pub struct Mapping {
    start: *const u8,
    length: usize,
    position: usize,
}

impl Mapping {
    /// Maps all of it.
    pub fn of(file: &File) -> io::Result<Mapping> {
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        // SAFETY: a new mapping at a place of the kernel's choice, which this alone knows; checked below.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { start: start.cast_const().cast(), length, position: 0 })
    }
}

impl Read for Mapping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = buffer.len().min(self.length - self.position);
        // SAFETY: `position + part` is at most `length`, all of which is mapped readable as long as this lives; nobody truncates the
        // scenario's own file; the buffer is not part of the mapping.
        unsafe { std::ptr::copy_nonoverlapping(self.start.add(self.position), buffer.as_mut_ptr(), part) };
        self.position += part;
        Ok(part)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping of `of`, of that length; nothing borrows from it.
        unsafe { libc::munmap(self.start.cast_mut().cast(), self.length) };
    }
}

/// A file that is read by requests.
struct Requests {
    ring: Ring,
    file: OwnedFd,
    offset: u64,
}

impl Read for Requests {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.ring.read(self.file.as_raw_fd(), buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}
