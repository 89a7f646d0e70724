//! Other rules while the sensor runs: when their files change, when a mounted ConfigMap is replaced, on SIGHUP; and never wrong ones.

use super::weir::run;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use tests::scene::Directory;
use tests::sensor::{Event, Sensor};
use tests::wait::PATIENCE;
use tests::{skip, weights};

type Outcome = Result<(), Box<dyn Error>>;

/// Finds every program that is started with `word` among its arguments, as an alert called `name`. For the record only, so that no
/// incident of all that a test does tells of it instead.
pub fn rule(name: &str, word: &str) -> String {
    format!(
        "title: Started with {word}\nid: 5d0c8b2e-0000-4000-8000-{:012}\nname: {name}\nlevel: informational\nlogsource:\n  product: linux\n  \
         category: process_creation\ndetection:\n  x:\n    process.command_args: {word}\n  condition: x\nweir:\n  \
         subject: [weir.process.id]\n",
        name.len()
    )
}

pub fn attribute<'e>(alert: &'e Event, name: &str) -> &'e Value {
    alert.field("attributes").and_then(|all| all.get(name)).unwrap_or(&Value::Null)
}

/// A sensor with rules of its own.
pub struct Scene {
    pub sensor: Sensor,
    /// How many words were used.
    deeds: std::cell::Cell<u32>,
}

impl Scene {
    pub fn start(arguments: &[&str]) -> Result<Scene, Box<dyn Error>> {
        let arguments = [&["--log", "info", "run"], arguments].concat();
        Ok(Scene { sensor: Sensor::start(&arguments)?, deeds: Default::default() })
    }

    /// Starts a program with `word` among its arguments; the alert of the rule `name` about it.
    pub fn alert(&self, name: &str, word: &str) -> Result<Event, Box<dyn Error>> {
        let number = self.deeds.get();
        self.deeds.set(number + 1);
        let mark = format!("mark-{}-{number}", std::process::id());
        assert!(Command::new("/bin/true").args([word, &mark]).status()?.success());
        let is_it = |alert: &Event| {
            let args = attribute(alert, "process.command_args").as_array();
            attribute(alert, "weir.rule.name") == name
                && args.is_some_and(|args| args.contains(&Value::from(mark.as_str())))
        };
        Ok(self.sensor.wait_for(&format!("an alert of {name}"), PATIENCE, is_it)?)
    }

    /// Waits for the `count`th time that others came into effect.
    pub fn reloaded(&self, count: usize) -> Outcome {
        self.logged("other rules are in effect", count)
    }

    pub fn logged(&self, words: &str, count: usize) -> Outcome {
        let enough = |log: &[String]| log.iter().filter(|line| line.contains(words)).count() >= count;
        Ok(self.sensor.wait_for_log(words, PATIENCE, enough)?)
    }

    fn hang_up(&self) -> Outcome {
        let pid = Pid::from_raw(i32::try_from(self.sensor.pid())?).ok_or("no pid")?;
        Ok(kill_process(pid, Signal::HUP)?)
    }
}

/// The version of a set as `weir rules check` tells it.
fn version(path: &Path) -> Result<String, Box<dyn Error>> {
    let checked = run(&["rules", "check", &path.to_string_lossy()])?;
    checked.is_quiet();
    let version = checked.out.rsplit_once("(version ").and_then(|(_, rest)| rest.trim().strip_suffix(')'));
    Ok(version.ok_or("no version")?.to_owned())
}

#[test]
fn new_rules_take_effect_and_wrong_ones_do_not() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let path = directory.path();
    fs::write(path.join("a.yml"), rule("a", "word-a"))?;
    let before = version(path)?;
    let scene = Scene::start(&["--rules", &path.to_string_lossy()])?;
    let told = |alert: &Event| attribute(alert, "security_rule.version").as_str().unwrap_or_default().to_owned();
    assert!(told(&scene.alert("a", "word-a")?).starts_with(&before));

    fs::write(path.join("bb.yml"), rule("bb", "word-bb"))?;
    scene.reloaded(1)?;
    let after = version(path)?;
    assert_ne!(before, after);
    assert!(told(&scene.alert("bb", "word-bb")?).starts_with(&after));
    assert!(told(&scene.alert("a", "word-a")?).starts_with(&after));

    // One that is wrong keeps the right one beside it out as well.
    fs::write(path.join("bb.yml"), rule("bb", "word-bb").replace("command_args", "comand_args"))?;
    fs::write(path.join("ccc.yml"), rule("ccc", "word-ccc"))?;
    scene.logged("bb.yml:10", 1)?;
    scene.logged("process.command_args", 1)?;
    assert!(told(&scene.alert("bb", "word-bb")?).starts_with(&after), "the rules before go on");
    fs::write(path.join("bb.yml"), rule("bb", "word-other"))?;
    scene.reloaded(2)?;
    scene.alert("ccc", "word-ccc")?;
    scene.alert("bb", "word-other")?;
    let stopped = scene.sensor.stop()?;
    let reloads = stopped.log.iter().filter(|line| line.contains("other rules are in effect")).count();
    assert_eq!(reloads, 2, "{:#?}", stopped.log);
    Ok(())
}

#[test]
fn a_mounted_config_map_that_is_replaced_takes_effect() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let mount = directory.path().join("mount");
    // As kubelet's atomic writer lays a volume out, and replaces it.
    let version = |name: &str, text: &str| {
        fs::create_dir_all(mount.join(name))?;
        fs::write(mount.join(name).join("own.yml"), text)
    };
    version("..2026_08_01_12_00_00.1", &rule("own", "word-one"))?;
    symlink("..2026_08_01_12_00_00.1", mount.join("..data"))?;
    symlink("..data/own.yml", mount.join("own.yml"))?;
    let scene = Scene::start(&["--rules", &mount.to_string_lossy()])?;
    scene.alert("own", "word-one")?;
    for (round, word) in [(1, "word-two"), (2, "word-three")] {
        let name = format!("..2026_08_01_12_00_0{round}.2");
        version(&name, &rule("own", word))?;
        symlink(&name, mount.join("..data_tmp"))?;
        fs::rename(mount.join("..data_tmp"), mount.join("..data"))?;
        scene.reloaded(round)?;
        scene.alert("own", word)?;
    }
    scene.sensor.stop()?;
    Ok(())
}

#[test]
fn other_classes_and_sighup() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let path = |name: &str| directory.path().join(name);
    let classes = |suffix: &str| format!("weights:\n  suffixes: [{suffix}]\n");
    fs::write(path("classes"), classes("weirone"))?;
    fs::write(path("blob.weirone"), "x")?;
    fs::write(path("blob.weirtwo"), "x")?;
    let arguments = ["--log", "info", "events", "--kind", "open", "--kind", "reloaded", "--classes"];
    let classes_path = path("classes").to_string_lossy().into_owned();
    let sensor = Sensor::start(&[&arguments[..], &[&classes_path]].concat())?;
    let opened = |name: &str| -> Outcome {
        let wanted = path(name).to_string_lossy().into_owned();
        sensor.wait_until(&format!("an open of {name}"), PATIENCE, |events| {
            // Opened anew each time: it is not known when the classes have come into effect, and it does not matter.
            let _ = fs::read(path(name));
            events.iter().any(|event| event.text("file.path") == Some(&wanted)).then_some(())
        })?;
        Ok(())
    };
    opened("blob.weirone")?;
    fs::write(path("classes"), classes("weirtwo"))?;
    let is_reload = |event: &Event| event.kind() == "reloaded";
    let reload = sensor.wait_for("the event that says so", PATIENCE, is_reload)?;
    assert!(reload.text("weir.classes.version").is_some_and(|version| version.len() == 64), "{reload:?}");
    assert!(reload.text("security_rule.version").is_some_and(|version| version.len() == 64), "{reload:?}");
    opened("blob.weirtwo")?;
    let scene = Scene { sensor, deeds: Default::default() };
    scene.hang_up()?;
    scene.logged("they say what is in effect already", 1)?;
    let stopped = scene.sensor.stop()?;
    let seen = |name: &str| {
        let name = path(name).to_string_lossy().into_owned();
        stopped.events.iter().filter(|event| event.text("file.path") == Some(&name)).count()
    };
    assert_eq!(stopped.events.iter().filter(|event| is_reload(event)).count(), 1);
    assert!(seen("blob.weirone") >= 1 && seen("blob.weirtwo") >= 1);
    Ok(())
}

#[test]
fn other_classes_by_content_have_files_looked_into_anew() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let path = |name: &str| directory.path().join(name);
    let classes = |content: &str| format!("weights:\n  content: [{content}]\n");
    fs::write(path("classes"), classes("gguf"))?;
    let blob = path("blob");
    weights::safetensors(&blob, 1, 7)?;
    let arguments = ["events", "--kind", "open", "--kind", "reloaded", "--kind", "recognized", "--classes"];
    let sensor = Sensor::start(&[&arguments[..], &[&*path("classes").to_string_lossy()]].concat())?;
    // The first event of that kind about the blob after so many reloads, with or without a class.
    let told = |kind: &str, reloads: usize, classed: bool| -> Outcome {
        sensor.wait_until(&format!("{kind} after {reloads} reloads"), PATIENCE, |events| {
            let _ = fs::read(&blob);
            let mut seen = 0;
            let found = events.iter().any(|event| {
                seen += usize::from(event.kind() == "reloaded");
                let ours = event.text("file.path") == blob.to_str() && event.kind() == kind;
                seen == reloads && ours && event.list("weir.file.class").contains(&"weights") == classed
            });
            found.then_some(())
        })?;
        Ok(())
    };
    told("recognized", 0, false)?;
    // The kernel keeps that nothing is in it, until this.
    fs::write(path("classes"), classes("safetensors"))?;
    told("open", 1, true)?;
    // And watches it, until this.
    fs::write(path("classes"), classes("gguf"))?;
    told("recognized", 2, false)?;
    sensor.stop()?;
    Ok(())
}
