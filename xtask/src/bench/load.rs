//! What the watched do while it is measured. The loops are the actor's (`weir-actor bench`); here is what they are asked for.

pub use super::loads::{LOADS, Load};

use super::agent::{Agent, Used};
use super::loads::File;
use super::machine::Cpus;
use super::{noop, statistics};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::Place;
use tests::scene::Directory;

/// What came of playing a load once.
pub struct Played {
    /// Of one operation, in each batch.
    pub nanoseconds: Vec<f64>,
    /// How many there were in all.
    pub operations: f64,
    /// How long all but the first batch took, pauses included, seconds.
    pub seconds: f64,
}

impl Played {
    /// How many were done a second, while any were.
    pub fn per_second(&self) -> f64 {
        1e9 / (self.nanoseconds.iter().sum::<f64>() / self.nanoseconds.len().max(1) as f64).max(1e-9)
    }
}

/// With the temporary directory and the scene's own, the four directories above a file that the sensor looks at.
const BELOW: &str = "srv/app";

/// Of files that are large: one that matches nothing is looked into. They take no room.
const LARGE: u64 = 256 << 20;

/// The files that are opened and run, and the one who does it.
pub struct Stage {
    directory: Directory,
    actor: PathBuf,
    cpu: String,
}

impl Stage {
    pub fn new(actor: &Path, cpus: &Cpus) -> Result<Stage> {
        let directory = Directory::new()?;
        fs::create_dir_all(directory.path().join(BELOW)).context("making the directories of the files to open")?;
        let stage = Stage { directory, actor: actor.into(), cpu: cpus.load.to_string() };
        for file in [File::Plain, File::Weights] {
            fs::write(stage.path(file), [0; 4096]).context("making the files to open")?;
        }
        for (file, bytes) in [(File::Large, LARGE), (File::Model, LARGE)] {
            let made = fs::File::create(stage.path(file)).and_then(|made| made.set_len(bytes));
            made.context("making the large files to open")?;
        }
        let program = stage.path(File::Program);
        match noop::program() {
            Some(bytes) => fs::write(&program, bytes).map(drop),
            None => fs::copy("/bin/true", &program).map(drop),
        }
        .context("making the program to run")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(stage)
    }

    fn path(&self, file: File) -> PathBuf {
        let name = match file {
            File::None => "",
            File::Plain => "notes.txt",
            File::Weights => "model.safetensors",
            File::Large => "archive.dat",
            File::Model => "held.safetensors",
            File::Program => "noop",
        };
        self.directory.path().join(BELOW).join(name)
    }

    /// Once, with all batches.
    pub fn play(&self, load: &Load) -> Result<Played> {
        self.bench(load, load.operations, load.batches, load.pause)
    }

    fn bench(&self, load: &Load, operations: u32, batches: u32, pause: u32) -> Result<Played> {
        let path = self.path(load.file);
        let mut arguments: Vec<String> = vec!["bench".into(), load.what.into()];
        if !load.everywhere {
            arguments.extend(["--cpu".into(), self.cpu.clone()]);
        }
        let numbers = [
            ("--operations", operations),
            ("--batches", batches),
            ("--descriptors", load.descriptors),
            ("--pause", pause),
        ];
        for (name, number) in numbers {
            arguments.extend([name.into(), number.to_string()]);
        }
        if !matches!(load.file, File::None) {
            arguments.extend(["--path".into(), path.to_string_lossy().into_owned()]);
        }
        if load.held {
            arguments.extend(["--hold".into(), self.path(File::Model).to_string_lossy().into_owned()]);
        }
        let truth = Place::Host.spawn(self.actor.as_os_str(), &arguments)?.truth()?;
        let number =
            |name: &str| truth[name].as_f64().with_context(|| format!("the actor does not say {name}: {truth}"));
        let nanoseconds: Vec<f64> =
            truth["nanoseconds"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_f64).collect();
        ensure!(nanoseconds.len() == batches as usize, "the actor measured {} of {batches} batches", nanoseconds.len());
        Ok(Played { nanoseconds, operations: number("operations")?, seconds: number("wall_seconds")? })
    }
}

/// Events as fast as one process can make them.
pub struct Storm {
    /// Opens that match.
    pub made: f64,
    /// Of these, not received: the ring was full.
    pub lost: f64,
    /// How long it took to make them, seconds.
    pub making: f64,
    /// What the agent used for them, until the ring was empty.
    pub used: Used,
    /// One open of the storm, nanoseconds.
    pub open: f64,
}

impl Storm {
    /// What reached the agent's line.
    pub fn received(&self) -> f64 {
        self.made - self.lost
    }

    /// The agent's CPU time for one event, nanoseconds.
    pub fn nanoseconds(&self) -> f64 {
        self.used.cpu.as_nanos() as f64 / self.received().max(1.0)
    }
}

/// Plays `operations` opens that match, without a pause, and waits until the agent has nothing left to do.
pub fn storm(agent: Agent, stage: &Stage, operations: u32) -> Result<Storm> {
    let Some(load) = LOADS.iter().find(|load| load.name == "open-match") else { bail!("no load opens what matches") };
    let (used, played) = agent.watch(|| {
        let played = stage.bench(load, load.operations, operations / load.operations, 0)?;
        agent.wait_until_idle(Duration::from_secs(60))?;
        Ok(played)
    })?;
    Ok(Storm {
        made: played.operations,
        lost: agent.stop()? as f64,
        making: played.seconds,
        used,
        open: statistics::median(&played.nanoseconds),
    })
}
