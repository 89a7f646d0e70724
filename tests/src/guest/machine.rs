//! What a machine has that a bare kernel has not: file systems, modules, a loopback interface, and a way to be switched off.

use crate::Context;
use rustix::mount::{MountFlags, mount, mount_bind, mount_move};
use rustix::system::{RebootCommand, finit_module, reboot, uname};
use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// File systems: kind, where, options.
const MOUNTS: &[(&str, &str, &CStr)] = &[
    ("proc", "/proc", c""),
    ("sysfs", "/sys", c""),
    ("devtmpfs", "/dev", c"mode=755"),
    ("tmpfs", "/dev/shm", c"mode=1777"),
    ("tmpfs", "/run", c"mode=755"),
    ("tmpfs", "/tmp", c"mode=1777"),
    ("cgroup2", "/sys/fs/cgroup", c""),
    ("bpf", "/sys/fs/bpf", c""),
    ("securityfs", "/sys/kernel/security", c""),
    ("tracefs", "/sys/kernel/tracing", c""),
];

/// Mounts what there is to mount.
pub fn mount_all() -> io::Result<()> {
    leave_rootfs()?;
    for (kind, target, options) in MOUNTS {
        // In sysfs nothing can be made: what is not there, this kernel has not.
        let made = fs::create_dir_all(target);
        if target.starts_with("/sys/") && made.is_err() {
            continue;
        }
        made.and_then(|()| Ok(mount(*kind, *target, *kind, MountFlags::empty(), *options)?))
            .context(|| format!("mounting {kind} on {target}"))?;
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(target, Path::new("/dev").join(name))?;
    }
    fs::set_permissions("/tmp", fs::Permissions::from_mode(0o1777))
}

/// The file system that the kernel begins with cannot be left by pivot_root(2), which containers need. A second mount of the same on
/// top of it can.
fn leave_rootfs() -> io::Result<()> {
    const TOP: &str = "/new-root";
    fs::create_dir_all(TOP)?;
    mount_bind("/", TOP).context(|| "mounting the root once more".into())?;
    std::env::set_current_dir(TOP)?;
    mount_move(".", "/").context(|| "moving the root".into())?;
    rustix::process::chroot(".").context(|| "entering the root".into())?;
    std::env::set_current_dir("/")
}

/// Loads a kernel module.
pub fn load(module: &Path) -> io::Result<()> {
    let what = || format!("loading {}", module.display());
    let file = File::open(module).context(what)?;
    match finit_module(&file, c"", 0) {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        done => done.context(what),
    }
}

/// Settings that a system's own start would have made.
pub fn settle() -> io::Result<()> {
    let ip = std::process::Command::new("/bin/ip").args(["link", "set", "lo", "up"]).status();
    if !ip.context(|| "ip link set lo up".into())?.success() {
        return Err(io::Error::other("ip link set lo up failed"));
    }
    // Some kernels come with io_uring switched off.
    const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";
    if Path::new(SWITCH).exists() {
        fs::write(SWITCH, "0").context(|| SWITCH.into())?;
    }
    Ok(())
}

/// The release of the kernel.
pub fn release() -> String {
    uname().release().to_string_lossy().into_owned()
}

/// Switches the machine off, once everything is said.
pub fn off(line: Option<File>) -> ! {
    if let Some(line) = line {
        // SAFETY: the descriptor is open as long as `line` lives; nothing else is touched.
        unsafe { libc::tcdrain(line.as_raw_fd()) };
    }
    // A kernel that cannot starts again instead, and the host does not let it.
    let _ = reboot(RebootCommand::PowerOff);
    let _ = reboot(RebootCommand::Restart);
    // The end of the first process is the kernel's end as well.
    std::process::exit(1)
}
