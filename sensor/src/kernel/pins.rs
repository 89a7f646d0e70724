//! What stays in the kernel when an agent ends, so that the next one goes on without a gap.
//!
//! Programs, links and maps are pinned below a directory of a BPF file system, which keeps them alive without a process:
//!
//! ```text
//! DIR/v3/maps/EVENTS ...          what all agents share that speak this version of the records
//! DIR/v3/7/links/on_exec ...      the programs of the seventh agent, and what holds them on their hooks
//! DIR/v3/7/programs/on_exec ...
//! ```
//!
//! An agent loads programs of its own beside those of the one before, on the same maps, and pins them. They rest until one write to
//! the map `AGENT` names their generation (`sensor-ebpf/src/agent.rs`): from then on they work and those before rest, and are taken
//! off. So whatever ends an agent, and wherever, one generation is at work; and the ring, the counters and the labels go on.
//!
//! One agent at a time has the directory: the lock is on the directory itself, and goes with the process.
//!
//! Pins are of Linux 4.4, those of links of 5.8 (`bpf_obj_pin`); names have no dots (`bpf_lookup`, kernel/bpf/inode.c).

use super::sys;
use crate::event::Kind;
use aya::maps::{Map, MapData, MapInfo, RingBuf};
use aya_obj::Object;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// `BPF_FS_MAGIC` (include/uapi/linux/magic.h)
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;

/// Maps whose content is worth more than the agent that made them. The others are filled anew by each: what is classified, which
/// objects are the sensor's own, scratch space.
const SHARED: [&str; 13] = [
    AGENT,
    EVENTS,
    "COUNTERS",
    "FLOWS",
    "EGRESS",
    "EGRESS_REST",
    "HOLDERS",
    "CARRIERS",
    "TRANSFERS",
    "SOCKETS",
    "EXITED",
    "BUDGET",
    "URING_REQUESTS",
];
const AGENT: &str = "AGENT";
const EVENTS: &str = "EVENTS";

/// Why nothing can be pinned.
#[derive(Debug, Error)]
pub enum PinError {
    /// It is no BPF file system.
    #[error("--pin {}: it is not in a BPF file system; mount one (`mount -t bpf bpf /sys/fs/bpf`) and give a directory in it", .0.display())]
    Elsewhere(PathBuf),
    /// Something is refused.
    #[error("--pin {}: {step} ({source}); weir needs to own the directory, and the BPF file system writable", .path.display())]
    Refused {
        /// The directory or file.
        path: PathBuf,
        /// What was refused.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The directory in which things stay.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    opened: File,
}

/// Which maps they are that count: the kernel's ids, which it does not give again in a boot (`bpf_map_alloc_id`: an idr that goes on).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lineage {
    /// The map `EGRESS`.
    pub egress: u32,
    /// The map `COUNTERS`.
    pub counters: u32,
}

/// What the agent before has left.
pub struct Left {
    /// The generation that was at work.
    pub generation: u32,
    /// For each kind, how many runs of its programs the kernel left out ([`super::counters::MISSED_BY_KERNEL`]), by `Kind as usize - 1`.
    pub missed: [u64; Kind::MAX],
    /// A ring that this agent's programs cannot use, with what still waits in it.
    pub ring: Option<RingBuf<MapData>>,
}

impl Pins {
    /// The directory, which is made if it is not there.
    ///
    /// # Errors
    /// [`PinError`]
    pub fn open(directory: &Path) -> Result<Pins, PinError> {
        make(directory)?;
        let opened = File::open(directory).map_err(refused(directory, "it cannot be opened"))?;
        match rustix::fs::fstatfs(&opened) {
            // The type of the field differs between architectures, and has a sign on some.
            Ok(found) if found.f_type as u32 as u64 == BPF_FS_MAGIC => {
                Ok(Pins { directory: directory.to_owned(), opened })
            }
            Ok(_) => {
                // Made for nothing, maybe: goes only if it is empty.
                let _ = fs::remove_dir(directory);
                Err(PinError::Elsewhere(directory.to_owned()))
            }
            Err(error) => Err(refused(directory, "it cannot be looked at")(error.into())),
        }
    }

    /// Takes the lock, if no other agent has it.
    ///
    /// # Errors
    /// [`PinError::Refused`]
    pub fn try_lock(&self) -> Result<bool, PinError> {
        match flock(&self.opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(refused(&self.directory, "it cannot be locked")(error.into())),
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Takes off and forgets everything that was left. Returns how many programs were on their hooks.
    ///
    /// # Errors
    /// [`PinError::Refused`]
    pub fn remove(&self) -> Result<usize, PinError> {
        let mut links = 0;
        for entry in entries(&self.directory)? {
            links += remove_all(&entry)?;
        }
        Ok(links)
    }

    /// Removes the directory itself, which must be empty by then.
    ///
    /// # Errors
    /// [`PinError::Refused`]
    pub fn remove_directory(self) -> Result<(), PinError> {
        fs::remove_dir(&self.directory).map_err(refused(&self.directory, "it cannot be removed"))
    }

    /// The directory of this version.
    fn own(&self) -> PathBuf {
        self.directory.join(format!("v{}", sensor_common::record::VERSION))
    }
}

/// A take-over under way: from what was left to what is left next.
pub(super) struct Takeover<'a> {
    pins: &'a Pins,
    /// The generation of the programs that are to be loaded.
    pub generation: u32,
    /// That of those which are at work.
    before: Option<u32>,
    ring: Option<RingBuf<MapData>>,
}

impl<'a> Takeover<'a> {
    /// Looks at what was left, and puts aside the maps that this object's programs cannot share. `sizes`: entries that are not those
    /// of the object.
    ///
    /// # Errors
    /// [`PinError::Refused`]
    pub fn prepare(pins: &'a Pins, object: &[u8], sizes: &[(&str, u32)]) -> Result<Takeover<'a>, PinError> {
        let maps = pins.own().join("maps");
        make(&maps)?;
        let wanted = Object::parse(object).map(|object| object.maps).unwrap_or_default();
        let mut takeover = Takeover { pins, generation: 1, before: None, ring: None };
        for name in SHARED {
            let path = maps.join(name);
            let Ok(found) = MapInfo::from_pin(&path) else { continue };
            let fits = wanted.get(name).is_some_and(|wanted| {
                let entries =
                    sizes.iter().find(|(map, _)| *map == name).map_or(wanted.max_entries(), |(_, entries)| *entries);
                found.map_type().is_ok_and(|found| found as u32 == wanted.map_type())
                    && (found.key_size(), found.value_size()) == (wanted.key_size(), wanted.value_size())
                    && (found.max_entries(), found.map_flags()) == (entries, wanted.map_flags())
            });
            if fits {
                continue;
            }
            tracing::warn!(
                map = name,
                "what an agent of other settings or another version left is not the same: it begins anew"
            );
            if name == EVENTS {
                takeover.ring =
                    MapData::from_pin(&path).ok().and_then(|data| RingBuf::try_from(Map::RingBuf(data)).ok());
            }
            // Those before keep it as long as they are at work.
            fs::remove_file(&path).map_err(refused(&path, "it cannot be removed"))?;
        }
        takeover.before = sys::pinned(&maps.join(AGENT))
            .ok()
            .and_then(|map| sys::agent(map.as_fd()).ok())
            .map(|agent| agent.generation);
        let generations = generations(&pins.own())?;
        let last = generations.iter().map(|(number, _)| *number).chain(takeover.before).max();
        takeover.generation = last.unwrap_or(0).saturating_add(1);
        Ok(takeover)
    }

    /// Where each map is that is shared.
    pub fn maps(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let maps = self.pins.own().join("maps");
        SHARED.into_iter().map(move |name| (name, maps.join(name)))
    }

    /// Which maps count from now on: to be called when they are there.
    pub fn lineage(&self) -> Lineage {
        let maps = self.pins.own().join("maps");
        // 0 is no id.
        let id = |name: &str| MapInfo::from_pin(maps.join(name)).map_or(0, |info| info.id());
        Lineage { egress: id("EGRESS"), counters: id("COUNTERS") }
    }

    /// Where the own programs and links go.
    ///
    /// # Errors
    /// [`PinError::Refused`]
    pub fn places(&self) -> Result<(PathBuf, PathBuf), PinError> {
        let own = self.pins.own().join(self.generation.to_string());
        let places = (own.join("programs"), own.join("links"));
        make(&places.0)?;
        make(&places.1)?;
        Ok(places)
    }

    /// The own programs are at work: those before are taken off, and what they did not tell is returned, if there were any.
    ///
    /// # Errors
    /// [`PinError::Refused`]
    pub fn finish(self) -> Result<Option<Left>, PinError> {
        let mut missed = [0; Kind::MAX];
        for (number, directory) in generations(&self.pins.own())? {
            if number == self.generation {
                continue;
            }
            if Some(number) == self.before {
                missed = runs_left_out(&directory.join("programs"));
            }
            remove_all(&directory)?;
        }
        for other in entries(&self.pins.directory)?.into_iter().filter(|path| *path != self.pins.own()) {
            tracing::warn!(
                left = %other.display(),
                "programs of another version of weir are taken off: what still waited for their agent is lost"
            );
            remove_all(&other)?;
        }
        Ok(self.before.map(|generation| Left { generation, missed, ring: self.ring }))
    }
}

/// How often the kernel left programs out, by kind.
fn runs_left_out(programs: &Path) -> [u64; Kind::MAX] {
    let mut missed = [0u64; Kind::MAX];
    for part in super::plan::all() {
        let statistics =
            sys::pinned(&programs.join(part.program)).and_then(|program| sys::program_statistics(program.as_fd()));
        if let (Ok(statistics), Some(missed)) = (statistics, missed.get_mut(part.kind as usize - 1)) {
            *missed = missed.saturating_add(statistics.recursion_misses);
        }
    }
    missed
}

/// The generations that are there.
fn generations(own: &Path) -> Result<Vec<(u32, PathBuf)>, PinError> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
    Ok(entries(own)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, PinError> {
    let list = || fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let mut entries = list().map_err(refused(directory, "it cannot be listed"))?;
    entries.sort();
    Ok(entries)
}

/// Removes it and what is below it; returns how many links were.
fn remove_all(path: &Path) -> Result<usize, PinError> {
    let is_directory = fs::symlink_metadata(path).map_err(refused(path, "it cannot be looked at"))?.is_dir();
    if !is_directory {
        fs::remove_file(path).map_err(refused(path, "it cannot be removed"))?;
        return Ok(usize::from(path.parent().is_some_and(|parent| parent.ends_with("links"))));
    }
    let mut links = 0;
    for entry in entries(path)? {
        links += remove_all(&entry)?;
    }
    fs::remove_dir(path).map_err(refused(path, "it cannot be removed"))?;
    Ok(links)
}

/// Only root looks in: whoever reaches a map can change it.
fn make(directory: &Path) -> Result<(), PinError> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(directory);
    made.map_err(refused(directory, "it cannot be made"))
}

fn refused(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> PinError {
    move |source| PinError::Refused { path: path.to_owned(), step, source }
}
