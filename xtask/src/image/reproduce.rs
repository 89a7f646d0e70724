//! Whether the same sources give the same image, in whatever folder they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::archive::{self, Image};
use super::binary;
use crate::{host, ui};

/// Builds twice, from copies of the sources in folders of different names and depths, with nothing in common but what cargo has
/// fetched.
pub fn check(features: &[String]) -> Result<()> {
    let base = host::target_dir().join("image-twice");
    if base.exists() {
        fs::remove_dir_all(&base).with_context(|| format!("{} cannot be removed", base.display()))?;
    }
    let mut images = Vec::new();
    for name in ["a", "another/with-a-longer-name"] {
        images.push(once(&base.join(name), features)?);
    }
    for (image, program) in &images {
        anstream::println!("{}  {}", image.digest, program.display());
    }
    ensure!(
        images.windows(2).all(|pair| pair[0].0.digest == pair[1].0.digest),
        "the images differ; compare the binaries first: {}",
        images.iter().map(|(_, program)| program.display().to_string()).collect::<Vec<_>>().join(" ")
    );
    anstream::println!("the same image both times");
    Ok(())
}

fn once(folder: &Path, features: &[String]) -> Result<(Image, PathBuf)> {
    let sources = folder.join("sources");
    ui::step(format!("copying the sources to {}", sources.display()), || copy(&sources))?;
    let program = binary::build(&sources, &folder.join("target"), features)?;
    let image = archive::build_in(folder, &program, features, &folder.join("weir.oci.tar"))?;
    Ok((image, program))
}

/// What git knows of, as it is in the working folder.
fn copy(to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    // The status is that of the last command: a file that git knows and that is gone makes cp, and so xargs, fail.
    let script = "git ls-files -z | xargs -0 cp --parents --target-directory \"$1\"";
    let status = Command::new("sh").current_dir(host::checkout()).args(["-c", script, "sh"]).arg(to).status();
    ensure!(status.context("sh did not start")?.success(), "the sources could not be copied");
    Ok(())
}
