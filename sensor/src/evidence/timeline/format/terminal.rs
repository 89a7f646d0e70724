//! A timeline for people: what it is about, the processes as a tree, and what happened, in order.

use super::super::super::source::Gap;
use super::super::model::{Entry, Process, Role, Time, Timeline};
use super::super::time::relative;
use super::tree;
use crate::alert::{VALUE_MAX, escape, quantity};
use anstyle::{AnsiColor, Style};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const TITLE: Style = Style::new().bold().underline();
const GAP: Style = AnsiColor::Red.on_default();
/// Most characters of a command line in the tree.
const COMMAND_LINE_SHOWN: usize = 100;

/// Colour is written always; what it is written to strips it where it is not wanted (`anstream`).
pub fn write(timeline: &Timeline, out: &mut dyn Write) -> io::Result<()> {
    head(timeline, out)?;
    writeln!(out, "\n{TITLE}Processes{TITLE:#}")?;
    for (prefix, process) in tree::lines(&timeline.processes) {
        line_of(timeline, &prefix, process, out)?;
    }
    writeln!(out, "\n{TITLE}Time line{TITLE:#} {DIM}(seconds from {}, then UTC){DIM:#}", timeline.zero.text)?;
    entries(timeline, out)?;
    for note in &timeline.notes {
        writeln!(out, "\n{DIM}Note: {note}{DIM:#}")?;
    }
    Ok(())
}

fn head(timeline: &Timeline, out: &mut dyn Write) -> io::Result<()> {
    if let Some(severity) = &timeline.severity {
        let style = severity_style(severity);
        write!(out, "{style}{}{style:#} ", escape(&severity.to_uppercase(), VALUE_MAX))?;
    }
    writeln!(out, "{BOLD}{}{BOLD:#}", timeline.sentence)?;
    let host = timeline.host.as_ref().map(|host| format!(" on {}", escape(host, VALUE_MAX))).unwrap_or_default();
    let asked = escape(&timeline.asked, VALUE_MAX);
    writeln!(out, "{DIM}{asked}{host}, from {} to {}{DIM:#}", timeline.from.text, timeline.to.text)?;
    for gap in &timeline.gaps {
        writeln!(out, "{GAP}{}{GAP:#}", self::gap(gap))?;
    }
    Ok(())
}

fn line_of(timeline: &Timeline, prefix: &str, process: &Process, out: &mut dyn Write) -> io::Result<()> {
    let style = role_style(process.role);
    let name = program(process);
    write!(out, "{DIM}{prefix}{DIM:#}{style}{name}{style:#}[{}]", process.pid)?;
    if let Some(workload) = process.workload.and_then(|index| timeline.workloads.get(index)).filter(|w| w.id != "host")
    {
        write!(out, " {DIM}{}{DIM:#}", escape(&workload.name, VALUE_MAX))?;
    }
    let amounts = [("held", process.held), ("sent", process.sent)];
    for (verb, bytes) in amounts.into_iter().filter(|(_, bytes)| *bytes > 0) {
        write!(out, " {BOLD}{verb} {}{BOLD:#}", quantity(bytes))?;
    }
    if let Some(ended) = &process.ended {
        write!(out, " {DIM}{ended}{DIM:#}")?;
    }
    match process.command_line.is_empty() {
        true => writeln!(out),
        false => writeln!(out, " {DIM}{}{DIM:#}", escape(&process.command_line, COMMAND_LINE_SHOWN)),
    }
}

/// The last component of the program's path.
pub fn program(process: &Process) -> String {
    let name = process.executable.rsplit('/').next().filter(|name| !name.is_empty());
    name.map_or_else(|| "process".to_owned(), |name| escape(name, VALUE_MAX))
}

/// What is missing, a sentence.
pub fn gap(gap: &Gap) -> String {
    let kind = gap.kind.as_ref().map(|kind| format!(" {}", escape(kind, VALUE_MAX))).unwrap_or_default();
    let count = match gap.count {
        Some(1) if kind.is_empty() => "1 event is".to_owned(),
        Some(1) => format!("1{kind} event is"),
        Some(count) => format!("{count}{kind} events are"),
        None => format!("an unknown number of{kind} events is"),
    };
    let (from, to) = (Time::of(gap.from).text, Time::of(gap.to).text);
    let cause = escape(&gap.cause, 2 * VALUE_MAX);
    format!("Gap: between {from} and {to} {count} missing ({}: {cause})", escape(&gap.place, VALUE_MAX))
}

fn entries(timeline: &Timeline, out: &mut dyn Write) -> io::Result<()> {
    let processes: BTreeMap<&str, &Process> =
        timeline.processes.iter().map(|process| (&*process.id, process)).collect();
    let between = between(&timeline.entries);
    let mut gaps = timeline.gaps.iter().peekable();
    let mut hidden = 0;
    for (index, entry) in timeline.entries.iter().enumerate() {
        while let Some(gap) = gaps.next_if(|gap| gap.from <= entry.time.nanos) {
            gap_line(timeline, gap, out)?;
        }
        if between.get(index) == Some(&true) {
            hidden += 1;
            continue;
        }
        let process = entry.process.as_deref().and_then(|id| processes.get(id).copied());
        entry_line(timeline, entry, process, out)?;
    }
    gaps.try_for_each(|gap| gap_line(timeline, gap, out))?;
    if hidden > 0 {
        writeln!(
            out,
            "\n{DIM}{hidden} reports of growth between a first and a last one are not shown; --format json has them.{DIM:#}"
        )?;
    }
    Ok(())
}

fn gap_line(timeline: &Timeline, gap: &Gap, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{GAP}{:>14}  {}{GAP:#}", relative(gap.from, timeline.zero.nanos), self::gap(gap))
}

fn entry_line(timeline: &Timeline, entry: &Entry, process: Option<&Process>, out: &mut dyn Write) -> io::Result<()> {
    let clock = entry.time.text.get(11..26).unwrap_or(&entry.time.text);
    write!(out, "{:>14}  {DIM}{clock}{DIM:#}  ", entry.relative)?;
    if let Some(severity) = &entry.severity {
        let style = severity_style(severity);
        let kind = escape(&entry.kind, VALUE_MAX);
        let severity = escape(&severity.to_uppercase(), VALUE_MAX);
        return writeln!(out, "{style}{kind} {severity}{style:#} {}", entry.sentence);
    }
    let style = role_style(entry.role);
    write!(out, "{style}{:<9}{style:#} ", escape(&entry.kind, VALUE_MAX))?;
    match process {
        Some(process) => write!(out, "{BOLD}{}{BOLD:#}[{}]", program(process), process.pid)?,
        None => write!(out, "{DIM}(unknown process){DIM:#}")?,
    }
    if let Some(workload) = entry.workload.and_then(|index| timeline.workloads.get(index)).filter(|w| w.id != "host") {
        write!(out, " {DIM}{}{DIM:#}", escape(&workload.name, VALUE_MAX))?;
    }
    writeln!(out, " {}", entry.sentence)
}

/// Which entries only say that something grew that grows further: neither the first nor the last of their carrier, flow or alert.
fn between(entries: &[Entry]) -> Vec<bool> {
    let mut runs: BTreeMap<(Option<&str>, &str, String), (usize, usize)> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let attribute = |name: &str| entry.attributes.get(name).map(Value::to_string).unwrap_or_default();
        let object = match &*entry.kind {
            "flow" => attribute("weir.socket.cookie"),
            "transfer" => ["weir.transfer.direction", "weir.socket.cookie", "weir.file.device", "file.inode"]
                .map(attribute)
                .join(" "),
            "alert" => attribute("weir.alert.uid"),
            _ => continue,
        };
        let process = entry.process.as_deref().filter(|_| entry.kind != "alert");
        runs.entry((process, &entry.kind, object)).or_insert((index, index)).1 = index;
    }
    let ends: std::collections::BTreeSet<usize> = runs.into_values().flat_map(|(first, last)| [first, last]).collect();
    let grows = |entry: &Entry| ["flow", "transfer", "alert"].contains(&&*entry.kind);
    entries.iter().enumerate().map(|(index, entry)| grows(entry) && !ends.contains(&index)).collect()
}

fn role_style(role: Role) -> Style {
    match role {
        Role::Cause => AnsiColor::Cyan.on_default(),
        Role::Subject => AnsiColor::Yellow.on_default().bold(),
        Role::Effect => AnsiColor::Magenta.on_default(),
    }
}

fn severity_style(severity: &str) -> Style {
    match severity {
        "critical" => Style::new().bold().fg_color(Some(AnsiColor::White.into())).bg_color(Some(AnsiColor::Red.into())),
        "high" => AnsiColor::Red.on_default().bold(),
        "medium" => AnsiColor::Yellow.on_default().bold(),
        "low" => AnsiColor::Blue.on_default().bold(),
        _ => DIM,
    }
}
