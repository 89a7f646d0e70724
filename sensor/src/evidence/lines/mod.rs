//! A source over files of JSON lines: what `weir events --format json`, `weir run --format json` and `weir replay --format json` print,
//! mixed as it comes.
//!
//! One pass makes an index ([`index`]) of a hundred bytes a line; an answer reads the lines that it needs again. What cannot be read is
//! left out and a [`Gap`]; so is what there is no room for.

mod index;

#[cfg(test)]
mod tests;

use super::source::{Filter, Gap, Row, Rows, Source, SourceError, Told};
use index::{Index, Key};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Longest line that is read, bytes: an incident's record is at most about 100 kB.
const LINE_MAX: u64 = 1 << 20;
/// What the files of a directory are called.
const EXTENSIONS: [&str; 3] = ["jsonl", "json", "ndjson"];

/// Files of JSON lines.
#[derive(Debug)]
pub struct Lines {
    files: Vec<(PathBuf, File)>,
    index: Index,
}

impl Lines {
    /// Reads files, and the files of directories that are called `.jsonl`, `.json` or `.ndjson`.
    ///
    /// # Errors
    /// A place cannot be opened, or there is not a single event or alert in all of them.
    pub fn open(places: &[PathBuf]) -> Result<Lines, SourceError> {
        let mut lines = Lines { files: Vec::new(), index: Index::default() };
        for place in places {
            for path in files_of(place)? {
                lines.add(&path)?;
            }
        }
        lines.index.finish();
        if lines.index.is_empty() {
            let reason = "there is no event and no alert in it; give what `weir events --format json` or `weir run --format json` printed";
            return Err(SourceError { place: shown(places), reason: reason.to_owned() });
        }
        Ok(lines)
    }

    fn add(&mut self, path: &Path) -> Result<(), SourceError> {
        let failed = |error: std::io::Error| SourceError {
            place: path.display().to_string(),
            reason: format!("it cannot be read: {error}; give a file that you may read"),
        };
        let file = File::open(path).map_err(failed)?;
        let mut reader = BufReader::with_capacity(1 << 18, file.try_clone().map_err(failed)?);
        let number = u16::try_from(self.files.len()).map_err(|_| SourceError {
            place: path.display().to_string(),
            reason: "there are more than 65536 files; give fewer".to_owned(),
        })?;
        let (mut offset, mut line_number, mut line) = (0, 0_u64, Vec::new());
        loop {
            line.clear();
            let read = std::io::Read::take(&mut reader, LINE_MAX).read_until(b'\n', &mut line).map_err(failed)?;
            if read == 0 {
                break;
            }
            line_number += 1;
            let place = Key { file: number, offset, length: u32::try_from(read).unwrap_or(u32::MAX) };
            offset += read as u64;
            let is_whole = line.ends_with(b"\n") || (read as u64) < LINE_MAX;
            if !is_whole {
                offset += skip_line(&mut reader).map_err(failed)?;
                self.index.damaged(path, line_number, "is longer than a megabyte");
            } else if !line.trim_ascii().is_empty() {
                self.index.line(path, line_number, place, &line);
            }
        }
        self.index.end_of_file();
        self.files.push((path.to_owned(), file));
        Ok(())
    }

    /// A line again; nothing if the file has been changed meanwhile.
    fn line(&self, key: Key) -> Option<Map<String, Value>> {
        let (_, file) = self.files.get(usize::from(key.file))?;
        let mut bytes = vec![0; usize::try_from(key.length).ok()?];
        file.read_exact_at(&mut bytes, key.offset).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

impl Source for Lines {
    fn rows(&mut self, filter: &Filter) -> Result<Rows, SourceError> {
        let mut found = Rows::default();
        for (time, sequence, key) in self.index.candidates(filter) {
            let Some(mut attributes) = self.line(key) else {
                let place = self
                    .files
                    .get(usize::from(key.file))
                    .map_or_else(String::new, |(path, _)| path.display().to_string());
                return Err(SourceError {
                    place,
                    reason: "it was changed while it was read; ask again when nothing writes to it".to_owned(),
                });
            };
            attributes.remove("time");
            if !filter.takes(time, &attributes) {
                continue;
            }
            if found.rows.len() >= filter.limit {
                found.cut = true;
                break;
            }
            found.rows.push(Row { time, sequence, attributes });
        }
        Ok(found)
    }

    fn told(&mut self, from: u64, to: u64, incidents: &BTreeSet<Box<str>>) -> Result<Vec<Told>, SourceError> {
        Ok(self.index.told().iter().filter(|told| told.is_asked(from, to, incidents)).cloned().collect())
    }

    fn gaps(&mut self, from: u64, to: u64) -> Result<Vec<Gap>, SourceError> {
        Ok(self.index.gaps().iter().filter(|gap| gap.is_of(from, to)).cloned().collect())
    }

    fn span(&mut self) -> Result<Option<(u64, u64)>, SourceError> {
        Ok(self.index.span())
    }
}

fn skip_line(reader: &mut BufReader<File>) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let (length, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(length);
        skipped += length as u64;
        if is_end {
            return Ok(skipped);
        }
    }
}

fn files_of(place: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |error: std::io::Error| SourceError {
        place: place.display().to_string(),
        reason: format!("it cannot be opened: {error}; give a file or directory that is there and that you may read"),
    };
    if !fs::metadata(place).map_err(failed)?.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(place).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known)) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        let reason = "there is no file .jsonl, .json or .ndjson in it; give files of JSON lines".to_owned();
        return Err(SourceError { place: place.display().to_string(), reason });
    }
    Ok(files)
}

fn shown(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}
