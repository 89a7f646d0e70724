//! What did not stay until it was delivered, counted over restarts.

use super::Files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// What did not stay, since the directory was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Losses {
    /// By severity number: what had to go for room, or found none.
    pub evicted: BTreeMap<u8, u64>,
    /// Too large for a record, or with bytes that no record may have.
    pub refused: u64,
    /// What the receiver refused for good.
    pub set_aside: u64,
}

const NAME: &str = "losses";
const NEW: &str = "losses.new";
/// Some times what it can have.
const SIZE_MAX: u64 = 64 << 10;

impl Losses {
    /// What was kept; `None` if it cannot be read.
    pub(super) fn read(files: &mut impl Files) -> Option<Losses> {
        let bytes = match files.read(NAME, SIZE_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Losses::default()),
            result => result.ok()?,
        };
        let (sum, json) = bytes.split_at_checked(8)?;
        let right = sum == format!("{:08x}", crc32fast::hash(json)).as_bytes();
        right.then(|| serde_json::from_slice(json).ok()).flatten()
    }

    /// Durable when it returns.
    pub(super) fn write(&self, files: &mut impl Files) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        let mut bytes = format!("{:08x}", crc32fast::hash(&json)).into_bytes();
        bytes.extend(json);
        // One that a crash or a full disk left.
        match files.remove(NEW) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        files.create(NEW)?;
        let written = files.append(NEW, &bytes).and_then(|()| files.sync(NEW));
        files.close(NEW);
        written?;
        files.rename(NEW, NAME)?;
        files.sync_directory()
    }

    pub(super) fn evict(&mut self, severity: u8, records: u64) {
        if records > 0 {
            *self.evicted.entry(severity).or_default() += records;
        }
    }

    /// What was evicted since it was `before`.
    pub(super) fn evicted_since(&self, before: &Losses) -> BTreeMap<u8, u64> {
        let since = |(severity, now): (&u8, &u64)| (*severity, now - before.evicted.get(severity).unwrap_or(&0));
        self.evicted.iter().map(since).filter(|(_, records)| *records > 0).collect()
    }
}
