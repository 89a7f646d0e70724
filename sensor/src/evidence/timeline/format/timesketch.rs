//! CSV and JSON lines for Timesketch.
//!
//! Timesketch asks for `message`, `datetime` (ISO 8601 with an offset) and `timestamp_desc`; `timestamp` is microseconds since 1970. Any
//! further column is an attribute. Ours are the vocabulary's names with underscores for dots: with dots, one name that begins like
//! another (`weir.file.format`, `weir.file.format.confidence`) would be a text and an object at once, which OpenSearch refuses.

use super::super::model::{Entry, Process, Role, Timeline};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::io::{self, Write};

/// The columns of the CSV after those that Timesketch asks for.
const COLUMNS: [&str; 30] = [
    "relative",
    "role",
    "severity",
    "host",
    "process",
    "workload",
    "bytes",
    "weir_event_kind",
    "weir_incident_id",
    "weir_alert_uid",
    "security_rule_name",
    "process_pid",
    "weir_process_id",
    "process_parent_pid",
    "process_executable_path",
    "process_command_line",
    "process_user_id",
    "weir_workload_id",
    "container_id",
    "container_image_name",
    "k8s_namespace_name",
    "k8s_pod_name",
    "file_path",
    "weir_file_new_path",
    "weir_file_class",
    "file_inode",
    "network_peer_address",
    "network_peer_port",
    "server_address",
    "dns_question_name",
];

/// With a header row.
pub fn csv(timeline: &Timeline, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let first = ["message", "datetime", "timestamp", "timestamp_desc"];
    writer.write_record(first.iter().chain(&COLUMNS))?;
    for line in lines(timeline) {
        let cell = |name: &&str| harmless(&line.get(*name).map_or(Cow::Borrowed(""), text)).into_owned();
        writer.write_record(first.iter().chain(&COLUMNS).map(cell))?;
    }
    writer.flush()
}

/// One object a line, with all attributes.
pub fn jsonl(timeline: &Timeline, out: &mut dyn Write) -> io::Result<()> {
    for line in lines(timeline) {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Entries and gaps, by time.
fn lines(timeline: &Timeline) -> impl Iterator<Item = Map<String, Value>> {
    let entries = timeline.entries.iter().map(|entry| (entry.time.nanos, of_entry(timeline, entry)));
    let gaps = timeline.gaps.iter().map(|gap| (gap.from, of_gap(timeline, gap)));
    let mut all: Vec<(u64, Map<String, Value>)> = entries.chain(gaps).collect();
    all.sort_by_key(|(time, _)| *time);
    all.into_iter().map(|(_, line)| line)
}

fn of_entry(timeline: &Timeline, entry: &Entry) -> Map<String, Value> {
    let process = entry.process.as_ref().and_then(|id| timeline.processes.iter().find(|process| process.id == *id));
    let mut line = Map::new();
    for (name, value) in &entry.attributes {
        // What is a tree stays in the other formats.
        if !value.is_object() && !value.as_array().is_some_and(|list| list.iter().any(Value::is_object)) {
            line.insert(name.replace('.', "_"), value.clone());
        }
    }
    let workload = entry.workload.and_then(|index| timeline.workloads.get(index));
    let who = process.map(named);
    let message = match &who {
        Some(who) if !is_told(entry) => format!("{who} {}", entry.sentence),
        _ => entry.sentence.clone(),
    };
    let members = [
        ("relative", Some(json!(entry.relative))),
        ("role", Some(json!(role(entry.role)))),
        ("severity", entry.severity.clone().map(Value::from)),
        ("host", timeline.host.clone().map(Value::from)),
        ("process", who.map(Value::from)),
        ("workload", workload.map(|workload| json!(workload.name))),
        ("bytes", entry.bytes.map(Value::from)),
        ("weir_event_kind", Some(json!(entry.kind))),
    ];
    line.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    required(&mut line, message, entry.time.nanos, &entry.time.text, description(entry));
    line
}

fn of_gap(timeline: &Timeline, gap: &super::super::super::source::Gap) -> Map<String, Value> {
    let mut line = Map::new();
    let (from, message) = (super::super::model::Time::of(gap.from), super::terminal::gap(gap));
    line.insert("weir_event_kind".into(), "gap".into());
    if let Some(host) = &timeline.host {
        line.insert("host".into(), host.as_str().into());
    }
    required(&mut line, message, gap.from, &from.text, "Events missing");
    line
}

fn required(line: &mut Map<String, Value>, message: String, nanos: u64, text: &str, description: &str) {
    line.insert("message".into(), message.into());
    // Nine digits after the point are more than its parsers take.
    let text = text.get(..26).map_or_else(|| text.to_owned(), |start| format!("{start}+00:00"));
    line.insert("datetime".into(), text.into());
    line.insert("timestamp".into(), (nanos / 1_000).into());
    line.insert("timestamp_desc".into(), description.into());
}

fn is_told(entry: &Entry) -> bool {
    ["alert", "incident"].contains(&&*entry.kind)
}

/// `python3[1234]`
fn named(process: &Process) -> String {
    format!("{}[{}]", super::terminal::program(process), process.pid)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Cause => "cause",
        Role::Subject => "subject",
        Role::Effect => "effect",
    }
}

/// What its time is the time of.
fn description(entry: &Entry) -> &'static str {
    let has = |class: &str| {
        let classes = entry.attributes.get("weir.file.class").and_then(Value::as_array);
        classes.is_some_and(|classes| classes.iter().any(|own| own == class))
    };
    match &*entry.kind {
        "alert" => "Rule matched",
        "incident" => "Incident told",
        "exec" => "Process started",
        "fork" => "Process created",
        "exit" => "Process ended",
        "open" if has("weights") => "Weight file opened",
        "open" => "File opened",
        "rename" | "link" | "unlink" | "truncate" => "File changed",
        "transfer" => "Content moved",
        "connect" => "Connection requested",
        "flow" => "Bytes sent",
        "dns" => "Name looked up",
        "hello" => "Secured flow begun",
        "listen" => "Listening begun",
        "process_access" => "Process accessed",
        "mount" | "namespace" | "bpf" | "module" | "tamper" => "System changed",
        _ => "Event time",
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(" ").into(),
        other => other.to_string().into(),
    }
}

/// Spreadsheets take a cell for a formula that begins so (OWASP, CSV injection); behind an apostrophe it is text.
fn harmless(cell: &str) -> Cow<'_, str> {
    let is_number = cell
        .strip_prefix(['+', '-'])
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') if !is_number => format!("'{cell}").into(),
        _ => cell.into(),
    }
}
