//! Reading rule files: the only I/O of detection. Everything is bounded, since a directory may be anybody's.

use super::fault::{Fault, Place, Problem};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes that a rule file or list may have.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Most files that a directory may have below it.
pub const FILES_MAX: usize = 10_000;
/// Most bytes that the files of a directory may have together.
pub const TOTAL_BYTES_MAX: u64 = 64 << 20;
/// Most levels of directories.
const DEPTH_MAX: usize = 8;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `*.yml`, `*.yaml`: Sigma documents.
    Rules,
    /// `lists/NAME.txt`: the values of `%NAME%`, one a line.
    List,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it is shown, and digested.
    pub name: Arc<str>,
    /// What it is for.
    pub role: Role,
    /// Its content.
    pub text: String,
}

/// The files of other parts of the agent that lie beside the rules and are not Sigma.
const NOT_RULES: [&str; 3] = ["classes.yml", "policy.yml", "policy.example.yml"];

/// What the file at `path` is for, by its name; `None`: not ours.
pub fn role(path: &Path) -> Option<Role> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with('.') || NOT_RULES.contains(&name) {
        return None;
    }
    match path.extension()?.to_str()? {
        "yml" | "yaml" => Some(Role::Rules),
        "txt" if path.parent()?.file_name()? == "lists" => Some(Role::List),
        _ => None,
    }
}

/// Reads `path`: one file, or a directory with all rule files and lists below it, in the order of their names. What could
/// not be read is told in `problems`.
///
/// Names that start with a dot are left out: a mounted ConfigMap keeps its old and new versions in such directories and has
/// symbolic links to the current one beside them.
pub fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<Source> {
    let mut reader = Reader { sources: Vec::new(), entries: 0, bytes: 0, problems };
    match std::fs::metadata(path) {
        Err(error) => reader.refuse(path, unreadable(&error)),
        Ok(metadata) if metadata.is_dir() => reader.walk(path, 0),
        // A file that was named is read, whatever its name.
        Ok(_) => reader.read_file(path, role(path).unwrap_or(Role::Rules)),
    }
    reader.sources
}

struct Reader<'p> {
    sources: Vec<Source>,
    /// Looked at so far, over all directories: symbolic links can make a few of them endless.
    entries: usize,
    bytes: u64,
    problems: &'p mut Vec<Problem>,
}

impl Reader<'_> {
    fn refuse(&mut self, path: &Path, fault: Fault) {
        self.problems.push(Problem { place: Place::file(&shown(path)), fault });
    }

    fn walk(&mut self, directory: &Path, depth: usize) {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return self.refuse(directory, unreadable(&error)),
        };
        let left = FILES_MAX.saturating_sub(self.entries);
        let mut paths: Vec<PathBuf> = entries.take(left + 1).filter_map(|entry| Some(entry.ok()?.path())).collect();
        self.entries += paths.len();
        if paths.len() > left || depth > DEPTH_MAX {
            return self.refuse(directory, Fault::TooMany(FILES_MAX));
        }
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            if hidden || self.entries > FILES_MAX {
                continue;
            }
            if path.is_dir() {
                self.walk(&path, depth + 1);
            } else if let Some(role) = role(&path) {
                self.read_file(&path, role);
            }
        }
    }

    fn read_file(&mut self, path: &Path, role: Role) {
        // To open a named pipe would wait for its writer.
        if !path.is_file() {
            return self.refuse(path, Fault::Unreadable("it is no regular file, or a link to none".to_owned()));
        }
        let mut bytes = Vec::new();
        // Bounded by what is read, not by what the size claims to be.
        let read = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            return self.refuse(path, unreadable(&error));
        }
        let length = bytes.len() as u64;
        self.bytes += length;
        if length > FILE_BYTES_MAX {
            let bytes = std::fs::metadata(path).map_or(length, |metadata| metadata.len());
            return self.refuse(path, Fault::TooLarge { bytes, limit: FILE_BYTES_MAX });
        }
        if self.bytes > TOTAL_BYTES_MAX {
            return self.refuse(path, Fault::TooLargeTogether(TOTAL_BYTES_MAX));
        }
        match String::from_utf8(bytes) {
            Ok(text) => {
                // Some editors write a mark of the byte order in front, which no parser here expects.
                let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
                self.sources.push(Source { name: shown(path), role, text });
            }
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let valid = error.as_bytes().get(..offset).unwrap_or_default();
                let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
                let start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
                let column = String::from_utf8_lossy(valid.get(start..).unwrap_or_default()).chars().count() + 1;
                let place = Place { file: shown(path), line: count(line), column: count(column) };
                self.problems.push(Problem { place, fault: Fault::NotUtf8 { offset } });
            }
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn shown(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

fn unreadable(error: &std::io::Error) -> Fault {
    Fault::Unreadable(error.to_string())
}
