//! An entry of the policy: some workloads, and what is declared for them.

use super::declared::{DeclaredEntry, Direction};
use super::pattern::{One, OneOrMany, PathPattern, Pattern};
use super::select::Select;
use crate::event::Role;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::sync::Arc;

/// Most destinations of an entry.
const DESTINATIONS_MAX: usize = 1000;

/// An entry of the policy.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is called.
    pub name: Box<str>,
    /// The line of its name in the file; 0 if it was not found again.
    pub line: u32,
    /// Which workloads it is about.
    pub select: Select,
    /// What they are for, if it says so.
    pub role: Option<Role>,
    /// What may load weights there; `None` if it says nothing about that. An empty list: nothing.
    pub loaders: Option<Arc<[Program]>>,
    /// What may write artefacts there; `None` if it says nothing about that.
    pub writers: Option<Arc<[Program]>>,
    /// Where their bytes may go.
    pub destinations: Vec<DeclaredEntry>,
}

/// A program that may do something, with the files to which it may.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its executable's path in its mount namespace is as one of these.
    pub executables: Vec<Pattern>,
    /// The file's path is as one of these; empty: any file.
    pub files: Vec<Pattern>,
}

impl Program {
    /// Whether `executable` may do it; to `file`, where it is about a file.
    pub fn allows(&self, executable: &str, file: Option<&str>) -> bool {
        let one = |patterns: &[Pattern], text: &str| patterns.iter().any(|pattern| pattern.matches(text));
        one(&self.executables, executable) && file.is_none_or(|file| self.files.is_empty() || one(&self.files, file))
    }
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an entry: a mapping with `name`, `select` and what is declared")]
pub(super) struct Written {
    name: One<Name>,
    select: Select,
    #[serde(default)]
    role: Option<One<Role>>,
    #[serde(default)]
    loaders: Option<Programs>,
    #[serde(default)]
    writers: Option<Programs>,
    #[serde(default)]
    destinations: Destinations,
}

impl Written {
    /// The entry, whose name is in that line.
    pub(super) fn entry(self, line: u32) -> Entry {
        let One(Name(name)) = self.name;
        Entry {
            name,
            line,
            select: self.select,
            role: self.role.map(|One(role)| role),
            loaders: self.loaders.map(|Programs(programs)| programs.into()),
            writers: self.writers.map(|Programs(programs)| programs.into()),
            destinations: self.destinations.0,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name.0.0
    }

    /// How many patterns it has that are more than plain texts.
    pub(super) fn wildcards(&self) -> usize {
        let programs = [&self.loaders, &self.writers].into_iter().flatten().flat_map(|Programs(programs)| programs);
        let of_programs = programs.flat_map(|program| program.executables.iter().chain(&program.files));
        let of_select = self.select.conditions.iter().flat_map(|condition| &condition.patterns);
        of_programs.chain(of_select).filter(|pattern| !pattern.is_plain()).count()
    }
}

/// What an entry is called.
struct Name(Box<str>);

impl super::pattern::Word for Name {
    const WHAT: &'static str = "a name, in quotes if it is a number";

    fn word(text: &str) -> Result<Name, String> {
        const NAME_MAX: usize = 100;
        match text.trim().is_empty() || text.len() > NAME_MAX || text.chars().any(char::is_control) {
            true => Err(format!("a name has 1 to {NAME_MAX} bytes, and is one line; choose another")),
            false => Ok(Name(text.into())),
        }
    }
}

#[derive(Default)]
struct Programs(Vec<Program>);

impl<'de> Deserialize<'de> for Programs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Programs, D::Error> {
        Vec::<Item>::deserialize(deserializer).map(|items| Programs(items.into_iter().map(|Item(p)| p).collect()))
    }
}

/// `/usr/bin/python3*`, or `{executables: ..., files: ...}`.
struct Item(Program);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a program: a path, or a mapping with `executables` and `files`")]
struct WrittenProgram {
    executables: OneOrMany<PathPattern>,
    #[serde(default)]
    files: Option<OneOrMany<PathPattern>>,
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a program: a path, or a mapping with `executables` and `files`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Item, E> {
                let PathPattern(pattern) = super::pattern::Word::word(text).map_err(E::custom)?;
                Ok(Item(Program { executables: vec![pattern], files: Vec::new() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
                let written = WrittenProgram::deserialize(MapAccessDeserializer::new(map))?;
                let patterns = |OneOrMany(paths): OneOrMany<PathPattern>| paths.into_iter().map(|p| p.0).collect();
                let files = written.files.map(patterns).unwrap_or_default();
                Ok(Item(Program { executables: patterns(written.executables), files }))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Default)]
struct Destinations(Vec<DeclaredEntry>);

impl<'de> Deserialize<'de> for Destinations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Destinations, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Destinations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of destinations")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Destinations, A::Error> {
                let mut all: Vec<DeclaredEntry> = Vec::new();
                while let Some(Destination(entry)) = items.next_element()? {
                    if all.len() >= DESTINATIONS_MAX {
                        let reason = format!(
                            "there are more than {DESTINATIONS_MAX} destinations here; declare networks, or *.name"
                        );
                        return Err(de::Error::custom(reason));
                    }
                    if all.iter().any(|other| other.id.eq_ignore_ascii_case(&entry.id)) {
                        let reason =
                            format!("the destination `{}` is declared twice here; take one of them out", entry.id);
                        return Err(de::Error::custom(reason));
                    }
                    all.push(entry);
                }
                Ok(Destinations(all))
            }
        }
        deserializer.deserialize_seq(All)
    }
}

/// `10.0.0.0/8 5GB/day`, as a line of the list, or `{to: ..., direction: ..., budget: ...}`.
struct Destination(DeclaredEntry);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a destination: a line like `10.0.0.0/8 5GB/day`, or a mapping with `to`")]
struct WrittenDestination {
    to: One<To>,
    #[serde(default)]
    direction: Option<One<Direction>>,
    #[serde(default)]
    budget: Option<One<Budget>>,
}

/// A destination that can be read.
struct To(Box<str>);

impl super::pattern::Word for To {
    const WHAT: &'static str = "a network, an address or a name";

    fn word(text: &str) -> Result<To, String> {
        match DeclaredEntry::new(text, None, Direction::Both) {
            Ok(_) => Ok(To(text.into())),
            Err(error) => Err(format!("`{}` {error}", text.escape_debug())),
        }
    }
}

/// A budget that can be read.
struct Budget(Box<str>);

impl super::pattern::Word for Budget {
    const WHAT: &'static str = "a budget like `5GB/day`, or `unlimited`";

    fn word(text: &str) -> Result<Budget, String> {
        // The same reader as that of the list, with a destination that is right.
        match DeclaredEntry::new("192.0.2.1", Some(text).filter(|text| !text.trim().is_empty()), Direction::Both) {
            Ok(_) => Ok(Budget(text.into())),
            Err(error) => Err(format!("`{}` {error}", text.escape_debug())),
        }
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Destination, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Destination;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a destination: a line like `10.0.0.0/8 5GB/day`, or a mapping with `to`")
            }

            fn visit_str<E: de::Error>(self, line: &str) -> Result<Destination, E> {
                let entry = line.parse().map_err(|error| E::custom(format!("`{}` {error}", line.escape_debug())));
                entry.map(Destination)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Destination, A::Error> {
                let written = WrittenDestination::deserialize(MapAccessDeserializer::new(map))?;
                let direction = written.direction.map_or(Direction::Both, |One(direction)| direction);
                let budget = written.budget.as_ref().map(|One(Budget(text))| &**text);
                let entry = DeclaredEntry::new(&written.to.0.0, budget, direction);
                entry.map(Destination).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}
