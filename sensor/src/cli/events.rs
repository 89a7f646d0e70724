//! `weir events`

use super::sensor::Sensor;
use crate::agent::{self, Selection, Show};
use crate::delivery::ConsoleFormat;
use clap::Args;
use std::process::ExitCode;

/// Show what the sensor sees, as it happens
#[derive(Args)]
#[command(after_help = "\
Examples:
  weir events --kind open --kind flow     opens of classified files, and bytes that leave
  weir events --container 3f2a            one container, by the beginning of its id
  weir events --pid 4711 --format json    one process, for jq

Opens of files that are in no class are counted in the kernel and not sent: see --classes.")]
pub struct Events {
    /// Only events of these kinds
    #[arg(long, value_name = "KIND", value_parser = agent::KINDS)]
    kind: Vec<String>,

    /// Only what these processes do
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,

    /// Only what happens in containers whose id begins so
    #[arg(long, value_name = "ID")]
    container: Vec<String>,

    /// Stop after this many events
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,

    #[command(flatten)]
    sensor: Sensor,
}

impl Events {
    pub fn execute(self) -> ExitCode {
        let format = self.sensor.format();
        if format == ConsoleFormat::Ocsf {
            super::complain(
                "events have no form in OCSF, only alerts do: use --format json here, or `weir run --format ocsf`",
            );
            return ExitCode::from(2);
        }
        let selection = Selection { kinds: self.kind, pids: self.pid, containers: self.container, count: self.count };
        let settings = match self.sensor.settings(Vec::new()) {
            Ok(settings) => settings,
            Err(error) => return super::fail(&error),
        };
        match agent::run(settings, Show::Events(selection), format) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::fail(&error),
        }
    }
}
