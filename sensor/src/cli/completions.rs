//! `weir completions`

use super::Arguments;
use clap::{Args, CommandFactory};
use std::process::ExitCode;

/// Print shell completions
#[derive(Args)]
#[command(after_help = "For example: weir completions bash > /etc/bash_completion.d/weir")]
pub struct Completions {
    /// The shell to complete in
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn execute(self) -> ExitCode {
        clap_complete::generate(self.shell, &mut Arguments::command(), "weir", &mut std::io::stdout());
        ExitCode::SUCCESS
    }
}
