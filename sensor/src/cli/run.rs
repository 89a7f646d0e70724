//! `weir run`

use super::sensor::Sensor;
use crate::agent::{self, Settings, Show};
use crate::config::{self, Config};
use crate::delivery::otlp::{self, Body};
use crate::detection::Options;
use clap::{Args, ValueEnum};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How often a collector is told what was watched, where nobody says otherwise.
const COVERAGE: Duration = Duration::from_secs(60);

/// Watch this machine, and print an alert when something is wrong
#[derive(Args)]
#[command(after_help = "\
Examples:
  weir run                                alerts on the terminal
  weir run --format json | tee alerts     one JSON object an alert
  weir run --format ocsf | tee findings   one OCSF Detection Finding an alert
  weir run --rules /etc/weir/rules        with your own rules beside the built-in ones
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 weir run
                                          alerts to a collector too: kept on disk until it has them
  weir run --cgroup kubepods              containers of Kubernetes only

Rules and classes are read again when their files change, and on SIGHUP; wrong ones are refused whole.
It ends on SIGTERM or ^C, takes every program out of the kernel (but for --pin), and exits with 0.")]
pub struct Run {
    /// Sigma rules beside the built-in ones: a file or a directory; a rule with the id of a built-in one replaces it
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    /// Leave out rules that ask for what Weir does not see (log sources, fields), and run the others
    #[arg(long)]
    allow_unsupported: bool,

    /// Where to keep, over restarts, how much has left and what was seen, what waits for a collector, and the evidence; only weir
    /// may be able to write it
    #[arg(long, value_name = "DIR", env = "WEIR_STATE_DIR", default_value = "/var/lib/weir")]
    state_dir: PathBuf,

    /// Leave the programs in the kernel when the sensor ends, pinned in this directory of a BPF file system, for the next one to go on
    /// from: nothing is missed in between. A second sensor waits for the first to end. `weir unload` takes them off
    #[arg(long, value_name = "DIR", env = "WEIR_PIN")]
    pin: Option<PathBuf>,

    /// Write a coverage record every so many seconds, at the start and at the end: what was watched, seen and lost, and whether a
    /// canary came out at the end of the line; 0: none [default: 60 where there is a collector, else 0]
    #[arg(long, value_name = "SECONDS", env = "WEIR_COVERAGE_INTERVAL",
        value_parser = clap::value_parser!(u64).range(0..=86_400))]
    coverage_interval: Option<u64>,

    /// How the sensor is set up, delivery to a collector above all [default: /etc/weir/weir.yml if it is there]; OTEL_* variables go
    /// before it
    #[arg(long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,

    /// What the body of an exported log record is: a sentence, or a Detection Finding of OCSF [default: as weir.yml says, else
    /// sentence]
    #[arg(long, value_name = "FORM", value_enum)]
    body: Option<Body>,

    /// Send all of this to the collector as well, beside alerts, incidents and coverage records
    #[arg(long, value_name = "WHAT", value_enum)]
    export: Vec<Exported>,

    /// Where to keep everything that happens, for `weir timeline`: SQLite files, within a budget [default: evidence in the state
    /// directory, 4 GiB or a twentieth of the disk]
    #[arg(long, value_name = "DIR", env = "WEIR_EVIDENCE")]
    evidence: Option<PathBuf>,

    /// Keep no evidence
    #[arg(long, conflicts_with = "evidence")]
    no_evidence: bool,

    /// The socket that `weir status` asks [default: weir.sock in the state directory]
    #[arg(long, value_name = "PATH", env = "WEIR_CONTROL")]
    control: Option<PathBuf>,

    #[command(flatten)]
    sensor: Sensor,
}

/// What can be sent beside what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Exported {
    /// Every event that `weir events` would show: apart from alerts, and never at their expense; what there is no room for is counted
    Events,
}

/// Why it cannot be sent as the command line says.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} is for what is sent to a collector, and none is named: set OTEL_EXPORTER_OTLP_ENDPOINT, or otlp.endpoint in weir.yml"
)]
struct NoCollector(&'static str);

impl Run {
    pub fn execute(self) -> ExitCode {
        let format = self.sensor.format();
        match self.settings() {
            Ok(settings) => match agent::run(settings, Show::Alerts, format) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => super::fail(&error),
            },
            Err(error) => super::fail(&*error),
        }
    }

    fn settings(self) -> Result<Settings, Box<dyn Error>> {
        let config = Config::load(self.config.as_deref())?;
        let file = self.config.as_deref().unwrap_or(Path::new(config::DEFAULT)).display().to_string();
        let mut otlp = otlp::Settings::new(|name| std::env::var(name).ok(), &config.otlp, &file)?;
        otlp.body = self.body.unwrap_or(otlp.body);
        let export_events = self.export.contains(&Exported::Events);
        let asked = self.body.map(|_| "--body").or(export_events.then_some("--export"));
        if let (Some(option), None) = (asked, &otlp.logs) {
            return Err(NoCollector(option).into());
        }
        let usual = if otlp.logs.is_some() { COVERAGE } else { Duration::ZERO };
        let coverage = self.coverage_interval.map_or(usual, Duration::from_secs);
        let coverage = Some(coverage).filter(|interval| !interval.is_zero());
        let evidence = config.evidence.settings(self.evidence, &self.state_dir).filter(|_| !self.no_evidence);
        let rule_options = Options { allow_unsupported: self.allow_unsupported, ..Options::default() };
        let (state, control) = (Some(self.state_dir), self.control);
        let pin = self.pin;
        let own = self.sensor.settings(self.rules)?;
        let spool = config.spool.limits();
        let runtimes = own.runtimes.clone().or(&config.runtimes);
        Ok(Settings {
            pin,
            runtimes,
            rule_options,
            state,
            control,
            coverage,
            otlp,
            export_events,
            evidence,
            spool,
            ..own
        })
    }
}
