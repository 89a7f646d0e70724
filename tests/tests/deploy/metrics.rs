//! deploy/dashboards and deploy/alerts: every query can be read, and asks for nothing that Weir does not send.

use super::names::{labels, metrics, translated};
use super::{Outcome, files, place};
use serde_json::Value;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tests::scene::Directory;
use tests::skip;

/// A query, and where it is written.
struct Query {
    at: String,
    text: String,
    /// PromQL; else LogQL.
    prometheus: bool,
}

/// All queries of dashboards and rules, with the variables of dashboards filled in.
fn queries() -> Result<Vec<Query>, Box<dyn Error>> {
    let mut queries = Vec::new();
    for path in files("deploy/dashboards", "json")? {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert_eq!(dashboard["uid"], format!("weir-{name}"), "the same in every Grafana");
        let mut sources = BTreeSet::new();
        for panel in dashboard["panels"].as_array().ok_or("no panels")? {
            let title = panel["title"].as_str().ok_or("a panel without a title")?;
            for target in panel["targets"].as_array().ok_or("a panel without a query")? {
                let source = target["datasource"]["type"].as_str().ok_or("no source")?;
                assert_eq!(
                    target["datasource"]["uid"],
                    format!("${{{source}}}"),
                    "{name}: {title}: chosen by the variable"
                );
                sources.insert(source.to_owned());
                let text = target["expr"].as_str().ok_or("no query")?.to_owned();
                queries.push(Query { at: format!("{name}.json: {title}"), text, prometheus: source == "prometheus" });
            }
        }
        let variables = dashboard["templating"]["list"].as_array().ok_or("no variables")?;
        let offered: BTreeSet<String> = variables
            .iter()
            .filter(|one| one["type"] == "datasource")
            .filter_map(|one| Some(one["name"].as_str()?.into()))
            .collect();
        assert_eq!(offered, sources, "{name}: sources that are used can be chosen");
    }
    for (file, prometheus) in [("weir.prometheus.yml", true), ("weir.loki.yml", false)] {
        let rules: yaml_serde::Value = yaml_serde::from_str(&fs::read_to_string(place("deploy/alerts").join(file))?)?;
        let groups = rules.get("groups").and_then(yaml_serde::Value::as_sequence).ok_or("no groups")?;
        for rule in groups.iter().filter_map(|group| group.get("rules")?.as_sequence()).flatten() {
            let of = |key: &str| rule.get(key).and_then(yaml_serde::Value::as_str).map(str::to_owned);
            let alert = of("alert").ok_or("a rule without a name")?;
            let annotations =
                rule.get("annotations").and_then(|all| Some((all.get("summary")?, all.get("description")?)));
            assert!(annotations.is_some(), "{alert} says what happened and what to do");
            queries.push(Query { at: format!("{file}: {alert}"), text: of("expr").ok_or("no query")?, prometheus });
        }
    }
    for query in &mut queries {
        for (variable, value) in [("$__rate_interval", "5m"), ("$__range", "1h"), ("$__auto", "5m"), ("$host", ".*")] {
            query.text = query.text.replace(variable, value);
        }
    }
    Ok(queries)
}

/// Names of metrics and of their attributes, as Prometheus has them.
type Names = (BTreeSet<String>, BTreeSet<String>);

/// Those of docs/metrics.md: nothing if there is none.
fn documented() -> Result<Option<Names>, Box<dyn Error>> {
    let page = match fs::read_to_string(place("docs/metrics.md")) {
        Ok(page) => page,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (mut names, mut words) = (BTreeSet::new(), BTreeSet::new());
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let kind = ["up-down counter", "counter", "gauge", "histogram"].into_iter().find(|kind| cells.contains(kind));
        let unit = ["s", "By", "1"].into_iter().find(|unit| cells.contains(unit)).unwrap_or_default();
        if let (Some(name), Some(kind)) = (cells.first(), kind) {
            names.extend(translated(name, kind, unit));
        }
    }
    // Attributes are in backquotes, wherever.
    words.extend(page.split('`').filter(|word| word.starts_with("weir.")).map(|word| word.replace('.', "_")));
    Ok(Some((names, words)))
}

#[test]
fn every_metric_that_is_asked_for_is_in_the_reference() -> Outcome {
    let queries = queries()?;
    let Some((names, words)) = documented()? else {
        skip::say("there is no docs/metrics.md: metrics of dashboards and rules are not compared with it");
        return Ok(());
    };
    let mut asked = BTreeSet::new();
    for query in queries.iter().filter(|query| query.prometheus) {
        for metric in metrics(&query.text) {
            assert!(names.contains(&metric), "{}: {metric} is no metric of docs/metrics.md: {names:?}", query.at);
            asked.insert(metric);
        }
        for label in labels(&query.text) {
            assert!(words.contains(&label), "{}: {label} is no attribute of docs/metrics.md", query.at);
        }
    }
    assert!(asked.len() > 20, "{asked:?}");
    Ok(())
}

#[test]
fn every_field_that_is_asked_of_loki_is_one_of_a_record() -> Outcome {
    // Where names of attributes are written down: the reference, and the code that makes records.
    let mut text = fs::read_to_string(place("docs/fields.md"))?;
    for file in ["alert/record.rs", "alert/incident/record.rs", "delivery/health/coverage.rs"] {
        match fs::read_to_string(place("sensor/src").join(file)) {
            Ok(code) => text += &code,
            Err(error) => skip::say(&format!("sensor/src/{file}: {error}: its fields are not known here")),
        }
    }
    let coverage = text.contains("weir.coverage.");
    let known: BTreeSet<String> =
        text.split(['`', '"']).filter(|word| word.starts_with("weir.")).map(|word| word.replace('.', "_")).collect();
    let mut asked = 0;
    for query in queries()?.iter().filter(|query| !query.prometheus) {
        let names = metrics(&query.text).into_iter().filter(|name| name.starts_with("weir_"));
        for name in names.chain(labels(&query.text)).filter(|name| coverage || !name.starts_with("weir_coverage_")) {
            assert!(known.contains(&name), "{}: {name} is in no record", query.at);
            asked += 1;
        }
        assert_eq!(
            query.text.matches(['(', '[', '{']).count(),
            query.text.matches([')', ']', '}']).count(),
            "{}",
            query.at
        );
    }
    assert!(asked > 20, "{asked}");
    Ok(())
}

#[test]
fn promtool_can_read_every_query_and_the_rules_do_what_they_are_for() -> Outcome {
    let program = std::env::var_os("WEIR_TEST_PROMTOOL").map_or(PathBuf::from("promtool"), PathBuf::from);
    let promtool = |arguments: &[&std::ffi::OsStr]| Command::new(&program).args(arguments).output();
    if promtool(&["--version".as_ref()]).is_err() {
        skip::say(
            "no promtool (of Prometheus; or name it in WEIR_TEST_PROMTOOL): rules and queries are not checked by it",
        );
        return Ok(());
    }
    let check = |arguments: &[&std::ffi::OsStr]| -> Outcome {
        let output = promtool(arguments)?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(()) } else { Err((said(&output.stdout) + &said(&output.stderr)).into()) }
    };
    check(&["check".as_ref(), "rules".as_ref(), place("deploy/alerts/weir.prometheus.yml").as_ref()])?;
    check(&["test".as_ref(), "rules".as_ref(), place("deploy/alerts/weir.prometheus.test.yml").as_ref()])?;
    // A query of a dashboard is not a rule; as one, promtool reads it.
    let rules: Vec<Value> = (0..)
        .zip(queries()?.into_iter().filter(|query| query.prometheus))
        .map(|(number, query)| serde_json::json!({ "record": format!("query_{number}"), "expr": query.text, "labels": { "at": query.at } }))
        .collect();
    let directory = Directory::new()?;
    let file = directory.path().join("queries.yml");
    fs::write(&file, serde_json::json!({ "groups": [{ "name": "queries", "rules": rules }] }).to_string())?;
    check(&["check".as_ref(), "rules".as_ref(), file.as_ref()])
}
