//! xtask in the place of rustc, while the eBPF object is built: the same compiler with the same arguments but one.
//!
//! Cargo tells crates of one name apart by `-C metadata=HASH`, which ends up in symbol names and can change the order of what is
//! emitted. Its hash covers the absolute path of every crate that lies outside of the workspace and of the registry: here
//! sensor-common, and core itself. There is no flag against that, so for the BPF target the hash is replaced by one of what
//! does not depend on the machine: the crate's name and version.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use super::{TARGET, inputs};

/// Set in the environment of a cargo whose rustc this program stands in for.
const MARK: &str = "WEIR_XTASK_IS_RUSTC";

/// Makes `cargo` call this program in place of rustc.
pub fn install(cargo: &mut Command) -> Result<()> {
    cargo.env("RUSTC_WRAPPER", env::current_exe().context("this program's own path is unknown")?).env(MARK, "1");
    Ok(())
}

/// Whether this process was started by cargo as its rustc.
pub fn is_called() -> bool {
    env::var_os(MARK).is_some()
}

/// Runs rustc, whose path is the first argument, and does not return unless that fails.
pub fn run() -> Result<ExitCode> {
    let mut args = env::args_os().skip(1);
    let rustc = args.next().context("cargo named no rustc to run")?;
    let args: Vec<OsString> = args.collect();
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    Err(Command::new(rustc).args(settled(args, &version)).exec()).context("rustc did not start")
}

/// `args` with the hash replaced, if they compile a crate for the BPF target.
fn settled(args: Vec<OsString>, version: &str) -> Vec<OsString> {
    let after = |flag: &str| args.iter().skip_while(|arg| *arg != flag).nth(1).cloned();
    let Some(name) = after("--crate-name").filter(|_| after("--target").is_some_and(|target| target == TARGET)) else {
        return args;
    };
    let hash = inputs::digest(format!("{} {version}", name.to_string_lossy()).as_bytes());
    let metadata = OsString::from(format!("metadata={}", &hash[..16]));
    let settle = |arg: OsString| if arg.as_encoded_bytes().starts_with(b"metadata=") { metadata.clone() } else { arg };
    args.into_iter().map(settle).collect()
}

#[cfg(test)]
mod tests;
