//! Plays scenarios, two at a time, under one sensor a policy; then judges.

use super::expected::{Expected, Played, Trouble};
use super::report::{Facts, Row, Status, print};
use super::stage::Stage;
use super::{Policy, Scenario, policy, verdict};
use crate::scene::{self, Container, Directory, Spec};
use crate::sensor::{Event, Sensor};
use crate::wait::PATIENCE;
use crate::{Place, skip};
use std::ffi::OsStr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many scenarios are played at a time.
const AT_A_TIME: usize = 2;
/// So many that went wrong are played once more, one at a time: other load on the machine disturbs some. More are no accident.
const TRIED_AGAIN: usize = 6;
/// How long after the last scenario its alert may come.
const LATE: Duration = Duration::from_secs(8);

/// How it is to be done.
struct Options {
    only: Vec<String>,
    json: bool,
    list: bool,
}

impl Options {
    /// `--only TEXT`, `--json`, `--list`, and what Rust's test harness takes: filters; its other options say nothing here.
    fn parse() -> Options {
        let mut options = Options { only: Vec::new(), json: false, list: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--only" => options.only.extend(words.next()),
                "--json" => options.json = true,
                "--list" => options.list = true,
                "--test-threads" | "--skip" | "--format" | "--color" | "-Z" => drop(words.next()),
                option if option.starts_with('-') => {}
                filter => options.only.push(filter.to_owned()),
            }
        }
        options
    }
}

/// A test target: plays `scenarios` once under each policy, prints what came of them, and fails unless all is as it should be.
pub fn main(target: &'static str, scenarios: &[Scenario], policies: &[Policy]) -> ExitCode {
    let options = Options::parse();
    let wanted = |policy: Policy, scenario: &&Scenario| {
        let name = format!("{}::{}", policy.name(), scenario.name);
        options.only.is_empty() || options.only.iter().any(|text| name.contains(text.as_str()))
    };
    let start = Instant::now();
    let mut rows = Vec::new();
    for &policy in policies {
        let chosen: Vec<Scenario> = scenarios.iter().filter(|scenario| wanted(policy, scenario)).copied().collect();
        if options.list {
            chosen.iter().for_each(|scenario| println!("{}::{}: test", policy.name(), scenario.name));
            continue;
        }
        let row = |scenario: &Scenario, status, why: &str| Row {
            target,
            run: policy.name(),
            name: scenario.name,
            about: scenario.about,
            status,
            facts: Facts::default(),
            why: why.to_owned(),
            first_try: None,
        };
        if chosen.is_empty() {
        } else if skip::unless_root("the scenarios") {
            rows.extend(chosen.iter().map(|scenario| row(scenario, Status::Skipped, "not root")));
        } else {
            match run_twice(target, policy, &chosen) {
                Ok(more) => rows.extend(more),
                Err(error) => {
                    rows.extend(chosen.iter().map(|scenario| row(scenario, Status::Broken, &error.to_string())))
                }
            }
        }
    }
    match options.list || print(&rows, options.json, start.elapsed()).unwrap_or(false) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(101),
    }
}

/// What was played.
struct Play {
    scenario: Scenario,
    containers: Vec<String>,
    played: Result<Played, Trouble>,
}

/// Plays all, and once more by themselves the few that went wrong: what is wrong then is.
fn run_twice(target: &'static str, policy: Policy, scenarios: &[Scenario]) -> Result<Vec<Row>, Trouble> {
    let mut rows = run(target, policy, scenarios, AT_A_TIME)?;
    let is_wrong = |row: &Row| matches!(row.status, Status::Wrong | Status::Missed | Status::Broken);
    let of = |row: &Row| scenarios.iter().find(|scenario| scenario.name == row.name).copied();
    let again: Vec<Scenario> = rows.iter().filter(|row| is_wrong(row)).filter_map(of).collect();
    if again.is_empty() || again.len() > TRIED_AGAIN {
        return Ok(rows);
    }
    for second in run(target, policy, &again, 1)? {
        if let Some(row) = rows.iter_mut().find(|row| row.name == second.name) {
            let first = std::mem::replace(row, second);
            row.first_try = Some(format!("{}: {}", first.status.name(), first.why));
        }
    }
    Ok(rows)
}

fn run(target: &'static str, policy: Policy, scenarios: &[Scenario], at_a_time: usize) -> Result<Vec<Row>, Trouble> {
    scene::sweep()?;
    let rules = Directory::new()?;
    policy::write(rules.path())?;
    let sensor = match policy {
        Policy::Small => Sensor::start(&[OsStr::new("run"), OsStr::new("--rules"), rules.path().as_os_str()])?,
        Policy::None => Sensor::start(&["run"])?,
    };
    let sentinel = Sentinel { container: Container::start(&Spec::default())?, count: AtomicU64::new(0) };
    let (alone, together): (Vec<&Scenario>, Vec<&Scenario>) = scenarios.iter().partition(|scenario| scenario.alone);
    let mut plays = play_all(&together, at_a_time, &sensor, &sentinel);
    plays.extend(play_all(&alone, 1, &sensor, &sentinel));
    plays.sort_by_key(|play| scenarios.iter().position(|scenario| scenario.name == play.scenario.name));
    // Alerts may come late.
    let complete = |events: &[Event]| plays.iter().all(|play| is_told(events, play));
    let _ = sensor.wait_until("all alerts", LATE, |events| complete(events).then_some(()));
    if plays.iter().any(|play| matches!(play.played, Ok(Played::Harmless))) {
        canary(&sensor)?;
    }
    let stopped = sensor.stop()?;
    record(target, policy, &stopped.events)?;
    for line in &stopped.log {
        eprintln!("the sensor says: {line}");
    }
    Ok(plays.into_iter().map(|play| judge(target, policy, play, &stopped.events)).collect())
}

/// Keeps what the sensor said, in the directory that `WEIR_BOARD_RECORD` names: for whoever wants to know why.
fn record(target: &str, policy: Policy, events: &[Event]) -> Result<(), Trouble> {
    let Some(directory) = std::env::var_os("WEIR_BOARD_RECORD") else { return Ok(()) };
    let named = |end: &str| std::path::Path::new(&directory).join(format!("{target}-{}{end}.jsonl", policy.name()));
    // What is played twice is kept twice.
    let path = Some(named("")).filter(|path| !path.exists()).unwrap_or_else(|| named("-again"));
    let mut lines = String::new();
    for event in events {
        lines.push_str(&serde_json::to_string(event.fields())?);
        lines.push('\n');
    }
    Ok(std::fs::write(path, lines)?)
}

/// Plays all, so many at a time.
fn play_all(scenarios: &[&Scenario], at_a_time: usize, sensor: &Sensor, sentinel: &Sentinel) -> Vec<Play> {
    let plays = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let play = play(scenario, sensor, sentinel);
                    plays.lock().unwrap_or_else(PoisonError::into_inner).push(play);
                }
            });
        }
    });
    plays.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Plays one; its containers are gone when this returns, and the sensor has seen all that happened in them.
fn play(scenario: &Scenario, sensor: &Sensor, sentinel: &Sentinel) -> Play {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let mut containers = Vec::new();
    let played = Stage::set(SEED.fetch_add(1, Ordering::Relaxed)).and_then(|mut stage| {
        let played = (scenario.play)(&mut stage);
        containers = stage.ids();
        let seen = sentinel.flush(sensor);
        let struck = stage.strike();
        let played = match played {
            Err(error) => match error.downcast::<super::stage::Skip>() {
                Ok(skip) => Played::Skipped(skip.0),
                Err(error) => return Err(error),
            },
            Ok(played) => played,
        };
        seen.and(struck).map(|()| played)
    });
    Play { scenario: *scenario, containers, played }
}

/// A plain theft after all look-alikes: when it is told, what they did would have been told too, and silence means something.
fn canary(sensor: &Sensor) -> Result<(), Trouble> {
    let stage = Stage::set(0)?;
    let world = stage.world(&[])?;
    let to = format!("{}:{}", Stage::OUTSIDE, Stage::PORT);
    let lines = stage.act(&["theft", "none", "--read", super::MODEL, "--to", &to])?;
    let expected = stage.truth_of(&lines, None, world, true)?;
    let is_told = |events: &[Event]| verdict::of_attack(events, &expected).0 == Status::Detected;
    let told =
        sensor.wait_until("a theft after all look-alikes is told", PATIENCE, |events| is_told(events).then_some(()));
    stage.strike()?;
    Ok(told?)
}

fn is_told(events: &[Event], play: &Play) -> bool {
    match &play.played {
        Ok(Played::Attack(expected)) => verdict::of_attack(events, expected).0 == Status::Detected,
        // What comes after it tells ([`canary`]).
        _ => true,
    }
}

fn judge(target: &'static str, policy: Policy, play: Play, events: &[Event]) -> Row {
    let attack = |expected: &Expected| verdict::of_attack(events, expected);
    let (status, facts, why) = match play.played {
        Ok(Played::Attack(expected)) => attack(&expected),
        Ok(Played::Harmless) => {
            let (status, why) = verdict::of_look_alike(events, &play.containers);
            (status, Facts::default(), why)
        }
        Ok(Played::Skipped(why)) => (Status::Skipped, Facts::default(), why),
        Err(error) => (Status::Broken, Facts::default(), error.to_string()),
    };
    let Scenario { name, about, .. } = play.scenario;
    Row { target, run: policy.name(), name, about, status, facts, why, first_try: None }
}

/// A container in which something is done that is always told: when it is, all that was done anywhere before has been looked at,
/// since events pass in order.
struct Sentinel {
    container: Container,
    count: AtomicU64,
}

impl Sentinel {
    fn flush(&self, sensor: &Sensor) -> Result<(), Trouble> {
        let secret = format!("/tmp/sentinel-{}/id_ed25519", self.count.fetch_add(1, Ordering::Relaxed));
        let script = "mkdir -p ${0%/*} && cp /etc/passwd $0 && cat $0";
        let done =
            Place::Container(&self.container).spawn(OsStr::new("/bin/sh"), &["-c", script, &secret])?.output()?;
        if !done.status.success() {
            return Err(format!("the sentinel: {}", done.status).into());
        }
        let is_it = |event: &Event| {
            super::alerts::attribute(event, "file.path").and_then(|path| path.as_str()) == Some(secret.as_str())
        };
        Ok(sensor.wait_for("the alert of the sentinel", PATIENCE, is_it).map(drop)?)
    }
}
