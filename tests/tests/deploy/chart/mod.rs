//! The Helm chart, and the plain manifests that are made from it: valid for every version of Kubernetes that it says it is for, equal to
//! each other, no more privileged than the README says, and understood by Weir.
//!
//! `values/` has the ways in which it is installed, each a file; `DEFAULT` is without any.

mod contents;
mod pod;
mod refusals;
mod resources;
mod security;

use super::{Outcome, files, place};
use serde_json::Value;
use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use tests::helm::{Helm, Rendered};
use tests::skip;

/// The oldest version of Kubernetes that is supported.
const OLDEST: &str = "1.29";
/// No file of values.
const DEFAULT: &str = "default";

/// Helm, or a line that says why there is none.
fn helm() -> Result<Option<Helm>, Box<dyn Error>> {
    // target/PROFILE/deps/NAME
    let running = std::env::current_exe()?;
    let target = running.ancestors().nth(3).ok_or("no target directory")?;
    match Helm::find(&place(""), target)? {
        Ok(helm) => Ok(Some(helm)),
        Err(why) => {
            skip::say(&format!("the Helm chart: {why}"));
            Ok(None)
        }
    }
}

/// The versions from [`OLDEST`] on.
fn versions(helm: &Helm) -> Result<Vec<String>, Box<dyn Error>> {
    let all = helm.versions()?;
    let from = all.iter().position(|version| version == OLDEST).ok_or("no schemas for the oldest version")?;
    Ok(all.get(from..).unwrap_or_default().to_vec())
}

/// The names of the ways to install it.
fn cases() -> Result<Vec<String>, Box<dyn Error>> {
    let name = |path: &Path| path.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let mut cases: Vec<String> =
        files("tests/tests/deploy/chart/values", "yaml")?.iter().map(|path| name(path)).collect();
    cases.insert(0, DEFAULT.to_owned());
    Ok(cases)
}

/// The chart as `case` installs it, on that version of Kubernetes, with more values set.
fn render(helm: &Helm, case: &str, version: &str, set: &[&str]) -> Result<Rendered, Box<dyn Error>> {
    let values = place(&format!("tests/tests/deploy/chart/values/{case}.yaml"));
    let mut arguments: Vec<&OsStr> = Vec::new();
    if case != DEFAULT {
        arguments.extend([OsStr::new("--values"), values.as_os_str()]);
    }
    for value in set {
        arguments.extend(["--set", *value].map(OsStr::new));
    }
    Ok(helm.template(case, version, &arguments)?)
}

/// The resources in it.
fn resources(text: &str) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut all = Vec::new();
    for document in yaml_serde::Deserializer::from_str(text) {
        let value: Value = serde::Deserialize::deserialize(document)?;
        if !value.is_null() {
            all.push(value);
        }
    }
    Ok(all)
}

/// The resource of this kind whose name ends so.
fn find<'r>(resources: &'r [Value], kind: &str, name: &str) -> Option<&'r Value> {
    resources.iter().find(|resource| {
        let named = resource.pointer("/metadata/name").and_then(Value::as_str);
        resource["kind"] == kind && named.is_some_and(|named| named.ends_with(name))
    })
}

/// The chart as `case` installs it, on the newest version that this repository makes manifests for.
fn installed(helm: &Helm, case: &str, set: &[&str]) -> Result<Vec<Value>, Box<dyn Error>> {
    resources(&render(helm, case, "1.30", set)?.text)
}

/// The pods that the DaemonSet makes, and the container in them.
fn pod(resources: &[Value]) -> Result<(&Value, &Value), Box<dyn Error>> {
    let daemons = find(resources, "DaemonSet", "").ok_or("no DaemonSet")?;
    let containers = daemons.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let [container] = containers.ok_or("no containers")?.as_slice() else { return Err("not one container".into()) };
    assert_eq!(daemons.pointer("/spec/template/spec/initContainers"), None, "what else runs?");
    Ok((&daemons["spec"]["template"], container))
}
