//! What the sensor itself may do: it gives up what it does not need, works on with the rest, and runs with no more than it needs.

use super::weir::{Ended, NOBODY, end_of, run, weir};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::bpf::Objects;
use tests::locate;
use tests::scene::Directory;
use tests::sensor::{Event, Sensor};
use tests::skip;
use tests::wait::{PATIENCE, until};

type Outcome = Result<(), Box<dyn Error>>;

/// Those that the sensor needs, by their numbers (include/uapi/linux/capability.h) and as setpriv(1) calls them.
pub const NEEDED: [(u32, &str); 5] =
    [(39, "bpf"), (38, "perfmon"), (12, "net_admin"), (19, "sys_ptrace"), (2, "dac_read_search")];
const SETPCAP: u32 = 8;

/// A sensor, as root, that has these capabilities and no others.
pub fn with_only(capabilities: &[&str], arguments: &[&str]) -> io::Result<Sensor> {
    let (weir, bounding) = (locate::weir()?, bounding(capabilities));
    let weir = weir.to_string_lossy();
    Sensor::start_program(Path::new("setpriv"), &[&["--inh-caps=-all", &bounding, &weir], arguments].concat())
}

/// The same, run to its end.
fn run_with_only(capabilities: &[&str], arguments: &[&str]) -> io::Result<Ended> {
    let command = weir(arguments)?;
    let mut confined = Command::new("setpriv");
    confined.args(["--inh-caps=-all", &bounding(capabilities)]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => confined.env(name, value),
            None => confined.env_remove(name),
        };
    }
    end_of(confined.stdin(Stdio::null()).stdout(Stdio::piped()))
}

fn bounding(capabilities: &[&str]) -> String {
    capabilities.iter().fold("--bounding-set=-all".to_owned(), |all, capability| all + ",+" + capability)
}

/// What the lines of interest of a thread's `/proc` say.
type Thread = BTreeMap<String, u64>;

/// All threads of the process, as far as privileges go.
fn threads(pid: u32) -> Result<Vec<Thread>, Box<dyn Error>> {
    let mut threads = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that has ended meanwhile has none.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
        let mut thread = Thread::new();
        for (name, value) in status.lines().filter_map(|line| line.split_once(":\t")) {
            if name.starts_with("Cap") {
                thread.insert(name.to_owned(), u64::from_str_radix(value, 16)?);
            } else if ["NoNewPrivs", "Seccomp"].contains(&name) {
                thread.insert(name.to_owned(), value.parse()?);
            }
        }
        threads.push(thread);
    }
    Ok(threads)
}

fn bits(numbers: impl IntoIterator<Item = u32>) -> u64 {
    numbers.into_iter().fold(0, |bits, number| bits | 1 << number)
}

/// What is to be left of what `before` had: that to look, and CAP_BPF where maps need it (before 5.19).
fn left(before: &Thread) -> Result<Thread, Box<dyn Error>> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let numbers: Vec<u32> = release.split(|c: char| !c.is_ascii_digit()).map_while(|word| word.parse().ok()).collect();
    let looks = [19, 2].into_iter();
    let kept = if numbers.as_slice() < [5, 19].as_slice() { bits(looks.chain([39])) } else { bits(looks) };
    let kept = kept & before["CapPrm"];
    // It takes CAP_SETPCAP to make the bounding set smaller.
    let bounding = if before["CapEff"] >> SETPCAP & 1 == 1 { before["CapBnd"] & kept } else { before["CapBnd"] };
    let sets = [("CapEff", kept), ("CapPrm", kept), ("CapInh", 0), ("CapAmb", 0), ("CapBnd", bounding)];
    let rest = [("NoNewPrivs", 1), ("Seccomp", 2)];
    Ok(sets.into_iter().chain(rest).map(|(name, value)| (name.to_owned(), value)).collect())
}

fn own() -> Result<Thread, Box<dyn Error>> {
    Ok(threads(std::process::id())?.into_iter().next().ok_or("no thread")?)
}

#[track_caller]
fn every_thread_is(expected: &Thread, sensor: &Sensor) -> Result<usize, Box<dyn Error>> {
    let threads = threads(sensor.pid())?;
    for thread in &threads {
        assert_eq!(thread, expected, "each of {}", threads.len());
    }
    Ok(threads.len())
}

fn status(sensor: &Sensor) -> Result<Value, Box<dyn Error>> {
    let ended = run(&["status", "--state-dir", &sensor.state().to_string_lossy(), "--format", "json"])?;
    Ok(serde_json::from_str(&ended.out)?)
}

fn attribute<'e>(alert: &'e Event, name: &str) -> &'e Value {
    alert.field("attributes").and_then(|all| all.get(name)).unwrap_or(&Value::Null)
}

/// A directory of a user's own with a file that only he may read: weights, which nothing but the content tells.
struct Private {
    directory: Directory,
    path: PathBuf,
}

impl Private {
    fn new() -> io::Result<Private> {
        let directory = Directory::new()?;
        let path = directory.path().join("notes");
        fs::write(&path, [b"GGUF\x03\0\0\0".as_slice(), &[0; 128 << 10]].concat())?;
        for (path, mode) in [(path.as_path(), 0o600), (directory.path(), 0o700)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            chown(path, Some(NOBODY), Some(NOBODY))?;
        }
        Ok(Private { directory, path })
    }

    /// The user opens it, and has it open until what `then` waits for has come.
    fn open_until<T>(&self, then: impl FnOnce() -> T) -> io::Result<T> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec 3<notes; read wait"]).current_dir(self.directory.path());
        let mut child = command.uid(NOBODY).gid(NOBODY).stdin(Stdio::piped()).spawn()?;
        let result = then();
        drop(child.stdin.take());
        child.wait()?;
        Ok(result)
    }

    /// Whether the sensor, which shows all events, finds out what it is.
    fn is_recognised(&self, sensor: &Sensor) -> Result<Event, Box<dyn Error>> {
        let path = self.path.to_string_lossy();
        let is_it = |event: &Event| event.kind() == "recognized" && event.text("file.path") == Some(&*path);
        Ok(self.open_until(|| sensor.wait_for("a look into a user's file", PATIENCE, is_it))??)
    }
}

/// Finds every program that is started with `word` among its arguments. For the record only.
fn rule(name: &str, word: &str) -> String {
    format!(
        "title: Started with {word}\nid: 5d0c8b2e-0000-4000-8000-{:012}\nname: {name}\nlevel: informational\nlogsource:\n  product: linux\n  \
         category: process_creation\ndetection:\n  x:\n    process.command_args: {word}\n  condition: x\nweir:\n  \
         subject: [weir.process.id]\n",
        name.len()
    )
}

/// The alert of the rule `name` about a program that is started with `word`.
fn alert(sensor: &Sensor, name: &str, word: &str) -> Outcome {
    assert!(Command::new("/bin/true").arg(word).status()?.success());
    sensor.wait_for(name, PATIENCE, |alert| attribute(alert, "weir.rule.name") == name)?;
    Ok(())
}

#[test]
fn every_thread_gives_up_what_it_does_not_need_and_the_sensor_works_on() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let (rules, policy) = (directory.path().join("rules"), directory.path().join("policy.yml"));
    let word = format!("privileges-{}", std::process::id());
    fs::create_dir(&rules)?;
    fs::write(rules.join("own.yml"), rule("before", &word))?;
    let role =
        |role: &str| fs::write(&policy, format!("workloads:\n  - name: a\n    select: {{}}\n    role: {role}\n"));
    role("serving")?;
    let (rules_path, policy_path) = (rules.to_string_lossy(), policy.to_string_lossy());
    let arguments =
        ["--log", "info", "run", "--coverage-interval", "1", "--rules", &rules_path, "--policy", &policy_path];
    let expected = left(&own()?)?;
    let sensor = Sensor::start(&arguments)?;
    every_thread_is(&expected, &sensor)?;
    let objects = Objects::of(sensor.pid())?;
    alert(&sensor, "before", &word)?;

    // Other rules and another policy are read and take effect.
    let in_effect = |count: usize| {
        let enough =
            move |log: &[String]| log.iter().filter(|line| line.contains("other rules are in effect")).count() >= count;
        sensor.wait_for_log("other rules are in effect", PATIENCE, enough)
    };
    fs::write(rules.join("own.yml"), rule("afterwards", &word))?;
    in_effect(1)?;
    alert(&sensor, "afterwards", &word)?;
    role("training")?;
    in_effect(2)?;

    // The canary is a child of the sensor, and comes out.
    let is_seen = |record: &Event| attribute(record, "weir.canary.exec") == "seen";
    sensor.wait_for("the canary", PATIENCE, is_seen)?;
    let document = until(PATIENCE, "what happened is in the evidence", || {
        let document = status(&sensor).ok()?;
        (document["evidence"]["events"].as_u64() > Some(0)).then_some(document)
    })?;
    assert_eq!(document["privileges"]["no_new_privileges"], true);
    assert_eq!(document["privileges"]["seccomp"], true);
    let names = document["privileges"]["capabilities"].as_array().ok_or("no capabilities")?;
    assert_eq!(bits(names.iter().filter_map(|name| number(name.as_str()?))), expected["CapPrm"], "{names:?}");

    let threads = every_thread_is(&expected, &sensor)?;
    assert!(threads > 3, "those that write, look and tell are there: {threads}");
    let stopped = sensor.stop()?;
    let wrong: Vec<_> = stopped.log.iter().filter(|line| !line.contains(" INFO ")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    Ok(objects.wait_until_gone()?)
}

/// The number of a capability by its name in documents.
fn number(name: &str) -> Option<u32> {
    let name = name.strip_prefix("CAP_")?.to_lowercase();
    NEEDED.into_iter().find(|(_, known)| *known == name).map(|(number, _)| number)
}

#[test]
fn a_users_own_files_are_looked_into_afterwards() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let private = Private::new()?;
    let sensor = Sensor::start(&["events", "--kind", "recognized"])?;
    private.is_recognised(&sensor)?;
    every_thread_is(&left(&own()?)?, &sensor)?;
    sensor.stop()?;
    Ok(())
}

#[test]
fn with_exactly_what_it_needs_it_sees_what_root_sees() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let needed = NEEDED.map(|(_, name)| name);
    let (root, exact) = (Sensor::start(&["run"])?, with_only(&needed, &["run"])?);
    let (of_root, of_exact) = (status(&root)?, status(&exact)?);
    assert!(of_root["hooks"].as_array().is_some_and(|hooks| hooks.len() > 10), "{of_root}");
    for section in ["hooks", "problems", "privileges"] {
        assert_eq!(of_exact[section], of_root[section], "{section}");
    }
    // Without CAP_SETPCAP the bounding set stays as it was.
    let before = bits(NEEDED.map(|(number, _)| number));
    let sets = ["CapEff", "CapPrm", "CapBnd"].map(|name| (name.to_owned(), before));
    every_thread_is(&left(&sets.into())?, &exact)?;
    assert_eq!(root.stop()?.log, [""; 0]);
    assert_eq!(exact.stop()?.log, [""; 0]);

    let private = Private::new()?;
    let sensor = with_only(&needed, &["events", "--kind", "recognized"])?;
    private.is_recognised(&sensor)?;
    sensor.stop()?;
    Ok(())
}

#[test]
fn what_is_lacking_is_said_in_a_sentence() -> Outcome {
    if skip::unless_root("giving capabilities up") {
        return Ok(());
    }
    for (_, lacks) in NEEDED {
        let rest: Vec<&str> = NEEDED.into_iter().map(|(_, name)| name).filter(|name| *name != lacks).collect();
        let name = format!("CAP_{}", lacks.to_uppercase());
        let doctor = run_with_only(&rest, &["doctor"])?;
        assert!(doctor.out.contains(&format!("without {name} ")), "{name}: {}", doctor.out);
        if ["bpf", "perfmon", "net_admin"].contains(&lacks) {
            // It would be blind.
            assert_eq!(doctor.status, Some(1), "{name}");
            run_with_only(&rest, &["run"])?.refuses(1, &[&format!("weir lacks {name}"), "weir doctor"]);
            continue;
        }
        assert_eq!(doctor.status, Some(0), "{name}: {}", doctor.out);
        let sensor = with_only(&rest, &["run"])?;
        let problems = status(&sensor)?["problems"].as_array().cloned().unwrap_or_default();
        let said = |sentence: &str| sentence.contains(&format!("without {name} files ")) && sentence.ends_with(&name);
        assert_eq!(
            problems.iter().filter_map(Value::as_str).filter(|problem| said(problem)).count(),
            1,
            "{problems:?}"
        );
        let stopped = sensor.stop()?;
        assert_eq!(stopped.log.iter().filter(|line| said(line)).count(), 1, "{:?}", stopped.log);
        assert_eq!(stopped.log.len(), 1, "and nothing else: {:?}", stopped.log);
    }
    Ok(())
}

#[test]
fn for_debugging_it_keeps_what_it_has() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let sensor = Sensor::start(&["run", "--keep-privileges"])?;
    let before = own()?;
    every_thread_is(&before, &sensor)?;
    let document = status(&sensor)?;
    assert_eq!(document["privileges"]["seccomp"], before["Seccomp"] == 2);
    sensor.stop()?;
    Ok(())
}
