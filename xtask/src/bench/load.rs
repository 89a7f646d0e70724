//! What the watched do while it is measured. The loops are the actor's (`weir-actor bench`); here is what they are asked for.

use super::agent::{Agent, Used};
use super::machine::Cpus;
use super::{noop, statistics};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::Place;
use tests::scene::Directory;

/// One thing to measure.
pub struct Load {
    pub name: &'static str,
    pub about: &'static str,
    /// Which loop of the actor.
    what: &'static str,
    file: File,
    /// How often a batch does it: half a millisecond's worth, so that most batches end before somebody else gets the CPU.
    operations: u32,
    batches: u32,
    /// Open descriptors; 0: the three that every process has.
    descriptors: u32,
    /// Between batches, microseconds: so that the agent keeps up and no event is cheap because it is lost.
    pause: u32,
    /// Whether nothing of it interests Weir, for which there is an aim.
    pub matches_nothing: bool,
}

/// What of the stage the loop is given.
#[derive(Clone, Copy)]
enum File {
    None,
    Plain,
    Weights,
    Program,
}

const LOAD: Load = Load {
    name: "",
    about: "",
    what: "",
    file: File::None,
    operations: 1000,
    batches: 100,
    descriptors: 0,
    pause: 0,
    matches_nothing: false,
};

/// A process with more than 64 descriptors, as servers are.
const MANY: u32 = 1000;

pub const LOADS: &[Load] = &[
    Load { name: "getppid", about: "a system call that opens nothing", what: "getppid", operations: 10_000, ..LOAD },
    Load {
        name: "open-miss",
        about: "an open that matches nothing",
        what: "open",
        file: File::Plain,
        matches_nothing: true,
        ..LOAD
    },
    Load {
        name: "open-many",
        about: "the same with over 64 descriptors",
        what: "open",
        file: File::Plain,
        descriptors: MANY,
        matches_nothing: true,
        ..LOAD
    },
    Load {
        name: "open-close",
        about: "an open that matches nothing, and close",
        what: "open-close",
        file: File::Plain,
        ..LOAD
    },
    Load { name: "open-match", about: "an open that matches", what: "open", file: File::Weights, pause: 2000, ..LOAD },
    Load {
        name: "exec",
        about: "a program, from spawn to reaped",
        what: "exec",
        file: File::Program,
        operations: 5,
        batches: 200,
        ..LOAD
    },
    Load {
        name: "connect-tcp",
        about: "a TCP connection, opened and closed",
        what: "connect-tcp",
        operations: 20,
        batches: 200,
        pause: 200,
        ..LOAD
    },
    Load {
        name: "connect-udp",
        about: "a UDP socket, connected and closed",
        what: "connect-udp",
        operations: 50,
        batches: 200,
        pause: 200,
        ..LOAD
    },
    Load { name: "send", about: "64 KiB sent over TCP", what: "send", operations: 50, ..LOAD },
];

/// What came of playing a load once.
pub struct Played {
    /// Of one operation, in each batch.
    pub nanoseconds: Vec<f64>,
    /// How many there were in all.
    pub operations: f64,
    /// How long all but the first batch took, pauses included, seconds.
    pub seconds: f64,
}

/// With the temporary directory and the scene's own, the four directories above a file that the sensor looks at.
const BELOW: &str = "srv/app";

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
        let mut arguments: Vec<String> = vec!["bench".into(), load.what.into(), "--cpu".into(), self.cpu.clone()];
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
