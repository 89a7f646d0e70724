//! A container isolates, and leaves nothing behind however it ends.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::scene::{self, Container, Directory, Network, Spec};
use tests::wait::{PATIENCE, until};
use tests::{Place, skip};

fn shell(container: &Container, script: &str) -> Result<String, Box<dyn Error>> {
    let output = Place::Container(container).spawn(OsStr::new("/bin/sh"), &["-c", script])?.output()?;
    if !output.status.success() {
        return Err(format!("{script}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// What a container has on the host, and must not leave.
struct Traces {
    pid: u32,
    cgroups: Vec<PathBuf>,
    directory: PathBuf,
}

impl Traces {
    fn of(container: &Container) -> Traces {
        let scene =
            container.cgroup.split('/').nth(1).and_then(|top| top.strip_prefix("weir-scene-")).unwrap_or_default();
        // The topmost directories of each hierarchy, which hold the others.
        let cgroups = container.cgroup_directories.iter().filter_map(|directory| directory.ancestors().nth(4));
        Traces {
            pid: container.pid,
            cgroups: cgroups.map(Path::to_owned).collect(),
            directory: Path::new("/run/weir-scenes").join(scene),
        }
    }

    /// Those that are still there.
    fn left(&self) -> Vec<PathBuf> {
        let process = Path::new("/proc").join(self.pid.to_string());
        let mut left: Vec<PathBuf> = self.cgroups.clone();
        left.extend([self.directory.clone(), process]);
        left.retain(|path| path.exists());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        left.extend(mounts.lines().filter(|line| line.contains("weir-scene")).map(PathBuf::from));
        left
    }
}

#[test]
fn it_isolates() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("containers") {
        return Ok(());
    }
    let network = Network::new()?;
    for overlay in [false, true] {
        let container = Container::start(&Spec { network: Some(&network.inside), overlay, ..Spec::default() })?;
        let traces = Traces::of(&container);
        assert_eq!(traces.cgroups.len(), container.cgroup_directories.len());
        assert!(traces.left().len() > traces.cgroups.len() + 1, "the test sees what it looks for: {:?}", traces.left());

        assert_eq!(container.id.len(), 64);
        assert!(container.id.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert!(container.cgroup.ends_with(&format!("/kubepods/besteffort/pod{}/{}", container.pod_uid, container.id)));

        assert_eq!(shell(&container, "cat /proc/1/cmdline | tr '\\0' ' '")?, format!("{} init", Container::ACTOR));
        assert!(!shell(&container, "ls /")?.contains("home"), "the root is its own");
        assert_eq!(shell(&container, "grep -c ' / / ' /proc/self/mountinfo")?, "1");
        assert!(!shell(&container, "cat /proc/self/mountinfo")?.contains("/sys/fs/cgroup"), "the old root is gone");
        let kind = if overlay { "overlay" } else { "tmpfs" };
        assert!(shell(&container, "stat -f -c %T /")?.starts_with(&kind[..5]), "{kind}");
        assert_eq!(shell(&container, "stat -f -c %T /dev/shm")?, "tmpfs");
        assert!(shell(&container, "touch /usr/here 2>/dev/null").is_err(), "the host's programs cannot be changed");
        shell(&container, "echo text > /tmp/file && test -s /tmp/file && echo > /dev/null")?;

        for namespace in ["mnt", "pid", "net", "uts", "ipc"] {
            let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/{namespace}"));
            let inside = of(&container.pid.to_string())?;
            assert_ne!(inside, of("self")?, "{namespace}");
            let entered = shell(&container, &format!("readlink /proc/self/ns/{namespace}"))?;
            assert_eq!(Path::new(&entered), inside, "{namespace}: a program is run where the first process is");
        }
        let interfaces = shell(&container, "cat /proc/net/dev")?;
        assert!(interfaces.contains("eth0:"), "{interfaces}");

        let sleeper = Place::Container(&container).spawn(OsStr::new("sleep"), &["1000"])?;
        for pid in [container.pid, sleeper.pid()] {
            for line in fs::read_to_string(format!("/proc/{pid}/cgroup"))?.lines() {
                assert!(line.ends_with(&format!(":{}", container.cgroup)), "{pid}: {line}");
            }
        }
        container.stop()?;
        assert_eq!(traces.left(), Vec::<PathBuf>::new());
        until(PATIENCE, "what ran in it ends with it", || {
            (!Path::new(&format!("/proc/{}/root/usr", sleeper.pid())).exists()).then_some(())
        })?;
    }
    Ok(())
}

#[test]
fn the_first_process_reaps() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("containers") {
        return Ok(());
    }
    let container = Container::start(&Spec::default())?;
    shell(&container, "for n in 1 2 3 4 5 6 7 8; do (sleep 0.01 &) ; done")?;
    // Zombies are in no cgroup any more, but still in /proc.
    until(PATIENCE, "no orphans and no zombies", || {
        let names =
            fs::read_dir(container.host_path(Path::new("/proc"))).ok()?.flatten().map(|entry| entry.file_name());
        let processes: Vec<_> = names.filter(|name| name.to_string_lossy().parse::<u32>().is_ok()).collect();
        (processes == ["1"]).then_some(())
    })?;
    Ok(())
}

#[test]
fn bad_mounts_are_told_and_leave_nothing() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("containers") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let name = format!("bad-{}", std::process::id());
    let absent = directory.path().join("absent");
    let output = Command::new(tests::locate::actor()?)
        .args(["contain", "--name", &name, "--bind"])
        .args([absent.as_os_str(), OsStr::new("/models")])
        .stdin(Stdio::null())
        .output()?;
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr)?;
    assert!(complaint.contains("absent") && complaint.contains("No such file"), "{complaint}");
    assert!(!Path::new("/run/weir-scenes").join(name).exists());
    Ok(())
}

/// Not a test: what is killed in the tests below.
#[test]
#[ignore = "the part of other tests that is killed"]
fn victim() -> Result<(), Box<dyn Error>> {
    let network = Network::new()?;
    let directory = Directory::new()?;
    let container = Container::start(&Spec { network: Some(&network.inside), ..Spec::default() })?;
    let traces = Traces::of(&container);
    let _sleeper = Place::Container(&container).spawn(OsStr::new("sleep"), &["1000"])?;
    let mut words = vec![container.supervisor_pid().to_string(), traces.pid.to_string()];
    words.extend([&traces.directory, &directory.path().to_owned()].map(|path| path.display().to_string()));
    words.extend(traces.cgroups.iter().map(|path| path.display().to_string()));
    writeln!(std::io::stdout(), "VICTIM {}", words.join(" "))?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Starts a victim; its process, its supervisor's pid, its directory of files and its traces.
fn start_victim() -> Result<(std::process::Child, i32, PathBuf, Traces), Box<dyn Error>> {
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "containers::victim", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let out = BufReader::new(victim.stdout.take().ok_or("no pipe")?);
    let line = out.lines().map_while(Result::ok).find_map(|line| Some(line.split_once("VICTIM ")?.1.to_owned()));
    let line = line.ok_or("the victim did not come to life")?;
    let mut words = line.split(' ');
    let mut next = || words.next().ok_or("a short line");
    let (supervisor, pid) = (next()?.parse()?, next()?.parse()?);
    let (directory, files) = (PathBuf::from(next()?), PathBuf::from(next()?));
    Ok((victim, supervisor, files, Traces { pid, directory, cgroups: words.map(PathBuf::from).collect() }))
}

#[test]
fn killed_it_leaves_nothing() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("containers") {
        return Ok(());
    }
    let (mut victim, _, files, traces) = start_victim()?;
    assert!(!traces.left().is_empty() && files.exists());
    victim.kill()?;
    victim.wait()?;
    until(PATIENCE, "the supervisor removes all", || traces.left().is_empty().then_some(()))
        .map_err(|error| format!("{error}: {:?}", traces.left()))?;
    scene::sweep()?;
    assert!(!files.exists());
    Ok(())
}

#[test]
fn killed_with_its_supervisor_it_leaves_nothing_to_a_sweep() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("containers") {
        return Ok(());
    }
    let bystander = Container::start(&Spec::default())?;
    let bystanders_files = Directory::new()?;
    let (mut victim, supervisor, files, traces) = start_victim()?;
    let supervisor = rustix::process::Pid::from_raw(supervisor).ok_or("no pid")?;
    rustix::process::kill_process(supervisor, rustix::process::Signal::KILL)?;
    victim.kill()?;
    victim.wait()?;
    until(PATIENCE, "the kernel ends the first process", || {
        (!Path::new(&format!("/proc/{}/root/usr", traces.pid)).exists()).then_some(())
    })?;
    assert!(traces.cgroups.iter().all(|directory| directory.exists()), "nobody is left to remove them");
    scene::sweep()?;
    until(PATIENCE, "nothing is left", || traces.left().is_empty().then_some(()))
        .map_err(|error| format!("{error}: {:?}", traces.left()))?;
    assert!(!files.exists());
    // What is in use is left alone.
    assert!(bystanders_files.path().exists());
    shell(&bystander, "true")?;
    bystander.stop()?;
    Ok(())
}

#[test]
fn the_host_is_as_before() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("namespaces") {
        return Ok(());
    }
    let host = || -> Result<Vec<String>, Box<dyn Error>> {
        let mut names: Vec<String> = Vec::new();
        for directory in ["/sys/class/net", "/run/netns"] {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            names.extend(entries.map(|entry| entry.path().display().to_string()));
        }
        names.sort();
        Ok(names)
    };
    let before = host()?;
    let network = Network::new()?;
    let container = Container::start(&Spec { network: Some(&network.inside), ..Spec::default() })?;
    assert_eq!(host()?, before, "while it runs");
    drop((container, network));
    assert_eq!(host()?, before, "afterwards");
    Ok(())
}
