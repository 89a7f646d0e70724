//! A kernel's packages: fetched once, kept between runs and between checkouts, compared with their checksums at each use, unpacked
//! into the target folder and never installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::catalogue::{Kernel, PACKAGE};
use crate::debian::Suites;
use crate::{host, ui};

/// Beside the packages: a line `SHA256  FILE` for each, as sha256sum(1) writes it. Last to be written, so that it is whole or not there.
const SUMS: &str = "SHA256SUMS";

/// A kernel that is there.
pub struct Unpacked {
    pub kernel: &'static Kernel,
    /// Where everything of it is that is made here.
    pub folder: PathBuf,
    /// Where its packages are unpacked, in that folder.
    pub root: PathBuf,
}

impl Unpacked {
    pub fn name(&self) -> &'static str {
        self.kernel.name
    }
}

/// Unpacks the packages of a kernel. What is not kept is fetched; `update` fetches in any case.
pub fn unpack(kernel: &'static Kernel, update: bool) -> Result<Unpacked> {
    let folder = host::target_dir().join("kernels").join(kernel.name);
    let root = folder.join("root");

    let kept = host::cache_dir()?.join("kernels").join(kernel.name);
    if update || !kept.join(SUMS).is_file() {
        ui::step(format!("fetching Debian's kernel {}", kernel.name), || fetch(kernel, &kept))?;
    }
    let packages = verified(&kept)?;
    fs::remove_dir_all(&root).ok();
    fs::create_dir_all(&root).with_context(|| format!("{} cannot be made", root.display()))?;
    for package in packages {
        if !host::run_quietly(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&root))? {
            bail!("{} cannot be unpacked: remove {} and run this again", package.display(), kept.display());
        }
    }
    Ok(Unpacked { kernel, folder, root })
}

/// The kept packages, each of which is what was fetched.
fn verified(kept: &Path) -> Result<Vec<PathBuf>> {
    let sums = kept.join(SUMS);
    let text = fs::read_to_string(&sums).with_context(|| format!("{} cannot be read", sums.display()))?;
    let mut packages = Vec::new();
    for line in text.lines() {
        let (sum, name) = line.split_once("  ").with_context(|| format!("{}: no sum: {line}", sums.display()))?;
        let package = kept.join(name);
        if sum != digest(&package)? {
            bail!(
                "{} is not what was fetched: remove {} and run this again to fetch it anew",
                package.display(),
                kept.display()
            );
        }
        packages.push(package);
    }
    Ok(packages)
}

fn digest(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Fetches the packages beside those that are there, and only when all are whole takes them for these.
fn fetch(kernel: &Kernel, kept: &Path) -> Result<()> {
    let partial = kept.with_extension("partial");
    fs::remove_dir_all(&partial).ok();
    fs::create_dir_all(&partial).with_context(|| format!("{} cannot be made", partial.display()))?;
    let mut last = None;
    for suites in kernel.suites {
        let suites = Suites::new(&partial, suites)?;
        if !suites.update()? {
            last =
                Some(
                "the Debian mirror of this machine's apt sources does not answer, or no longer has it; it is fetched once and then \
                 kept, so connect this machine for that"
                    .to_owned(),
            );
            continue;
        }
        let packages = packages(&suites)?;
        if packages.is_empty() {
            last = Some(format!("the mirror has no {PACKAGE} there"));
            continue;
        }
        if !suites.download(&packages)? {
            last = Some(format!("{} cannot be downloaded", packages.join(" ")));
            continue;
        }
        suites.forget();
        return keep(&partial, kept);
    }
    bail!("Debian's kernel {} cannot be had: {}", kernel.name, last.unwrap_or_default())
}

/// `NAME=VERSION` of the packages that make up the kernel that [`PACKAGE`] stands for. Up to 6.12 that is one; later ones have the
/// image and the modules in packages of their own.
fn packages(suites: &Suites) -> Result<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut open = vec![PACKAGE.to_owned()];
    while let Some(package) = open.pop() {
        let name = package.split('=').next().unwrap_or_default();
        for needed in needed(&suites.show(name)?) {
            if found.insert(needed.clone()) {
                open.push(needed);
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// The packages of the same kernel in the line `Depends` of what apt says about one: those of exactly one version.
fn needed(text: &str) -> Vec<String> {
    let depends = text.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap_or_default();
    let exact = depends.split(", ").filter_map(|one| one.strip_suffix(')')?.split_once(" (= "));
    let kernel =
        |name: &str| ["linux-image-", "linux-binary-", "linux-modules-"].iter().any(|part| name.starts_with(part));
    exact.filter(|(name, _)| kernel(name)).map(|(name, version)| format!("{name}={version}")).collect()
}

/// Notes the checksums of what apt has just verified, and puts it in its place.
fn keep(partial: &Path, kept: &Path) -> Result<()> {
    let mut names: Vec<String> = fs::read_dir(partial)?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.ends_with(".deb"))
        .collect();
    names.sort();
    let mut sums = String::new();
    for name in &names {
        sums += &format!("{}  {name}\n", digest(&partial.join(name))?);
    }
    fs::write(partial.join(SUMS), sums)
        .with_context(|| format!("{} cannot be written", partial.join(SUMS).display()))?;
    fs::remove_dir_all(kept).ok();
    fs::rename(partial, kept).with_context(|| format!("{} cannot be moved to its place", partial.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_one_package_or_several() {
        let one = "Package: linux-image-cloud-amd64\nDepends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1)\n";
        assert_eq!(needed(one), ["linux-image-6.1.0-50-cloud-amd64=6.1.176-1"]);
        let several = "Package: a\nDepends: dracut | initramfs-tools (>= 0.120), linux-base-7 (= 7.2), \
            linux-binary-7.2-cloud-amd64 (= 7.2.13-1), linux-modules-7.2-cloud-amd64 (= 7.2.13-1)\n";
        let expected = ["linux-binary-7.2-cloud-amd64=7.2.13-1", "linux-modules-7.2-cloud-amd64=7.2.13-1"];
        assert_eq!(needed(several), expected);
        assert_eq!(needed("Package: linux-image-5.10.0-46-cloud-amd64\n"), [""; 0]);
    }

    #[test]
    fn what_was_changed_since_is_not_used() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (partial, kept) = (folder.path().join("k.partial"), folder.path().join("k"));
        fs::create_dir(&partial)?;
        fs::write(partial.join("linux.deb"), "a kernel")?;
        keep(&partial, &kept)?;
        assert_eq!(verified(&kept)?, [kept.join("linux.deb")]);
        fs::write(kept.join("linux.deb"), "another")?;
        let complaint = format!("{:#}", verified(&kept).err().context("it was used")?);
        assert!(complaint.contains("is not what was fetched"), "{complaint}");
        Ok(())
    }
}
