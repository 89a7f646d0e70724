//! The machine the commands run on: where the checkout is, who runs them, and Debian's packages.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ui;

/// What a Debian or Ubuntu machine must have, beside Rust, for every command to work. The one list of them.
const PACKAGES: &[Package] = &[
    Package { name: "gcc", shown_by: "cc", why: "links Rust programs" },
    Package { name: "libc6-dev", shown_by: "/usr/include/stdio.h", why: "links Rust programs" },
    Package { name: "iproute2", shown_by: "ip", why: "makes the network namespaces of the tests" },
    Package { name: "xz-utils", shown_by: "xz", why: "unpacks the sources of Rust's core library" },
    Package { name: "ca-certificates", shown_by: "/etc/ssl/certs/ca-certificates.crt", why: "fetches over HTTPS" },
];

/// What `cargo xtask kernels` needs beside these.
pub const VIRTUAL_MACHINES: &[Package] = &[
    Package { name: "qemu-system-x86", shown_by: "qemu-system-x86_64", why: "runs other kernels in virtual machines" },
    Package { name: "kmod", shown_by: "kmod", why: "loads a module in a virtual machine" },
];

/// What the tests of the timeline's page look at it with; without them they are skipped.
pub const BROWSER: &[Package] = &[
    Package { name: "chromium", shown_by: "chromium", why: "opens the timeline's page in the tests" },
    Package { name: "poppler-utils", shown_by: "pdftotext", why: "reads what the page prints" },
];

/// What `cargo xtask image` needs beside Rust.
pub const IMAGES: &[Package] =
    &[Package { name: "buildah", shown_by: "buildah", why: "makes the container image, without a daemon" }];

/// What the tests of containers run; without them these are skipped.
pub const CONTAINERS: &[Package] = &[
    Package { name: "containerd", shown_by: "containerd", why: "runs the pods of the tests" },
    Package { name: "runc", shown_by: "runc", why: "starts their containers" },
    Package {
        name: "containernetworking-plugins",
        shown_by: "/usr/lib/cni/ptp",
        why: "gives pods networks of their own",
    },
];

/// A Debian package and how to tell that what it is for is there, whoever installed it.
pub struct Package {
    name: &'static str,
    /// A program on the PATH, or a file if it begins with `/`.
    shown_by: &'static str,
    why: &'static str,
}

/// Environment that is kept when root takes over: what decides which Rust is used and from where, and how to print.
const KEPT: &[&str] = &[
    "PATH",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_AUTO_INSTALL",
    "CARGO_TARGET_DIR",
    "CARGO_TERM_COLOR",
    "SOURCE_DATE_EPOCH",
    "WEIR_RUST_SRC",
    "WEIR_CHROMIUM",
    "WEIR_PDFTOTEXT",
    "CI",
    "NO_COLOR",
    "RUST_BACKTRACE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The root of the checkout: cargo says where this package is, else what it was when this program was built.
pub fn checkout() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}

/// The folder of build output that all commands share.
pub fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => checkout().join(dir),
        None => checkout().join("target"),
    }
}

/// Cargo's own folder: CARGO_HOME, else `~/.cargo`.
pub fn cargo_home() -> Result<PathBuf> {
    tool_home("CARGO_HOME", ".cargo")
        .context("neither CARGO_HOME nor HOME is set, so cargo's folder is unknown: set one")
}

fn tool_home(variable: &str, below_home: &str) -> Option<PathBuf> {
    match env::var_os(variable) {
        Some(dir) => Some(PathBuf::from(dir)),
        None => env::home_dir().map(|home| home.join(below_home)),
    }
}

/// The cargo that runs this, else the one on the PATH. In the checkout, so that the pinned toolchain is chosen.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(checkout());
    cargo
}

/// Whether this process may do all that the tests do.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Becomes root: does nothing if it already is, else starts this program again through sudo and does not return.
///
/// The user's Rust is kept (PATH, CARGO_HOME, RUSTUP_HOME), since root often has none; [`hand_back`] undoes the one
/// disadvantage of that.
pub fn become_root() -> Result<()> {
    if is_root() {
        return Ok(());
    }
    if !on_path("sudo") {
        bail!(
            "the tests load eBPF programs and make network namespaces, which only root may: run this as root or install sudo"
        );
    }
    ui::note("not root: starting again through sudo");
    let mut sudo = Command::new("sudo");
    sudo.arg("env");
    sudo.args(KEPT.iter().filter_map(|name| Some(assignment(name, env::var_os(name)?))));
    for (name, below_home) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        sudo.args(tool_home(name, below_home).map(|dir| assignment(name, dir.into())));
    }
    sudo.args(tool_home("XDG_CACHE_HOME", ".cache").map(|dir| assignment("XDG_CACHE_HOME", dir.into())));
    sudo.arg(assignment("CARGO_MANIFEST_DIR", checkout().join("xtask").into()));
    sudo.arg(env::current_exe().context("this program's own path is unknown")?);
    sudo.args(env::args_os().skip(1));
    Err(sudo.exec()).context("sudo did not start")
}

fn assignment(name: &str, value: OsString) -> OsString {
    let mut whole = OsString::from(name);
    whole.push("=");
    whole.push(value);
    whole
}

/// Gives what root wrote into the user's folders back to the user, if this was started through sudo: build output, and what
/// cargo and rustup fetched. Otherwise the user's next `cargo build` could not write there.
pub fn hand_back() {
    let (Some(uid), Some(gid)) = (env::var("SUDO_UID").ok(), env::var("SUDO_GID").ok()) else { return };
    if uid == "0" || !is_root() {
        return;
    }
    let mut folders = vec![target_dir(), checkout().join("sensor-ebpf").join("target")];
    folders.extend(tool_home("CARGO_HOME", ".cargo"));
    folders.extend(tool_home("RUSTUP_HOME", ".rustup"));
    folders.extend(cache_dir().ok());
    folders.retain(|folder| folder.exists());
    let owner = format!("{uid}:{gid}");
    let given =
        Command::new("chown").args(["--recursive", "--no-dereference", "--from=0:0", &owner]).args(folders).status();
    if !given.is_ok_and(|status| status.success()) {
        ui::note(format!(
            "some files in the target folder still belong to root; `sudo chown -R {owner} target` mends it"
        ));
    }
}

/// Weir's folder of what is worth keeping between runs and checkouts: `weir` in XDG_CACHE_HOME, else in `~/.cache`.
pub fn cache_dir() -> Result<PathBuf> {
    let all = tool_home("XDG_CACHE_HOME", ".cache");
    Ok(all
        .context("neither XDG_CACHE_HOME nor HOME is set, so the folder for caches is unknown: set one")?
        .join("weir"))
}

/// Whether a program of this name can be run.
pub fn on_path(program: &str) -> bool {
    which(program).is_some()
}

/// The program of this name that can be run.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// Whether [`install_packages`] has something to install.
pub fn lacks_packages() -> bool {
    lacks(PACKAGES)
}

/// Whether [`install`] has something to install.
pub fn lacks(packages: &[Package]) -> bool {
    packages.iter().any(|package| !package.is_there())
}

/// [`install`]s what every command needs.
pub fn install_packages() -> Result<()> {
    install(PACKAGES)
}

/// Installs the packages of the list whose work nothing on this machine does yet, and says which and why. Needs root.
pub fn install(packages: &[Package]) -> Result<()> {
    let missing: Vec<&Package> = packages.iter().filter(|package| !package.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let list = names.join(" ");
    if !on_path("apt-get") {
        bail!("{list} missing, and this is no Debian or Ubuntu machine: install what does the same here");
    }
    for package in &missing {
        ui::note(format!("installing the Debian package {}: it {}", package.name, package.why));
    }
    ui::step(format!("apt-get install {list}"), || {
        // A fresh machine has no package lists, or stale ones; those who are offline may have what is needed in the cache.
        if !run_quietly(apt().arg("update"))? {
            ui::note("apt-get update failed: going on with the package lists that are there");
        }
        if !run_quietly(apt().args(["install", "--yes", "--no-install-recommends"]).args(&names))? {
            bail!("apt-get could not install {list}: see its message above, mend it, and run this again");
        }
        Ok(())
    })
}

impl Package {
    fn is_there(&self) -> bool {
        if self.shown_by.starts_with('/') { Path::new(self.shown_by).exists() } else { on_path(self.shown_by) }
    }
}

/// apt-get that asks nothing and gives up on a dead mirror soon.
pub fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["-q", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"]);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// Runs a program whose output matters only when it fails, and shows it then. Tells whether it succeeded.
pub fn run_quietly(command: &mut Command) -> Result<bool> {
    let output = command.output().with_context(|| format!("{:?} did not start", command.get_program()))?;
    if !output.status.success() {
        for stream in [&output.stdout, &output.stderr] {
            anstream::eprint!("{}", String::from_utf8_lossy(stream));
        }
    }
    Ok(output.status.success())
}
