//! Alerts and incidents arrive whole, over each protocol, packed or not.

use super::support::{PROTOCOLS, UID, alert, deliver, incident, receiver, settings};

#[test]
fn alerts_and_incidents_arrive_as_log_records_and_spans() {
    for protocol in PROTOCOLS {
        for compression in ["none", "gzip"] {
            let mut receiver = receiver(&[]);
            let endpoint = format!("http://127.0.0.1:{}", receiver.port);
            let settings = settings(&[
                ("ENDPOINT", &endpoint),
                ("PROTOCOL", protocol),
                ("COMPRESSION", compression),
                ("HEADERS", "x-weir-test=a%20b"),
            ]);
            assert_eq!(deliver(vec![alert(1), alert(2), incident(3)], &settings), []);
            receiver.until("logs and traces", |requests| requests.len() >= 2).unwrap();
            assert!(receiver.requests.iter().all(|request| request["test"] == "a b"), "{:#?}", receiver.requests);
            let logs = [receiver.records("/v1/logs"), receiver.records("LogsService")].concat();
            // Two alerts, the incident, and what each of its two processes did.
            assert_eq!(logs.len(), 5, "{protocol} {compression}: {:#?}", receiver.requests);
            let first = logs[0];
            assert_eq!(first["resource"]["container.id"], "abc");
            assert_eq!(first["scope"], "weir");
            assert_eq!((&first["event_name"], &first["severity_number"]), (&"weir.alert".into(), &17.into()));
            assert_eq!(first["body"], "Process 1 sent weights.");
            assert_eq!(first["attributes"]["weir.alert.evidence"][0]["attributes"]["file.path"], "/models/m");
            assert_eq!(first["trace_id"], UID.replace('-', ""));
            let spans = [receiver.records("/v1/traces"), receiver.records("TraceService")].concat();
            let [root, parent, child] = &spans[..] else { panic!("{spans:#?}") };
            assert_eq!((&root["name"], &root["parent_span_id"]), (&"weir.incident".into(), &"".into()));
            assert_eq!(logs[2]["span_id"], root["span_id"]);
            assert_eq!((&logs[3]["span_id"], &logs[4]["span_id"]), (&parent["span_id"], &child["span_id"]));
            assert_eq!((&logs[3]["event_name"], &logs[3]["trace_id"]), (&"weir.event.open".into(), &root["trace_id"]));
            assert_eq!((&parent["parent_span_id"], &child["parent_span_id"]), (&root["span_id"], &parent["span_id"]));
            assert_eq!((&child["name"], &child["events"][0]), (&"sh".into(), &"open".into()));
        }
    }
}
