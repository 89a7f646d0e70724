//! What is in an unpacked kernel: its image, and the modules that the tests need with those that these need.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

/// What the tests need: the joint of two network namespaces, the file system of containers, sockets of virtual machines.
const WANTED: &[&str] = &["veth", "overlay", "vsock_loopback"];

/// The kernel's image below `root`.
pub fn image(root: &Path) -> Result<PathBuf> {
    let mut files = Vec::new();
    for place in ["boot", "usr/lib/modules", "lib/modules"] {
        walk(&root.join(place), &mut files)?;
    }
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"));
    files.into_iter().find(named).with_context(|| format!("{} holds no vmlinuz", root.display()))
}

/// A module: the name of its file, and its bytes, not compressed.
pub struct Module {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The wanted modules of the kernel below `root` in the order in which they can be loaded. One that is not there is built in, or the
/// tests that need it will say.
pub fn wanted(root: &Path) -> Result<Vec<Module>> {
    let all = all(root)?;
    let mut ready = Vec::new();
    for name in WANTED {
        add(name, &all, &mut ready, 0)?;
    }
    Ok(ready)
}

/// A module that needs no other, for the tests to load: its bytes, if the kernel has it as one.
pub fn dummy(root: &Path) -> Result<Option<Vec<u8>>> {
    all(root)?.get("dummy").map(|path| read(path)).transpose()
}

/// The modules of the kernel below `root`, by name.
fn all(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = Vec::new();
    for place in ["usr/lib/modules", "lib/modules"] {
        walk(&root.join(place), &mut files)?;
    }
    Ok(files.into_iter().filter_map(|path| Some((name_of(&path)?, path))).collect())
}

fn add(name: &str, all: &BTreeMap<String, PathBuf>, ready: &mut Vec<Module>, depth: usize) -> Result<()> {
    let Some(path) = all.get(name) else { return Ok(()) };
    if ready.iter().any(|module| module.name == name) {
        return Ok(());
    }
    if depth > 16 {
        bail!("{} needs itself", path.display());
    }
    let bytes = read(path)?;
    for needed in depends(&bytes).with_context(|| format!("{} is no kernel module", path.display()))? {
        add(&needed, all, ready, depth + 1)?;
    }
    ready.push(Module { name: name.into(), bytes });
    Ok(())
}

/// `vmw_vsock` of `.../vmw-vsock.ko.xz`
fn name_of(path: &Path) -> Option<String> {
    let (name, ending) = path.file_name()?.to_str()?.split_once(".ko")?;
    ["", ".xz", ".zst", ".gz"].contains(&ending).then(|| name.replace('-', "_"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(path).with_context(|| format!("{} cannot be read", path.display())),
    };
    let output = Command::new(program).args(["--decompress", "--stdout"]).arg(path).output();
    let output = output.with_context(|| format!("{program} did not start: install it"))?;
    if !output.status.success() {
        bail!("{program} cannot decompress {}: {}", path.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// The modules that a module needs: `depends=A,B` in its section `.modinfo`, strings that end with a null byte.
fn depends(bytes: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(bytes)?;
    let info = file.section_by_name(".modinfo").context("no .modinfo")?.data()?;
    let mut strings = info.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let names = strings.find_map(|line| line.strip_prefix("depends=").map(str::to_owned)).unwrap_or_default();
    Ok(names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect())
}

/// The files below a folder; none if it is not there. Symbolic links (`build`, `source`) are not followed.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_known_by_its_file() {
        let name = |path: &str| name_of(Path::new(path));
        assert_eq!(name("/m/veth.ko"), Some("veth".into()));
        assert_eq!(name("/m/vmw-vsock.ko.xz"), Some("vmw_vsock".into()));
        assert_eq!(name("/m/modules.order"), None);
        assert_eq!(name("/m/veth.ko.sig"), None);
    }
}
