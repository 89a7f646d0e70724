//! Cgroups in every hierarchy that the machine has, as container runtimes make them: v2, and on hybrid machines v1 as well.

use crate::{Context, wait};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A mounted hierarchy.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    /// Where.
    pub mount: PathBuf,
    /// Version 2.
    pub unified: bool,
    /// v1 with the controller `cpuset`, which takes no process before it has been given processors and memory.
    cpuset: bool,
}

/// The hierarchies of this machine, from mountinfo.
pub fn hierarchies() -> io::Result<Vec<Hierarchy>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mut found = Vec::new();
    let mut devices = Vec::new();
    for line in mounts.lines() {
        // ID PARENT MAJOR:MINOR ROOT MOUNT OPTIONS [FIELD ...] - TYPE SOURCE SUPER-OPTIONS (proc(5))
        let Some((front, back)) = line.split_once(" - ") else { continue };
        let (front, back): (Vec<_>, Vec<_>) = (front.split(' ').collect(), back.split(' ').collect());
        let (Some(device), Some(root), Some(mount)) = (front.get(2), front.get(3), front.get(4)) else { continue };
        let (Some(kind), Some(options)) = (back.first(), back.get(2)) else { continue };
        if matches!(*kind, "cgroup" | "cgroup2") && *root == "/" && !devices.contains(device) {
            devices.push(device);
            let cpuset = *kind == "cgroup" && options.split(',').any(|option| option == "cpuset");
            found.push(Hierarchy { mount: unescape(mount).into(), unified: *kind == "cgroup2", cpuset });
        }
    }
    if found.iter().any(|hierarchy| hierarchy.unified) {
        return Ok(found);
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "no cgroup2 file system is mounted: mount one at /sys/fs/cgroup"))
}

/// Makes `path` in each hierarchy; the directories, that of v2 first.
pub fn create(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut hierarchies = hierarchies()?;
    hierarchies.sort_by_key(|hierarchy| !hierarchy.unified);
    let mut made = Vec::new();
    for hierarchy in hierarchies {
        let mut directory = hierarchy.mount.clone();
        for component in path.components() {
            let parent = directory.clone();
            directory.push(component);
            match fs::create_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => done.context(|| directory.display().to_string())?,
            }
            if hierarchy.cpuset {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    fs::write(directory.join(file), fs::read(parent.join(file))?)
                        .context(|| directory.join(file).display().to_string())?;
                }
            }
        }
        made.push(directory);
    }
    Ok(made)
}

/// Moves the calling process into the cgroups.
pub fn join(directories: &[PathBuf]) -> io::Result<()> {
    for directory in directories {
        let file = directory.join("cgroup.procs");
        fs::write(&file, "0").context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Removes `path` with all below it from each hierarchy, killing what runs there.
pub fn remove(path: &Path) -> io::Result<()> {
    for hierarchy in hierarchies()? {
        let top = hierarchy.mount.join(path);
        // A process that was killed leaves its cgroup some time later, and until then the directory is busy.
        wait::until(wait::PATIENCE, &format!("removing {}", top.display()), || {
            for directory in tree(&top) {
                kill_all(&directory);
                let _ = fs::remove_dir(&directory);
            }
            (!top.exists()).then_some(())
        })?;
    }
    Ok(())
}

/// The directory and all below, deepest first.
fn tree(top: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(top) else { return Vec::new() };
    let children = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut all: Vec<PathBuf> = children.flat_map(|child| tree(&child.path())).collect();
    all.push(top.to_owned());
    all
}

fn kill_all(directory: &Path) {
    let processes = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    // A process that is not in our pid namespace is listed as 0, which would mean ourselves: `from_raw` refuses it.
    for pid in processes.lines().filter_map(|line| rustix::process::Pid::from_raw(line.parse().ok()?)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// mountinfo writes blanks, tabs, newlines and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}
