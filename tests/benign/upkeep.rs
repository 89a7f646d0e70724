//! What keeps a cluster running: hashes, backups, logs, metrics, names, traffic between pods.

use super::{OWN_BUCKET, Outcome, PYTHON, arrived, at, at_resolver};
use tests::board::{Has, MODEL, Played, Scenario, Stage};
use tests::scene::Network;

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("integrity_hashing", "sha256sum of the weights", hashing),
    Scenario::new("find_and_ls", "find, ls, du, stat", listing),
    Scenario::new("declared_backup", "tar to the declared store", backup),
    Scenario::new("log_shipping", "a server's log to the declared collector", logs),
    Scenario::new("log_shipping_by_another_container", "the same, from a shared volume", logs_across),
    Scenario::new("metrics_pushed", "UDP to the declared collector", metrics),
    Scenario::new("telemetry", "600 bytes to an undeclared host", telemetry),
    Scenario::new("name_lookups", "100 names", names),
    Scenario::new("ping", "an ICMP echo of 56 bytes", ping),
    Scenario::new("bulk_between_pods", "20 MB to a declared pod", bulk),
    Scenario::new("weights_to_itself", "over the loopback interface", itself),
];

fn hashing(stage: &mut Stage) -> Outcome {
    stage.run("/usr/bin/sha256sum", &[MODEL])?;
    Ok(Played::Harmless)
}

fn listing(stage: &mut Stage) -> Outcome {
    stage.run(
        "/bin/sh",
        &["-c", "find / -xdev -name '*.safetensors'; ls -lR /models; du -s /models; stat /models/llama/*"],
    )?;
    Ok(Played::Harmless)
}

fn backup(stage: &mut Stage) -> Outcome {
    let world = stage.world(&[])?;
    stage.act(&["resolve", "--server", &at_resolver(), OWN_BUCKET])?;
    stage.script(&format!("tar -C / -cf - models | $A theft stdin --to {}", at(Stage::BUCKET)))?;
    arrived(world, 5 << 20)
}

/// The server holds the weights and writes a log; what the shipper can have of them is as long as the log.
fn logs(stage: &mut Stage) -> Outcome {
    ship(stage, None, "/tmp/server.log")
}

fn logs_across(stage: &mut Stage) -> Outcome {
    let (other, log) = (stage.another(Has::Nothing)?, stage.shared("server.log"));
    ship(stage, Some(other), &log)
}

fn ship(stage: &mut Stage, shipper: Option<usize>, log: &str) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let world = stage.world(&[])?;
    let listen = format!("{}:8000", Network::INSIDE_V4);
    let deed = ["serve", "--bind", &listen, "--load", MODEL, "--connections", "40", "--answer", "500", "--log", log];
    let server = stage.spawn(python, &deed)?;
    for _ in 0..40 {
        stage.fetch(&listen, b"GET /v1/models HTTP/1.1\r\n\r\n")?;
    }
    stage.lines_of(server)?;
    stage.act_in(shipper, &["theft", "none", "--read", log, "--to", &at(Stage::COLLECTOR)])?;
    arrived(world, 10_000)
}

fn metrics(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let world = stage.world(&[])?;
    stage.act_as(python, &["read", MODEL])?;
    let deed = ["upload", "--proto", "udp", "--bytes", "40000", "--chunk", "400", "--to", &at(Stage::COLLECTOR)];
    stage.act_as(python, &deed)?;
    arrived(world, 40_000)
}

fn telemetry(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let world = stage.world(&[])?;
    stage.act_as(python, &["read", MODEL])?;
    stage.act_as(python, &["upload", "--to", &at(Stage::OUTSIDE), "--bytes", "600"])?;
    arrived(world, 600)
}

fn names(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let world = stage.world(&[])?;
    stage.act_as(python, &["read", MODEL])?;
    // As resolvers do: every search domain is tried, for each of a few services, again and again.
    let services = ["redis", "otel-collector", "vllm-router", "kube-dns", "minio"];
    let domains = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com"];
    let names: Vec<String> =
        services.iter().flat_map(|service| domains.iter().map(move |domain| format!("{service}.{domain}"))).collect();
    let resolver = at_resolver();
    let mut deed = vec!["resolve", "--server", &resolver];
    deed.extend((0..5).flat_map(|_| names.iter().map(String::as_str)));
    stage.act_as(python, &deed)?;
    arrived(world, 1)
}

fn ping(stage: &mut Stage) -> Outcome {
    let world = stage.world(&[])?;
    stage.act(&[
        "theft",
        "none",
        "--read",
        "/etc/passwd",
        "--limit",
        "56",
        "--over",
        "icmp",
        "--to",
        &at(Stage::OUTSIDE),
    ])?;
    arrived(world, 1)
}

fn bulk(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let world = stage.world(&[])?;
    stage.act_as(python, &["read", MODEL])?;
    stage.act_as(python, &["upload", "--to", &at(Stage::POD), "--bytes", "20000000"])?;
    arrived(world, 20_000_000)
}

fn itself(stage: &mut Stage) -> Outcome {
    let python = stage.actor_called(PYTHON)?;
    let deed = ["serve", "--bind", "127.0.0.1:8000", "--answer", "100"];
    let server = stage.spawn(python, &deed)?;
    // All of the weights, to whoever listens here.
    let client = ["answer", "--read", MODEL, "--bind", "127.0.0.1:8001"];
    let rank = stage.spawn(python, &client)?;
    stage.act_as(python, &["download", "--from", "127.0.0.1:8001", "--save", "/tmp/shard"])?;
    stage.lines_of(rank)?;
    stage.act_as(python, &["download", "--from", "127.0.0.1:8000", "--save", "/tmp/answer"])?;
    stage.lines_of(server)?;
    Ok(Played::Harmless)
}
