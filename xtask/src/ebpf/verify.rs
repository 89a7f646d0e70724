//! Whether the committed object is what its sources say: built again and compared byte by byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use object::{Object, ObjectSection};

use super::build::Architecture;
use super::inputs::Inputs;
use super::toolchain::Toolchain;
use super::{OBJECT, build};
use crate::{host, ui};

/// Names an object that the agent's tests are to load instead of the committed one.
pub const OBJECT_VARIABLE: &str = "WEIR_EBPF_OBJECT";

/// Exit status for [`Verdict::NotCompared`].
const NOT_COMPARED: u8 = 3;

/// What a verification found.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every byte is the same.
    Equal,
    /// Same inputs, other bytes: the sentence says where.
    Different(String),
    /// Other bytes, but from another compiler or other sources of core, so that they prove nothing: the sentence says which.
    /// The object built here is at the path.
    NotCompared(String, PathBuf),
}

/// `cargo xtask ebpf verify`.
pub fn run(object: Option<&Path>) -> Result<ExitCode> {
    let committed = object.map_or_else(|| host::checkout().join(OBJECT), Path::to_path_buf);
    Ok(match verify(&Toolchain::prepare()?, &committed)? {
        Verdict::Equal => {
            ui::note(format!("{} is, byte for byte, what its sources give", committed.display()));
            ExitCode::SUCCESS
        }
        Verdict::Different(where_) => {
            ui::error(&anyhow::anyhow!("{where_}"));
            ExitCode::FAILURE
        }
        Verdict::NotCompared(why, built) => {
            ui::note(format!("skipped: bytes were not compared: {why}"));
            ui::note(format!("{OBJECT_VARIABLE}={} runs the tests on the object built here", built.display()));
            ExitCode::from(NOT_COMPARED)
        }
    })
}

/// Builds the object again and compares it with `committed`.
pub fn verify(toolchain: &Toolchain, committed: &Path) -> Result<Verdict> {
    let recorded = Inputs::read(&host::checkout().join(OBJECT))?;
    let expected = fs::read(committed).with_context(|| {
        format!("{} cannot be read; `cargo xtask ebpf build` writes the object", committed.display())
    })?;
    build::clean()?;
    let built = build::build(toolchain, Architecture::X86_64)?;
    let actual = fs::read(&built).with_context(|| format!("{} cannot be read", built.display()))?;
    Ok(judge(&expected, &actual, Inputs::of(toolchain).difference(&recorded), built, committed))
}

fn judge(committed: &[u8], built: &[u8], inputs: Option<String>, built_at: PathBuf, committed_at: &Path) -> Verdict {
    let Some(section) = first_difference(committed, built) else { return Verdict::Equal };
    match inputs {
        Some(why) => Verdict::NotCompared(why, built_at),
        None => Verdict::Different(format!(
            "{} is not what its sources give: it differs from {} first in {section}. If sensor-ebpf, sensor-common or a lock \
             file changed, run `cargo xtask ebpf build` and commit the result; if nothing did, do not trust the object",
            committed_at.display(),
            built_at.display(),
        )),
    }
}

/// Where two objects differ first, `None` if they are equal: the first section of `committed`, in the order in the file, whose
/// content or number differs, else what an ELF file has outside of sections.
fn first_difference(committed: &[u8], built: &[u8]) -> Option<String> {
    if committed == built {
        return None;
    }
    let (Ok(ours), Ok(theirs)) = (object::File::parse(committed), object::File::parse(built)) else {
        return Some("its header: one of the two is no ELF file".to_owned());
    };
    let (ours, theirs) = (sections(&ours), sections(&theirs));
    for section in &ours {
        match theirs.iter().find(|other| other.number == section.number) {
            Some(other) if other.name == section.name && other.data == section.data => {}
            Some(_) => return Some(format!("section {}", section.name)),
            None => return Some(format!("section {}, which only the first has", section.name)),
        }
    }
    match theirs.iter().find(|other| ours.iter().all(|section| section.number != other.number)) {
        Some(section) => Some(format!("section {}, which only the second has", section.name)),
        None => Some("its headers, outside of all sections".to_owned()),
    }
}

pub(super) struct Section<'a> {
    number: usize,
    pub(super) name: String,
    pub(super) data: &'a [u8],
    offset: u64,
}

/// The sections of an object in the order in which they lie in the file.
pub(super) fn sections<'a>(file: &object::File<'a>) -> Vec<Section<'a>> {
    let mut all: Vec<Section> = file
        .sections()
        .map(|section| Section {
            number: section.index().0,
            name: String::from_utf8_lossy(section.name_bytes().unwrap_or_default()).into_owned(),
            data: section.data().unwrap_or_default(),
            offset: section.file_range().map_or(0, |(offset, _)| offset),
        })
        .collect();
    all.sort_by_key(|section| (section.offset, section.number));
    all
}

#[cfg(test)]
mod tests;
