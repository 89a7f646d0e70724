//! What the spool does and takes: asks the example `spool_rate` of the sensor.

use crate::{host, ui};
use anyhow::{Context, Result, ensure};
use std::process::Stdio;

pub const NAME: &str = "spool";

/// One thing that was measured.
pub struct Number {
    pub what: String,
    pub found: String,
}

/// Builds and runs it, on the disk of the target directory.
pub fn run() -> Result<Vec<Number>> {
    ui::step("alerts through the spool: the example spool_rate", || {
        let directory = host::target_dir().join(format!("spool_rate.{}", std::process::id()));
        let mut cargo = host::cargo();
        cargo.args(["run", "--locked", "--quiet", "--release", "--package", "sensor", "--example", "spool_rate", "--"]);
        let output = cargo.arg(directory).stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        ensure!(output.status.success(), "the example spool_rate failed, see above");
        String::from_utf8_lossy(&output.stdout).lines().map(parse).collect()
    })
}

/// `WHAT: FOUND`
fn parse(line: &str) -> Result<Number> {
    let (what, found) =
        line.split_once(": ").with_context(|| format!("spool_rate said {line:?}, which has no number in it"))?;
    Ok(Number { what: what.trim().to_owned(), found: found.trim().to_owned() })
}
