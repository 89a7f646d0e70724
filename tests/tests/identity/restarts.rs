//! containerd goes, and comes back.

use super::pods::{is_of, sensor};
use super::{Outcome, identified, node};
use serde_json::Value;
use std::process::Command;
use tests::locate;
use tests::sensor::Sensor;
use tests::wait::{PATIENCE, until};

/// The first of `weir status` that is said of runtimes, and the exit status.
fn status(sensor: &Sensor) -> std::io::Result<(Option<i32>, Value)> {
    let mut command = Command::new(locate::weir()?);
    let output = command.arg("status").arg("--state-dir").arg(sensor.state()).args(["--format", "json"]).output()?;
    let document: Value = serde_json::from_slice(&output.stdout)?;
    Ok((output.status.code(), document["runtimes"][0].clone()))
}

#[test]
fn containers_are_named_again_when_containerd_is_back() -> Outcome {
    let Some(mut node) = node()? else { return Ok(()) };
    let pod = node.pod()?;
    let sensor = sensor(&node.containerd.socket())?;
    let before = node.run(&pod, "before", &["/bin/sleep", "1000"])?;
    is_of(&identified(&sensor, &before)?, &pod, "before");

    node.containerd.stop()?;
    let away = |log: &[String]| log.iter().any(|line| line.contains("the container runtime does not answer"));
    sensor.wait_for_log("it is missed", PATIENCE, away)?;
    node.containerd.again()?;
    node.wait_until_ready()?;
    let after = node.run(&pod, "after", &["/bin/sleep", "1000"])?;
    is_of(&identified(&sensor, &after)?, &pod, "after");
    assert_eq!(node.exec(&before, &["/bin/true", "again"])?, 0);
    let exec = sensor
        .wait_for("the program", PATIENCE, |event| event.list("process.command_args") == ["/bin/true", "again"])?;
    is_of(&exec, &pod, "before");
    Ok(())
}

#[test]
fn the_status_tells_who_answers_and_who_does_not() -> Outcome {
    let Some(mut node) = node()? else { return Ok(()) };
    let socket = node.containerd.socket().display().to_string();
    let sensor = Sensor::start(&["run", "--runtime-socket", &socket])?;
    let pod = node.pod()?;
    let id = node.run(&pod, "server", &["/bin/sleep", "1000"])?;
    let runtime = until(PATIENCE, "both are known", || {
        let (_, runtime) = status(&sensor).ok()?;
        (runtime["known"].as_u64() >= Some(2)).then_some(runtime)
    })?;
    assert_eq!((runtime["connected"].as_bool(), runtime["socket"].as_str()), (Some(true), Some(&*socket)));
    assert!(runtime["name"].as_str().is_some_and(|name| name.starts_with("containerd 1.")), "{runtime}");
    assert_eq!(runtime["watch"], "containerd's events");
    assert_eq!((runtime["answered"].as_u64(), runtime["failed"].as_u64()), (Some(2), Some(0)), "{runtime}");
    node.remove(&id)?;

    node.containerd.stop()?;
    let (exit, runtime) = until(PATIENCE, "it is missed", || {
        let (exit, runtime) = status(&sensor).ok()?;
        (runtime["connected"] == false).then_some((exit, runtime))
    })?;
    assert_eq!(exit, Some(1));
    assert!(runtime["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{runtime}");
    assert!(runtime["since"].as_str().is_some(), "{runtime}");
    let text = Command::new(locate::weir()?).arg("status").arg("--state-dir").arg(sensor.state()).output()?;
    let text = String::from_utf8(text.stdout)?;
    assert!(text.contains(&format!("no container runtime answers at {socket}")), "{text}");
    Ok(())
}

#[test]
fn the_file_names_the_runtime() -> Outcome {
    let Some(mut node) = node()? else { return Ok(()) };
    let directory = tests::scene::Directory::new()?;
    let config = directory.path().join("weir.yml");
    std::fs::write(&config, format!("runtimes: {}\n", node.containerd.socket().display()))?;
    let sensor = Sensor::start(&["run", "--config", &config.to_string_lossy()])?;
    let pod = node.pod()?;
    let runtime = until(PATIENCE, "the sandbox is known", || {
        let (_, runtime) = status(&sensor).ok()?;
        (runtime["known"].as_u64() >= Some(1)).then_some(runtime)
    })?;
    assert_eq!(runtime["socket"], node.containerd.socket().display().to_string(), "{}", pod.name);
    Ok(())
}
