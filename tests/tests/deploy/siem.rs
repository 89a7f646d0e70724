//! deploy/siem: the fleet's rules and the shipped ones are converted, and the fleet's are run in SQLite.

use super::place;
use serde_json::Value;
use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tests::skip;

/// What the rules say of records; nothing where pySigma cannot be had, which is said.
pub fn over(records: &[&Value]) -> Result<Option<Value>, Box<dyn Error>> {
    let mut command = Command::new("python3");
    command.arg(place("tests/siem/fleet.py")).arg(place("target"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    // It may end without reading: then its status says why.
    let _ = child.stdin.take().ok_or("no pipe")?.write_all(lines.as_bytes());
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(Some(serde_json::from_slice(&output.stdout)?)),
        Some(77) => {
            skip::say(&format!("the fleet's rules: {}", said.trim()));
            Ok(None)
        }
        status => Err(format!("{status:?}: {said}").into()),
    }
}

/// An alert of rule egress_first_destination.
fn alert(host: &str, workload: &str, destination: &str, source: &str, seconds: u64) -> Value {
    serde_json::json!({
        "resource": {"host.name": host},
        "event_name": "weir.alert",
        "time_unix_nano": (1_790_000_000 + seconds) * 1_000_000_000,
        "attributes": {
            "log.record.uid": format!("{workload}-{destination}/0"), "weir.rule.name": "egress_first_destination",
            "weir.workload.id": workload, "weir.destination.id": destination,
            "weir.source.path": source, "weir.source.size": 4096,
        },
    })
}

#[test]
fn fleet_rules_hold_over_nodes_and_not_below_their_numbers() -> Result<(), Box<dyn Error>> {
    const WEEK: u64 = 7 * 86_400;
    let (a, b) = ("198.51.100.1", "198.51.100.2");
    // Three workloads of two nodes to one destination; three others have the same weights and go to one each.
    let mut records = vec![
        alert("node-a", "w1", a, "/models/a", 0),
        alert("node-a", "w2", a, "/models/b", 10),
        alert("node-b", "w3", a, "/models/c", 20),
        alert("node-a", "w4", "198.51.100.4", "/models/d", 30),
        alert("node-b", "w5", "198.51.100.5", "/models/d", 40),
        alert("node-c", "w6", "198.51.100.6", "/models/d", 50),
    ];
    // One workload twice, two others: two a week, and a third when the first has left the window.
    for (number, seconds) in (0_u64..).zip([0, 60, 2 * WEEK]) {
        records.push(alert("node-d", &format!("x{}", number / 2), b, "/models/e", seconds));
    }
    // What is sent again is one.
    records.push(records[0].clone());
    let Some(said) = over(&records.iter().collect::<Vec<_>>())? else { return Ok(()) };
    let one = said["fired"]["fleet_one_destination"].as_array().ok_or("no rule")?;
    assert_eq!(one.len(), 1, "{said:#}");
    assert_eq!(one[0]["group"]["weir.destination.id"], a);
    assert_eq!((&one[0]["count"], &one[0]["hosts"]), (&3.into(), &serde_json::json!(["node-a", "node-b"])));
    let same = said["fired"]["fleet_same_weights"].as_array().ok_or("no rule")?;
    assert_eq!(same.len(), 1, "{said:#}");
    assert_eq!(same[0]["group"]["weir.source.path"], "/models/d");
    assert_eq!(same[0]["hosts"], serde_json::json!(["node-a", "node-b", "node-c"]));
    converted(&said["converted"])
}

/// What is not converted, docs/scale.md says.
fn converted(targets: &Value) -> Result<(), Box<dyn Error>> {
    let none = ["lucene", "opensearch_lucene"];
    for (target, found) in targets.as_object().ok_or("no targets")? {
        let fleet: Vec<&str> = found["fleet"].as_array().ok_or("none")?.iter().filter_map(Value::as_str).collect();
        let expected: &[&str] =
            if none.contains(&&**target) { &[] } else { &["fleet_one_destination", "fleet_same_weights"] };
        assert_eq!(fleet, expected, "{target}: {found}");
        let failed = found["failed"].as_object().ok_or("none")?;
        let page = std::fs::read_to_string(place("docs/scale.md"))?;
        let row = format!("| `{target}` | {} |", failed.len());
        assert!(page.contains(&row), "docs/scale.md has no {row:?}: {failed:#?}");
        for name in failed.keys() {
            assert!(page.contains(&format!("`{name}`")), "docs/scale.md does not say that {name} has no {target}");
        }
    }
    Ok(())
}
