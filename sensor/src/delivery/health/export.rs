//! Exporting the metrics by the OpenTelemetry SDK, to where the standard `OTEL_*` variables or weir.yml say.
//!
//! The SDK reads them on a thread of its own, from the snapshot that the agent left last; the exporter's connection lives on a
//! second thread. So the agent waits for nothing: it swaps a pointer each second. One export is under way at a time and what is
//! exported is the state, so nothing piles up where the collector is slow or absent; what it missed is in the next sums.

use super::client;
use super::metrics::{EVALUATION, Histogram, Instrument, LATENCY, METRICS, Metric};
use super::snapshot::Snapshot;
use crate::delivery::otlp::{ConfigError, Settings};
use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider as _};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// Why the metrics cannot be exported.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum ExportError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the metrics cannot be exported: {0}; look at OTEL_EXPORTER_OTLP_METRICS_ENDPOINT and its like")]
    Exporting(#[from] ExporterBuildError),
    #[error(
        "the metrics cannot be exported: {0}; this is the system's refusal, restart the sensor when it has recovered"
    )]
    Thread(#[from] std::io::Error),
}

/// Where the agent leaves its numbers, and the SDK finds them.
#[derive(Debug, Default)]
struct Shared {
    snapshot: Mutex<Arc<Snapshot>>,
    accepted: AtomicU64,
    failed: AtomicU64,
    /// That an export failed was said, and none has succeeded since.
    said: AtomicBool,
}

impl Shared {
    fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The export under way. Dropping it ends it without a last one.
pub struct Export {
    shared: Arc<Shared>,
    provider: SdkMeterProvider,
    evaluation: opentelemetry::metrics::Histogram<f64>,
    latency: opentelemetry::metrics::Histogram<f64>,
}

impl Export {
    /// As the settings say; `None` where they name no target. `instance` is this run of the sensor.
    ///
    /// # Errors
    /// They ask for what cannot be.
    pub fn new(settings: &Settings, instance: &str) -> Result<Option<Export>, ExportError> {
        let Some(target) = &settings.metrics else { return Ok(None) };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let exporter = {
            let _entered = runtime.enter();
            client::exporter(target)
        };
        match exporter {
            Ok(exporter) => Ok(Some(Export::start(exporter, runtime, settings, instance)?)),
            Err(error) => {
                // To drop one waits for its threads, which tokio forbids within another.
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    fn start(
        exporter: MetricExporter,
        runtime: Runtime,
        settings: &Settings,
        instance: &str,
    ) -> Result<Export, ExportError> {
        let (end, ended) = oneshot::channel();
        let handle = runtime.handle().clone();
        std::thread::Builder::new().name("weir-otlp".into()).spawn(move || {
            // Until the exporter has gone: one that is used without its runtime panics.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        let shared = Arc::new(Shared::default());
        let provider = SdkMeterProvider::builder()
            .with_periodic_exporter(Counted { exporter, handle, shared: Arc::clone(&shared), _end: end })
            .with_resource(resource(settings, instance))
            .build();
        let scope = InstrumentationScope::builder("weir").with_version(env!("CARGO_PKG_VERSION")).build();
        let meter = provider.meter_with_scope(scope);
        METRICS.iter().for_each(|metric| register(&meter, metric, &shared));
        let (evaluation, latency) = (histogram(&meter, &EVALUATION), histogram(&meter, &LATENCY));
        Ok(Export { shared, provider, evaluation, latency })
    }

    /// Leaves the numbers for the next export, with what became of the exports so far.
    pub fn publish(&self, mut snapshot: Snapshot) {
        snapshot.exports = self.results();
        let old = {
            let mut latest = self.shared.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *latest, Arc::new(snapshot))
        };
        drop(old);
    }

    /// Exports that the collector took, and that failed.
    pub fn results(&self) -> [u64; 2] {
        [&self.shared.accepted, &self.shared.failed].map(|count| count.load(Ordering::Relaxed))
    }

    /// Records what one event took: in the line, and since it happened.
    pub fn timed(&self, line: Duration, latency: Option<Duration>) {
        self.evaluation.record(line.as_secs_f64(), &[]);
        if let Some(latency) = latency {
            self.latency.record(latency.as_secs_f64(), &[]);
        }
    }

    /// A last export, and the end; blocks for as long as the collector takes to answer, or the exporter's timeout.
    pub fn finish(self) {
        // What failed was counted, and said.
        let _ = self.provider.shutdown();
    }
}

/// The exporter, with what became of its exports counted and a failure said once.
struct Counted {
    exporter: MetricExporter,
    /// Of the runtime of the connection.
    handle: Handle,
    shared: Arc<Shared>,
    /// Dropped with the exporter: then the thread of the connection ends.
    _end: oneshot::Sender<()>,
}

impl PushMetricExporter for Counted {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        // The SDK polls this on its own thread, which knows of no runtime; the exporter's timers and sockets need one.
        let mut export = pin!(self.exporter.export(metrics));
        let result = poll_fn(|context| {
            let _entered = self.handle.enter();
            export.as_mut().poll(context)
        })
        .await;
        let shared = &self.shared;
        match &result {
            Ok(()) => {
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                if shared.said.swap(false, Ordering::Relaxed) {
                    tracing::info!("the collector takes the metrics again");
                }
            }
            Err(error) => {
                shared.failed.fetch_add(1, Ordering::Relaxed);
                if !shared.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the collector does not take the metrics; it is tried again at each interval");
                }
            }
        }
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

/// The sensor, on this host. What was given comes first.
fn resource(settings: &Settings, instance: &str) -> Resource {
    let host = crate::host::name().unwrap_or_default();
    let own = [
        ("service.name", "weir"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", instance),
        ("host.name", host.as_str()),
    ];
    let own = own.into_iter().filter(|(name, value)| !value.is_empty() && !settings.resource.contains_key(*name));
    let given = settings.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let own = own.map(|(name, value)| KeyValue::new(name, value.to_owned()));
    Resource::builder().with_attributes(own.chain(given)).build()
}

fn register(meter: &Meter, metric: &'static Metric, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    let observe = move |observer: &dyn AsyncInstrument<f64>| {
        let snapshot = shared.latest();
        // Not taken yet: nothing is known.
        if snapshot.unix_seconds == 0.0 {
            return;
        }
        for point in (metric.read)(&snapshot) {
            let values = metric.attributes.iter().zip(point.attributes);
            let attributes: Vec<_> = values.map(|(name, value)| KeyValue::new(*name, value)).collect();
            observer.observe(point.value, &attributes);
        }
    };
    let (name, unit, description) = (metric.name, metric.unit, metric.description);
    // The SDK holds on to the callback; the handle is nothing that is needed.
    match metric.instrument {
        Instrument::Counter => {
            let builder = meter.f64_observable_counter(name).with_unit(unit).with_description(description);
            let _ = builder.with_callback(move |observer| observe(observer)).build();
        }
        Instrument::UpDownCounter => {
            let builder = meter.f64_observable_up_down_counter(name).with_unit(unit).with_description(description);
            let _ = builder.with_callback(move |observer| observe(observer)).build();
        }
        Instrument::Gauge => {
            let builder = meter.f64_observable_gauge(name).with_unit(unit).with_description(description);
            let _ = builder.with_callback(move |observer| observe(observer)).build();
        }
    }
}

fn histogram(meter: &Meter, what: &Histogram) -> opentelemetry::metrics::Histogram<f64> {
    let builder = meter.f64_histogram(what.name).with_unit(what.unit).with_description(what.description);
    builder.with_boundaries(what.boundaries.to_vec()).build()
}
