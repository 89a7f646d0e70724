//! `cargo xtask scoreboard`: every attack and every look-alike, played, and what the sensor said of each.
//!
//! The scenarios are in `tests/attacks` and `tests/benign`; here they are run and shown in one table. Each attack is played with the
//! scenarios' small policy and with none.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{host, ui};

/// Every attack and every look-alike, and what the sensor said of each.
///
/// Builds the sensor, plays all scenarios in containers of their own, and prints a table: detected, seconds to the alert, bytes told
/// and bytes true, and whether the reader, the sender and the file that were named are the right ones. Exits with 1 if an attack was
/// missed or told wrongly, or a look-alike told at medium or above.
#[derive(clap::Args)]
pub struct Args {
    /// Only scenarios with this text in their name (RUN::SCENARIO); can be given more than once.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// JSON lines, one a scenario, instead of the table.
    #[arg(long)]
    json: bool,
}

/// What a scenario's line says.
#[derive(Deserialize)]
struct Row {
    target: String,
    run: String,
    scenario: String,
    about: String,
    status: String,
    good: bool,
    seconds: Option<f64>,
    rule: String,
    carriers: Vec<String>,
    held_by: Option<String>,
    bytes_told: Option<u64>,
    bytes_true: u64,
    bytes_ok: Option<bool>,
    reader_ok: Option<bool>,
    sender_ok: Option<bool>,
    source_ok: Option<bool>,
    destination_ok: Option<bool>,
    why: String,
    /// What was wrong at the first try, where it was played twice.
    first_try: Option<String>,
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Builds, plays, shows.
pub fn run(args: &Args) -> Result<ExitCode> {
    host::become_root()?;
    host::install_packages()?;
    let outcome = build().and_then(|()| play(args));
    host::hand_back();
    outcome
}

fn build() -> Result<()> {
    ui::step("building the sensor, the actors and the scenarios", || {
        let mut cargo = host::cargo();
        cargo.args(["build", "--locked", "--quiet", "--package", "sensor", "--bin", "weir"]);
        ensure!(cargo.status().context("cannot run cargo")?.success(), "the sensor could not be built, see above");
        let mut cargo = host::cargo();
        cargo.args(["test", "--locked", "--quiet", "--package", "tests", "--test", "attacks", "--test", "benign"]);
        ensure!(cargo.arg("--no-run").status()?.success(), "the scenarios could not be built, see above");
        Ok(())
    })
}

fn play(args: &Args) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for target in ["attacks", "benign"] {
        rows.extend(ui::step(format!("playing: {target}"), || play_target(target, args))?);
    }
    if rows.is_empty() {
        bail!("no scenario has {} in its name", args.only.join(" or "));
    }
    if !args.json {
        show(&rows);
    }
    Ok(if rows.iter().all(|row| row.good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play_target(target: &str, args: &Args) -> Result<Vec<Row>> {
    let mut cargo = host::cargo();
    cargo.args(["test", "--locked", "--quiet", "--package", "tests", "--test", target, "--", "--json"]);
    cargo.args(args.only.iter().flat_map(|text| ["--only", text]));
    // Cargo's own word on a scenario that failed says less than the table, and is left out unless nothing else came.
    let mut child = cargo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cargo did not start")?;
    let errors = child.stderr.take().context("cargo has no standard error")?;
    let errors = std::thread::spawn(move || std::io::read_to_string(errors).unwrap_or_default());
    let mut rows = Vec::new();
    for line in BufReader::new(child.stdout.take().context("cargo has no output")?).lines() {
        let line = line.context("cargo's output cannot be read")?;
        if let Ok(row) = serde_json::from_str(&line) {
            if args.json {
                anstream::println!("{line}");
            }
            rows.push(row);
        }
    }
    let status = child.wait().context("cargo was lost")?;
    let errors = errors.join().unwrap_or_default();
    if !status.success() && rows.is_empty() {
        bail!("{target} could not be played: {}", errors.trim());
    }
    for line in errors.lines().filter(|line| line.starts_with("the sensor says: ")) {
        ui::note(line);
    }
    Ok(rows)
}

fn show(rows: &[Row]) {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (names, abouts) = (width(|row| &row.scenario), width(|row| &row.about));
    let mut group = String::new();
    for row in rows {
        let own = format!("{}, {}", row.target, row.run.replace('_', " "));
        if own != group {
            anstream::println!("\n{own}");
            anstream::println!(
                "  {:names$}  {:abouts$}  {:8}  {:>7}  {:>9}  {:>9}  reader  sender  file  to    by",
                "scenario",
                "what",
                "",
                "seconds",
                "told",
                "true"
            );
            group = own;
        }
        let style = if row.good { GOOD } else { BAD };
        let seconds = row.seconds.map_or_else(String::new, |seconds| format!("{seconds:.2}"));
        let attack = row.target == "attacks";
        let told = row.bytes_told.map_or_else(|| "-".into(), |told| told.to_string());
        let told_style = if row.bytes_ok == Some(false) { BAD } else { Style::new() };
        anstream::print!("  {:names$}  {:abouts$}  {style}{:8}{style:#}", row.scenario, row.about, row.status);
        if attack {
            anstream::print!("  {seconds:>7}  {told_style}{told:>9}{told_style:#}  {:>9}", row.bytes_true);
            for (right, width) in [(row.reader_ok, 6), (row.sender_ok, 6), (row.source_ok, 4), (row.destination_ok, 4)]
            {
                let (style, word) = match right {
                    Some(true) => (Style::new(), "ok"),
                    Some(false) => (BAD, "no"),
                    None => (Style::new(), "-"),
                };
                anstream::print!("  {style}{word:width$}{style:#}");
            }
            let held = row.held_by.as_ref().map_or_else(String::new, |by| format!(", held by the {by}"));
            let carriers =
                if row.carriers.is_empty() { String::new() } else { format!(", by {}", row.carriers.join(", ")) };
            anstream::print!("  {}{held}{carriers}", row.rule);
        }
        anstream::println!();
        if !row.good && !matches!(row.status.as_str(), "missed") {
            anstream::println!("      {}", row.why);
        }
        if let Some(why) = &row.first_try {
            anstream::println!("      played twice; the first time: {why}");
        }
    }
    anstream::println!();
    for (target, word, good) in [("attacks", "detected", "detected"), ("benign", "silent", "silent")] {
        let of: Vec<&Row> = rows.iter().filter(|row| row.target == target).collect();
        if !of.is_empty() {
            let count = of.iter().filter(|row| row.status == good).count();
            anstream::println!("{target}: {count} of {} {word}", of.len());
        }
    }
}
