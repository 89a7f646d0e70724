//! Public Sigma rules, unchanged: which are supported, why the others are not, and that those that are find what they are about.
//! The collection is where `WEIR_SIGMA_CORPUS` says; it is no part of this project.

use super::super::{Engine, Options, RuleSet, taxonomy, vet};
use super::{rule, set};
use crate::event::Event;
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SelectorPattern, SigmaRule, SigmaValue,
    SpecialChar, StringPart, detection_name_matches, parse_sigma_yaml,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Nothing, and a word about it, where the collection is not.
fn corpus() -> Option<PathBuf> {
    let directory = std::env::var_os("WEIR_SIGMA_CORPUS").map(PathBuf::from).filter(|path| path.is_dir());
    if directory.is_none() {
        println!("skipped: WEIR_SIGMA_CORPUS does not name a directory of public Sigma rules");
    }
    directory
}

fn files(directory: &PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "yml") {
            found.push(entry);
        }
    }
    found.sort();
    found
}

#[test]
fn the_public_rules_are_supported_but_for_those_that_are_named() {
    let Some(corpus) = corpus() else { return };
    let given = files(&corpus).len();
    let shipped = RuleSet::embedded().unwrap().rules().count();
    let refused = RuleSet::load(&[&corpus]).unwrap_err();
    let options = Options { allow_unsupported: true, ..Options::default() };
    let set = RuleSet::load_with(&[&corpus], &options).unwrap_or_else(|invalid| panic!("{invalid}"));
    let supported = set.rules().count() - shipped;
    println!("{given} public rules: {supported} supported, {} refused", set.left_out().len());
    for left_out in set.left_out() {
        for reason in &left_out.reasons {
            println!("refused: {}: {}", left_out.title, reason.fault);
        }
    }
    for note in set.notes() {
        println!("note: {}", note.text);
    }
    assert_eq!(supported + set.left_out().len(), given, "every rule is one or the other");
    assert!(supported >= 120, "{supported}");
    // Without the option each of these reasons, and nothing else, refuses the whole.
    assert_eq!(refused.problems.len(), set.left_out().iter().map(|left_out| left_out.reasons.len()).sum::<usize>());
}

/// Each rule is given an event made of the first values that its own condition names.
#[test]
fn the_public_rules_find_events_made_of_their_own_values() {
    let Some(corpus) = corpus() else { return };
    let (mut found, mut missed) = (Vec::new(), Vec::new());
    for file in files(&corpus) {
        let text = std::fs::read_to_string(&file).unwrap();
        let parsed = parse_sigma_yaml(&text).unwrap().rules.remove(0);
        let Ok(set) = set(&[("public.yml", &text)]) else { continue };
        let matches = event_of(&parsed).is_some_and(|event| !Engine::new(set).evaluate(&event).is_empty());
        if matches { found.push(parsed.title) } else { missed.push(parsed.title) }
    }
    println!("{} rules found their event; not tried or not found: {missed:#?}", found.len());
    assert!(found.len() >= 110, "{}", found.len());
}

/// An event that holds what the rule's condition asks for, as far as a simple reading goes: regular expressions are left out.
fn event_of(rule: &SigmaRule) -> Option<Arc<Event>> {
    let category = vet::category(&rule.logsource).unwrap();
    let mut detections = rule.detection.clone();
    detections.named.values_mut().for_each(|detection| taxonomy::translate(detection, Some(category)));
    let mut wanted: BTreeMap<String, Text> = BTreeMap::new();
    condition(detections.conditions.first()?, &detections, &mut wanted)?;
    if category == super::super::Category::FileEvent {
        wanted.insert("weir.file.access".to_owned(), Text { whole: Some("write".to_owned()), ..Text::default() });
    }
    let fields: Vec<String> = wanted
        .iter()
        .map(|(name, text)| (name, text.compose(name)))
        .map(|(name, text)| match text.parse::<u64>().is_ok() || text == "true" {
            true => format!("{name}: {text}"),
            false => format!("{name}: {}", serde_json::to_string(&text).unwrap()),
        })
        .collect();
    let events = super::matching::events(category.name(), &fields.join(", "));
    events.into_iter().next()
}

/// What a text has to be.
#[derive(Default)]
struct Text {
    whole: Option<String>,
    start: String,
    within: Vec<String>,
    end: String,
}

impl Text {
    fn compose(&self, name: &str) -> String {
        let front = if name.ends_with("path") && !self.start.starts_with('/') { "/" } else { "" };
        let text: String = [&self.start].into_iter().chain(&self.within).chain([&self.end]).cloned().collect();
        self.whole.clone().unwrap_or_else(|| format!("{front}{text}"))
    }
}

fn condition(expression: &ConditionExpr, all: &Detections, wanted: &mut BTreeMap<String, Text>) -> Option<()> {
    match expression {
        ConditionExpr::And(parts) => parts.iter().try_for_each(|part| condition(part, all, wanted)),
        ConditionExpr::Or(parts) => condition(parts.first()?, all, wanted),
        ConditionExpr::Not(_) => Some(()),
        ConditionExpr::Identifier(name) => selection(all.named.get(name)?, wanted),
        ConditionExpr::Selector { quantifier, pattern } => {
            let mut names: Vec<_> = all.named.keys().collect();
            names.retain(|name| match pattern {
                SelectorPattern::Them => true,
                SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
            });
            names.sort();
            let count = if *quantifier == Quantifier::All { names.len() } else { 1 };
            names.iter().take(count).try_for_each(|name| selection(&all.named[*name], wanted))
        }
    }
}

fn selection(detection: &Detection, wanted: &mut BTreeMap<String, Text>) -> Option<()> {
    match detection {
        Detection::AllOf(items) => items.iter().try_for_each(|one| item(one, wanted)),
        Detection::And(parts) => parts.iter().try_for_each(|part| selection(part, wanted)),
        Detection::AnyOf(parts) => selection(parts.first()?, wanted),
        _ => None,
    }
}

fn item(item: &DetectionItem, wanted: &mut BTreeMap<String, Text>) -> Option<()> {
    let has = |modifier| item.field.has_modifier(modifier);
    if has(Modifier::Re) || has(Modifier::Cidr) {
        return None;
    }
    let text = wanted.entry(item.field.name.clone()?).or_default();
    let count = if has(Modifier::All) { item.values.len() } else { 1 };
    for value in item.values.iter().take(count) {
        let value = match value {
            SigmaValue::String(text) => text.parts.iter().map(plain).collect::<String>(),
            SigmaValue::Integer(number) => number.to_string(),
            SigmaValue::Bool(flag) => flag.to_string(),
            _ => return None,
        };
        if has(Modifier::Contains) {
            text.within.push(value);
        } else if has(Modifier::StartsWith) {
            text.start = value;
        } else if has(Modifier::EndsWith) {
            text.end = value;
        } else {
            text.whole = Some(value);
        }
    }
    Some(())
}

fn plain(part: &StringPart) -> &str {
    match part {
        StringPart::Plain(text) => text,
        StringPart::Special(SpecialChar::WildcardSingle) => "x",
        StringPart::Special(_) => "",
    }
}

const PUBLIC: &str = "title: Public\nid: 00000000-0000-4000-8000-000000000101\nlevel: low\nlogsource:\n  product: linux\n  category: CATEGORY\ndetection:\n  a:\nITEMS\n  condition: a\n";

fn public(category: &str, items: &str) -> String {
    PUBLIC.replace("CATEGORY", category).replace("ITEMS", items)
}

fn finds(category: &str, items: &str, event: &str) -> bool {
    let set = set(&[("p.yml", &public(category, items))]).unwrap_or_else(|invalid| panic!("{invalid}"));
    let events = super::matching::events(category, event);
    !Engine::new(set).evaluate(&events[0]).is_empty()
}

#[test]
fn sigmas_names_mean_what_they_mean_there() {
    for (category, items, yes, no) in [
        (
            "process_creation",
            "    Image|endswith: /bash",
            "process.executable.path: /usr/bin/bash",
            "process.executable.path: /usr/bin/dash",
        ),
        (
            "process_creation",
            "    CommandLine|contains: ' -i'",
            "process.command_line: bash -i",
            "process.command_line: bash",
        ),
        (
            "process_creation",
            "    ParentImage: /sbin/init",
            "weir.process.parent.executable.path: /sbin/init",
            "weir.process.parent.executable.path: /init",
        ),
        ("process_creation", "    User: root", "process.user.id: 0", "process.user.id: 1"),
        ("process_creation", "    User:\n      - 5\n      - '6'", "process.user.id: 6", "process.user.id: 0"),
        (
            "process_creation",
            "    Image|endswith: /x\n    process.user.id: 7",
            "process.executable.path: /x, process.user.id: 7",
            "process.executable.path: /x",
        ),
        (
            "file_event",
            "    TargetFilename|startswith: /etc/cron.d/",
            "file.path: /etc/cron.d/x, weir.file.access: write",
            "file.path: /etc/cron.d/x, weir.file.access: read",
        ),
        (
            "network_connection",
            "    Initiated: 'true'\n    DestinationPort: 4444",
            "network.peer.port: 4444",
            "network.peer.port: 4445",
        ),
        (
            "network_connection",
            "    DestinationIp|cidr: 10.0.0.0/8\n    DestinationIsIpv6: 'false'",
            "network.peer.address: 10.1.2.3",
            "network.peer.address: 11.1.2.3",
        ),
        (
            "network_connection",
            "    DestinationHostname|endswith: .ngrok.com",
            "server.address: a.ngrok.com",
            "server.address: ngrok.com.a",
        ),
    ] {
        assert!(finds(category, items, yes), "{items}: {yes}");
        assert!(!finds(category, items, no), "{items}: {no}");
    }
}

fn problems(text: &str) -> Vec<String> {
    set(&[("p.yml", text)]).err().map(|e| e.problems.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// A file that is written elsewhere and moved into place came into being there. Our own name for it means what it always does.
#[test]
fn a_file_that_is_renamed_into_place_came_into_being() {
    let event = "file.path: /tmp/x, weir.file.new_path: /etc/cron.d/x";
    let found = |text: &str| {
        let filter = "title: F\nid: 00000000-0000-4000-8000-000000000199\nfilter:\n  rules: any\n  a:\n    TargetFilename|endswith: /kept\n  condition: not a\n";
        let mut engine = Engine::new(set(&[("p.yml", text), ("f.yml", filter)]).unwrap());
        let mut one = |event: &str| !engine.evaluate(&super::matching::events("file_rename", event)[0]).is_empty();
        (one(event), one("file.path: /etc/cron.d/x, weir.file.new_path: /tmp/x"), one(&event.replace("d/x", "d/kept")))
    };
    for items in [
        "    TargetFilename|startswith: /etc/cron.d/",
        "    TargetFilename: '*'\n    file.directory: /etc/cron.d",
        "    TargetFilename|contains: /\n    file.directory|endswith: cron.d\n    file.path|startswith: /etc/",
    ] {
        assert_eq!(found(&public("file_event", items)), (true, false, false), "{items}");
    }
    assert_eq!(found(&public("file_event", "    file.path|startswith: /etc/cron.d/")), (false, false, false));
    let renamed = public("file_rename", "    TargetFilename|startswith: /etc/cron.d/\n    SourceFilename: /tmp/x");
    assert!(found(&renamed).0, "of a rename it is the new name in any case");
}

#[test]
fn what_sigma_has_and_weir_not_is_refused_with_the_reason() {
    assert_eq!(
        problems(&public("process_creation", "    Hashes|contains: x")),
        ["p.yml:9:5: Sigma's field `Hashes` has no like here: Weir does not hash the files that it sees"]
    );
    assert_eq!(
        problems(&public("process_creation", "    User: www-data")),
        [
            "p.yml:9:11: `User: www-data` cannot be used: events carry user ids, and of the names only root's is the same everywhere; write `process.user.id` and a number"
        ]
    );
    assert!(
        problems(&public("process_creation", "    User|contains: root"))[0]
            .contains("cannot be used: events carry user ids")
    );
    assert!(
        problems(&public("process_creation", "    TargetFilenam: x"))[0].contains("did you mean `TargetFilename`?")
    );
    assert!(
        problems(&public("network_connection", "    TargetFilename: x"))[0]
            .contains("events of `network_connection` never have the field `file.path`")
    );
}

/// Of a mixed collection what can be used is used, if that is asked for; what is wrong refuses the whole all the same.
#[test]
fn what_is_unsupported_is_left_out_where_that_is_allowed() {
    let windows = public("process_creation", "    Image: x")
        .replace("linux", "windows")
        .replace("0101", "0102")
        .replace("Public", "Windows");
    let good = rule(1, "process_creation", "  a:\n    Image: /x\n  condition: a");
    let termination = rule(2, "process_termination", "  a:\n    Image: /x\n  condition: a");
    let correlation = "title: Both\nid: 00000000-0000-4000-8000-000000000077\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [rule_2]\n  group-by: [Image]\n  timespan: 1m\n  condition:\n    gte: 3\n";
    let filter = "title: F\nid: 00000000-0000-4000-8000-000000000099\nfilter:\n  rules: [rule_1, rule_2]\n  a:\n    Image: /y\n  condition: not a\n";
    let files = [
        ("a.yml", windows.as_str()),
        ("b.yml", good.as_str()),
        ("c.yml", termination.as_str()),
        ("d.yml", correlation),
        ("e.yml", filter),
    ];
    let load =
        |files: &[(&str, &str)]| super::set_with(files, &Options { allow_unsupported: true, ..Options::default() });
    let set_ = load(&files).unwrap_or_else(|invalid| panic!("{invalid}"));
    let titles: Vec<_> = set_.rules().map(|rule| rule.title.to_string()).collect();
    assert_eq!(titles, ["Rule 1"]);
    let left_out: Vec<_> =
        set_.left_out().iter().map(|left_out| (&*left_out.title, left_out.reasons[0].to_string())).collect();
    assert_eq!(left_out.iter().map(|(title, _)| *title).collect::<Vec<_>>(), ["Windows", "Rule 2", "Both"]);
    assert!(
        left_out[0].1.starts_with("a.yml:4:1: no events come from the log source `product: windows`"),
        "{left_out:?}"
    );
    assert!(
        left_out[2].1.starts_with("d.yml:6:11: the rule `rule_2` cannot be used: it was left out itself"),
        "{left_out:?}"
    );
    assert_eq!(set_.filter_count(), 1);
    assert!(set(&files).is_err(), "all or nothing, unless asked for");
    let misspelt = good.replace("Image", "Imgae").replace("0001", "0005").replace("rule_1", "rule_5");
    assert!(load(&[("a.yml", &windows), ("b.yml", &misspelt)]).is_err(), "a mistake is no missing support");
    let both = windows.replace("  a:\n", "  a:\n    Imgae: x\n");
    assert!(load(&[("a.yml", &both)]).is_err(), "nor is one beside it");
}
