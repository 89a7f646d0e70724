//! Formats: what their readers publish as rules.

use super::super::anchor::Anchor;
use super::super::format::{Format, write};
use super::super::model::Timeline;
use super::{INCIDENT, Scene, ask, theft};
use crate::evidence::source::Gap;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn written(timeline: &Timeline, format: Format) -> String {
    let mut out = Vec::new();
    write(timeline, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn incident() -> Timeline {
    ask(&mut theft(), Anchor::Incident(INCIDENT.into())).unwrap()
}

/// Names that are meant for terminals, spreadsheets and parsers.
fn hostile() -> Timeline {
    let mut scene = Scene::default();
    let names = [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\u{1b}]0;x\u{7}",
        "\u{202e}gpj",
        "a,b\"c\nd",
        "<script>",
    ];
    for name in names {
        scene.does("mallory-1", json!({
            "weir.event.kind": "open", "file.path": name, "weir.file.access": "read", "process.executable.path": name,
            "process.command_args": [name], "server.address": name, "weir.workload.id": name, "container.name": name,
        }));
    }
    let first = scene.rows[0].time;
    scene.gaps.push(Gap {
        from: first,
        to: first,
        place: "kernel".into(),
        cause: "=\u{1b}[2Jx".into(),
        kind: Some("open".into()),
        count: None,
    });
    ask(&mut scene, Anchor::Process("mallory-1".into())).unwrap()
}

/// github.com/google/timesketch, docs/guides/user/import-from-json-csv.md: these are in each line, the time in ISO 8601 with an offset.
fn is_timesketch(line: &dyn Fn(&str) -> Option<String>) {
    let message = line("message").unwrap();
    assert!(!message.is_empty());
    assert!(!line("timestamp_desc").unwrap().is_empty());
    let datetime = line("datetime").unwrap();
    let parsed = humantime::parse_rfc3339(&datetime.replace("+00:00", "Z")).unwrap();
    assert!(datetime.ends_with("+00:00"), "{datetime}");
    let micros = parsed.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    assert_eq!(line("timestamp").unwrap(), micros.to_string());
}

#[test]
fn timesketch_takes_the_csv() {
    for timeline in [incident(), hostile()] {
        let text = written(&timeline, Format::TimesketchCsv);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        assert_eq!(header.iter().collect::<BTreeSet<_>>().len(), header.len(), "each column once");
        let mut lines = 0;
        for record in reader.records() {
            let record = record.unwrap();
            let cell =
                |name: &str| header.iter().position(|own| own == name).and_then(|at| record.get(at)).map(str::to_owned);
            is_timesketch(&cell);
            lines += 1;
        }
        assert_eq!(lines, timeline.entries.len() + timeline.gaps.len());
    }
}

#[test]
fn no_cell_is_a_formula() {
    let text = written(&hostile(), Format::TimesketchCsv);
    let mut cells = 0;
    for record in csv::Reader::from_reader(text.as_bytes()).records() {
        for cell in &record.unwrap() {
            let is_number =
                cell.trim_start_matches(['+', '-']).parse::<f64>().is_ok() && !cell[1..].contains(['+', '-']);
            assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            cells += usize::from(cell.starts_with('\''));
        }
    }
    assert!(cells >= 6, "there were some to make harmless");
}

#[test]
fn timesketch_takes_the_json_lines() {
    for timeline in [incident(), hostile()] {
        let text = written(&timeline, Format::TimesketchJsonl);
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let object = line.as_object().unwrap();
            assert!(
                object.keys().all(|name| !name.contains('.')),
                "a name that begins like another would be two things"
            );
            assert!(object.values().all(|value| !value.is_object()));
            is_timesketch(&|name| {
                object.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            });
        }
        assert_eq!(text.lines().count(), timeline.entries.len() + timeline.gaps.len());
    }
}

#[test]
fn a_terminal_is_obeyed_by_nothing_that_others_wrote() {
    let text = anstream::adapter::strip_str(&written(&hostile(), Format::Terminal)).to_string();
    assert!(text.contains("\\u{1b}]0;x\\u{7}") && text.contains("\\u{202e}gpj"), "{text}");
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text}");
    assert!(text.contains("Gap: between "), "{text}");
}

#[test]
fn a_terminal_shows_tree_and_order() {
    let text = anstream::adapter::strip_str(&written(&incident(), Format::Terminal)).to_string();
    let place = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word} is not in: {text}"));
    let order = [
        "CRITICAL In container",
        "Processes",
        "└─ python3[18321]",
        "held 5.2 MB sent 5.2 MB",
        "Time line",
        "opened /models/llama/model.safetensors for read (5.2 MB, weights)",
        "gave 4.1 MB to file /shared/metrics.db",
        "sent, in all, 5.2 MB to 198.51.100.1:37695",
        "reports of growth",
    ];
    let places = order.map(place);
    assert!(places.is_sorted(), "{places:?}");
    assert!(!text.contains("gave 196 kB"), "growth between the first and the last is not shown");
}

#[test]
fn json_is_the_model_and_lines_are_its_parts() {
    let timeline = incident();
    let again: Timeline = serde_json::from_str(&written(&timeline, Format::Json)).unwrap();
    assert_eq!(again, timeline);
    let lines: Vec<Value> =
        written(&timeline, Format::Jsonl).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!(
        (count("timeline"), count("process"), count("entry")),
        (1, timeline.processes.len(), timeline.entries.len())
    );
    assert_eq!(lines[0]["incident"], INCIDENT);
}

#[test]
fn alerts_are_findings_with_their_proof() {
    let timeline = incident();
    let findings: Vec<Value> =
        written(&timeline, Format::Ocsf).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = timeline.entries.iter().filter(|entry| ["alert", "incident"].contains(&&*entry.kind)).count();
    assert_eq!(findings.len(), told);
    assert!(findings.iter().all(|finding| finding["class_uid"] == 2004 && finding["time"].as_u64() > Some(0)));
    let theft = findings.iter().find(|finding| finding["metadata"]["event_code"] == "model_theft").unwrap();
    assert_eq!(theft["evidences"].as_array().unwrap().len(), 2);
}

#[test]
fn a_stix_bundle_refers_to_what_is_in_it_and_is_the_same_each_time() {
    for timeline in [incident(), hostile()] {
        let text = written(&timeline, Format::Stix);
        assert_eq!(text, written(&timeline, Format::Stix));
        let bundle: Value = serde_json::from_str(&text).unwrap();
        let objects = bundle["objects"].as_array().unwrap();
        let ids: BTreeSet<&str> = objects.iter().map(|object| object["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), objects.len(), "each once");
        for object in objects {
            for (name, value) in object.as_object().unwrap() {
                let references: Vec<&str> = match value {
                    Value::String(one) if name.ends_with("_ref") => vec![one],
                    Value::Array(list) if name.ends_with("_refs") => {
                        list.iter().map(|one| one.as_str().unwrap()).collect()
                    }
                    _ => continue,
                };
                assert!(!references.is_empty() && references.iter().all(|id| ids.contains(id)), "{name} of {object}");
            }
        }
    }
    let bundle: Value = serde_json::from_str(&written(&incident(), Format::Stix)).unwrap();
    let objects = bundle["objects"].as_array().unwrap();
    let of = |kind: &str| objects.iter().filter(|object| object["type"] == kind).collect::<Vec<_>>();
    assert_eq!(of("incident").len(), 1);
    assert!(!of("attack-pattern").is_empty() && of("attack-pattern").len() == of("sighting").len());
    let sent = of("network-traffic").iter().filter_map(|traffic| traffic["src_byte_count"].as_u64()).max();
    assert_eq!(sent, Some(5_243_304));
}
