//! What the pod may do: exactly what deploy/chart/README.md explains.

use super::{DEFAULT, Outcome, cases, find, helm, installed, place, pod};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// What every kernel from 5.11 on needs.
const CAPABILITIES: [&str; 5] = ["BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"];

#[test]
fn the_container_may_do_what_it_needs_and_no_more() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    for case in cases()? {
        let resources = installed(&helm, &case, &[])?;
        let (template, container) = pod(&resources)?;
        let (spec, context) = (&template["spec"], &container["securityContext"]);
        let mut capabilities = CAPABILITIES.to_vec();
        if case == "old_kernel" {
            capabilities.push("SYS_RESOURCE");
        }
        assert_eq!(context["capabilities"], json!({ "drop": ["ALL"], "add": capabilities }), "{case}");
        for (key, value) in [
            ("privileged", json!(false)),
            ("allowPrivilegeEscalation", json!(false)),
            ("readOnlyRootFilesystem", json!(true)),
            ("runAsUser", json!(0)),
        ] {
            assert_eq!(context[key], value, "{case}: {key}");
        }
        let seccomp = if case == "full" { "Localhost" } else { "RuntimeDefault" };
        assert_eq!(context["seccompProfile"]["type"], seccomp, "{case}");
        let selinux = if matches!(&*case, "openshift" | "full") { json!({ "type": "spc_t" }) } else { Value::Null };
        assert_eq!(context.get("seLinuxOptions").cloned().unwrap_or_default(), selinux, "{case}");
        assert_eq!((&spec["hostPID"], &spec["hostNetwork"]), (&json!(true), &json!(false)), "{case}");
        assert_eq!(spec.get("hostIPC"), None, "{case}");
        assert_eq!(container.get("ports"), None, "{case}: it listens nowhere");
        // Whatever is in the text: the word stands with `false` only.
        let text = serde_json::to_string(&resources)?;
        assert!(!text.contains("\"privileged\":true") && !text.contains("SYS_ADMIN"), "{case}");
    }
    Ok(())
}

#[test]
fn there_is_a_token_only_where_the_api_server_is_asked() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    for case in cases()? {
        let asks = case == "kube";
        let resources = installed(&helm, &case, &[])?;
        let (template, container) = pod(&resources)?;
        assert_eq!(template["spec"]["automountServiceAccountToken"], asks, "{case}");
        let arguments = container["args"].as_array().ok_or("no arguments")?;
        assert_eq!(arguments.contains(&json!("--kube")), asks, "{case}");
        if let Some(account) = find(&resources, "ServiceAccount", "") {
            assert_eq!(account["automountServiceAccountToken"], false, "{case}");
        }
        let volumes = serde_json::to_string(&template["spec"]["volumes"])?;
        assert!(!volumes.contains("serviceAccountToken"), "{case}");
        let roles: Vec<&Value> = resources.iter().filter(|resource| resource["kind"] == "ClusterRole").collect();
        assert_eq!(roles.len(), usize::from(asks), "{case}");
        for role in roles {
            let rights = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"] }]);
            assert_eq!(role["rules"], rights);
        }
        let bound = |kind: &str| resources.iter().any(|resource| resource["kind"] == kind);
        assert_eq!(bound("ClusterRoleBinding"), asks, "{case}");
        // The right to use SecurityContextConstraints is that of OpenShift's own role.
        assert_eq!(bound("RoleBinding"), case == "openshift", "{case}");
        assert!(!bound("Role"), "{case}");
    }
    Ok(())
}

/// The first cells of the tables in the README: what is explained.
fn explained() -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(place("deploy/chart/README.md"))?;
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    Ok(cells.map(|(cell, _)| cell.to_owned()).collect())
}

#[test]
fn the_readme_explains_whatever_exceeds_the_baseline() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let explained = explained()?;
    let mut used = BTreeSet::new();
    for case in cases()? {
        let resources = installed(&helm, &case, &[])?;
        let (template, container) = pod(&resources)?;
        let volumes = template["spec"]["volumes"].as_array().into_iter().flatten();
        let paths = volumes.filter_map(|volume| volume.pointer("/hostPath/path")?.as_str());
        let capabilities = container.pointer("/securityContext/capabilities/add").and_then(Value::as_array);
        let capabilities = capabilities.into_iter().flatten().filter_map(Value::as_str);
        used.extend(paths.map(|path| format!("hostPath {path}")));
        used.extend(capabilities.map(|capability| format!("capability {capability}")));
        used.extend(["hostPID", "runAsUser: 0", "appArmor: Unconfined"].map(str::to_owned));
        if container.pointer("/securityContext/seLinuxOptions/type").is_some() {
            used.insert("seLinuxOptions: {type: spc_t}".to_owned());
        }
    }
    // These two are what a value says; the README has their defaults.
    for path in ["hostPath /data/weir", "hostPath /run/crio"] {
        assert!(used.remove(path), "{path} is in no file of values any more");
    }
    let missing: Vec<_> = used.difference(&explained).collect();
    assert!(missing.is_empty(), "deploy/chart/README.md does not explain {missing:?}");
    let idle: Vec<_> = explained.difference(&used).collect();
    assert!(idle.is_empty(), "deploy/chart/README.md explains {idle:?}, which no pod has");
    Ok(())
}

#[test]
fn secrets_are_in_no_config_map() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let resources = installed(&helm, "full", &[])?;
    let (template, container) = pod(&resources)?;
    let variables = container["env"].as_array().ok_or("no variables")?;
    let headers = variables.iter().find(|variable| variable["name"] == "OTEL_EXPORTER_OTLP_HEADERS");
    let from = headers.ok_or("no headers")?.pointer("/valueFrom/secretKeyRef");
    assert_eq!(from, Some(&json!({ "name": "token", "key": "headers" })));
    let volumes = template["spec"]["volumes"].as_array().ok_or("no volumes")?;
    let secrets: Vec<&Value> = volumes.iter().filter_map(|volume| volume.pointer("/secret/secretName")).collect();
    assert_eq!(secrets, ["ca", "sensor-tls"]);
    assert!(find(&installed(&helm, DEFAULT, &[])?, "Secret", "").is_none(), "the chart makes none");
    Ok(())
}
