//! The section `otlp:` of weir.yml: the same keys as the `OTEL_EXPORTER_OTLP_*` variables, in lower case.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// What the file says about delivery over OTLP. The environment goes before it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Section {
    /// Where to send: with HTTP the signal's path is added to it.
    pub endpoint: Option<String>,
    /// `grpc` or `http/protobuf`.
    pub protocol: Option<String>,
    /// Sent with every request; never shown.
    pub headers: BTreeMap<String, Secret>,
    /// For a whole call, milliseconds.
    pub timeout: Option<u64>,
    /// `gzip` or `none`.
    pub compression: Option<String>,
    /// PEM of the authorities that are trusted, instead of the machine's.
    pub certificate: Option<PathBuf>,
    /// PEM of the sensor's own certificate.
    pub client_certificate: Option<PathBuf>,
    /// PEM of its key.
    pub client_key: Option<PathBuf>,
    /// gRPC without TLS, where the endpoint has no scheme.
    pub insecure: Option<bool>,
    /// What is otherwise for logs.
    pub logs: Part,
    /// What is otherwise for traces.
    pub traces: Part,
    /// What is otherwise for metrics.
    pub metrics: Part,
    /// What the body of a log record is: `sentence` or `ocsf`.
    pub body: Option<String>,
    /// Attributes of every resource.
    pub resource: BTreeMap<String, String>,
    /// `service.name` of the sensor's own records.
    pub service_name: Option<String>,
}

/// The same for one signal.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Part {
    /// Where to send this signal: the whole URL.
    pub endpoint: Option<String>,
    /// `grpc` or `http/protobuf`.
    pub protocol: Option<String>,
    /// Sent with every request; never shown.
    pub headers: BTreeMap<String, Secret>,
    /// For a whole call, milliseconds.
    pub timeout: Option<u64>,
    /// `gzip` or `none`.
    pub compression: Option<String>,
    /// PEM of the authorities that are trusted, instead of the machine's.
    pub certificate: Option<PathBuf>,
    /// PEM of the sensor's own certificate.
    pub client_certificate: Option<PathBuf>,
    /// PEM of its key.
    pub client_key: Option<PathBuf>,
    /// gRPC without TLS, where the endpoint has no scheme.
    pub insecure: Option<bool>,
    /// `otlp` or `none`: whether this signal is sent.
    pub exporter: Option<String>,
}

impl Section {
    /// What is for all signals.
    pub(super) fn general(&self) -> Part {
        Part {
            endpoint: self.endpoint.clone(),
            protocol: self.protocol.clone(),
            headers: self.headers.clone(),
            timeout: self.timeout,
            compression: self.compression.clone(),
            certificate: self.certificate.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            insecure: self.insecure,
            exporter: None,
        }
    }
}

impl Part {
    /// The value of a key that is no map, as the environment would have it.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        match key {
            "endpoint" => self.endpoint.clone(),
            "protocol" => self.protocol.clone(),
            "timeout" => self.timeout.map(|timeout| timeout.to_string()),
            "compression" => self.compression.clone(),
            "certificate" => path(&self.certificate),
            "client_certificate" => path(&self.client_certificate),
            "client_key" => path(&self.client_key),
            "insecure" => self.insecure.map(|insecure| insecure.to_string()),
            "exporter" => self.exporter.clone(),
            _ => None,
        }
    }
}

/// Text that is never shown.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the wire only.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
