//! Weights are known by what is in them, whatever they are called and wherever they are; what only lies beside them is not.

use crate::watch::{Outcome, events_in, nothing_lost, skipped};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use tests::scene::{Bind, Container, Directory, Spec};
use tests::sensor::Event;
use tests::wait::PATIENCE;
use tests::{Place, actor_in, weights};

/// A directory of models that the container sees as `/models`, and a container.
struct Scene {
    models: Directory,
    container: Container,
}

impl Scene {
    fn set() -> std::io::Result<Scene> {
        let models = Directory::new()?;
        let bind = Bind { source: models.path().into(), target: "/models".into(), read_only: false };
        let container = Container::start(&Spec { binds: vec![bind], overlay: true, ..Spec::default() })?;
        Ok(Scene { models, container })
    }

    /// Runs a script in the container to its good end; the pid of its shell.
    fn run(&self, script: &str) -> Result<u32, Box<dyn std::error::Error>> {
        let running = Place::Container(&self.container).spawn(OsStr::new("/bin/sh"), &["-c", script])?;
        let pid = running.pid();
        let status = running.output()?.status;
        if status.success() { Ok(pid) } else { Err(format!("{script}: {status}").into()) }
    }

    /// Each name is read by a process of its own, `exec`ed so that it has the shell's pid.
    fn read(&self, path: &str) -> Result<u32, Box<dyn std::error::Error>> {
        self.run(&format!("exec cat '{path}' > /dev/null"))
    }
}

const OTHER: &str = "/models/other";

fn is_weights(event: &Event) -> bool {
    event.kind() == "open" && event.list("weir.file.class").contains(&"weights")
}

/// How often a process was said to open weights under that path.
fn told(events: &[Event], pid: u32, path: &str) -> usize {
    let is_it = |event: &&Event| event.pid() == Some(pid.into()) && event.text("file.path") == Some(path);
    events.iter().filter(|event| is_weights(event)).filter(is_it).count()
}

#[test]
fn copies_under_any_name_are_weights_and_json_beside_them_is_not() -> Outcome {
    if skipped("content of files in a container") {
        return Ok(());
    }
    let scene = Scene::set()?;
    let hash = "0123456789abcdef".repeat(4);
    let blob = format!("cache/sha256-{hash}");
    fs::create_dir(scene.models.path().join("cache"))?;
    let at = |name: &str| scene.models.path().join(name);
    weights::safetensors(&at("no-extension"), 1, 1)?;
    weights::gguf(&at("holiday.jpg"), 1, 2)?;
    weights::safetensors(&at("tokenizer.json"), 1, 3)?;
    weights::gguf(&at(&blob), 1, 4)?;
    weights::safetensors(&at("rows.parquet"), 1, 5)?;
    let tensors = (0..20_000).map(|layer| format!("\"model.layers.{layer}.weight\": \"model-00001.safetensors\""));
    let index = format!("{{\"weight_map\": {{{}}}}}", tensors.collect::<Vec<_>>().join(", "));
    fs::write(at("model.safetensors.index.json"), &index)?;
    fs::write(at("config.json"), format!("{{\"vocabulary\": \"{}\"}}", "x".repeat(2 << 20)))?;
    fs::write(at("noise"), vec![0x5a; 1 << 20])?;

    let sensor = events_in(&scene.container, &[])?;
    let are = ["no-extension", "holiday.jpg", "tokenizer.json", &blob, "rows.parquet"];
    let are_not = ["model.safetensors.index.json", "config.json", "noise"];
    let mut read = Vec::new();
    for name in are.iter().chain(&are_not) {
        let path = format!("/models/{name}");
        read.push((scene.read(&path)?, path.clone()));
        read.push((scene.read(&path)?, path));
    }
    // Staged where thieves stage: the copies are other inodes, and nobody reads them but once.
    let staged = ["/tmp/.x", "/dev/shm/x", "/models/cache/y.log"];
    for path in staged {
        scene.run(&format!("cp /models/no-extension {path}"))?;
        read.push((scene.read(path)?, path.to_owned()));
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    for (pid, path) in &read {
        let expected = usize::from(!are_not.iter().any(|name| path.ends_with(name)));
        assert_eq!(told(&events, *pid, path), expected, "{path} by {pid}: {events:#?}");
    }
    let is_json = |event: &&Event| event.text("file.path") == Some("/models/tokenizer.json");
    let json: Vec<_> = events.iter().filter(|event| is_weights(event)).filter(is_json).collect();
    assert!(json.iter().all(|event| event.list("weir.file.class_by_content") == ["weights"]), "{json:#?}");
    scene.container.stop()?;
    Ok(())
}

#[test]
fn a_memory_file_and_one_that_is_never_reopened_are_weights_when_they_hold_them() -> Outcome {
    if skipped("content of files in memory") {
        return Ok(());
    }
    let scene = Scene::set()?;
    weights::gguf(&scene.models.path().join("a"), 1, 1)?;
    let sensor = events_in(&scene.container, &[])?;
    for (options, path) in [
        (&["--memory"][..], "/memfd:weir-stage"),
        (&["--to", "/models/b"], "/models/b"),
        (&["--to", "/tmp/c"], "/tmp/c"),
    ] {
        let until = format!("/models/end-{}", path.replace('/', "-"));
        let arguments = [&["stage", "/models/a", "--until", &until], options].concat();
        let actor = actor_in(Place::Container(&scene.container), &arguments)?;
        let pid = actor.pid();
        let open = sensor.wait_for(&format!("weights in {path}"), PATIENCE, |event| {
            is_weights(event) && event.pid() == Some(pid.into()) && event.text("file.path") == Some(path)
        })?;
        fs::write(scene.models.path().join(Path::new(&until).file_name().unwrap_or_default()), "")?;
        let truth = actor.truth()?;
        assert_eq!(open.differences(&truth, &["file.inode", "file.size", "process.vpid"]), [""; 0], "{path}");
    }
    // One that ends at once, before anybody looks again.
    let pid = {
        let actor = actor_in(Place::Container(&scene.container), &["stage", "/models/a", "--to", "/models/d"])?;
        let pid = actor.pid();
        actor.truth()?;
        pid
    };
    let events = sensor.stop()?.events;
    assert_eq!(told(&events, pid, "/models/d"), 1, "looked into when its process ended");
    scene.container.stop()?;
    Ok(())
}

#[test]
fn a_file_counts_as_what_is_in_it_now() -> Outcome {
    if skipped("content of files that change") {
        return Ok(());
    }
    let scene = Scene::set()?;
    let path = scene.models.path().join("file");
    fs::write(&path, vec![0x5a; 2 << 20])?;
    let sensor = events_in(&scene.container, &["--kind", "open", "--kind", "recognized"])?;
    let before = scene.read("/models/file")?;
    // Who had it open when it was overwritten could have read either.
    sensor.wait_for("a look at the noise", PATIENCE, |event| {
        event.kind() == "recognized" && event.text("file.path") == Some("/models/file")
    })?;
    weights::safetensors(&path, 1, 1)?;
    let first = scene.read("/models/file")?;
    let second = scene.read("/models/file")?;
    // Another name and other permissions change the change time, and nothing else.
    fs::rename(&path, scene.models.path().join("other"))?;
    let renamed = scene.read(OTHER)?;
    // What is overwritten before anybody looked is not known: that escapes.
    sensor.wait_for("weights under another name", PATIENCE, |event| {
        told(std::slice::from_ref(event), renamed, OTHER) > 0
    })?;
    fs::write(scene.models.path().join("other"), vec![0x5a; 3 << 20])?;
    let after = scene.read(OTHER)?;
    let events = sensor.stop()?.events;
    let counts = [(before, "file"), (first, "file"), (second, "file"), (renamed, "other"), (after, "other")];
    let counts = counts.map(|(pid, name)| told(&events, pid, &format!("/models/{name}")));
    assert_eq!(counts, [0, 1, 1, 1, 0], "{events:#?}");
    scene.container.stop()?;
    Ok(())
}
