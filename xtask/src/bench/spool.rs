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
    ui::step("alerts through the spool: the example spool_rate", || ask("spool_rate", &[]))
}

/// Builds and runs an example that has a directory of the target directory's disk to write in, and prints a number a line.
pub fn ask(example: &str, arguments: &[&str]) -> Result<Vec<Number>> {
    let directory = host::target_dir().join(format!("{example}.{}", std::process::id()));
    let mut cargo = host::cargo();
    cargo.args(["run", "--locked", "--quiet", "--release", "--package", "sensor", "--example", example, "--"]);
    let output = cargo.arg(directory).args(arguments).stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the example {example} failed, see above");
    String::from_utf8_lossy(&output.stdout).lines().map(|line| parse(example, line)).collect()
}

/// `WHAT: FOUND`
fn parse(example: &str, line: &str) -> Result<Number> {
    let (what, found) =
        line.split_once(": ").with_context(|| format!("{example} said {line:?}, which has no number in it"))?;
    Ok(Number { what: what.trim().to_owned(), found: found.trim().to_owned() })
}
