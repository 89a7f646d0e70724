//! Techniques and tactics of ATT&CK and ATLAS.
//!
//! A rule names techniques and tactics side by side, not which technique serves which tactic. So each is an attack object of its own:
//! OCSF asks for one of the two.

use super::rest::{Rest, object};
use serde_json::{Value, json};

/// The attack objects of a rule.
pub(super) fn of(rest: &mut Rest) -> Vec<Value> {
    let version = rest.text("weir.attack.version");
    let mut attacks: Vec<Value> =
        rest.texts("weir.attack.ids").iter().filter_map(|id| technique(id, version.as_deref())).collect();
    attacks.extend(rest.texts("weir.attack.tactics").iter().filter_map(|name| tactic(name, version.as_deref())));
    let version = rest.text("weir.atlas.version");
    attacks.extend(rest.texts("weir.atlas.ids").iter().filter_map(|id| technique(id, version.as_deref())));
    attacks
}

/// `T1048`, `T1048.003`, `AML.T0025`, `AML.T0048.004`.
fn technique(id: &str, version: Option<&str>) -> Option<Value> {
    // Behind the T, so that the dot of `AML.T` is none.
    let digits = id.rfind('T')?;
    let parent = id.get(digits..)?.find('.').and_then(|dot| id.get(..digits + dot));
    object([
        ("technique", Some(json!({ "uid": parent.unwrap_or(id) }))),
        ("sub_technique", parent.map(|_| json!({ "uid": id }))),
        ("version", version.map(Value::from)),
    ])
}

/// `command-and-control`, as Sigma's tags have it; its ATT&CK name is written so: `Command and Control`.
fn tactic(tag: &str, version: Option<&str>) -> Option<Value> {
    let word = |word: &str| match (word, word.get(..1), word.get(1..)) {
        ("and", ..) => word.to_owned(),
        (_, Some(first), Some(others)) => first.to_uppercase() + others,
        _ => word.to_owned(),
    };
    let name = tag.split('-').map(word).collect::<Vec<_>>().join(" ");
    object([("tactic", Some(json!({ "name": name }))), ("version", version.map(Value::from))])
}
