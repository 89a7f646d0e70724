//! The file of a recording, written on a thread of its own.

use super::frames::pack;
use super::record::{Gap, Record};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

/// Lines on their way to the file.
#[derive(Debug, Default)]
pub struct Batch {
    /// The lines.
    pub lines: Vec<u8>,
    /// The events in them, as a gap would tell of them.
    pub events: Gap,
    /// What is missing before them.
    pub gap: Gap,
}

/// What became of the events; shared with whoever asks.
#[derive(Debug, Default)]
pub struct Totals {
    /// Events that are in the file.
    pub recorded: AtomicU64,
    /// Events that are in no file.
    pub lost: AtomicU64,
    /// Bytes of the file.
    pub bytes: AtomicU64,
}

/// The file.
#[derive(Debug)]
pub struct Sink {
    file: File,
    /// Where the last whole frame ends.
    end: u64,
    /// What is missing after it.
    gap: Gap,
    /// That it cannot be written was said, and nothing was written since.
    said: bool,
}

impl Sink {
    /// An empty one.
    pub fn new(file: File) -> Sink {
        Sink { file, end: 0, gap: Gap::default(), said: false }
    }

    /// Writes a batch, after a gap if there is one before it. What cannot be written is a gap before the next.
    pub fn take(&mut self, batch: Batch, totals: &Totals) {
        let gap = std::mem::take(&mut self.gap).and(batch.gap.clone());
        let events = batch.events.events;
        match gap_line(&gap).and_then(|line| self.write(&[line, batch.lines].concat())) {
            Ok(()) => {
                totals.recorded.fetch_add(events, Ordering::Relaxed);
                totals.bytes.store(self.end, Ordering::Relaxed);
                if std::mem::take(&mut self.said) {
                    tracing::warn!(missing = gap.events, "the recording goes on; what is missing is marked in it");
                }
            }
            Err(error) => {
                totals.lost.fetch_add(events, Ordering::Relaxed);
                if !std::mem::replace(&mut self.said, true) {
                    tracing::warn!(
                        %error,
                        "the recording cannot be written, and goes on when it can: see that there is room; alerts are not affected"
                    );
                }
                let missing = Gap { reason: error.to_string().into(), ..batch.events };
                self.gap = gap.and(missing);
            }
        }
    }

    /// Writes lines as a frame. When that fails, the file is as before.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let frame = pack(lines)?;
        let written = self.file.write_all(&frame);
        if written.is_ok() {
            self.end += frame.len() as u64;
        } else {
            self.take_back();
        }
        written
    }

    /// Cuts off what was written of a frame that did not fit.
    pub(super) fn take_back(&mut self) {
        // Should this fail as well, a reader finds the next frame by what it begins with.
        let _ = self.file.set_len(self.end).and_then(|()| self.file.seek(SeekFrom::Start(self.end)));
    }

    /// Another file in the place of this one, which comes back.
    #[cfg(test)]
    pub(super) fn swap(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// Nothing comes any more.
    pub fn end(self) -> io::Result<()> {
        self.file.sync_all()
    }
}

fn gap_line(gap: &Gap) -> io::Result<Vec<u8>> {
    if gap.events == 0 {
        return Ok(Vec::new());
    }
    let mut line = serde_json::to_vec(&Record::Gap(gap.clone()))?;
    line.push(b'\n');
    Ok(line)
}
