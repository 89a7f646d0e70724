//! TLS and client certificates, right and wrong.

use super::support::{PROTOCOLS, alert, call, receiver, retry_reason, settings};
use sensor::delivery::otlp::Outcome;
use std::path::Path;
use tests::receiver::{Authority, Issued, Receiver};

struct Scene {
    _directory: tempfile::TempDir,
    authority: Authority,
    stranger: Authority,
    server: Issued,
    client: Issued,
}

impl Scene {
    fn new() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new(directory.path(), "authority").unwrap();
        let stranger = Authority::new(directory.path(), "stranger").unwrap();
        let (server, client) = (authority.issue("localhost").unwrap(), authority.issue("weir").unwrap());
        Scene { _directory: directory, authority, stranger, server, client }
    }

    fn receiver(&self, with_clients: bool) -> Receiver {
        let mut arguments = vec!["--certificate", text(&self.server.certificate), "--key", text(&self.server.key)];
        if with_clients {
            arguments.extend(["--clients", text(&self.authority.certificate)]);
        }
        receiver(&arguments)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn sent(endpoint: &str, protocol: &str, more: &[(&str, &Path)]) -> Outcome {
    let mut variables = vec![("ENDPOINT", endpoint), ("PROTOCOL", protocol)];
    variables.extend(more.iter().map(|(key, path)| (*key, text(path))));
    call(&[alert(1)], &settings(&variables))
}

#[test]
fn tls_with_the_right_authority_and_no_other() {
    let scene = Scene::new();
    for protocol in PROTOCOLS {
        let receiver = scene.receiver(false);
        let endpoint = format!("https://localhost:{}", receiver.port);
        let right = [("CERTIFICATE", &*scene.authority.certificate)];
        assert_eq!(sent(&endpoint, protocol, &right), Outcome::Accepted);
        let (_, reason) = retry_reason(sent(&endpoint, protocol, &[("CERTIFICATE", &scene.stranger.certificate)]));
        assert!(reason.contains("of an authority that is not trusted; name the authority's file"), "{reason}");
        let numeric = format!("https://127.0.0.1:{}", receiver.port);
        let (_, reason) = retry_reason(sent(&numeric, protocol, &right));
        assert!(reason.contains("for another name"), "{reason}");
        // Without TLS where there is TLS, and the other way round.
        let plain = retry_or_other(sent(&endpoint.replace("https", "http"), protocol, &[]));
        assert!(!plain.is_empty());
    }
    let receiver = receiver(&[]);
    for protocol in PROTOCOLS {
        let endpoint = format!("https://localhost:{}", receiver.port);
        let (_, reason) = retry_reason(sent(&endpoint, protocol, &[("CERTIFICATE", &scene.authority.certificate)]));
        assert!(reason.contains("does not speak TLS; write the endpoint with http://"), "{reason}");
    }
}

/// The words of whatever is not a success.
fn retry_or_other(outcome: Outcome) -> String {
    match outcome {
        Outcome::Retry { reason, .. } | Outcome::Unwelcome { reason } | Outcome::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_certificate_is_shown_and_asked_for() {
    let scene = Scene::new();
    for protocol in PROTOCOLS {
        let receiver = scene.receiver(true);
        let endpoint = format!("https://localhost:{}", receiver.port);
        let authority = ("CERTIFICATE", &*scene.authority.certificate);
        let own = |issued: &Issued| {
            let (certificate, key) = (issued.certificate.clone(), issued.key.clone());
            let more = [authority, ("CLIENT_CERTIFICATE", &*certificate), ("CLIENT_KEY", &*key)];
            sent(&endpoint, protocol, &more)
        };
        assert_eq!(own(&scene.client), Outcome::Accepted);
        let (_, reason) = retry_reason(sent(&endpoint, protocol, &[authority]));
        assert!(reason.contains("asks for a certificate of the sensor"), "{protocol}: {reason}");
        assert!(reason.contains("set client_certificate and client_key (OTEL_"), "{protocol}: {reason}");
        let (_, reason) = retry_reason(own(&scene.stranger.issue("other").unwrap()));
        assert!(reason.contains("check that client_certificate is of an authority that it trusts"), "{reason}");
    }
}
