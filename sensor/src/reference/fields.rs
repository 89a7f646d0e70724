//! docs/fields.md

use super::{GENERATED, plain, samples};
use crate::event::{Event, Field, Stability, Value};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const HEAD: &str = "
# Fields

What rules, filters, `weir events --format json`, alerts and the evidence call the parts of an event. A field that an event does
not have is absent, never empty or zero. Names are those of OpenTelemetry's semantic conventions; what has no convention is under
`weir.` and keeps its meaning within a major version.

- **type**: `text`, `integer` (0 to 2^64 - 1), `number`, `boolean`, `list` of texts.
- **unit**: as UCUM and OpenTelemetry write it: `By` bytes, `1` a share, `{x}` a number of x. Integers without one are ids or codes.
- **events**: the kinds (`weir.event.kind`) that can carry it.
- **origin**: `stable` or `development` in OpenTelemetry's conventions (1.44), or Weir's own.
";

/// All fields, as Markdown.
pub fn fields() -> String {
    let samples = samples::all();
    let kinds_of = |field: Field| -> BTreeSet<&str> {
        samples.iter().filter(|event| field.get(event).is_some()).map(|event| event.body.kind_name()).collect()
    };
    // Most events are somebody's, and carry whose: said once.
    let shared = [("of a process", kinds_of(Field::ProcessPid)), ("of a workload", kinds_of(Field::WorkloadId))];
    let mut out = format!("{GENERATED}{HEAD}");
    for (name, kinds) in &shared {
        let _ = writeln!(out, "- *{name}*: {}.", quoted(kinds));
    }
    let mut sections: Vec<(&str, String)> = Vec::new();
    for field in Field::ALL {
        let kinds = kinds_of(*field);
        let kinds = match shared.iter().find(|(_, shared)| *shared == kinds) {
            _ if kinds.len() == samples::kinds(&samples).len() => "all".to_owned(),
            Some((name, _)) => format!("*{name}*"),
            None => quoted(&kinds),
        };
        let (name, doc) = (field.name(), plain(field.doc()));
        let kind = kind(*field, &samples).unwrap_or("unknown");
        let row = format!("| `{name}` | {kind} | {} | {kinds} | {} | {doc} |\n", unit(*field), origin(*field));
        match sections.iter_mut().find(|(group, _)| *group == self::group(*field)) {
            Some((_, rows)) => rows.push_str(&row),
            None => sections.push((group(*field), row)),
        }
    }
    for (group, rows) in sections {
        let _ = writeln!(out, "\n## {group}\n\n| name | type | unit | events | origin | what it says |");
        let _ = write!(out, "|---|---|---|---|---|---|\n{rows}");
    }
    out
}

/// What the fields of a section have in common: the first part of their names, the second of our own.
fn group(field: Field) -> &'static str {
    let name = field.name();
    let own = name.strip_prefix("weir.");
    let first = own.unwrap_or(name).split('.').next().unwrap_or(name);
    match first {
        "event" | "hook" => "event",
        "process" | "thread" => "process",
        "container" | "k8s" | "workload" | "systemd" | "slurm" | "cgroup" => "workload",
        "file" | "io_uring" => "file",
        "network" | "connection" | "server" | "flow" | "tls" => "network",
        "security_rule" | "filters" | "classes" => "rules",
        other => other,
    }
}

fn quoted(kinds: &BTreeSet<&str>) -> String {
    kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
}

/// The type of its values, as they are.
pub(super) fn kind(field: Field, samples: &[Event]) -> Option<&'static str> {
    samples.iter().find_map(|event| field.get(event)).map(|value| match value {
        Value::Text(_) => "text",
        Value::Number(_) => "integer",
        Value::Ratio(_) => "number",
        Value::Flag(_) => "boolean",
        Value::List(_) => "list",
    })
}

fn unit(field: Field) -> &'static str {
    let last = field.name().rsplit('.').next().unwrap_or_default();
    match last {
        "size" | "new_size" => "By",
        _ if last == "bytes" || last.ends_with("_bytes") => "By",
        _ if last == "fraction" || last.ends_with("_fraction") || last == "over_budget" => "1",
        "packets" => "{packet}",
        "links" => "{name}",
        "distinct_labels" => "{name}",
        "count" if field == Field::LostCount => "{event}",
        "count" if field == Field::RulesCount => "{rule}",
        "count" if field == Field::FiltersCount => "{filter}",
        "sources" if field == Field::HeldSources => "{file}",
        _ => "",
    }
}

fn origin(field: Field) -> &'static str {
    match field.stability() {
        Stability::Stable => "stable",
        Stability::Development => "development",
        Stability::Weir => "Weir",
    }
}
