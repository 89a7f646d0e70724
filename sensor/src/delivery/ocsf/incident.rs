//! An incident's part of a finding: what its alerts prove together.

use super::evidence::Evidence;
use super::rest::{Rest, object};
use super::{Part, list, present, time};
use serde_json::{Value, json};

pub(super) fn part(record: &Value) -> Option<Part> {
    let mut rest = Rest::of(record.get("attributes"));
    let uid = rest.text("weir.incident.id")?;
    let whole = record.get("incident");
    let parts =
        |name: &str| whole.and_then(|whole| whole.get(name)).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let evidences = [("source", "sources"), ("process", "processes"), ("destination", "destinations")]
        .into_iter()
        .flat_map(|(name, list)| {
            parts(list).iter().map(move |part| Evidence::of(Some(name.into()), Rest::of(Some(part))))
        })
        .collect();
    rest.add("left_out", whole.and_then(|whole| whole.get("left_out")).filter(|left| **left != json!({})).cloned());
    let analytics = parts("rules").iter().filter_map(analytic).collect();
    let info = present([
        ("uid", Some(uid.clone().into())),
        ("title", Some("Incident: findings that share provenance".into())),
        // No kind of OCSF's: neither a rule nor statistics, but what joins the findings of rules.
        ("analytic", Some(json!({ "type_id": 99, "type": "Provenance", "name": "Incident", "uid": "weir.incident" }))),
        ("related_analytics", list(analytics)),
    ]);
    Some(Part {
        record_uid: rest.text("log.record.uid"),
        incident: Some(uid),
        code: Some("incident".into()),
        revision: rest.integer("weir.incident.revision").unwrap_or(0),
        begun: rest.text("weir.incident.began").as_deref().and_then(time::millis),
        count: rest.integer("weir.incident.alerts"),
        info,
        remediation: None,
        evidences,
        rest,
    })
}

fn analytic(rule: &Value) -> Option<Value> {
    let mut rest = Rest::of(Some(rule));
    let (uid, name) = (rest.text("security_rule.uuid"), rest.text("weir.rule.name"));
    if uid.is_none() && name.is_none() {
        return None;
    }
    object([
        ("type_id", Some(1.into())),
        ("type", Some("Rule".into())),
        ("uid", uid.map(Value::from)),
        ("name", name.map(Value::from)),
    ])
}
