//! Rendered whole.

use super::{DEFAULT, Outcome, cases, find, helm, installed, place, render, resources, versions};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;

#[test]
fn helm_has_nothing_to_say_against_it() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    for case in cases()? {
        let mut arguments = vec![OsStr::new("lint").to_owned(), "--strict".into(), helm.chart().into()];
        if case != DEFAULT {
            arguments
                .extend(["--values".into(), place(&format!("tests/tests/deploy/chart/values/{case}.yaml")).into()]);
        }
        let output = helm.run(&arguments)?;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{case}: {said}");
        assert!(!said.contains("[WARNING]") && !said.contains("[ERROR]"), "{case}: {said}");
    }
    Ok(())
}

#[test]
fn every_version_of_kubernetes_takes_it() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let versions = versions(&helm)?;
    assert!(versions.len() >= 9 && versions.iter().any(|version| version == "1.37"), "{versions:?}");
    let mut rendered = Vec::new();
    for case in cases()? {
        for version in &versions {
            rendered.push(render(&helm, &case, version, &[])?);
        }
    }
    let looked_at = helm.validate(&rendered)?.map_err(|wrong| format!("Kubernetes refuses it:\n{wrong}"))?;
    assert!(looked_at >= 6 * rendered.len(), "{looked_at} resources in {} renderings", rendered.len());
    // The check is a check: a field that nobody knows, deep inside, is an error.
    let mut wrong = render(&helm, DEFAULT, "1.30", &[])?;
    wrong.text = wrong.text.replace("readOnlyRootFilesystem", "readonlyRootFilesystem");
    let said = helm.validate(&[wrong])?.expect_err("a field that nobody knows");
    assert!(said.contains("'readonlyRootFilesystem' was unexpected"), "{said}");
    Ok(())
}

#[test]
fn the_plain_manifests_are_the_chart() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let there = fs::read_to_string(helm.manifests_path())?;
    let mend = "deploy/kubernetes/weir.yaml is not what the chart gives: run `cargo xtask manifests` and commit";
    for version in versions(&helm)?.iter().filter(|version| *version != "1.29") {
        let made = helm.manifests_for(version)?;
        let line = there.lines().zip(made.lines()).take_while(|(a, b)| a == b).count() + 1;
        assert!(there == made, "Kubernetes {version}, from line {line}: {mend}");
    }
    // The namespace is the one that they are for, and kustomize takes each file.
    let read = |name: &str| fs::read_to_string(place(&format!("deploy/kubernetes/{name}")));
    let namespace = resources(&read("namespace.yaml")?)?;
    let label = |name: &str| format!("/metadata/labels/pod-security.kubernetes.io~1{name}");
    let namespace = find(&namespace, "Namespace", "weir").ok_or("no namespace")?;
    assert_eq!(namespace.pointer(&label("enforce")).and_then(Value::as_str), Some("privileged"));
    let kustomization: Value = yaml_serde::from_str(&read("kustomization.yaml")?)?;
    assert_eq!(kustomization["resources"], serde_json::json!(["namespace.yaml", "weir.yaml"]));
    for resource in resources(&there)? {
        let cluster_wide = matches!(resource["kind"].as_str(), Some("ClusterRole" | "ClusterRoleBinding"));
        assert!(cluster_wide || resource["metadata"]["namespace"] == "weir", "{}", resource["kind"]);
    }
    Ok(())
}

#[test]
fn a_pod_restarts_for_its_configuration_and_for_nothing_that_is_read_again() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let template = |set: &[&str]| -> Result<Value, Box<dyn std::error::Error>> {
        let resources = installed(&helm, DEFAULT, set)?;
        Ok(super::pod(&resources)?.0.clone())
    };
    let before = template(&[])?;
    for value in [
        "otlp.endpoint=http://c:4318",
        "spool.bytes=70000",
        "evidence.days=3",
        "evidence.enabled=false",
        "config.runtimes=none",
        "otlp.resource.a=b",
    ] {
        let set: &[&str] =
            if value.starts_with("otlp.resource") { &["otlp.endpoint=http://c", value] } else { &[value] };
        let after = template(set)?;
        let sum = "/metadata/annotations/checksum~1config";
        assert_ne!(before.pointer(sum), after.pointer(sum), "{value} does not restart the pods");
    }
    for value in ["rules.files.a\\.yml=x", "lists.files.a\\.txt=x", "policy.text=x", "networkPolicy.enabled=true"] {
        assert_eq!(before, template(&[value])?, "{value} restarts the pods");
    }
    Ok(())
}
