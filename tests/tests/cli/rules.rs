//! `weir rules`: what is in effect, with and without a directory of one's own.

use super::weir::{Ended, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use tests::scene::Directory;

type Outcome = Result<(), Box<dyn Error>>;

/// The five that the sensor comes with.
const SHIPPED: [(&str, &str); 5] = [
    ("weights_opened_unexpectedly", "low"),
    ("model_theft", "high"),
    ("model_server_shell", "high"),
    ("credentials_read_unexpectedly", "medium"),
    ("exec_from_memory", "high"),
];

/// The rules that `weir rules list` tells of, by name.
fn list(arguments: &[&str]) -> Result<BTreeMap<String, Value>, Box<dyn Error>> {
    let listed = run(&[&["rules", "list", "--format", "json"], arguments].concat())?;
    listed.is_quiet();
    let mut rules = BTreeMap::new();
    for line in listed.out.lines() {
        let rule: Value = serde_json::from_str(line)?;
        rules.insert(rule["name"].as_str().ok_or("no name")?.to_owned(), rule);
    }
    Ok(rules)
}

fn repository(path: &str) -> Result<String, Box<dyn Error>> {
    Ok(fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules").join(path))?)
}

#[test]
fn the_shipped_ones_are_right() -> Outcome {
    let checked = run(&["rules", "check"])?;
    checked.is_quiet();
    assert!(checked.out.contains(" rules and ") && checked.out.contains(" are right (version "), "{checked:?}");
    let rules = list(&[])?;
    for (name, level) in SHIPPED {
        let rule = rules.get(name).ok_or_else(|| format!("{name} is not listed"))?;
        assert_eq!(rule["level"], level, "{name}");
        for field in ["id", "title", "description", "looks_at"] {
            assert!(rule[field].as_str().is_some_and(|text| !text.is_empty()), "{name}.{field}");
        }
        assert!(rule["atlas"].as_array().is_some_and(|ids| !ids.is_empty()), "{name}");
    }
    let text = run(&["rules", "list"])?;
    text.is_quiet();
    for rule in rules.values() {
        for field in ["id", "title", "level"] {
            assert!(text.out.contains(rule[field].as_str().unwrap_or("?")), "{rule} is not in {}", text.out);
        }
    }
    assert!(text.out.lines().next_back().is_some_and(|line| line.contains(&format!("{} rules", rules.len()))));
    Ok(())
}

#[test]
fn colour_is_as_asked_for() -> Outcome {
    let colours = |arguments: &[&str]| Ok::<_, Box<dyn Error>>(run(arguments)?.out.contains('\u{1b}'));
    assert!(colours(&["--color", "always", "rules", "list"])?);
    assert!(colours(&["doctor", "--color", "always"])?, "the option may stand anywhere");
    for arguments in [&["--color", "never", "rules", "list"][..], &["rules", "list"], &["doctor", "--color", "never"]] {
        assert!(!colours(arguments)?, "{arguments:?}");
    }
    Ok(())
}

#[test]
fn a_rule_with_the_id_of_a_shipped_one_replaces_it() -> Outcome {
    let directory = Directory::new()?;
    let own = repository("weights_opened.yml")?
        .replace("title: Weights opened by an unexpected process", "title: Our own weights rule")
        .replace("level: low", "level: critical");
    fs::write(directory.path().join("ours.yml"), own)?;
    let path = directory.path().to_string_lossy();
    let (before, after) = (list(&[])?, list(&["--rules", &path])?);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "replaced, not added");
    for (name, rule) in &after {
        let ours = name == "weights_opened_unexpectedly";
        assert_eq!(*rule != before[name], ours, "{name}");
        assert_eq!(rule["level"] == "critical" && rule["title"] == "Our own weights rule", ours, "{name}");
    }
    let versions = (run(&["rules", "check"])?, run(&["rules", "check", &path])?);
    versions.1.is_quiet();
    assert_ne!(versions.0.out, versions.1.out, "another version");
    Ok(())
}

#[test]
fn a_shipped_rule_is_switched_off_by_its_status() -> Outcome {
    let directory = Directory::new()?;
    let off = repository("exec_from_memory.yml")?.replace("status: experimental", "status: deprecated");
    fs::write(directory.path().join("off.yml"), off)?;
    let after = list(&["--rules", &directory.path().to_string_lossy()])?;
    assert!(!after.contains_key("exec_from_memory"));
    assert_eq!(after.len() + 1, list(&[])?.len());
    Ok(())
}

/// That it ended with this status, and said one line that starts with the first word and has all others.
fn says(ended: &Ended, status: i32, words: &[&str]) {
    assert_eq!((ended.status, ended.err.lines().count()), (Some(status), 1), "{ended:?}");
    assert!(ended.err.starts_with(words[0]), "{ended:?}");
    for word in words {
        assert!(ended.err.contains(word), "{word:?} is not in: {}", ended.err);
    }
}

/// Two rules as a public collection has them: one that runs, and one that asks for what Weir does not have.
const PUBLIC: &str = "\
title: Shell by its path
id: 11111111-2222-4333-8444-555555555511
logsource:
  product: linux
  category: process_creation
detection:
  selection:
    Image|endswith: /sh
  condition: selection
level: low
---
title: Known by its hash
id: 11111111-2222-4333-8444-555555555512
logsource:
  product: linux
  category: process_creation
detection:
  selection:
    Hashes|contains: 0123456789abcdef
  condition: selection
level: low
";

#[test]
fn a_mixed_collection_is_refused_or_used_as_far_as_it_goes() -> Outcome {
    let directory = Directory::new()?;
    let file = directory.path().join("public.yml");
    fs::write(&file, PUBLIC)?;
    let path = file.to_string_lossy();
    let refused = run(&["rules", "check", &path])?;
    refused.complains(1, &["public.yml:19:5", "Sigma's field `Hashes`", "does not hash", "--allow-unsupported"]);
    run(&["run", "--rules", &path])?.refuses(1, &["public.yml:19:5", "`Hashes`"]);

    let checked = run(&["rules", "check", "--allow-unsupported", &path])?;
    says(&checked, 3, &["warning: ", "public.yml:19:5", "`Known by its hash` is left out", "does not hash"]);
    assert!(checked.out.contains("1 are left out"), "{checked:?}");
    let listed = list(&["--rules", &path, "--allow-unsupported"])?;
    assert!(listed.contains_key("11111111-2222-4333-8444-555555555511"));
    assert!(!listed.contains_key("11111111-2222-4333-8444-555555555512"));

    // What is wrong is wrong all the same.
    fs::write(&file, PUBLIC.replace("Image|", "Imgae|"))?;
    let wrong = run(&["rules", "check", "--allow-unsupported", &path])?;
    wrong.complains(1, &["public.yml:8:5", "did you mean `Image`?"]);
    Ok(())
}

#[test]
fn what_a_rule_on_files_does_not_see_is_noted() -> Outcome {
    let directory = Directory::new()?;
    let file = directory.path().join("files.yml");
    let rule = PUBLIC.split("---\n").next().unwrap_or_default().replace("process_creation", "file_event");
    let check = |condition: &str| {
        fs::write(&file, rule.replace("Image|endswith: /sh", condition))?;
        run(&["rules", "check", &file.to_string_lossy()])
    };
    check("TargetFilename|endswith: /etc/doas.conf")?.is_quiet();
    let noted = check("TargetFilename|startswith: /etc/")?;
    says(&noted, 0, &["note: ", "files.yml:6:1", "may not see all that it asks for (`/etc/*`)", "name the file"]);
    Ok(())
}

#[test]
fn a_list_of_ones_own_replaces_the_shipped_one() -> Outcome {
    let directory = Directory::new()?;
    fs::create_dir(directory.path().join("lists"))?;
    let file = directory.path().join("lists/declared_destinations.txt");
    let path = directory.path().to_string_lossy().into_owned();
    fs::write(&file, "192.0.2.0/24 # documentation\n")?;
    run(&["rules", "check", &path])?.is_quiet();
    fs::write(&file, "192.0.2.0/24\n192.0.2.300/24\n")?;
    run(&["rules", "check", &path])?.refuses(1, &["declared_destinations.txt:2", "`192.0.2.300/24`", "CIDR"]);
    fs::write(&file, "192.0.2.0/24 unlimited\n*.example.org 5 GB/day\n203.0.113.9 500GB\n")?;
    run(&["rules", "check", &path])?.refuses(1, &["declared_destinations.txt:3", "`203.0.113.9 500GB`", "500GB/day"]);
    Ok(())
}

/// A rule on programs, with examples of these fields; `None`: without.
fn rule_with(examples: Option<(&str, &str)>) -> String {
    let tests = examples.map_or_else(String::new, |(matching, not)| {
        format!("  tests:\n    match:\n      - process.executable.name: {matching}\n    no_match:\n      - process.executable.name: {not}\n")
    });
    format!(
        "title: Own\nid: 5f1d0c58-7a0e-4c0e-9d6f-0b6f6a1f2a01\nname: own\nlogsource:\n  product: linux\n  category: process_creation\n\
         detection:\n  name:\n    process.executable.name: x\n  condition: name\nlevel: low\nweir:\n  suppress: 1h\n{tests}"
    )
}

#[test]
fn examples_of_the_shipped_ones_come_out() -> Outcome {
    let tested = run(&["rules", "test"])?;
    tested.is_quiet();
    assert!(tested.out.contains("rules did what they must on"), "{}", tested.out);
    Ok(())
}

#[test]
fn an_example_that_comes_out_wrong_is_told_with_its_line() -> Outcome {
    let directory = Directory::new()?;
    let path = directory.path().to_string_lossy().into_owned();
    let file = directory.path().join("own.yml");

    fs::write(&file, rule_with(Some(("x", "y"))))?;
    run(&["rules", "test", &path])?.is_quiet();

    fs::write(&file, rule_with(Some(("y", "y"))))?;
    let wrong = run(&["rules", "test", &path])?;
    assert_eq!(wrong.status, Some(1));
    let line = rule_with(Some(("y", "y"))).lines().position(|line| line.contains("- process")).unwrap_or(0) + 1;
    let told = format!(
        "own.yml:{line}:7: `Own`: example 1 under `tests: match` does not match, and must; correct it or the rule"
    );
    assert!(wrong.out.contains(&told), "{told} is not in {}", wrong.out);

    let wrong = run(&["rules", "test", "--format", "json", &path])?;
    let lines = wrong.out.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let [failure, sum] = lines.as_slice() else { return Err(wrong.out.into()) };
    assert_eq!((&failure["rule"], &failure["line"], &failure["list"]), (&"own".into(), &line.into(), &"match".into()));
    assert_eq!(sum["failures"], 1);
    assert_eq!(wrong.status, Some(1));

    fs::write(&file, rule_with(None))?;
    let bare = run(&["rules", "test", &path])?;
    assert_eq!(bare.status, Some(1));
    for list in ["match", "no_match"] {
        let told = format!("own.yml:1: `Own`: it has no example under `tests: {list}`; add one");
        assert!(bare.out.contains(&told), "{told} is not in {}", bare.out);
    }
    Ok(())
}
