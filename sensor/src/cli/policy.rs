//! `weir policy`

mod explain;

use crate::policy::{self, PolicyError};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check what is declared for workloads, and explain what it means for one
#[derive(Args)]
pub struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read a policy as `weir run` would, and say what is wrong with it
    #[command(after_help = "Exit status: 0 the policy is right, 1 something is wrong.")]
    Check {
        /// The policy
        #[arg(default_value = policy::FILE)]
        file: PathBuf,
    },
    Explain(explain::Explain),
    /// Print the JSON Schema of policy.yml, for editors
    Schema,
}

impl Policy {
    pub fn execute(self) -> ExitCode {
        match self.command {
            Command::Check { file } => check(&file),
            Command::Explain(explain) => explain.execute(),
            Command::Schema => super::print(ExitCode::SUCCESS, |out| out.write_all(policy::SCHEMA.as_bytes())),
        }
    }
}

fn check(file: &Path) -> ExitCode {
    let checked: Result<policy::Policy, PolicyError> = policy::Policy::load(file);
    match checked {
        Ok(policy) => {
            let entries = policy.entries().len();
            let version = policy.digest().and_then(|digest| digest.get(..12)).unwrap_or_default();
            super::print(ExitCode::SUCCESS, |out| writeln!(out, "{entries} entries are right (version {version})"))
        }
        Err(error) => super::fail(&error),
    }
}
