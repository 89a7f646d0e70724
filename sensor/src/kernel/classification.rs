//! The kernel's classification tables: which names, directories and inodes make an open worth sending.

use super::sys::Plain;
use crate::event::Classes;
use aya::maps::{Array, HashMap, Map, MapData, MapError};
use sensor_common::classify::{
    self, Classifier, FILTER_WORDS, Filter, InodeKey, LookKey, NameKey, PROC_MEM, SuffixKey,
};
use std::collections::BTreeMap;
use thiserror::Error;
use zerocopy::{Immutable, IntoBytes};

/// What the agent wants the kernel to match. Keys fold case, so that two names can have one key: their classes are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classification {
    /// What follows the last dot of a name.
    pub suffixes: Vec<(SuffixKey, Classes)>,
    /// Whole names of files. One that ends in a space is not found: a key does not tell it from the name without.
    pub names: Vec<(NameKey, Classes)>,
    /// Whole names of directories, of which a file is below.
    pub directories: Vec<(NameKey, Classes)>,
    /// Regular files of at least so many bytes that match nothing are sent once for each change, for a look at their content;
    /// `None`: none are.
    pub candidate_size: Option<u64>,
}

/// The tables cannot be filled.
#[derive(Debug, Error)]
pub enum TableError {
    /// The object has no such map, or one of another shape.
    #[error("the eBPF object has no usable map {name}: {reason}; object and agent differ, rebuild both")]
    Map {
        /// The map's name.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// More entries than the kernel's table holds.
    #[error("{have} {what} are to be classified in the kernel, which has room for {limit}; name fewer in classes.yml")]
    Full {
        /// suffixes, names or directories
        what: &'static str,
        /// How many there are.
        have: usize,
        /// How many fit.
        limit: u32,
    },
    /// The kernel refused an entry.
    #[error("cannot change the kernel's map {name}: {source}")]
    Refused {
        /// The map's name.
        name: &'static str,
        /// What it said.
        source: MapError,
    },
}

/// A hash map from a name's key to classes.
struct Table<K: Copy + IntoBytes + Immutable + 'static>
where
    Plain<K>: aya::Pod,
{
    name: &'static str,
    what: &'static str,
    limit: u32,
    map: HashMap<MapData, Plain<K>, u32>,
    /// What was put in, where it is to be compared: watched inodes are too many for that.
    entries: Option<BTreeMap<Vec<u8>, u32>>,
}

/// The maps `SUFFIXES`, `NAMES`, `DIRECTORIES`, `WATCHED` and `CLASSIFIER`.
pub struct Tables {
    suffixes: Table<SuffixKey>,
    names: Table<NameKey>,
    directories: Table<NameKey>,
    watched: Table<InodeKey>,
    looked_at: HashMap<MapData, Plain<LookKey>, u64>,
    classifier: Array<MapData, Plain<Classifier>>,
    current: Classifier,
    /// Opens of `/proc/PID/mem` are to be reported.
    process_memory: bool,
}

/// The name of the file that is a process's memory.
const MEMORY: &str = "mem";

impl Tables {
    /// Takes the maps by their names out of a loaded object.
    ///
    /// # Errors
    /// [`TableError::Map`] when one is missing or has another shape.
    pub fn take(mut take: impl FnMut(&str) -> Option<Map>) -> Result<Tables, TableError> {
        Ok(Tables {
            suffixes: Table::take("SUFFIXES", "suffixes", classify::SUFFIXES, &mut take)?,
            names: Table::take("NAMES", "names", classify::NAMES, &mut take)?,
            directories: Table::take("DIRECTORIES", "directories", classify::NAMES, &mut take)?,
            watched: Table { entries: None, ..Table::take("WATCHED", "inodes", classify::WATCHED, &mut take)? },
            looked_at: HashMap::try_from(taken("LOOKED_AT", &mut take)?)
                .map_err(|error| TableError::Map { name: "LOOKED_AT", reason: error.to_string() })?,
            classifier: array("CLASSIFIER", &mut take)?,
            current: Classifier::ZERO,
            process_memory: false,
        })
    }

    /// Makes the kernel match exactly `wanted`, watched inodes aside. While it runs, what both the old and the new tables
    /// name is matched throughout.
    ///
    /// # Errors
    /// [`TableError::Full`] before anything is changed; [`TableError::Refused`] in the middle.
    pub fn replace(&mut self, wanted: &Classification) -> Result<(), TableError> {
        let mut files = wanted.names.clone();
        files.extend(NameKey::new(MEMORY).filter(|_| self.process_memory).map(|key| (key, Classes(PROC_MEM))));
        let (suffixes, names) = (joined(&wanted.suffixes, |key| key.words), joined(&files, |key| key.words));
        let directories = joined(&wanted.directories, |key| key.words);
        self.suffixes.check(suffixes.len())?;
        self.names.check(names.len())?;
        self.directories.check(directories.len())?;

        // The filters only ever spare look-ups: first those of both, at the end those of the new.
        let new = Classifier {
            suffixes: filter(suffixes.values().map(|(key, _)| key.hint())),
            names: filter(names.values().map(|(key, _)| key.hint())),
            directory_lengths: directories.values().fold(0, |bits, (key, _)| bits | 1 << key.length()),
            // Files of no bytes at all are never worth a look.
            candidate_size: wanted.candidate_size.map_or(0, |size| size.max(1)),
            ..self.current
        };
        self.publish(Classifier {
            suffixes: union(self.current.suffixes, new.suffixes),
            names: union(self.current.names, new.names),
            directory_lengths: self.current.directory_lengths | new.directory_lengths,
            ..self.current
        })?;
        self.suffixes.replace(&suffixes, |key| key.words)?;
        self.names.replace(&names, |key| key.words)?;
        self.directories.replace(&directories, |key| key.words)?;
        self.publish(new)
    }

    /// From now on reports opens of `/proc/PID/mem`, for the portable family: the trampolines see the access itself.
    ///
    /// # Errors
    /// [`TableError::Refused`]
    pub fn watch_process_memory(&mut self) -> Result<(), TableError> {
        self.process_memory = true;
        let Some(key) = NameKey::new(MEMORY) else { return Ok(()) };
        let classes = self.names.get(key).unwrap_or_default();
        self.names.insert(key, Classes(classes.0 | PROC_MEM))?;
        let names = union(self.current.names, filter([key.hint()].into_iter()));
        self.publish(Classifier { names, ..self.current })
    }

    /// Reports every open of that inode, under whatever name, as of these classes.
    ///
    /// # Errors
    /// [`TableError::Refused`], when the table is full for one.
    pub fn watch(&mut self, inode: InodeKey, classes: Classes) -> Result<(), TableError> {
        self.watched.insert(inode, classes)?;
        if self.current.inodes == 0 {
            self.publish(Classifier { inodes: 1, ..self.current })?;
        }
        Ok(())
    }

    /// No longer reports that inode. Not an error if it was not watched.
    ///
    /// # Errors
    /// [`TableError::Refused`]
    pub fn unwatch(&mut self, inode: InodeKey) -> Result<(), TableError> {
        self.watched.remove(inode)
    }

    /// Has the kernel keep from now on that nothing of interest is in that file, as long as its change time (nanoseconds since
    /// the epoch) stays this one: nobody's open of it is sent for a look any more.
    ///
    /// # Errors
    /// [`TableError::Refused`]
    pub fn looked_at(&mut self, inode: InodeKey, changed_unix_nanos: u64) -> Result<(), TableError> {
        let key = LookKey { inode: inode.inode, device: inode.device, asker: 0 };
        let set = self.looked_at.insert(Plain(key), changed_unix_nanos, 0);
        set.map_err(|source| TableError::Refused { name: "LOOKED_AT", source })
    }

    /// Has the kernel send that file again when that process opens it: nobody looked at its content after all.
    ///
    /// # Errors
    /// [`TableError::Refused`]
    pub fn look_again(&mut self, inode: InodeKey, pid: u32) -> Result<(), TableError> {
        for asker in [0, LookKey::asker(pid, true), LookKey::asker(pid, false)] {
            let key = LookKey { inode: inode.inode, device: inode.device, asker };
            match self.looked_at.remove(&Plain(key)) {
                Err(source) if !is_absent(&source) => {
                    return Err(TableError::Refused { name: "LOOKED_AT", source });
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Forgets all looks: every file may be sent for one again. Some ten milliseconds where the table is full.
    ///
    /// # Errors
    /// [`TableError::Refused`]
    pub fn forget_looks(&mut self) -> Result<(), TableError> {
        let refused = |source| TableError::Refused { name: "LOOKED_AT", source };
        // First all of them: what is taken out while it is walked makes the walk begin again. Others come in meanwhile, which are
        // new ones; never more than the table holds.
        let limit = classify::LOOKED_AT as usize;
        let keys = self.looked_at.keys().take(limit).collect::<Result<Vec<_>, _>>().map_err(refused)?;
        for key in keys {
            match self.looked_at.remove(&key) {
                Err(source) if !is_absent(&source) => return Err(refused(source)),
                _ => (),
            }
        }
        Ok(())
    }

    /// The maps that somebody else has changed, and what is wrong with each.
    pub fn changed(&self) -> Vec<(&'static str, String)> {
        let mut changed = Vec::new();
        changed.extend(self.suffixes.changed());
        changed.extend(self.names.changed());
        changed.extend(self.directories.changed());
        match self.classifier.get(&0, 0) {
            Ok(Plain(found)) if found == self.current => (),
            Ok(_) => changed.push(("CLASSIFIER", "its filters were changed: opens may go unseen".into())),
            Err(error) => changed.push(("CLASSIFIER", format!("it cannot be read ({error})"))),
        }
        changed
    }

    fn publish(&mut self, classifier: Classifier) -> Result<(), TableError> {
        self.classifier
            .set(0, Plain(classifier), 0)
            .map_err(|source| TableError::Refused { name: "CLASSIFIER", source })?;
        self.current = classifier;
        Ok(())
    }
}

impl<K: Copy + IntoBytes + Immutable + 'static> Table<K>
where
    Plain<K>: aya::Pod,
{
    fn take(
        name: &'static str,
        what: &'static str,
        limit: u32,
        take: &mut impl FnMut(&str) -> Option<Map>,
    ) -> Result<Table<K>, TableError> {
        let map = HashMap::try_from(taken(name, take)?)
            .map_err(|error| TableError::Map { name, reason: error.to_string() })?;
        Ok(Table { name, what, limit, map, entries: Some(BTreeMap::new()) })
    }

    /// How what is in it differs from what was put in, if it does.
    fn changed(&self) -> Option<(&'static str, String)> {
        let entries = self.entries.as_ref()?;
        let mut found = 0;
        for key in self.map.keys() {
            let key = match key {
                Ok(key) => key,
                Err(error) => return Some((self.name, format!("it cannot be read ({error})"))),
            };
            let value = self.map.get(&key, 0).ok();
            if value.is_none() || value.as_ref() != entries.get(key.0.as_bytes()) {
                return Some((self.name, format!("{} were changed: opens may go unseen", self.what)));
            }
            found += 1;
        }
        (found != entries.len()).then(|| (self.name, format!("{} were removed: opens may go unseen", self.what)))
    }

    fn check(&self, have: usize) -> Result<(), TableError> {
        let limit = self.limit;
        let fits = u32::try_from(have).is_ok_and(|have| have <= limit);
        if fits { Ok(()) } else { Err(TableError::Full { what: self.what, have, limit }) }
    }

    /// Removes what is not wanted first: old and new together may be more than fit.
    fn replace<O: Ord + Copy>(
        &mut self,
        wanted: &BTreeMap<O, (K, Classes)>,
        order: impl Fn(&K) -> O,
    ) -> Result<(), TableError> {
        let refused = |source| TableError::Refused { name: self.name, source };
        let old = self.map.keys().collect::<Result<Vec<Plain<K>>, MapError>>().map_err(refused)?;
        for Plain(key) in old {
            if !wanted.contains_key(&order(&key)) {
                self.remove(key)?;
            }
        }
        wanted.values().try_for_each(|(key, classes)| self.insert(*key, *classes))
    }

    fn insert(&mut self, key: K, classes: Classes) -> Result<(), TableError> {
        let name = self.name;
        self.map.insert(Plain(key), classes.0, 0).map_err(|source| TableError::Refused { name, source })?;
        if let Some(entries) = &mut self.entries {
            entries.insert(key.as_bytes().to_vec(), classes.0);
        }
        Ok(())
    }

    fn get(&self, key: K) -> Option<Classes> {
        self.map.get(&Plain(key), 0).ok().map(Classes)
    }

    fn remove(&mut self, key: K) -> Result<(), TableError> {
        if let Some(entries) = &mut self.entries {
            entries.remove(key.as_bytes());
        }
        match self.map.remove(&Plain(key)) {
            Err(source) if !is_absent(&source) => Err(TableError::Refused { name: self.name, source }),
            _ => Ok(()),
        }
    }
}

/// The kernel has no such key.
fn is_absent(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound => true,
        MapError::SyscallError(error) => error.io_error.raw_os_error() == Some(libc::ENOENT),
        _ => false,
    }
}

fn array<T>(name: &'static str, take: &mut impl FnMut(&str) -> Option<Map>) -> Result<Array<MapData, T>, TableError>
where
    T: aya::Pod,
{
    Array::try_from(taken(name, take)?).map_err(|error| TableError::Map { name, reason: error.to_string() })
}

fn taken(name: &'static str, take: &mut impl FnMut(&str) -> Option<Map>) -> Result<Map, TableError> {
    take(name).ok_or(TableError::Map { name, reason: "it is missing".into() })
}

/// One entry a key, the classes of equal keys joined.
fn joined<K: Copy, O: Ord>(entries: &[(K, Classes)], order: impl Fn(&K) -> O) -> BTreeMap<O, (K, Classes)> {
    let mut joined = BTreeMap::new();
    for (key, classes) in entries {
        let entry = joined.entry(order(key)).or_insert((*key, Classes::default()));
        entry.1.0 |= classes.0;
    }
    joined
}

fn filter(hints: impl Iterator<Item = u64>) -> Filter {
    let mut filter = Filter::ZERO;
    hints.for_each(|hint| filter.insert(hint));
    filter
}

fn union(one: Filter, other: Filter) -> Filter {
    let mut bits = [0; FILTER_WORDS];
    for (bits, (one, other)) in bits.iter_mut().zip(one.bits.into_iter().zip(other.bits)) {
        *bits = one | other;
    }
    Filter { bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Class;

    #[test]
    fn equal_keys_join_their_classes() {
        let weights = Classes::default().with(Class::Weights);
        let secret = Classes::default().with(Class::Secret);
        let key = |name| NameKey::new(name).unwrap();
        let joined =
            joined(&[(key("Token"), weights), (key("token"), secret), (key("other"), secret)], |key| key.words);
        assert_eq!(joined.len(), 2);
        assert_eq!(joined[&key("TOKEN").words].1, weights.with(Class::Secret));
    }

    #[test]
    fn a_union_has_what_either_had() {
        let (one, other) = (filter([1, 2].into_iter()), filter([3].into_iter()));
        assert!([1, 2, 3].into_iter().all(|word| union(one, other).may_contain(word)));
        assert_eq!(union(one, Filter::ZERO), one);
    }
}
