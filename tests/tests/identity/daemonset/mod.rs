//! The sensor in a pod: its image, started by containerd as the kubelet starts the DaemonSet of deploy/kubernetes, with the same
//! capabilities, profiles, mounts and limits, and no more.

mod log;
mod manifest;
mod mounted;
mod translate;

use super::Outcome;
use super::kubelet::{Node, Pod};
use super::message::Mount;
use manifest::{Manifest, Variable};
use mounted::Mounted;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tests::receiver::Receiver;
use tests::resolver::Resolver;
use tests::scene::{Container, Directory, Network};
use tests::sink::{Sink, Transport};
use tests::wait::{PATIENCE, until};
use tests::{locate, weights};
use translate::Host;

/// Names the image's archive, which `cargo xtask image` writes.
const IMAGE: &str = "WEIR_TEST_IMAGE";
/// What is installed with kubectl, as Helm renders it with the chart's defaults.
const MANIFEST: &str = "../deploy/kubernetes/weir.yaml";
const MODEL: &str = "/models/llama-3-8b/model.safetensors";

/// A node on a network of its own, and the sensor in a pod on it.
struct Cluster {
    node: Node,
    network: Network,
    /// Unmounted before the directory is removed that they are in.
    _mounts: [Mounted; 2],
    directory: Directory,
    manifest: Manifest,
    container: String,
    log: PathBuf,
}

impl Cluster {
    /// Starts all of it and waits until the probes are content; nothing, and says why, where that cannot be.
    ///
    /// The variables are set beside those of the manifest, as `extraEnv` of the chart does.
    fn start(network: Network, variables: &[(&str, String)]) -> io::Result<Option<Cluster>> {
        let Some(image) = std::env::var_os(IMAGE) else {
            tests::skip::say(&format!("{IMAGE} names no image: `cargo xtask image --dev` makes one"));
            return Ok(None);
        };
        let mut node = match Node::start_on(Some(&network.inside))? {
            Ok(node) => node,
            Err(why) => {
                tests::skip::say(&why);
                return Ok(None);
            }
        };
        node.containerd.import(Path::new(&image))?;
        let mut manifest = Manifest::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(MANIFEST))?;
        for container in &mut manifest.template.spec.containers {
            let more = variables.iter().map(|(name, value)| Variable::new(name, value));
            container.env.extend(more);
        }
        let directory = Directory::new()?;
        let at = |name: &str| directory.path().join(name);
        // As on a node: the runtime's directory is on a shared mount, as systemd makes the root, and pins have a file system of their own.
        let mounts = [Mounted::shared(&node.containerd.path(), &at("run"))?, Mounted::bpf(&at("bpf"))?];
        let instead = BTreeMap::from([
            ("/sys/fs/bpf", at("bpf")),
            ("/var/lib/weir", at("state")),
            ("/run/containerd", at("run")),
        ]);
        let resolver = Some(Network::OUTSIDE_V4.to_string());
        let host = Host { volumes: at("volumes"), instead, node: "node-1".into(), resolver };
        let sandbox = translate::sandbox(&manifest, &host, &at("logs"))?;
        let metadata = sandbox.metadata.clone().unwrap_or_default();
        let log = Path::new(&sandbox.log_directory).join("weir.log");
        let pod = node.make_pod(sandbox)?;
        let container = node.make_container(&pod, translate::container(&manifest, &metadata, &host)?)?;
        node.start_container(&container)?;
        let cluster = Cluster { node, network, _mounts: mounts, directory, manifest, container, log };
        let [weir] = cluster.manifest.template.spec.containers.as_slice() else {
            return Err(io::Error::other("the pod has more than one container"));
        };
        for (name, probe) in [("startup", Some(&weir.startup_probe)), ("readiness", weir.readiness_probe.as_ref())] {
            if let Some(probe) = probe {
                cluster.wait_until(&format!("the {name} probe succeeds"), &probe.exec.command)?;
            }
        }
        Ok(Some(cluster))
    }

    /// Waits until this command in the container of the sensor ends with success, as the kubelet does.
    fn wait_until(&self, what: &str, command: &[String]) -> io::Result<()> {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut last = String::new();
        let started = until(PATIENCE, what, || {
            match self.node.exec_output(&self.container, &command) {
                Ok(output) if output.exit_code == 0 => return Some(()),
                Ok(output) => last = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
                Err(error) => last = error.to_string(),
            }
            None
        });
        started.map_err(|error| io::Error::other(format!("{error}: {last}\nits log:\n{}", self.log())))
    }

    /// What the sensor wrote.
    fn log(&self) -> String {
        log::lines(&self.log).join("\n")
    }

    /// A pod that serves a model from `models`; its container.
    fn serving(&mut self, models: &Path) -> io::Result<(Pod, String)> {
        let actor = locate::actor()?.display().to_string();
        let mount = |host_path: String, container_path: &str| Mount {
            host_path,
            container_path: container_path.into(),
            readonly: true,
            ..Mount::default()
        };
        let mounts = vec![mount(actor, Container::ACTOR), mount(models.display().to_string(), "/models")];
        let pod = self.node.pod()?;
        let container = self.node.create_with(&pod, "server", &["/bin/sleep", "1000"], mounts)?;
        self.node.start_container(&container)?;
        Ok((pod, container))
    }

    /// Asserts that the sensor is kept to what the manifest says, so that the tests show what they are to show.
    fn is_confined(&self, pid: u64) -> Outcome {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let status = read("status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(str::trim).ok_or_else(|| format!("{name} is not in /proc/{pid}/status"))
        };
        let asked = &self.manifest.template.spec.containers[0].security_context.capabilities.add;
        let asked = asked.iter().map(|name| capability(name)).sum::<Result<u64, String>>()?;
        for set in ["CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"] {
            assert_eq!(u64::from_str_radix(field(set)?, 16)? & !asked, 0, "{set} has more than asked for");
        }
        assert_eq!((field("NoNewPrivs")?, field("Seccomp")?), ("1", "2"), "{status}");
        let root = read("mountinfo")?.lines().find(|line| line.split(' ').nth(4) == Some("/")).map(str::to_owned);
        let root = root.ok_or("no root")?;
        assert!(root.split(' ').nth(5).is_some_and(|options| options.split(',').any(|o| o == "ro")), "{root}");
        let namespace = |pid: &str, name: &str| fs::read_link(format!("/proc/{pid}/ns/{name}"));
        let pid = pid.to_string();
        for (name, own) in [("pid", false), ("net", true), ("mnt", true), ("uts", true)] {
            assert_eq!(namespace(&pid, name)? != namespace("self", name)?, own, "the namespace {name}");
        }
        Ok(())
    }

    /// Runs `weir` with these arguments in the container of the sensor; its exit status and what it wrote.
    fn weir(&self, arguments: &[&str]) -> io::Result<(i32, String)> {
        let output = self.node.exec_output(&self.container, &[&["/usr/bin/weir"], arguments].concat())?;
        Ok((output.exit_code, String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
    }
}

/// The bit of a capability (linux/capability.h) that Kubernetes calls so.
fn capability(name: &str) -> Result<u64, String> {
    let number = match name {
        "DAC_READ_SEARCH" => 2,
        "NET_ADMIN" => 12,
        "SYS_PTRACE" => 19,
        "SYS_ADMIN" => 21,
        "SYS_RESOURCE" => 24,
        "PERFMON" => 38,
        "BPF" => 39,
        _ => return Err(format!("{name} is a capability that this test does not know")),
    };
    Ok(1 << number)
}

#[test]
fn the_sensor_of_a_pod_catches_a_theft_out_of_another() -> Outcome {
    if tests::skip::unless_root("containers of containerd") {
        return Ok(());
    }
    let Some(mut cluster) = Cluster::start(Network::new()?, &[])? else { return Ok(()) };
    // It is ready before the runtime has answered.
    let mut last = Value::Null;
    let whole = until(PATIENCE, "all is well", || {
        let (code, status) = cluster.weir(&["status", "--format", "json"]).ok()?;
        last = serde_json::from_str(&status).ok()?;
        (code == 0 && last["problems"] == Value::Array(Vec::new())).then(|| last.clone())
    });
    let status = whole.map_err(|error| format!("{error}: {last:#}"))?;
    assert!(status["pinned"]["generation"].is_u64(), "the chart's pins are used: {status:#}");
    cluster.is_confined(status["pid"].as_u64().ok_or("no pid")?)?;
    let models = cluster.directory.path().join("models");
    let file = models.join("llama-3-8b/model.safetensors");
    fs::create_dir_all(file.parent().ok_or("no parent")?)?;
    weights::safetensors(&file, 24, 1)?;
    let sink = Sink::start(&cluster.network.outside_addresses(), Some(&cluster.network.outside))?;
    let to = sink.address(Transport::Tcp, Network::OUTSIDE_V4.into())?.to_string();
    let (pod, server) = cluster.serving(&models)?;
    let theft = [Container::ACTOR, "steal", "--read", MODEL, "--to", &to, "--via-pipe"];
    let output = cluster.node.exec_output(&server, &theft)?;
    assert_eq!(output.exit_code, 0, "{}", String::from_utf8_lossy(&output.stderr));
    let truth: Value = serde_json::from_slice(&output.stdout)?;
    let sent = truth["sender"]["bytes_sent"].as_u64().ok_or("the thief does not say how much it sent")?;

    let alert = until(PATIENCE, "an alert that tells of all bytes", || {
        let alerts = log::lines(&cluster.log).into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        let mut thefts = alerts.filter(|alert| alert["attributes"]["weir.rule.name"] == "model_theft");
        thefts.find(|alert| alert["attributes"]["weir.flow.bytes"] == sent)
    });
    let alert = alert.map_err(|error| format!("{error}; the sensor said:\n{}", cluster.log()))?;
    let told = &alert["attributes"];
    let expected = [
        ("container.id", Value::from(server)),
        ("container.name", "server".into()),
        ("k8s.namespace.name", "prod-llm".into()),
        ("k8s.pod.name", pod.name.into()),
        ("process.vpid", truth["sender"]["process.vpid"].clone()),
        ("network.peer.address", Network::OUTSIDE_V4.to_string().into()),
    ];
    for (name, value) in expected {
        assert_eq!(told[name], value, "{name}: {alert:#}");
    }
    let (code, doctor) = cluster.weir(&["doctor"])?;
    assert_eq!(code, 0, "{doctor}");
    Ok(())
}

#[test]
fn the_sensor_of_a_pod_finds_its_collector_by_name() -> Outcome {
    if tests::skip::unless_root("containers of containerd") {
        return Ok(());
    }
    let network = Network::new()?;
    // The way back to the pods.
    network.outside.ip(&format!("route add 192.0.2.0/24 via {}", Network::INSIDE_V4))?;
    let _resolver = Resolver::start((Network::OUTSIDE_V4, 53).into(), &network.outside, Network::OUTSIDE_V4)?;
    let listen = format!("{}:0", Network::OUTSIDE_V4);
    let program = Path::new(env!("CARGO_BIN_EXE_weir-receiver"));
    let mut receiver = network.outside.enter(|| Receiver::start(program, &["--listen", &listen]))??;
    let endpoint = format!("http://otel-gateway.observability:{}", receiver.port);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
    let Some(cluster) = Cluster::start(network, &variables)? else { return Ok(()) };
    let came = receiver.until("a coverage record", |requests| {
        requests.iter().any(|request| request["path"].as_str().is_some_and(|path| path.contains("logs")))
    });
    came.map_err(|error| format!("{error}; the sensor said:\n{}", cluster.log()))?;
    // The node's name, not the pod's.
    let records = receiver.records("logs");
    assert!(records.iter().all(|record| record["resource"]["host.name"] == "node-1"), "{records:?}");
    Ok(())
}
