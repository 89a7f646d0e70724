//! Classified files that processes had open or mapped before the sensor looked: a server that was started last week holds its weights
//! too. What they did with them before is not known.

use crate::event::{Access, Body, Class, Classes, Event, File, FileId, Open};
use crate::provenance::ClassTable;
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most descriptors, and most mappings, that are looked at of one process.
const EACH: usize = 65_536;
/// Most files that are told of one process.
const TOLD: usize = 4096;

/// What the process of `found` ([`Body::ProcessFound`]) has open or mapped of classified files, as opens.
pub fn of(found: &Event, classes: &ClassTable) -> Vec<Event> {
    let Some(process) = found.actor.process else { return Vec::new() };
    let directory = PathBuf::from(format!("/proc/{}", process.pid));
    let mut seen = HashSet::new();
    let mut files = descriptors(&directory);
    files.extend(mappings(&directory));
    files
        .into_iter()
        .filter_map(|(file, flags)| {
            let classes = classes.settle(&file);
            let known = file.id.is_some_and(|id| !seen.insert(id));
            let access = Access::from_flags(flags);
            if known || !held(classes) || !matches!(access, Access::Read | Access::ReadWrite) {
                return None;
            }
            let file = File { classes, ..file };
            let open = Open { file, access, flags, io_uring: false, candidate: false, carrier: false, created: false };
            Some(Event::new(found.time, None, found.actor.clone(), Body::Open(open)))
        })
        .take(TOLD)
        .collect()
}

/// Start-up code is open in every interpreter, and nobody holds it.
fn held(classes: Classes) -> bool {
    [Class::Weights, Class::Dataset, Class::Secret].into_iter().any(|class| classes.contains(class))
}

fn descriptors(directory: &Path) -> Vec<(File, u32)> {
    let Ok(entries) = fs::read_dir(directory.join("fd")) else { return Vec::new() };
    let open = |entry: fs::DirEntry| {
        let path = fs::read_link(entry.path()).ok().filter(|path| path.is_absolute())?;
        let data = fs::metadata(entry.path()).ok().filter(Metadata::is_file)?;
        let info = fs::read_to_string(directory.join("fdinfo").join(entry.file_name())).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        Some((file(&path, &data), u32::from_str_radix(flags.trim(), 8).ok()?))
    };
    entries.filter_map(Result::ok).take(EACH).filter_map(open).collect()
}

/// By `map_files`, whose links lead to the mapped file itself, whatever its name leads to by now.
fn mappings(directory: &Path) -> Vec<(File, u32)> {
    let Ok(entries) = fs::read_dir(directory.join("map_files")) else { return Vec::new() };
    let mapped = |entry: fs::DirEntry| {
        let path = fs::read_link(entry.path()).ok()?;
        let data = fs::metadata(entry.path()).ok().filter(Metadata::is_file)?;
        Some((file(&path, &data), 0))
    };
    entries.filter_map(Result::ok).take(EACH).filter_map(mapped).collect()
}

fn file(path: &Path, data: &Metadata) -> File {
    let path = path.as_os_str().as_bytes();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let device = rustix::fs::major(data.dev()) << 20 | rustix::fs::minor(data.dev()) & 0xf_ffff;
    File {
        id: Some(FileId { device, inode: data.ino() }),
        path: crate::event::text::lossless(path, crate::event::text::TEXT_MAX),
        size: data.size(),
        mode: data.mode(),
        uid: data.uid(),
        links: u32::try_from(data.nlink()).unwrap_or(u32::MAX),
        changed_unix_nanos: data.ctime().saturating_mul(1_000_000_000).saturating_add(data.ctime_nsec()),
        ..File::default()
    }
}
