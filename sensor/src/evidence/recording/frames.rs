//! The frames of a recording: packed, and found again in a file that may be damaged, cut off, or made to hurt.

use std::io::{self, Read};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{compress_bound, find_frame_compressed_size, get_frame_content_size};

/// What a frame begins with (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Most bytes that a frame unpacks to: more than the largest line, a saved ledger of 64 MiB at worst.
pub const CONTENT_MAX: usize = 72 << 20;
/// Frames that may be damaged. Whoever makes more wants the reader to search for ever.
const DAMAGED_MAX: u64 = 1_024;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// How much work packing is. Of a real run's lines, 594 bytes an event, level 1 and level 3 both made 31, level 9 made 25, lz4 60.
const LEVEL: i32 = 1;

/// `content` as a frame, which says its size and has a checksum.
///
/// # Errors
/// What zstd says: there is no memory.
pub fn pack(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = Compressor::new(LEVEL)?;
    packer.include_checksum(true)?;
    packer.include_contentsize(true)?;
    packer.compress(content)
}

/// What could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Places where a frame could not be read and others came after it, or may have come.
    pub frames: u64,
    /// Bytes of the file that were passed over, at these places and at the end.
    pub bytes: u64,
    /// The last frame is not whole: the writer was ended before it had written it, or the file was cut off.
    pub torn: bool,
}

/// The contents of a file's frames, in order.
pub struct Frames<R> {
    source: R,
    raw: Vec<u8>,
    /// What was read of `raw`.
    done: usize,
    ended: bool,
    /// The bytes before are no frame: one is being looked for.
    lost: bool,
    damage: Damage,
    taken: u64,
}

impl<R: Read> Frames<R> {
    /// Nothing is read yet.
    pub fn new(source: R) -> Frames<R> {
        Frames { source, raw: Vec::new(), done: 0, ended: false, lost: false, damage: Damage::default(), taken: 0 }
    }

    /// What could not be read so far.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// Bytes of the file that are done with.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The content of the next frame that can be read; `None` at the end.
    ///
    /// # Errors
    /// The source's, or that the file is damaged in more places than anybody would look at.
    pub fn next_content(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let rest = self.raw.get(self.done..).unwrap_or_default();
            if rest.is_empty() && self.ended {
                return Ok(None);
            }
            if rest.len() < MAGIC.len() && !self.ended {
                self.read_more()?;
                continue;
            }
            if !rest.starts_with(&MAGIC) {
                self.pass_over(0)?;
                continue;
            }
            match find_frame_compressed_size(rest) {
                Ok(size) => match rest.get(..size).and_then(unpack) {
                    Some(content) => {
                        self.advance(size);
                        self.lost = false;
                        return Ok(Some(content));
                    }
                    None => self.pass_over(MAGIC.len())?,
                },
                // It is not there as a whole, or not right; which of the two, only more of the file can tell.
                Err(_) if !self.ended && rest.len() < compress_bound(CONTENT_MAX) => self.read_more()?,
                Err(_) => {
                    // The last one, of which the rest is missing, is no damage in the midst of others.
                    self.damage.torn = self.ended && !rest.get(MAGIC.len()..).is_some_and(has_magic);
                    self.lost |= self.damage.torn;
                    self.pass_over(MAGIC.len())?;
                }
            }
        }
    }

    /// Goes on, from `least` bytes further, to where the next frame may begin.
    fn pass_over(&mut self, least: usize) -> io::Result<()> {
        if !self.lost {
            self.lost = true;
            self.damage.frames += 1;
        }
        if self.damage.frames > DAMAGED_MAX {
            return Err(io::Error::other(format!("more than {DAMAGED_MAX} places of it are damaged")));
        }
        let rest = self.raw.get(self.done + least..).unwrap_or_default();
        let next = rest.windows(MAGIC.len()).position(|bytes| bytes == MAGIC);
        // The beginning of one may be all that was read of it.
        let kept = if self.ended { 0 } else { MAGIC.len() - 1 };
        let passed = least + next.unwrap_or(rest.len().saturating_sub(kept));
        self.damage.bytes += passed as u64;
        self.advance(passed);
        if next.is_none() && !self.ended { self.read_more() } else { Ok(()) }
    }

    fn advance(&mut self, bytes: usize) {
        self.done += bytes;
        self.taken += bytes as u64;
    }

    fn read_more(&mut self) -> io::Result<()> {
        self.raw.drain(..self.done);
        self.done = 0;
        // Twice as much each time, so that a large frame is not looked at for every megabyte of it.
        let more = self.raw.len().max(CHUNK);
        let read = self.source.by_ref().take(more as u64).read_to_end(&mut self.raw)?;
        self.ended = read == 0;
        Ok(())
    }
}

fn has_magic(bytes: &[u8]) -> bool {
    bytes.windows(MAGIC.len()).any(|window| window == MAGIC)
}

/// A frame's content, if its checksum is right and it is no larger than it may be.
fn unpack(frame: &[u8]) -> Option<Vec<u8>> {
    let size = get_frame_content_size(frame).ok()?;
    // One that does not say its size was packed again by somebody: it may have as much as any.
    let capacity = usize::try_from(size.unwrap_or(CONTENT_MAX as u64)).ok().filter(|size| *size <= CONTENT_MAX)?;
    Decompressor::new().ok()?.decompress(frame, capacity).ok()
}
