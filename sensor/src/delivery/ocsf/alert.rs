//! An alert's part of a finding.

use super::evidence::Evidence;
use super::rest::{Rest, object};
use super::{Part, attack, list, present, time};
use serde_json::{Value, json};

pub(super) fn part(record: &Value) -> Option<Part> {
    let mut rest = Rest::of(record.get("attributes"));
    let uid = rest.text("weir.alert.uid")?;
    let pieces = record.get("evidence").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let evidences = pieces.iter().map(piece).collect();
    // The record repeats its deciding event, which is the last piece of evidence.
    if let Some(decisive) = pieces.last().and_then(|piece| piece.get("attributes")) {
        rest = rest.without(decisive);
    }
    let attacks = attack::of(&mut rest);
    let title = rest.text("security_rule.name");
    let version = rest.text("security_rule.version");
    let name = rest.text("weir.rule.name");
    let analytic = object([
        ("type_id", Some(1.into())),
        ("type", Some("Rule".into())),
        ("uid", rest.text("security_rule.uuid").map(Value::from)),
        ("name", title.clone().or_else(|| name.clone()).map(Value::from)),
        ("version", version.map(Value::from)),
    ]);
    let info = present([
        ("uid", Some(uid.into())),
        ("title", title.map(Value::from)),
        ("desc", rest.text("security_rule.description").map(Value::from)),
        ("analytic", analytic),
        ("attacks", list(attacks)),
    ]);
    Some(Part {
        record_uid: rest.text("log.record.uid"),
        incident: rest.text("weir.incident.id"),
        code: name,
        revision: rest.integer("weir.alert.revision").unwrap_or(0),
        begun: rest.text("weir.alert.begun").as_deref().and_then(time::millis),
        count: rest.integer("weir.alert.suppressed").map(|suppressed| suppressed + 1),
        info,
        remediation: remediation(&rest.texts("weir.rule.first_steps")),
        evidences,
        rest,
    })
}

/// One piece of the proof: `{"rule": .., "time": .., "attributes": {..}}`.
fn piece(piece: &Value) -> Evidence {
    let name = piece.get("rule").and_then(Value::as_str).map(str::to_owned);
    let mut rest = Rest::of(piece.get("attributes"));
    rest.add("time", piece.get("time").cloned());
    Evidence::of(name, rest)
}

fn remediation(steps: &[String]) -> Option<Value> {
    (!steps.is_empty()).then(|| json!({ "desc": steps.join("; ") }))
}
