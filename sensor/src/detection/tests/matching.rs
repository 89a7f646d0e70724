use super::super::{Engine, Finding, RuleSet, example};
use super::{rule, set};
use crate::event::Event;
use std::sync::Arc;

/// The events that a rule of these `tests` would have.
pub(super) fn events(category: &str, tests: &str) -> Vec<Arc<Event>> {
    let kind = match category {
        "process_creation" => "exec",
        "network_flow" => "flow",
        "network_connection" => "connect",
        "file_rename" => "rename",
        _ => "open",
    };
    let list: String = tests.lines().map(|line| format!("      - {{weir.event.kind: {kind}, {line}}}\n")).collect();
    let text = rule(9, category, "  a:\n    process.executable.name: none\n  condition: a")
        + &format!("weir:\n  tests:\n    match:\n{list}");
    let set = set(&[("events.yml", &text)]).unwrap_or_else(|invalid| panic!("{invalid}"));
    let (_, examples) = set.examples().next().unwrap();
    examples.matching.iter().flat_map(|example| example.events(None).unwrap()).map(Arc::new).collect()
}

fn found(set: &RuleSet, events: &[Arc<Event>]) -> Vec<bool> {
    let mut engine = Engine::new(set.clone());
    events.iter().map(|event| !engine.evaluate(event).is_empty()).collect()
}

fn detects(category: &str, detection: &str, tests: &str) -> Vec<bool> {
    let set = set(&[("rule.yml", &rule(1, category, detection))]).unwrap_or_else(|invalid| panic!("{invalid}"));
    found(&set, &events(category, tests))
}

#[test]
fn a_list_matches_if_any_of_its_elements_does() {
    let tests = "weir.process.ancestors: [a, tritonserver, systemd]\nweir.process.ancestors: [a]\nprocess.pid: 1";
    for detection in [
        "weir.process.ancestors: tritonserver",
        "weir.process.ancestors|startswith: trit",
        "weir.process.ancestors|re: ^trit",
    ] {
        let detection = format!("  a:\n    {detection}\n  condition: a");
        assert_eq!(detects("process_creation", &detection, tests), [true, false, false], "{detection}");
    }
}

#[test]
fn values_compare_by_what_they_are() {
    let detection = "  a:\n    weir.flow.bytes|gte: 1000\n    weir.connection.initiated: true\n    network.peer.port:\n      - 443\n      - 8443\n    network.peer.address|cidr: 2001:db8::/32\n  condition: a";
    let tests = "weir.flow.bytes: 1000, weir.connection.initiated: true, network.peer.port: 443, network.peer.address: '2001:db8::1'\n\
                 weir.flow.bytes: 999, weir.connection.initiated: true, network.peer.port: 443, network.peer.address: '2001:db8::1'\n\
                 weir.flow.bytes: 1000, weir.connection.initiated: false, network.peer.port: 443, network.peer.address: '2001:db8::1'\n\
                 weir.flow.bytes: 1000, weir.connection.initiated: true, network.peer.port: 80, network.peer.address: '2001:db8::1'\n\
                 weir.flow.bytes: 1000, weir.connection.initiated: true, network.peer.port: 443, network.peer.address: '2001:db9::1'";
    assert_eq!(detects("network_flow", detection, tests), [true, false, false, false, false]);
}

#[test]
fn a_line_break_slips_through_no_wildcard() {
    let tests = "process.executable.path: \"/tmp/a\\nb.sh\"\nprocess.executable.path: /tmp/ab.sh\nprocess.executable.path: /x/tmp/ab.sh\nprocess.executable.path: /tmp/ab_sh";
    let paths = |pattern: &str| format!("  a:\n    process.executable.path{pattern}\n  condition: a");
    assert_eq!(detects("process_creation", &paths(": /TMP/*.sh"), tests), [true, true, false, false]);
    assert_eq!(detects("process_creation", &paths("|endswith: /a*b.sh"), tests), [true, true, true, false]);
    assert_eq!(detects("process_creation", &paths("|startswith: /tmp/a?"), tests), [true, true, false, true]);
    assert_eq!(detects("process_creation", &paths("|contains: /a*b.s"), tests), [true, true, true, false]);
    assert_eq!(detects("process_creation", &paths("|cased: /TMP/*.sh"), tests), [false; 4]);
    assert_eq!(detects("process_creation", &paths("|contains|all: [/t*/, 'b?sh']"), tests), [true, true, true, true]);
}

#[test]
fn rules_see_only_their_log_source() {
    let selection = "  a:\n    process.executable.name: x\n  condition: a";
    let files: Vec<_> = ["process_creation", "file_access", "file_event", "network_connection", "network_flow"]
        .iter()
        .enumerate()
        .map(|(id, category)| (format!("{category}.yml"), rule(id as u32, category, selection)))
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let set = set(&files).unwrap();
    let titles = |category: &str, test: &str| {
        let mut engine = Engine::new(set.clone());
        let findings = engine.evaluate(&events(category, test)[0]);
        findings.iter().map(|finding: &Finding| finding.rule.title.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(titles("process_creation", "process.executable.name: x"), ["Rule 0"]);
    assert_eq!(titles("file_access", "process.executable.name: x, weir.file.access: read"), ["Rule 1"]);
    assert_eq!(titles("file_access", "process.executable.name: x, weir.file.access: write"), ["Rule 1", "Rule 2"]);
    assert_eq!(titles("network_connection", "process.executable.name: x"), ["Rule 3"]);
    assert_eq!(titles("network_flow", "process.executable.name: x"), ["Rule 4"]);
}

#[test]
fn a_filter_takes_matches_and_is_charged_with_them() {
    let filter = "title: Not ours\nid: 00000000-0000-4000-8000-000000000099\nlogsource:\n  category: process_creation\nfilter:\n  rules:\n    - rule_1\n  ours_a:\n    process.executable.path|startswith: /opt/\n  ours_b:\n    process.user.id: 7\n  condition: not 1 of ours_*\n";
    let selection = "  ours_x:\n    process.executable.name: x\n  condition: 1 of ours_*";
    let (first, second) = (rule(1, "process_creation", selection), rule(2, "process_creation", selection));
    let set =
        set(&[("1.yml", &first), ("2.yml", &second), ("f.yml", filter)]).unwrap_or_else(|invalid| panic!("{invalid}"));
    let mut engine = Engine::new(set.clone());
    let mut rules =
        |event: &Arc<Event>| engine.evaluate(event).iter().map(|f| f.rule.name.to_string()).collect::<Vec<_>>();
    let events = events(
        "process_creation",
        "process.executable.path: /opt/x\nprocess.executable.path: /bin/x\nprocess.executable.path: /bin/x, process.user.id: 7",
    );
    assert_eq!(
        events.iter().map(&mut rules).collect::<Vec<_>>(),
        [vec!["rule_2"], vec!["rule_1", "rule_2"], vec!["rule_2"]]
    );
    assert_eq!(engine.statistics().filters, [("Not ours".into(), 2)]);
}

#[test]
fn a_directory_is_laid_over_the_shipped_rules() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("lists")).unwrap();
    std::fs::create_dir(directory.path().join("..data")).unwrap();
    std::fs::write(directory.path().join("..data/broken.yml"), "title: [").unwrap();
    std::fs::write(directory.path().join("classes.yml"), "weights: []").unwrap();
    std::fs::write(directory.path().join("notes.md"), "not a rule").unwrap();
    std::fs::write(directory.path().join("lists/model_loaders.txt"), "# ours\nbespoke-loader # since May\n").unwrap();
    let shipped = RuleSet::embedded().unwrap();
    let one = shipped.rules().find(|rule| &*rule.name == "exec_from_memory").unwrap();
    let replaced = rule(1, "process_creation", "  a:\n    process.executable.name: x\n  condition: a")
        .replace("00000000-0000-4000-8000-000000000001", &one.id);
    std::fs::write(directory.path().join("mine.yml"), replaced).unwrap();
    let off = "title: Off\nid: OFF\nstatus: deprecated\nlevel: low\nlogsource:\n  category: file_access\ndetection:\n  a:\n    file.name: x\n  condition: a\n";
    let two = shipped.rules().find(|rule| &*rule.name == "credentials_read_unexpectedly").unwrap();
    std::fs::write(directory.path().join("off.yaml"), off.replace("OFF", &two.id.to_uppercase())).unwrap();
    let set = RuleSet::load_dir(directory.path()).unwrap_or_else(|invalid| panic!("{invalid}"));
    assert_eq!(set.rules().count(), shipped.rules().count() - 1);
    assert!(set.rules().any(|rule| &*rule.title == "Rule 1"));
    assert!(set.rules().all(|rule| rule.name != one.name && rule.name != two.name));
    assert_eq!(set.lists().get("model_loaders").unwrap().collect::<Vec<_>>(), ["bespoke-loader"]);
    assert_ne!(set.digest(), shipped.digest());
    assert_eq!(shipped.digest(), RuleSet::load::<&str>(&[]).unwrap().digest());
}

#[test]
fn fields_that_a_log_source_cannot_have_are_known() {
    use super::super::Category;
    use crate::event::Field;
    let carries = example::carries;
    assert!(
        carries(Category::NetworkFlow, Field::ExfilFraction) && !carries(Category::FileAccess, Field::ExfilFraction)
    );
    assert!(
        carries(Category::ProcessCreation, Field::FileLinks) && !carries(Category::ProcessCreation, Field::FileAccess)
    );
    assert!(carries(Category::NetworkConnection, Field::ProcessAncestors));
    assert!(!carries(Category::NetworkConnection, Field::FlowBytes));
}
