//! What a parser would take in silence or choke on: each is an error with its place and its mend.

use super::super::{Engine, Fault, NamedList, Options, RuleSet, check};
use super::{matching, rule, set, set_with};
use crate::policy::Policy;

/// The one sentence that a rule with this detection is refused with.
fn refused(detection: &str) -> String {
    of_text(&rule(1, "process_creation", detection))
}

fn of_text(text: &str) -> String {
    let problems = set(&[("r.yml", text)]).err().map(|invalid| invalid.problems).unwrap_or_default();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].to_string()
}

fn with_condition(condition: &str) -> String {
    refused(&format!("  a:\n    Image: x\n  condition: {condition}"))
}

fn with_items(items: &str) -> String {
    refused(&format!("  a:\n    {items}\n  condition: a"))
}

#[test]
fn conditions_that_would_take_the_parsers_stack_or_time() {
    let brackets = with_condition(&format!("{}a{}", "(".repeat(40), ")".repeat(40)));
    assert_eq!(
        brackets,
        "r.yml:11:3: the condition has 40 levels of brackets, more than the 32 that it may have; give its parts names of their own"
    );
    assert!(with_condition(&format!("'{}'", "(".repeat(4000))).contains("4000 levels of brackets"));
    assert!(with_condition(&("not ".repeat(300) + "a")).contains("300 negations, more than the 256"));
    assert!(with_condition(&vec!["a"; 900].join(" and ")).contains("5395 bytes, more than the 4096"));
    // As many as may be are right.
    let most = format!("{}a{}", "(".repeat(32), ")".repeat(32));
    assert!(
        set(&[("r.yml", &rule(1, "process_creation", &format!("  a:\n    Image: x\n  condition: {most}")))]).is_ok()
    );
}

#[test]
fn expressions_that_explode_or_are_not_known() {
    let of = |pattern: &str| with_items(&format!("Image|re: '{pattern}'"));
    assert_eq!(
        of("(a{1000}){1000}"),
        "r.yml:10:16: the regular expression goes beyond the size limit of 1024 KiB when it is made ready; make its repetitions smaller"
    );
    assert!(of(&format!("{}a{}", "(".repeat(300), ")".repeat(300))).contains("nested parentheses"));
    assert!(of("(?=a)b").starts_with("r.yml:10:16: the regular expression cannot be used: look-around"));
    assert!(of("(a)\\1").contains("backreferences are not supported; correct it"));
    assert!(of("(").contains("unclosed group; correct it"));
    assert!(with_items(&format!("Image: '{}'", "*a".repeat(40))).starts_with("r.yml:10:5: a value has 40 wildcards"));
    // What makes other engines run for ever takes linear time here.
    let text = rule(1, "process_creation", "  a:\n    Image|re: '^/((a+)+)+$'\n  condition: a");
    let events = matching::events("process_creation", &format!("process.executable.path: /{}!", "a".repeat(4000)));
    assert!(Engine::new(set(&[("r.yml", &text)]).unwrap()).evaluate(&events[0]).is_empty());
}

#[test]
fn values_that_match_nothing_or_everything() {
    for (items, sentence) in [
        ("Image: []", "r.yml:10:5: `Image` has no value, so that it never matches; write one, or take it out"),
        ("Image|contains: ''", "r.yml:10:5: `Image` with an empty text matches always; write a text, or take it out"),
        ("Image|exists: maybe", "r.yml:10:5: `maybe` says neither true nor false; write one of them"),
        (
            "Image|cidr: 10.0.0.0/8",
            "r.yml:10:5: `Image` is no address, so that no network matches it; take `|cidr` out, or name a field like network.peer.address",
        ),
        (
            "Image|hour: 5",
            "r.yml:10:5: a part of a time cannot be used: no field is a time; a correlation has a `timespan`",
        ),
        (
            "Image|expand: shells",
            "r.yml:10:19: `shells` is no placeholder; write the list's name between percent signs, `%name%`, or leave `|expand` out",
        ),
    ] {
        assert_eq!(with_items(items), sentence);
    }
    for empty in ["{}", "[]", ""] {
        assert_eq!(
            refused(&format!("  a: {empty}\n  condition: a")),
            "r.yml:9:3: the selection `a` is empty; write a field and a value into it, or take it out"
        );
    }
    let unexpanded = rule(1, "process_creation", "  a:\n    Image: '%ours%'\n  condition: a");
    let problem = set(&[("r.yml", &unexpanded), ("lists/ours.txt", "/x\n")]).unwrap_err().to_string();
    assert!(problem.starts_with("r.yml:10:13: `%ours%` is taken as it is written"), "{problem}");
    assert!(set(&[("r.yml", &unexpanded)]).is_ok(), "no list has that name");
}

#[test]
fn what_is_empty_is_what_is_not_there() {
    let text = rule(1, "process_creation", "  a:\n    Image: /x\n    CurrentDirectory: ''\n  condition: a");
    let set = set(&[("r.yml", &text)]).unwrap();
    let found =
        |event: &str| !Engine::new(set.clone()).evaluate(&matching::events("process_creation", event)[0]).is_empty();
    assert!(found("process.executable.path: /x"));
    assert!(!found("process.executable.path: /x, process.working_directory: /y"));
}

#[test]
fn a_selection_that_the_condition_forgets_is_noted() {
    let text = rule(1, "process_creation", "  a:\n    Image: /x\n  filter_b:\n    Image: /y\n  condition: a");
    let set = set(&[("r.yml", &text)]).unwrap();
    let notes: Vec<_> = set.notes().iter().map(|note| format!("{}: {}", note.place, note.text)).collect();
    assert_eq!(notes, ["r.yml:11:3: the condition of `Rule 1` does not use `filter_b`; add it, or take it out"]);
}

#[test]
fn what_is_written_twice_or_nested_too_deep() {
    assert!(
        with_items("Image|contains: x\n    Image|contains: y")
            .starts_with("r.yml:10:5: this is not YAML: detection.a: duplicate entry")
    );
    let deep = format!("title: x\nx: {}1{}\n", "{a: ".repeat(5000), "}".repeat(5000));
    assert!(of_text(&deep).starts_with("r.yml:2:512: this is not YAML: recursion limit exceeded"));
    assert!(of_text("title: \0").starts_with("r.yml:1:1: this is not YAML: control characters"));
}

/// Two correlations of each other, and one of itself.
#[test]
fn correlations_in_a_circle() {
    let correlation = |id: u32, of: u32| {
        format!(
            "title: C{id}\nid: 00000000-0000-4000-8000-{id:012}\nname: c{id}\nlevel: low\ncorrelation:\n  type: event_count\n  rules:\n    - c{of}\n  timespan: 1m\n  condition:\n    gte: 3\n"
        )
    };
    for (one, other) in [(2, 1), (1, 1)] {
        let refused = set(&[("a.yml", &correlation(1, one)), ("b.yml", &correlation(2, other))]).unwrap_err();
        let places: Vec<_> =
            refused.problems.iter().map(|problem| (problem.place.to_string(), &problem.fault)).collect();
        assert!(
            places
                .iter()
                .any(|(place, fault)| place.starts_with("a.yml:") && matches!(fault, Fault::Unsupported { .. })),
            "{places:?}"
        );
    }
}

#[test]
fn files_of_a_size_or_a_kind_that_nobody_wrote_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let huge = std::fs::File::create(path("huge.yml")).unwrap();
    huge.set_len(100 << 20).unwrap();
    let report = check(&[path("huge.yml")]).to_string();
    assert!(
        report.contains("huge.yml: it has 104857600 bytes, more than the 4194304 that a rule file may have; split it"),
        "{report}"
    );
    // A mark of the byte order, and the line ends of other systems.
    let good = rule(1, "process_creation", "  a:\n    Image: x\n  condition: a").replace('\n', "\r\n");
    std::fs::write(path("marked.yml"), format!("\u{feff}{good}")).unwrap();
    assert!(check(&[path("marked.yml")]).problems.is_empty());
}

const FILTER: &str = "title: Ours\nid: 00000000-0000-4000-8000-000000000099\nfilter:\n  rules: [rule_1, rule_2]\n  a:\n    Image|expand: '%ours%'\n  condition: not a\n";

/// Sigma's names in a filter, lists from elsewhere, and a count by rule.
#[test]
fn a_filter_speaks_sigma_and_is_charged_by_rule() {
    let rules = [1, 2, 3].map(|id| rule(id, "process_creation", "  a:\n    User: root\n  condition: a"));
    let files = [("1.yml", &*rules[0]), ("2.yml", &*rules[1]), ("3.yml", &*rules[2]), ("f.yml", FILTER)];
    let ours = NamedList { name: "ours".into(), file: "policy.yml".into(), values: vec![(7, "/opt/agent".into())] };
    let options = Options { lists: vec![ours], ..Options::default() };
    assert!(set(&files).unwrap_err().to_string().starts_with("f.yml:6:20: there is no list `ours`"));
    let set = set_with(&files, &options).unwrap_or_else(|invalid| panic!("{invalid}"));
    let mut engine = Engine::new(set);
    let mut found = |event: &str| engine.evaluate(&matching::events("process_creation", event)[0]).len();
    assert_eq!(found("process.user.id: 0, process.executable.path: /opt/agent"), 1);
    assert_eq!(found("process.user.id: 0, process.executable.path: /opt/agent"), 1);
    assert_eq!(found("process.user.id: 0, process.executable.path: /bin/sh"), 3);
    let statistics = engine.statistics();
    assert_eq!(statistics.filters, [("Ours".into(), 4)]);
    let filtered: Vec<_> = statistics.filtered.iter().map(|f| (&*f.filter, &*f.rule.name, f.matches)).collect();
    assert_eq!(filtered, [("Ours", "rule_1", 2), ("Ours", "rule_2", 2)]);
    assert_eq!(statistics.filtered()[0], ("rule_1 by `Ours`".into(), 2));
}

#[test]
fn a_filter_that_never_applies_is_refused() {
    let one = rule(1, "process_creation", "  a:\n    Image: x\n  condition: a");
    let filter = |from: &str, to: &str| {
        let text = FILTER.replace(", rule_2", "").replace("|expand: '%ours%'", ": x").replace(from, to);
        of_text(&(one.clone() + "---\n" + &text))
    };
    assert!(filter("[rule_1]", "[]").contains("the rule has no `filter.rules`; name the rules"));
    assert_eq!(
        filter("filter:", "logsource:\n  category: file_event\nfilter:").split(": ").nth(1).unwrap(),
        "the filter never applies to `Rule 1`, whose log source is another; correct `logsource` or `rules`"
    );
    assert!(
        filter("filter:", "logsource:\n  category: proces_creation\nfilter:").contains("`category: proces_creation`")
    );
    // Of the rules that it names, it is known what their events have.
    assert!(
        filter("Image: x", "DestinationIp: 10.0.0.1")
            .contains("events of `process_creation` never have the field `network.peer.address`")
    );
}

/// A list from elsewhere goes before a file's, and into the version.
#[test]
fn lists_from_elsewhere_replace_files() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("lists")).unwrap();
    std::fs::write(directory.path().join("lists/ours.txt"), "/one\n").unwrap();
    let text = rule(1, "process_creation", "  a:\n    Image|expand: '%ours%'\n  condition: a");
    std::fs::write(directory.path().join("r.yml"), text).unwrap();
    let load = |lists: Vec<NamedList>| {
        RuleSet::load_with(&[directory.path()], &Options { lists, ..Options::default() }).unwrap()
    };
    let list =
        |value: &str| NamedList { name: "ours".into(), file: "policy.yml".into(), values: vec![(1, value.into())] };
    let (plain, two, three) = (load(Vec::new()), load(vec![list("/two")]), load(vec![list("/three")]));
    assert_eq!(plain.lists().get("ours").unwrap().collect::<Vec<_>>(), ["/one"]);
    assert_eq!(two.lists().get("ours").unwrap().collect::<Vec<_>>(), ["/two"]);
    assert_ne!(two.digest(), plain.digest());
    assert_ne!(two.digest(), three.digest());
    // So do those of the policy.
    let policy = Policy::parse("lists:\n  ours: [/four, /five]\n", &"policy.yml".into()).unwrap();
    let four = RuleSet::load_with(&[directory.path()], &Options::default().with_policy(&policy)).unwrap();
    assert_eq!(four.lists().get("ours").unwrap().collect::<Vec<_>>(), ["/four", "/five"]);
    assert_ne!(four.digest(), plain.digest());
}
