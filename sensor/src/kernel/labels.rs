//! The kernel's labels: what the agent adds to them, and removes.

use super::classification::TableError;
use super::sys::Plain;
use crate::event::{BootTime, Classes, FileId, ProcessKey};
use aya::maps::{HashMap, Map, MapData, MapError};
use sensor_common::classify::InodeKey;
use sensor_common::label::{CARRIERS, Label, label_flags};

const HOLDERS: &str = "HOLDERS";
const CARRIED: &str = "CARRIERS";

/// The maps `HOLDERS` and `CARRIERS`.
pub struct Labels {
    holders: HashMap<MapData, u32, Plain<Label>>,
    carriers: HashMap<MapData, Plain<InodeKey>, Plain<Label>>,
}

/// A thing that carries content, as the kernel side knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Which one.
    pub key: InodeKey,
    /// It has no name in any file system.
    pub anonymous: bool,
    /// When it last took or gave, nanoseconds of `CLOCK_BOOTTIME`.
    pub used: u64,
}

impl Labels {
    /// Takes the maps by their names out of a loaded object.
    ///
    /// # Errors
    /// [`TableError::Map`] when one is missing or has another shape.
    pub fn take(mut take: impl FnMut(&str) -> Option<Map>) -> Result<Labels, TableError> {
        let broken = |name| move |error: MapError| TableError::Map { name, reason: error.to_string() };
        let mut map = |name| take(name).ok_or(TableError::Map { name, reason: "it is missing".into() });
        Ok(Labels {
            holders: HashMap::try_from(map(HOLDERS)?).map_err(broken(HOLDERS))?,
            carriers: HashMap::try_from(map(CARRIED)?).map_err(broken(CARRIED))?,
        })
    }

    /// That process holds so many bytes of these classes: what only the agent knows. What the kernel side adds to the label between the
    /// look and the change is lost, until it adds again; classes are never taken away so.
    ///
    /// # Errors
    /// [`TableError::Refused`], when the table is full for one.
    pub fn holds(
        &mut self,
        process: ProcessKey,
        classes: Classes,
        bytes: u64,
        now: BootTime,
    ) -> Result<(), TableError> {
        let label = joined(self.holders.get(&process.pid, 0).ok(), classes, bytes, now);
        let refused = |source| TableError::Refused { name: HOLDERS, source };
        self.holders.insert(process.pid, Plain(label), 0).map_err(refused)
    }

    /// That thing carries so many bytes of these classes. As for [`Labels::holds`].
    ///
    /// # Errors
    /// [`TableError::Refused`], when the table is full for one.
    pub fn carries(&mut self, thing: FileId, classes: Classes, bytes: u64, now: BootTime) -> Result<(), TableError> {
        let key = Plain(InodeKey { inode: thing.inode, device: thing.device, reserved: 0 });
        let label = joined(self.carriers.get(&key, 0).ok(), classes, bytes, now);
        let refused = |source| TableError::Refused { name: CARRIED, source };
        self.carriers.insert(key, Plain(label), 0).map_err(refused)
    }

    /// Everything that carries something; at most [`CARRIERS`], each a system call or two.
    pub fn carriers(&self) -> Vec<Carried> {
        let entries = self.carriers.iter().filter_map(Result::ok).take(CARRIERS as usize);
        let carried = |(Plain(key), Plain(label)): (Plain<InodeKey>, Plain<Label>)| Carried {
            key,
            anonymous: label.flags & label_flags::ANONYMOUS != 0,
            used: label.used,
        };
        entries.map(carried).collect()
    }

    /// Forgets what that thing carries. Not an error if it carries nothing.
    pub fn forget(&mut self, key: InodeKey) {
        let _ = self.carriers.remove(&Plain(key));
    }
}

fn joined(before: Option<Plain<Label>>, classes: Classes, bytes: u64, now: BootTime) -> Label {
    let before = before.map_or(Label::ZERO, |Plain(label)| label);
    Label { bytes: before.bytes.max(bytes), classes: before.classes | classes.0, used: now.0, ..before }
}
