//! Starting and ending: everything is attached while it runs, nothing is left after, however it ended.

use super::weir::{end_of, start, weir};
use rustix::process::{Pid, Signal, kill_process};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tests::bpf::Objects;
use tests::sensor::{Event, Sensor};
use tests::wait::{PATIENCE, scaled, until};
use tests::{Place, actor_in, skip};

type Outcome = Result<(), Box<dyn Error>>;

/// How long it may take to detach everything and end. It takes some ten milliseconds.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A sensor's objects, which are as many as they have to be at least.
fn objects(sensor: &Sensor) -> Result<Objects, Box<dyn Error>> {
    let objects = Objects::of(sensor.pid())?;
    assert!(objects.programs.len() >= 8, "the test sees what it looks for: {objects:?}");
    assert!(objects.links.len() >= 8, "{objects:?}");
    assert!(objects.maps.len() >= 5, "{objects:?}");
    assert!(objects.names.iter().any(|name| name.starts_with("on_")), "{objects:?}");
    assert_eq!(objects.left()?, Objects { names: Default::default(), ..objects.clone() }, "all of them are there");
    Ok(objects)
}

fn signal(pid: u32, signal: Signal) -> Outcome {
    let pid = Pid::from_raw(i32::try_from(pid)?).ok_or("no pid")?;
    Ok(kill_process(pid, signal)?)
}

fn skipped() -> bool {
    skip::unless_root("starting the sensor")
}

/// Something that happens, and the sensor's word for it.
fn it_sees(sensor: &Sensor) -> Outcome {
    let truth = actor_in(Place::Host, &["exec-memfd"])?;
    let actor = u64::from(truth.pid());
    truth.truth()?;
    let is_ours = |event: &Event| event.kind() == "exec" && event.number("process.parent_pid") == Some(actor);
    sensor.wait_for("an exec from memory", PATIENCE, is_ours)?;
    Ok(())
}

#[test]
fn sigterm_and_sigint_detach_everything_at_once() -> Outcome {
    if skipped() {
        return Ok(());
    }
    for (subcommand, ending) in
        [("run", Signal::TERM), ("run", Signal::INT), ("events", Signal::TERM), ("events", Signal::INT)]
    {
        let sensor = Sensor::start(&[subcommand])?;
        let objects = objects(&sensor)?;
        let process = Path::new("/proc").join(sensor.pid().to_string());
        let asked = Instant::now();
        signal(sensor.pid(), ending)?;
        until(PATIENCE, &format!("{ending:?} ends weir {subcommand}"), || (!process.exists()).then_some(()))?;
        let took = asked.elapsed();
        let left = objects.left()?;
        assert_eq!(left.links, Default::default(), "weir {subcommand} takes links off before it ends");
        let stopped = sensor.stop()?;
        assert!(stopped.status.success(), "{ending:?}: {:?}", stopped.status);
        assert_eq!(stopped.log, Vec::<String>::new(), "quiet when all is well");
        assert!(took < scaled(AT_ONCE), "{ending:?}: {took:?}");
        objects.wait_until_gone()?;
    }
    Ok(())
}

#[test]
fn sigkill_leaves_nothing_attached() -> Outcome {
    if skipped() {
        return Ok(());
    }
    let pinned = || std::fs::read_dir("/sys/fs/bpf").map(Iterator::count).unwrap_or(0);
    let before = pinned();
    for subcommand in ["run", "events"] {
        let sensor = Sensor::start(&[subcommand])?;
        let objects = objects(&sensor)?;
        assert_eq!(pinned(), before, "nothing that could outlive it has a name");
        assert!(!sensor.kill()?.status.success());
        objects.wait_until_gone()?;
    }
    Ok(())
}

#[test]
fn two_sensors_work_side_by_side() -> Outcome {
    if skipped() {
        return Ok(());
    }
    let (one, other) = (Sensor::start(&["events"])?, Sensor::start(&["events", "--kind", "exec"])?);
    let (ones, others) = (objects(&one)?, objects(&other)?);
    assert!(ones.programs.is_disjoint(&others.programs) && ones.links.is_disjoint(&others.links));
    it_sees(&one)?;
    it_sees(&other)?;
    one.stop()?;
    ones.wait_until_gone()?;
    assert_eq!(others.left()?.links, others.links, "the end of one is none of the other's business");
    it_sees(&other)?;
    other.stop()?;
    others.wait_until_gone().map_err(Into::into)
}

#[test]
fn twenty_starts_leave_nothing() -> Outcome {
    if skipped() {
        return Ok(());
    }
    let mut all = Vec::new();
    for round in 0..20 {
        let sensor = Sensor::start(&["run"])?;
        all.push(objects(&sensor)?);
        if round % 2 == 0 { drop(sensor.stop()?) } else { drop(sensor.kill()?) }
    }
    all.iter().try_for_each(Objects::wait_until_gone)?;
    let counts: std::collections::BTreeSet<_> =
        all.iter().map(|one| (one.programs.len(), one.maps.len(), one.links.len())).collect();
    assert_eq!(counts.len(), 1, "each start makes as much as the one before it");
    Ok(())
}

#[test]
fn it_lives_through_sigpipe() -> Outcome {
    if skipped() {
        return Ok(());
    }
    let sensor = Sensor::start(&["events"])?;
    signal(sensor.pid(), Signal::PIPE)?;
    it_sees(&sensor)?;
    sensor.stop()?;
    Ok(())
}

#[test]
fn it_needs_no_standard_input() -> Outcome {
    if skipped() {
        return Ok(());
    }
    let arguments = ["events", "--kind", "process_found", "-n", "3"];
    let mut command = weir(&arguments)?;
    // SAFETY: between fork and exec this makes one system call; nothing here uses the descriptor afterwards.
    unsafe {
        command.pre_exec(|| match libc::close(0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let ended = end_of(command.stdout(Stdio::piped()))?;
    ended.is_quiet();
    assert_eq!(ended.out.lines().count(), 3);
    Ok(())
}

#[test]
fn it_counts_what_it_shows_and_ends() -> Outcome {
    if skipped() {
        return Ok(());
    }
    // A terminal gets text, anything else JSON.
    let json = end_of(weir(&["events", "--kind", "process_found", "-n", "5"])?.stdout(Stdio::piped()))?;
    json.is_quiet();
    for line in json.out.lines() {
        assert_eq!(Event::parse(line)?.kind(), "process_found");
    }
    assert_eq!(json.out.lines().count(), 5);
    let text = |color: &str| {
        let arguments = ["--color", color, "events", "--format", "text", "--kind", "process_found", "-n", "1"];
        end_of(weir(&arguments)?.stdout(Stdio::piped()))
    };
    let (always, never, auto) = (text("always")?, text("never")?, text("auto")?);
    assert!(always.out.contains("\u{1b}["), "{always:?}");
    assert!(!never.out.contains('\u{1b}') && !auto.out.contains('\u{1b}'), "{never:?} {auto:?}");
    assert!(auto.out.contains("was already running"), "{auto:?}");
    Ok(())
}

#[test]
fn each_line_is_out_when_it_happens() -> Outcome {
    if skipped() {
        return Ok(());
    }
    let mut child = start(&["run", "--format", "text"], Stdio::piped())?;
    let mut out = BufReader::new(child.stdout.take().ok_or("no pipe")?);
    actor_in(Place::Host, &["exec-memfd"])?.truth()?;
    let mut line = String::new();
    // A line that stays in a buffer would make this wait for the test runner's patience.
    while !line.contains("Program started from memory") {
        line.clear();
        assert!(out.read_line(&mut line)? > 0, "it ended");
    }
    assert!(line.contains("HIGH") && line.contains("T1620"), "{line}");
    signal(child.id(), Signal::TERM)?;
    let ended = super::weir::ended(child)?;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.err.starts_with("Watching with ") && ended.err.lines().count() == 1, "{ended:?}");
    Ok(())
}
