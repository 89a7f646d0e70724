//! `policy.yml`, read and checked. The first mistake ends it, with its place: a policy is used as a whole or not at all.

use super::entry::{self, Entry};
use super::error::PolicyError;
use crate::place::Place;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// Where the policy is, unless another file is given. No policy is there by default.
pub const FILE: &str = "/etc/weir/policy.yml";
/// Most bytes that a policy may have: 1 MiB.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// Most patterns with a wildcard in them; each takes some kilobytes of memory.
const WILDCARDS_MAX: usize = 2048;
/// Most entries.
const ENTRIES_MAX: usize = 4096;

/// The JSON Schema of the file, for editors; a test holds it against what is read here.
pub const SCHEMA: &str = include_str!("../../../rules/policy.schema.json");

/// What is declared, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    entries: Vec<Entry>,
    lists: BTreeMap<Box<str>, Vec<Box<str>>>,
    file: Arc<str>,
    digest: Option<Arc<str>>,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a policy: a mapping with `workloads` and `lists`")]
struct Written {
    workloads: Option<Vec<entry::Written>>,
    lists: Option<BTreeMap<Box<str>, Vec<Box<str>>>>,
}

impl Policy {
    /// The policy in `file`; `None`: the one in [`FILE`], and one that declares nothing if that is not there.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn find(file: Option<&Path>) -> Result<Policy, PolicyError> {
        match file {
            Some(file) => Policy::load(file),
            // A link to nowhere is a policy that cannot be read, not none.
            None => match std::fs::symlink_metadata(FILE) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Policy::default()),
                _ => Policy::load(Path::new(FILE)),
            },
        }
    }

    /// The policy in `file`.
    ///
    /// # Errors
    /// It cannot be read, or is not as docs/policy.md describes it.
    pub fn load(file: &Path) -> Result<Policy, PolicyError> {
        let name: Arc<str> = file.to_string_lossy().into();
        let unreadable = |reason: String| PolicyError::Unreadable { file: name.clone(), reason };
        // To open a named pipe would wait for its writer.
        if std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.is_dir() || !file.is_file() {
            return Err(unreadable("it is no regular file, or a link to none".to_owned()));
        }
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(file).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        opened.map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(PolicyError::TooLarge { file: name, limit: FILE_BYTES_MAX });
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Policy::parse(text, &name),
            Err(error) => Err(PolicyError::NotUtf8 { place: place_of(&bytes, error.valid_up_to(), &name) }),
        }
    }

    /// The policy in `text`; `file` is what errors call it. An empty text declares nothing.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn parse(text: &str, file: &Arc<str>) -> Result<Policy, PolicyError> {
        let nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#') || line == "---";
        let digest = Some(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into());
        if text.lines().all(nothing) {
            return Ok(Policy { digest, file: file.clone(), ..Policy::default() });
        }
        // What is no YAML, and keys that are there twice; of the rest the types below know more.
        yaml_serde::from_str::<yaml_serde::Value>(text)
            .map_err(|error| PolicyError::Yaml { place: place(&error, file), reason: message(&error) })?;
        let written: Written =
            yaml_serde::from_str(text).map_err(|error| PolicyError::of_value(place(&error, file), &message(&error)))?;
        let (lists, written) = (written.lists.unwrap_or_default(), written.workloads.unwrap_or_default());
        let wrong = |reason: String| Err(PolicyError::Value { place: Place::file(file), reason });
        if written.len() > ENTRIES_MAX {
            return wrong(format!(
                "it has {} entries, more than {ENTRIES_MAX}; select workloads by patterns",
                written.len()
            ));
        }
        let wildcards: usize = written.iter().map(entry::Written::wildcards).sum();
        if wildcards > WILDCARDS_MAX {
            return wrong(format!(
                "it has {wildcards} patterns with wildcards, more than {WILDCARDS_MAX}; take some out"
            ));
        }
        if let Some(name) = lists.keys().find(|name| !is_list_name(name)) {
            return wrong(format!(
                "the list `{name}` cannot be named in a rule; give it a name of letters, digits, `_` and `-`"
            ));
        }
        Ok(Policy { entries: named(text, file, written)?, lists, file: file.clone(), digest })
    }

    /// What is declared, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Lists that rules name as `%NAME%`, each with its values; as many as the file's size allows.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &[Box<str>])> {
        self.lists.iter().map(|(name, values)| (&**name, &**values))
    }

    /// What the file is called in errors; empty if there is none.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// SHA-256 of the file, hexadecimal: the policy's version. `None`: there is no policy.
    pub fn digest(&self) -> Option<&Arc<str>> {
        self.digest.as_ref()
    }
}

/// As the names of list files are.
fn is_list_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// The entries with their lines, if each has a name of its own.
fn named(text: &str, file: &Arc<str>, written: Vec<entry::Written>) -> Result<Vec<Entry>, PolicyError> {
    let mut lines = (1u32..).zip(text.lines());
    let mut entries: Vec<Entry> = Vec::new();
    for written in written {
        // Entries are in the order of their lines. An anchor or a folded text is not found again, nor what comes after it.
        let found = lines.find_map(|(line, text)| Some((line, name_column(text, written.name())?)));
        let (line, column) = found.unwrap_or_default();
        if let Some(other) = entries.iter().find(|other| *other.name == *written.name()) {
            let place = Place { file: file.clone(), line, column };
            return Err(PolicyError::DuplicateName { place, name: written.name().into(), other: other.line });
        }
        entries.push(written.entry(line));
    }
    Ok(entries)
}

/// Where in a line `name: NAME` is, from 1.
fn name_column(line: &str, name: &str) -> Option<u32> {
    let at = line.find("name:")?;
    let (before, after) = line.split_at_checked(at)?;
    let after = after.strip_prefix("name:")?.trim_start_matches([' ', '"', '\'']);
    let rest = after.strip_prefix(name)?;
    let begins = before.chars().all(|c| matches!(c, ' ' | '-' | '{' | '"' | '\''));
    let ends = rest.chars().next().is_none_or(|c| matches!(c, ' ' | '"' | '\'' | ',' | '}' | '\r'));
    (begins && ends).then(|| u32::try_from(before.chars().count() + 1).unwrap_or(0))
}

/// Where the YAML library found a mistake.
fn place(error: &yaml_serde::Error, file: &Arc<str>) -> Place {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    match error.location() {
        Some(at) => Place { file: file.clone(), line: number(at.line()), column: number(at.column()) },
        None => Place::file(file),
    }
}

/// What it says, without the place, on one line.
fn message(error: &yaml_serde::Error) -> String {
    let text = error.to_string();
    let place = error.location().map(|at| format!(" at line {} column {}", at.line(), at.column()));
    let text = place.as_deref().and_then(|place| text.strip_suffix(place)).unwrap_or(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The place of a byte.
fn place_of(bytes: &[u8], offset: usize, file: &Arc<str>) -> Place {
    let before = bytes.get(..offset).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place { file: file.clone(), line: number(line), column: number(column) }
}
