//! One export call, over gRPC or HTTP, with one client for both.

use super::answer::{Outcome, Response, of_http, of_response, of_status};
use super::log::{self, NoRecord, object};
use super::resource::Resources;
use super::sender::Export;
use super::settings::{Body as LogBody, Compression, ConfigError, Protocol, Settings, Target};
use super::{tls, trace};
use crate::delivery::spool::Entry;
use bytes::Bytes;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::{Map, Value};
use std::error::Error;
use std::future::Future;
use std::io::Write as _;
use std::time::{Duration, SystemTime};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;

/// Most bytes of an answer; it has a count and a sentence.
const ANSWER_MAX: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A collector that hangs with an open connection is noticed so soon (HTTP/2 only).
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// One for both protocols, with the TLS that a target asks for.
pub type HyperClient = Client<HttpsConnector<HttpConnector>, Body>;

/// Sends records to the collector of each signal.
pub struct Exporter {
    logs: Option<Channel>,
    traces: Option<Channel>,
    resources: Resources,
    body: LogBody,
    host: Option<String>,
}

/// A collector for one signal; connects when there is something to send.
struct Channel {
    target: Target,
    client: HyperClient,
    headers: HeaderMap,
}

impl Exporter {
    /// Reads the certificates and connects to nobody yet.
    ///
    /// # Errors
    /// A file of certificates that cannot be used.
    pub fn new(settings: &Settings) -> Result<Exporter, ConfigError> {
        let channel = |target: &Option<Target>| target.as_ref().map(Channel::new).transpose();
        // Who configures another name has a reason.
        let host = settings.resource.get("host.name").cloned().or_else(crate::host::name);
        let resources = Resources::new(&settings.resource, host.as_deref());
        let (logs, traces, body) = (channel(&settings.logs)?, channel(&settings.traces)?, settings.body);
        Ok(Exporter { logs, traces, resources, body, host })
    }
}

impl Export for Exporter {
    async fn logs(&self, entries: &[&Entry]) -> Outcome {
        let Some(channel) = &self.logs else { return Outcome::Accepted };
        let objects = match objects(entries) {
            Ok(objects) => objects,
            Err(error) => return Outcome::Refused { reason: error.to_string() },
        };
        let form = log::Form { resources: &self.resources, body: self.body, host: self.host.as_deref() };
        let request = log::request(objects.iter(), &form);
        match channel.target.protocol {
            Protocol::Http => channel.post::<LogsAnswer>(request.encode_to_vec()).await,
            Protocol::Grpc => {
                let mut client =
                    LogsServiceClient::with_origin(channel.client.clone(), channel.target.endpoint.clone())
                        .accept_compressed(CompressionEncoding::Gzip)
                        .max_decoding_message_size(ANSWER_MAX);
                if channel.target.compression == Compression::Gzip {
                    client = client.send_compressed(CompressionEncoding::Gzip);
                }
                channel.call(client.export(channel.request(request))).await
            }
        }
    }

    async fn traces(&self, entries: &[&Entry]) -> Outcome {
        let Some(channel) = &self.traces else { return Outcome::Accepted };
        let objects = match objects(entries) {
            Ok(objects) => objects,
            Err(error) => return Outcome::Refused { reason: error.to_string() },
        };
        let request = trace::request(objects.iter(), &self.resources);
        match channel.target.protocol {
            Protocol::Http => channel.post::<TraceAnswer>(request.encode_to_vec()).await,
            Protocol::Grpc => {
                let mut client =
                    TraceServiceClient::with_origin(channel.client.clone(), channel.target.endpoint.clone())
                        .accept_compressed(CompressionEncoding::Gzip)
                        .max_decoding_message_size(ANSWER_MAX);
                if channel.target.compression == Compression::Gzip {
                    client = client.send_compressed(CompressionEncoding::Gzip);
                }
                channel.call(client.export(channel.request(request))).await
            }
        }
    }
}

type LogsAnswer = opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
type TraceAnswer = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;

fn objects(entries: &[&Entry]) -> Result<Vec<Map<String, Value>>, NoRecord> {
    entries.iter().map(|entry| object(entry)).collect()
}

/// The client for a target. Reads its certificates and connects to nobody yet.
///
/// # Errors
/// A file of certificates that cannot be used.
pub fn http_client(target: &Target) -> Result<HyperClient, ConfigError> {
    let tls = tls::client(target)?;
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let mut builder = Client::builder(TokioExecutor::new());
    Ok(match target.protocol {
        Protocol::Grpc => {
            builder.http2_only(true).timer(TokioTimer::new()).http2_keep_alive_interval(KEEP_ALIVE);
            builder.build(connector.enable_http2().wrap_connector(http))
        }
        Protocol::Http => builder.build(connector.enable_http1().wrap_connector(http)),
    })
}

impl Channel {
    fn new(target: &Target) -> Result<Channel, ConfigError> {
        let client = http_client(target)?;
        let mut headers = target.headers.clone();
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION"))));
        Ok(Channel { target: target.clone(), client, headers })
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let metadata = MetadataMap::from_headers(self.headers.clone());
        let mut request = tonic::Request::from_parts(metadata, tonic::Extensions::new(), message);
        request.set_timeout(self.target.timeout);
        request
    }

    async fn call<R: Response>(
        &self,
        call: impl Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    ) -> Outcome {
        match tokio::time::timeout(self.target.timeout, call).await {
            Err(_) => self.late(),
            Ok(Ok(response)) => of_response(response.into_inner()),
            // A status with a source is no answer, but what tonic makes of a connection that failed.
            Ok(Err(status)) => match status.source() {
                Some(error) => failed(error, &self.target),
                None => of_status(&status, &shown(&self.target.endpoint)),
            },
        }
    }

    async fn post<R: Response>(&self, body: Vec<u8>) -> Outcome {
        match tokio::time::timeout(self.target.timeout, self.posted::<R>(body)).await {
            Err(_) => self.late(),
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => failed(&*error, &self.target),
        }
    }

    async fn posted<R: Response>(&self, mut body: Vec<u8>) -> Result<Outcome, Box<dyn Error + Send + Sync>> {
        let mut request = Request::post(self.target.endpoint.clone());
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            if self.target.compression == Compression::Gzip {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
                packed.write_all(&body)?;
                body = packed.finish()?;
            }
        }
        let answer = self.client.request(request.body(Body::new(Full::new(Bytes::from(body))))?).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await?.to_bytes();
        let endpoint = shown(&self.target.endpoint);
        Ok(of_http::<R>(head.status, &head.headers, &body, &endpoint, SystemTime::now()))
    }

    fn late(&self) -> Outcome {
        let (endpoint, timeout) = (shown(&self.target.endpoint), self.target.timeout.as_millis());
        Outcome::Retry { after: None, reason: format!("{endpoint} has not answered within {timeout} ms (timeout)") }
    }
}

/// Scheme, host and port; settings have no user, password or query in it.
fn shown(endpoint: &Uri) -> String {
    let authority = endpoint.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}", endpoint.scheme_str().unwrap_or("http"))
}

/// There was no answer: the collector has taken nothing, so that whatever it is, the records are tried again.
fn failed(error: &(dyn Error + 'static), target: &Target) -> Outcome {
    let mut chain = vec![error];
    let mut last = error;
    while let Some(source) = last.source() {
        chain.push(source);
        last = source;
    }
    let was_connected = chain.iter().any(|error| {
        error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| !error.is_connect())
    });
    let reason = match chain.iter().find_map(|error| tls_error(*error)) {
        Some(error) => tls_sentence(error),
        None if was_connected => broken(last, target),
        // The last says most: `Connection refused`, `Name or service not known`.
        None => unreachable(last, &target.endpoint),
    };
    Outcome::Retry { after: None, reason: format!("{} {reason}", shown(&target.endpoint)) }
}

fn unreachable(error: &dyn Error, endpoint: &Uri) -> String {
    let hint = match endpoint.port_u16() {
        Some(4317) => " and takes gRPC there (protocol grpc)",
        Some(4318) => " and takes HTTP there (protocol http/protobuf)",
        _ => "",
    };
    format!("cannot be reached ({error}); check that the collector runs{hint}, and that this machine may connect to it")
}

/// With TLS 1.3 a server that wants a certificate says so after the handshake, and HTTP/2 does not hand on its words.
fn broken(error: &dyn Error, target: &Target) -> String {
    let is_tls = target.endpoint.scheme() == Some(&http::uri::Scheme::HTTPS);
    let hint = match (is_tls, &target.identity) {
        (false, _) => "check that it speaks this protocol there, and without TLS".to_owned(),
        (true, None) => format!("if it asks for a certificate of the sensor, {SET_CERTIFICATE}"),
        (true, Some(_)) => CHECK_CERTIFICATE.to_owned(),
    };
    format!("has broken off the connection ({error}); its own log says why; {hint}")
}

const SET_CERTIFICATE: &str =
    "set client_certificate and client_key (OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, OTEL_EXPORTER_OTLP_CLIENT_KEY)";
const CHECK_CERTIFICATE: &str = "check that client_certificate is of an authority that it trusts";

/// An I/O error does not give what it wraps as its source, and may wrap another one.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    while let Some(wrapped) = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref()) {
        error = wrapped;
    }
    error.downcast_ref()
}

fn tls_sentence(error: &rustls::Error) -> String {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error};
    match error {
        Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => {
            "has a certificate of an authority that is not trusted; name the authority's file in certificate (OTEL_EXPORTER_OTLP_CERTIFICATE)".to_owned()
        }
        Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "has a certificate that is for another name; write the endpoint with a name that is in it".to_owned()
        }
        Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            "has a certificate that is not valid at this time; renew it, or set this machine's clock".to_owned()
        }
        Error::AlertReceived(Alert::CertificateRequired) => {
            format!("asks for a certificate of the sensor; {SET_CERTIFICATE}")
        }
        Error::AlertReceived(alert) => {
            format!("refuses TLS ({alert:?}); {CHECK_CERTIFICATE}")
        }
        Error::InvalidMessage(_) => "does not speak TLS; write the endpoint with http://".to_owned(),
        other => format!("cannot be spoken to over TLS ({other}); check its certificate and version of TLS"),
    }
}
