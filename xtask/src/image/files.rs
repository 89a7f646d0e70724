//! What is in the image, as a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::sbom::Linked;
use super::{binary, crates, licences, sbom};
use crate::ebpf::Rustc;
use crate::{host, ui};

/// The certificates of the authorities that Mozilla trusts, one a file, as Debian has them (ca-certificates). Not the machine's own list
/// of them, to which its owner may have added others.
const AUTHORITIES: &str = "/usr/share/ca-certificates/mozilla";

/// Writes all of it into `tree`, which must be empty or not there.
pub fn write(tree: &Path, program: &Path, features: &[String]) -> Result<()> {
    binary::is_static(program)?;
    let rustc = Rustc::find()?;
    ui::step("collecting what is in the image", || {
        let checkout = host::checkout();
        let crates = crates::in_binary(&rustc.host, features)?;
        let linked = [
            Linked { name: "rust-std", version: rustc.release.clone(), licence: "MIT OR Apache-2.0" },
            Linked { name: "glibc", version: glibc()?, licence: "LGPL-2.1-or-later" },
        ];
        put(tree, "usr/bin/weir", &read(program)?, 0o755)?;
        put(tree, "etc/ssl/certs/ca-certificates.crt", &authorities(Path::new(AUTHORITIES))?, 0o644)?;
        put(tree, "usr/share/sbom/weir.cdx.json", &sbom::write(&crates, &linked)?, 0o644)?;
        put(tree, "usr/share/doc/weir/CRATES", licences::collect(&crates)?.as_bytes(), 0o644)?;
        for (name, from) in [
            ("LICENSE-APACHE", "LICENSE-APACHE"),
            ("LICENSE-MIT", "LICENSE-MIT"),
            ("LICENSE-MIT.ebpf", "sensor-ebpf/LICENSE-MIT"),
            ("LICENSE-GPL2.ebpf", "sensor-ebpf/LICENSE-GPL2"),
        ] {
            put(tree, &format!("usr/share/doc/weir/{name}"), &read(&checkout.join(from))?, 0o644)?;
        }
        Ok(())
    })
}

fn put(tree: &Path, path: &str, content: &[u8], mode: u32) -> Result<()> {
    let path = tree.join(path);
    let wrong = || format!("{} cannot be written", path.display());
    // Folders of the mode that everyone may read, whatever the mask of who runs this is.
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(tree)) {
        fs::create_dir_all(folder).with_context(wrong)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).with_context(wrong)?;
    }
    fs::write(&path, content).with_context(wrong)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).with_context(wrong)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// In the order of their names.
fn authorities(folder: &Path) -> Result<Vec<u8>> {
    let entries = fs::read_dir(folder);
    let entries = entries.with_context(|| format!("{} cannot be read: install ca-certificates", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "crt"));
    paths.sort();
    if paths.is_empty() {
        bail!("{} has no certificates: install ca-certificates", folder.display());
    }
    Ok(paths.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?.concat())
}

/// The version of the C library that is linked in.
fn glibc() -> Result<String> {
    let output =
        Command::new("getconf").arg("GNU_LIBC_VERSION").output().context("getconf (libc-bin) did not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("glibc ").context("this machine's C library is not glibc")?;
    Ok(version.to_owned())
}
