//! The answer to a request, over gRPC by the generated services, over HTTP by hand.

use super::fault::Fault;
use super::{State, print, record};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use serde_json::{Value, json};
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codegen::Service as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Answers, and prints what came and what was done with it.
pub(super) async fn answer(request: Request<Incoming>, state: &State) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path().to_owned();
    // Metrics come by themselves: faults are for what a test sends.
    let fault = if is_metrics(&path) { Fault::None } else { state.next_fault() };
    match fault {
        Fault::Cut => {
            print(&json!({"fault": "cut", "path": path}))?;
            return Ok(cut(&head.headers));
        }
        Fault::Page => {
            print(&json!({"fault": "page", "path": path}))?;
            let mut page = Response::new(Body::new(Full::new(Bytes::from_static(b"<html>Log in first</html>"))));
            page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            return Ok(page);
        }
        Fault::Slow(time) => {
            // Now, because a client that goes away takes this with it.
            print(&json!({"fault": "slow", "path": path}))?;
            tokio::time::sleep(time).await;
        }
        _ => {}
    }
    let test = head.headers.get("x-weir-test").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let one = One { fault, poison: state.poison.clone(), bytes: body.len(), path: path.clone(), test };
    if is_grpc(&head.headers) {
        let request = Request::from_parts(head, Full::new(body));
        return Ok(match path.as_str() {
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => {
                let mut service = LogsServiceServer::new(one).accept_compressed(Gzip).send_compressed(Gzip);
                service.call(request).await.unwrap_or_else(|never| match never {})
            }
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => {
                let mut service = TraceServiceServer::new(one).accept_compressed(Gzip).send_compressed(Gzip);
                service.call(request).await.unwrap_or_else(|never| match never {})
            }
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => {
                let mut service = MetricsServiceServer::new(one).accept_compressed(Gzip).send_compressed(Gzip);
                service.call(request).await.unwrap_or_else(|never| match never {})
            }
            _ => Status::unimplemented("no such service").into_http(),
        });
    }
    let body = unpacked(&head.headers, &body)?;
    let answer = match path.as_str() {
        "/v1/logs" => decode(&body).and_then(|request| one.logs(&request)).map(|answer| answer.encode_to_vec()),
        "/v1/traces" => decode(&body).and_then(|request| one.traces(&request)).map(|answer| answer.encode_to_vec()),
        "/v1/metrics" => decode(&body).and_then(|request| one.metrics(&request)).map(|answer| answer.encode_to_vec()),
        _ => Err(Status::not_found("no such path")),
    };
    Ok(over_http(answer))
}

/// One request, on its way to an answer.
struct One {
    fault: Fault,
    poison: Option<String>,
    bytes: usize,
    path: String,
    test: Option<String>,
}

impl One {
    /// The records that are taken of what came, and how many are not.
    fn take(&self, mut records: Vec<Value>) -> Result<u64, Status> {
        let total = records.len();
        let is_poisoned = self.poison.as_ref().is_some_and(|uid| records.iter().any(|one| record::uid(one) == uid));
        let status = match self.fault {
            _ if is_poisoned => Some(Status::invalid_argument("poisoned")),
            Fault::Unavailable => Some(Status::unavailable("busy")),
            Fault::RetryAfter(time) => {
                Some(Status::with_error_details(Code::Unavailable, "busy", ErrorDetails::with_retry_info(Some(time))))
            }
            Fault::Refuse => Some(Status::invalid_argument("refused")),
            Fault::Unauthenticated => Some(Status::unauthenticated("who are you?")),
            Fault::Partial(count) => {
                records.truncate(total.saturating_sub(count));
                None
            }
            Fault::None | Fault::Slow(_) | Fault::Cut | Fault::Page => None,
        };
        if status.is_some() {
            records.clear();
        }
        let rejected = total - records.len();
        let said = json!({
            "path": self.path, "fault": format!("{:?}", self.fault), "bytes": self.bytes, "test": self.test,
            "rejected": rejected, "records": records,
        });
        print(&said).map_err(|error| Status::internal(error.to_string()))?;
        status.map_or(Ok(rejected as u64), Err)
    }

    fn logs(&self, request: &ExportLogsServiceRequest) -> Result<ExportLogsServiceResponse, Status> {
        let rejected = i64::try_from(self.take(record::logs(request))?).unwrap_or(i64::MAX);
        let message = "too many".to_owned();
        let partial = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: message };
        Ok(ExportLogsServiceResponse { partial_success: (rejected > 0).then_some(partial) })
    }

    fn traces(&self, request: &ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, Status> {
        self.take(record::spans(request))?;
        Ok(ExportTraceServiceResponse::default())
    }

    fn metrics(&self, request: &ExportMetricsServiceRequest) -> Result<ExportMetricsServiceResponse, Status> {
        let metrics = record::metrics(request);
        let said = json!({"path": self.path, "bytes": self.bytes, "test": self.test, "metrics": metrics});
        print(&said).map_err(|error| Status::internal(error.to_string()))?;
        Ok(ExportMetricsServiceResponse::default())
    }
}

#[tonic::async_trait]
impl LogsService for One {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, Status> {
        self.logs(request.get_ref()).map(tonic::Response::new)
    }
}

#[tonic::async_trait]
impl TraceService for One {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        self.traces(request.get_ref()).map(tonic::Response::new)
    }
}

#[tonic::async_trait]
impl MetricsService for One {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        self.metrics(request.get_ref()).map(tonic::Response::new)
    }
}

fn is_metrics(path: &str) -> bool {
    path == "/v1/metrics" || path.contains(".MetricsService/")
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn decode<T: Message + Default>(body: &[u8]) -> Result<T, Status> {
    T::decode(body).map_err(|error| Status::invalid_argument(error.to_string()))
}

fn unpacked(headers: &HeaderMap, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    match headers.get(CONTENT_ENCODING) {
        Some(_) => GzDecoder::new(body).read_to_end(&mut unpacked).map(drop)?,
        None => unpacked.extend_from_slice(body),
    }
    Ok(unpacked)
}

/// The specification's mapping of a status to HTTP, as far as it is used here.
fn over_http(answer: Result<Vec<u8>, Status>) -> Response<Body> {
    let (code, body, wait) = match answer {
        Ok(body) => (StatusCode::OK, body, None),
        Err(status) => {
            let code = match status.code() {
                Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                Code::NotFound => StatusCode::NOT_FOUND,
                _ => StatusCode::BAD_REQUEST,
            };
            let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
            let message = status.message().to_owned();
            let body = tonic_types::Status { code: status.code() as i32, message, details: Vec::new() };
            (code, body.encode_to_vec(), wait)
        }
    };
    let mut response = Response::new(Body::new(Full::new(Bytes::from(body))));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    response
}

/// An answer that breaks after its first bytes.
fn cut(headers: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::new(Broken(false)));
    let kind = if is_grpc(headers) { "application/grpc" } else { "application/x-protobuf" };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

struct Broken(bool);

impl hyper::body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let begun = std::mem::replace(&mut self.0, true);
        Poll::Ready(Some(if begun {
            Err(io::Error::other("cut on purpose"))
        } else {
            Ok(Frame::data(Bytes::from_static(&[0, 0, 0])))
        }))
    }
}
