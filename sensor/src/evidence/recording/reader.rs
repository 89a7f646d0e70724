//! Reads a recording, which anybody can have written.

use super::frames::{Damage, Frames};
use super::record::{Header, Record, VERSION};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why a recording cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// There is no such file, or it may not be read.
    #[error("the recording {} cannot be opened ({source}): give a file that `weir run --record` wrote", .file.display())]
    Unopened {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It has no header.
    #[error("{} does not begin like a recording: give a file that `weir run --record` wrote", .file.display())]
    NotOne {
        /// The file.
        file: PathBuf,
    },
    /// It was written by a later version.
    #[error("{} has the form {form} of recordings, and this weir reads the form {VERSION}: use a later weir", .file.display())]
    Form {
        /// The file.
        file: PathBuf,
        /// The form that it has.
        form: u32,
    },
    /// A line means nothing here.
    #[error("{}, line {line}: {reason}; it was recorded by weir {sensor}: use that one or a later one", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Which line, of those that could be read, from 1.
        line: u64,
        /// What is wrong with it.
        reason: serde_json::Error,
        /// The version of the sensor that wrote it.
        sensor: Box<str>,
    },
    /// The file cannot be read further.
    #[error("{} cannot be read further: {source}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The record of a line.
///
/// # Errors
/// It is no JSON, or has names or values that are not known.
pub fn parse(line: &[u8]) -> Result<Record, serde_json::Error> {
    serde_json::from_slice(line)
}

/// The form that the header in these lines tells, whatever else is in it.
fn form_of(lines: &[u8]) -> Option<u32> {
    let line = lines.split(|byte| *byte == b'\n').next()?;
    let header: serde_json::Value = serde_json::from_slice(line).ok()?;
    u32::try_from(header.get("recording")?.get("format")?.as_u64()?).ok()
}

/// A recording that is being read.
pub struct Reader<R = File> {
    file: PathBuf,
    frames: Frames<R>,
    header: Header,
    size: Option<u64>,
    content: Vec<u8>,
    at: usize,
    line: u64,
}

impl Reader {
    /// Opens the recording at `path`.
    ///
    /// # Errors
    /// It cannot be opened, or is none.
    pub fn open(path: &Path) -> Result<Reader, RecordingError> {
        let unopened = |source| RecordingError::Unopened { file: path.to_owned(), source };
        let file = File::open(path).map_err(unopened)?;
        let data = file.metadata().map_err(unopened)?;
        Reader::new(file, path.to_owned(), data.is_file().then_some(data.len()))
    }
}

impl<R: Read> Reader<R> {
    /// Begins to read `source`, which has so many bytes, if that is known, and which errors call `file`.
    ///
    /// # Errors
    /// It is no recording, or one of a later version.
    pub fn new(source: R, file: PathBuf, size: Option<u64>) -> Result<Reader<R>, RecordingError> {
        let nobody = Header {
            policy: None,
            format: VERSION,
            sensor: "unknown".into(),
            clock: crate::event::WallClock { boot_unix_nanos: 0 },
            rules: "".into(),
            classes: "".into(),
            limits: super::Limits { processes: 0, workloads: 0 },
        };
        let frames = Frames::new(source);
        let mut reader = Reader { file, frames, header: nobody, size, content: Vec::new(), at: 0, line: 0 };
        let header = match reader.next() {
            Ok(Some(Record::Recording(header))) => header,
            Ok(_) | Err(RecordingError::Line { .. }) => {
                return Err(match form_of(&reader.content) {
                    Some(form) if form != VERSION => RecordingError::Form { file: reader.file, form },
                    _ => RecordingError::NotOne { file: reader.file },
                });
            }
            Err(error) => return Err(error),
        };
        if header.format != VERSION {
            return Err(RecordingError::Form { file: reader.file, form: header.format });
        }
        reader.header = header;
        Ok(reader)
    }

    /// What it is a recording of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What could not be read so far.
    pub fn damage(&self) -> Damage {
        self.frames.damage()
    }

    /// The part of the file that is read, from 0 to 1; `None`: nobody knows how long it is.
    pub fn progress(&self) -> Option<f64> {
        let size = self.size.filter(|size| *size > 0)?;
        Some((self.frames.taken() as f64 / size as f64).min(1.0))
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or a line of it means nothing here.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn next(&mut self) -> Result<Option<Record>, RecordingError> {
        loop {
            let rest = self.content.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                let next = self.frames.next_content();
                match next.map_err(|source| RecordingError::Io { file: self.file.clone(), source })? {
                    Some(content) => (self.content, self.at) = (content, 0),
                    None => return Ok(None),
                }
                continue;
            }
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            self.at += end + 1;
            if line.is_empty() {
                continue;
            }
            self.line += 1;
            return parse(line).map(Some).map_err(|reason| RecordingError::Line {
                file: self.file.clone(),
                line: self.line,
                reason,
                sensor: self.header.sensor.clone(),
            });
        }
    }
}
