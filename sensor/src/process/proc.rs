//! Reads `/proc` into events: the processes that were there before the sensor, and those that it missed.
//!
//! The files are read as bytes, not through a library: one process with a name that is not UTF-8 must not be able to hide
//! itself, or all others, from a parser that expects text.

use crate::event::text::{TEXT_MAX, lossless};
use crate::event::{Actor, Body, BootTime, Cgroup, CgroupKey, Event, ProcessFound, ProcessKey};
use sensor_common::record::ARGS_MAX;
use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most bytes that are read of one file of `/proc/PID` other than `cmdline`; `status` has about 1,500.
const FILE_MAX: u64 = 64 * 1024;

/// What reads `/proc`.
#[derive(Clone, Debug)]
pub struct Reader {
    proc: PathBuf,
    cgroups: Option<CgroupView>,
}

/// The hierarchy whose cgroups say what a process is part of, and where it is mounted.
#[derive(Clone, Debug)]
pub struct CgroupView {
    /// 0 for cgroup v2, else the number of a v1 hierarchy.
    pub hierarchy: u32,
    /// The directory of the hierarchy's root cgroup.
    pub root: PathBuf,
}

/// What a look through `/proc` gave.
#[derive(Debug, Default)]
pub struct Found {
    /// One [`Body::ProcessFound`] a process, parents before their children.
    pub events: Vec<Event>,
    /// Processes beyond the limit, which were not read.
    pub left_out: u64,
}

impl Reader {
    /// Reads `/proc`; `cgroups` says which cgroup of a process is told with it.
    pub fn new(cgroups: Option<CgroupView>) -> Reader {
        Reader { proc: PathBuf::from("/proc"), cgroups }
    }

    /// Every process, at most `limit`. `time` is to be taken before the call, so that what events tell of later wins.
    ///
    /// # Errors
    /// `/proc` itself cannot be listed. Processes that end while they are read are left out.
    pub fn all(&self, time: BootTime, limit: usize) -> io::Result<Found> {
        let mut read = Vec::new();
        let mut left_out = 0;
        for entry in fs::read_dir(&self.proc)? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if read.len() >= limit {
                left_out += 1;
            } else if let Some((found, comm)) = self.process(pid) {
                read.push((found, comm));
            }
        }
        let events = parents_first(read).into_iter().map(|(found, comm)| event(time, found, comm)).collect();
        Ok(Found { events, left_out })
    }

    /// One process; `None` if it has ended (or never was). `time` is to be taken before the call.
    pub fn one(&self, pid: u32, time: BootTime) -> Option<Event> {
        self.process(pid).map(|(found, comm)| event(time, found, comm))
    }

    /// The process and its main thread's name.
    fn process(&self, pid: u32) -> Option<(ProcessFound, Box<str>)> {
        let directory = self.proc.join(pid.to_string());
        let stat = Stat::parse(&read(&directory.join("stat"), FILE_MAX)?)?;
        // A zombie runs nothing any more, and its exit has been told.
        if matches!(stat.state, b'Z' | b'X') {
            return None;
        }
        let status = Status::parse(&read(&directory.join("status"), FILE_MAX)?);
        let args = read(&directory.join("cmdline"), ARGS_MAX as u64).unwrap_or_default();
        let found = ProcessFound {
            key: ProcessKey { pid, start_ticks: stat.start_ticks },
            vpid: status.vpid,
            pid_namespace: namespace(&directory, "pid"),
            mount_namespace: namespace(&directory, "mnt"),
            parent_pid: Some(stat.parent_pid).filter(|pid| *pid != 0),
            executable: executable(&directory.join("exe")),
            args: split_args(&args),
            working_directory: link(&directory.join("cwd")).map(|path| lossless(&path, TEXT_MAX)).unwrap_or_default(),
            uid: status.uid,
            gid: status.gid,
            cgroup: self.cgroup(&directory),
        };
        // The pid may have been taken by another process between two reads.
        let again = Stat::parse(&read(&directory.join("stat"), FILE_MAX)?)?;
        (again.start_ticks == stat.start_ticks).then_some((found, stat.comm))
    }

    fn cgroup(&self, directory: &Path) -> Option<Cgroup> {
        let view = self.cgroups.as_ref()?;
        let lines = read(&directory.join("cgroup"), FILE_MAX)?;
        let path = cgroup_path(&lines, view.hierarchy)?;
        let below: PathBuf = std::ffi::OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path)).into();
        // Without its inode number (it was removed meanwhile) the path still tells the workload.
        let id = fs::symlink_metadata(view.root.join(below)).map(|data| data.ino()).unwrap_or(0);
        Some(Cgroup { key: CgroupKey { hierarchy: view.hierarchy, id }, path: lossless(path, TEXT_MAX) })
    }
}

/// The number of a namespace: the inode of what the link leads to (nsfs). 0 if it cannot be read.
fn namespace(directory: &Path, kind: &str) -> u32 {
    fs::metadata(directory.join("ns").join(kind)).map_or(0, |data| data.ino() as u32)
}

fn event(time: BootTime, found: ProcessFound, comm: Box<str>) -> Event {
    let actor = Actor {
        process: Some(found.key),
        vpid: found.vpid,
        comm,
        uid: found.uid,
        gid: found.gid,
        cgroup: found.cgroup.as_ref().map(|cgroup| cgroup.key).unwrap_or_default(),
        mount_namespace: found.mount_namespace,
        pid_namespace: found.pid_namespace,
        ..Actor::default()
    };
    Event::new(time, None, actor, Body::ProcessFound(found))
}

/// In an order in which every parent that is there comes before its children.
pub(super) fn parents_first<T>(read: Vec<(ProcessFound, T)>) -> Vec<(ProcessFound, T)> {
    let present: HashMap<u32, usize> = read.iter().enumerate().map(|(at, (found, _))| (found.key.pid, at)).collect();
    let mut children: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut next: VecDeque<usize> = VecDeque::new();
    for (at, (found, _)) in read.iter().enumerate() {
        match found.parent_pid.filter(|parent| present.contains_key(parent)) {
            Some(parent) => children.entry(parent).or_default().push(at),
            None => next.push_back(at),
        }
    }
    let mut left: Vec<Option<(ProcessFound, T)>> = read.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(at) = next.pop_front() {
        if let Some(process) = left.get_mut(at).and_then(Option::take) {
            next.extend(children.remove(&process.0.key.pid).unwrap_or_default());
            ordered.push(process);
        }
    }
    // A pid that was taken again while reading can close a ring of parents; nothing is dropped for it.
    ordered.extend(left.into_iter().flatten());
    ordered
}

/// A file's first `max` bytes; `None` if it cannot be read: the process has ended, or is not ours to look at.
fn read(path: &Path, max: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn link(path: &Path) -> Option<Vec<u8>> {
    fs::read_link(path).ok().map(|target| target.as_os_str().as_bytes().to_vec())
}

/// The target of `/proc/PID/exe` as exec events tell it. Empty for kernel threads.
fn executable(path: &Path) -> Box<str> {
    let target = link(path).unwrap_or_default();
    // The kernel marks a file without a name so (d_path, fs/d_path.c).
    lossless(target.strip_suffix(b" (deleted)").unwrap_or(&target), TEXT_MAX)
}

/// The arguments out of NUL-terminated ones.
fn split_args(bytes: &[u8]) -> Box<[Box<str>]> {
    match bytes.strip_suffix(b"\0").unwrap_or(bytes) {
        [] => Box::default(),
        args => args.split(|byte| *byte == 0).map(|arg| lossless(arg, TEXT_MAX)).collect(),
    }
}

/// The path in `/proc/PID/cgroup`'s line of `hierarchy` (`ID:CONTROLLERS:PATH`).
pub(super) fn cgroup_path(lines: &[u8], hierarchy: u32) -> Option<&[u8]> {
    lines.split(|byte| *byte == b'\n').find_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let id: u32 = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let path = parts.nth(1)?;
        // A zombie's or a moved process's removed cgroup is marked (cgroup_show_path users, kernel/cgroup/cgroup.c).
        (id == hierarchy).then(|| path.strip_suffix(b" (deleted)").unwrap_or(path))
    })
}

/// What is used of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) comm: Box<str>,
    pub(super) state: u8,
    pub(super) parent_pid: u32,
    pub(super) start_ticks: u64,
}

impl Stat {
    /// Fields 2, 3, 4 and 22 (proc_pid_stat(5)). The name stands in parentheses and may have any byte in it, so the last
    /// parenthesis ends it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Stat> {
        let open = bytes.iter().position(|byte| *byte == b'(')?;
        let close = bytes.iter().rposition(|byte| *byte == b')')?;
        let comm = lossless(bytes.get(open + 1..close)?, TEXT_MAX);
        let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent_pid = fields.next()?.parse().ok()?;
        let start_ticks = fields.nth(22 - 5)?.parse().ok()?;
        Some(Stat { comm, state, parent_pid, start_ticks })
    }
}

/// What is used of `/proc/PID/status`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) vpid: u32,
}

impl Status {
    /// The effective ids (second of four) and the pid in the innermost namespace (last of `NStgid`, 4.1).
    pub(super) fn parse(bytes: &[u8]) -> Status {
        let field = |name: &[u8]| {
            let line = bytes.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name))?;
            std::str::from_utf8(line).ok()
        };
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        Status {
            uid: number(field(b"Uid:").and_then(|ids| ids.split_ascii_whitespace().nth(1))),
            gid: number(field(b"Gid:").and_then(|ids| ids.split_ascii_whitespace().nth(1))),
            vpid: number(field(b"NStgid:").and_then(|ids| ids.split_ascii_whitespace().last())),
        }
    }
}
