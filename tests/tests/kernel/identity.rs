//! Who acted: the program, its arguments, its user, its container, its ancestors.

use crate::watch::{Outcome, actor_on_host, events, events_in, nothing_lost, of, skipped, spawn_on_host, the};
use serde_json::json;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::scene::{Bind, Container, Directory, Spec};
use tests::wait::{PATIENCE, until};
use tests::{Place, actor_in, weights};

/// The program's own name of what `/bin/sh` is.
fn shell() -> std::io::Result<(String, String)> {
    let path = fs::canonicalize("/bin/sh")?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((path.to_string_lossy().into_owned(), name))
}

fn device(data: &fs::Metadata) -> String {
    format!("{}:{}", rustix::fs::major(data.dev()), rustix::fs::minor(data.dev()))
}

#[test]
fn an_exec_in_a_container() -> Outcome {
    if skipped("an exec in a container") {
        return Ok(());
    }
    let container = Container::start(&Spec::default())?;
    let sensor = events_in(&container, &[])?;
    let actor = actor_in(Place::Container(&container), &["storm", "--forks", "1"])?;
    let pid = actor.pid();
    let truth = actor.truth()?;
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let exec = the(&events, "exec", pid, &"the actor")?;
    let file = fs::metadata(container.host_path(Path::new(Container::ACTOR)))?;
    let expected = json!({
        "file.path": Container::ACTOR,
        "file.inode": file.ino().to_string(),
        "file.size": file.len(),
        "process.executable.path": Container::ACTOR,
        "process.command_args": [Container::ACTOR, "storm", "--forks", "1"],
        "process.working_directory": "/",
        "process.user.id": 0,
        "weir.process.group.id": 0,
        "process.vpid": truth["process.vpid"],
        "container.id": container.id,
        "k8s.pod.uid": container.pod_uid,
        "weir.workload.kind": "container",
        "weir.workload.id": format!("container:{}", container.id),
        "process.linux.cgroup": container.cgroup,
    });
    let names: Vec<&str> =
        expected.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
    assert_eq!(exec.differences(&expected, &names), [""; 0], "{exec:?}");
    assert_ne!(truth["process.vpid"], json!(pid), "the container has pids of its own, else nothing was compared");
    // The same process to its end, and what it forked.
    for (kind, count) in [("fork", 1), ("exit", 1)] {
        let found = of(&events, kind, pid);
        assert_eq!(found.len(), count, "{kind}");
        for event in found {
            assert_eq!(event.field("weir.process.id"), exec.field("weir.process.id"));
            assert_eq!(event.text("container.id"), Some(&*container.id));
        }
    }
    assert_eq!(the(&events, "exit", pid, &"the actor")?.number("process.exit.code"), Some(0));
    container.stop()?;
    Ok(())
}

#[test]
fn an_exec_by_another_user_through_a_symlink() -> Outcome {
    if skipped("an exec by another user") {
        return Ok(());
    }
    const UID: u32 = 65_533;
    const GID: u32 = 65_532;
    let directory = Directory::new()?;
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
    let (link, below) = (directory.path().join("link"), directory.path().join("a directory"));
    symlink("/bin/sh", &link)?;
    fs::create_dir(&below)?;
    let scope = Container::start(&Spec::default())?;
    let sensor = events_in(&scope, &["--kind", "exec", "--kind", "exit"])?;
    let arguments = ["-c", "exit 7", "two words", "", "ü"];
    let mut command = Command::new(&link);
    command.args(arguments).uid(UID).gid(GID).current_dir(&below).stdin(Stdio::null());
    // Opened by root, and written to by the child when it is root no more: the opener's rights count.
    let cgroup = scope.cgroup_directories.first().ok_or("no cgroup")?;
    let mut procs = OpenOptions::new().write(true).open(cgroup.join("cgroup.procs"))?;
    // SAFETY: between fork and exec this makes one system call and allocates nothing.
    unsafe { command.pre_exec(move || procs.write_all(b"0")) };
    let mut child = command.spawn()?;
    let pid = child.id();
    assert_eq!(child.wait()?.code(), Some(7));
    let killed = spawn_on_host(&scope, OsStr::new("/bin/sh"), &["-c", "kill -9 $$"])?;
    let killed_pid = killed.pid();
    assert!(!killed.output()?.status.success());
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let (path, name) = shell()?;
    let file = fs::metadata(&path)?;
    let program = link.to_string_lossy();
    let args: Vec<&str> = std::iter::once(&*program).chain(arguments).collect();
    let expected = json!({
        "file.path": path,
        "file.inode": file.ino().to_string(),
        "weir.file.device": device(&file),
        "process.executable.name": name,
        "process.command_args": args,
        "process.working_directory": below.to_string_lossy(),
        "process.user.id": UID,
        "weir.process.group.id": GID,
        "process.vpid": pid,
        "process.parent_pid": std::process::id(),
    });
    let names: Vec<&str> =
        expected.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
    assert_eq!(the(&events, "exec", pid, &"sh")?.differences(&expected, &names), [""; 0]);
    assert_eq!(the(&events, "exit", pid, &"sh")?.number("process.exit.code"), Some(7));
    let exit = the(&events, "exit", killed_pid, &"sh that is killed")?;
    assert_eq!((exit.number("weir.process.exit.signal"), exit.field("process.exit.code")), (Some(9), None));
    Ok(())
}

#[test]
fn a_script_is_its_interpreter_and_memory_is_no_file() -> Outcome {
    if skipped("execs of a script and from memory") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let script = directory.path().join("script");
    fs::write(&script, "#!/bin/sh\nexit 0\n")?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    let container = Container::start(&Spec::default())?;
    let sensor = events_in(&container, &["--kind", "exec"])?;
    // By a shell: a script that is still open for writing in a child that another thread forks cannot be run.
    let script_path = script.to_string_lossy();
    let runner = spawn_on_host(&container, OsStr::new("/bin/sh"), &["-c", "\"$0\"; true", &script_path])?;
    let runner_pid = runner.pid();
    assert!(runner.output()?.status.success());
    let on_host = actor_on_host(&container, &["exec-memfd"])?.truth()?;
    let enclosed = actor_in(Place::Container(&container), &["exec-memfd"])?;
    let enclosed_pid = enclosed.pid();
    let in_container = enclosed.truth()?;
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let child_of = |pid: u32| {
        let found: Vec<_> = events.iter().filter(|e| e.number("process.parent_pid") == Some(pid.into())).collect();
        match found.as_slice() {
            [event] => Ok(*event),
            others => Err(format!("one child of {pid}: {others:#?}")),
        }
    };
    let run = child_of(runner_pid)?;
    assert_eq!(run.text("file.path"), Some(&*shell()?.0));
    assert_eq!(run.list("process.command_args"), ["/bin/sh", &script.to_string_lossy()]);

    let host = events.iter().find(|event| event.pid() == on_host["child.vpid"].as_u64() && event.pid().is_some());
    let host = host.ok_or("no exec from memory on the host")?;
    let enclosed = child_of(enclosed_pid)?;
    assert_eq!(enclosed.field("process.vpid"), Some(&in_container["child.vpid"]));
    assert_eq!(enclosed.text("container.id"), Some(&*container.id));
    for (event, truth) in [(host, &on_host), (enclosed, &in_container)] {
        // /proc adds " (deleted)" to the path of a file without a name; the sensor says it by the number of links.
        let path = truth["file.path"].as_str().unwrap_or_default().trim_end_matches(" (deleted)");
        assert_eq!(path, "/memfd:weir-actor");
        assert_eq!(event.text("file.path"), Some(path));
        assert_eq!(
            event.differences(truth, &["file.inode", "weir.file.device", "file.size", "weir.file.links"]),
            [""; 0]
        );
        assert_eq!(event.number("weir.file.links"), Some(0));
        assert_eq!(event.field("weir.file.memory"), Some(&json!(true)));
        assert_eq!(event.list("process.command_args"), ["in-memory", "noop"]);
    }
    container.stop()?;
    Ok(())
}

#[test]
fn a_grandchild_has_its_ancestors() -> Outcome {
    if skipped("lineage in a container") {
        return Ok(());
    }
    let container = Container::start(&Spec::default())?;
    let sensor = events(&["--container", &container.id])?;
    let script = format!("{} storm --execs 1; true", Container::ACTOR);
    let top = Place::Container(&container).spawn(OsStr::new("/bin/sh"), &["-c", &script])?;
    let top_pid = u64::from(top.pid());
    assert!(top.output()?.status.success());
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let (_, shell) = shell()?;
    let execs: Vec<_> =
        events.iter().filter(|e| e.text("container.id") == Some(&*container.id) && e.kind() == "exec").collect();
    let child = execs.iter().find(|e| e.number("process.parent_pid") == Some(top_pid)).ok_or("no child")?;
    let grandchild = execs
        .iter()
        .find(|event| event.number("process.parent_pid") == child.pid() && child.pid().is_some())
        .ok_or("no grandchild")?;
    assert_eq!(grandchild.list("process.command_args"), [Container::ACTOR, "noop"]);
    // The first exec is that of the actor that enters the container; this test is above it.
    let ancestors = grandchild.list("weir.process.ancestors");
    assert_eq!(ancestors.get(..3), Some(&["weir-actor", &*shell, "weir-actor"][..]), "{ancestors:?}");
    let own = std::env::current_exe()?;
    assert_eq!(ancestors.get(3).copied(), own.file_name().and_then(OsStr::to_str), "{ancestors:?}");
    assert_eq!(grandchild.text("weir.process.parent.executable.path"), Some(Container::ACTOR));
    // Three processes were made and ended below this one: the shell forked one, that one another.
    for (kind, pid) in [("fork", top_pid), ("fork", child.pid().unwrap_or_default())] {
        assert_eq!(of(&events, kind, u32::try_from(pid)?).len(), 1, "{kind} by {pid}");
    }
    for event in [child, grandchild] {
        let pid = u32::try_from(event.pid().unwrap_or_default())?;
        let exit = the(&events, "exit", pid, &"its end")?;
        assert_eq!(exit.field("weir.process.id"), event.field("weir.process.id"));
    }
    container.stop()?;
    Ok(())
}

#[test]
fn a_process_older_than_the_sensor_is_known() -> Outcome {
    if skipped("a process that was there before") {
        return Ok(());
    }
    let models = Directory::new()?;
    weights::safetensors(&models.path().join("model.safetensors"), 1, 1)?;
    let fifo = models.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)?;
    let bind = Bind { source: models.path().into(), target: "/models".into(), read_only: false };
    let container = Container::start(&Spec { binds: vec![bind], ..Spec::default() })?;
    // It waits for a line, then opens the weights itself: a shell's redirection.
    let script = "cd /models; read line < fifo; exec 3< model.safetensors";
    let older = Place::Container(&container).spawn(OsStr::new("/bin/sh"), &["-c", script])?;
    let pid = older.pid();
    let (path, _) = shell()?;
    until(PATIENCE, "the shell runs", || {
        (fs::read_link(format!("/proc/{pid}/exe")).ok()? == Path::new(&path)).then_some(())
    })?;
    until(PATIENCE, "the shell is where it waits", || {
        (fs::read_link(format!("/proc/{pid}/cwd")).ok()? == Path::new("/models")
            || fs::read_link(format!("/proc/{pid}/cwd")).ok()?.ends_with("models"))
        .then_some(())
    })?;
    let sensor = events_in(&container, &["--kind", "open"])?;
    let mut line: File = OpenOptions::new().write(true).open(&fifo)?;
    line.write_all(b"go\n")?;
    drop(line);
    assert!(older.output()?.status.success());
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    let open = the(&events, "open", pid, &"the older process")?;
    let expected = json!({
        "file.path": "/models/model.safetensors",
        "process.executable.path": path,
        "process.command_args": ["/bin/sh", "-c", script],
        "container.id": container.id,
        "k8s.pod.uid": container.pod_uid,
    });
    let names: Vec<&str> =
        expected.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
    assert_eq!(open.differences(&expected, &names), [""; 0]);
    container.stop()?;
    Ok(())
}
