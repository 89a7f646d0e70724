//! The schema says what the reader takes: held against the example, against the reader's own keys, and against mistakes.

use crate::policy::{SCHEMA, Select};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A validator of the keywords that the schema uses; any other one fails the test. A library for it would be larger than the agent.
fn is_valid(schema: &Value, root: &Value, value: &Value) -> bool {
    let keywords = schema.as_object().expect("a schema is an object");
    keywords.iter().all(|(keyword, argument)| match keyword.as_str() {
        "$schema" | "title" | "description" | "$defs" | "properties" => true,
        "$ref" => {
            let pointer = argument.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference");
            is_valid(root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not there")), root, value)
        }
        "type" => {
            let name = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            argument == name || argument.as_array().is_some_and(|names| names.iter().any(|one| one == name))
        }
        "enum" => argument.as_array().expect("a list").contains(value),
        "anyOf" => argument.as_array().expect("a list").iter().any(|schema| is_valid(schema, root, value)),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| is_valid(argument, root, item))),
        "required" => {
            let keys = argument.as_array().expect("a list").iter().filter_map(Value::as_str);
            value.as_object().is_none_or(|object| keys.into_iter().all(|key| object.contains_key(key)))
        }
        "additionalProperties" => value.as_object().is_none_or(|object| properties(object, keywords, argument, root)),
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= number(argument)),
        "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= number(argument)),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= number(argument)),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= number(argument)),
        "minProperties" => value.as_object().is_none_or(|object| object.len() as u64 >= number(argument)),
        other => panic!("the validator does not know {other}"),
    })
}

fn properties(object: &Map<String, Value>, schema: &Map<String, Value>, others: &Value, root: &Value) -> bool {
    object.iter().all(|(key, value)| match schema.get("properties").and_then(|known| known.get(key)) {
        Some(known) => is_valid(known, root, value),
        None if *others == Value::Bool(false) => false,
        None => is_valid(others, root, value),
    })
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("it is JSON")
}

/// Whether the schema and the reader take it.
fn both(value: &Value) -> (bool, bool) {
    let text = yaml_serde::to_string(value).expect("it is YAML");
    (is_valid(&schema(), &schema(), value), super::policy(&text).is_ok())
}

#[test]
fn the_example_is_valid() {
    let example = include_str!("../../../../rules/policy.example.yml");
    let value: Value = yaml_serde::from_str(example).expect("it is YAML");
    assert_eq!(both(&value), (true, true));
}

#[test]
fn what_the_schema_takes_the_reader_takes_and_no_more() {
    let whole = json!({
        "name": "a", "role": "build",
        "select": {"k8s.namespace.name": ["x", "y*"], "weir.workload.kind": ["host", "container"],
            "weir.workload.labels": {"app": "x", "tier": ["a", "b"]}},
        "loaders": ["/x", {"executables": "/y", "files": ["/a/**"]}], "writers": [],
        "destinations": ["10.0.0.0/8 unlimited", {"to": "a.example.org", "direction": "upload", "budget": "1GB/day"}],
    });
    let with = |pointer: &str, value: Value| {
        let mut changed = whole.clone();
        let (at, key) = pointer.rsplit_once('/').expect("a pointer");
        match changed.pointer_mut(at).expect("it is there") {
            Value::Object(object) => drop(object.insert(key.to_owned(), value)),
            Value::Array(items) => items.push(value),
            _ => panic!("{pointer}"),
        }
        both(&json!({ "workloads": [changed] }))
    };
    assert_eq!(with("/role", json!("build")), (true, true));
    for (pointer, value) in [
        ("/role", json!(null)),
        ("/select/container.id", json!("3f2a*")),
        ("/loaders", json!([])),
        ("/loaders", json!(null)),
        ("/destinations/-", json!({"to": "b.example.org"})),
    ] {
        assert_eq!(with(pointer, value.clone()), (true, true), "{pointer} {value}");
    }
    for (pointer, value) in [
        ("/role", json!("server")),
        ("/other", json!(1)),
        ("/name", json!("")),
        ("/name", json!(7)),
        ("/select", json!([])),
        ("/select/other", json!("x")),
        ("/select/container.id", json!(7)),
        ("/select/container.id", json!([])),
        ("/select/weir.workload.kind", json!("pod")),
        ("/select/weir.workload.labels", json!({})),
        ("/loaders", json!("/x")),
        ("/loaders/-", json!({"executable": "/x"})),
        ("/loaders/-", json!({"executables": []})),
        ("/destinations/-", json!({"to": "b.example.org", "direction": "up"})),
        ("/destinations/-", json!({"budget": "1GB/day"})),
        ("/destinations/-", json!({"to": "b.example.org", "other": 1})),
    ] {
        assert_eq!(with(pointer, value.clone()), (false, false), "{pointer} {value}");
    }
}

/// The reader says what it knows when it meets something else.
#[test]
fn the_schema_has_the_readers_keys() {
    let keys = |pointer: &str| -> BTreeSet<String> {
        let schema = schema();
        let properties = schema.pointer(pointer).and_then(Value::as_object).expect("properties");
        properties.keys().cloned().collect()
    };
    let known = |text: &str| -> BTreeSet<String> {
        let said = super::policy(text).expect_err("it is wrong").to_string();
        let (_, known) = said.split_once("it can be ").unwrap_or_else(|| panic!("{said}"));
        known.split(", ").map(str::to_owned).collect()
    };
    assert_eq!(known("zzz: 1"), keys("/properties"));
    assert_eq!(known("workloads: [{zzz: 1}]"), keys("/$defs/entry/properties"));
    assert_eq!(known("workloads: [{select: {zzz: 1}}]"), keys("/$defs/select/properties"));
    assert_eq!(known("workloads: [{loaders: [{zzz: 1}]}]"), keys("/$defs/program/anyOf/1/properties"));
    assert_eq!(known("workloads: [{destinations: [{zzz: 1}]}]"), keys("/$defs/destination/anyOf/1/properties"));
    assert!(Select::deserialize(serde_json::json!({})).is_ok());
}
