//! A collector that does wrong: every alert arrives at least once, and twice only under one uid.

use super::support::{PROTOCOLS, alert, call, deliver, receiver, retry_reason, settings};
use sensor::delivery::otlp::{Outcome, Settings};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tests::receiver::Receiver;

fn to(receiver: &Receiver, protocol: &str) -> Settings {
    let endpoint = format!("http://127.0.0.1:{}", receiver.port);
    settings(&[("ENDPOINT", &endpoint), ("PROTOCOL", protocol), ("TIMEOUT", "1500")])
}

/// The uids of the log records that were taken. Nothing else is sent by these tests.
fn uids(requests: &[Value]) -> BTreeSet<String> {
    let records = requests.iter().filter_map(|request| request["records"].as_array()).flatten();
    records.map(|record| record["attributes"]["log.record.uid"].as_str().unwrap().to_owned()).collect()
}

fn all(count: u64) -> BTreeSet<String> {
    (0..count).map(|id| format!("alert-{id}/0")).collect()
}

#[test]
fn whatever_fails_all_of_them_arrive() {
    for protocol in PROTOCOLS {
        for fault in ["unavailable", "cut", "slow:4000", "partial:3", "refuse"] {
            let mut receiver = receiver(&["--faults", fault]);
            let aside = deliver((0..8).map(alert).collect(), &to(&receiver, protocol));
            assert_eq!(aside, [], "{protocol} {fault}");
            receiver.until(fault, |requests| requests.len() >= 2).unwrap();
            receiver.until(fault, |requests| uids(requests) == all(8)).unwrap();
        }
    }
}

#[test]
fn one_that_is_refused_is_set_aside_with_the_collectors_words() {
    for protocol in PROTOCOLS {
        let mut receiver = receiver(&["--poison", "alert-5/0"]);
        let aside = deliver((0..8).map(alert).collect(), &to(&receiver, protocol));
        let [(5, reason)] = &aside[..] else { panic!("{protocol}: {aside:?}") };
        assert!(reason.starts_with("http://127.0.0.1:") && reason.ends_with("poisoned"), "{reason}");
        let mut others = all(8);
        others.remove("alert-5/0");
        receiver.until("the others", |requests| uids(requests) == others).unwrap();
    }
}

#[test]
fn a_hint_when_to_come_back_is_honoured() {
    for protocol in PROTOCOLS {
        let receiver = receiver(&["--faults", "retry-after:2"]);
        let settings = to(&receiver, protocol);
        let begun = Instant::now();
        assert_eq!(deliver(vec![alert(1)], &settings), []);
        assert!(begun.elapsed() >= Duration::from_secs(2), "{protocol}: {:?}", begun.elapsed());
    }
}

#[test]
fn what_goes_wrong_is_said_with_the_mend() {
    for protocol in PROTOCOLS {
        let receiver = receiver(&["--faults", "unauthenticated,retry-after:7,page,slow:4000"]);
        let settings = to(&receiver, protocol);
        let outcome = call(&[alert(1)], &settings);
        assert!(
            matches!(&outcome, Outcome::Unwelcome { reason } if reason.contains("who are you?; check the credentials in headers (OTEL_EXPORTER_OTLP_HEADERS)")),
            "{outcome:?}"
        );
        assert_eq!(retry_reason(call(&[alert(1)], &settings)).0, Some(Duration::from_secs(7)));
        let outcome = call(&[alert(1)], &settings);
        assert!(!matches!(outcome, Outcome::Accepted | Outcome::Partial { .. }), "a page is no receipt: {outcome:?}");
        let (_, reason) = retry_reason(call(&[alert(1)], &settings));
        assert!(reason.ends_with("has not answered within 1500 ms (timeout)"), "{reason}");
    }
}

#[test]
fn a_collector_that_is_not_there_is_named_and_no_secret_with_it() {
    for protocol in PROTOCOLS {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let settings = settings(&[("ENDPOINT", &endpoint), ("PROTOCOL", protocol), ("HEADERS", "authorization=hush")]);
        let (_, reason) = retry_reason(call(&[alert(1)], &settings));
        let begins =
            format!("{endpoint} cannot be reached (Connection refused (os error 111)); check that the collector runs");
        assert!(reason.starts_with(&begins), "{reason}");
        assert!(!reason.contains("hush"));
    }
}

#[test]
fn a_collector_that_comes_later_gets_all_of_it() {
    for protocol in PROTOCOLS {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let settings = settings(&[("ENDPOINT", &endpoint), ("PROTOCOL", protocol)]);
        let sending = std::thread::spawn(move || deliver((0..600).map(alert).collect(), &settings));
        let mut receiver = receiver(&["--listen", &format!("127.0.0.1:{port}")]);
        assert_eq!(sending.join().unwrap(), []);
        receiver.until("all", |requests| uids(requests) == all(600)).unwrap();
    }
}
