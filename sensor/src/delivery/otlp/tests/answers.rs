//! What an answer means.

use crate::delivery::otlp::Outcome;
use crate::delivery::otlp::answer::{of_http, of_response, of_status};
use http::{HeaderMap, HeaderValue, StatusCode};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use std::time::{Duration, SystemTime};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

fn http(status: u16, headers: &[(&'static str, &'static str)], body: &[u8]) -> Outcome {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_static(value));
    }
    let status = StatusCode::from_u16(status).unwrap();
    of_http::<ExportLogsServiceResponse>(status, &map, body, "http://c", SystemTime::UNIX_EPOCH)
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Partial { .. } => "partial",
        Outcome::Retry { .. } => "retry",
        Outcome::Unwelcome { .. } => "unwelcome",
        Outcome::Refused { .. } => "refused",
    }
}

#[test]
fn http_statuses_are_as_specified() {
    for (status, means) in [(429, "retry"), (502, "retry"), (503, "retry"), (504, "retry"), (400, "refused")] {
        assert_eq!(name(&http(status, &[], b"")), means, "{status}");
    }
    for (status, means) in
        [(413, "refused"), (500, "refused"), (401, "unwelcome"), (404, "unwelcome"), (302, "unwelcome")]
    {
        assert_eq!(name(&http(status, &[], b"")), means, "{status}");
    }
}

#[test]
fn only_an_otlp_answer_is_a_receipt() {
    assert_eq!(http(200, &[("content-type", "application/x-protobuf")], b""), Outcome::Accepted);
    assert_eq!(http(200, &[("content-type", "application/json")], b"{}"), Outcome::Accepted);
    let page = http(200, &[("content-type", "text/html")], b"<html>\x1b[2J");
    assert!(matches!(&page, Outcome::Unwelcome { reason } if reason.contains("`text/html`")), "{page:?}");
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let after = |value| match http(503, &[("retry-after", value)], b"busy\n\x1b[2J") {
        Outcome::Retry { after, reason } => {
            assert!(reason.ends_with("busy\\u{a}\\u{1b}[2J"), "{reason}");
            after
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(after("7"), Some(Duration::from_secs(7)));
    assert_eq!(after("Thu, 01 Jan 1970 00:02:00 GMT"), Some(Duration::from_secs(120)));
    assert_eq!(after("soon"), None);
}

#[test]
fn grpc_codes_are_as_specified() {
    let of = |code| name(&of_status(&Status::new(code, "x"), "http://c"));
    for code in
        [Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::OutOfRange, Code::Unavailable, Code::DataLoss]
    {
        assert_eq!(of(code), "retry", "{code:?}");
    }
    for code in [Code::InvalidArgument, Code::Internal, Code::Unknown, Code::ResourceExhausted] {
        assert_eq!(of(code), "refused", "{code:?}");
    }
    for code in [Code::Unauthenticated, Code::PermissionDenied, Code::Unimplemented] {
        assert_eq!(of(code), "unwelcome", "{code:?}");
    }
    let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(3)));
    let status = Status::with_error_details(Code::ResourceExhausted, "slow down", details);
    let outcome = of_status(&status, "http://c");
    assert!(matches!(outcome, Outcome::Retry { after: Some(after), .. } if after.as_secs() == 3), "{outcome:?}");
}

#[test]
fn a_partial_success_without_rejections_is_a_success() {
    let of = |rejected_log_records| {
        let partial = ExportLogsPartialSuccess { rejected_log_records, error_message: "hm".to_owned() };
        of_response(ExportLogsServiceResponse { partial_success: Some(partial) })
    };
    assert_eq!((of(0), of(-1)), (Outcome::Accepted, Outcome::Accepted));
    assert_eq!(of(2), Outcome::Partial { rejected: 2, message: "hm".to_owned() });
}
