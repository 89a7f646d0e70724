//! Whether the object, which is built for x86-64, serves arm64 as well: built for arm64, it must be the same but for the names of
//! source files in its BTF. It is so as long as no program takes the place of a register or the type of `char` from aya-ebpf;
//! what differs between the two the agent tells the programs when it loads them (`sensor/src/kernel/calls.rs`).

use std::fs;

use anyhow::{Context, Result, bail};

use super::build::{self, Architecture};
use super::toolchain::Toolchain;
use super::verify::sections;

/// Builds both and compares.
pub fn one_for_both(toolchain: &Toolchain) -> Result<()> {
    let read = |architecture| {
        let path = build::build(toolchain, architecture)?;
        fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let (ours, theirs) = (read(Architecture::X86_64)?, read(Architecture::Arm64)?);
    if let Some(section) = difference(&ours, &theirs)? {
        bail!(
            "built for arm64, the eBPF object differs in section {section}: some program depends on `bpf_target_arch` (the place of \
             a register or the type of char in aya-ebpf). Take that from CONFIG or OFFSETS, so that one object serves both"
        );
    }
    Ok(())
}

/// The first section, other than type information, that is not in both with the same name and content.
fn difference(ours: &[u8], theirs: &[u8]) -> Result<Option<String>> {
    let parse = |bytes| object::File::parse(bytes).context("the built object is no ELF file");
    let (ours, theirs) = (parse(ours)?, parse(theirs)?);
    let (ours, theirs) = (sections(&ours), sections(&theirs));
    if ours.len() != theirs.len() {
        return Ok(Some(format!("(there are {} and {} of them)", ours.len(), theirs.len())));
    }
    let differs = ours.iter().zip(&theirs).find(|(ours, theirs)| {
        ours.name != theirs.name || ours.data != theirs.data && !matches!(&*ours.name, ".BTF" | ".BTF.ext")
    });
    Ok(differs.map(|(section, _)| section.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebpf::OBJECT;
    use crate::host;
    use object::{Object, ObjectSection};

    #[test]
    fn other_instructions_are_a_difference_and_other_line_numbers_are_not() {
        let original = fs::read(host::checkout().join(OBJECT)).expect("the committed object");
        let file = object::File::parse(&*original).expect("an ELF file");
        let changed = |name| {
            let (offset, size) = file.section_by_name(name).and_then(|section| section.file_range()).expect(name);
            let mut bytes = original.clone();
            bytes[usize::try_from(offset + size - 1).expect("an offset")] ^= 1;
            difference(&original, &bytes).expect("an ELF file")
        };
        assert_eq!(changed(".text").as_deref(), Some(".text"));
        assert_eq!(changed(".BTF.ext"), None);
        assert_eq!(difference(&original, &original).expect("an ELF file"), None);
    }
}
