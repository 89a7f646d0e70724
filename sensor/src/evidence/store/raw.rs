//! What went into the line, out of a store: the frames of a recording, in the order in which they were written.

use super::reader::{Part, Reader, connect};
use crate::evidence::recording::{Frames, pack};
use rusqlite::{OptionalExtension as _, params};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The bytes of a recording: give it to [`crate::evidence::recording::Reader`]. Nothing of it is in memory but one batch.
pub struct Raw {
    segments: VecDeque<PathBuf>,
    /// The segment that is read, and the batch that was read last.
    now: Option<(rusqlite::Connection, i64)>,
    bytes: Vec<u8>,
    at: usize,
    begun: bool,
}

impl Reader {
    /// What was recorded of the line's input, from the first segment that there is. Copies of incidents have none.
    pub fn raw(&self) -> Raw {
        self.raw_of(0, u64::MAX)
    }

    /// The same, of the segments that have something of this time.
    pub fn raw_of(&self, from: u64, to: u64) -> Raw {
        let segments = self.segments_of(from, to).map(|(_, path)| path.to_owned()).collect();
        Raw { segments, now: None, bytes: Vec::new(), at: 0, begun: false }
    }
}

impl Reader {
    /// The segments that have something of this time, and their numbers.
    pub fn segments_of(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, &Path)> {
        let is_of = move |part: &&Part| part.span.is_some_and(|(first, last)| first <= to && last >= from);
        self.parts().iter().filter(is_of).filter_map(|part| Some((part.number?, part.path.as_path())))
    }
}

impl Raw {
    /// The next batch's frame; `None`: there is none any more.
    fn next_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some((connection, last)) = &mut self.now else {
                let Some(path) = self.segments.pop_front() else { return Ok(None) };
                self.now = Some((connect(&path).map_err(io::Error::other)?, i64::MIN));
                continue;
            };
            let sql = "SELECT number, raw FROM batches WHERE number > ?1 AND length(raw) > 0 ORDER BY number LIMIT 1";
            let next = connection.prepare_cached(sql).and_then(|mut statement| {
                statement
                    .query_row(params![*last], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))
                    .optional()
            });
            let Some((number, frame)) = next.map_err(io::Error::other)? else {
                self.now = None;
                continue;
            };
            *last = number;
            if std::mem::replace(&mut self.begun, true) {
                return Ok(Some(frame));
            }
            return self.first(frame).map(Some);
        }
    }

    /// The first frame, with the header before it if it has none: the segment that had it is gone.
    fn first(&self, frame: Vec<u8>) -> io::Result<Vec<u8>> {
        let content = Frames::new(&frame[..]).next_content()?.unwrap_or_default();
        let header = self.now.as_ref().and_then(|(connection, _)| {
            let sql = "SELECT value FROM meta WHERE name = 'recording'";
            connection.query_row(sql, [], |row| row.get::<_, String>(0)).ok()
        });
        match header {
            Some(header) if !content.starts_with(b"{\"recording\"") => {
                Ok([pack(format!("{header}\n").as_bytes())?, frame].concat())
            }
            _ => Ok(frame),
        }
    }
}

impl Read for Raw {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.bytes.len() {
            match self.next_frame()? {
                Some(frame) => (self.bytes, self.at) = (frame, 0),
                None => return Ok(0),
            }
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.len().min(to.len());
        if let (Some(to), Some(from)) = (to.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
