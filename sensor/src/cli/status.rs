//! `weir status`

mod check;

use crate::agent::status::{self, ApiServer, Counts, Delivery, Privileges, Runtime, Status, StatusError, Watched};
use crate::alert::quantity;
use crate::delivery::Format;
use anstyle::{AnsiColor, Style};
use check::Check;
use clap::Args;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Nobody could be asked.
const NOT_RUNNING: u8 = 3;

/// Say how the running sensor is: hooks, rates, losses, tables, rules
#[derive(Args)]
#[command(after_help = "\
Rates are since the last status that anybody asked for, totals since the sensor started.

Examples:
  weir status                  all that there is to know
  weir status --check running  does it run? One line; what a liveness probe asks
  weir status --check whole    does it run, with every hook? One line; what a readiness probe asks

Exit status:
  0  the sensor runs, and all is well; with --check: what was asked holds
  1  it runs, but something is not as it should be (a hook is missing, events were lost, rules were not taken): it says what;
     with --check whole: a hook is missing
  2  the command line is wrong
  3  it is not running, or cannot be asked")]
pub struct StatusCommand {
    /// The socket of the sensor [default: weir.sock in the state directory]
    #[arg(long, value_name = "PATH", env = "WEIR_CONTROL")]
    control: Option<PathBuf>,

    /// The state directory of the sensor
    #[arg(long, value_name = "DIR", env = "WEIR_STATE_DIR", default_value = "/var/lib/weir")]
    state_dir: PathBuf,

    /// Answer this only, in one line and by the exit status
    #[arg(long, value_name = "WHAT", value_enum, conflicts_with = "format")]
    check: Option<Check>,

    /// How to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl StatusCommand {
    pub fn execute(self) -> ExitCode {
        let path = self.control.unwrap_or_else(|| status::path_in(&self.state_dir));
        let status = match status::ask(&path) {
            Ok(status) => status,
            Err(error @ (StatusError::NotRunning(_) | StatusError::NotPermitted(_) | StatusError::NoAnswer { .. })) => {
                super::complain(&super::sentence(&error));
                return ExitCode::from(NOT_RUNNING);
            }
        };
        if let Some(check) = self.check {
            let (holds, line) = check.of(&status);
            let exit = if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            return super::print(exit, |out| writeln!(out, "{line}"));
        }
        let exit = if status.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        super::print(exit, |out| match self.format {
            Format::Text => text(&status, out),
            Format::Json => {
                serde_json::to_writer(&mut *out, &status)?;
                writeln!(out)
            }
        })
    }
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HEAD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

fn text(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    let Status { version, pid, kernel, since, process, ledger, .. } = status;
    writeln!(out, "{HEAD}weir {version}{HEAD:#}, process {pid}, on Linux {kernel}, since {since}")?;
    let memory = process.memory_bytes.map_or_else(|| "unknown".to_owned(), quantity);
    let share = if status.seconds > 0 { 100.0 * process.cpu_seconds / status.seconds as f64 } else { 0.0 };
    writeln!(out, "memory {memory}, CPU {:.1} s ({share:.1} % of one)", process.cpu_seconds)?;
    if let Some(pinned) = &status.pinned {
        let how = if pinned.taken_over { "went on from the sensor before" } else { "began anew" };
        writeln!(out, "programs stay in the kernel when it ends (generation {}, {how})", pinned.generation)?;
    }
    writeln!(out, "{}", privileges(&status.privileges))?;
    match status.problems.as_slice() {
        [] => writeln!(out, "{GOOD}all is well{GOOD:#}")?,
        problems => problems.iter().try_for_each(|problem| writeln!(out, "{BAD}problem{BAD:#}  {problem}"))?,
    }

    heading(out, "hooks")?;
    status.hooks.iter().try_for_each(|watched| hooks(watched, out))?;

    heading(out, "events")?;
    writeln!(out, "  {DIM}{:<16}{:>12}{:>12}{:>14}{:>14}{:>8}{DIM:#}", "", "seen/s", "sent/s", "seen", "sent", "lost")?;
    for events in status.events.iter().filter(|events| events.seen + events.sent + events.lost > 0) {
        let style = if events.lost > 0 { BAD } else { Style::new() };
        let (kind, seen, sent, lost) = (&events.kind, events.seen, events.sent, events.lost);
        let (seen_rate, sent_rate) = (events.seen_per_second, events.sent_per_second);
        writeln!(out, "  {kind:<16}{seen_rate:>12.1}{sent_rate:>12.1}{seen:>14}{sent:>14}{style}{lost:>8}{style:#}")?;
    }
    let (ring, limit) = (quantity(status.ring_bytes), quantity(status.ring_limit));
    writeln!(out, "  the ring was filled with {ring} of {limit} at most")?;
    if status.canary_rounds > 0 {
        let (style, missing) = (if status.canary_missing > 0 { BAD } else { GOOD }, status.canary_missing);
        let rounds = status.canary_rounds;
        writeln!(out, "  {style}canary{style:#}  {rounds} rounds, {missing} deeds did not come out")?;
    }
    for lost in &status.lost {
        writeln!(out, "  {BAD}lost{BAD:#}  {} of {}: {}", lost.count, lost.kind, lost.cause)?;
    }

    heading(out, "tables")?;
    writeln!(out, "  {DIM}{:<20}{:>10}{:>10}{:>10}{DIM:#}", "", "entries", "limit", "evicted")?;
    for table in &status.tables {
        writeln!(out, "  {:<20}{:>10}{:>10}{:>10}", table.name, table.entries, table.limit, table.evicted)?;
    }

    heading(out, "rules")?;
    rules(status, out)?;

    if !status.runtimes.is_empty() {
        heading(out, "container runtimes")?;
        status.runtimes.iter().try_for_each(|runtime| runtime_line(runtime, out))?;
    }

    if let Some(server) = &status.kube {
        heading(out, "API server")?;
        api_server(server, out)?;
    }

    heading(out, "ledger")?;
    let saved = match (&ledger.saved, ledger.kept) {
        (_, false) => "not kept over restarts",
        (None, true) => "kept, nothing to save yet",
        (Some(saved), true) => &format!("saved {saved}"),
    };
    writeln!(out, "  {} accounts, {saved}", ledger.accounts)?;
    if ledger.unattributed > 0 {
        let bytes = quantity(ledger.unattributed_bytes);
        writeln!(out, "  {} reports of no known workload: {bytes} are not accounted for", ledger.unattributed)?;
    }
    if let Some(store) = &status.evidence {
        heading(out, "evidence")?;
        let of = |name: &str| store.get(name).copied().unwrap_or(0);
        let (size, segments, dropped) =
            (quantity(of("bytes")), of("segments"), of("dropped_busy") + of("dropped_disk"));
        writeln!(out, "  {} events kept since the start, {size} in {segments} segments", of("events"))?;
        writeln!(
            out,
            "  {} incidents kept beyond them, {} gone before their time",
            of("incidents"),
            of("incidents_early")
        )?;
        if dropped > 0 {
            writeln!(
                out,
                "  {BAD}{dropped} events are not in it{BAD:#}: {} came too fast, {} the disk refused",
                of("dropped_busy"),
                of("dropped_disk")
            )?;
        }
    }
    if let Some(sent) = &status.delivery {
        delivery(sent, out)?;
    }
    for (name, counted) in [("alerts", &status.alerts), ("looks", &status.looks), ("carriers", &status.carriers)] {
        counts(name, counted, out)?;
    }
    Ok(())
}

fn delivery(sent: &Delivery, out: &mut dyn Write) -> io::Result<()> {
    heading(out, "delivery")?;
    let (bytes, limit) = (quantity(sent.bytes), quantity(sent.limit));
    write!(out, "  {} records wait, {bytes} of {limit}", sent.waiting)?;
    match sent.oldest_seconds {
        Some(seconds) => writeln!(out, ", the oldest for {seconds} s")?,
        None => writeln!(out)?,
    }
    let last = sent.last.as_deref().unwrap_or("never yet");
    writeln!(out, "  the collector last took some: {last}")?;
    if let Some(reason) = &sent.trouble {
        writeln!(out, "  {BAD}trouble{BAD:#}  {reason}")?;
    }
    for (name, counted) in [("sent", &sent.results), ("evicted", &sent.evicted), ("lost or in doubt", &sent.losses)] {
        let counted: Vec<_> = counted.iter().filter(|(_, count)| **count > 0).collect();
        if !counted.is_empty() {
            let each: Vec<_> = counted.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
            writeln!(out, "  {name}: {}", each.join(", "))?;
        }
    }
    Ok(())
}

fn privileges(left: &Privileges) -> String {
    let capabilities = if left.capabilities.is_empty() { "none".to_owned() } else { left.capabilities.join(" ") };
    let without = |there: bool| if there { "" } else { "no " };
    let (privileges, seccomp) = (without(left.no_new_privileges), without(left.seccomp));
    format!("capabilities {capabilities}; {privileges}no_new_privs, {seccomp}seccomp filter")
}

fn heading(out: &mut dyn Write, name: &str) -> io::Result<()> {
    writeln!(out, "\n{HEAD}{name}{HEAD:#}")
}

fn hooks(watched: &Watched, out: &mut dyn Write) -> io::Result<()> {
    let (style, state) = match (watched.missing.is_empty(), watched.hooks.is_empty()) {
        (false, _) => (BAD, "gaps"),
        (true, false) => (GOOD, "live"),
        // Nothing of that kind can happen on this kernel.
        (true, true) => (DIM, "none"),
    };
    let family = watched.family.as_deref().unwrap_or_default();
    writeln!(
        out,
        "  {style}{state}{style:#}  {:<15} {family:<11} {DIM}{}{DIM:#}",
        watched.concern,
        watched.hooks.join(" ")
    )?;
    for missing in &watched.missing {
        writeln!(out, "        {BAD}{}{BAD:#}: {}; {}", missing.program, missing.reason, missing.mend)?;
    }
    Ok(())
}

fn runtime_line(runtime: &Runtime, out: &mut dyn Write) -> io::Result<()> {
    let name = runtime.name.as_deref().unwrap_or("nobody yet");
    let since = runtime.since.as_deref().unwrap_or("the start");
    let (style, state) = if runtime.connected { (GOOD, "answers") } else { (BAD, "away") };
    writeln!(out, "  {style}{state}{style:#}  {name}, since {since}")?;
    writeln!(out, "    {DIM}{}{DIM:#}", runtime.socket)?;
    if let Some(reason) = &runtime.reason {
        writeln!(out, "    {reason}")?;
    }
    let Runtime { known, asked, answered, unknown, failed, refused, .. } = runtime;
    let watch = runtime.watch.as_deref().unwrap_or("asked only");
    writeln!(
        out,
        "    {known} known by {watch}; asked {asked}, named {answered}, unknown {unknown}, failed {failed}, refused {refused}"
    )
}

fn api_server(kube: &ApiServer, out: &mut dyn Write) -> io::Result<()> {
    let server = kube.server.as_deref().unwrap_or("not found yet");
    let since = kube.since.as_deref().unwrap_or("the start");
    let (style, state) = if kube.connected { (GOOD, "answers") } else { (BAD, "away") };
    writeln!(out, "  {style}{state}{style:#}  {server}, since {since}")?;
    if let Some(reason) = &kube.reason {
        writeln!(out, "    {reason}")?;
    }
    let ApiServer { node, pods, told, failed, .. } = kube;
    writeln!(out, "    {pods} pods on node {node}; told {told} times, away {failed} times")
}

fn rules(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    let rules = &status.rules;
    let short = |version: &str| version.get(..12).unwrap_or(version).to_owned();
    writeln!(
        out,
        "  {} rules and {} filters, version {}, classes {}, since {} ({} reloads)",
        rules.rules,
        rules.filters,
        short(&rules.version),
        short(&rules.classes),
        rules.since,
        rules.reloads
    )?;
    if let Some(refused) = &rules.refused {
        writeln!(out, "  {BAD}not taken{BAD:#} {}: {} problems", refused.time, refused.count)?;
        refused.problems.iter().try_for_each(|problem| writeln!(out, "    {problem}"))?;
    }
    for filter in &status.filters {
        writeln!(out, "  filter  {:>10} taken by {}", filter.taken, filter.title)?;
    }
    for correlation in status.correlations.iter().filter(|c| c.groups > 0 || c.evicted + c.without_key > 0) {
        let (name, groups, events) = (&correlation.name, correlation.groups, correlation.events);
        write!(out, "  correlation {name}: {groups} groups, {events} events")?;
        if correlation.without_key > 0 {
            write!(out, ", {} matches without a value to group by", correlation.without_key)?;
        }
        if correlation.evicted > 0 {
            write!(out, ", {BAD}{} groups forgotten for want of room{BAD:#}", correlation.evicted)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn counts(name: &str, counts: &Counts, out: &mut dyn Write) -> io::Result<()> {
    heading(out, name)?;
    let counted: Vec<_> =
        counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| format!("{name} {count}")).collect();
    writeln!(out, "  {}", if counted.is_empty() { "nothing yet".to_owned() } else { counted.join(", ") })
}
