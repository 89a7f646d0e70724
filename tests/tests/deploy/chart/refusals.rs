//! Values that are wrong are refused, in words that say which and how.

use super::{Outcome, helm};
use std::ffi::OsStr;

#[test]
fn what_is_mistyped_is_told() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let cases: &[(&[&str], &str)] = &[
        (&["otlp.endpont=http://c"], "otlp: Additional property endpont is not allowed"),
        (&["tolerationz=x"], "(root): Additional property tolerationz is not allowed"),
        (&["probes.liveness.checks=running"], "probes.liveness: Additional property checks is not allowed"),
        (&["kernelBefore511=maybe"], "kernelBefore511: Invalid type. Expected: boolean, given: string"),
        (&["otlp.protocol=http"], "otlp.protocol must be one of the following: \"http/protobuf\", \"grpc\""),
        (&["spool.bytes=12"], "spool.bytes: Must be greater than or equal to 65536"),
        (&["rules.files.own\\.txt=x"], "rules.files: Property name of \"own.txt\" does not match"),
        (&["config.otpl.endpoint=x"], "config: Additional property otpl is not allowed"),
        (&["otlp.endpoint=collector:4317"], "like http://collector.observability:4318"),
        (&["capabilities={ALL}"], "capabilities has ALL: name those that the sensor needs"),
        (&["capabilities={CAP_BPF}"], "capabilities has CAP_BPF: Kubernetes wants BPF"),
        (&["capabilities={bpf}"], "capabilities has \"bpf\": write it in capitals"),
        (&["appArmor=unconfined"], "it can be Unconfined, RuntimeDefault, Localhost/NAME or empty"),
        (&["pinning.dir=/run/weir"], "name a directory right below /sys/fs/bpf"),
        (&["pinning.dir=/sys/fs/bpf/../weir/x"], "name a directory right below /sys/fs/bpf"),
        (&["otlp.ca.secret=a", "otlp.ca.configMap=b"], "otlp.ca names a Secret and a ConfigMap: name one of them"),
    ];
    for (values, words) in cases {
        let chart = helm.chart();
        let mut arguments = vec![OsStr::new("template"), OsStr::new("weir"), chart.as_os_str()];
        arguments.extend(values.iter().flat_map(|value| ["--set", *value]).map(OsStr::new));
        let output = helm.run(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{values:?} is taken");
        assert!(said.contains(words), "{values:?}: {words:?} is not in: {said}");
    }
    Ok(())
}

#[test]
fn a_kubernetes_that_is_too_old_is_told() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let said = helm.template("old", "1.28", &[]).expect_err("1.28 is not supported").to_string();
    assert!(said.contains("requires kubeVersion: >=1.29.0-0"), "{said}");
    Ok(())
}
