//! What the API server says of pods: beside a runtime, without one, late, and not at all.

use super::cluster::{Cluster, NAMESPACE, NODE, Result, sensor};
use super::{identified, node};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tests::receiver::Authority;
use tests::scene::{Container, Directory, Spec};
use tests::sensor::{Event, Sensor};
use tests::wait::{PATIENCE, until};
use tests::{Place, actor_in, locate};

const KINDS: [&str; 5] = ["events", "--kind", "exec", "--kind", "workload_identified"];
const POD: &str = "llama-5d9c7b6f4-x2k9p";
const OWNER: (&str, &str) = ("ReplicaSet", "llama-5d9c7b6f4");

fn labels(tier: &str) -> Value {
    json!({ "app": "vllm", "tier": tier, "pod-template-hash": "5d9c7b6f4" })
}

/// What has been said of this container with that label, once it has.
fn with_label(sensor: &Sensor, id: &str, label: &str) -> Result<Event> {
    Ok(sensor.wait_for(&format!("{label} of {id}"), PATIENCE, |event| {
        event.kind() == "workload_identified"
            && event.text("container.id") == Some(id)
            && event.list("weir.workload.labels").contains(&label)
    })?)
}

/// The container does something, and the event of it is waited for.
fn acts(sensor: &Sensor, container: &Container, word: &str) -> Result<Event> {
    actor_in(Place::Container(container), &["storm", "--forks", word])?.truth()?;
    Ok(sensor.wait_for("the actor", PATIENCE, |event| {
        event.kind() == "exec" && event.list("process.command_args") == [Container::ACTOR, "storm", "--forks", word]
    })?)
}

/// Asserts that `event` says what the API server knows of the pod, with `tier` of the labels.
#[track_caller]
fn is_whole(event: &Event, tier: &str) {
    let expected = json!({
        "k8s.namespace.name": NAMESPACE,
        "k8s.pod.name": POD,
        "k8s.pod.ip": "10.1.2.3",
        "k8s.node.name": NODE,
        "k8s.deployment.name": "llama",
        "k8s.replicaset.name": "llama-5d9c7b6f4",
        "weir.workload.owners": ["ReplicaSet/llama-5d9c7b6f4"],
        "weir.workload.service_account": "serving",
        "weir.workload.labels": ["app=vllm", "pod-template-hash=5d9c7b6f4", format!("tier={tier}")],
    });
    let names: Vec<&str> = expected.as_object().into_iter().flat_map(|all| all.keys().map(String::as_str)).collect();
    assert_eq!(event.differences(&expected, &names), [""; 0], "{event:?}");
}

/// Waits until the sensor has said in its log, in one line, that the API server is missed, with all of `words`.
fn missed(sensor: &Sensor, words: &[&str]) -> Result<()> {
    let said =
        |line: &String| line.contains("the API server does not answer") && words.iter().all(|word| line.contains(word));
    Ok(sensor.wait_for_log(&format!("{words:?}"), PATIENCE, |log| log.iter().any(said))?)
}

/// Asserts that the sensor sees what happens, ends as it should, and said `count` times that the server is missed.
fn goes_on(sensor: Sensor, count: usize) -> Result<()> {
    assert!(Command::new("/bin/true").arg("goes-on").status()?.success());
    sensor.wait_for("the program", PATIENCE, |event| event.list("process.command_args") == ["/bin/true", "goes-on"])?;
    let log = sensor.stop()?.log;
    let said = log.iter().filter(|line| line.contains("the API server does not answer")).count();
    assert_eq!(said, count, "{log:?}");
    Ok(())
}

#[test]
fn owners_and_labels_are_those_of_now() -> Result<()> {
    let Some(mut cluster) = Cluster::start()? else { return Ok(()) };
    println!("the API server is {}", if cluster.is_played() { "played" } else { "real" });
    let container = Container::start(&Spec::default())?;
    cluster.make(POD, &labels("a"), OWNER)?;
    cluster.runs(POD, &container.id)?;
    let other = "00000000000000000000000000000000000000000000000000000000000000aa";
    cluster.make_on("node-b", "elsewhere", &labels("a"), OWNER)?;
    cluster.runs("elsewhere", other)?;

    let sensor = cluster.sensor(&KINDS)?;
    let named = identified(&sensor, &container.id)?;
    is_whole(&named, "a");
    assert_eq!(named.text("container.name"), Some("server"));
    assert_eq!(named.text("container.image.name"), Some("quay.io/x/vllm"));
    is_whole(&acts(&sensor, &container, "2")?, "a");

    // Somebody changes a label, which no runtime ever tells; what comes before it says nothing new.
    cluster.beats(POD)?;
    cluster.label(POD, "tier", "b")?;
    is_whole(&with_label(&sensor, &container.id, "tier=b")?, "b");
    is_whole(&acts(&sensor, &container, "3")?, "b");

    // It is killed, the pod changes meanwhile as others see it, and it is found again.
    cluster.stop()?;
    missed(&sensor, &["cannot be reached"])?;
    cluster.again()?;
    cluster.label(POD, "tier", "c")?;
    cluster.forget();
    is_whole(&with_label(&sensor, &container.id, "tier=c")?, "c");

    let events = sensor.stop()?.events;
    assert!(events.iter().all(|event| event.text("container.id") != Some(other)), "that is another node's");
    let told = events.iter().filter(|event| event.kind() == "workload_identified").count();
    assert_eq!(told, 3, "what is not new is not told");
    container.stop()?;
    Ok(())
}

#[test]
fn what_the_runtime_says_at_once_the_api_server_adds_to() -> Result<()> {
    let Some(mut kubelet) = node()? else { return Ok(()) };
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    let socket = kubelet.containerd.socket().display().to_string();
    let sensor = sensor(&cluster.environment()?, &[&KINDS[..], &["--runtime-socket", &socket]].concat())?;
    // As it goes in a cluster: the pod is there, and a kubelet makes it.
    let uid = cluster.make(POD, &labels("a"), OWNER)?;
    let pod = kubelet.pod_of(POD, &uid)?;
    let id = kubelet.run(&pod, "main", &["/bin/sleep", "1000"])?;
    cluster.runs(POD, &id)?;
    // The sandbox has labels of its own, the pod's of then; the pod has those of now.
    let named = with_label(&sensor, &id, "tier=a")?;
    assert_eq!((named.text("container.name"), named.text("container.image.tags")), (Some("main"), None));
    let whole = sensor.wait_for("all of it", PATIENCE, |event| {
        event.text("container.id") == Some(&id) && event.text("k8s.pod.ip").is_some()
    })?;
    is_whole(&whole, "a");
    assert_eq!(whole.list("container.image.tags"), ["v1"], "of the image the runtime knows more");
    assert_eq!(kubelet.exec(&id, &["/bin/true", "inside"])?, 0);
    let exec = sensor
        .wait_for("the program", PATIENCE, |event| event.list("process.command_args") == ["/bin/true", "inside"])?;
    is_whole(&exec, "a");
    assert_eq!(exec.text("k8s.pod.uid"), Some(&*uid));
    Ok(())
}

#[test]
fn an_api_server_that_comes_later_is_found_and_its_names_are_added_to_alerts() -> Result<()> {
    let Some(mut cluster) = Cluster::start()? else { return Ok(()) };
    let container = Container::start(&Spec::default())?;
    cluster.make(POD, &labels("a"), OWNER)?;
    cluster.runs(POD, &container.id)?;
    cluster.stop()?;
    let rules = Directory::new()?;
    let rule = "title: Storms\nid: 5d0c8b2e-0000-4000-8000-000000000078\nname: storms\nlevel: informational\n\
        logsource: {product: linux, category: process_creation}\n\
        detection: {x: {process.command_args: storm}, condition: x}\nweir: {subject: [weir.process.id]}\n";
    fs::write(rules.path().join("storms.yml"), rule)?;
    let sensor = cluster.sensor(&["run", "--rules", &rules.path().to_string_lossy()])?;
    missed(&sensor, &["Connection refused", "see that it runs"])?;
    actor_in(Place::Container(&container), &["storm", "--forks", "2"])?.truth()?;
    let record = |name: &'static str| {
        sensor.wait_for(name, PATIENCE, |event| {
            event.text("event_name") == Some(name)
                && event.field("attributes").is_some_and(|all| all["container.id"] == *container.id)
        })
    };
    let attributes = |event: &Event| event.field("attributes").cloned().unwrap_or_default();
    let alert = attributes(&record("weir.alert")?);
    assert_eq!(alert.get("k8s.pod.name"), None, "an alert waits for nobody");

    cluster.again()?;
    let added = attributes(&record("weir.enrichment")?);
    assert_eq!((&added["weir.alert.uid"], &added["k8s.deployment.name"]), (&alert["weir.alert.uid"], &json!("llama")));
    sensor.stop()?;
    container.stop()?;
    Ok(())
}

#[test]
fn who_may_not_is_told_once_what_to_do_and_the_sensor_goes_on() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    // No rights, then rights.
    cluster.allow(false)?;
    let watching = cluster.sensor(&KINDS)?;
    missed(&watching, &["forbids this", "may get, list and watch pods"])?;
    cluster.allow(true)?;
    let id = "00000000000000000000000000000000000000000000000000000000000000bb";
    cluster.make(POD, &labels("a"), OWNER)?;
    cluster.runs(POD, id)?;
    identified(&watching, id)?;
    goes_on(watching, 1)?;

    // What else can be wrong is said in the same way.
    let wrong = |config: &Path, words: &str| -> Result<()> {
        let environment = [format!("NODE_NAME={NODE}"), format!("KUBECONFIG={}", config.display())];
        let found = doctor(&environment)?;
        assert_eq!(found["state"], "degraded");
        assert!(found["mend"].as_str().is_some_and(|mend| mend.contains(words)), "{words}: {found}");
        Ok(())
    };
    let config = cluster.kubeconfig("another", cluster.authority())?;
    wrong(&config, "it does not know the token (401)")?;
    let stranger = Authority::new(cluster.path(), "another")?;
    wrong(&cluster.kubeconfig(cluster.token(), &stranger.certificate)?, "invalid peer certificate")?;
    fs::write(&config, "no: [kubeconfig")?;
    wrong(&config, "KUBECONFIG does not say where it is")
}

/// `weir` with these arguments, and that in its environment.
fn weir(arguments: &[&str], environment: &[String]) -> Result<Output> {
    let mut command = Command::new("/usr/bin/env");
    command.args(["--unset=KUBECONFIG", "--unset=NODE_NAME"]).args(environment);
    Ok(command.arg(locate::weir()?).args(arguments).output()?)
}

/// What `weir doctor` finds of the API server.
fn doctor(environment: &[String]) -> Result<Value> {
    of_server(&weir(&["doctor", "--format", "json", "--kube"], environment)?)
}

/// What a report of `weir doctor` has of the API server.
fn of_server(output: &Output) -> Result<Value> {
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let findings = report["findings"].as_array().ok_or("no findings")?;
    Ok(findings.iter().find(|finding| finding["name"] == "API server").ok_or("nothing of it")?.clone())
}

/// As the kubelet gives it: a directory with a token and the authority, and where the server is by the environment.
#[test]
fn in_a_pod_it_is_found_by_the_service_account() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    // In mounts of its own: /var/run is /run.
    let script = "set -e; mount -t tmpfs none /run; cd /run; mkdir -p secrets/kubernetes.io/serviceaccount
        cd secrets/kubernetes.io/serviceaccount; cp \"$1\" ca.crt; printf %s \"$2\" > token; printf weir > namespace; shift 2; exec \"$@\"";
    let port = cluster.url().rsplit(':').next().unwrap_or_default().to_owned();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(cluster.authority()).arg(cluster.token());
    command.arg(locate::weir()?).args(["doctor", "--format", "json"]);
    command.env_remove("KUBECONFIG").env("WEIR_KUBE", "1").env("NODE_NAME", NODE);
    command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", &port);
    let found = of_server(&command.output()?)?;
    assert_eq!(found["state"], "ok", "{found}");
    // Without the token, as with automountServiceAccountToken: false.
    let environment = ["KUBERNETES_SERVICE_HOST=127.0.0.1".to_owned(), format!("KUBERNETES_SERVICE_PORT={port}")];
    let without = doctor(&[&environment[..], &[format!("NODE_NAME={NODE}")]].concat())?;
    let mend = without["mend"].as_str().unwrap_or_default();
    assert!(mend.contains("set automountServiceAccountToken"), "{without}");
    Ok(())
}

#[test]
fn doctor_and_status_tell_of_the_api_server() -> Result<()> {
    let Some(mut cluster) = Cluster::start()? else { return Ok(()) };
    cluster.make(POD, &labels("a"), OWNER)?;
    let found = doctor(&cluster.environment()?)?;
    assert_eq!(found["state"], "ok", "{found}");
    let expected = format!("{}/ answers and has 1 pods on node {NODE}", cluster.url());
    assert_eq!(found["meaning"], expected);
    let nowhere = doctor(&[format!("NODE_NAME={NODE}")])?;
    assert_eq!(nowhere["state"], "degraded");
    assert!(nowhere["mend"].as_str().is_some_and(|mend| mend.contains("set KUBECONFIG")), "{nowhere}");

    // Which node is not known: said at the start, not later.
    let output = weir(&["run", "--kube"], &[])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("NODE_NAME does not say which"), "{output:?}");

    let sensor = cluster.sensor(&["run"])?;
    let state = sensor.state().display().to_string();
    let status = |format: &str| weir(&["status", "--state-dir", &state, "--format", format], &[]);
    let section = || -> Option<Value> {
        let document: Value = serde_json::from_slice(&status("json").ok()?.stdout).ok()?;
        Some(document["kube"].clone())
    };
    let kube = until(PATIENCE, "it answers", || section().filter(|kube| kube["connected"] == true))?;
    assert_eq!((&kube["pods"], &kube["node"]), (&json!(1), &json!(NODE)), "{kube}");
    assert!(String::from_utf8(status("text")?.stdout)?.contains(&format!("1 pods on node {NODE}")));
    cluster.stop()?;
    until(PATIENCE, "it is missed", || section().filter(|kube| kube["connected"] == false))?;
    let output = status("text")?;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout)?.contains("the API server does not answer: it cannot be reached"));
    Ok(())
}
