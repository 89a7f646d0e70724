//! Finds the cgroup hierarchies, and reads the cgroups that were there before the sensor into events.
//!
//! Read as bytes: mount points and cgroup names may be anything.

use crate::event::text::{TEXT_MAX, lossless};
use crate::event::{Actor, Body, BootTime, Cgroup, CgroupKey, Event, Workload};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Inode number of every cgroup hierarchy's root directory (kernfs gives its root node 1, fs/kernfs/dir.c).
const ROOT_INODE: u64 = 1;

/// The v1 controllers by which workloads are told apart, best first: every runtime puts containers into these.
const IDENTIFYING: [&str; 4] = ["pids", "devices", "freezer", "memory"];

/// The hierarchies of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchies {
    /// The root of the cgroup v2 hierarchy, where programs are attached.
    pub unified: PathBuf,
    /// On hybrid hosts, the v1 hierarchy that holds the containers.
    pub legacy: Option<Legacy>,
}

/// A cgroup v1 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// Its number, as in `/proc/PID/cgroup`.
    pub hierarchy: u32,
    /// The controller that it was chosen by. The kernel's index of it is `CONTROLLER_cgrp_id` of `enum cgroup_subsys_id`.
    pub controller: &'static str,
    /// The directory of its root cgroup.
    pub root: PathBuf,
}

/// Why the hierarchies were not found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of `/proc` cannot be read.
    #[error("{path} cannot be read ({source}): mount the host's /proc there")]
    Proc {
        /// The file.
        path: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// No cgroup2 mount at all.
    #[error(
        "/proc/self/mountinfo has no cgroup2 mount: mount one (mount -t cgroup2 none /sys/fs/cgroup), or give the sensor's container the host's /sys/fs/cgroup"
    )]
    NoUnified,
    /// Only mounts of a part of the hierarchy.
    #[error("{} is not the root of the cgroup v2 hierarchy, so the sensor would see its own container only: run it in the host's cgroup namespace (hostPID and privileged, or --cgroupns=host), or give it the host's /sys/fs/cgroup", .found.display())]
    NotTheRoot {
        /// The first cgroup2 mount that was found.
        found: PathBuf,
    },
}

/// What a walk through a hierarchy gave.
#[derive(Debug, Default)]
pub struct Scan {
    /// One [`Body::Cgroup`] a cgroup, parents before their children.
    pub events: Vec<Event>,
    /// Whether the limit left cgroups out.
    pub cut: bool,
}

impl Hierarchies {
    /// Finds the hierarchies in `/proc/self/mountinfo` and `/proc/self/cgroup`.
    ///
    /// # Errors
    /// Those files cannot be read, or no mount shows the whole cgroup v2 hierarchy.
    pub fn find() -> Result<Hierarchies, Error> {
        let read = |path| fs::read(path).map_err(|source| Error::Proc { path, source });
        let mounts = mounts(&read("/proc/self/mountinfo")?);
        let lines = read("/proc/self/cgroup")?;
        Hierarchies::choose(&mounts, &lines, |path| {
            fs::symlink_metadata(path).is_ok_and(|data| data.ino() == ROOT_INODE)
        })
    }

    /// Chooses among `mounts`; `whole` tells whether a directory is its hierarchy's root. What mountinfo says of a mount's root
    /// is not asked: it is relative to the reader's cgroup namespace.
    pub(super) fn choose(
        mounts: &[Mount],
        own_cgroups: &[u8],
        whole: impl Fn(&Path) -> bool,
    ) -> Result<Hierarchies, Error> {
        let mut unified = mounts.iter().filter(|mount| mount.kind == b"cgroup2");
        let first = unified.clone().next().ok_or(Error::NoUnified)?;
        let unified = unified.find(|mount| whole(&mount.point));
        let unified = unified.ok_or_else(|| Error::NotTheRoot { found: first.point.clone() })?;
        let legacy = IDENTIFYING.into_iter().find_map(|controller| {
            let holds = |options: &[u8]| options.split(|byte| *byte == b',').any(|o| o == controller.as_bytes());
            let mut legacy = mounts.iter().filter(|mount| mount.kind == b"cgroup" && holds(&mount.options));
            let root = legacy.find(|mount| whole(&mount.point))?.point.clone();
            Some(Legacy { hierarchy: hierarchy_of(own_cgroups, controller)?, controller, root })
        });
        Ok(Hierarchies { unified: unified.point.clone(), legacy })
    }

    /// The hierarchy that says what a process is part of, and its root directory: the v1 one on hybrid hosts, else v2 (0).
    pub fn identifying(&self) -> (u32, &Path) {
        match &self.legacy {
            Some(legacy) => (legacy.hierarchy, &legacy.root),
            None => (0, &self.unified),
        }
    }
}

/// Reads the cgroups at and below `root`, the root directory of `hierarchy`, at most `limit`, those nearest the root first.
/// Cgroups that go or come meanwhile are left out; new ones are told by the kernel if it is asked before this is called.
pub fn scan(root: &Path, hierarchy: u32, time: BootTime, limit: usize) -> Scan {
    let mut scan = Scan::default();
    let Ok(data) = fs::symlink_metadata(root) else { return scan };
    let mut waiting = VecDeque::from([(root.to_path_buf(), b"/".to_vec(), data.ino())]);
    while let Some((directory, path, id)) = waiting.pop_front() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            // Those that wait will be told too.
            if scan.events.len() + waiting.len() + 1 >= limit {
                scan.cut = true;
                break;
            }
            let mut below = path.clone();
            if !below.ends_with(b"/") {
                below.push(b'/');
            }
            below.extend_from_slice(entry.file_name().as_bytes());
            waiting.push_back((entry.path(), below, entry.ino()));
        }
        let cgroup = Cgroup { key: CgroupKey { hierarchy, id }, path: lossless(&path, TEXT_MAX) };
        scan.events.push(Event::new(time, None, Actor::default(), Body::Cgroup(cgroup)));
    }
    scan
}

/// Most cgroups that are looked at to find a container.
const FIND_MAX: usize = 65_536;

/// The workloads that are there now and are called so: by the beginning of their container's id, or by their whole
/// `weir.workload.id`. Each once, as its outermost cgroup has it.
///
/// # Errors
/// As [`Hierarchies::find`].
pub fn find(called: &str) -> Result<Vec<Workload>, Error> {
    let hierarchies = Hierarchies::find()?;
    let (hierarchy, root) = hierarchies.identifying();
    let mut found: Vec<Workload> = Vec::new();
    for event in scan(root, hierarchy, BootTime(0), FIND_MAX).events {
        let Body::Cgroup(cgroup) = event.body else { continue };
        let workload = super::parse(&cgroup.path);
        let is_called = *workload.id == *called
            || (!called.is_empty() && workload.container_id.as_ref().is_some_and(|id| id.starts_with(called)));
        if is_called && !found.iter().any(|other| other.id == workload.id) {
            found.push(workload);
        }
    }
    Ok(found)
}

/// What is used of a line of `/proc/PID/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) point: PathBuf,
    pub(super) kind: Vec<u8>,
    /// Of the superblock: for cgroup v1 the controllers among them.
    pub(super) options: Vec<u8>,
}

/// Fields 5, and 1 and 3 after the separator (proc_pid_mountinfo(5)). A line that is not understood is left out.
pub(super) fn mounts(mountinfo: &[u8]) -> Vec<Mount> {
    let line = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ');
        let point = fields.nth(4)?;
        let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
        let (kind, options) = (fields.next()?, fields.nth(1)?);
        let point = PathBuf::from(OsString::from_vec(unescape(point)));
        Some(Mount { point, kind: kind.to_vec(), options: options.to_vec() })
    };
    mountinfo.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// Mountinfo writes space, tab, newline and backslash as `\` and three octal digits (seq_path, fs/seq_file.c).
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// The number of the v1 hierarchy that has `controller`, from lines of `/proc/PID/cgroup`. `/proc/cgroups` is not asked:
/// newer kernels leave controllers out of it.
fn hierarchy_of(lines: &[u8], controller: &str) -> Option<u32> {
    lines.split(|byte| *byte == b'\n').find_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let id = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let mut controllers = parts.next()?.split(|byte| *byte == b',');
        controllers.any(|name| name == controller.as_bytes()).then_some(id)
    })
}
