//! Reads in `/proc` who has which file open or mapped, and what is mounted.

use super::{Holders, Uncertain};
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Descriptors that are looked at in one walk.
const DESCRIPTORS_MAX: usize = 4 << 20;
/// `KCMP_FILES` (include/uapi/linux/kcmp.h).
const KCMP_FILES: libc::c_long = 2;

type Set<T> = HashSet<T, ahash::RandomState>;

/// What is known while walking.
struct Walk<'a> {
    wanted: &'a HashSet<u64>,
    inodes: Set<u64>,
    devices: Set<u32>,
    /// Mount namespaces that were looked into, those that something keeps, and the views of them that were read: who is in a
    /// `chroot` sees less.
    namespaces: Set<u64>,
    kept_namespaces: Set<u64>,
    views: Set<(u64, u64, u64)>,
    /// No process kept its mounts from the sensor.
    mounts_seen: bool,
    descriptors: usize,
}

/// Who has any of the wanted inodes, and what is mounted.
pub(super) fn holders(proc: &Path, wanted: &HashSet<u64>) -> Result<Holders, Uncertain> {
    let mut walk = Walk {
        wanted,
        inodes: Set::default(),
        devices: Set::default(),
        namespaces: Set::default(),
        kept_namespaces: Set::default(),
        views: Set::default(),
        mounts_seen: true,
        descriptors: 0,
    };
    for pid in numbers(proc)? {
        walk.process(&proc.join(pid.to_string()), pid)?;
    }
    let all_seen = walk.mounts_seen && walk.kept_namespaces.is_subset(&walk.namespaces);
    Ok(Holders { inodes: walk.inodes, devices: all_seen.then_some(walk.devices) })
}

impl Walk<'_> {
    fn process(&mut self, directory: &Path, pid: u32) -> Result<(), Uncertain> {
        self.mounts_seen &= self.mounts(directory).is_ok();
        self.descriptors(directory, pid)?;
        let mut mapped = self.maps(directory)?;
        // Threads share what is mapped, and mostly descriptors; not with a first thread that has ended before the others.
        for thread in numbers(&directory.join("task"))?.into_iter().filter(|thread| *thread != pid) {
            let task = directory.join("task").join(thread.to_string());
            if !same_descriptors(pid, thread) {
                self.descriptors(&task, pid)?;
            }
            if !mapped {
                mapped = self.maps(&task)?;
            }
        }
        Ok(())
    }

    fn descriptors(&mut self, task: &Path, pid: u32) -> Result<(), Uncertain> {
        for descriptor in numbers(&task.join("fd"))? {
            self.descriptors += 1;
            if self.descriptors > DESCRIPTORS_MAX {
                return Err(Uncertain::TooMany(DESCRIPTORS_MAX));
            }
            let path = task.join("fd").join(descriptor.to_string());
            let Some(link) = there(&path, fs::read_link(&path))? else { continue };
            let link = link.to_string_lossy();
            let is_socket = link.starts_with("socket:");
            if (is_socket || link == "anon_inode:[io_uring]")
                && self.hides(&task.join("fdinfo").join(descriptor.to_string()))?
            {
                return Err(Uncertain::Hidden(pid));
            }
            if let Some(number) = link.strip_prefix("mnt:[").and_then(|rest| rest.strip_suffix(']')?.parse().ok()) {
                self.kept_namespaces.insert(number);
            }
            // Pipes and sockets say their numbers; of what hangs (NFS, FUSE), stat would.
            let in_link = link.strip_prefix("pipe:[").or_else(|| link.strip_prefix("socket:["));
            let inode = match in_link.and_then(|rest| rest.strip_suffix(']')?.parse::<u64>().ok()) {
                Some(inode) => Some(inode),
                None => there(&path, fs::metadata(&path))?.map(|data| data.ino()),
            };
            self.has(inode);
        }
        Ok(())
    }

    /// Whether descriptors wait in that socket (`scm_fds`, `unix_show_fdinfo`, 5.6), or files are registered with that io_uring
    /// (`UserFiles`, `io_uring_show_fdinfo`, 5.10): no process has these.
    fn hides(&self, info: &Path) -> Result<bool, Uncertain> {
        let Some(text) = there(info, fs::read_to_string(info))? else { return Ok(false) };
        let count = |line: &str| {
            let count = line.strip_prefix("scm_fds:").or_else(|| line.strip_prefix("UserFiles:"))?;
            count.trim().parse::<u64>().ok()
        };
        Ok(text.lines().filter_map(count).any(|count| count > 0))
    }

    /// `false`: nothing is mapped there.
    fn maps(&mut self, task: &Path) -> Result<bool, Uncertain> {
        let path = task.join("maps");
        let Some(file) = there(&path, fs::File::open(&path))? else { return Ok(false) };
        let mut any = false;
        for line in BufReader::new(file).split(b'\n') {
            let Some(line) = there(&path, line)? else { return Ok(any) };
            any = true;
            // Address, permissions, offset, device, inode, path.
            let inode = line.split(|byte| *byte == b' ').nth(4);
            self.has(inode.and_then(|inode| std::str::from_utf8(inode).ok()?.parse().ok()));
        }
        Ok(any)
    }

    fn mounts(&mut self, process: &Path) -> Result<(), Uncertain> {
        let namespace = process.join("ns/mnt");
        let Some(namespace) = there(&namespace, fs::metadata(&namespace))?.map(|data| data.ino()) else {
            return Ok(());
        };
        let root = process.join("root");
        let Some(root) = there(&root, fs::metadata(&root))? else { return Ok(()) };
        if !self.views.insert((namespace, root.dev(), root.ino())) {
            return Ok(());
        }
        let path = process.join("mountinfo");
        let Some(text) = there(&path, fs::read(&path))? else { return Ok(()) };
        // Not before it was read to its end.
        self.namespaces.insert(namespace);
        for line in text.split(|byte| *byte == b'\n') {
            // Id, parent, device, root, ... (`show_mountinfo`, fs/proc_namespace.c)
            let mut fields = line.split(|byte| *byte == b' ').skip(2);
            let mut field = || fields.next().and_then(|field| std::str::from_utf8(field).ok()).unwrap_or_default();
            let (device, root) = (field(), field());
            let numbers = device
                .split_once(':')
                .and_then(|(major, minor)| Some(major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?));
            self.devices.extend(numbers);
            if let Some(number) = root.strip_prefix("mnt:[").and_then(|rest| rest.strip_suffix(']')?.parse().ok()) {
                self.kept_namespaces.insert(number);
            }
        }
        Ok(())
    }

    fn has(&mut self, inode: Option<u64>) {
        self.inodes.extend(inode.filter(|inode| self.wanted.contains(inode)));
    }
}

/// Whether two threads have the same table of descriptors, if the kernel tells (CONFIG_KCMP).
fn same_descriptors(one: u32, other: u32) -> bool {
    let (one, other) = (libc::c_long::from(one), libc::c_long::from(other));
    // SAFETY: kcmp(2) takes numbers only, and changes nothing.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0 as libc::c_long, 0 as libc::c_long) == 0 }
}

/// The numbers among the names in a directory; none if it is gone.
fn numbers(directory: &Path) -> Result<Vec<u32>, Uncertain> {
    let Some(entries) = there(directory, fs::read_dir(directory))? else { return Ok(Vec::new()) };
    let mut numbers = Vec::new();
    for entry in entries {
        let Some(entry) = there(directory, entry)? else { break };
        numbers.extend(entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(numbers)
}

/// `None` for what belongs to a process that has ended.
fn there<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>, Uncertain> {
    match result {
        Ok(value) => Ok(Some(value)),
        // A process without a memory of its own, or that ends (proc_root_link, proc_fd_link), or a file system that gave up.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Uncertain::Unreadable { path: PathBuf::from(path), reason: error.to_string() }),
    }
}
