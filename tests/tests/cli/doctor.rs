//! `weir doctor` tells whether the sensor can run, and its status agrees with what the sensor then does.

use super::weir::{Ended, Nobody, end_of, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::error::Error;
use std::process::Stdio;
use tests::sensor::Sensor;
use tests::skip;

type Outcome = Result<(), Box<dyn Error>>;

/// Name, state, mend.
type Finding = (String, String, Option<String>);

/// The findings, which are as they have to be.
fn findings(ended: &Ended) -> Result<Vec<Finding>, Box<dyn Error>> {
    let report: Value = serde_json::from_str(&ended.out)?;
    let findings = report["findings"].as_array().ok_or("no findings")?;
    let mut read = Vec::new();
    for finding in findings {
        let text = |name: &str| finding[name].as_str().map(str::to_owned);
        let (name, state) = (text("name").ok_or("no name")?, text("state").ok_or("no state")?);
        assert!(["ok", "unused", "degraded", "missing"].contains(&&*state), "{name}: {state}");
        assert!(!text("meaning").ok_or("no meaning")?.is_empty(), "{name}");
        assert_eq!(text("mend").is_none(), state == "ok", "{name}: what is not as it should be has a mend");
        read.push((name, state, text("mend")));
    }
    let names: BTreeSet<_> = read.iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), read.len(), "names tell findings apart");
    let order = ["ok", "unused", "degraded", "missing"];
    let rank = |state: &str| order.iter().position(|name| *name == state);
    let worst = read.iter().map(|(_, state, _)| state).max_by_key(|state| rank(state)).ok_or("no findings")?;
    assert_eq!(report["state"].as_str(), Some(&**worst));
    Ok(read)
}

#[test]
fn it_agrees_with_the_sensor() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let json = run(&["doctor", "--format", "json"])?;
    assert_eq!(json.err, "");
    let findings = findings(&json)?;
    let missing: Vec<_> = findings.iter().filter(|(_, state, _)| state == "missing").collect();
    let sensor = Sensor::start(&["events"]);
    match &sensor {
        Ok(_) => assert_eq!((json.status, &missing[..]), (Some(0), &[][..])),
        Err(error) => assert_eq!((json.status, missing.is_empty()), (Some(1), false), "{error}"),
    }
    let text = run(&["doctor"])?;
    assert_eq!((text.status, text.err.as_str()), (json.status, ""));
    for (name, state, mend) in &findings {
        assert!(text.out.lines().any(|line| line.starts_with(&**state) && line.contains(&**name)), "{name}: {text:?}");
        assert!(mend.as_ref().is_none_or(|mend| text.out.contains(&**mend)), "{name}: {text:?}");
    }
    assert!(text.out.lines().next_back().is_some_and(|line| line.starts_with("Weir can")), "{}", text.out);
    Ok(())
}

#[test]
fn it_tells_who_is_not_root() -> Outcome {
    if skip::unless_root("becoming nobody") {
        return Ok(());
    }
    let nobody = Nobody::new()?;
    let json = end_of(nobody.weir(&["doctor", "--format", "json"]).stdout(Stdio::piped()))?;
    assert_eq!((json.status, json.err.as_str()), (Some(1), ""));
    for wanted in ["capabilities to load", "loading programs"] {
        let found = findings(&json)?.into_iter().find(|(name, ..)| name == wanted);
        let (_, state, mend) = found.ok_or_else(|| format!("no {wanted}"))?;
        assert_eq!(state, "missing", "{wanted}");
        assert!(mend.is_some_and(|mend| mend.contains("run weir as root")), "{wanted}");
    }
    let text = end_of(nobody.weir(&["doctor"]).stdout(Stdio::piped()))?;
    assert_eq!(text.status, Some(1));
    assert!(text.out.contains("Weir cannot run here yet: 2 things"), "{}", text.out);
    Ok(())
}
