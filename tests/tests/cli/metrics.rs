//! The metrics: exported as the standard variables say, and never in the way of anything.

use super::collector::collector;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};
use tests::sensor::{Sensor, Stopped};
use tests::wait::{PATIENCE, scaled};
use tests::{locate, skip};

type Outcome = Result<(), Box<dyn Error>>;

/// What a sensor may take to end beside a collector that does not answer: what it waits for the last metrics and the last records.
const HUNG_END: Duration = Duration::from_secs(8);

/// A sensor with these variables.
fn sensor(variables: &[String]) -> Result<Sensor, Box<dyn Error>> {
    let weir = locate::weir()?.to_string_lossy().into_owned();
    let arguments = [variables, &[weir, "run".to_owned()]].concat();
    Ok(Sensor::start_program("/usr/bin/env".as_ref(), &arguments)?)
}

fn endpoint(address: SocketAddr) -> String {
    format!("OTEL_EXPORTER_OTLP_ENDPOINT=http://{address}")
}

#[test]
fn they_arrive_with_what_the_variables_ask_for() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let (address, requests) = collector((Ipv4Addr::LOCALHOST, 0).into())?;
    let sensor = sensor(&[
        endpoint(address),
        "OTEL_METRIC_EXPORT_INTERVAL=200".to_owned(),
        "OTEL_EXPORTER_OTLP_HEADERS=x-tenant=north".to_owned(),
        "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test".to_owned(),
    ])?;
    let begun = Instant::now();
    let names = [
        "weir.heartbeat",
        "process.cpu.time",
        "process.memory.usage",
        "weir.event.seen",
        "weir.event.dropped",
        "weir.ring.limit",
        "weir.table.usage",
        "weir.hook.live",
        "weir.line.duration",
        "weir.event.latency",
        "deployment.environment.name",
        "service.instance.id",
    ];
    loop {
        let request = requests.recv_timeout(scaled(PATIENCE).saturating_sub(begun.elapsed()))?;
        assert!(request.headers.iter().any(|header| header == "x-tenant: north"), "{:?}", request.headers);
        if request.line == "POST /v1/logs HTTP/1.1" {
            continue;
        }
        assert_eq!(request.line, "POST /v1/metrics HTTP/1.1");
        // The first may come before there is a number; and of the events one in some hundreds is timed, on a quiet machine too.
        for _ in 0..20 {
            assert!(Command::new("/bin/true").status()?.success());
        }
        if names.iter().all(|name| request.has(name)) {
            break;
        }
    }
    let stopped = sensor.stop()?;
    assert!(stopped.log.is_empty(), "{:?}", stopped.log);
    Ok(())
}

#[test]
fn a_collector_that_is_absent_or_never_answers_is_in_nobody_s_way() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    // Bound and never accepted: connections are made, and nothing is answered.
    let hung = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let absent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    for (address, protocol) in [(hung.local_addr()?, "http/protobuf"), (hung.local_addr()?, "grpc"), (absent, "grpc")] {
        let sensor = sensor(&[
            endpoint(address),
            "OTEL_METRIC_EXPORT_INTERVAL=100".to_owned(),
            format!("OTEL_EXPORTER_OTLP_PROTOCOL={protocol}"),
        ])?;
        let status = || super::weir::run(&["status", "--state-dir", &sensor.state().to_string_lossy()]);
        for _ in 0..5 {
            assert!(matches!(status()?.status, Some(0 | 1)), "it answers meanwhile");
        }
        let asked = Instant::now();
        let Stopped { log, .. } = sensor.stop()?;
        assert!(asked.elapsed() < scaled(HUNG_END), "{protocol}: {:?}", asked.elapsed());
        assert!(log.len() <= 4, "said once of metrics and once of records, not at each export: {log:?}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_is_one_clear_sentence() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:4318");
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Case; 4] = [
        (&[endpoint, ("OTEL_METRICS_EXPORTER", "prometheus")], &["OTEL_METRICS_EXPORTER", "prometheus", "otlp"]),
        (&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")], &["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"]),
        (
            &[endpoint, ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/nowhere/ca.pem")],
            &["OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/nowhere/ca.pem"],
        ),
        (
            &[
                endpoint,
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter2"),
            ],
            &["OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"],
        ),
    ];
    let directory = tests::scene::Directory::new()?;
    for (variables, words) in cases {
        let mut command =
            super::weir::weir(&["run", "--state-dir", &directory.path().join("state").to_string_lossy()])?;
        command.envs(variables.iter().copied());
        let ended = super::weir::end_of(&mut command)?;
        ended.refuses(1, words);
        assert!(!ended.err.contains("hunter2"), "{}", ended.err);
    }
    Ok(())
}
