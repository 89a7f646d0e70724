//! How many bytes an alert is on the wire. Numbers, no limits: printed with `--nocapture`.

use super::support::{PROTOCOLS, alert, call, receiver, settings};
use sensor::delivery::otlp::Outcome;

#[test]
fn bytes_of_an_alert_on_the_wire() {
    for protocol in PROTOCOLS {
        for count in [1, 16, 256] {
            let mut sizes = Vec::new();
            for compression in ["none", "gzip"] {
                let mut receiver = receiver(&[]);
                let endpoint = format!("http://127.0.0.1:{}", receiver.port);
                let settings =
                    settings(&[("ENDPOINT", &endpoint), ("PROTOCOL", protocol), ("COMPRESSION", compression)]);
                let alerts: Vec<_> = (0..count).map(alert).collect();
                assert_eq!(call(&alerts, &settings), Outcome::Accepted);
                receiver.until("a request", |requests| !requests.is_empty()).unwrap();
                sizes.push(receiver.requests[0]["bytes"].as_u64().unwrap() / count);
            }
            let json = alert(count).bytes.len();
            println!(
                "{protocol}, {count} in a request: {} B an alert plain, {} B gzip; {json} B of JSON",
                sizes[0], sizes[1]
            );
            assert!(sizes[1] < sizes[0], "gzip packs: {sizes:?}");
        }
    }
}
