//! `weir policy`, and a sensor that goes by one.

use super::weir::run;
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::path::Path;
use tests::scene::{Bind, Container, Directory, Network, Runtime, Spec};
use tests::sensor::{Event, Sensor};
use tests::sink::{Sink, Transport};
use tests::wait::PATIENCE;
use tests::{Place, Running, actor_in, skip, weights};

type Outcome = Result<(), Box<dyn Error>>;

const MODEL: &str = "/models/llama/model.safetensors";

fn example() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/policy.example.yml").to_string_lossy().into_owned()
}

/// A file with this policy, and the directory in which it lives.
fn policy(text: &str) -> std::io::Result<(Directory, String)> {
    let directory = Directory::new()?;
    let path = directory.path().join("policy.yml");
    fs::write(&path, text)?;
    Ok((directory, path.to_string_lossy().into_owned()))
}

#[test]
fn a_policy_is_checked() -> Outcome {
    let checked = run(&["policy", "check", &example()])?;
    checked.is_quiet();
    assert!(checked.out.starts_with("4 entries are right (version "), "{checked:?}");
    let (_directory, path) = policy("workloads:\n  - name: a\n    select: {}\n    role: servng\n")?;
    let words = ["policy.yml:4:11", "`servng` is no role", "did you mean `serving`"];
    run(&["policy", "check", &path])?.refuses(1, &words);
    // It is used as a whole or not at all.
    run(&["policy", "explain", "--policy", &path, "--namespace", "x"])?.refuses(1, &words);
    if !skip::unless_root("a sensor with a policy") {
        run(&["run", "--policy", &path])?.refuses(1, &words);
    }
    run(&["policy", "check", "/nonexistent/policy.yml"])?.refuses(1, &["/nonexistent/policy.yml", "cannot be read"]);
    run(&["policy", "check", "/dev/zero"])?.refuses(1, &["/dev/zero", "no regular file"]);
    Ok(())
}

#[test]
fn the_schema_is_printed() -> Outcome {
    let schema = run(&["policy", "schema"])?;
    schema.is_quiet();
    let schema: Value = serde_json::from_str(&schema.out)?;
    assert_eq!(schema["title"], "Weir policy");
    Ok(())
}

#[test]
fn a_described_workload_is_explained() -> Outcome {
    let example = example();
    let described = ["--namespace", "prod-llm", "--label", "app=vllm", "--label", "tier=gpu-a", "--name", "server"];
    let image = ["--image", "registry.example.org/serving/vllm:v1@sha256:00ff"];
    let explain = |more: &[&str]| {
        let all = [&["policy", "explain", "--policy", &example], &described[..], &image, more].concat();
        run(&all)
    };
    let said = explain(&[])?;
    said.is_quiet();
    for line in [
        "llama-serving (line 9): is about it",
        "  yes  k8s.namespace.name is prod-llm, as prod-llm",
        "  yes  container.image.name is registry.example.org/serving/vllm, as registry.example.org/serving/**",
        "training (line 35): is not about it",
        "  no   k8s.namespace.name is prod-llm, not train or train-*",
        "role          serving",
        "loaders       /usr/bin/python3*",
        "writers       nobody",
        "destinations  10.20.0.0/16  both  unlimited  llama-serving",
        "              telemetry.example.org  upload  200 MB a day  llama-serving",
        "              127.0.0.0/8  both  what is usual  for all workloads",
    ] {
        assert!(said.out.lines().any(|said| said == line), "{line:?} is not in:\n{}", said.out);
    }
    assert!(!said.out.contains('\u{1b}'), "colour in a pipe");
    let object: Value = serde_json::from_str(&explain(&["--format", "json"])?.out)?;
    assert_eq!(object["weir.workload.role"], "serving");
    assert_eq!(object["entries"][1]["takes"], false);
    assert_eq!(object["entries"][1]["conditions"][0]["outcome"], "differs");
    assert_eq!(object["writers"], json!([]));
    // A unit, by its cgroup.
    let unit = ["policy", "explain", "--policy", &example, "--cgroup", "/system.slice/restic-nightly.service"];
    let said = run(&unit)?;
    assert!(said.out.starts_with("systemd:restic-nightly.service\n"), "{}", said.out);
    assert!(said.out.contains("role          backup\n"), "{}", said.out);
    // Names are anybody's: nothing in them reaches a terminal.
    let said = run(&["policy", "explain", "--policy", &example, "--namespace", "a\u{1b}[31mb"])?;
    assert!(said.out.contains("a\\u{1b}[31mb") && !said.out.contains('\u{1b}'), "{}", said.out);
    run(&["policy", "explain", "--policy", &example])?.refuses(1, &["which workload", "--namespace"]);
    run(&["policy", "explain", "--label", "x"])?.complains(2, &["KEY=VALUE"]);
    Ok(())
}

#[test]
fn a_running_container_is_explained() -> Outcome {
    if skip::unless_root("a container") {
        return Ok(());
    }
    let container = Container::start(&Spec::default())?;
    let pod = &container.pod_uid;
    let (_directory, path) = policy(&format!(
        "workloads:\n- name: by-pod\n  select: {{k8s.pod.uid: {pod}}}\n  role: training\n\
         - name: by-namespace\n  select: {{k8s.namespace.name: x}}\n"
    ))?;
    let short = container.id.get(..12).unwrap_or_default();
    let said = run(&["policy", "explain", "--policy", &path, short])?;
    said.is_quiet();
    for line in [
        &format!("container:{}", container.id),
        "by-pod (line 2): is about it",
        &format!("  yes  k8s.pod.uid is {pod}, as {pod}"),
        "  no   no runtime has said its k8s.namespace.name; asked for is x",
        "role          training",
        "loaders       not declared: what its entry process loads in its first minutes",
    ] {
        assert!(said.out.lines().any(|said| said == line), "{line:?} is not in:\n{}", said.out);
    }
    // What only its runtime knows can be told.
    let told = run(&["policy", "explain", "--policy", &path, short, "--namespace", "x"])?;
    assert!(told.out.contains("by-namespace (line 5): is about it"), "{}", told.out);
    run(&["policy", "explain", "--policy", &path, "systemd:nowhere.service"])?
        .refuses(1, &["no container or workload"]);
    Ok(container.stop()?)
}

/// A model of so many MiB, in a directory for `/models`.
fn models(size: u64) -> Result<(Directory, Bind), Box<dyn Error>> {
    let files = Directory::new()?;
    let model = files.path().join("models/llama/model.safetensors");
    fs::create_dir_all(model.parent().ok_or("no directory")?)?;
    weights::safetensors(&model, size, 7)?;
    let bind = Bind { source: files.path().join("models"), target: "/models".into(), read_only: true };
    Ok((files, bind))
}

fn has(event: &Event, fields: &[(&str, Value)]) -> bool {
    fields.iter().all(|(name, value)| event.field(name) == Some(value))
}

#[test]
fn events_say_what_is_declared_and_bytes_are_held_against_the_workloads_budget() -> Outcome {
    if skip::unless_root("a container") {
        return Ok(());
    }
    let (_files, bind) = models(2)?;
    let network = Network::new()?;
    let start = || {
        let binds = vec![bind.clone()];
        Container::start(&Spec { binds, network: Some(&network.inside), overlay: true, ..Spec::default() })
    };
    let (selected, other) = (start()?, start()?);
    let to = std::net::IpAddr::from(Network::OUTSIDE_V4);
    let (_directory, path) = policy(&format!(
        "workloads:\n- name: serving\n  select: {{k8s.pod.uid: {}}}\n  role: serving\n\
         \x20 loaders: [{{executables: {}, files: /models/**}}]\n  destinations: [{{to: {to}, budget: 1 MiB/day}}]\n",
        selected.pod_uid,
        Container::ACTOR
    ))?;
    let kinds = ["events", "--kind", "open", "--kind", "flow", "--policy", &path];
    let sensor = Sensor::start(&kinds)?;
    let sink = Sink::start(&network.outside_addresses(), Some(&network.outside))?;
    let address = sink.address(Transport::Tcp, to)?.to_string();
    for container in [&selected, &other] {
        actor_in(Place::Container(container), &["steal", "--read", MODEL, "--to", &address])?.truth()?;
        let cat = Place::Container(container).spawn("/bin/cat".as_ref(), &[MODEL])?.output()?;
        assert!(cat.status.success());
    }
    let events = sensor.wait_until("both containers' last flows and opens", PATIENCE, |events| {
        let done = |container: &Container| {
            let here = ("container.id", Value::from(container.id.clone()));
            let closed = [here.clone(), ("weir.flow.reason", "closed".into())];
            let cat = |event: &&Event| {
                has(event, &[here.clone(), ("file.path", MODEL.into())])
                    && event.field("process.executable.name") != Some(&"weir-actor".into())
            };
            events.iter().any(|event| has(event, &closed)) && events.iter().any(|event| cat(&event))
        };
        (done(&selected) && done(&other)).then(|| events.to_vec())
    })?;
    let of = |container: &Container, more: &[(&'static str, Value)]| -> Vec<Event> {
        let all = [&[("container.id", Value::from(container.id.clone()))], more].concat();
        events.iter().filter(|event| has(event, &all)).cloned().collect()
    };
    let attribute = |event: &Event, name: &str| event.field(name).cloned();
    let opens = of(&selected, &[("file.path", MODEL.into())]);
    assert!(opens.len() >= 2, "{opens:#?}");
    for open in &opens {
        assert_eq!(attribute(open, "weir.workload.role"), Some("serving".into()));
        assert_eq!(attribute(open, "weir.workload.declares"), Some(json!(["loaders", "destinations"])));
        let by_actor = attribute(open, "process.executable.path") == Some(Container::ACTOR.into());
        let expected = by_actor.then(|| json!(["loader"]));
        assert_eq!(attribute(open, "weir.process.declared"), expected, "{open:#?}");
    }
    // All of the model is more than its budget; the other one's goes to where nobody declared anything.
    let sent = of(&selected, &[("weir.flow.reason", "closed".into())]);
    assert!(!sent.is_empty());
    for flow in &sent {
        assert_eq!(attribute(flow, "weir.destination.declared"), Some(true.into()));
        assert_eq!(attribute(flow, "weir.destination.id"), Some(to.to_string().into()));
        assert_eq!(attribute(flow, "weir.destination.budget_day_bytes"), Some((1 << 20).into()));
        assert_eq!(attribute(flow, "weir.destination.over_budget"), Some(true.into()));
        assert_eq!(attribute(flow, "weir.exfil.bytes"), Some(0.into()));
    }
    for flow in of(&other, &[("weir.flow.reason", "closed".into())]) {
        assert_eq!(attribute(&flow, "weir.destination.declared"), Some(false.into()));
        assert_eq!(attribute(&flow, "weir.workload.role"), None);
        assert!(attribute(&flow, "weir.exfil.bytes").and_then(|bytes| bytes.as_u64()) >= Some(2 << 20), "{flow:#?}");
    }
    for open in of(&other, &[("file.path", MODEL.into())]) {
        assert_eq!(attribute(&open, "weir.process.declared"), None, "who entered from outside is no loader");
    }
    sensor.stop()?;
    drop(sink);
    selected.stop()?;
    Ok(other.stop()?)
}

/// A real runtime: its fork, its moves between cgroups, its exec.
#[test]
fn a_containers_own_first_process_is_its_loader() -> Outcome {
    if skip::unless_root("a container") {
        return Ok(());
    }
    let mut runtime = match Runtime::start()? {
        Ok(runtime) => runtime,
        Err(missing) => {
            skip::say(&missing);
            return Ok(());
        }
    };
    let (_files, bind) = models(1)?;
    let network = Network::new()?;
    let sensor = Sensor::start(&["events", "--kind", "open"])?;
    let (running, id): (Running, String) = runtime.run(&network.inside, &[bind], Container::ACTOR, &["read", MODEL])?;
    let opened = sensor.wait_until("its first process opens weights", PATIENCE, |events| {
        let fields = [("container.id", Value::from(id.clone())), ("file.path", MODEL.into())];
        events.iter().find(|event| has(event, &fields)).cloned()
    })?;
    assert!(has(&opened, &[("weir.process.declared", json!(["loader"]))]), "{opened:#?}");
    running.truth()?;
    sensor.stop()?;
    Ok(())
}
