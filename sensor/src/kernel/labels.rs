//! The kernel's labels: what the agent adds to them, and removes.

use super::classification::TableError;
use super::sys::Plain;
use crate::event::{BootTime, Classes, FileId, ProcessKey};
use aya::maps::{HashMap, Map, MapData, MapError};
use sensor_common::classify::InodeKey;
use sensor_common::label::Label;
use std::os::fd::AsFd;
use std::sync::Arc;

const HOLDERS: &str = "HOLDERS";
const CARRIED: &str = "CARRIERS";

/// The maps `HOLDERS` and `CARRIERS`.
pub struct Labels {
    holders: HashMap<MapData, u32, Plain<Label>>,
    carriers: HashMap<MapData, Plain<InodeKey>, Plain<Label>>,
    census: Arc<Census>,
}

/// The map `CARRIERS` once more, to be read by another thread.
pub struct Census {
    carriers: HashMap<MapData, Plain<InodeKey>, Plain<Label>>,
    /// Entries that there is room for.
    room: usize,
}

impl Census {
    fn of(map: &Map) -> Result<Census, TableError> {
        let broken = |reason: String| TableError::Map { name: CARRIED, reason };
        let Map::HashMap(data) = map else { return Err(broken("it is no hash map".into())) };
        let descriptor = data.fd().as_fd().try_clone_to_owned().map_err(|error| broken(error.to_string()))?;
        let again = MapData::from_fd(descriptor).map_err(|error| broken(error.to_string()))?;
        let room = again.info().map_err(|error| broken(error.to_string()))?.max_entries() as usize;
        let carriers = HashMap::try_from(Map::HashMap(again)).map_err(|error| broken(error.to_string()))?;
        Ok(Census { carriers, room })
    }

    /// Everything that carries something, if that is more than half of what there is room for. To count them takes a system call
    /// each, to read them another.
    pub fn crowded(&self) -> Option<Vec<Carried>> {
        // Whoever removes the entry that a walk has come to makes it begin again (`htab_map_get_next_key`).
        let count = self.carriers.keys().filter_map(Result::ok).take(self.room).count();
        (count > self.room / 2).then(|| all(&self.carriers, self.room))
    }
}

fn all(carriers: &HashMap<MapData, Plain<InodeKey>, Plain<Label>>, room: usize) -> Vec<Carried> {
    let entries = carriers.iter().filter_map(Result::ok).take(room);
    let carried = |(Plain(key), Plain(label)): (Plain<InodeKey>, Plain<Label>)| Carried { key, used: label.used };
    entries.map(carried).collect()
}

/// A thing that carries content, as the kernel side knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Which one.
    pub key: InodeKey,
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
        let holders = HashMap::try_from(map(HOLDERS)?).map_err(broken(HOLDERS))?;
        let carriers = map(CARRIED)?;
        let census = Arc::new(Census::of(&carriers)?);
        Ok(Labels { holders, carriers: HashMap::try_from(carriers).map_err(broken(CARRIED))?, census })
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

    /// The things that carry something, to be counted elsewhere.
    pub fn census(&self) -> Arc<Census> {
        Arc::clone(&self.census)
    }

    /// Forgets what that thing carries, unless it took or gave since `time`. Whether it carried something until now.
    pub fn forget(&mut self, key: InodeKey, time: BootTime) -> bool {
        let idle = self.carriers.get(&Plain(key), 0).is_ok_and(|Plain(label)| label.used <= time.0);
        idle && self.carriers.remove(&Plain(key)).is_ok()
    }
}

fn joined(before: Option<Plain<Label>>, classes: Classes, bytes: u64, now: BootTime) -> Label {
    let before = before.map_or(Label::ZERO, |Plain(label)| label);
    Label { bytes: before.bytes.max(bytes), classes: before.classes | classes.0, used: now.0, ..before }
}
