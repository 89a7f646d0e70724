//! Who acted: program, arguments, parents, container.

use std::error::Error;
use std::ffi::OsStr;
use std::process::{Command, Stdio};
use tests::scene::{Container, Directory, Spec};
use tests::sensor::{Event, Sensor};
use tests::wait::PATIENCE;
use tests::{Place, actor_in, skip};

fn is(event: &Event, kind: &str, pid: u64) -> bool {
    event.kind() == kind && event.pid() == Some(pid)
}

#[test]
fn an_exec_in_a_container_is_told_whole() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("a container") {
        return Ok(());
    }
    let container = Container::start(&Spec::default())?;
    let sensor = Sensor::start(&["events"])?;
    let script = "cd /tmp && /bin/sh -c 'exit 7'; true";
    let shell = Place::Container(&container).spawn(OsStr::new("/bin/sh"), &["-c", script])?;
    let pid = u64::from(shell.pid());
    assert!(shell.output()?.status.success());
    let exec = sensor.wait_for("the shell", PATIENCE, |event| {
        is(event, "exec", pid) && event.list("process.command_args").contains(&"-c")
    })?;
    assert_eq!(exec.list("process.command_args"), ["/bin/sh", "-c", script]);
    let path = exec.text("process.executable.path").unwrap_or_default();
    assert_eq!(exec.text("file.path"), Some(path));
    assert!(path.starts_with("/usr/bin/"), "{path}: resolved, not as it was called");
    assert!(exec.field("file.inode").is_some());
    assert_eq!(exec.text("process.working_directory"), Some("/"));
    assert_eq!((exec.number("process.user.id"), exec.number("weir.process.group.id")), (Some(0), Some(0)));
    assert_eq!(exec.text("container.id"), Some(&*container.id));
    assert_eq!(exec.text("k8s.pod.uid"), Some(&*container.pod_uid));
    assert_eq!(exec.text("weir.workload.kind"), Some("container"));
    assert_ne!(exec.number("process.vpid"), Some(pid), "the container has pids of its own");
    assert!(exec.number("process.vpid").is_some_and(|vpid| vpid > 0));

    let fork = sensor.wait_for("the child", PATIENCE, |event| {
        event.kind() == "exec" && event.number("process.parent_pid") == Some(pid)
    })?;
    assert_eq!(fork.list("process.command_args"), ["/bin/sh", "-c", "exit 7"]);
    assert_eq!(fork.text("process.working_directory"), Some("/tmp"));
    assert_eq!(fork.list("weir.process.ancestors").first(), path.rsplit('/').next().as_ref());
    let child = fork.pid().unwrap_or_default();
    let exit = sensor.wait_for("its end", PATIENCE, |event| is(event, "exit", child))?;
    assert_eq!(exit.number("process.exit.code"), Some(7));
    assert_eq!(exit.text("container.id"), Some(&*container.id));
    sensor.stop()?;
    Ok(())
}

#[test]
fn what_ran_before_the_sensor_is_known() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("the sensor") {
        return Ok(());
    }
    let mut before = Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let pid = u64::from(before.id());
    let sensor = Sensor::start(&["events"])?;
    drop(before.stdin.take());
    before.wait()?;
    let exit = sensor.wait_for("its end", PATIENCE, |event| is(event, "exit", pid))?;
    assert_eq!(exit.text("process.executable.path"), std::fs::canonicalize("/bin/cat")?.to_str());
    assert_eq!(exit.number("process.parent_pid"), Some(std::process::id().into()));
    sensor.stop()?;
    Ok(())
}

#[test]
fn a_program_in_memory_is_told_as_such() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("the sensor") {
        return Ok(());
    }
    let sensor = Sensor::start(&["events", "--kind", "exec"])?;
    actor_in(Place::Host, &["exec-memfd"])?.truth()?;
    let exec = sensor.wait_for("the memfd", PATIENCE, |event| {
        event.text("file.path").is_some_and(|path| path.starts_with("/memfd:weir-actor"))
    })?;
    assert_eq!(exec.number("weir.file.links"), Some(0));
    assert_eq!(exec.field("weir.file.memory"), Some(&true.into()));
    sensor.stop()?;
    Ok(())
}

#[test]
fn a_script_is_told_with_its_interpreter() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("the sensor") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let script = directory.path().join("script");
    std::fs::write(&script, "#!/bin/sh -e\nexit 0\n")?;
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let sensor = Sensor::start(&["events", "--kind", "exec"])?;
    let mut child = Command::new(&script).spawn()?;
    let pid = u64::from(child.id());
    child.wait()?;
    let exec = sensor.wait_for("the script", PATIENCE, |event| is(event, "exec", pid))?;
    let interpreter = std::fs::canonicalize("/bin/sh")?;
    assert_eq!(exec.text("process.executable.path"), interpreter.to_str());
    assert_eq!(exec.list("process.command_args"), ["/bin/sh", "-e", &script.to_string_lossy()]);
    sensor.stop()?;
    Ok(())
}
