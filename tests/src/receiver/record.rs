//! What is printed of a request: enough to compare with what was sent.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value, json};

/// Every log record, flat, with its resource.
pub fn logs(request: &ExportLogsServiceRequest) -> Vec<Value> {
    let mut records = Vec::new();
    for logs in &request.resource_logs {
        for scope in &logs.scope_logs {
            for record in &scope.log_records {
                records.push(json!({
                    "resource": resource(logs.resource.as_ref()),
                    "scope": scope.scope.as_ref().map(|scope| scope.name.clone()),
                    "attributes": object(&record.attributes),
                    "body": record.body.as_ref().map(any),
                    "event_name": record.event_name,
                    "severity_number": record.severity_number,
                    "time_unix_nano": record.time_unix_nano,
                    "trace_id": hex(&record.trace_id),
                    "span_id": hex(&record.span_id),
                }));
            }
        }
    }
    records
}

/// Every span, flat.
pub fn spans(request: &ExportTraceServiceRequest) -> Vec<Value> {
    let scopes = request.resource_spans.iter().flat_map(|spans| &spans.scope_spans);
    let spans = scopes.flat_map(|scope| &scope.spans);
    let span = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
        json!({
            "trace_id": hex(&span.trace_id),
            "span_id": hex(&span.span_id),
            "parent_span_id": hex(&span.parent_span_id),
            "name": span.name,
            "events": span.events.iter().map(|event| event.name.clone()).collect::<Vec<_>>(),
            "attributes": object(&span.attributes),
        })
    };
    spans.map(span).collect()
}

/// The name of every metric, how many points it has (a series each), and the attributes of its resource.
pub fn metrics(request: &ExportMetricsServiceRequest) -> Vec<Value> {
    let mut metrics = Vec::new();
    for of_resource in &request.resource_metrics {
        for metric in of_resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            metrics.push(json!({
                "name": metric.name, "points": points(metric), "resource": resource(of_resource.resource.as_ref()),
            }));
        }
    }
    metrics
}

fn points(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        // The sensor makes no others.
        Some(_) | None => 0,
    }
}

/// `log.record.uid` of a printed record.
pub fn uid(record: &Value) -> &str {
    record["attributes"]["log.record.uid"].as_str().unwrap_or_default()
}

fn resource(resource: Option<&Resource>) -> Value {
    resource.map(|resource| object(&resource.attributes)).into()
}

fn object(attributes: &[KeyValue]) -> Value {
    let pair = |pair: &KeyValue| (pair.key.clone(), pair.value.as_ref().map(any).into());
    Value::Object(attributes.iter().map(pair).collect::<Map<_, _>>())
}

fn any(value: &AnyValue) -> Value {
    match &value.value {
        None => Value::Null,
        Some(Any::StringValue(text)) => text.as_str().into(),
        Some(Any::BoolValue(flag)) => (*flag).into(),
        Some(Any::IntValue(number)) => (*number).into(),
        Some(Any::DoubleValue(number)) => (*number).into(),
        Some(Any::ArrayValue(list)) => list.values.iter().map(any).collect(),
        Some(Any::KvlistValue(map)) => object(&map.values),
        Some(Any::BytesValue(bytes)) => hex(bytes).into(),
        Some(other) => format!("{other:?}").into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
