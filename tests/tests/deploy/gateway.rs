//! deploy/collector/gateway.yaml with real sensors before it, over TLS, and the fleet's rules over what comes out.
//!
//! The collector at hand has neither `kafka` nor `file_storage`: a receiver stands in for Kafka, and the queue is in memory. The rest of the
//! file is run as it is: certificates of both sides, the limiter, the queue with its batches, its retries, the age of connections.

use super::collector::{Collector, free, program, read, replace};
use super::{Outcome, place, siem};
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use tests::receiver::{Authority, Receiver};
use tests::scene::{Bind, Container, Directory, Network, Spec};
use tests::sensor::Sensor;
use tests::sink::{Sink, Transport};
use tests::wait::PATIENCE;
use tests::{Place, actor_in, skip, weights};
use yaml_serde::Value;

/// The one alert that the fleet's rules need of each theft.
const RULE: &str = "egress_first_destination";

/// The configuration without what the collector at hand lacks.
fn adapted(directory: &Path, next: u16) -> Result<PathBuf, Box<dyn Error>> {
    let mut configuration = read(&place("deploy/collector/gateway.yaml"))?;
    assert!(replace(&mut configuration, &format!("http://127.0.0.1:{next}"))?, "there is no kafka at hand");
    let top = configuration.as_mapping_mut().ok_or("no mapping")?;
    top.remove("extensions").ok_or("no extensions")?;
    top.get_mut("service").and_then(Value::as_mapping_mut).ok_or("no service")?.remove("extensions");
    let queue = top.get_mut("exporters").and_then(|exporters| exporters.get_mut("otlphttp/kafka"));
    let queue = queue.and_then(|exporter| exporter.get_mut("sending_queue")).and_then(Value::as_mapping_mut);
    queue.ok_or("no queue")?.remove("storage").ok_or("no storage")?;
    let file = directory.join("gateway.yaml");
    fs::write(&file, yaml_serde::to_string(&configuration)?)?;
    Ok(file)
}

/// Bytes of one and the same weights leave a new container.
fn theft(network: &Network, to: &Sink, models: &Path) -> Outcome {
    let bind = Bind { source: models.into(), target: "/models".into(), read_only: true };
    let container = Container::start(&Spec { binds: vec![bind], network: Some(&network.inside), ..Spec::default() })?;
    let to = to.address(Transport::Tcp, Network::OUTSIDE_V4.into())?.to_string();
    let theft = ["steal", "--read", "/models/model.safetensors", "--to", &to, "--via-pipe"];
    actor_in(Place::Container(&container), &theft)?.truth()?;
    Ok(())
}

fn receiver(port: u16) -> std::io::Result<Receiver> {
    let listen = format!("127.0.0.1:{port}");
    Receiver::start(Path::new(env!("CARGO_BIN_EXE_weir-receiver")), &["--listen", &listen])
}

/// How many alerts of the rule have come.
fn alerts(requests: &[serde_json::Value]) -> usize {
    let records = requests.iter().filter_map(|request| request["records"].as_array()).flatten();
    records.filter(|record| record["attributes"]["weir.rule.name"] == RULE).count()
}

#[test]
fn alerts_of_two_nodes_come_through_it_and_make_one_finding_of_the_fleet() -> Outcome {
    let Some(program) = program() else {
        skip::say("WEIR_TEST_OTELCOL names no OpenTelemetry Collector: the gateway is not run");
        return Ok(());
    };
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let (directory, models) = (Directory::new()?, Directory::new()?);
    weights::safetensors(&models.path().join("model.safetensors"), 4, 1)?;
    let authority = Authority::new(directory.path(), "authority")?;
    let (server, client) = (authority.issue("localhost")?, authority.issue("node")?);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let next = free()?.port();
    let (certificate, key, clients) = (text(&server.certificate), text(&server.key), text(&authority.certificate));
    let variables = [("GATEWAY_CERTIFICATE", &*certificate), ("GATEWAY_KEY", &key), ("GATEWAY_CLIENTS", &clients)];
    let gateway = Collector::start(&program, &adapted(directory.path(), next)?, &variables)?;
    let mut store = receiver(next)?;
    let network = Network::new()?;
    let sink = Sink::start(&network.outside_addresses(), Some(&network.outside))?;
    let mut before = 0;
    for (node, thefts) in [("node-a", 2), ("node-b", 1)] {
        let arguments = [
            format!("OTEL_EXPORTER_OTLP_ENDPOINT=https://localhost:{}", gateway.grpc.port()),
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc".to_owned(),
            "OTEL_EXPORTER_OTLP_COMPRESSION=gzip".to_owned(),
            format!("OTEL_EXPORTER_OTLP_CERTIFICATE={clients}"),
            format!("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE={}", text(&client.certificate)),
            format!("OTEL_EXPORTER_OTLP_CLIENT_KEY={}", text(&client.key)),
            format!("OTEL_RESOURCE_ATTRIBUTES=host.name={node}"),
            tests::locate::weir()?.to_string_lossy().into_owned(),
            "run".to_owned(),
        ];
        let sensor = Sensor::start_program("/usr/bin/env".as_ref(), &arguments.map(OsString::from))?;
        for _ in 0..thefts {
            theft(&network, &sink, models.path())?;
        }
        let told = |events: &[tests::sensor::Event]| {
            let of = |event: &&tests::sensor::Event| {
                event.field("attributes").is_some_and(|attributes| attributes["weir.rule.name"] == RULE)
            };
            (events.iter().filter(of).count() >= thefts).then_some(())
        };
        sensor.wait_until("an alert of each theft", PATIENCE, told)?;
        sensor.stop()?;
        before += thefts;
        store.until("an alert of each theft, through the gateway", |requests| alerts(requests) >= before)?;
    }
    let records: Vec<_> =
        store.records("/v1/logs").into_iter().filter(|record| record["event_name"] == "weir.alert").collect();
    let Some(said) = siem::over(&records)? else { return Ok(()) };
    for rule in ["fleet_one_destination", "fleet_same_weights"] {
        let fired = said["fired"][rule].as_array().ok_or("no such rule")?;
        assert!(
            fired.iter().any(|found| found["hosts"] == serde_json::json!(["node-a", "node-b"])),
            "{rule}: {said:#}"
        );
    }
    Ok(())
}
