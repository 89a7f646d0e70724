//! docs/operations.md has all that doctor, the alert rules and the log can say, and nothing that is not said any more.

use super::{Outcome, files, place};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use yaml_serde::Value;

/// What `weir doctor` says of only when it is asked to.
const ASKED: &str = "API server";

/// The lines of a section, up to the next of its level.
fn section<'a>(page: &'a str, title: &str) -> Result<Vec<&'a str>, String> {
    let mut lines = page.lines().skip_while(|line| line.strip_prefix("## ") != Some(title));
    lines.next().ok_or_else(|| format!("no section {title:?}"))?;
    Ok(lines.take_while(|line| !line.starts_with("## ")).collect())
}

/// What is in the first column of a table, between backticks.
fn firsts<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let cells = lines.iter().filter_map(|line| line.strip_prefix("| `")?.split_once(" | ").map(|(cell, _)| cell));
    // Two backticks stand around what has one in it.
    cells.filter_map(|cell| cell.trim().strip_suffix('`')).map(|cell| cell.trim_matches('`').trim()).collect()
}

/// The whole source of the agent, lines joined where a text is broken.
fn source(directory: &Path, all: &mut String) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            source(&path, all)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path)?;
            let joined: Vec<&str> = text.split("\\\n").map(str::trim_start).collect();
            all.push_str(&joined.concat());
        }
    }
    Ok(())
}

#[test]
fn every_finding_of_doctor_has_its_heading() -> Outcome {
    let page = fs::read_to_string(place("docs/operations.md"))?;
    let output = Command::new(tests::locate::weir()?).args(["doctor", "--format", "json"]).output()?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let found = report["findings"].as_array().ok_or("no findings")?;
    let found: BTreeSet<&str> = found.iter().filter_map(|finding| finding["name"].as_str()).collect();
    let lines = section(&page, "Findings of doctor")?;
    let told: BTreeSet<&str> = lines.iter().filter_map(|line| line.strip_prefix("### ")).collect();
    let missing: Vec<_> = found.difference(&told).collect();
    assert!(missing.is_empty(), "docs/operations.md has no heading of {missing:?}");
    let too_many: Vec<_> = told.difference(&found).filter(|name| **name != ASKED).collect();
    // A kernel without BTF has nothing to say of hooks.
    assert!(too_many.is_empty() || !found.contains("hook open"), "doctor says nothing of {too_many:?}");
    Ok(())
}

#[test]
fn every_alert_rule_has_its_row() -> Outcome {
    let page = fs::read_to_string(place("docs/operations.md"))?;
    let lines = section(&page, "Alert rules")?;
    let told: BTreeSet<&str> = firsts(&lines).into_iter().collect();
    let mut named = BTreeSet::new();
    for path in files("deploy/alerts", "yml")? {
        let rules: Value = yaml_serde::from_str(&fs::read_to_string(&path)?)?;
        let groups = rules.get("groups").and_then(Value::as_sequence).into_iter().flatten();
        let rules = groups.filter_map(|group| group.get("rules")?.as_sequence()).flatten();
        named.extend(rules.filter_map(|rule| rule.get("alert")?.as_str().map(str::to_owned)));
    }
    assert_eq!(told, named.iter().map(String::as_str).collect());
    Ok(())
}

#[test]
fn what_it_says_that_the_sensor_says_is_in_the_code() -> Outcome {
    let page = fs::read_to_string(place("docs/operations.md"))?;
    let mut code = String::new();
    source(&place("sensor/src"), &mut code)?;
    for title in ["Problems in status", "Warnings in the log"] {
        let said = firsts(&section(&page, title)?);
        assert!(said.len() > 5, "{title}: {said:?}");
        for sentence in said {
            assert!(code.contains(sentence), "{title}: nothing says {sentence:?}");
        }
    }
    Ok(())
}
