//! What is in the ConfigMaps and on the command line: understood by the Weir of this checkout.

use super::{DEFAULT, Outcome, cases, find, helm, installed, place, pod, resources};
use sensor::config::Config;
use sensor::delivery::otlp::{Body, Settings};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use tests::helm::Helm;
use tests::locate;

/// What a key of a ConfigMap says.
fn key<'r>(resources: &'r [Value], map: &str, key: &str) -> Result<&'r str, Box<dyn Error>> {
    let map = find(resources, "ConfigMap", map).ok_or("no such ConfigMap")?;
    Ok(map["data"][key].as_str().ok_or("no such key")?)
}

/// The container's variables, with those in them replaced as kubelet does it.
fn variables(container: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default().to_owned();
        let given = if name == "NODE_NAME" { "gpu-7" } else { "authorization=hush" };
        let value = variable["value"].as_str().unwrap_or(given).replace("$(NODE_NAME)", "gpu-7");
        all.insert(name, value);
    }
    all
}

#[test]
fn weir_takes_its_configuration() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    for case in cases()? {
        let resources = installed(&helm, &case, &[])?;
        let config = Config::parse(key(&resources, "-config", "weir.yml")?, &"weir.yml".into())?;
        let (_, container) = pod(&resources)?;
        let environment = variables(container);
        let otlp = Settings::new(|name| environment.get(name).cloned(), &config.otlp, "weir.yml")?;
        assert_eq!(otlp.logs.is_some(), matches!(&*case, "kube" | "existing" | "full"), "{case}");
        assert_eq!(otlp.resource["host.name"], "gpu-7", "{case}");
        assert_eq!(otlp.resource["k8s.node.name"], "gpu-7", "{case}");
        assert_eq!(config.evidence.directory.is_some(), case == "no_pinning", "{case}: evidence");
        if case == "full" {
            assert_eq!((otlp.body, otlp.metrics.is_none()), (Body::Ocsf, true));
            assert_eq!(otlp.resource["deployment.environment.name"], "prod");
            assert_eq!(otlp.resource["k8s.cluster.name"], "gpu-west");
            assert_eq!(config.evidence.bytes, Some(8 << 30));
            assert_eq!(config.spool.limits().bytes, 256 << 20);
            let logs = otlp.logs.ok_or("no logs")?;
            let authorities = logs.authorities.ok_or("no authorities")?;
            assert!(format!("{authorities:?}").contains("/etc/ssl/weir/ca/ca.pem"), "{authorities:?}");
            assert!(logs.identity.is_some());
        }
    }
    Ok(())
}

#[test]
fn weir_takes_rules_lists_and_policy() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let check = |arguments: &[&OsStr]| -> Result<String, Box<dyn Error>> {
        let output = Command::new(locate::weir()?).args(arguments).output()?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(out.into_owned()) } else { Err(format!("{arguments:?}: {err}").into()) }
    };
    let mut counts = Vec::new();
    for case in [DEFAULT, "full"] {
        let resources = installed(&helm, case, &[])?;
        // As they are mounted.
        let mount = tempfile::tempdir()?;
        let (rules, policy) = (mount.path().join("rules.d"), mount.path().join("policy.yml"));
        fs::create_dir_all(rules.join("lists"))?;
        for (map, directory) in [("-rules", rules.clone()), ("-lists", rules.join("lists"))] {
            let map = find(&resources, "ConfigMap", map).ok_or("no such ConfigMap")?;
            for (name, text) in map["data"].as_object().into_iter().flatten() {
                fs::write(directory.join(name), text.as_str().unwrap_or_default())?;
            }
        }
        fs::write(&policy, key(&resources, "-policy", "policy.yml")?)?;
        let said = check(&[OsStr::new("rules"), OsStr::new("check"), rules.as_os_str()])?;
        counts.push(said.split(' ').next().unwrap_or_default().parse::<usize>()?);
        let said = check(&[OsStr::new("policy"), OsStr::new("check"), policy.as_os_str()])?;
        assert!(said.starts_with(if case == DEFAULT { "0 entries" } else { "1 entries" }), "{said}");
    }
    assert!(matches!(counts.as_slice(), [without, with] if *with == without + 1), "{counts:?}");
    Ok(())
}

/// What the command line and the variables name, `weir run --help` names as well: nothing else tells of a variable that nobody reads.
#[test]
fn weir_knows_its_arguments_and_variables() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let help = Command::new(locate::weir()?).args(["run", "--help"]).env("COLUMNS", "200").output()?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let names = |what: &str| {
        help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).any(|word| word == what)
    };
    assert!(names("--rules") && names("WEIR_RUNTIME_SOCKET") && !names("--rule"), "{help}");
    for case in cases()? {
        let resources = installed(&helm, &case, &[])?;
        let (_, container) = pod(&resources)?;
        assert_eq!(container["command"], serde_json::json!(["/usr/bin/weir"]));
        let arguments: Vec<&str> =
            container["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(arguments.first(), Some(&"run"));
        let own = arguments.iter().skip(1).map(|argument| argument.split('=').next().unwrap_or_default().to_owned());
        let variables = variables(container);
        let own = own.chain(variables.into_keys().filter(|name| name.starts_with("WEIR_")));
        for name in own {
            assert!(names(&name), "{case}: `weir run` does not know {name}");
        }
    }
    Ok(())
}

#[test]
fn the_version_is_that_of_the_program() -> Outcome {
    let chart: Value = yaml_serde::from_str(&fs::read_to_string(place("deploy/chart/Chart.yaml"))?)?;
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    Ok(())
}

/// The notes, which `helm template` does not show: as a ConfigMap of a copy of the chart.
fn notes(helm: &Helm, set: &[&str]) -> Result<String, Box<dyn Error>> {
    let copy = tempfile::tempdir()?;
    let status = Command::new("cp").arg("-r").arg(helm.chart()).arg(copy.path().join("weir")).status()?;
    assert!(status.success());
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n\
                data: {notes: {{ include (print $.Template.BasePath \"/NOTES.txt\") . | quote }}}\n";
    fs::write(copy.path().join("weir/templates/notes.yaml"), text)?;
    let chart = copy.path().join("weir");
    let mut arguments =
        ["template", "weir", "--namespace", "weir", "--show-only", "templates/notes.yaml"].map(OsStr::new).to_vec();
    arguments.push(chart.as_os_str());
    arguments.extend(set.iter().flat_map(|value| ["--set", *value]).map(OsStr::new));
    let output = helm.run(arguments)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let resources = resources(&String::from_utf8_lossy(&output.stdout))?;
    Ok(key(&resources, "notes", "notes")?.to_owned())
}

#[test]
fn the_notes_tell_the_next_step() -> Outcome {
    let Some(helm) = helm()? else { return Ok(()) };
    let said = notes(&helm, &[])?;
    for words in
        ["rollout status daemonset/weir", "-- /usr/bin/weir doctor", "No collector is set", "rm -r /sys/fs/bpf/weir"]
    {
        assert!(said.contains(words), "{words:?} is not in:\n{said}");
    }
    assert!(!said.contains("Pinning is off"), "{said}");
    let said = notes(&helm, &["otlp.endpoint=http://c:4318", "pinning.enabled=false", "clusterName=x"])?;
    assert!(said.contains("Alerts go to http://c:4318") && said.contains("Pinning is off"), "{said}");
    assert!(!said.contains("No collector") && !said.contains("clusterName") && !said.contains("rm -r"), "{said}");
    Ok(())
}
