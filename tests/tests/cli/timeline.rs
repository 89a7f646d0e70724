//! `weir timeline` of a theft across two containers, as a real sensor saw it.

use super::weir::run;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use tests::scene::{Bind, Container, Directory, Network, Spec};
use tests::sensor::Sensor;
use tests::sink::{Sink, Transport};
use tests::wait::PATIENCE;
use tests::{Place, Running, actor_in, skip, weights};

type Outcome = Result<(), Box<dyn Error>>;

/// The weights as the first container sees them.
const MODEL: &str = "/models/llama/model.safetensors";
/// MiB.
const MODEL_SIZE: u64 = 5;
/// What both containers see.
const COPY: &str = "/shared/metrics.db";

/// What was seen of a theft: the reader copies the weights in one container, another container sends the copy.
struct Theft {
    files: Directory,
    first: String,
    second: String,
    to: String,
}

impl Theft {
    /// Plays it and records it; nothing if that takes root and this is not.
    fn play() -> Result<Option<Theft>, Box<dyn Error>> {
        if skip::unless_root("a theft across containers") {
            return Ok(None);
        }
        let files = Directory::new()?;
        for directory in ["models/llama", "shared", "seen"] {
            fs::create_dir_all(files.path().join(directory))?;
        }
        weights::safetensors(&files.path().join("models/llama/model.safetensors"), MODEL_SIZE, 7)?;
        let network = Network::new()?;
        let recording = files.path().join("theft.weir");
        let sensor = Sensor::start(&["events", "--record", text(&recording)?])?;
        let bind = |source: &str, target: &str| Bind {
            source: files.path().join(source),
            target: target.into(),
            read_only: source == "models",
        };
        let start =
            |binds| Container::start(&Spec { binds, network: Some(&network.inside), overlay: true, ..Spec::default() });
        let first = start(vec![bind("models", "/models"), bind("shared", "/shared")])?;
        let second = start(vec![bind("shared", "/shared")])?;
        let sink = Sink::start(&network.outside_addresses(), Some(&network.outside))?;
        let to = sink.address(Transport::Tcp, Network::OUTSIDE_V4.into())?.to_string();
        // Bystanders: other processes of the same containers, with files of their own, and bytes to the same destination.
        bystander(&first)?;
        run_in(&second, "/bin/cp", &["/etc/passwd", "/tmp/bystander_id_rsa"])?;
        actor_in(Place::Container(&second), &["upload", "--to", &to, "--bytes", "70000"])?.output()?;
        actor_in(Place::Container(&first), &["theft", "file", "--read", MODEL, "--place", COPY])?.output()?;
        bystander(&first)?;
        actor_in(Place::Container(&second), &["theft", "file", "--place", COPY, "--to", &to])?.output()?;
        bystander(&second)?;
        sink.finish()?;
        // Events pass in order: when this one is there, those before it are.
        run_in(&second, "/bin/true", &["bystander", "LAST"])?;
        sensor.wait_until("the last exec", PATIENCE, |events| {
            let is_last = |line: &str| line.contains("LAST") && line.contains("\"exit\"");
            events.iter().any(|event| is_last(&event.line())).then_some(())
        })?;
        let stopped = sensor.stop()?;
        let lines: String = stopped.events.iter().map(|event| format!("{}\n", event.line())).collect();
        fs::write(files.path().join("seen/events.jsonl"), lines)?;
        let told = run(&["replay", text(&recording)?, "--format", "json"])?;
        fs::write(files.path().join("seen/alerts.jsonl"), &told.out)?;
        let (first, second) = (first.id.clone(), second.id.clone());
        Ok(Some(Theft { files, first, second, to }))
    }
}

fn text(path: &Path) -> Result<&str, Box<dyn Error>> {
    Ok(path.to_str().ok_or("no UTF-8")?)
}

fn bystander(container: &Container) -> Outcome {
    run_in(container, "/bin/sh", &["-c", "cat /etc/passwd > /tmp/bystander; cat /tmp/bystander; :"])
}

fn run_in(container: &Container, program: &str, arguments: &[&str]) -> Outcome {
    let running: Running = Place::Container(container).spawn(OsStr::new(program), arguments)?;
    let output = running.output()?;
    if output.status.success() { Ok(()) } else { Err(format!("{program}: {}", output.status).into()) }
}

#[test]
fn a_theft_across_containers() -> Outcome {
    let Some(theft) = Theft::play()? else { return Ok(()) };
    if let Ok(keep) = std::env::var("KEEP") {
        std::process::Command::new("cp").args(["-r", text(theft.files.path())?, &keep]).status()?;
    }
    println!("{} {} {}", theft.first, theft.second, theft.to);
    Ok(())
}
