//! The texts of the licences of what is in the binary: most of them ask to be passed on with it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::crates::{Crate, Id};

/// Each text once, behind the names of those whose it is; then those that came without a text.
pub fn collect(crates: &BTreeMap<Id, Crate>) -> Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for ((name, version), found) in crates.iter().filter(|(_, found)| found.checksum.is_some()) {
        let own = texts_in(&found.folder)?;
        if own.is_empty() {
            without.push(format!("{name} {version}: {}", found.licence));
        }
        for text in own {
            texts.entry(text).or_default().push(format!("{name} {version}"));
        }
    }
    let mut all = String::from("Licences of the crates in weir. Its own are beside this file.\n");
    for (text, of) in texts {
        write!(all, "\n{}\n{}\n{}\n", "=".repeat(100), of.join(", "), "-".repeat(100))?;
        all.push_str(text.trim_end());
        all.push('\n');
    }
    write!(
        all,
        "\n{}\nWithout a text of their own, under the licence named:\n{}\n",
        "=".repeat(100),
        without.join("\n")
    )?;
    Ok(all)
}

/// Files at the top of a crate that are called as licences are.
fn texts_in(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let is_licence = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file()
            && ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"].iter().any(|word| name.starts_with(word))
    };
    let texts = paths.iter().filter(|path| is_licence(path)).map(fs::read).collect::<Result<Vec<_>, _>>();
    // Line ends as they are everywhere else, so that the same text is found to be the same.
    Ok(texts?.iter().map(|text| String::from_utf8_lossy(text).replace("\r\n", "\n")).collect())
}
