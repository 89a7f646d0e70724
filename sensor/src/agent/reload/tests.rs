use super::effect::InEffect;
use super::places::{Interest, Places};
use super::{Outcome, Reloader, Sources};
use crate::detection::RuleSet;
use crate::event::BootTime;
use crate::policy::Policy;
use crate::provenance::ClassTable;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

const RULE: &str = "title: One\nid: 00000000-0000-4000-8000-000000000001\nlevel: low\nlogsource:\n  product: linux\n  \
    category: process_creation\ndetection:\n  x:\n    process.executable.name: one\n  condition: x\n";

/// Longer than any reload takes on a busy machine; only what never comes takes it.
const PATIENCE: Duration = Duration::from_secs(30);

struct Scene {
    reloader: Reloader,
    in_effect: InEffect,
}

impl Scene {
    fn of(sources: Sources) -> Scene {
        let rules = RuleSet::load(&sources.rules).expect("they are right");
        let classes = ClassTable::load(sources.classes.as_deref()).expect("they are right");
        let classes = classes.watching(rules.watched()).expect("there is room");
        let in_effect = InEffect::new(&rules, &Policy::default(), &classes, BootTime(0));
        Scene { reloader: Reloader::new(sources).expect("a signal handler"), in_effect }
    }

    /// What comes of it next, taken into effect.
    async fn next(&mut self) -> Outcome {
        let outcome = tokio::time::timeout(PATIENCE, self.reloader.next(&self.in_effect)).await.expect("nothing came");
        if let Ok(Some(fresh)) = &outcome {
            self.in_effect.replaced_by(fresh, BootTime(1));
        }
        outcome
    }

    /// Waits for one that brings others into effect, over those that came to nothing.
    async fn fresh(&mut self) {
        while !matches!(self.next().await, Ok(Some(_))) {}
    }
}

fn rules(path: &Path) -> Sources {
    Sources { rules: vec![path.to_owned()], ..Sources::default() }
}

#[tokio::test]
async fn a_file_that_is_written_renamed_over_or_removed_brings_others_into_effect() {
    let directory = tempfile::tempdir().unwrap();
    let mut scene = Scene::of(rules(directory.path()));
    let shipped = scene.in_effect.what.rules;
    fs::write(directory.path().join("one.yml"), RULE).unwrap();
    scene.fresh().await;
    assert_eq!(scene.in_effect.what.rules, shipped + 1);
    let one = scene.in_effect.what.ruleset.clone();

    fs::write(directory.path().join("new"), RULE.replace("low", "high")).unwrap();
    fs::rename(directory.path().join("new"), directory.path().join("one.yml")).unwrap();
    scene.fresh().await;
    assert!(scene.in_effect.what.ruleset != one && scene.in_effect.what.rules == shipped + 1);

    fs::remove_file(directory.path().join("one.yml")).unwrap();
    scene.fresh().await;
    assert_eq!((scene.in_effect.what.rules, scene.in_effect.reloads), (shipped, 3));

    // A directory that comes later, and lists in it.
    fs::create_dir(directory.path().join("lists")).unwrap();
    fs::write(directory.path().join("lists/declared_destinations.txt"), "192.0.2.0/24\n").unwrap();
    scene.fresh().await;
    fs::write(directory.path().join("lists/declared_destinations.txt"), "192.0.2.0/25\n").unwrap();
    scene.fresh().await;
    assert_eq!(scene.in_effect.reloads, 5);
}

#[tokio::test]
async fn what_is_wrong_is_told_whole_and_what_was_in_effect_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let classes = directory.path().join("own.classes");
    fs::write(&classes, "weights:\n  suffixes: [gguf]\n").unwrap();
    let mut scene = Scene::of(Sources {
        rules: vec![directory.path().to_owned()],
        classes: Some(classes.clone()),
        ..Sources::default()
    });
    let before = scene.in_effect.what.clone();
    fs::write(&classes, "weights:\n  sufixes: [gguf]\n").unwrap();
    fs::write(directory.path().join("a.yml"), RULE.replace("level: low", "level: lowest")).unwrap();
    fs::write(directory.path().join("b.yml"), RULE.replace("executable.name", "executable.nam")).unwrap();
    let refused = loop {
        match scene.next().await {
            // Read between the writes.
            Err(refused) if refused.problems.len() < 3 => {}
            Err(refused) => break refused,
            Ok(_) => panic!("nothing here is right"),
        }
    };
    let told =
        |words: [&str; 2]| refused.problems.iter().any(|problem| words.iter().all(|word| problem.contains(word)));
    assert!(told(["a.yml:3", "lowest"]), "{refused}");
    assert!(told(["b.yml:9", "process.executable.name"]), "{refused}");
    assert!(told(["own.classes", "sufixes"]), "{refused}");
    assert_eq!(scene.in_effect.what, before);

    fs::remove_file(directory.path().join("a.yml")).unwrap();
    fs::write(directory.path().join("b.yml"), RULE).unwrap();
    fs::write(&classes, "weights:\n  suffixes: [bin]\n").unwrap();
    scene.fresh().await;
    assert_eq!(scene.in_effect.what.rules, before.rules + 1);
    assert_ne!(scene.in_effect.what.classes, before.classes);
}

#[tokio::test]
async fn a_mounted_config_map_is_followed_through_its_links() {
    let directory = tempfile::tempdir().unwrap();
    let mount = directory.path().join("mount");
    let version = |name: &str, level: &str| {
        fs::create_dir_all(mount.join(name).join("lists")).unwrap();
        fs::write(mount.join(name).join("one.yml"), RULE.replace("low", level)).unwrap();
    };
    // As kubelet's atomic writer lays a volume out, and changes it.
    version("..1", "low");
    symlink("..1", mount.join("..data")).unwrap();
    symlink("..data/one.yml", mount.join("one.yml")).unwrap();
    // The directory, the file in it, and a path through `..data` itself.
    for path in [mount.clone(), mount.join("one.yml"), mount.join("..data")] {
        let mut scene = Scene::of(rules(&path));
        let swap = |to: &str| {
            symlink(to, mount.join("..data_tmp")).unwrap();
            fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        };
        version("..2", "high");
        swap("..2");
        scene.fresh().await;
        version("..1", "low");
        swap("..1");
        scene.fresh().await;
        assert_eq!(scene.in_effect.reloads, 2, "{}", path.display());
    }
}

#[tokio::test]
async fn a_path_that_comes_goes_and_comes_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.yml");
    fs::write(&path, RULE).unwrap();
    let mut scene = Scene::of(rules(&path));
    fs::remove_file(&path).unwrap();
    assert!(scene.next().await.is_err(), "what was asked for is not there");
    fs::write(&path, RULE.replace("low", "high")).unwrap();
    scene.fresh().await;
    // What else is in that directory is none of our business: it would be read again and again.
    fs::write(directory.path().join("other"), "").unwrap();
    assert!(tokio::time::timeout(super::QUIET * 3, scene.reloader.next(&scene.in_effect)).await.is_err());
}

#[test]
fn watched_is_what_can_change_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(directory.path()).unwrap();
    let places = Places::of(&[root.join("not/there.yml")]);
    assert_eq!(places.directories, [(root.clone(), Interest::Names(["not".into()].into()))].into());

    // A link to itself, and one that leads in a circle below a directory of rules.
    symlink("loop", root.join("loop")).unwrap();
    assert_eq!(Places::of(&[root.join("loop")]).directories.len(), 1);
    fs::create_dir(root.join("rules")).unwrap();
    symlink("..", root.join("rules/up")).unwrap();
    symlink("../rules", root.join("rules/again")).unwrap();
    let places = Places::of(&[root.join("rules")]);
    let watched: Vec<&PathBuf> = places.directories.keys().collect();
    assert_eq!(watched, [&root, &root.join("rules")]);
    assert!(Interest::All.takes(Some(OsStr::new("x"))) && Interest::Names([].into()).takes(None));
}
