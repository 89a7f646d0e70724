//! What decides the bytes of the object beside the sources in the checkout, recorded next to the object when it is built, so
//! that `verify` can tell "the object is not what its sources say" from "this is not the compiler it was built with".

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::toolchain::{BPF_LINKER, Toolchain};

/// The parts of `library` that are compiled into the object: core, and the crates that its `mod` lines reach into.
const COMPILED: &[&str] =
    &["core/src", "compiler-builtins", "portable-simd/crates/core_simd", "stdarch/crates/core_arch"];

/// Names and values, in the order in which they are written.
#[derive(PartialEq, Eq, Debug)]
pub struct Inputs(Vec<(String, String)>);

impl Inputs {
    /// Those of this machine.
    pub fn of(toolchain: &Toolchain) -> Inputs {
        let rustc = &toolchain.rustc;
        let pairs = [
            ("rustc", format!("{} ({})", rustc.release, rustc.commit)),
            ("rustc.host", rustc.host.clone()),
            ("rustc.llvm", rustc.llvm.clone()),
            ("core.sha256", toolchain.core.digest.clone()),
            ("bpf-linker", BPF_LINKER.to_owned()),
        ];
        Inputs(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The first that differs, as a sentence; `None` if all are the same.
    pub fn difference(&self, recorded: &Inputs) -> Option<String> {
        let of = |inputs: &Inputs, name: &str| inputs.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let names = recorded.0.iter().chain(&self.0).map(|(name, _)| name);
        names.into_iter().find_map(|name| {
            let (here, there) = (of(self, name), of(recorded, name));
            let say = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
            (here != there)
                .then(|| format!("{name} is {} here, and was {} for the committed object", say(here), say(there)))
        })
    }

    /// Writes them beside `object`.
    pub fn write(&self, object: &Path) -> Result<()> {
        let mut text =
            String::from("# Written by `cargo xtask ebpf build`: what weir.bpf.o was built with (docs/building.md).\n");
        for (name, value) in &self.0 {
            writeln!(text, "{name} = \"{value}\"").context("a string cannot be written")?;
        }
        let file = file_of(object);
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Reads those recorded beside `object`.
    pub fn read(object: &Path) -> Result<Inputs> {
        let file = file_of(object);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("{} cannot be read; `cargo xtask ebpf build` writes it", file.display()))?;
        let mut pairs = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let pair = line.split_once(" = ").and_then(|(name, value)| {
                Some((name.to_owned(), value.strip_prefix('"')?.strip_suffix('"')?.to_owned()))
            });
            let Some(pair) = pair else { bail!("{}:{}: not of the form name = \"value\"", file.display(), index + 1) };
            pairs.push(pair);
        }
        Ok(Inputs(pairs))
    }
}

fn file_of(object: &Path) -> PathBuf {
    object.with_extension("inputs")
}

/// SHA-256 of `bytes`, in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// SHA-256 over the compiled parts of a folder `library`: relative path, length and content of each .rs and .toml file. Licence
/// texts and tests, in which rustup's and Debian's copies differ, do not count.
pub fn digest_of_core(library: &Path) -> Result<String> {
    let mut files = Vec::new();
    for part in COMPILED {
        walk(&library.join(part), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = file.strip_prefix(library).unwrap_or(&file).as_os_str().as_encoded_bytes();
        for part in [name, &content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("{} cannot be read", folder.display()))?;
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
