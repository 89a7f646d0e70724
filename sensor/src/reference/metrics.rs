//! docs/metrics.md

use super::{GENERATED, plain};
use crate::delivery::health::metrics::{EVALUATION, Histogram, LATENCY, METRICS};
use std::fmt::Write as _;

const HEAD: &str = "
# Metrics

What the sensor says of its own health to a collector, by OpenTelemetry's SDK. It exports when `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`
or `OTEL_EXPORTER_OTLP_ENDPOINT` is set and `OTEL_METRICS_EXPORTER` is not `none`, every minute unless `OTEL_METRIC_EXPORT_INTERVAL`
(milliseconds) says otherwise. The other standard variables hold: `..._PROTOCOL` (`http/protobuf`, the default, or `grpc`), `..._HEADERS`,
`..._TIMEOUT`, `..._COMPRESSION`, `..._CERTIFICATE`, `..._CLIENT_CERTIFICATE`, `..._CLIENT_KEY`, `OTEL_SERVICE_NAME`,
`OTEL_RESOURCE_ATTRIBUTES`; and so do the same keys of weir.yml, under `otlp:` and `otlp.metrics:`. The resource is the sensor: `service.name` (`weir`),
`service.version`, `host.name`, and `service.instance.id`, which is another one in each run and the same in the coverage records.

- **unit**: UCUM, as OpenTelemetry writes it: `By` bytes, `s` seconds, `{x}` a number of x.
- Counters are since the sensor started. An attribute's values are the names that `weir status --format json` uses.
- What is not there has no points: those of the spool where nothing is delivered, those of programs without `kernel.bpf_stats_enabled`.
";

/// All metrics, as Markdown.
pub fn metrics() -> String {
    let mut out =
        format!("{GENERATED}{HEAD}\n| name | instrument | unit | attributes | what it says |\n|---|---|---|---|---|\n");
    for metric in METRICS {
        let attributes: Vec<_> = metric.attributes.iter().map(|name| format!("`{name}`")).collect();
        let (kind, doc) = (metric.instrument.name(), plain(metric.description));
        let _ = writeln!(out, "| `{}` | {kind} | `{}` | {} | {doc} |", metric.name, metric.unit, attributes.join(", "));
    }
    for Histogram { name, unit, description, boundaries } in [&EVALUATION, &LATENCY] {
        let doc = plain(description);
        let (first, last) = (boundaries.first().unwrap_or(&0.0), boundaries.last().unwrap_or(&0.0));
        let buckets = format!("{} buckets up to bounds from {first} to {last}", boundaries.len() + 1);
        let _ = writeln!(out, "| `{name}` | histogram | `{unit}` | | {doc} {buckets}. |");
    }
    out
}
