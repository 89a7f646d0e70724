//! Which files are in which class.
//!
//! Twice: [`ClassTable::keys`] is what the kernel matches names with, quickly and a little too widely, to decide which opens
//! are sent; [`ClassTable::refine`] is the decision, on the whole path. What the second puts into a class, the first has sent.
//! By content, which names know nothing of, [`ClassTable::by_content`] decides.

use super::content::{ContentClasses, Format, Found, Sample};
use super::definition::{Anchor, ClassesError, Definitions, anchor, check_room, glob};
use super::watched::{CANARY_SUFFIX, Watched};
use crate::event::{Class, Classes, File, FileChange};
use crate::kernel::Classification;
use globset::{GlobSet, GlobSetBuilder};
use sensor_common::classify::{DIRECTORY_DEPTH, NameKey, SuffixKey};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

const EMBEDDED: &str = include_str!("../../../rules/classes.yml");

/// Directories above a file that the kernel looks at where a mount lies between: those in it, its mount point, those above.
const BEYOND_MOUNTS: usize = 2 * DIRECTORY_DEPTH + 1;

/// Bytes from which on files are looked into that no name puts into a class: 64 KiB.
///
/// The smallest weights worth having are larger (an adapter of rank 1 for a 1B model has some 200 KiB), and what a system opens
/// most is smaller: configuration, sources, scripts. Secrets by content are nearly always smaller too: they are told by name, and by
/// content only where something else has the file looked at. Smaller parts of a file that was split carry no header; they carry the
/// label of what they were read from.
const LOOK_SIZE: u64 = 64 << 10;

/// The classes, ready for use. Made from `rules/classes.yml` or a file like it.
#[derive(Debug)]
pub struct ClassTable {
    version: Box<str>,
    matchers: Vec<(Class, Matcher)>,
    contents: ContentClasses,
    suffixes: BTreeMap<[u64; 2], Classes>,
    names: BTreeMap<[u64; 4], Classes>,
    directories: BTreeMap<[u64; 4], Classes>,
}

/// One class's decision. All text in it is lower case.
#[derive(Debug)]
struct Matcher {
    suffixes: HashSet<String>,
    names: HashSet<String>,
    directories: HashSet<String>,
    paths: Patterns,
    minimum_size: u64,
    except_suffixes: HashSet<String>,
    except_names: HashSet<String>,
    except_paths: Patterns,
}

/// Patterns of whole paths.
#[derive(Debug)]
struct Patterns {
    whole: GlobSet,
    /// Where the front of a path is missing, one that starts at the root may match anywhere.
    cut: GlobSet,
}

/// A path taken apart, in lower case.
struct Parts<'a> {
    path: &'a str,
    name: &'a str,
    suffix: Option<&'a str>,
    cut: bool,
}

impl ClassTable {
    /// The classes in `file`; `None`: those that come with the program.
    ///
    /// # Errors
    /// It cannot be read, is not as the head of `rules/classes.yml` describes it, or has more than the kernel's tables hold.
    pub fn load(file: Option<&Path>) -> Result<ClassTable, ClassesError> {
        let Some(file) = file else { return ClassTable::parse(EMBEDDED, "rules/classes.yml (built in)") };
        let error = |source| ClassesError::Unreadable { file: file.to_path_buf(), source };
        ClassTable::parse(&fs::read_to_string(file).map_err(error)?, &file.display().to_string())
    }

    /// The classes in `text`; `file` is what errors call it.
    ///
    /// # Errors
    /// As [`ClassTable::load`].
    pub fn parse(text: &str, file: &str) -> Result<ClassTable, ClassesError> {
        let definitions = Definitions::parse(text, file)?;
        let mut table = ClassTable {
            version: Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
            matchers: Vec::new(),
            contents: ContentClasses::default(),
            suffixes: BTreeMap::new(),
            names: BTreeMap::new(),
            directories: BTreeMap::new(),
        };
        for class in Class::ALL {
            let definition = definitions.get(class);
            let patterns = |class: Class, patterns: &[String]| {
                let error = |source| ClassesError::Patterns { file: file.to_owned(), class: class.name(), source };
                Patterns::new(patterns).map_err(error)
            };
            let set = |texts: &[String]| texts.iter().cloned().collect::<HashSet<String>>();
            definition.suffixes.iter().for_each(|suffix| table.add(class, &Anchor::Suffix(suffix)));
            definition.names.iter().for_each(|name| table.add(class, &Anchor::Name(name)));
            definition.directories.iter().for_each(|name| table.add(class, &Anchor::Directory(name)));
            definition.paths.iter().filter_map(|path| anchor(path)).for_each(|key| table.add(class, &key));
            let matcher = Matcher {
                suffixes: set(&definition.suffixes),
                names: set(&definition.names),
                directories: set(&definition.directories),
                paths: patterns(class, &definition.paths)?,
                minimum_size: definition.minimum_size,
                except_suffixes: set(&definition.except.suffixes),
                except_names: set(&definition.except.names),
                except_paths: patterns(class, &definition.except.paths)?,
            };
            table.matchers.push((class, matcher));
            let formats = definition.content.iter().filter_map(|name| Format::from_name(name)).collect();
            let minimum_size = definition.content_minimum_size.unwrap_or(definition.minimum_size);
            table.contents.add(class, formats, minimum_size);
        }
        check_room(file, table.suffixes.len(), table.names.len(), table.directories.len())?;
        Ok(table)
    }

    /// The same, with what loaded rules ask for in the class `watched`, and the files of the agent's canary, which say nothing of the
    /// classes: the version is without them. For a table that nothing was added to so far.
    ///
    /// # Errors
    /// [`ClassesError::TooMany`]: together they are more than the kernel's tables hold.
    pub fn watching(mut self, watched: &Watched) -> Result<ClassTable, ClassesError> {
        watched.suffixes.iter().for_each(|suffix| self.add(Class::Watched, &Anchor::Suffix(suffix)));
        watched.names.iter().for_each(|name| self.add(Class::Watched, &Anchor::Name(name)));
        watched.directories.iter().for_each(|name| self.add(Class::Watched, &Anchor::Directory(name)));
        if let Some((_, matcher)) = self.matchers.iter_mut().find(|(class, _)| *class == Class::Watched) {
            matcher.suffixes.extend(watched.suffixes.iter().cloned());
            matcher.names.extend(watched.names.iter().cloned());
            matcher.directories.extend(watched.directories.iter().cloned());
            matcher.suffixes.insert(CANARY_SUFFIX.to_owned());
        }
        self.add(Class::Watched, &Anchor::Suffix(CANARY_SUFFIX));
        let all = "classes.yml, with what the loaded rules ask for,";
        check_room(all, self.suffixes.len(), self.names.len(), self.directories.len())?;
        if *watched != Watched::default() {
            let text = format!("{} {watched:?}", self.version);
            self.version = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        }
        Ok(self)
    }

    /// SHA-256 of the file and of what rules ask for, hexadecimal.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the kernel's tables are filled with.
    pub fn keys(&self) -> Classification {
        let name = |(words, classes): (&[u64; 4], &Classes)| (NameKey { words: *words }, *classes);
        Classification {
            suffixes: self.suffixes.iter().map(|(words, classes)| (SuffixKey { words: *words }, *classes)).collect(),
            names: self.names.iter().map(name).collect(),
            directories: self.directories.iter().map(name).collect(),
            candidate_size: self.look_size(),
        }
    }

    /// The classes that a file's path and size put it in. What is not known counts as what it could be: a missing front of the
    /// path, the size of a file that the kernel did not resolve.
    pub fn refine(&self, file: &File) -> Classes {
        // The kernel also looks across a mount. How far that took it, only what it found tells.
        let beyond = self.matched_by_keys(&file.path, BEYOND_MOUNTS).0 & file.classes.0;
        let matched = Classes(self.matched_by_keys(&file.path, DIRECTORY_DEPTH).0 | beyond);
        if matched.is_empty() {
            return matched;
        }
        let path = file.path.to_ascii_lowercase();
        let name = path.rsplit('/').next().unwrap_or(&path);
        let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix);
        let parts = Parts { path: &path, name, suffix, cut: file.path_cut };
        let size = file.id.map(|_| file.size);
        let decided = self.matchers.iter().filter(|(class, matcher)| {
            matched.contains(*class) && matcher.has(&parts, size) && !matcher.excepts(&parts)
        });
        decided.fold(Classes::default(), |classes, (class, _)| classes.with(*class))
    }

    /// The classes of a file as the kernel sent it: those that its path and size put it in, and those that the kernel knew of
    /// otherwise. A class that no key gave comes from a watched inode, and names say nothing against that, nor against content.
    pub fn settle(&self, file: &File) -> Classes {
        let otherwise = file.classes.0 & !self.matched_by_keys(&file.path, BEYOND_MOUNTS).0;
        Classes(self.refine(file).0 | otherwise | file.by_content.0)
    }

    /// The classes that the file of a change was in before, and all that the change is about: those of its new name are among them. What
    /// [`ClassTable::settle`] says of keys goes for both names.
    pub fn settle_change(&self, change: &FileChange) -> (Classes, Classes) {
        let FileChange { file, new_path, .. } = change;
        let keys = self.matched_by_keys(&file.path, BEYOND_MOUNTS).0 | self.matched_by_keys(new_path, BEYOND_MOUNTS).0;
        let before = self.refine(file).0 | file.classes.0 & !keys | file.by_content.0;
        let named = File { path: new_path.clone(), path_cut: !new_path.starts_with('/'), ..file.clone() };
        (Classes(before), Classes(before | self.refine(&named).0))
    }

    /// What a file is by its content, and the classes that this puts it in. Its name has no say: what `except` leaves out by name
    /// is in the class by content.
    pub fn by_content(&self, sample: &Sample<'_>) -> (Option<Found>, Classes) {
        self.contents.judge(sample)
    }

    /// Bytes from which on a file's content is looked at; `None`: no class has content.
    pub fn look_size(&self) -> Option<u64> {
        (!self.contents.is_empty()).then_some(LOOK_SIZE)
    }

    /// What decides by content, to take along to another thread.
    pub fn contents(&self) -> ContentClasses {
        self.contents.clone()
    }

    /// The classes whose keys match a path, as the kernel would look them up, `depth` directories far.
    fn matched_by_keys(&self, path: &str, depth: usize) -> Classes {
        let mut components = path.rsplit('/');
        let name = components.next().unwrap_or(path);
        let suffix = name.rsplit_once('.').and_then(|(_, suffix)| SuffixKey::new(suffix));
        let name = NameKey::new(name);
        let by_suffix = suffix.and_then(|key| self.suffixes.get(&key.words));
        let by_name = name.and_then(|key| self.names.get(&key.words));
        let above = components.filter(|component| !component.is_empty()).take(depth);
        let by_directory = above.filter_map(|name| self.directories.get(&NameKey::new(name)?.words));
        Classes(by_suffix.into_iter().chain(by_name).chain(by_directory).fold(0, |bits, classes| bits | classes.0))
    }

    fn add(&mut self, class: Class, key: &Anchor<'_>) {
        let classes = match key {
            Anchor::Suffix(suffix) => SuffixKey::new(suffix).map(|key| self.suffixes.entry(key.words).or_default()),
            Anchor::Name(name) => NameKey::new(name).map(|key| self.names.entry(key.words).or_default()),
            Anchor::Directory(name) => NameKey::new(name).map(|key| self.directories.entry(key.words).or_default()),
        };
        // None: excluded when the definitions were checked.
        if let Some(classes) = classes {
            *classes = classes.with(class);
        }
    }
}

impl Matcher {
    /// Whether the class claims the file; `size` is `None` where it is not known.
    fn has(&self, parts: &Parts<'_>, size: Option<u64>) -> bool {
        let is = |set: &HashSet<String>, text: Option<&str>| text.is_some_and(|text| set.contains(text));
        is(&self.suffixes, parts.suffix)
            || is(&self.names, Some(parts.name))
            || (size.is_none_or(|size| size >= self.minimum_size)
                && (self.is_below(parts.path) || self.paths_match(parts)))
    }

    fn excepts(&self, parts: &Parts<'_>) -> bool {
        parts.suffix.is_some_and(|suffix| self.except_suffixes.contains(suffix))
            || self.except_names.contains(parts.name)
            || self.except_paths.whole.is_match(parts.path)
    }

    fn paths_match(&self, parts: &Parts<'_>) -> bool {
        if parts.cut { self.paths.cut.is_match(parts.path) } else { self.paths.whole.is_match(parts.path) }
    }

    fn is_below(&self, path: &str) -> bool {
        let above = path.rsplit('/').skip(1).filter(|component| !component.is_empty()).take(BEYOND_MOUNTS);
        !self.directories.is_empty() && above.into_iter().any(|name| self.directories.contains(name))
    }
}

impl Patterns {
    fn new(patterns: &[String]) -> Result<Patterns, globset::Error> {
        let set = |patterns: &mut dyn Iterator<Item = &str>| {
            let mut builder = GlobSetBuilder::new();
            for pattern in patterns {
                builder.add(glob(pattern)?);
            }
            builder.build()
        };
        Ok(Patterns {
            whole: set(&mut patterns.iter().map(String::as_str))?,
            cut: set(&mut patterns.iter().map(|pattern| pattern.trim_start_matches('/')))?,
        })
    }
}
