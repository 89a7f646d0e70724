//! `weir run`

use super::sensor::Sensor;
use crate::agent::{self, Settings, Show};
use crate::detection::Options;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Watch this machine, and print an alert when something is wrong
#[derive(Args)]
#[command(after_help = "\
Examples:
  weir run                                alerts on the terminal
  weir run --format json | tee alerts     one JSON object an alert
  weir run --format ocsf | tee findings   one OCSF Detection Finding an alert
  weir run --rules /etc/weir/rules        with your own rules beside the built-in ones
  weir run --cgroup kubepods              containers of Kubernetes only

Rules and classes are read again when their files change, and on SIGHUP; wrong ones are refused whole.
It ends on SIGTERM or ^C, takes every program out of the kernel, and exits with 0.")]
pub struct Run {
    /// Sigma rules beside the built-in ones: a file or a directory; a rule with the id of a built-in one replaces it
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    /// Leave out rules that ask for what Weir does not see (log sources, fields), and run the others
    #[arg(long)]
    allow_unsupported: bool,

    /// Where to keep, over restarts, how much has left and what was seen; only weir may be able to write it
    #[arg(long, value_name = "DIR", env = "WEIR_STATE_DIR", default_value = "/var/lib/weir")]
    state_dir: PathBuf,

    /// Write a coverage record every so many seconds, at the start and at the end: what was watched, seen and lost, and whether a
    /// canary came out at the end of the line
    #[arg(long, value_name = "SECONDS", env = "WEIR_COVERAGE_INTERVAL",
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    coverage_interval: Option<u64>,

    /// The socket that `weir status` asks [default: weir.sock in the state directory]
    #[arg(long, value_name = "PATH", env = "WEIR_CONTROL")]
    control: Option<PathBuf>,

    #[command(flatten)]
    sensor: Sensor,
}

impl Run {
    pub fn execute(self) -> ExitCode {
        let format = self.sensor.format();
        let rule_options = Options { allow_unsupported: self.allow_unsupported, ..Options::default() };
        let (state, control) = (Some(self.state_dir), self.control);
        let coverage = self.coverage_interval.map(Duration::from_secs);
        let own = self.sensor.settings(self.rules);
        let settings = Settings { rule_options, state, control, coverage, metrics: true, ..own };
        match agent::run(settings, Show::Alerts, format) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::fail(&error),
        }
    }
}
