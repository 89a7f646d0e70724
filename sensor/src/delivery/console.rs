//! The console: one readable line an event or alert for people, one JSON object a line for programs.

use super::health::Record;
use super::json::{EventObject, Section, TotalsObject, outcomes};
use super::ocsf;
use crate::alert::{Alert, Enrichment, Incident, Notice, VALUE_MAX, escape};
use crate::event::{Attributes, Body, Event, Kind, WallClock};
use crate::evidence::words::Facts;
use crate::kernel::Totals;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::io::{self, Write};

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One line a person can read, in colour on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// How to write what the sensor has to say, line by line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ConsoleFormat {
    /// One line a person can read, in colour on a terminal.
    Text,
    /// One JSON object a line.
    Json,
    /// One JSON object a line, alerts and incidents as OCSF Detection Findings (class 2004).
    Ocsf,
}

impl From<Format> for ConsoleFormat {
    fn from(format: Format) -> ConsoleFormat {
        match format {
            Format::Text => ConsoleFormat::Text,
            Format::Json => ConsoleFormat::Json,
        }
    }
}

/// What was written could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Whoever read has gone: the normal end of `weir events | head`.
    #[error("the reader of the output has gone")]
    Closed,
    /// Disk full, and the like.
    #[error(
        "cannot write the output: {0}; what follows is not shown, so make room or choose another place and start again"
    )]
    Failed(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> OutputError {
        if error.kind() == io::ErrorKind::BrokenPipe { OutputError::Closed } else { OutputError::Failed(error) }
    }
}

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Writes events and alerts to `W`. Colour is written always; `W` strips it where it is not wanted (`anstream`).
pub struct Console<W: Write> {
    out: io::BufWriter<W>,
    format: ConsoleFormat,
    clock: WallClock,
    /// The name of this host, which OCSF asks for.
    host: Option<Box<str>>,
}

impl<W: Write> Console<W> {
    /// A console that writes to `out`.
    pub fn new(out: W, format: impl Into<ConsoleFormat>, clock: WallClock) -> Console<W> {
        let host = crate::host::name().map(String::into_boxed_str);
        Console { out: io::BufWriter::with_capacity(64 * 1024, out), format: format.into(), clock, host }
    }

    /// Wall time has been set anew, or has drifted.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Writes an event; it is seen after [`Console::flush`].
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn event(&mut self, event: &Event) -> Result<(), OutputError> {
        match self.format {
            ConsoleFormat::Json | ConsoleFormat::Ocsf => self.line(&EventObject { event, clock: self.clock })?,
            ConsoleFormat::Text => {
                let time = self.clock.rfc3339(event.time).to_string();
                let kind = event.body.kind_name();
                let style = kind_style(&event.body);
                let what = deed(event);
                let who = Who(event);
                writeln!(self.out, "{DIM}{time}{DIM:#} {style}{kind:<8}{style:#} {who} {what}")?;
            }
        }
        Ok(())
    }

    /// Writes an alert or an incident, and makes sure that it is out.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn notice(&mut self, notice: &Notice) -> Result<(), OutputError> {
        match notice {
            Notice::Alert(alert) => self.alert(alert)?,
            Notice::Incident(incident) => self.incident(incident)?,
            Notice::Enrichment(enrichment) => self.enrichment(enrichment)?,
        }
        self.flush()
    }

    fn alert(&mut self, alert: &Alert) -> Result<(), OutputError> {
        match self.format {
            ConsoleFormat::Json => self.line(&alert.record(self.clock))?,
            ConsoleFormat::Ocsf => self.finding(&alert.record(self.clock))?,
            ConsoleFormat::Text => {
                let time = self.clock.rfc3339(alert.time).to_string();
                let level = alert.rule.level.name().to_uppercase();
                let style = level_style(&level);
                let update = if alert.revision > 0 { " (update)" } else { "" };
                let ids = alert.techniques().join(" ");
                writeln!(
                    self.out,
                    "{DIM}{time}{DIM:#} {style}{level:<8}{style:#} {BOLD}{}{update}{BOLD:#}: {} {DIM}[{ids}]{DIM:#}",
                    escape(&alert.rule.title, VALUE_MAX),
                    alert.sentence.trim(),
                )?;
            }
        }
        Ok(())
    }

    fn incident(&mut self, incident: &Incident) -> Result<(), OutputError> {
        match self.format {
            ConsoleFormat::Json => self.line(&incident.record(self.clock))?,
            ConsoleFormat::Ocsf => self.finding(&incident.record(self.clock))?,
            ConsoleFormat::Text => {
                let time = self.clock.rfc3339(incident.time).to_string();
                let level = incident.level.name().to_uppercase();
                let style = level_style(&level);
                let update = if incident.revision > 0 { " (update)" } else { "" };
                let (sentence, uid) = (incident.sentence(), incident.uid);
                writeln!(
                    self.out,
                    "{DIM}{time}{DIM:#} {style}{level:<8}{style:#} {BOLD}Incident{update}{BOLD:#}: {sentence} {DIM}[{uid}]{DIM:#}",
                )?;
            }
        }
        Ok(())
    }

    fn enrichment(&mut self, enrichment: &Enrichment) -> Result<(), OutputError> {
        match self.format {
            // OCSF has no form for what only names what was told: it is written as it is, by the alert's id.
            ConsoleFormat::Json | ConsoleFormat::Ocsf => self.line(&enrichment.record(self.clock)),
            ConsoleFormat::Text => {
                let time = self.clock.rfc3339(enrichment.time()).to_string();
                let (sentence, uid) = (enrichment.sentence(), enrichment.alert);
                Ok(writeln!(self.out, "{DIM}{time}{DIM:#} {DIM}named   {DIM:#} {sentence} {DIM}[alert {uid}]{DIM:#}")?)
            }
        }
    }

    /// Writes a coverage record, and makes sure that it is out.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn coverage(&mut self, record: &Record) -> Result<(), OutputError> {
        match self.format {
            ConsoleFormat::Json | ConsoleFormat::Ocsf => self.line(record)?,
            ConsoleFormat::Text => {
                let style = if record.is_whole() { DIM } else { level_style("MEDIUM") };
                writeln!(self.out, "{DIM}{}{DIM:#} {style}coverage{style:#} {}", record.time(), record.body())?;
            }
        }
        self.flush()
    }

    /// Writes what became of every event, and of the looks into files, a line a kind in text, one object in JSON.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn statistics(&mut self, totals: &Totals, others: &[Section]) -> Result<(), OutputError> {
        match self.format {
            ConsoleFormat::Json | ConsoleFormat::Ocsf => self.line(&TotalsObject(totals, others))?,
            ConsoleFormat::Text => {
                for kind in Kind::ALL {
                    write!(self.out, "{:<8}", kind.name())?;
                    for (name, count) in outcomes(totals, kind).filter(|(_, count)| *count > 0) {
                        write!(self.out, " {name} {count}")?;
                    }
                    writeln!(self.out)?;
                }
                for (name, counts) in others {
                    write!(self.out, "{name:<8}")?;
                    for (name, count) in counts.iter().filter(|(_, count)| *count > 0) {
                        write!(self.out, " {name} {count}")?;
                    }
                    writeln!(self.out)?;
                }
            }
        }
        self.flush()
    }

    /// Makes sure that all that was written is out.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        Ok(self.out.flush()?)
    }

    fn finding(&mut self, record: &impl Serialize) -> Result<(), OutputError> {
        let record = serde_json::to_value(record).map_err(io::Error::from)?;
        // What has no form in OCSF is written as it is rather than not at all.
        let finding = ocsf::finding(&record, self.host.as_deref());
        self.line(&finding.unwrap_or(record))
    }

    fn line(&mut self, object: &impl Serialize) -> Result<(), OutputError> {
        serde_json::to_writer(&mut self.out, object).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }
}

/// What happened, in the words that timelines use as well.
fn deed(event: &Event) -> String {
    match serde_json::to_value(Attributes(event)) {
        Ok(Value::Object(attributes)) => Facts(&attributes).deed(),
        // Attributes are a map of texts and numbers: that always has a form.
        _ => event.body.kind_name().to_owned(),
    }
}

fn kind_style(body: &Body) -> Style {
    let colour = match body {
        Body::Exec(_) => AnsiColor::Green,
        Body::Open(_) => AnsiColor::Cyan,
        Body::FileChange(_) | Body::Transfer(_) => AnsiColor::Cyan,
        Body::Socket(_) | Body::Listen(_) | Body::Dns(_) | Body::Hello(_) => AnsiColor::Magenta,
        Body::Connect(_) | Body::Flow(_) | Body::Egress(_) => AnsiColor::Magenta,
        Body::ProcessAccess(_) | Body::Bpf(_) | Body::Module(_) | Body::Mount(_) | Body::Namespace(_) => {
            AnsiColor::Yellow
        }
        Body::Recognized(_) => AnsiColor::Cyan,
        Body::Lost(_) | Body::Tamper(_) => AnsiColor::Red,
        Body::Fork(_) | Body::Exit(_) | Body::Cgroup(_) | Body::WorkloadIdentified(_) => return DIM,
        Body::ProcessFound(_) | Body::LedgerRestored(_) | Body::CorrelationsRestored(_) => return DIM,
        Body::Reloaded(_) | Body::Remembered(_) | Body::Tick(_) => return DIM,
    };
    colour.on_default()
}

fn level_style(level: &str) -> Style {
    match level {
        "CRITICAL" => Style::new().bold().fg_color(Some(AnsiColor::White.into())).bg_color(Some(AnsiColor::Red.into())),
        "HIGH" => AnsiColor::Red.on_default().bold(),
        "MEDIUM" => AnsiColor::Yellow.on_default().bold(),
        "LOW" => AnsiColor::Blue.on_default().bold(),
        _ => DIM,
    }
}

impl Console<Vec<u8>> {
    /// What was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        // A vector takes everything.
        let _ = self.out.flush();
        std::mem::take(self.out.get_mut())
    }
}

/// An event in a sentence, without colour: who, and what they did.
pub(super) fn sentence(event: &Event) -> String {
    anstream::adapter::strip_str(&format!("{} {}", Who(event), deed(event))).to_string()
}

/// `python3[1234] container:abc`: the name of the program, else the thread's.
struct Who<'a>(&'a Event);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        let executable = event.process.as_deref().map_or("", |process| &*process.executable);
        let name = executable.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&event.actor.comm);
        match event.actor.process {
            Some(key) => write!(f, "{BOLD}{}{BOLD:#}[{}]", escape(name, VALUE_MAX), key.pid)?,
            None => f.write_str("(unknown process)")?,
        }
        match event.workload.as_deref() {
            Some(workload) if &*workload.id != "host" => {
                write!(f, " {DIM}{}{DIM:#}", escape(shortened(&workload.id), VALUE_MAX))
            }
            _ => Ok(()),
        }
    }
}

/// Container ids are known by their first twelve digits.
fn shortened(id: &str) -> &str {
    const SHOWN: usize = "container:".len() + 12;
    if id.starts_with("container:") { id.get(..SHOWN).unwrap_or(id) } else { id }
}
