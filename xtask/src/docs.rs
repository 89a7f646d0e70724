//! `cargo xtask docs`: the pages of the reference that are made from the code.

use std::fs;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::{host, ui};

/// The reference docs that are made from the code: docs/fields.md, docs/metrics.md and docs/rules.md.
///
/// Writes them, or with --check compares them with what is there.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing, and exit with 1 if a page is not what the code gives.
    #[arg(long)]
    check: bool,
}

/// The pages, as the example `reference` of the sensor calls them.
const PAGES: [&str; 3] = ["fields", "metrics", "rules"];

/// Writes or compares.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.check {
        check()?;
        return Ok(ExitCode::SUCCESS);
    }
    for page in PAGES {
        let (path, text) = (path(page), make(page)?);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        ui::note(format!("docs/{page}.md is written"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares all pages; the error names those that differ, and where.
pub fn check() -> Result<()> {
    let mut different = Vec::new();
    for page in PAGES {
        let there = fs::read_to_string(path(page)).unwrap_or_default();
        let made = make(page)?;
        if there != made {
            let same = there.lines().zip(made.lines()).take_while(|(a, b)| a == b).count();
            different.push(format!("docs/{page}.md, from line {}", same + 1));
        }
    }
    if !different.is_empty() {
        bail!("not what the code gives: {}; run `cargo xtask docs` and commit", different.join("; "));
    }
    Ok(())
}

fn path(page: &str) -> PathBuf {
    host::checkout().join("docs").join(format!("{page}.md"))
}

fn make(page: &str) -> Result<String> {
    let mut cargo = host::cargo();
    cargo.args(["run", "--locked", "--quiet", "--package", "sensor", "--example", "reference", "--", page]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the page {page} could not be made, see above");
    }
    String::from_utf8(output.stdout).context("the page is not UTF-8")
}
