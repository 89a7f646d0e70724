//! Delivery over the OpenTelemetry protocol: what the spool holds becomes log records and spans, and leaves it when a collector has them.
//!
//! [`log`] and [`trace`] make OTLP of the JSON records that the spool keeps, so that what one version wrote another can send.
//! [`Settings`] are the `OTEL_*` variables and the section `otlp:` of weir.yml ([`Section`]); [`Exporter`] makes one call and tells what
//! came of it ([`Outcome`]); [`sender`] decides what that means for the records. Requests are made of opentelemetry-proto, and gRPC
//! is tonic's, both over one hyper client with rustls: the SDK's exporter hides partial success, retry hints and refusals, which are
//! what a spool has to know. Nothing here keeps records: what is not acknowledged is the spool's.

mod answer;
mod backoff;
mod config;
mod deeds;
mod export;
mod headers;
pub mod log;
mod resource;
pub mod sender;
mod settings;
mod tls;
pub mod trace;
mod value;

#[cfg(test)]
mod tests;

pub use answer::Outcome;
pub use config::{Part, Secret, Section};
pub use export::{Exporter, HyperClient, http_client};
pub use resource::Resources;
pub use sender::{Export, Source};
pub use settings::{Body, Compression, ConfigError, Named, Protocol, Settings, Signal, Target};

/// The name of the sensor's scope and, where nothing else is observed, of its service.
const NAME: &str = "weir";
