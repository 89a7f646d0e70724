//! The metrics' exporter over the same client as alerts, with the same TLS, where HTTP is spoken.

use super::export::ExportError;
use crate::delivery::otlp::{HyperClient, Protocol, Target, http_client};
use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, Limited};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{
    Compression, MetricExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use std::time::Duration;
use tonic::body::Body;

/// Most bytes of an answer; it has a count and a sentence.
const ANSWER_MAX: usize = 64 * 1024;

/// The exporter to this target; to be called within the runtime that its connection is to be on.
///
/// # Errors
/// A certificate that cannot be used.
pub(super) fn exporter(target: &Target) -> Result<MetricExporter, ExportError> {
    let gzip = (target.compression == crate::delivery::otlp::Compression::Gzip).then_some(Compression::Gzip);
    let endpoint = target.endpoint.to_string();
    let builder = MetricExporter::builder();
    if target.protocol == Protocol::Http {
        let client = Client { client: http_client(target)?, timeout: target.timeout };
        let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = target.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let http = builder.with_http().with_endpoint(endpoint).with_timeout(target.timeout);
        let http = http.with_headers(headers).with_http_client(client);
        return Ok(gzip.into_iter().fold(http, |http, gzip| http.with_compression(gzip)).build()?);
    }
    let tonic = builder.with_tonic().with_endpoint(endpoint).with_timeout(target.timeout);
    let tonic = tonic.with_metadata(MetadataMap::from_headers(target.headers.clone()));
    let tonic = tls(target)?.into_iter().fold(tonic, |tonic, tls| tonic.with_tls_config(tls));
    Ok(gzip.into_iter().fold(tonic, |tonic, gzip| tonic.with_compression(gzip)).build()?)
}

/// The certificates that are named; `None`: those of the system.
fn tls(target: &Target) -> Result<Option<ClientTlsConfig>, ExportError> {
    // Says which file is wrong, which tonic does not.
    http_client(target)?;
    let read = |named: &crate::delivery::otlp::Named| std::fs::read(&named.path);
    let identity = match &target.identity {
        Some((certificate, key)) => Some(Identity::from_pem(read(certificate)?, read(key)?)),
        None => None,
    };
    let tls = match (&target.authorities, &identity) {
        (None, None) => return Ok(None),
        (Some(named), _) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(named)?)),
        (None, Some(_)) => ClientTlsConfig::new().with_native_roots(),
    };
    Ok(Some(identity.into_iter().fold(tls, ClientTlsConfig::identity)))
}

#[derive(Debug)]
struct Client {
    client: HyperClient,
    timeout: Duration,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let call = async {
            let answer = self.client.request(Request::from_parts(head, Body::new(Full::new(body)))).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        tokio::time::timeout(self.timeout, call).await?
    }
}
