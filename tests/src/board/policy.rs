//! The small policy: the shipped rules, and lists of what the scenarios declare (`tests/policy/`).

use crate::Context;
use std::fs;
use std::io;
use std::path::Path;

/// Writes a directory for `weir run --rules`: every shipped list that `policy/lists` has lines for, with these lines added.
pub fn write(to: &Path) -> io::Result<()> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lists = to.join("lists");
    fs::create_dir_all(&lists)?;
    let own = package.join("policy/lists");
    for entry in fs::read_dir(&own).context(|| own.display().to_string())? {
        let entry = entry?;
        let shipped = package.join("../rules/lists").join(entry.file_name());
        // A list that is not shipped is one of the scenarios alone.
        let mut text = if shipped.exists() { fs::read_to_string(&shipped)? } else { String::new() };
        text.push_str(&fs::read_to_string(entry.path())?);
        fs::write(lists.join(entry.file_name()), text)?;
    }
    Ok(())
}
