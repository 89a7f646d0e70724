//! How much is kept and for how long: the section `evidence:` of weir.yml.

use super::handle::Settings;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MIB: u64 = 1 << 20;
const DAY: u64 = 24 * 60 * 60;

/// What the file says; what it leaves out is as in [`Limits::of`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Section {
    /// Where evidence is kept; an empty text: nowhere.
    pub directory: Option<PathBuf>,
    /// Most bytes on disk.
    pub bytes: Option<u64>,
    /// Days after which events go.
    pub days: Option<u32>,
    /// Days for which incidents are kept, if there is room.
    pub incident_days: Option<u32>,
}

impl Section {
    /// Where and how much, with what the command line says; `None`: nowhere.
    pub fn settings(&self, named: Option<PathBuf>, state: &Path) -> Option<Settings> {
        let directory = named.or_else(|| self.directory.clone()).unwrap_or_else(|| state.join("evidence"));
        let limits = Limits::of(&directory).with(self);
        (!directory.as_os_str().is_empty()).then_some(Settings { directory, limits })
    }
}

/// What the store may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on disk, incidents included, which may have half of them.
    pub bytes: u64,
    /// Events older than this go.
    pub age: Duration,
    /// Incidents older than this go.
    pub incident_age: Duration,
    /// Events of a segment.
    pub segment_events: u64,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// A segment that is older is closed: what is signed is never much older than this.
    pub segment_age: Duration,
}

impl Limits {
    /// For so many bytes: 30 days of events, half a year of incidents.
    pub fn new(bytes: u64) -> Limits {
        Limits {
            bytes,
            age: Duration::from_secs(30 * DAY),
            incident_age: Duration::from_secs(183 * DAY),
            segment_events: 1_000_000,
            segment_bytes: (bytes / 16).clamp(MIB, 256 * MIB),
            segment_age: Duration::from_secs(DAY),
        }
    }

    /// Four gigabytes, or a twentieth of the file system that `directory` is on, whichever is less: a node's disk is somebody else's.
    /// At least 64 MiB, below which it is of no use.
    pub fn of(directory: &Path) -> Limits {
        // What is there already: the directory may not be.
        let there = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let size = rustix::fs::statvfs(there).map_or(u64::MAX, |disk| disk.f_blocks.saturating_mul(disk.f_frsize));
        Limits::new((size / 20).clamp(64 * MIB, 4096 * MIB))
    }

    /// With what the file says.
    #[must_use]
    pub fn with(self, section: &Section) -> Limits {
        let limits = section.bytes.map_or(self, Limits::new);
        let days = |days: Option<u32>, else_: Duration| {
            days.map_or(else_, |days| Duration::from_secs(u64::from(days).saturating_mul(DAY)))
        };
        Limits {
            age: days(section.days, limits.age),
            incident_age: days(section.incident_days, limits.incident_age),
            ..limits
        }
    }
}
