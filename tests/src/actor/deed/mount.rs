//! Changing the tree of directories, in a mount namespace that is made for it and goes with the process.

use super::call::{Argument, By, Number, call, words};
use super::{Done, What, namespace};
use crate::Context;
use crate::actor::open::{c_path, owned};
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

const MOUNT: Number = Number { here: Some(libc::SYS_mount), ia32: Some(21) };
const PIVOT_ROOT: Number = Number { here: Some(libc::SYS_pivot_root), ia32: Some(217) };
const MOVE_MOUNT: Number = Number { here: Some(libc::SYS_move_mount), ia32: Some(429) };
/// `OPEN_TREE_CLONE`, `MOVE_MOUNT_F_EMPTY_PATH` (include/uapi/linux/mount.h).
const CLONE: i32 = 1;
const EMPTY_PATH: i64 = 4;

/// Does it below `place`. The truth begins with the way there: a mount namespace, whose mounts are told to nobody.
pub fn mount(what: What, by: By, place: &Path) -> io::Result<Done> {
    let (source, target) = (place.join("source"), place.join("target"));
    for directory in [&source, &target] {
        fs::create_dir_all(directory).context(|| directory.display().to_string())?;
    }
    let namespace = match namespace::unshare(By::Call, libc::CLONE_NEWNS, "mnt")? {
        Ok(namespace) => namespace,
        Err(why) => return Ok(Err(why)),
    };
    let private = plain(By::Call, None, Path::new("/"), None, libc::MS_REC | libc::MS_PRIVATE)?;
    let done = match what {
        What::MountTmpfs => {
            plain(by, Some(Path::new("weir")), &target, Some("tmpfs"), libc::MS_NOSUID | libc::MS_NODEV)?
        }
        What::MountBind => plain(by, Some(&source), &target, None, libc::MS_BIND)?,
        What::MoveMount => move_mount(by, &source, &target)?,
        _ => {
            // The new root must be a mount.
            let root = plain(By::Call, Some(&source), &source, None, libc::MS_BIND)?;
            let pivoted = pivot_root(by, &source)?;
            match (root, pivoted) {
                (Ok(mut root), Ok(pivoted)) => {
                    root.extend(pivoted);
                    Ok(root)
                }
                (Err(why), _) | (_, Err(why)) => Err(why),
            }
        }
    };
    Ok(private.and_then(|private| done.map(|done| [vec![namespace], private, done].concat())))
}

/// mount(2)
fn plain(by: By, source: Option<&Path>, target: &Path, kind: Option<&str>, flags: u64) -> io::Result<Done> {
    let name = source.map(c_path).transpose()?;
    let place = c_path(target)?;
    let file_system = kind.map(|kind| c_path(Path::new(kind))).transpose()?;
    let or_null = |text| Option::map_or(text, Argument::Number(0), words);
    let arguments = [
        or_null(name.as_deref()),
        words(&place),
        or_null(file_system.as_deref()),
        Argument::Number(flags.cast_signed()),
        Argument::Number(0),
    ];
    // SAFETY: the names end with NUL and live through the call, which only reads them.
    let done = unsafe { call(by, MOUNT, &arguments) }.context(|| format!("mount {}", target.display()))?;
    Ok(done.map(|_| {
        vec![json!({
            "weir.event.kind": "mount",
            "weir.mount.how": "mount",
            "weir.mount.source": source.map(Path::to_string_lossy),
            "weir.mount.target": target.to_string_lossy(),
            "weir.mount.filesystem": kind,
            "weir.mount.flags": flags,
        })]
    }))
}

/// move_mount(2) of a copy of the mount that `source` is on, which has no place yet.
fn move_mount(by: By, source: &Path, target: &Path) -> io::Result<Done> {
    let (from, to) = (c_path(source)?, c_path(target)?);
    let flags = CLONE | libc::O_CLOEXEC;
    // SAFETY: the name ends with NUL and lives through the call, which only reads it.
    let tree = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, from.as_ptr(), flags) };
    let tree = match owned(tree) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            return Ok(Err("the kernel does not have open_tree (from 5.2)".into()));
        }
        tree => tree.context(|| format!("open_tree {}", source.display()))?,
    };
    let arguments = [
        Argument::Number(tree.as_raw_fd().into()),
        words(c""),
        Argument::Number(libc::AT_FDCWD.into()),
        words(&to),
        Argument::Number(EMPTY_PATH),
    ];
    // SAFETY: as above.
    let done = unsafe { call(by, MOVE_MOUNT, &arguments) }.context(|| format!("move_mount {}", target.display()))?;
    Ok(done.map(|_| vec![truth("move_mount", target, Value::Null)]))
}

/// pivot_root(2) into `root`, the old one below it.
fn pivot_root(by: By, root: &Path) -> io::Result<Done> {
    let old = root.join("old");
    fs::create_dir_all(&old).context(|| old.display().to_string())?;
    let (new, put_old) = (c_path(root)?, c_path(&old)?);
    // SAFETY: the names end with NUL and live through the call, which only reads them.
    let done = unsafe { call(by, PIVOT_ROOT, &[words(&new), words(&put_old)]) }
        .context(|| format!("pivot_root {}", root.display()))?;
    Ok(done.map(|_| vec![truth("pivot_root", root, old.to_string_lossy().into())]))
}

fn truth(how: &str, target: &Path, source: Value) -> Value {
    json!({
        "weir.event.kind": "mount",
        "weir.mount.how": how,
        "weir.mount.source": source,
        "weir.mount.target": target.to_string_lossy(),
        "weir.mount.filesystem": null,
        "weir.mount.flags": null,
    })
}
