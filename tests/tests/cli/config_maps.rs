//! Rules, lists and a policy as the chart mounts them: each a ConfigMap, laid out and replaced as kubelet does it
//! (pkg/volume/util/atomic_writer.go), one of them mounted within another.

use super::reload::{Scene, rule};
use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tests::scene::Directory;
use tests::skip;

type Outcome = Result<(), Box<dyn Error>>;

/// A mounted ConfigMap.
struct Volume {
    path: PathBuf,
    /// The directory that `..data` leads to; empty before there is one.
    version: String,
}

impl Volume {
    fn new(path: PathBuf, files: &[(&str, &str)]) -> io::Result<Volume> {
        fs::create_dir_all(&path)?;
        let mut volume = Volume { path, version: String::new() };
        volume.replace(files)?;
        Ok(volume)
    }

    /// In the atomic writer's order: the new version beside the old one, the link swapped, then names of files that are new, of files that
    /// are gone, and the old version.
    fn replace(&mut self, files: &[(&str, &str)]) -> io::Result<()> {
        let number: u32 = self.version.rsplit('.').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let version = format!("..2026_08_01_12_00_00.{}", number + 1);
        fs::create_dir(self.path.join(&version))?;
        for (name, text) in files {
            fs::write(self.path.join(&version).join(name), text)?;
        }
        symlink(&version, self.path.join("..data_tmp"))?;
        fs::rename(self.path.join("..data_tmp"), self.path.join("..data"))?;
        for (name, _) in files {
            if !fs::symlink_metadata(self.path.join(name)).is_ok_and(|there| there.is_symlink()) {
                symlink(Path::new("..data").join(name), self.path.join(name))?;
            }
        }
        let before = self.path.join(std::mem::replace(&mut self.version, version));
        if before != self.path.join("") {
            for gone in fs::read_dir(&before)? {
                let name = gone?.file_name();
                if !files.iter().any(|(kept, _)| name.to_str() == Some(kept)) {
                    fs::remove_file(self.path.join(name))?;
                }
            }
            fs::remove_dir_all(before)?;
        }
        Ok(())
    }
}

#[test]
fn what_the_chart_mounts_is_replaced_while_the_sensor_runs() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let at = |path: &str| directory.path().join(path);
    // As after `helm install` with nothing set: empty, and there.
    let mut rules = Volume::new(at("rules.d"), &[])?;
    let mut lists = Volume::new(at("rules.d/lists"), &[])?;
    let mut policy = Volume::new(at("policy.d"), &[("policy.yml", "# Nothing is declared.\n")])?;
    let (rules_at, policy_at) = (at("rules.d").display().to_string(), at("policy.d/policy.yml").display().to_string());
    let scene = Scene::start(&["--rules", &rules_at, "--policy", &policy_at])?;

    rules.replace(&[("own.yml", &rule("own", "word-one"))])?;
    scene.reloaded(1)?;
    scene.alert("own", "word-one")?;

    // A wrong one is said with its place, and the one before goes on.
    let other = rule("other", "word-other");
    rules.replace(&[
        ("own.yml", &rule("own", "word-two").replace("command_args", "comand_args")),
        ("other.yml", &other),
    ])?;
    scene.logged("own.yml:10", 1)?;
    scene.alert("own", "word-one")?;
    rules.replace(&[("other.yml", &other)])?;
    scene.reloaded(2)?;
    scene.alert("other", "word-other")?;

    // A list, in the volume within the volume.
    let by_list = rule("by-list", "word-x").replace("command_args: word-x", "command_args|expand: '%words%'");
    lists.replace(&[("words.txt", "word-three\n")])?;
    rules.replace(&[("by_list.yml", &by_list)])?;
    scene.reloaded(3)?;
    scene.alert("by-list", "word-three")?;
    lists.replace(&[("words.txt", "word-four\n")])?;
    scene.reloaded(4)?;
    scene.alert("by-list", "word-four")?;

    let serving = "workloads:\n  - name: a\n    select: {k8s.namespace.name: prod}\n    role: serving\n";
    policy.replace(&[("policy.yml", serving)])?;
    scene.reloaded(5)?;
    policy.replace(&[("policy.yml", &serving.replace("serving", "servng"))])?;
    scene.logged("policy.yml:4:11", 1)?;
    scene.alert("by-list", "word-four")?;

    let stopped = scene.sensor.stop()?;
    let count = |words: &str| stopped.log.iter().filter(|line| line.contains(words)).count();
    assert_eq!(count("other rules are in effect"), 5, "{:#?}", stopped.log);
    assert_eq!(count("are not taken"), 2, "{:#?}", stopped.log);
    Ok(())
}
