//! What an engine keeps when others take its rules' place.

use super::{rule, set};
use crate::detection::{Engine, RuleSet};
use crate::event::{Actor, Body, BootTime, Event, Exec, File, Process, ProcessKey};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

/// Rule 1 asks for a program of the list, rule 2 for its own; each with a correlation of three within a minute; and a filter on rule 1.
fn rules(change: impl Fn(String) -> String, list: &str) -> RuleSet {
    let correlation = |id: u32, of: u32| {
        format!(
            "title: Three of {of}\nid: 00000000-0000-4000-8000-{id:012}\nlevel: high\ncorrelation:\n  type: event_count\n  \
             rules: [rule_{of}]\n  group-by: [process.user.id]\n  timespan: 60s\n  condition:\n    gte: 3\n"
        )
    };
    let filter = "title: Not root\nid: 00000000-0000-4000-8000-000000000021\nfilter:\n  rules: [rule_1]\n  \
        selection:\n    process.user.id: 0\n  condition: not selection\n";
    let text = [
        rule(1, "process_creation", "  x:\n    process.executable.name|expand: '%programs%'\n  condition: x"),
        rule(2, "process_creation", "  x:\n    process.executable.name: two\n  condition: x"),
        correlation(11, 1),
        correlation(12, 2),
        filter.to_owned(),
    ];
    let text = change(text.join("---\n"));
    set(&[("rules.yml", &text), ("lists/programs.txt", list)]).unwrap_or_else(|invalid| panic!("{invalid}"))
}

fn unchanged() -> RuleSet {
    rules(|text| text, "one\n")
}

fn ran(time: u64, name: &str, uid: u32) -> Arc<Event> {
    let key = ProcessKey { pid: 7, start_ticks: 1 };
    let exec = Exec {
        file: File::default(),
        parent: None,
        args: [].into(),
        args_cut: false,
        working_directory: "".into(),
        streams: Default::default(),
        setuid: false,
    };
    let actor = Actor { process: Some(key), uid, ..Actor::default() };
    let mut event = Event::new(BootTime(time * SECOND), None, actor, Body::Exec(exec));
    event.process = Some(Arc::new(Process { key, executable: name.into(), ..Process::default() }));
    Arc::new(event)
}

/// Two of each before the other rules come, one of each after: which correlations came to hold.
fn hold_after(other: RuleSet) -> Vec<String> {
    let mut engine = Engine::new(unchanged());
    for (time, name) in [(1, "one"), (2, "one"), (3, "two"), (4, "two")] {
        assert_eq!(engine.evaluate(&ran(time, name, 5)).len(), 0);
    }
    let mut next = Engine::new(other);
    next.go_on_from(engine);
    let mut found: Vec<_> =
        [(5, "one"), (6, "two")].into_iter().flat_map(|(time, name)| next.evaluate(&ran(time, name, 5))).collect();
    // What waits to be in order.
    found.extend(next.rest());
    found.iter().map(|finding| finding.rule.title.to_string()).collect()
}

#[test]
fn correlations_that_ask_for_the_same_keep_what_they_have_seen() {
    let both = ["Three of 1", "Three of 2"];
    assert_eq!(hold_after(unchanged()), both);
    // How bad it is, what it says and what it stands beside is not what it asks for.
    assert_eq!(hold_after(rules(|text| text.replace("level: high", "level: low"), "one\n")), both);
    let more = |text| format!("{text}---\n{}", rule(3, "process_creation", "  x:\n    process.pid: 3\n  condition: x"));
    assert_eq!(hold_after(rules(more, "one\n")), both);
    let moved =
        |text: String| text.split("---\n").collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("---\n");
    let mut found = hold_after(rules(moved, "one\n"));
    found.sort();
    assert_eq!(found, both);
}

#[test]
fn those_that_ask_for_something_else_begin_empty() {
    let others: [(&str, RuleSet); 5] = [
        ("its window", rules(|text| text.replacen("60s", "61s", 1), "one\n")),
        (
            "its rule",
            rules(
                |text| {
                    text.replace(
                        "    process.executable.name|expand",
                        "    process.pid: 7\n    process.executable.name|expand",
                    )
                },
                "one\n",
            ),
        ),
        ("a list", rules(|text| text, "one\nother\n")),
        ("a filter", rules(|text| text.replace("process.user.id: 0", "process.user.id: 1"), "one\n")),
        ("its id", rules(|text| text.replace("000000000011", "000000000013"), "one\n")),
    ];
    for (what, other) in others {
        assert_eq!(hold_after(other), ["Three of 2"], "{what} is another");
    }
}

#[test]
fn what_a_filter_took_goes_on_being_counted() {
    let mut engine = Engine::new(unchanged());
    engine.evaluate(&ran(1, "one", 0));
    let mut next = Engine::new(rules(|text| text.replace("title: Not root", "title: Not by root"), "one\n"));
    next.go_on_from(engine);
    next.evaluate(&ran(2, "one", 0));
    assert_eq!(next.statistics().filters, [("Not by root".into(), 2)]);
}
