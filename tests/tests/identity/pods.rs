//! Pods of containerd, while the sensor watches.

use super::image::SERVING;
use super::kubelet::Pod;
use super::{Outcome, identified, node};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use tests::sensor::{Event, Sensor};
use tests::wait::PATIENCE;

/// A sensor that asks this runtime, and tells of programs and of what is learnt of containers.
pub fn sensor(socket: &Path) -> std::io::Result<Sensor> {
    let socket = socket.display().to_string();
    Sensor::start(&["events", "--runtime-socket", &socket, "--kind", "exec", "--kind", "workload_identified"])
}

/// Asserts that `event` says all that there is to say of a container of that pod.
#[track_caller]
pub fn is_of(event: &Event, pod: &Pod, container: &str) {
    let image = SERVING.rsplit_once(':').map_or(SERVING, |(image, _)| image);
    let expected = json!({
        "k8s.namespace.name": "prod-llm",
        "k8s.pod.name": pod.name,
        "k8s.pod.uid": pod.uid,
        "k8s.deployment.name": "llama",
        "container.name": container,
        "container.image.name": image,
        "container.image.tags": ["v1"],
        "container.runtime.name": "containerd",
        "weir.workload.labels": ["app=vllm", "pod-template-hash=5d9c7b6f4", "tier=gpu-a"],
    });
    let names: Vec<&str> =
        expected.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
    assert_eq!(event.differences(&expected, &names), [""; 0], "{event:?}");
    let digest = |name: &str| event.field(name).map(ToString::to_string).unwrap_or_default();
    assert!((digest("container.image.id") + &digest("container.image.repo_digests")).contains("sha256:"), "{event:?}");
}

/// The first program of a container.
fn first_exec<'e>(events: &'e [Event], id: &str) -> Option<&'e Event> {
    events.iter().find(|event| event.kind() == "exec" && event.text("container.id") == Some(id))
}

#[test]
fn the_first_program_of_a_container_is_attributed_right() -> Outcome {
    let Some(mut node) = node()? else { return Ok(()) };
    let sensor = sensor(&node.containerd.socket())?;
    let pod = node.pod()?;
    let id = node.run(&pod, "server", &["/bin/sh", "-c", "exec sleep 1000"])?;
    is_of(&identified(&sensor, &id)?, &pod, "server");
    let exec = sensor.wait_for("sleep", PATIENCE, |event| {
        event.kind() == "exec"
            && event.text("container.id") == Some(&id)
            && event.list("process.command_args") == ["sleep", "1000"]
    })?;
    is_of(&exec, &pod, "server");
    let events = sensor.stop()?.events;
    let first = first_exec(&events, &id).ok_or("no program was seen")?;
    assert_eq!(first.list("process.command_args"), ["/bin/sh", "-c", "exec sleep 1000"]);
    assert_eq!(first.text("k8s.pod.uid"), Some(&*pod.uid));
    // containerd tells of a container when it is made, and its program starts later.
    is_of(first, &pod, "server");
    // The sandbox is a container, too.
    let sandbox =
        events.iter().find(|event| event.kind() == "exec" && event.text("container.id") == Some(&pod.sandbox));
    assert_eq!(sandbox.ok_or("no sandbox was seen")?.text("process.executable.path"), Some("/pause"));
    Ok(())
}

#[test]
fn a_program_that_is_started_in_a_running_container_is_its() -> Outcome {
    let Some(mut node) = node()? else { return Ok(()) };
    let pod = node.pod()?;
    let id = node.run(&pod, "server", &["/bin/sleep", "1000"])?;
    // It was there before the sensor.
    let sensor = sensor(&node.containerd.socket())?;
    is_of(&identified(&sensor, &id)?, &pod, "server");
    assert_eq!(node.exec(&id, &["/bin/sh", "-c", "exec /bin/true from outside"])?, 0);
    let exec = sensor.wait_for("true", PATIENCE, |event| {
        event.kind() == "exec" && event.list("process.command_args") == ["/bin/true", "from", "outside"]
    })?;
    is_of(&exec, &pod, "server");
    assert_eq!(exec.field("weir.process.entered"), Some(&json!(true)));
    Ok(())
}

#[test]
fn a_container_that_is_gone_before_its_events_are_handled_has_its_name() -> Outcome {
    let Some(mut node) = node()? else { return Ok(()) };
    let sensor = sensor(&node.containerd.socket())?;
    let pod = node.pod()?;
    // The ring is looked into every 50 ms at the latest; while the agent stands still, nothing is.
    let agent = rustix::process::Pid::from_raw(i32::try_from(sensor.pid())?).ok_or("no pid")?;
    let before = identified(&sensor, &pod.sandbox)?;
    assert_eq!(before.text("k8s.pod.name"), Some(&*pod.name));
    let id = node.create(&pod, "short", &["/bin/true"])?;
    is_of(&identified(&sensor, &id)?, &pod, "short");
    rustix::process::kill_process(agent, rustix::process::Signal::STOP)?;
    let ran = node.start_container(&id).and_then(|()| node.wait(&id)).and_then(|_| node.remove(&id));
    rustix::process::kill_process(agent, rustix::process::Signal::CONT)?;
    ran?;
    let exec = sensor
        .wait_for("the program", PATIENCE, |event| event.kind() == "exec" && event.text("container.id") == Some(&id))?;
    is_of(&exec, &pod, "short");
    Ok(())
}

/// `WEIR_TEST_CONTAINERS` says how many; a hundred take some twenty seconds.
#[test]
fn every_one_of_a_hundred_short_containers_is_named() -> Outcome {
    let Some(mut node) = node()? else { return Ok(()) };
    let count = std::env::var("WEIR_TEST_CONTAINERS").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    let sensor = sensor(&node.containerd.socket())?;
    let pod = node.pod()?;
    let mut made = BTreeMap::new();
    for number in 0..count {
        let name = format!("short-{number}");
        let id = node.run(&pod, &name, &["/bin/true"])?;
        // Who is removed before can have been ended before it ran its program.
        assert_eq!(node.wait(&id)?, 0);
        node.remove(&id)?;
        made.insert(id, name);
    }
    for id in made.keys() {
        identified(&sensor, id)?;
    }
    let events = sensor.stop()?.events;
    let mut at_once = 0;
    for (id, name) in &made {
        let exec = first_exec(&events, id).ok_or_else(|| format!("no program of {name} was seen"))?;
        assert_eq!(exec.text("weir.workload.id"), Some(&*format!("container:{id}")));
        let named =
            events.iter().find(|event| event.kind() == "workload_identified" && event.text("container.id") == Some(id));
        is_of(named.ok_or("it was named")?, &pod, name);
        at_once += u32::from(exec.text("container.name") == Some(name));
    }
    println!("of {count} containers the first program had its names at once in {at_once}");
    assert!(at_once * 10 >= count * 9, "{at_once} of {count}");
    Ok(())
}
