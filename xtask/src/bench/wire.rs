//! What a sensor sends: bytes of each kind of record, from a real sensor that sees real thefts and sends to a receiver.
//!
//! Twice with alerts, incidents, coverage records and metrics, once as it is and once with gzip; and twice more with all events
//! (`--export events`). A request's bytes are those of its body with gRPC's prefix of five; a relay before the receiver counts what
//! HTTP/2 adds. Bytes do not depend on how the sensor was built. TLS is not in the numbers.

mod relay;

use super::spool::Number;
use super::statistics::median;
use crate::ui;
use ::tests::receiver::Receiver;
use ::tests::scene::{Bind, Container, Directory, Network, Spec};
use ::tests::sensor::Sensor;
use ::tests::sink::{Sink, Transport};
use ::tests::{Place, actor_in, weights};
use anyhow::{Context, Result};
use relay::Relay;
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

pub const NAME: &str = "wire";

/// Thefts of a pass, and MiB of weights each.
const THEFTS: usize = 4;
const SIZE: u64 = 4;
/// Coverage records and exports of metrics that a pass waits for.
const ENOUGH: usize = 6;

/// Runs a sensor four times, some seconds each.
pub fn run(weir: &Path) -> Result<Vec<Number>> {
    let mut numbers = Vec::new();
    for compression in ["none", "gzip"] {
        let said = ui::step(format!("what a sensor sends, compression {compression}"), || {
            let told = pass(weir, compression, &[]).context("alerts and the like")?;
            let events = pass(weir, compression, &["--export", "events"]).context("events")?;
            Ok([told.told(), events.events()].concat())
        })?;
        numbers.extend(
            said.into_iter().map(|(what, found)| Number { what: format!("{what}, {}", named(compression)), found }),
        );
    }
    Ok(numbers)
}

fn named(compression: &str) -> &str {
    if compression == "none" { "plain" } else { compression }
}

/// What came in a pass.
struct Pass {
    requests: Vec<Value>,
    /// Bytes that the sensor sent, as TCP has them.
    sent: u64,
    seconds: f64,
}

fn pass(weir: &Path, compression: &str, more: &[&str]) -> Result<Pass> {
    let mut receiver = Receiver::start(&weir.with_file_name("weir-receiver"), &[])?;
    let relay = Relay::start(receiver.port)?;
    let variables = [
        format!("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{}", relay.port),
        "OTEL_EXPORTER_OTLP_PROTOCOL=grpc".to_owned(),
        format!("OTEL_EXPORTER_OTLP_COMPRESSION={compression}"),
        "OTEL_METRIC_EXPORT_INTERVAL=1000".to_owned(),
    ];
    let arguments: Vec<OsString> = variables
        .iter()
        .map(OsString::from)
        .chain([weir.into()])
        .chain(["run", "--coverage-interval", "1"].iter().chain(more).map(OsString::from))
        .collect();
    let sensor = Sensor::start_program("/usr/bin/env".as_ref(), &arguments)?;
    let begun = Instant::now();
    for _ in 0..THEFTS {
        theft()?;
    }
    receiver.until("coverage records, metrics and incidents", |requests| {
        let of = |name: &str| requests.iter().filter(|request| kinds(request).contains(&name)).count();
        let metrics = requests.iter().filter(|request| request["metrics"].is_array()).count();
        of("weir.coverage") >= ENOUGH && metrics >= ENOUGH && of("weir.incident") >= THEFTS
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    sensor.stop()?;
    receiver.drain();
    Ok(Pass { requests: std::mem::take(&mut receiver.requests), sent: relay.sent(), seconds })
}

/// One process reads weights into a pipe, another sends them away: the theft of `cargo xtask demo`, small.
fn theft() -> Result<()> {
    let models = Directory::new()?;
    weights::safetensors(&models.path().join("model.safetensors"), SIZE, 1)?;
    let network = Network::new()?;
    let sink = Sink::start(&network.outside_addresses(), Some(&network.outside))?;
    let bind = Bind { source: models.path().into(), target: "/models".into(), read_only: true };
    let container = Container::start(&Spec { binds: vec![bind], network: Some(&network.inside), ..Spec::default() })?;
    let to = sink.address(Transport::Tcp, Network::OUTSIDE_V4.into())?.to_string();
    let theft = ["steal", "--read", "/models/model.safetensors", "--to", &to, "--via-pipe"];
    actor_in(Place::Container(&container), &theft)?.truth()?;
    Ok(())
}

/// The names of a request's log records.
fn kinds(request: &Value) -> Vec<&str> {
    records(request).iter().filter_map(|record| record["event_name"].as_str()).collect()
}

fn records(request: &Value) -> &[Value] {
    request["records"].as_array().map_or(&[], Vec::as_slice)
}

fn bytes(request: &Value) -> f64 {
    request["bytes"].as_f64().unwrap_or_default()
}

/// What was found, by what it is about.
type Said = Vec<(String, String)>;

impl Pass {
    fn requests(&self, of: impl Fn(&Value) -> bool) -> Vec<&Value> {
        self.requests.iter().filter(|request| of(request)).collect()
    }

    /// Requests with one log record of this name alone: most alerts and coverage records are sent as they come.
    fn alone(&self, name: &str) -> (String, String) {
        let sizes: Vec<f64> =
            self.requests(|request| kinds(request) == [name]).iter().map(|request| bytes(request)).collect();
        (format!("{name}, alone"), of(&sizes))
    }

    fn told(&self) -> Said {
        let incidents = self.requests(|request| kinds(request).contains(&"weir.incident"));
        let traces = self
            .requests(|request| records(request).iter().any(|record| record["span_id"].is_string()))
            .into_iter()
            .filter(|request| kinds(request).is_empty())
            .map(bytes)
            .collect::<Vec<_>>();
        let metrics = self.requests(|request| request["metrics"].is_array());
        let series: Vec<f64> = metrics.iter().map(|request| points(request)).collect();
        let sizes = |requests: &[&Value]| of(&requests.iter().map(|request| bytes(request)).collect::<Vec<_>>());
        let beside: Vec<f64> = incidents.iter().map(|request| kinds(request).len() as f64 - 1.0).collect();
        let body: f64 = self.requests.iter().map(bytes).sum();
        vec![
            self.alone("weir.alert"),
            self.alone("weir.coverage"),
            ("weir.incident, with what is beside it".to_owned(), sizes(&incidents)),
            ("records beside an incident".to_owned(), format!("{:.0}", median(&beside))),
            ("an incident's trace".to_owned(), of(&traces)),
            ("an export of metrics".to_owned(), sizes(&metrics)),
            ("series of an export, the most".to_owned(), format!("{:.0}", series.into_iter().fold(0.0, f64::max))),
            (
                "added by HTTP/2 to a request, on average".to_owned(),
                format!("{:.0} B", (self.sent as f64 - body) / self.requests.len().max(1) as f64),
            ),
        ]
    }

    fn events(&self) -> Said {
        let is_event = |name: &str| name.starts_with("weir.event.");
        let batches = self.requests(|request| {
            let kinds = kinds(request);
            !kinds.is_empty() && kinds.into_iter().all(is_event)
        });
        let events: usize = batches.iter().map(|request| records(request).len()).sum();
        let total: f64 = batches.iter().map(|request| bytes(request)).sum();
        let (count, requests) = (events.max(1) as f64, batches.len().max(1) as f64);
        let found = format!("{:.0} B ({events} events, {:.0} a request)", total / count, count / requests);
        let rate = format!("{:.0} events/s", events as f64 / self.seconds);
        vec![("an exported event, on average".to_owned(), found), ("of this machine meanwhile".to_owned(), rate)]
    }
}

/// `MEDIAN B (NUMBER, LEAST to MOST)`
fn of(sizes: &[f64]) -> String {
    let (least, most) =
        sizes.iter().fold((f64::MAX, 0.0_f64), |(least, most), size| (least.min(*size), most.max(*size)));
    match sizes.len() {
        0 => "none came".to_owned(),
        count => format!("{:.0} B ({count}, {least:.0} to {most:.0} B)", median(sizes)),
    }
}

/// Points of an export of metrics: a series each.
fn points(request: &Value) -> f64 {
    let metrics = request["metrics"].as_array().map_or(&[][..], Vec::as_slice);
    metrics.iter().filter_map(|metric| metric["points"].as_f64()).sum()
}
