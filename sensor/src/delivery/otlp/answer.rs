//! What a collector's answer means for the records of a request.
//!
//! Which codes are tried again is the OTLP specification's (opentelemetry.io/docs/specs/otlp, "Failures"). It knows one more kind of
//! answer than "again" and "never": that nothing of ours is taken here, because a credential or the address is wrong. What is wrong
//! then is the configuration and not the records, so they stay in the spool while somebody mends it.

use crate::alert::{VALUE_MAX, escape};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::time::{Duration, SystemTime};
use tonic::Code;
use tonic_types::StatusExt as _;

/// What came of one export call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The collector has all of it.
    Accepted,
    /// It has all but some, and does not say which.
    Partial {
        /// How many it has not.
        rejected: u64,
        /// Why, in its words.
        message: String,
    },
    /// Not now: no connection, or the collector asks to wait.
    Retry {
        /// How long it asks to wait, if it does.
        after: Option<Duration>,
        /// What happened, and the mend if there is one.
        reason: String,
    },
    /// It takes nothing from this sensor: a wrong credential, or a wrong address.
    Unwelcome {
        /// What it said, and the mend.
        reason: String,
    },
    /// It will never take this request.
    Refused {
        /// What it said.
        reason: String,
    },
}

/// An answer to an export: what it says was rejected, and why.
pub(super) trait Response: Message + Default {
    fn partial(self) -> Option<(i64, String)>;
}

impl Response for ExportLogsServiceResponse {
    fn partial(self) -> Option<(i64, String)> {
        self.partial_success.map(|partial| (partial.rejected_log_records, partial.error_message))
    }
}

impl Response for ExportTraceServiceResponse {
    fn partial(self) -> Option<(i64, String)> {
        self.partial_success.map(|partial| (partial.rejected_spans, partial.error_message))
    }
}

/// Of a call that went well.
pub(super) fn of_response(response: impl Response) -> Outcome {
    let (rejected, message) = response.partial().unwrap_or_default();
    match u64::try_from(rejected) {
        Ok(rejected @ 1..) => Outcome::Partial { rejected, message: shown(&message) },
        _ => {
            if !message.is_empty() {
                // "A warning": everything was taken.
                tracing::warn!(message = %shown(&message), "the collector took the records and warns");
            }
            Outcome::Accepted
        }
    }
}

/// Of a gRPC status that a collector gave.
pub(super) fn of_status(status: &tonic::Status, endpoint: &str) -> Outcome {
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let said = format!("{endpoint} answers {:?}: {}", status.code(), shown(status.message()));
    match status.code() {
        Code::Ok => Outcome::Accepted,
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Outcome::Retry { after, reason: said },
        // Without a hint it means that there is no getting over it: a message that is too large.
        Code::ResourceExhausted if after.is_some() => Outcome::Retry { after, reason: said },
        Code::Unauthenticated | Code::PermissionDenied => Outcome::Unwelcome { reason: credentials(&said) },
        Code::Unimplemented | Code::NotFound => Outcome::Unwelcome {
            reason: format!(
                "{said}; check that it receives this signal over gRPC (usually at port 4317), or set the protocol to http/protobuf"
            ),
        },
        Code::Unknown
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Internal => Outcome::Refused { reason: said },
    }
}

/// Of an HTTP answer.
pub(super) fn of_http<R: Response>(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    endpoint: &str,
    now: SystemTime,
) -> Outcome {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_protobuf = kind.starts_with("application/x-protobuf");
    if status.is_success() {
        return of_success::<R>(kind, is_protobuf, body, endpoint);
    }
    // A failure's body is a google.rpc.Status.
    let message = if is_protobuf { tonic_types::Status::decode(body).ok().map(|status| status.message) } else { None };
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
    let said = format!("{endpoint} answers {status}: {}", shown(&message));
    match status.as_u16() {
        429 | 502 | 503 | 504 => Outcome::Retry { after: retry_after(headers, now), reason: said },
        401 | 403 | 407 => Outcome::Unwelcome { reason: credentials(&said) },
        404 | 405 | 415 | 426 => Outcome::Unwelcome {
            reason: format!(
                "{said}; check the path, and that it receives this signal over HTTP (usually at port 4318)"
            ),
        },
        300..=399 => {
            Outcome::Unwelcome { reason: format!("{said}; redirects are not followed, so name the address itself") }
        }
        _ => Outcome::Refused { reason: said },
    }
}

fn of_success<R: Response>(kind: &str, is_protobuf: bool, body: &[u8], endpoint: &str) -> Outcome {
    // An empty message is no bytes.
    if is_protobuf || body.is_empty() {
        match R::decode(body) {
            Ok(response) => return of_response(response),
            Err(error) => tracing::debug!(%error, "an answer that is no protobuf"),
        }
    }
    if kind.starts_with("application/json") && matches!(body.trim_ascii(), b"{}" | br#"{"partialSuccess":{}}"#) {
        return Outcome::Accepted;
    }
    // A proxy's page with 200 is no receipt.
    let kind = shown(kind);
    Outcome::Unwelcome {
        reason: format!("{endpoint} answers 200 with `{kind}` and not as OTLP; check host, port and path"),
    }
}

/// `Retry-After`: seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

fn credentials(said: &str) -> String {
    format!("{said}; check the credentials in headers (OTEL_EXPORTER_OTLP_HEADERS) or the client certificate")
}

/// Of words from outside: harmless and bounded.
fn shown(text: &str) -> String {
    if text.is_empty() { "(nothing)".to_owned() } else { escape(text, VALUE_MAX).to_string() }
}
