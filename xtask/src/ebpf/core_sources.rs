//! The sources of Rust's core library. The BPF target has no prebuilt core, so it is built along, from the very sources that
//! rustc was made from. Three places have them; the first that does is used.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::inputs;
use super::toolchain::Rustc;
use crate::debian::{Part, Suites};
use crate::{host, ui};

/// Names a folder `library` of Rust's sources, or a tar.xz of one.
pub const VARIABLE: &str = "WEIR_RUST_SRC";

/// Debian suites whose package rust-src has been the pinned version.
const SUITES: [(Part, &str); 1] = [(Part::Main, "trixie-backports")];

/// Sources of core and what it is compiled with.
pub struct CoreSources {
    /// The folder `library`.
    pub library: PathBuf,
    /// Whether cargo finds it by itself.
    pub in_sysroot: bool,
    /// SHA-256 over the parts that are compiled; the same wherever the sources come from.
    pub digest: String,
}

/// Finds the sources that belong to `rustc`: where WEIR_RUST_SRC says, else in the sysroot (asking rustup to put them there),
/// else in Debian's package.
pub fn find(rustc: &Rustc) -> Result<CoreSources> {
    if let Some(named) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let library = from_variable(Path::new(&named))?;
        return sources(library, false);
    }
    let in_sysroot = rustc.sysroot.join("lib/rustlib/src/rust/library");
    if !is_library(&in_sysroot) {
        from_rustup();
    }
    if is_library(&in_sysroot) {
        return sources(in_sysroot, true);
    }
    let library = from_debian(&rustc.release).with_context(|| {
        format!(
            "the sources of Rust's core library cannot be had. Run `rustup component add rust-src`, or set {VARIABLE} to a \
             folder `library` of Rust {} or a tar.xz of it. The last thing tried was Debian's package rust-src",
            rustc.release
        )
    })?;
    sources(library, false)
}

fn sources(library: PathBuf, in_sysroot: bool) -> Result<CoreSources> {
    let library = library.canonicalize().with_context(|| format!("{} is not there", library.display()))?;
    let digest = inputs::digest_of_core(&library)?;
    Ok(CoreSources { library, in_sysroot, digest })
}

fn is_library(folder: &Path) -> bool {
    folder.join("core/src/lib.rs").is_file()
}

fn from_variable(named: &Path) -> Result<PathBuf> {
    let named = &host::checkout().join(named);
    if is_library(named) {
        return Ok(named.clone());
    }
    if !named.is_file() {
        bail!("{VARIABLE}={} is neither a folder `library` of Rust's sources nor a tar.xz of one", named.display());
    }
    let bytes = fs::read(named).with_context(|| format!("{VARIABLE}={} cannot be read", named.display()))?;
    let folder = cache(&format!("rust-src-{}", &inputs::digest(&bytes)[..16]))?;
    let library = folder.join("library");
    if is_library(&library) {
        return Ok(library);
    }
    ui::step(format!("unpacking {}", named.display()), || {
        let partial = partial(&folder)?;
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--xz", "--no-same-owner", "--file"]).arg(named).arg("--directory").arg(&partial);
        if !host::run_quietly(&mut tar)? || !is_library(&partial.join("library")) {
            bail!("{VARIABLE}={} is not a tar.xz of a folder `library` of Rust's sources", named.display());
        }
        complete(&partial, "library", &library)
    })
}

/// Asks rustup, if it is rustup that runs this rustc. Whether it could is seen by what is there afterwards.
fn from_rustup() {
    if !host::on_path("rustup") {
        return;
    }
    let added = ui::step("rustup component add rust-src (the sources of Rust's core library)", || {
        // With a limit, since a network that answers nothing must not stop us.
        let mut rustup = Command::new("timeout");
        rustup.args(["180", "rustup", "component", "add", "rust-src"]).current_dir(host::checkout());
        let output = rustup.output().context("rustup did not start")?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            bail!(
                "rustup could not: {}",
                message.lines().find(|line| line.starts_with("error:")).unwrap_or("no reason given")
            );
        }
        Ok(())
    });
    if let Err(error) = added {
        ui::note(format!("{error:#}; looking elsewhere"));
    }
}

/// Takes the package rust-src of exactly this version from the Debian mirror this machine uses, without installing it and
/// without touching the system's package lists.
fn from_debian(release: &str) -> Result<PathBuf> {
    let folder = cache(&format!("rust-src-debian-{release}"))?;
    let library = folder.join("library");
    if is_library(&library) {
        return Ok(library);
    }
    let suites = Suites::new(&folder, &SUITES)?;
    ui::step(format!("fetching Debian's package rust-src {release}"), || {
        let names = SUITES.map(|(_, suite)| suite);
        if !suites.update()? {
            bail!("apt-get could not read {} from the Debian mirror", names.join(" or "));
        }
        if !suites.download(&[format!("rust-src={release}+dfsg*")])? {
            bail!("{} has no rust-src {release}", names.join(" and "));
        }
        let package = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
        let package = package.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
        let package = package.context("apt-get downloaded no package")?;
        // The library only: the whole package is ten times as large.
        let unpack = r#"dpkg-deb --fsys-tarfile "$1" | tar --extract --no-same-owner --file - --directory "$2" "./$3""#;
        let inside = format!("usr/src/rustc-{release}/library");
        let partial = partial(&folder)?;
        let mut shell = Command::new("sh");
        shell.args(["-c", unpack, "sh"]).arg(&package).arg(&partial).arg(&inside);
        if !host::run_quietly(&mut shell)? {
            bail!("{} cannot be unpacked", package.display());
        }
        fs::remove_file(&package).ok();
        suites.forget();
        complete(&partial, &inside, &library)
    })
}

/// An empty folder to unpack into, so that what is cut short is never taken for the whole.
fn partial(folder: &Path) -> Result<PathBuf> {
    let partial = folder.join("partial");
    fs::remove_dir_all(&partial).ok();
    fs::create_dir_all(&partial).with_context(|| format!("{} cannot be made", partial.display()))?;
    Ok(partial)
}

/// Moves `inside`, which was unpacked whole into `partial`, to its place.
fn complete(partial: &Path, inside: &str, library: &Path) -> Result<PathBuf> {
    let unpacked = partial.join(inside);
    if !is_library(&unpacked) {
        bail!("{} was unpacked and holds no sources of core", unpacked.display());
    }
    fs::rename(&unpacked, library).with_context(|| format!("{} cannot be moved to its place", unpacked.display()))?;
    fs::remove_dir_all(partial).ok();
    Ok(library.to_path_buf())
}

/// A folder under target/toolchain.
fn cache(name: &str) -> Result<PathBuf> {
    let folder = host::target_dir().join("toolchain").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}
