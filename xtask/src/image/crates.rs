//! Which crates are in the binary: normal dependencies of the sensor for this target; neither tests, nor build scripts, nor macros.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::host;

/// Name and version.
pub type Id = (String, String);

/// A crate in the binary.
#[derive(Debug)]
pub struct Crate {
    /// What it calls its licence, in SPDX's words or nearly.
    pub licence: String,
    /// SHA-256 of its archive; none for the crates of this repository.
    pub checksum: Option<String>,
    /// Where its sources are.
    pub folder: PathBuf,
    /// What it uses.
    pub uses: BTreeSet<Id>,
}

/// All of them, with the sensor itself.
pub fn in_binary(target: &str, features: &[String]) -> Result<BTreeMap<Id, Crate>> {
    let metadata =
        ask(host::cargo().args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata says what is no JSON")?;
    let lock = std::fs::read_to_string(host::checkout().join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    let checksums = checksums(&lock);
    let mut crates = tree(target, features)?;
    for package in metadata["packages"].as_array().context("cargo metadata names no packages")? {
        let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
        let id = (text("name"), text("version"));
        if let Some(found) = crates.get_mut(&id) {
            found.licence = text("license");
            found.folder = Path::new(&text("manifest_path")).parent().unwrap_or(Path::new("/")).to_owned();
            found.checksum = checksums.get(&id).cloned();
            ensure!(!found.licence.is_empty(), "{} {} has no licence in its Cargo.toml", id.0, id.1);
        }
    }
    Ok(crates)
}

/// From `cargo tree`, which knows the features that are on and tells macros from libraries: a line `DEPTHNAME vVERSION ...` a crate.
fn tree(target: &str, features: &[String]) -> Result<BTreeMap<Id, Crate>> {
    let mut cargo = host::cargo();
    cargo.args(["tree", "--locked", "--package", "sensor", "--edges", "normal,no-proc-macro", "--prefix", "depth"]);
    cargo.args(["--target", target, "--format", "{p}"]);
    if !features.is_empty() {
        cargo.arg("--features").arg(features.join(","));
    }
    Ok(read_tree(&ask(&mut cargo)?))
}

fn read_tree(text: &str) -> BTreeMap<Id, Crate> {
    let mut crates: BTreeMap<Id, Crate> = BTreeMap::new();
    // The way from the sensor to the crate of this line.
    let mut way: Vec<Id> = Vec::new();
    for line in text.lines() {
        let begin = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
        let (depth, rest) = line.split_at(begin);
        let mut words = rest.split(' ');
        let (Ok(depth), Some(name), Some(version)) = (depth.parse::<usize>(), words.next(), words.next()) else {
            continue;
        };
        let id = (name.to_owned(), version.trim_start_matches('v').to_owned());
        way.truncate(depth);
        if let Some(user) = way.last().and_then(|user| crates.get_mut(user)) {
            user.uses.insert(id.clone());
        }
        crates.entry(id.clone()).or_insert_with(|| Crate {
            licence: String::new(),
            checksum: None,
            folder: PathBuf::new(),
            uses: BTreeSet::new(),
        });
        way.push(id);
    }
    crates
}

/// From Cargo.lock, where each is on a line of its own.
fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let packages = lock.split("[[package]]").filter_map(|package| {
        let value = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
            line.map(|text| text.trim_end_matches('"').to_owned())
        };
        Some(((value("name")?, value("version")?), value("checksum")?))
    });
    packages.collect()
}

fn ask(cargo: &mut Command) -> Result<String> {
    let output = cargo.output().context("cargo did not start")?;
    ensure!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("cargo says what is no UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_gives_who_uses_whom() {
        let text = "0sensor v0.1.0 (/somewhere/sensor)\n1a v1.0.0\n2b v2.0.0\n1c v3.1.4\n2b v2.0.0 (*)\n";
        let crates = read_tree(text);
        let id = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let uses = |name, version| crates[&id(name, version)].uses.iter().cloned().collect::<Vec<_>>();
        assert_eq!(uses("sensor", "0.1.0"), [id("a", "1.0.0"), id("c", "3.1.4")]);
        assert_eq!(uses("a", "1.0.0"), [id("b", "2.0.0")]);
        assert_eq!(uses("c", "3.1.4"), [id("b", "2.0.0")]);
        assert_eq!(crates.len(), 4);
    }

    #[test]
    fn what_only_tests_and_builds_use_is_not_in_the_binary() {
        let crates = in_binary("x86_64-unknown-linux-gnu", &[]).expect("the crates");
        let has = |name: &str| crates.keys().any(|(own, _)| own == name);
        assert!(has("sensor") && has("aya") && has("zstd-sys"));
        // A test's, a build script's, a macro.
        assert!(!has("proptest") && !has("cc") && !has("serde_derive"));
        let own: Vec<_> = crates.iter().filter(|(_, found)| found.checksum.is_none()).map(|(id, _)| &*id.0).collect();
        assert_eq!(own, ["sensor", "sensor-common"]);
    }
}
