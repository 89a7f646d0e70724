//! `cargo xtask bench`: what the sensor costs those who are watched, and what it costs itself.
//!
//! Not a test: nothing here passes or fails by time. Rounds of "sensor off" and "sensor on" follow each other in one run, so that
//! what else happens on the machine meets both alike; what is compared is the two halves of the same round. What is measured
//! with is in `load`, the agent's own consumption in `agent`, the numbers in `statistics` and `report`; `docs/performance.md` keeps
//! them. Nothing of the sensor may be changed for being measured: it is the release build of `weir run`.

mod agent;
mod decode;
mod evidence;
mod load;
mod loads;
mod machine;
mod noop;
mod report;
mod rules;
mod spool;
mod statistics;
mod wire;

use crate::{host, ui};
use agent::Agent;
use anyhow::{Context, Result, ensure};
use load::{LOADS, Load, Stage};
use machine::Cpus;
use report::{Consumption, Cost, Report};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures what Weir costs: nanoseconds added to what it watches, how many events it takes, its CPU and memory.
///
/// Builds the sensor in release mode and starts and stops it several times. Never fails because something is slow: it prints the
/// numbers and which of the aims they meet. Nothing else should run meanwhile. Needs root.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench                       everything, a few minutes
  cargo xtask bench --quick               everything, roughly
  cargo xtask bench --only open-miss      one thing; see --list
  cargo xtask bench --rounds 15 --write   and record it in docs/performance.md

With $WEIR and $WEIR_ACTOR naming the two programs, these are measured and nothing is built (but for `decode`, `rules`, `spool` and `evidence`).")]
pub struct Args {
    /// Only this; can be given more than once.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(names()))]
    only: Vec<String>,
    /// How often to measure without and with the sensor.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Two rounds and a short look at the idle agent: to see that it works.
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Record the numbers in docs/performance.md.
    #[arg(long, conflicts_with_all = ["only", "quick"])]
    write: bool,
    /// List what is measured and do nothing.
    #[arg(long)]
    list: bool,
}

/// What is measured beside the loads.
const OTHERS: [(&str, &str); 7] = [
    (decode::NAME, "ring records made into events, on one core, without a kernel"),
    (rules::NAME, "rules held against events, on one core, without a kernel; a flooded correlation"),
    (
        spool::NAME,
        "alerts through the spool, synced to the disk that holds the target directory; memory when many wait",
    ),
    (
        evidence::NAME,
        "events into the store of evidence, what they take on disk, and how long it is until some are found again",
    ),
    (wire::NAME, "what a sensor sends to a collector: bytes of each kind of record, with and without gzip"),
    (STORM, "events from the kernel through the whole line, as fast as they can be made"),
    (IDLE, "the agent's CPU and memory when nothing happens"),
];
const STORM: &str = "storm";
const IDLE: &str = "idle";

fn names() -> impl Iterator<Item = &'static str> {
    LOADS.iter().map(|load| load.name).chain(OTHERS.iter().map(|(name, _)| *name))
}

/// Measures and reports.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.list {
        for (name, about) in LOADS.iter().map(|load| (load.name, load.about)).chain(OTHERS) {
            anstream::println!("{name:16} {about}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    host::become_root()?;
    host::install_packages()?;
    let outcome = measure(args).and_then(|report| {
        if args.json {
            println!("{}", serde_json::to_string_pretty(&report.json())?);
        } else {
            anstream::print!("{}", report.tables());
        }
        if args.write { report.write(&host::checkout().join("docs/performance.md")) } else { Ok(()) }
    });
    host::hand_back();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// The two programs.
struct Programs {
    weir: PathBuf,
    actor: PathBuf,
}

fn build() -> Result<Programs> {
    let named = |variable| std::env::var_os(variable).map(PathBuf::from);
    if let (Some(weir), Some(actor)) = (named("WEIR"), named("WEIR_ACTOR")) {
        return Ok(Programs { weir, actor });
    }
    ui::step("building the sensor and the actors, in release mode", || {
        let mut cargo = host::cargo();
        cargo.args([
            "build",
            "--locked",
            "--quiet",
            "--release",
            "--package",
            "sensor",
            "--package",
            "tests",
            "--bins",
        ]);
        ensure!(cargo.status().context("cannot run cargo")?.success(), "the sensor could not be built, see above");
        let release = host::target_dir().join("release");
        Ok(Programs { weir: release.join("weir"), actor: release.join("weir-actor") })
    })
}

fn measure(args: &Args) -> Result<Report> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let rounds = if args.quick { 2 } else { args.rounds };
    let programs = build()?;
    let cpus = Cpus::choose()?;
    let mut report = Report::new(rounds, &cpus)?;
    if wanted(decode::NAME) {
        report.decode = decode::run()?;
    }
    if wanted(rules::NAME) {
        report.rules = rules::run()?;
    }
    if wanted(spool::NAME) {
        report.spool = spool::run()?;
    }
    if wanted(evidence::NAME) {
        report.evidence = evidence::run(args.quick)?;
    }
    report.machine.begin()?;
    tests::scene::sweep().context("cannot remove what an earlier run left")?;
    if wanted(wire::NAME) {
        report.wire = wire::run(&programs.weir)?;
    }
    let stage = Stage::new(&programs.actor, &cpus)?;
    if wanted(IDLE) {
        let seconds = if args.quick { 5 } else { 20 };
        report.idle = Some(ui::step(format!("the idle agent, for {seconds} s"), || {
            let agent = Agent::start(&programs.weir, &cpus)?;
            let (idle, ()) = agent.watch(|| {
                std::thread::sleep(Duration::from_secs(seconds));
                Ok(())
            })?;
            agent.stop()?;
            Ok(idle)
        })?);
    }
    let loads: Vec<&Load> = LOADS.iter().filter(|load| wanted(load.name)).collect();
    if !loads.is_empty() {
        (report.costs, report.consumption, report.lost) = compare(&programs, &cpus, &stage, &loads, rounds)?;
    }
    if wanted(STORM) {
        let operations = if args.quick { 100_000 } else { 1_000_000 };
        report.storm = Some(ui::step(format!("a storm of {operations} opens that match"), || {
            load::storm(Agent::start(&programs.weir, &cpus)?, &stage, operations)
        })?);
    }
    report.machine.end()?;
    Ok(report)
}

/// All loads without and with the sensor, `rounds` times. Every second round begins with the sensor, so that a machine that
/// grows slower or faster does so for both.
fn compare(
    programs: &Programs,
    cpus: &Cpus,
    stage: &Stage,
    loads: &[&Load],
    rounds: u32,
) -> Result<(Vec<Cost>, Vec<Consumption>, u64)> {
    let mut costs: Vec<Cost> = loads.iter().map(|load| Cost::new(load)).collect();
    let mut consumption: Vec<Consumption> = loads.iter().map(|load| Consumption::new(load)).collect();
    let mut lost = 0;
    // Who holds weights last: what it says of itself, this program reads, and then holds something, as all that it starts does.
    let mut all: Vec<_> = loads.iter().zip(&mut costs).zip(&mut consumption).collect();
    all.sort_by_key(|((load, _), _)| load.holds());
    for round in 0..rounds {
        ui::step(format!("round {} of {rounds}: sensor off, sensor on", round + 1), || {
            for with_sensor in [round % 2 == 1, round % 2 == 0] {
                if !with_sensor {
                    for ((load, cost), _) in &mut all {
                        let played = stage.play(load)?;
                        cost.rate_without.push(played.per_second());
                        cost.without.push(played.nanoseconds);
                    }
                    continue;
                }
                let agent = Agent::start(&programs.weir, cpus)?;
                for ((load, cost), consumption) in &mut all {
                    let (used, played) = agent.watch(|| stage.play(load))?;
                    consumption.add(&used, &played);
                    cost.rate_with.push(played.per_second());
                    cost.with.push(played.nanoseconds);
                }
                lost += agent.stop()?;
            }
            Ok(())
        })?;
    }
    Ok((costs, consumption, lost))
}
