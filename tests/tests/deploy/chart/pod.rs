//! The pod, part by part: what is mounted, probed, tolerated, replaced.

use super::{DEFAULT, Outcome, find, helm, installed, pod, render, resources};
use serde_json::{Value, json};

#[test]
fn configuration_is_mounted_whole() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    for (case, names) in
        [(DEFAULT, ["weir-rules", "weir-lists", "weir-policy"]), ("existing", ["soc-rules", "soc-lists", "soc-policy"])]
    {
        let resources = installed(&helm, case, &[])?;
        let (template, container) = pod(&resources)?;
        let mounts = container["volumeMounts"].as_array().ok_or("no mounts")?;
        // kubelet never replaces a file that is mounted by itself.
        assert!(mounts.iter().all(|mount| mount.get("subPath").is_none()), "{case}");
        let places = ["/etc/weir/rules.d", "/etc/weir/rules.d/lists", "/etc/weir/policy.d"];
        for (name, place) in names.into_iter().zip(places) {
            let mount = mounts.iter().find(|mount| mount["mountPath"] == place).ok_or(place)?;
            let volumes = template["spec"]["volumes"].as_array().ok_or("no volumes")?;
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).ok_or(place)?;
            assert_eq!(volume["configMap"]["name"], name, "{case}");
            assert_eq!(mount["readOnly"], true, "{place}");
            // Ours are made here, somebody else's are not.
            assert_eq!(find(&resources, "ConfigMap", name).is_some(), case == DEFAULT, "{name}");
        }
    }
    Ok(())
}

#[test]
fn probes_ask_the_socket_and_a_new_pod_comes_beside_the_old_one() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let resources = installed(&helm, DEFAULT, &[])?;
    let (_, container) = pod(&resources)?;
    for (probe, check) in [("startupProbe", "running"), ("livenessProbe", "running"), ("readinessProbe", "whole")] {
        let command = json!(["/usr/bin/weir", "status", "--check", check]);
        assert_eq!(container[probe]["exec"]["command"], command, "{probe}");
        // `weir status` gives up after five seconds by itself, and says why.
        assert!(container[probe]["timeoutSeconds"].as_u64() > Some(5), "{probe}");
    }
    let strategy = |case: &str| -> Result<Value, Box<dyn std::error::Error>> {
        let resources = installed(&helm, case, &[])?;
        Ok(find(&resources, "DaemonSet", "").ok_or("no DaemonSet")?["spec"]["updateStrategy"].clone())
    };
    let rolling = |surge: u32, unavailable: u32| json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable } });
    assert_eq!(strategy(DEFAULT)?, rolling(1, 0));
    // Without anything that is left for it, two agents would only be in each other's way.
    assert_eq!(strategy("no_pinning")?, rolling(0, 1));
    assert_eq!(strategy("full")?, json!({ "type": "OnDelete" }));
    Ok(())
}

#[test]
fn it_runs_on_every_node_unless_told_otherwise() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let resources = installed(&helm, DEFAULT, &[])?;
    let (template, container) = pod(&resources)?;
    assert_eq!(template["spec"]["tolerations"], json!([{ "operator": "Exists" }]));
    assert_eq!(template["spec"]["nodeSelector"], json!({ "kubernetes.io/os": "linux" }));
    // Throttled, it would lose events.
    assert_eq!(container["resources"]["limits"].get("cpu"), None);
    assert!(container["resources"]["limits"]["memory"].is_string());
    // What a system class of priority may need.
    let quota = find(&resources, "ResourceQuota", "weir").ok_or("no quota")?;
    let of = quota.pointer("/spec/scopeSelector/matchExpressions/0/values");
    assert_eq!(of, Some(&json!([template["spec"]["priorityClassName"]])));
    assert!(find(&installed(&helm, "full", &[])?, "ResourceQuota", "").is_none());

    let resources = installed(&helm, "digest", &[])?;
    let (template, container) = pod(&resources)?;
    assert_eq!(template["spec"]["tolerations"][0]["key"], "nvidia.com/gpu");
    assert_eq!(template["spec"]["tolerations"].as_array().map(Vec::len), Some(1));
    let image = container["image"].as_str().ok_or("no image")?;
    assert!(image.starts_with("ghcr.io/weir-sensor/weir@sha256:0011"), "{image}");
    Ok(())
}

#[test]
fn the_network_is_closed_but_for_whom_it_reports_to() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    assert!(find(&installed(&helm, DEFAULT, &[])?, "NetworkPolicy", "").is_none());
    let resources = installed(&helm, "kube", &[])?;
    let policy = find(&resources, "NetworkPolicy", "weir").ok_or("no policy")?;
    assert_eq!(policy["spec"]["ingress"], json!([]));
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    let egress = policy["spec"]["egress"].as_array().ok_or("no egress")?;
    let ports = |rule: &Value| -> Vec<u64> {
        let ports = rule["ports"].as_array().into_iter().flatten();
        ports.filter_map(|port| port["port"].as_u64()).collect()
    };
    assert_eq!(egress.iter().map(ports).collect::<Vec<_>>(), [vec![53, 53], vec![4317], vec![443, 6443]]);
    assert!(egress.get(1).is_some_and(|rule| rule["to"][0]["namespaceSelector"].is_object()), "{egress:?}");
    // A port that the endpoint does not name is that of its scheme.
    for (endpoint, port) in [("https://c.example.org", 443), ("http://c.example.org/v1", 80), ("http://[::1]:9", 9)] {
        let set = ["networkPolicy.enabled=true", &format!("otlp.endpoint={endpoint}")];
        let resources = installed(&helm, DEFAULT, &set)?;
        let policy = find(&resources, "NetworkPolicy", "weir").ok_or("no policy")?;
        assert_eq!(policy.pointer("/spec/egress/1/ports/0/port"), Some(&json!(port)), "{endpoint}");
        assert_eq!(policy["spec"]["egress"].as_array().map(Vec::len), Some(2), "the API server is not asked");
    }
    Ok(())
}

#[test]
fn apparmor_is_a_field_or_an_annotation() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let annotation = "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1weir";
    for (case, old, new) in [
        (DEFAULT, json!("unconfined"), json!({ "type": "Unconfined" })),
        ("full", json!("localhost/weir"), json!({ "type": "Localhost", "localhostProfile": "weir" })),
        ("openshift", Value::Null, Value::Null),
    ] {
        for (version, field) in [("1.29", false), ("1.30", true), ("1.37", true)] {
            let resources = resources(&render(&helm, case, version, &[])?.text)?;
            let (template, container) = pod(&resources)?;
            let said = container["securityContext"].get("appArmorProfile").cloned().unwrap_or_default();
            let noted = template.pointer(annotation).cloned().unwrap_or_default();
            let wanted = if field { (new.clone(), Value::Null) } else { (Value::Null, old.clone()) };
            assert_eq!((said, noted), wanted, "{case}, Kubernetes {version}");
        }
    }
    Ok(())
}
