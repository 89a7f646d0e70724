//! `classes.yml`, read and checked: every mistake is one sentence with its place and its mend.

use super::content::Format;
use crate::event::Class;
use crate::event::text::most_like;
use sensor_common::classify::{NAME_MAX, NAMES, NameKey, SUFFIX_MAX, SUFFIXES, SuffixKey};
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// Why a file of classes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassesError {
    /// It cannot be read.
    #[error("{} cannot be read ({source}): give a file of classes, or leave the option away for the built-in one", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// It is not YAML, or has fields that mean nothing.
    #[error("{file}: {source}: correct it there; the head of rules/classes.yml says what each field takes")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, with line and column.
        source: yaml_serde::Error,
    },
    /// An entry cannot be used.
    #[error("{file}{line}, {class}.{field}: `{value}` {problem}")]
    Entry {
        /// The file.
        file: String,
        /// Where the entry stands.
        line: Line,
        /// The class that it is in.
        class: &'static str,
        /// The field that it is in.
        field: &'static str,
        /// The entry.
        value: String,
        /// What is wrong with it, and the mend.
        problem: String,
    },
    /// The patterns of a class are too much together.
    #[error("{file}: the patterns of {class} cannot be used together ({source}): take some out")]
    Patterns {
        /// The file.
        file: String,
        /// The class.
        class: &'static str,
        /// What is wrong.
        source: globset::Error,
    },
    /// More keys than the kernel's tables hold.
    #[error("{file} has {count} {what}, patterns included, and the kernel's table holds {limit}: take some out")]
    TooMany {
        /// The file.
        file: String,
        /// `suffixes`, `names` or `directories`.
        what: &'static str,
        /// How many it has.
        count: usize,
        /// How many there may be.
        limit: u32,
    },
}

/// Where an entry stands: nothing if it was not found again in the text (a folded or escaped YAML string).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line(pub Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(line) => write!(f, ", line {line}"),
            None => Ok(()),
        }
    }
}

/// The file: one definition a class.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of classes")]
pub(super) struct Definitions {
    weights: Definition,
    dataset: Definition,
    secret: Definition,
    startup_code: Definition,
    uncounted_path: Definition,
    log: Definition,
    host_control: Definition,
    persistence: Definition,
    package_record: Definition,
    gpu: Definition,
    process_environment: Definition,
    /// Not written there: what the loaded rules ask for ([`Watched`](super::Watched)).
    #[serde(skip)]
    watched: Definition,
}

/// One class.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping with suffixes, names, directories, paths or content")]
pub(super) struct Definition {
    pub(super) suffixes: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) directories: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) minimum_size: u64,
    pub(super) content: Vec<String>,
    pub(super) content_minimum_size: Option<u64>,
    pub(super) except: Except,
}

/// What is not in a class after all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping with suffixes, names or paths")]
pub(super) struct Except {
    pub(super) suffixes: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) paths: Vec<String>,
}

/// By which key the kernel finds the files of a path pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Anchor<'a> {
    Suffix(&'a str),
    Name(&'a str),
    Directory(&'a str),
}

/// What is wrong with an entry, and the mend.
type Check = fn(&str) -> Result<(), String>;

impl Definitions {
    /// The definitions in `text`, checked; all that is in them is lower case afterwards. `file` is what errors call it.
    pub(super) fn parse(text: &str, file: &str) -> Result<Definitions, ClassesError> {
        let mut definitions: Definitions = match text.trim() {
            "" => Definitions::default(),
            _ => yaml_serde::from_str(text)
                .map_err(|source| ClassesError::Malformed { file: file.to_owned(), source })?,
        };
        for class in Class::ALL {
            let definition = definitions.get_mut(class);
            let checks: [(&str, &mut Vec<String>, Check); 8] = [
                ("suffixes", &mut definition.suffixes, check_suffix),
                ("names", &mut definition.names, check_name),
                ("directories", &mut definition.directories, check_name),
                ("paths", &mut definition.paths, check_path),
                ("content", &mut definition.content, check_format),
                ("except.suffixes", &mut definition.except.suffixes, check_suffix),
                ("except.names", &mut definition.except.names, check_text),
                ("except.paths", &mut definition.except.paths, check_pattern),
            ];
            for (field, values, check) in checks {
                for value in values {
                    check(value).map_err(|problem| ClassesError::Entry {
                        file: file.to_owned(),
                        line: Line(line_of(text, value)),
                        class: class.name(),
                        field,
                        value: value.clone(),
                        problem,
                    })?;
                    value.make_ascii_lowercase();
                }
            }
        }
        Ok(definitions)
    }

    /// The definition of a class.
    pub(super) fn get(&self, class: Class) -> &Definition {
        match class {
            Class::Weights => &self.weights,
            Class::Dataset => &self.dataset,
            Class::Secret => &self.secret,
            Class::StartupCode => &self.startup_code,
            Class::UncountedPath => &self.uncounted_path,
            Class::Log => &self.log,
            Class::HostControl => &self.host_control,
            Class::Persistence => &self.persistence,
            Class::PackageRecord => &self.package_record,
            Class::Gpu => &self.gpu,
            Class::ProcessEnvironment => &self.process_environment,
            Class::Watched => &self.watched,
        }
    }

    fn get_mut(&mut self, class: Class) -> &mut Definition {
        match class {
            Class::Weights => &mut self.weights,
            Class::Dataset => &mut self.dataset,
            Class::Secret => &mut self.secret,
            Class::StartupCode => &mut self.startup_code,
            Class::UncountedPath => &mut self.uncounted_path,
            Class::Log => &mut self.log,
            Class::HostControl => &mut self.host_control,
            Class::Persistence => &mut self.persistence,
            Class::PackageRecord => &mut self.package_record,
            Class::Gpu => &mut self.gpu,
            Class::ProcessEnvironment => &mut self.process_environment,
            Class::Watched => &mut self.watched,
        }
    }
}

/// The key by which the kernel finds what `pattern` matches; `None` if nothing in it can be one.
pub(super) fn anchor(pattern: &str) -> Option<Anchor<'_>> {
    // The kernel's key of a name does not tell a space at its end from none.
    let literal = |text: &str| !text.contains(['*', '?', '[', ']', '{', '}']) && !text.ends_with(' ');
    let (directories, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    if literal(last) && NameKey::new(last).is_some() {
        return Some(Anchor::Name(last));
    }
    if let Some((_, suffix)) = last.rsplit_once('.')
        && !literal(last)
        && literal(suffix)
        && SuffixKey::new(suffix).is_some()
    {
        return Some(Anchor::Suffix(suffix));
    }
    let mut names = directories.rsplit('/').filter(|name| literal(name) && NameKey::new(name).is_some());
    names.next().map(Anchor::Directory)
}

/// That a table of the kernel has room for `count` keys.
pub(super) fn check_room(file: &str, suffixes: usize, names: usize, directories: usize) -> Result<(), ClassesError> {
    let tables = [("suffixes", suffixes, SUFFIXES), ("names", names, NAMES), ("directories", directories, NAMES)];
    match tables.into_iter().find(|(_, count, limit)| *count > *limit as usize) {
        Some((what, count, limit)) => Err(ClassesError::TooMany { file: file.to_owned(), what, count, limit }),
        None => Ok(()),
    }
}

fn check_suffix(suffix: &str) -> Result<(), String> {
    check_text(suffix)?;
    if suffix.contains('.') {
        return Err("has a dot in it: write what follows the last dot, or use `paths`".to_owned());
    }
    match SuffixKey::new(suffix) {
        Some(_) => Ok(()),
        None => Err(format!("is longer than the {SUFFIX_MAX} bytes that the kernel looks at: use `names` or `paths`")),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    check_text(name)?;
    if name.ends_with(' ') {
        return Err("ends in a space, which the kernel's key does not tell from none: take it out".to_owned());
    }
    match NameKey::new(name) {
        Some(_) => Ok(()),
        None => Err(format!(
            "is longer than the {NAME_MAX} bytes that the kernel looks at: use `paths`, with a directory in front of it"
        )),
    }
}

fn check_text(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty: take it out".to_owned());
    }
    if let Some(odd) = name.chars().find(|c| !c.is_ascii_graphic() && *c != ' ' || matches!(c, '/' | '\\' | '*' | '?'))
    {
        return Err(format!(
            "has {odd:?} in it: only printable ASCII without / \\ * ? is taken here; patterns go to `paths`"
        ));
    }
    Ok(())
}

fn check_format(name: &str) -> Result<(), String> {
    if Format::from_name(&name.to_ascii_lowercase()).is_some() {
        return Ok(());
    }
    Err(match most_like(name, Format::ALL.iter().map(|format| format.name())) {
        Some(nearest) => format!("is no format that is told by content: did you mean `{nearest}`?"),
        None => "is no format that is told by content: the head of rules/classes.yml names them all".to_owned(),
    })
}

fn check_path(pattern: &str) -> Result<(), String> {
    check_pattern(pattern)?;
    match anchor(pattern) {
        Some(_) => Ok(()),
        None => Err(format!(
            "has nothing that the kernel could look for: let it end with a name of at most {NAME_MAX} bytes or a suffix of at \
             most {SUFFIX_MAX}, or put the name of a directory into it"
        )),
    }
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    if let Some(odd) = pattern.chars().find(|c| !c.is_ascii_graphic() && *c != ' ' || *c == '\\') {
        return Err(format!("has {odd:?} in it: only printable ASCII without \\ is taken"));
    }
    if pattern.replace("{sha256}", "").contains(['{', '}']) {
        return Err("has braces in it: write one pattern for each choice".to_owned());
    }
    if pattern.is_empty() || pattern.ends_with('/') {
        return Err("ends with no name: write the file's name, or `**` for all below".to_owned());
    }
    glob(pattern).map(|_| ()).map_err(|error| format!("is no pattern ({}): correct it", error.kind()))
}

/// The pattern compiled; one that does not begin with `/` matches anywhere.
pub(super) fn glob(pattern: &str) -> Result<globset::Glob, globset::Error> {
    let front = if pattern.starts_with('/') { "" } else { "**/" };
    let pattern = format!("{front}{pattern}").replace("{sha256}", &"[0-9a-f]".repeat(64));
    globset::GlobBuilder::new(&pattern).literal_separator(true).backslash_escape(false).build()
}

/// The first line of `text` that has `value` in it as a whole entry, from 1.
fn line_of(text: &str, value: &str) -> Option<usize> {
    let is_end = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']'));
    let stands_in = |line: &str| {
        line.match_indices(value).any(|(at, _)| {
            let (before, after) = (line.get(..at).unwrap_or(""), line.get(at + value.len()..).unwrap_or(""));
            is_end(before.chars().next_back()) && is_end(after.chars().next())
        })
    };
    text.lines().position(stands_in).map(|line| line + 1)
}
