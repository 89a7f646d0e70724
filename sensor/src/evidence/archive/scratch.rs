//! What an archive's files are in until their sizes and digests are known: one file that has no name.

use rustix::fs::{Mode, OFlags, open};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Files one after the other.
pub struct Scratch {
    out: BufWriter<File>,
    at: u64,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where it begins.
    pub at: u64,
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

impl Scratch {
    /// In this directory, where nobody else sees it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(directory: &Path) -> io::Result<Scratch> {
        Ok(Scratch { out: BufWriter::with_capacity(1 << 18, nameless(directory)?), at: 0 })
    }

    /// Adds what `write` writes.
    ///
    /// # Errors
    /// Those of `write`, or the kernel's.
    pub fn add(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Piece> {
        let mut counted = Counted { out: &mut self.out, size: 0, digest: Sha256::new() };
        write(&mut counted)?;
        let piece = Piece { at: self.at, size: counted.size, sha256: counted.digest.finalize().into() };
        self.at += piece.size;
        Ok(piece)
    }

    /// What was written, to be read.
    ///
    /// # Errors
    /// The kernel's.
    pub fn finish(self) -> io::Result<Written> {
        self.out.into_inner().map(Written).map_err(io::IntoInnerError::into_error)
    }
}

/// See [`Scratch::finish`].
pub struct Written(File);

impl Written {
    /// One of the files.
    ///
    /// # Errors
    /// The kernel's.
    pub fn piece(&mut self, piece: &Piece) -> io::Result<impl Read + '_> {
        self.0.seek(SeekFrom::Start(piece.at))?;
        Ok(Read::by_ref(&mut self.0).take(piece.size))
    }

    /// All of it, from the beginning.
    ///
    /// # Errors
    /// The kernel's.
    pub fn into_file(mut self) -> io::Result<File> {
        self.0.rewind()?;
        Ok(self.0)
    }
}

/// A file that goes when it is closed. Where the file system knows none without a name (`O_TMPFILE`, Linux 3.11), it loses its name at once.
fn nameless(directory: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(file) = open(directory, flags, Mode::RUSR | Mode::WUSR) {
        return Ok(file.into());
    }
    let path = directory.join(format!(".weir-{}.new", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

struct Counted<'a, W> {
    out: &'a mut W,
    size: u64,
    digest: Sha256,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
