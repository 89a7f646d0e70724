//! Makes room in the kernel's table of what carries something: when it is more than half full, what is certainly gone is taken out.
//!
//! Counting, reading and judging go on a thread of their own ([`Sweeper`]); taken out here is only what nobody used meanwhile. What
//! a thing is, its device says: pipes, sockets and memory without a name have devices of their own, which nobody can mount.

use super::sweep::{self, Entry, Kind, Sweeper};
use crate::event::BootTime;
use crate::kernel::{Carried, Census, Labels, TableError};
use rustix::fs::{MemfdFlags, fstat, major, memfd_create, minor};
use sensor_common::label::{COOKIE, NOT_ACCEPTED};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// How often it is counted, at most.
const EVERY: Duration = Duration::from_secs(60);

/// The kernel's table, looked after.
pub struct Carriers {
    census: Arc<Census>,
    sweeper: Sweeper,
    devices: Devices,
    every: Duration,
    next: BootTime,
    /// When the sweep under way began.
    begun: BootTime,
    removed: u64,
    used_again: u64,
}

impl Carriers {
    /// Of that table; what nobody used for `idle` may go.
    ///
    /// # Errors
    /// [`TableError::Map`] when there are no more descriptors.
    pub fn new(labels: &Labels, idle: Duration) -> Result<Carriers, TableError> {
        let failed = |error: io::Error| TableError::Map { name: "CARRIERS", reason: error.to_string() };
        Ok(Carriers {
            census: labels.census(),
            sweeper: Sweeper::new(idle),
            devices: Devices::find().map_err(failed)?,
            every: EVERY.min(idle),
            next: BootTime::default(),
            begun: BootTime::default(),
            removed: 0,
            used_again: 0,
        })
    }

    /// Takes out what a sweep has found to be gone, and begins the next one when it is time. Never waits.
    pub fn keep_house(&mut self, now: BootTime, labels: &mut Labels) {
        let gone = self.sweeper.take().unwrap_or_default();
        if !gone.is_empty() {
            let removed = gone.iter().filter(|key| labels.forget(**key, self.begun)).count();
            self.removed += removed as u64;
            self.used_again += (gone.len() - removed) as u64;
            tracing::info!(removed, total = self.removed, "what carried content and is no more was taken out");
        }
        if now < self.next {
            return;
        }
        let (census, devices) = (Arc::clone(&self.census), self.devices);
        let entries = move || {
            let carried = census.crowded().unwrap_or_default();
            carried.into_iter().filter_map(|carried| devices.entry(carried, now)).collect()
        };
        if self.sweeper.start(entries) {
            (self.begun, self.next) = (now, now.plus(self.every));
        }
    }

    /// What became of all sweeps, by name.
    pub fn statistics(&self) -> Vec<(&'static str, u64)> {
        let sweep::Counts { swept, uncertain, gone: _ } = self.sweeper.counts();
        vec![
            ("sweeps", swept),
            ("sweeps_uncertain", uncertain),
            ("removed", self.removed),
            ("used_again", self.used_again),
        ]
    }
}

/// Devices of what has no name anywhere, as the kernel encodes them. A FIFO has that of its file system, a file in `/dev/shm` that of
/// the tmpfs that is mounted there.
#[derive(Clone, Copy)]
struct Devices {
    pipes: u32,
    sockets: u32,
    memory: u32,
}

impl Devices {
    fn find() -> io::Result<Devices> {
        Ok(Devices {
            pipes: device(io::pipe()?.0)?,
            sockets: device(UnixStream::pair()?.0)?,
            memory: device(memfd_create("weir", MemfdFlags::CLOEXEC)?)?,
        })
    }

    /// `None`: one that only the kernel side can tell to be gone.
    fn entry(self, carried: Carried, now: BootTime) -> Option<Entry> {
        let kind = match carried.key.device {
            COOKIE | NOT_ACCEPTED => return None,
            device if device == self.pipes => Kind::Pipe,
            device if device == self.sockets => Kind::Socket,
            device if device == self.memory => Kind::Memory,
            _ => Kind::File { unlinked: false },
        };
        Some(Entry { key: carried.key, kind, idle: now.since(BootTime(carried.used)) })
    }
}

fn device(file: impl AsFd) -> io::Result<u32> {
    let device = fstat(file)?.st_dev;
    Ok(major(device) << 20 | minor(device))
}
