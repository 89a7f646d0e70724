//! `weir replay`

use crate::delivery::Format;
use crate::replay::{self, Settings};
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

/// Take what `weir run --record` recorded through the rules again
#[derive(Args)]
#[command(after_help = "\
Examples:
  weir replay night.weir                            the alerts that weir run gave then, byte for byte
  weir replay night.weir --rules new/               what your rules would have said
  weir replay night.weir --rules old/ --diff new/   where two rule sets differ: - before, + after
  weir replay /var/lib/weir/evidence                what was kept, as far back as it goes
  weir replay night.weir --from 2026-07-01T02:00:00Z --to 2026-07-01T03:00:00Z

Alerts go to standard output as from weir run. What the replay cannot know goes to standard error: events that were not \
recorded, and whether the recording was made with other rules, other classes or another weir. The kernel sent what the \
classes of then asked for; other classes find no more than that. With --diff an alert counts once for each rule and \
subject; it can also come or go because another one of its incident did.

Exit status: 0 it was replayed; with --diff, 0 the alerts are the same, 1 they differ, or it could not be replayed.")]
pub struct Replay {
    /// The recording, the directory in which weir run keeps evidence, or an archive that weir evidence export wrote
    file: PathBuf,

    /// Sigma rules beside the built-in ones: a file or a directory; a rule with the id of a built-in one replaces it
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    /// Replay with these rules beside the built-in ones as well, and show only where the alerts differ
    #[arg(long, value_name = "DIR")]
    diff: Vec<PathBuf>,

    /// What files are worth something: replaces the built-in classes.yml
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,

    /// What is declared for workloads (default: /etc/weir/policy.yml, if it is there)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Show alerts from this time on (RFC 3339, UTC); what was before is replayed, and not shown
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1970-01-01T00:00:00Z", hide_default_value = true)]
    from: u64,

    /// Replay up to this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<u64>,

    /// How to write: text for people, JSON lines for programs (text on a terminal, else json)
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
}

/// Nanoseconds since the Unix epoch.
fn time(text: &str) -> Result<u64, String> {
    let time =
        humantime::parse_rfc3339_weak(text).map_err(|_| "a time like 2026-07-01T02:00:00Z is needed".to_owned())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| "a time after 1970 is needed".to_owned())?;
    u64::try_from(since.as_nanos()).map_err(|_| "a time before 2554 is needed".to_owned())
}

impl Replay {
    pub fn execute(self) -> ExitCode {
        let default = if std::io::stdout().is_terminal() { Format::Text } else { Format::Json };
        let format = self.format.unwrap_or(default);
        let settings = Settings {
            file: self.file,
            rules: self.rules,
            classes: self.classes,
            policy: self.policy,
            span: self.from..=self.to.unwrap_or(u64::MAX),
            progress: std::io::stderr().is_terminal(),
        };
        let done = if self.diff.is_empty() {
            replay::run(&settings, format, anstream::stdout()).map(|_| ExitCode::SUCCESS)
        } else {
            let status = |same| if same { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            replay::diff(&settings, &self.diff, format, anstream::stdout()).map(|(_, found)| status(found.is_none()))
        };
        done.unwrap_or_else(|error| match error {
            // A reader who has seen enough is no failure.
            replay::ReplayError::Output(crate::delivery::OutputError::Closed) => ExitCode::SUCCESS,
            error => super::fail(&error),
        })
    }
}
