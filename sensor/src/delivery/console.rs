//! The console: one readable line an event or alert for people, one JSON object a line for programs.

use super::health::Record;
use super::json::{EventObject, Section, TotalsObject, outcomes};
use super::ocsf;
use crate::alert::{Alert, Incident, Notice, VALUE_MAX, escape, quantity};
use crate::event::{
    Body, Change, ContentFinding, Direction, DnsDirection, Endpoints, Event, File, FlowReason, Kind, MountHow,
    WallClock,
};
use crate::kernel::Totals;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

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

/// Most bytes of a command line, and most characters of a path, that are shown.
const COMMAND_LINE_SHOWN: usize = 200;
const PATH_SHOWN: usize = 1024;

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
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().into());
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
                let what = What(event);
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
    anstream::adapter::strip_str(&format!("{} {}", Who(event), What(event))).to_string()
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

/// What happened.
struct What<'a>(&'a Event);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.body {
            Body::Exec(exec) => {
                write!(f, "ran {}: {}", path(&exec.file), command_line(&exec.args))
            }
            Body::Fork(fork) => write!(f, "forked {}", fork.child.pid),
            Body::Exit(exit) => match (exit.code, exit.signal) {
                (_, Some(signal)) => write!(f, "was ended by signal {signal}"),
                (code, None) => write!(f, "exited with {}", code.unwrap_or(0)),
            },
            Body::Open(open) => {
                write!(f, "opened {} for {}", path(&open.file), open.access.name().replace('_', " and "))?;
                if open.file.id.is_some() {
                    write!(f, " ({}", quantity(open.file.size))?;
                    for class in open.file.classes.iter() {
                        write!(f, ", {}", class.name())?;
                    }
                    f.write_str(")")?;
                }
                Ok(())
            }
            Body::Connect(connect) => {
                write!(f, "connects to {} ({})", peer(&connect.endpoints), connect.endpoints.transport)?;
                named(f, self.0)
            }
            Body::Flow(flow) => {
                let verb = match (flow.reason, flow.initiated) {
                    (FlowReason::Closed, true) => "sent, in all,",
                    (FlowReason::Closed, false) => "answered, in all,",
                    (_, true) => "has sent",
                    (_, false) => "has answered",
                };
                let (ends, sent) = (&flow.endpoints, quantity(flow.bytes));
                write!(f, "{verb} {sent} to {} ({})", peer(ends), ends.transport)?;
                named(f, self.0)
            }
            Body::Egress(grown) => {
                let verb = if grown.initiated { "sent" } else { "answered" };
                let to = grown.peer.map_or_else(|| "others".to_owned(), |peer| peer.to_string());
                let (more, sent) = (quantity(grown.grown), quantity(grown.bytes));
                write!(f, "{verb} {more} more to {to} ({}), {sent} in all", grown.transport)
            }
            Body::LedgerRestored(restored) => {
                write!(f, "the egress ledger goes on with {} accounts", restored.saved.accounts.len())
            }
            Body::CorrelationsRestored(restored) => {
                write!(f, "{} correlations go on with what they had seen", restored.saved.correlations.len())
            }
            Body::Remembered(_) => write!(f, "is remembered from before the sensor started"),
            Body::FileChange(change) => match (change.change, change.new_size) {
                (Change::Rename, _) => {
                    write!(f, "renamed {} to {}", path(&change.file), escape(&change.new_path, PATH_SHOWN))
                }
                (Change::Link, _) => {
                    write!(f, "linked {} as {}", path(&change.file), escape(&change.new_path, PATH_SHOWN))
                }
                (Change::Unlink, _) => write!(f, "removed {}", path(&change.file)),
                (Change::Truncate, Some(size)) => write!(f, "cut {} to {}", path(&change.file), quantity(size)),
                (Change::Truncate, None) => write!(f, "cut {}", path(&change.file)),
            },
            Body::Socket(socket) => {
                let (family, kind) =
                    (socket.family_name().unwrap_or("unknown"), socket.kind_name().unwrap_or("unknown"));
                write!(f, "made a socket whose bytes are not counted: {family} {kind}, protocol {}", socket.protocol)
            }
            Body::ProcessAccess(access) => {
                let number = access.target.map_or(access.target_vpid, |target| target.pid);
                let program = access.target_process.as_deref().map_or("", |process| &*process.executable);
                write!(f, "got at process {number} by {}", access.how.name())?;
                if program.is_empty() { Ok(()) } else { write!(f, " ({})", escape(program, PATH_SHOWN)) }
            }
            Body::Bpf(bpf) => {
                write!(f, "bpf {}", bpf.command_name().unwrap_or("command"))?;
                if let (Some(object), Some(id)) = (bpf.object_name(), bpf.id) {
                    write!(f, " on {object} {id}{}", if bpf.own { ", which is the sensor's own" } else { "" })?;
                }
                let name = escape(&bpf.program_name, VALUE_MAX);
                if name.is_empty() { Ok(()) } else { write!(f, " {name}") }
            }
            Body::Module(module) => write!(f, "loaded the kernel module {}", escape(&module.name, VALUE_MAX)),
            Body::Mount(mount) => {
                let (source, target) = (escape(&mount.source, PATH_SHOWN), escape(&mount.target, PATH_SHOWN));
                match mount.how {
                    MountHow::Mount | MountHow::Move => write!(f, "mounted {source} on {target}"),
                    MountHow::PivotRoot => write!(f, "made {target} its root"),
                }
            }
            Body::Namespace(namespace) => {
                let kinds: Vec<_> = namespace.kinds().collect();
                write!(f, "{} {}", namespace.how.name(), kinds.join(" "))
            }
            Body::Transfer(transfer) => {
                let (verb, towards) = match transfer.direction {
                    Direction::In => ("took", "from"),
                    Direction::Out => ("gave", "to"),
                    Direction::Both => ("shares", "with"),
                };
                let most = if transfer.bound { "at most " } else { "" };
                let (bytes, kind) = (quantity(transfer.bytes), transfer.carrier.name().replace('_', " "));
                write!(f, "{verb} {most}{bytes} {towards} {kind} {}", path(&transfer.file))
            }
            Body::Dns(dns) => match (&dns.message, dns.direction) {
                (Some(message), DnsDirection::Query) => write!(f, "asks for {}", escape(&message.name, VALUE_MAX)),
                (Some(message), DnsDirection::Answer) => {
                    write!(f, "is told of {}:", escape(&message.name, VALUE_MAX))?;
                    match message.addresses.as_slice() {
                        [] => write!(f, " nothing (code {})", message.code),
                        addresses => addresses.iter().try_for_each(|(address, _)| write!(f, " {address}")),
                    }
                }
                (None, _) => write!(f, "has {} by port 53 that are no DNS message", quantity(dns.size.into())),
            },
            Body::Listen(listen) => {
                let address = SocketAddr::new(listen.address, listen.port.unwrap_or_default());
                write!(f, "waits for connections at {address}")
            }
            Body::Hello(hello) => {
                write!(f, "begins a secured flow to {}", peer(&hello.endpoints))?;
                match &hello.server_name {
                    Some(name) => write!(f, " for {}", escape(name, VALUE_MAX)),
                    None => Ok(()),
                }
            }
            Body::Tamper(tamper) => {
                write!(
                    f,
                    "the sensor's own {}: {}",
                    escape(&tamper.object, VALUE_MAX),
                    escape(&tamper.what, PATH_SHOWN)
                )
            }
            Body::Cgroup(cgroup) => write!(f, "cgroup {}", escape(&cgroup.path, PATH_SHOWN)),
            Body::WorkloadIdentified(identified) => {
                let name = |name: &Option<Box<str>>| escape(name.as_deref().unwrap_or("?"), VALUE_MAX).to_string();
                let identity = &identified.identity;
                write!(f, "container {}", escape(&identified.container_id, VALUE_MAX))?;
                write!(f, " is {} of {}", name(&identity.container_name), name(&identity.image))?;
                write!(f, " in pod {}/{}", name(&identity.namespace), name(&identity.pod_name))
            }
            Body::ProcessFound(found) => {
                write!(f, "was already running: {}", command_line(&found.args))
            }
            Body::Recognized(recognized) => {
                write!(f, "looked into {}: ", path(&recognized.file))?;
                match &recognized.finding {
                    // In a recording, anybody can have written these.
                    ContentFinding::Format { name, confidence } => {
                        write!(f, "{} ({})", escape(name, VALUE_MAX), escape(confidence, VALUE_MAX))?;
                    }
                    ContentFinding::Unknown => f.write_str("nothing that is known")?,
                    ContentFinding::Unread(reason) => write!(f, "not read, {}", escape(reason, VALUE_MAX))?,
                }
                recognized.file.classes.iter().try_for_each(|class| write!(f, ", {}", class.name()))
            }
            Body::Reloaded(loaded) => {
                let version = loaded.ruleset.get(..12).unwrap_or(&loaded.ruleset);
                write!(f, "{} rules and {} filters are in effect (version {version})", loaded.rules, loaded.filters)
            }
            Body::Tick(tick) => f.write_str(if tick.last { "the sensor ends" } else { "time passed" }),
            Body::Lost(lost) => {
                let (kind, cause) = (escape(&lost.kind, VALUE_MAX), escape(&lost.cause, VALUE_MAX));
                write!(f, "{} {kind} events lost: {cause}", lost.count)
            }
        }
    }
}

/// What a destination goes by, where it has a name.
fn named(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    let server = event.server.as_ref();
    match server.and_then(|server| Some((server.name.as_deref()?, server.by))) {
        Some((name, by)) => write!(f, ", {} by {}", escape(name, VALUE_MAX), by.name()),
        None => Ok(()),
    }
}

fn path(file: &File) -> impl fmt::Display {
    let cut = if file.path_cut { "…" } else { "" };
    format!("{cut}{}", escape(&file.path, PATH_SHOWN))
}

fn peer(ends: &Endpoints) -> String {
    match (ends.peer_address, ends.peer_port) {
        (address @ (IpAddr::V4(_) | IpAddr::V6(_)), 0) => address.to_string(),
        (address, port) => SocketAddr::new(address, port).to_string(),
    }
}

/// An argument list as a person would type it: quoted where it has to be, cut where it gets long.
fn command_line(args: &[Box<str>]) -> String {
    let mut line = String::new();
    for arg in args {
        if !line.is_empty() {
            line.push(' ');
        }
        if line.len() + arg.len() > COMMAND_LINE_SHOWN {
            line.push('\u{2026}');
            break;
        }
        let plain = !arg.is_empty() && arg.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c));
        let arg = escape(arg, COMMAND_LINE_SHOWN);
        if plain { line.push_str(&arg) } else { line.extend(["'", &arg, "'"]) }
    }
    line
}
