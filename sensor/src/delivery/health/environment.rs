//! What the `OTEL_*` variables ask of the metrics: whether they leave, by what, and under which certificates. What else they say
//! (headers, timeouts, compression, intervals) the SDK and its exporter read themselves.

use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};

/// Why the metrics cannot be exported.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum ExportError {
    #[error("OTEL_METRICS_EXPORTER={0}: metrics leave by otlp, or not at all; give otlp or none")]
    Exporter(String),
    #[error("{variable}={value}: metrics leave by grpc or http/protobuf; give one of these")]
    Protocol { variable: &'static str, value: String },
    #[error(
        "{variable}: metrics by http/protobuf cannot be encrypted yet; give an http:// endpoint on this host, or OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=grpc"
    )]
    Encrypted { variable: &'static str },
    #[error("{variable}={path}: {reason}; give a PEM file that weir can read")]
    Certificate { variable: &'static str, path: String, reason: std::io::Error },
    #[error("{given} is given without {missing}; mutual TLS takes both")]
    Half { given: &'static str, missing: &'static str },
    #[error("the metrics cannot be exported: {0}; look at OTEL_EXPORTER_OTLP_METRICS_ENDPOINT and its like")]
    Exporting(#[from] ExporterBuildError),
    #[error(
        "the metrics cannot be exported: {0}; this is the system's refusal, restart the sensor when it has recovered"
    )]
    Thread(#[from] std::io::Error),
}

/// Whether, and by what, the environment says that metrics are to be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Not at all.
    No,
    /// By gRPC.
    Grpc,
    /// By HTTP, without TLS.
    Http,
}

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/// What the variables say; `variable` reads one, and knows nothing of empty ones.
///
/// # Errors
/// They ask for what cannot be.
pub fn wanted(variable: &impl Fn(&str) -> Option<String>) -> Result<Wanted, ExportError> {
    let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
    if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Wanted::No);
    }
    match variable("OTEL_METRICS_EXPORTER") {
        Some(exporter) if exporter == "none" => return Ok(Wanted::No),
        Some(exporter) if exporter != "otlp" => return Err(ExportError::Exporter(exporter)),
        _ => (),
    }
    let Some((endpoint, url)) = first(ENDPOINTS) else { return Ok(Wanted::No) };
    match first(PROTOCOLS) {
        Some((_, protocol)) if protocol == "grpc" => Ok(Wanted::Grpc),
        Some((variable, value)) if value != "http/protobuf" => Err(ExportError::Protocol { variable, value }),
        // The client that comes with the exporter speaks no TLS.
        _ if url.starts_with("https:") => Err(ExportError::Encrypted { variable: endpoint }),
        _ => Ok(Wanted::Http),
    }
}

const AUTHORITIES: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
const CERTIFICATES: [&str; 2] =
    ["OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"];
const KEYS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"];

/// The certificates that the variables name, which the exporter does not read itself; `None`: those of the system.
///
/// # Errors
/// One cannot be read, or half of a pair is missing.
pub fn tls(variable: &impl Fn(&str) -> Option<String>) -> Result<Option<ClientTlsConfig>, ExportError> {
    let read = |names: [&'static str; 2]| {
        let Some((variable, path)) = names.into_iter().find_map(|name| Some((name, variable(name)?))) else {
            return Ok(None);
        };
        match std::fs::read(&path) {
            Ok(pem) => Ok(Some((variable, pem))),
            Err(reason) => Err(ExportError::Certificate { variable, path, reason }),
        }
    };
    let (authority, certificate, key) = (read(AUTHORITIES)?, read(CERTIFICATES)?, read(KEYS)?);
    let identity = match (certificate, key) {
        (Some((_, certificate)), Some((_, key))) => Some(Identity::from_pem(certificate, key)),
        (Some((given, _)), None) => return Err(ExportError::Half { given, missing: KEYS[1] }),
        (None, Some((given, _))) => return Err(ExportError::Half { given, missing: CERTIFICATES[1] }),
        (None, None) => None,
    };
    if authority.is_none() && identity.is_none() {
        return Ok(None);
    }
    let mut tls = ClientTlsConfig::new();
    tls = match authority {
        Some((_, pem)) => tls.ca_certificate(Certificate::from_pem(pem)),
        None => tls.with_native_roots(),
    };
    Ok(Some(identity.into_iter().fold(tls, ClientTlsConfig::identity)))
}
