//! Packages of other Debian releases than this machine's: from the mirror that its apt uses, verified by apt with Debian's own keys,
//! with package lists of their own. Nothing is installed, and the system's lists and sources stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::host;

/// Where a suite is in Debian's archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The archive proper: releases, backports, testing, unstable.
    Main,
    /// Security updates of releases.
    Security,
}

/// Some suites, as apt sees them. Dropping it leaves its files; they are in the folder that it was given.
pub struct Suites {
    folder: PathBuf,
}

impl Suites {
    /// Those of the given names; `folder`, which must exist, is where apt keeps its state about them.
    pub fn new(folder: &Path, suites: &[(Part, &str)]) -> Result<Suites> {
        const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
        if !host::on_path("apt-get") || !host::on_path("dpkg-deb") {
            bail!("this is no Debian machine");
        }
        let mirror = mirror()?;
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(sub)).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let entries = suites.iter().map(|(part, suite)| {
            let security = if *part == Part::Security { "-security" } else { "" };
            format!("deb [signed-by={KEYS}] {mirror}{security} {suite} main\n")
        });
        let list = folder.join("sources.list");
        fs::write(&list, entries.collect::<String>())
            .with_context(|| format!("{} cannot be written", list.display()))?;
        Ok(Suites { folder: folder.to_owned() })
    }

    /// Reads the package lists; whether all could be had.
    pub fn update(&self) -> Result<bool> {
        // By itself apt goes on with the lists that it has, which here are none.
        host::run_quietly(self.configure(host::apt()).args(["-oAPT::Update::Error-Mode=any", "update"]))
    }

    /// Downloads packages (`NAME` or `NAME=VERSION`) into the folder; apt compares them with the checksums of the signed lists.
    pub fn download(&self, packages: &[String]) -> Result<bool> {
        host::run_quietly(self.configure(host::apt()).arg("download").args(packages))
    }

    /// What `apt-cache show` says about the newest version of a package; empty if there is no such package.
    pub fn show(&self, package: &str) -> Result<String> {
        let output = self.configure(Command::new("apt-cache")).args(["show", "--no-all-versions", package]).output();
        Ok(String::from_utf8_lossy(&output.context("apt-cache did not start")?.stdout).into_owned())
    }

    /// Removes what apt kept, but for packages that were downloaded.
    pub fn forget(self) {
        for sub in ["lists", "cache"] {
            fs::remove_dir_all(self.folder.join(sub)).ok();
        }
    }

    fn configure(&self, mut apt: Command) -> Command {
        apt.arg(format!("-oDir::State::Lists={}", self.folder.join("lists").display()));
        apt.arg(format!("-oDir::Cache={}", self.folder.join("cache").display()));
        apt.arg(format!("-oDir::Etc::SourceList={}", self.folder.join("sources.list").display()));
        apt.args(["-oDir::Etc::SourceParts=/dev/null", "-oAPT::Sandbox::User=root", "-oAcquire::Languages=none"]);
        // Only names, versions and checksums: not the descriptions of applications that some machines' apt asks for as well.
        apt.arg("-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false");
        apt.current_dir(&self.folder);
        apt
    }
}

/// The mirror in this machine's apt sources, whatever it is: the first that carries a Debian release proper.
fn mirror() -> Result<String> {
    let output =
        Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]).output();
    let output = output.context("apt-get did not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mirror = text.lines().map(|line| line.trim_end_matches('/')).find(|line| line.ends_with("/debian"));
    mirror.map(str::to_owned).context("no Debian mirror in this machine's apt sources")
}
