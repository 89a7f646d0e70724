//! `weir completions`

use super::Arguments;
use clap::{Args, CommandFactory};
use std::io::Write;
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
        // Into memory first: `generate` panics where it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "weir", &mut script);
        let mut out = std::io::stdout();
        super::shown(out.write_all(&script).and_then(|()| out.flush()), ExitCode::SUCCESS)
    }
}
