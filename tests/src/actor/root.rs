//! The container's root directory: what an image would be, in a mount namespace of its own.

use crate::Context;
use crate::scene::Container;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change, mount_remount, unmount,
};
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Something of the host's, to be seen.
pub struct Bind<'a> {
    pub source: &'a Path,
    pub target: &'a Path,
    pub read_only: bool,
}

/// Builds the root on `place`, an empty directory, and makes it the root of this process, which must have its own mount namespace
/// already. Nothing that is mounted here is seen by the host.
pub fn change(place: &Path, binds: &[Bind<'_>], overlay: bool) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .context(|| "making / private".into())?;
    tmpfs(place, c"mode=755")?;
    let root = if overlay {
        let layers = ["image", "upper", "work", "merged"].map(|name| place.join(name));
        for layer in &layers {
            fs::create_dir(layer)?;
        }
        let [image, upper, work, merged] = &layers;
        populate(image)?;
        let mut options = b"lowerdir=".to_vec();
        for (name, layer) in [("", image), (",upperdir=", upper), (",workdir=", work)] {
            options.extend(name.as_bytes());
            options.extend(layer.as_os_str().as_bytes());
        }
        let options = CString::new(options)?;
        mount("overlay", merged, "overlay", MountFlags::empty(), options.as_c_str())
            .context(|| "mounting an overlay".into())?;
        merged.clone()
    } else {
        populate(place)?;
        place.to_owned()
    };
    system(&root)?;
    for bind in binds {
        self::bind(bind.source, &below(&root, bind.target), bind.read_only)?;
    }
    // The old root is mounted over the new one and then taken away: pivot_root(2), "pivot_root(".", ".")".
    std::env::set_current_dir(&root)?;
    rustix::process::pivot_root(".", ".").context(|| "pivot_root".into())?;
    unmount(".", UnmountFlags::DETACH).context(|| "leaving the old root".into())?;
    std::env::set_current_dir("/")
}

/// Files of its own.
fn populate(image: &Path) -> io::Result<()> {
    for directory in ["dev", "etc", "opt/weir", "proc", "tmp"] {
        fs::create_dir_all(image.join(directory))?;
    }
    fs::set_permissions(image.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    fs::write(image.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    let actor = below(image, Path::new(Container::ACTOR));
    fs::copy("/proc/self/exe", &actor).context(|| format!("copying this program to {}", actor.display()))?;
    fs::set_permissions(actor, fs::Permissions::from_mode(0o755))
}

/// The host's programs and libraries, and what the kernel provides.
fn system(root: &Path) -> io::Result<()> {
    for name in ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        let source = Path::new("/").join(name);
        match fs::symlink_metadata(&source) {
            Ok(kind) if kind.is_symlink() => symlink(fs::read_link(&source)?, root.join(name))?,
            Ok(_) => bind(&source, &root.join(name), true)?,
            Err(_) => {}
        }
    }
    let hardened = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", root.join("proc"), "proc", hardened, None).context(|| "mounting /proc".into())?;
    let devices = root.join("dev");
    tmpfs(&devices, c"mode=755")?;
    for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        let path = devices.join(name);
        mknodat(CWD, &path, FileType::CharacterDevice, Mode::empty(), rustix::fs::makedev(1, minor))
            .context(|| path.display().to_string())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    }
    symlink("/proc/self/fd", devices.join("fd"))?;
    fs::create_dir(devices.join("shm"))?;
    tmpfs(&devices.join("shm"), c"mode=1777")
}

fn tmpfs(target: &Path, options: &std::ffi::CStr) -> io::Result<()> {
    mount("tmpfs", target, "tmpfs", MountFlags::empty(), options)
        .context(|| format!("mounting a tmpfs on {}", target.display()))
}

fn bind(source: &Path, target: &Path, read_only: bool) -> io::Result<()> {
    let what = || format!("showing {} at {}", source.display(), target.display());
    if fs::metadata(source).context(what)?.is_dir() {
        fs::create_dir_all(target).context(what)?;
    } else {
        fs::create_dir_all(target.parent().unwrap_or(target)).context(what)?;
        File::create(target).context(what)?;
    }
    mount_bind_recursive(source, target).context(what)?;
    if read_only {
        mount_remount(target, MountFlags::BIND | MountFlags::RDONLY, OsStr::new("")).context(what)?;
    }
    Ok(())
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
