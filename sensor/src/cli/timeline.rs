//! `weir timeline`

mod list;
mod pager;

use crate::evidence::place::Place;
use crate::evidence::timeline::anchor::{Anchor, Limits, Question};
use crate::evidence::timeline::cut::cut;
use crate::evidence::timeline::format::{Format, write};
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

/// Show what happened around an alert, a container, a process or a file: before and after
#[derive(Args)]
#[command(after_help = "\
Examples:
  weir timeline                                             which incidents there are
  weir timeline --incident d2b56a12                         one of them: its causes, itself, its effects
  weir timeline --incident d2b56a12 --format html > it.html the same as a page for a browser
  weir timeline --pod ml/vllm-0 --since 2026-07-01T02:00:00Z --until 2026-07-01T03:00:00Z
  weir timeline --file /models/llama.safetensors            who brought it, who read it, what came of that
  weir timeline --from events.jsonl alerts.jsonl --process 4711

A timeline goes backwards to who started a process and who wrote the files that it read, and forwards to its children and to \
who read what it wrote, across containers. It needs neither root nor a running sensor. What is missing of its time is \
shown as a gap, what was left out as a note.

Exit status: 0 there is one; 1 nothing is known of what was asked about, it could be several, or it cannot be read.")]
pub struct Timeline {
    /// Where events are: the sensor's store or a copy of it, or files of JSON lines (weir events, weir run --format json)
    #[arg(long, value_name = "PLACE", num_args = 1.., default_value = "/var/lib/weir/evidence")]
    from: Vec<PathBuf>,

    #[command(flatten)]
    about: About,

    /// From this time on (RFC 3339, UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<u64>,

    /// Until this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<u64>,

    /// How to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "terminal")]
    format: Format,

    /// At most so many entries: what is farthest from what was asked about is left out
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    /// The machine's name, for formats that ask for one [default: this machine's]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Do not page on a terminal
    #[arg(long)]
    no_pager: bool,
}

/// About what: one of these, else a time, else a list of what there is.
#[derive(Args)]
#[group(multiple = false)]
struct About {
    /// An incident, by the beginning of its id
    #[arg(long, value_name = "ID")]
    incident: Option<String>,

    /// An alert, by the beginning of its uid
    #[arg(long, value_name = "UID")]
    alert: Option<String>,

    /// A container by the beginning of its id or name; another workload by its id (systemd:UNIT, slurm:JOB, host)
    #[arg(long, value_name = "ID")]
    container: Option<String>,

    /// A pod
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = pod)]
    pod: Option<(String, String)>,

    /// A process, by its PID on the host or its weir.process.id
    #[arg(long, value_name = "PID")]
    process: Option<String>,

    /// A file, by a path
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
}

impl About {
    fn anchor(self) -> Option<Anchor> {
        let pod = self.pod.map(|(namespace, name)| Anchor::Pod { namespace, name });
        self.incident
            .map(Anchor::Incident)
            .or(self.alert.map(Anchor::Alert))
            .or(self.container.map(Anchor::Workload))
            .or(pod)
            .or(self.process.map(Anchor::Process))
            .or(self.file.map(Anchor::File))
    }
}

fn pod(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => Ok((namespace.into(), name.into())),
        _ => Err("a pod is named NAMESPACE/NAME".to_owned()),
    }
}

/// Nanoseconds since the Unix epoch.
fn time(text: &str) -> Result<u64, String> {
    let time =
        humantime::parse_rfc3339_weak(text).map_err(|_| "a time like 2026-07-01T02:00:00Z is needed".to_owned())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| "a time after 1970 is needed".to_owned())?;
    u64::try_from(since.as_nanos()).map_err(|_| "a time before 2554 is needed".to_owned())
}

impl Timeline {
    pub fn execute(self) -> ExitCode {
        let paged = self.format == Format::Terminal && std::io::stdout().is_terminal() && !self.no_pager;
        let mut source = match Place::of(&self.from).open() {
            Ok(source) => source,
            Err(error) => return super::fail(&error),
        };
        let timed = self.since.is_some() || self.until.is_some();
        let (since, until) = (self.since.unwrap_or(0), self.until.unwrap_or(u64::MAX));
        let anchor = match (self.about.anchor(), timed) {
            (Some(anchor), _) => anchor,
            (None, true) => Anchor::Time,
            (None, false) => return list::list(source.as_mut()),
        };
        let entries = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let defaults = Limits::default();
        let limits = Limits { entries, rows: defaults.rows.max(entries.saturating_mul(4)), ..defaults };
        let host = self.host.or_else(crate::host::name);
        match cut(source.as_mut(), &Question { anchor, since, until, limits }, host.as_deref()) {
            Ok(timeline) if paged => pager::page(|out| write(&timeline, self.format, out)),
            Ok(timeline) => super::print(ExitCode::SUCCESS, |out| write(&timeline, self.format, out)),
            Err(error) => super::fail(&error),
        }
    }
}
