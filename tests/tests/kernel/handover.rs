//! One agent follows another, and the kernel side goes on in between (`weir run --pin`): performed = seen + counted, over both.
//!
//! A storm of opens rages in a container from before the first agent's end until after the second's start. What came out is in the
//! evidence, which both keep in the same place.

use crate::watch::{Outcome, actor_on_host, skipped};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Pid, Signal, kill_process};
use sensor::evidence::source::{Filter, Gap, Source};
use sensor::evidence::store::Reader;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::scene::{Container, Directory, Spec};
use tests::sensor::{Event, Sensor};
use tests::wait::{PATIENCE, until};
use tests::{Running, locate};

/// A BPF file system of the test's own.
struct Pins {
    directory: Directory,
}

impl Pins {
    fn new() -> Result<Pins, Box<dyn Error>> {
        let directory = Directory::new()?;
        mount("bpf", directory.path(), "bpf", MountFlags::empty(), None)?;
        Ok(Pins { directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("weir")
    }

    fn text(&self) -> String {
        self.path().display().to_string()
    }

    /// Takes off what is left; what `weir unload` says.
    fn unload(&self) -> Result<String, Box<dyn Error>> {
        let done = Command::new(locate::weir()?).args(["unload", "--pin"]).arg(self.path()).output()?;
        let said = String::from_utf8(done.stdout)? + &String::from_utf8(done.stderr)?;
        if done.status.success() { Ok(said) } else { Err(said.into()) }
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        // With it goes everything that is pinned there.
        let _ = unmount(self.directory.path(), UnmountFlags::DETACH);
    }
}

/// A container that opens a model again and again.
struct Storm {
    container: Container,
    directory: Directory,
    model: String,
    actor: Option<Running>,
}

impl Storm {
    fn begin() -> Result<Storm, Box<dyn Error>> {
        let (container, directory) = (Container::start(&Spec::default())?, Directory::new()?);
        let model = directory.path().join("hit.safetensors").display().to_string();
        fs::write(&model, "")?;
        Ok(Storm { container, directory, model, actor: None })
    }

    fn cgroup(&self) -> String {
        self.container.cgroup_directories.first().map(|path| path.display().to_string()).unwrap_or_default()
    }

    fn rage(&mut self) -> Result<(), Box<dyn Error>> {
        let stop = self.directory.path().join("stop").display().to_string();
        let words = ["storm", "--opens", "20", "--path", &self.model, "--until", &stop, "--pause", "20"];
        self.actor = Some(actor_on_host(&self.container, &words)?);
        Ok(())
    }

    /// How often it opened the model in the end.
    fn calm(&mut self) -> Result<u64, Box<dyn Error>> {
        fs::write(self.directory.path().join("stop"), "")?;
        let truth = self.actor.take().ok_or("it does not rage")?.truth()?;
        Ok(truth["hits"].as_u64().ok_or("no hits")?)
    }
}

/// What is in the evidence of the opens of that file, and what is missing there.
fn kept(state: &Path, file: &str) -> Result<(u64, Vec<Gap>), Box<dyn Error>> {
    let mut reader = Reader::open(&state.join("evidence"))?;
    let mut opens = 0;
    // More than one answer holds.
    let mut from = 0;
    loop {
        let paths = BTreeSet::from([file.into()]);
        let filter =
            Filter { paths, kinds: BTreeSet::from(["open".into()]), ..Filter::of_time(from, u64::MAX, 50_000) };
        let rows = reader.rows(&filter)?;
        opens += rows.rows.len() as u64;
        match rows.rows.last() {
            Some(last) if rows.cut => from = last.time + 1,
            _ => break,
        }
    }
    Ok((opens, reader.gaps(0, u64::MAX)?))
}

/// What the kernel side dropped of opens, by the statistics at the end of the last agent: of all that shared the maps.
fn dropped(events: &[Event]) -> Result<u64, Box<dyn Error>> {
    let statistics = events.iter().find(|event| event.kind() == "statistics").ok_or("no statistics")?;
    let open = statistics.field("open").ok_or("no opens")?;
    let causes = ["ring_full", "over_budget", "fault", "table_full", "missed_by_kernel"];
    Ok(causes.iter().filter_map(|cause| open[cause].as_u64()).sum())
}

fn of_place(gaps: &[Gap], place: &str) -> Vec<Gap> {
    gaps.iter().filter(|gap| *gap.place == *place).cloned().collect()
}

/// The first agent ends by `signal` in the middle of a storm, and another with `more` options follows.
fn follows(signal: Signal, more: &[&str]) -> Result<(u64, u64, Vec<Gap>), Box<dyn Error>> {
    let (pins, mut storm, kept_in) = (Pins::new()?, Storm::begin()?, Directory::new()?);
    let (directory, cgroup, state) = (pins.text(), storm.cgroup(), kept_in.path().join("state"));
    let place = state.to_str().ok_or("a path")?;
    let first = ["run", "--pin", &directory, "--cgroup", &cgroup, "--state-dir", place, "--statistics"];
    let mut sensor = Sensor::start(&first)?;
    storm.rage()?;
    until(PATIENCE, "the first agent keeps opens", || {
        kept(&state, &storm.model).ok().filter(|(opens, _)| *opens > 1_000)
    })?;
    let before = sensor.restart(signal, &[&first, more].concat())?;
    assert!(before.log.is_empty(), "{:?}", before.log);
    let (meanwhile, _) = kept(&state, &storm.model)?;
    until(PATIENCE, "the second agent keeps opens", || {
        kept(&state, &storm.model).ok().filter(|(opens, _)| *opens > meanwhile + 1_000)
    })?;
    let performed = storm.calm()?;
    let pinned = until(PATIENCE, "the second agent answers", || {
        let words = ["status", "--format", "json", "--state-dir", place];
        let asked = Command::new(locate::weir().ok()?).args(words).output().ok()?;
        let status: Value = serde_json::from_slice(&asked.stdout).ok()?;
        Some(status["pinned"].clone())
    })?;
    assert_eq!(pinned, json!({ "generation": 2, "taken_over": true }));
    let stopped = sensor.stop()?;
    let (opens, gaps) = kept(&state, &storm.model)?;
    let strangers: Vec<_> = stopped.events.iter().filter(|event| event.kind() == "alert").collect();
    assert!(strangers.is_empty(), "a sensor that takes over is no stranger: {strangers:#?}");
    let unkept: u64 = of_place(&gaps, "store").iter().filter_map(|gap| gap.count).sum();
    let dropped = dropped(&stopped.events)?;
    let told: u64 = of_place(&gaps, "kernel").iter().filter_map(|gap| gap.count).sum();
    println!(
        "{performed} opens: {opens} kept, {unkept} not kept by the store, {dropped} dropped in the kernel, {told} of them in gaps"
    );
    assert!(told >= dropped, "what was dropped is told: {gaps:#?}");
    assert!(pins.unload()?.contains("taken off"));
    assert!(!pins.path().exists());
    storm.container.stop()?;
    Ok((performed, opens + unkept + dropped, gaps))
}

/// The upgrade of a node.
#[test]
fn an_agent_that_follows_another_misses_nothing() -> Outcome {
    if skipped("one agent after another") {
        return Ok(());
    }
    let (performed, accounted, gaps) = follows(Signal::TERM, &[])?;
    assert_eq!(performed, accounted, "to the last one");
    assert_eq!(of_place(&gaps, "sensor"), [], "no gap");
    Ok(())
}

/// Its ring is another one: what waits in the one before is taken over all the same.
#[test]
fn so_does_one_with_other_settings() -> Outcome {
    if skipped("one agent after another with other settings") {
        return Ok(());
    }
    let (performed, accounted, gaps) = follows(Signal::TERM, &["--ring-size", "8"])?;
    assert_eq!(performed, accounted, "to the last one");
    assert_eq!(of_place(&gaps, "sensor"), [], "no gap");
    Ok(())
}

/// What it had taken and not kept is lost with it, and that is said; nothing after its end is.
#[test]
fn one_that_was_killed_leaves_its_own_last_moment_only() -> Outcome {
    if skipped("one agent after another that was killed") {
        return Ok(());
    }
    let (performed, accounted, gaps) = follows(Signal::KILL, &[])?;
    assert!(accounted <= performed, "nothing is told twice: {accounted} of {performed}");
    let silent = of_place(&gaps, "sensor");
    let [gap] = silent.as_slice() else { panic!("the moment is told: {gaps:#?}") };
    println!("{} opens went with it, in a gap of {} ms", performed - accounted, (gap.to - gap.from) / 1_000_000);
    Ok(())
}

/// As in a rolling update that starts the new one first.
#[test]
fn one_that_starts_too_early_waits() -> Outcome {
    if skipped("one agent waits for another") {
        return Ok(());
    }
    let (pins, kept) = (Pins::new()?, Directory::new()?);
    let (directory, state) = (pins.text(), kept.path().join("state"));
    let words = ["run", "--pin", &directory, "--state-dir", state.to_str().ok_or("a path")?];
    let first = Sensor::start(&words)?;
    let answers = |pid: u32| {
        until(PATIENCE, "it answers", || {
            let words = ["status", "--format", "json", "--state-dir", words[4]];
            let asked = Command::new(locate::weir().ok()?).args(words).output().ok()?;
            let status: Value = serde_json::from_slice(&asked.stdout).ok()?;
            (status["pid"] == pid).then_some(())
        })
    };
    answers(first.pid())?;
    let mut second = Command::new(locate::weir()?);
    let mut second = second.args(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let said = BufReader::new(second.stderr.take().ok_or("no pipe")?).lines().next().ok_or("it said nothing")??;
    assert_eq!(said, "Another weir is watching; this one takes over when it ends.");
    let refused = pins.unload().map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|error| error.contains("a sensor runs that uses it")), "{refused:?}");
    answers(first.pid())?;
    first.stop()?;
    answers(second.id())?;
    kill_process(Pid::from_child(&second), Signal::TERM)?;
    assert!(second.wait()?.success());
    assert!(pins.unload()?.contains("taken off"));
    Ok(())
}
