//! The files made into an image by the final stage of deploy/Dockerfile, without an engine, and written as an OCI archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{date, files, folder, git};
use crate::{host, ui};

/// The image's name; where it is kept is for who publishes it.
const NAME: &str = "ghcr.io/weir-sensor/weir";
/// In which the image is built, in the checkout.
const DOCKERFILE: &str = "deploy/Dockerfile";

/// An image that was built.
pub struct Image {
    /// With its tag.
    pub name: String,
    /// Of its manifest.
    pub digest: String,
    pub archive: PathBuf,
    /// Of the archive, bytes.
    pub size: u64,
}

/// Builds it of this binary; `output` is where the archive goes if not into the target folder.
pub fn build(program: &Path, features: &[String], output: Option<&Path>) -> Result<Image> {
    let folder = folder();
    build_in(&folder, program, features, &output.map_or_else(|| folder.join("weir.oci.tar"), Path::to_owned))
}

/// The same with all that is made on the way in `folder`.
pub fn build_in(folder: &Path, program: &Path, features: &[String], archive: &Path) -> Result<Image> {
    let tree = folder.join("tree");
    for old in [&tree, &folder.join("storage")] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("{} cannot be removed", old.display()))?;
        }
    }
    files::write(&tree, program, features)?;
    let name = format!("{NAME}:{}", env!("CARGO_PKG_VERSION"));
    ui::step(format!("building the image {name}"), || {
        let mut build = buildah(folder);
        build.args(["build", "--quiet", "--file"]).arg(host::checkout().join(DOCKERFILE));
        // In the place of the stage that compiles.
        build.args(["--build-context", &format!("built={}", tree.display())]);
        build.args(["--isolation", "chroot", "--timestamp", &date(), "--identity-label=false"]);
        build.args(["--build-arg", &format!("VERSION={}", env!("CARGO_PKG_VERSION"))]);
        build.args(["--build-arg", &format!("REVISION={}", git(&["rev-parse", "HEAD"]).unwrap_or_default())]);
        build.args(["--tag", &name]).arg(host::checkout());
        ensure!(host::run_quietly(&mut build)?, "buildah could not build the image, see above");
        let mut push = buildah(folder);
        let to = format!("oci-archive:{}:{name}", archive.display());
        ensure!(host::run_quietly(push.args(["push", "--quiet", &name, &to]))?, "buildah could not write {to}");
        Ok(())
    })?;
    fs::remove_dir_all(folder.join("storage")).context("the storage of buildah cannot be removed")?;
    let size = fs::metadata(archive)?.len();
    Ok(Image { name, digest: digest(archive)?, archive: archive.to_owned(), size })
}

/// With storage of its own, which needs no file system of its own and is gone afterwards.
fn buildah(folder: &Path) -> Command {
    let mut buildah = Command::new("buildah");
    let storage = folder.join("storage");
    buildah
        .args(["--storage-driver", "vfs", "--root"])
        .arg(storage.join("root"))
        .arg("--runroot")
        .arg(storage.join("run"));
    buildah
}

/// From the archive's index.
fn digest(archive: &Path) -> Result<String> {
    let output =
        Command::new("tar").arg("-xOf").arg(archive).arg("index.json").output().context("tar did not start")?;
    let index: Value = serde_json::from_slice(&output.stdout).context("the archive has no index.json")?;
    let digest = index["manifests"][0]["digest"].as_str().context("the archive's index names no manifest")?;
    Ok(digest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_says_the_version_by_itself() {
        let text = fs::read_to_string(host::checkout().join(DOCKERFILE)).expect("the Dockerfile");
        let version = text.lines().find_map(|line| line.strip_prefix("ARG VERSION="));
        assert_eq!(version, Some(env!("CARGO_PKG_VERSION")));
    }
}
