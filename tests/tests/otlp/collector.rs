//! The same through a real OpenTelemetry Collector, which hands on to the receiver.

use super::support::{PROTOCOLS, alert, deliver, incident, receiver, settings};
use super::whole;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tests::receiver::Authority;
use tests::skip;
use tests::wait::{PATIENCE, until};

/// Names the program of a collector.
const OTELCOL: &str = "WEIR_TEST_OTELCOL";

struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A collector that listens at both ports with `tls`, or none.
fn collector(program: &str, directory: &Path, ports: [u16; 2], next: u16, tls: &str) -> io::Result<Collector> {
    let [grpc, http] = ports;
    let config = format!(
        "receivers:\n  otlp:\n    protocols:\n      grpc: {{endpoint: \"127.0.0.1:{grpc}\"{tls}}}\n      http: {{endpoint: \"127.0.0.1:{http}\"{tls}}}\n\
         exporters:\n  otlphttp/next: {{endpoint: \"http://127.0.0.1:{next}\", compression: none}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    logs: {{receivers: [otlp], exporters: [otlphttp/next]}}\n    traces: {{receivers: [otlp], exporters: [otlphttp/next]}}\n"
    );
    let (file, log) = (directory.join("otelcol.yaml"), directory.join("otelcol.log"));
    fs::write(&file, config)?;
    let child = Command::new(program)
        .arg("--config")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()?;
    let collector = Collector(child);
    let listens = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    until(PATIENCE, "the collector listens", || (listens(grpc) && listens(http)).then_some(()))
        .map_err(|error| io::Error::other(format!("{error}: {}", fs::read_to_string(&log).unwrap_or_default())))?;
    Ok(collector)
}

#[test]
fn a_real_collector_takes_it_and_hands_it_on() {
    let Ok(program) = std::env::var(OTELCOL) else {
        return skip::say(&format!("{OTELCOL} does not name an OpenTelemetry Collector: delivery to a real one"));
    };
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path(), "authority").unwrap();
    let (server, client) = (authority.issue("localhost").unwrap(), authority.issue("weir").unwrap());
    let mutual = format!(
        ", tls: {{cert_file: {}, key_file: {}, client_ca_file: {}}}",
        server.certificate.display(),
        server.key.display(),
        authority.certificate.display()
    );
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    for (tls, scheme) in [("", "http"), (mutual.as_str(), "https")] {
        let (mut receiver, ports) = (receiver(&[]), [free_port(), free_port()]);
        let _collector = collector(&program, directory.path(), ports, receiver.port, tls).unwrap();
        for (number, (protocol, port)) in (0_usize..).zip(PROTOCOLS.into_iter().zip(ports)) {
            let endpoint = format!("{scheme}://localhost:{port}");
            let (trusted, own, key) = (text(&authority.certificate), text(&client.certificate), text(&client.key));
            let settings = settings(&[
                ("ENDPOINT", &endpoint),
                ("PROTOCOL", protocol),
                ("COMPRESSION", "gzip"),
                ("CERTIFICATE", &trusted),
                ("CLIENT_CERTIFICATE", &own),
                ("CLIENT_KEY", &key),
            ]);
            assert_eq!(deliver((0..8).map(alert).chain([incident(8)]).collect(), &settings), []);
            let count = |path: &'static str, requests: &[serde_json::Value]| {
                let of = requests.iter().filter(|one| one["path"] == path).filter_map(|one| one["records"].as_array());
                of.map(Vec::len).sum::<usize>()
            };
            let passes = number + 1;
            let what = format!("{protocol} over {scheme}");
            receiver
                .until(&what, |requests| {
                    count("/v1/logs", requests) >= 9 * passes && count("/v1/traces", requests) >= 3 * passes
                })
                .unwrap();
        }
        let logs = receiver.records("/v1/logs");
        assert!(
            logs.iter().any(|log| log["resource"]["container.id"] == "abc" && log["event_name"] == "weir.alert"),
            "{logs:#?}"
        );
    }
}

#[test]
fn what_a_sensor_sees_goes_through_a_real_collector() -> Result<(), Box<dyn std::error::Error>> {
    let Ok(program) = std::env::var(OTELCOL) else {
        skip::say(&format!("{OTELCOL} does not name an OpenTelemetry Collector: delivery to a real one"));
        return Ok(());
    };
    if whole::is_skipped() {
        return Ok(());
    }
    let (scene, mut receiver, ports) = (whole::Scene::new()?, receiver(&[]), [free_port(), free_port()]);
    for (protocol, port) in PROTOCOLS.into_iter().zip(ports) {
        // It comes after the first alerts, and goes away between others.
        let sensor = scene.sensor(port, protocol, &[])?;
        let before = scene.deeds(10)?;
        scene.shown(&sensor, &before)?;
        let collected = collector(&program, scene.path(), ports, receiver.port, "")?;
        whole::all_arrive(&mut receiver, &before, "those before it came")?;
        drop(collected);
        let without = scene.deeds(10)?;
        scene.shown(&sensor, &without)?;
        let _collector = collector(&program, scene.path(), ports, receiver.port, "")?;
        whole::all_arrive(&mut receiver, &without, "those while it was away")?;
        sensor.stop()?;
    }
    Ok(())
}
