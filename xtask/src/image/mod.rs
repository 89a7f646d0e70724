//! `cargo xtask image`: the container image, without a daemon.
//!
//! First the files (`files`): the static binary (`binary`), what is said of it (`sbom`, `licences`, both from `crates`), and the
//! authorities whose certificates it trusts. Then the image of them, by the final stage of deploy/Dockerfile (`archive`). Who builds that
//! Dockerfile with an engine of their own has the same code make the files in it, and the same lines make the image.

mod archive;
mod binary;
mod crates;
mod files;
mod licences;
mod reproduce;
mod sbom;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{host, ui};

/// The container image: an OCI archive, built without a daemon. Needs root.
///
/// Builds `weir` static (profile dist), writes what it is made of (SBOM, licences) and the certificates of the authorities that it
/// trusts beside it, and has buildah make the image by deploy/Dockerfile. The same sources give the same digest, in whatever
/// folder they are.
#[derive(clap::Args)]
pub struct Args {
    /// Where to write the archive [default: image/weir.oci.tar in the target folder]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tree", "check_reproducible"])]
    output: Option<PathBuf>,

    /// Take this binary, which must be static, instead of building one
    #[arg(long, value_name = "FILE", conflicts_with = "check_reproducible")]
    binary: Option<PathBuf>,

    /// Build quickly (profile dev): for the tests
    #[arg(long, conflicts_with_all = ["binary", "check_reproducible"])]
    dev: bool,

    /// Features of the sensor to build with; `--features ""` for none
    #[arg(long, value_name = "FEATURE", value_delimiter = ',', default_values = FEATURES)]
    features: Vec<String>,

    /// Write the image's files into this folder, and make no image: what deploy/Dockerfile does
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,

    /// Build twice, in two folders, and compare the digests
    #[arg(long, conflicts_with = "tree")]
    check_reproducible: bool,
}

/// What is in the image beside the usual: what the chart can turn on.
const FEATURES: [&str; 1] = ["kube"];

/// Builds it, says what it is.
pub fn run(args: &Args) -> Result<ExitCode> {
    if let Some(tree) = &args.tree {
        files::write(tree, &made(args)?, &args.features)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Without root, buildah needs subordinate ids and a user namespace, which not every machine gives.
    host::become_root()?;
    host::install(host::IMAGES)?;
    let outcome = if args.check_reproducible { reproduce::check(&args.features) } else { write(args) };
    host::hand_back();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn write(args: &Args) -> Result<()> {
    let image = archive::build(&made(args)?, &args.features, args.output.as_deref())?;
    ui::note(format!("{}: {} bytes", image.archive.display(), image.size));
    anstream::println!("{}@{}", image.name, image.digest);
    Ok(())
}

/// The image that the tests run: a quick one. Needs root.
pub fn for_tests() -> Result<PathBuf> {
    host::install(host::IMAGES)?;
    let features = FEATURES.map(str::to_owned);
    Ok(archive::build(&binary::build_quickly(&folder(), &features)?, &features, None)?.archive)
}

/// Of all that is made here.
fn folder() -> PathBuf {
    host::target_dir().join("image")
}

fn made(args: &Args) -> Result<PathBuf> {
    match &args.binary {
        Some(binary) => Ok(binary.clone()),
        None if args.dev => binary::build_quickly(&folder(), &args.features),
        None => binary::build(&host::checkout(), &folder(), &args.features),
    }
}

/// The time that everything in the image is said to be of, seconds since the epoch: `SOURCE_DATE_EPOCH`, else that of the commit, else 0.
fn date() -> String {
    if let Ok(date) = std::env::var("SOURCE_DATE_EPOCH")
        && !date.is_empty()
    {
        return date;
    }
    git(&["log", "-1", "--format=%ct"]).unwrap_or_else(|| "0".to_owned())
}

/// What git says of the checkout, if it is one.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(host::checkout()).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
