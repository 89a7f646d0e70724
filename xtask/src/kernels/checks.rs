//! What is run in each guest: tests of `tests/tests`, each as a command of its own, so that one that hangs or dies is one that failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::catalogue::Family;
use crate::{host, ui};

/// Test targets of the package `tests`, and which of their modules; none means all.
const TARGETS: &[(&str, &[&str])] = &[("kernel", &[]), ("cli", &["clock", "lifecycle"])];

/// What is checked where time is short: one of each concern.
const BRIEF: &[&str] = &[
    "accounting::a_storm_of_execs",
    "accounting::a_storm_of_opens",
    "deeds::file::names_that_change",
    "deeds::system::memory_of_other_processes",
    "identity::an_exec_by_another_user_through_a_symlink",
    "network::tcp",
    "opens::every_way_and_every_name_in_a_container_is_one_file",
    "opens::io_uring_by_the_kernels_own_threads",
    "transfers::every_way_is_told_once_with_what_moved",
    "clock::what_was_told_before_and_after_a_step_arrives_with_its_time",
    "lifecycle::sigkill_leaves_nothing_attached",
];

/// What is built on this machine.
pub struct Programs {
    pub weir: PathBuf,
    pub actor: PathBuf,
    pub guest: PathBuf,
    /// By the name of its target.
    pub tests: BTreeMap<String, PathBuf>,
}

/// One test: a row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The test target.
    pub target: String,
    /// The test's name there: `MODULE::TEST`.
    pub name: String,
}

impl Check {
    /// Its name for people: `opens: io_uring by the kernels own threads`.
    pub fn title(&self) -> String {
        let (module, test) = self.name.rsplit_once("::").unwrap_or(("", &self.name));
        let test = test.replace('_', " ").replace("io uring", "io_uring");
        if module.is_empty() { test } else { format!("{}: {test}", module.replace("::", ", ")) }
    }

    /// Whether it starts the sensor with the one family and the other by itself, and so is not to be told which.
    pub fn compares_families(&self) -> bool {
        self.name.starts_with("families::")
    }

    /// Whether it is done where time is short.
    pub fn is_brief(&self) -> bool {
        BRIEF.contains(&self.name.as_str())
    }
}

/// Builds everything but a `weir` that is given; optimised, since where the processor is emulated everything else takes long enough.
pub fn build(weir: Option<&Path>) -> Result<Programs> {
    ui::step("building the sensor, the actors and the tests, in release mode", || {
        // In one go: what is selected decides the features of what it depends on, which would be compiled twice otherwise.
        let mut cargo = host::cargo();
        cargo.args([
            "build",
            "--locked",
            "--quiet",
            "--release",
            "--message-format=json",
            "--package",
            "tests",
            "--bins",
        ]);
        if weir.is_none() {
            cargo.args(["--package", "sensor"]);
        }
        cargo.args(TARGETS.iter().flat_map(|(target, _)| ["--test", target]));
        let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        ensure!(output.status.success(), "the sensor or the tests could not be built, see above");
        let folder = host::target_dir().join("release");
        let tests = String::from_utf8_lossy(&output.stdout).lines().filter_map(executable).collect();
        let weir = weir.map_or_else(|| folder.join("weir"), Path::to_owned);
        ensure!(weir.is_file(), "{} is not there", weir.display());
        Ok(Programs { weir, actor: folder.join("weir-actor"), guest: folder.join("weir-guest"), tests })
    })
}

/// Name and program of a test target in one of cargo's messages.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let kinds = message["target"]["kind"].as_array()?;
    let name = message["target"]["name"].as_str()?;
    kinds.iter().any(|kind| kind == "test").then_some((name.into(), message["executable"].as_str()?.into()))
}

/// The tests, as the test programs themselves list them, whose name has one of `only` in it.
pub fn list(programs: &Programs, only: &[String]) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (target, modules) in TARGETS {
        let program = programs.tests.get(*target).with_context(|| format!("cargo built no test target {target}"))?;
        let output = Command::new(program).args(["--list", "--format", "terse"]).output();
        let output = output.with_context(|| format!("{} did not start", program.display()))?;
        for name in String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.strip_suffix(": test")) {
            let module = name.split("::").next().unwrap_or_default();
            // What tests the tests' own helpers has nothing to do with the kernel.
            if name.contains("::tests::") {
                continue;
            }
            let wanted = only.is_empty() || only.iter().any(|only| name.contains(only.as_str()));
            if wanted && (modules.is_empty() || modules.contains(&module)) {
                checks.push(Check { target: (*target).into(), name: name.into() });
            }
        }
    }
    // Storms last: they take longest, and where time is short the others are to be done.
    checks.sort_by_key(|check| check.name.starts_with("accounting::"));
    if checks.is_empty() {
        bail!("no check has {} in its name: see `cargo xtask kernels --list`", only.join(" or "));
    }
    Ok(checks)
}

/// Whether this `weir` lets its hook family be chosen. One that does not has the portable family only.
pub fn has_families(weir: &Path) -> Result<bool> {
    let output = Command::new(weir).args(["events", "--help"]).output();
    let output = output.with_context(|| format!("{} did not start", weir.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).contains(Family::VARIABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_by_their_tests() {
        let title = |name: &str| Check { target: "kernel".into(), name: name.into() }.title();
        assert_eq!(title("opens::io_uring_by_the_kernels_own_threads"), "opens: io_uring by the kernels own threads");
        assert_eq!(title("alone"), "alone");
    }

    #[test]
    fn cargo_names_the_programs() {
        let message =
            r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"kernel"},"executable":"/t/kernel-1"}"#;
        assert_eq!(executable(message), Some(("kernel".into(), "/t/kernel-1".into())));
        assert_eq!(executable(r#"{"target":{"kind":["lib"],"name":"tests"},"executable":null}"#), None);
        assert_eq!(executable("Compiling"), None);
    }
}
