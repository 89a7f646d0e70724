use super::super::source::{self, Source};
use super::super::{Category, Engine, Logic, RuleSet, embedded, example};
use super::set;
use crate::event::{BootTime, Event};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn rules_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

#[test]
fn shipped_rules_are_right_and_each_has_examples_that_come_out() {
    let set = RuleSet::embedded().unwrap_or_else(|invalid| panic!("{invalid}"));
    let failures: Vec<_> = example::run(&set).failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for rule in set.rules() {
        assert!(!rule.description.is_empty() && !rule.attack.is_empty() && !rule.atlas.is_empty(), "{}", rule.title);
        assert!(!rule.attack_version.is_empty() && !rule.atlas_version.is_empty(), "{}", rule.title);
        assert!(!rule.innocent_causes.is_empty(), "{}", rule.title);
        assert!(!rule.raises || !rule.first_steps.is_empty(), "{}", rule.title);
    }
    assert_eq!(set.rules().filter(|rule| rule.raises).count(), 89);
}

#[test]
fn examples_that_come_out_wrong_are_told() {
    let text = super::rule(1, "process_creation", "  a:\n    process.executable.name: x\n  condition: a")
        + "weir:\n  tests:\n    match:\n      - process.executable.name: y\n    no_match:\n      - process.executable.name: x\n";
    let report = example::run(&set(&[("a.yml", &text)]).unwrap());
    let told: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    // At the line of the event that it is about.
    let line = |written: &str| text.lines().position(|line| line.contains(written)).map_or(0, |line| line + 1);
    let (first, second) = (line("- process.executable.name: y"), line("- process.executable.name: x"));
    assert_eq!(
        told,
        [
            format!(
                "a.yml:{first}:7: `Rule 1`: example 1 under `tests: match` does not match, and must; correct it or the rule"
            ),
            format!(
                "a.yml:{second}:7: `Rule 1`: example 1 under `tests: no_match` matches, and must not; correct it or the rule"
            ),
        ]
    );
    assert_eq!((report.rules, report.examples), (1, 2));
    let bare = super::rule(1, "process_creation", "  a:\n    process.executable.name: x\n  condition: a");
    assert_eq!(example::run(&set(&[("a.yml", &bare)]).unwrap()).failures.len(), 2);
}

#[test]
fn every_file_of_the_directory_is_embedded() {
    let mut problems = Vec::new();
    let found = source::read(&rules_directory(), &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let name = |source: &Source| source.name.rsplit("rules/").next().unwrap_or_default().replace("weir:", "");
    let mut there: Vec<_> = found.iter().map(name).collect();
    let mut embedded: Vec<_> = embedded::sources().iter().map(name).collect();
    there.sort();
    embedded.sort();
    assert_eq!(there, embedded);
}

/// Prints what rule evaluation costs. Run in release: `cargo test --release -p sensor --lib rule_evaluation_costs -- --ignored
/// --nocapture`.
#[test]
#[ignore = "a measurement"]
fn rule_evaluation_costs() {
    let set = RuleSet::embedded().unwrap();
    let mut engine = Engine::new(set.clone());
    let mut measure = |name: String, event: &Arc<Event>| {
        let rounds = 1_000_000_u32;
        // The thread's own time, so that what else the machine does counts less.
        let cpu = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let start = cpu();
        let found: usize = (0..rounds).map(|_| engine.evaluate(event).len()).sum();
        let spent = cpu() - start;
        let nanos = spent.tv_sec as f64 * 1e9 + spent.tv_nsec as f64;
        println!("{:6.0} ns/event  {name} (findings: {found})", nanos / f64::from(rounds));
    };
    let fork = crate::event::Fork { child: Default::default(), child_vpid: 0 };
    let event = Event::new(BootTime(0), None, Default::default(), crate::event::Body::Fork(fork));
    measure("fork: no rule asks".to_owned(), &Arc::new(event));
    for (rule, examples) in set.examples() {
        let Logic::Detection(category) = rule.logic else { continue };
        for (kind, list) in [("match", &examples.matching), ("no match", &examples.not_matching)] {
            for event in list.iter().take(1).flat_map(|example| example.events(Some(category)).unwrap()) {
                measure(format!("{kind}: {} {}", category.name(), rule.title), &Arc::new(event));
            }
        }
    }
    for category in Category::ALL {
        measure(format!("an event with every field: {}", category.name()), &Arc::new(example::full(category)));
    }
}
