//! Each way in which a rule set can be wrong, with the sentence that says so.

use super::super::{Fault, check};
use super::{rule, set};

const PLAIN: &str = "  a:\n    process.executable.name: x\n  condition: a";

/// The sentences that `files` are refused with.
fn refused(files: &[(&str, &str)]) -> Vec<String> {
    match set(files) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.problems.iter().map(ToString::to_string).collect(),
    }
}

fn one(text: &str) -> String {
    let mut problems = refused(&[("r.yml", text)]);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

fn detection(detection: &str) -> String {
    one(&rule(1, "process_creation", detection))
}

fn correlation(inside: &str) -> String {
    format!(
        "{}---\ntitle: Both\nid: 00000000-0000-4000-8000-000000000077\nlevel: high\ncorrelation:\n{inside}\n",
        rule(1, "process_creation", PLAIN)
    )
}

#[test]
fn yaml_that_is_none() {
    let text = rule(1, "process_creation", PLAIN) + "---\ntitle: x\nid: 'y\n";
    let problem = one(&text);
    assert!(problem.starts_with("r.yml:1") && problem.contains("this is not YAML"), "{problem}");
    let line: usize = problem.split(':').nth(1).unwrap().parse().unwrap();
    assert!((13..=16).contains(&line), "{problem}");
    assert_eq!(
        one("- a\n- b\n"),
        "r.yml:1: a rule must be a YAML mapping; start it with `title:`, or take this document out"
    );
    assert!(one("action: global\ntitle: x\n").starts_with("r.yml:1:1: `action:` makes several rules of one"));
}

#[test]
fn fields() {
    assert_eq!(
        detection("  a:\n    file.pth: x\n  condition: a"),
        "r.yml:10:5: no event has the field `file.pth` (did you mean `file.path`?); docs/fields.md lists all of them"
    );
    assert!(
        detection("  a:\n    - Bild|endswith: x\n  condition: a")
            .starts_with("r.yml:10:7: no event has the field `Bild`;")
    );
    assert_eq!(
        detection("  a:\n    weir.flow.bytes|gt: 5\n  condition: a"),
        "r.yml:10:5: events of `process_creation` never have the field `weir.flow.bytes`, so this can never match; use another field or log source"
    );
    assert_eq!(
        detection("  a:\n    file.path|fieldref: file.pth\n  condition: a"),
        "r.yml:10:25: no event has the field `file.pth` (did you mean `file.path`?); docs/fields.md lists all of them"
    );
    assert_eq!(
        detection("  a:\n    weir.file.class: wieghts\n  condition: a"),
        "r.yml:10:22: `weir.file.class` is never `wieghts` (did you mean `weights`?); it is one of: weights, dataset, secret, startup_code, uncounted_path, log, host_control, persistence, package_record, gpu, process_environment, watched"
    );
}

#[test]
fn modifiers_and_values() {
    assert_eq!(
        detection("  a:\n    file.path|endwith: x\n  condition: a"),
        "r.yml:10:14: Sigma has no modifier `endwith` (did you mean `endswith`?); negation belongs into the condition"
    );
    assert!(
        detection("  a:\n    file.path|not: x\n  condition: a")
            .starts_with("r.yml:10:14: Sigma has no modifier `not`; negation")
    );
    assert!(
        detection("  a:\n    file.size|gte: big\n  condition: a")
            .starts_with("r.yml:8:1: the detection cannot be used:")
    );
    assert!(detection("  a:\n    file.path|re: '('\n  condition: a").contains("regex"));
    assert!(detection("  a:\n    file.path|re: '(a{1000}){1000}'\n  condition: a").contains("size limit"));
    assert!(detection("  a:\n    file.path|re|contains: x\n  condition: a").contains("conflicting modifiers"));
    assert_eq!(
        one(&rule(1, "network_flow", "  a:\n    network.peer.address|cidr: 10.0.0.0/33\n  condition: a")),
        "r.yml:10:32: `10.0.0.0/33` is not a network in CIDR notation; write one like 10.0.0.0/8 or fd00::/8"
    );
}

#[test]
fn conditions() {
    assert!(
        detection("  a:\n    file.path: x\n  condition: a adn b")
            .starts_with("r.yml:11:3: the condition cannot be understood: expected")
    );
    assert_eq!(
        detection("  sel:\n    file.path: x\n  condition: sle"),
        "r.yml:11:3: the condition names `sle`, which the detection does not define (did you mean `sel`?); define it or correct the name"
    );
    assert!(
        detection("  sel:\n    file.path: x\n  condition: sel and all of filter_*").contains("names `filter_*`, which")
    );
    assert!(
        detection("  a:\n    file.path: x\n  timeframe: 5m\n  condition: a")
            .starts_with("r.yml:11:3: `timeframe` in a detection cannot be used")
    );
    assert!(detection("  a:\n    file.path: x\n").contains("the rule has no `condition`"));
}

#[test]
fn keys_ids_and_levels() {
    let plain = rule(1, "process_creation", PLAIN);
    assert_eq!(
        one(&plain.replace("level: high", "level: high\nfalsepositive: x")),
        "r.yml:5:1: nothing reads the key `falsepositive` in the rule (did you mean `falsepositives`?); correct it or take it out"
    );
    assert!(
        set(&[("r.yml", &plain.replace("level: high", "level: high\nour_ticket: x"))]).is_ok(),
        "Sigma allows keys of one's own"
    );
    assert!(
        one(&(plain.clone() + "weir:\n  sentense: x\n"))
            .contains("nothing reads the key `sentense` in weir (did you mean `sentence`?)")
    );
    assert!(
        one(&plain.replace("level: high", "level: hgih"))
            .starts_with("r.yml:4:1: `level: hgih` cannot be used; write one of")
    );
    assert!(one(&plain.replace("level: high\n", "")).contains("the rule has no `level`; add"));
    assert!(
        one(&plain.replace("id: 00000000-0000-4000-8000-000000000001\n", "")).contains("the rule has no `id`; add")
    );
    assert!(one(&plain.replace("id: 00000000", "id: 0000000g")).starts_with("r.yml:2:1: `id: 0000000g-"));
    assert_eq!(
        refused(&[("a.yml", &plain), ("b.yml", &plain.replace("name: rule_1", "name: other"))]),
        [
            "b.yml:2:1: the id 00000000-0000-4000-8000-000000000001 is already that of a.yml:1; give one of the two a new UUID"
        ]
    );
    let other = rule(2, "process_creation", PLAIN).replace("name: rule_2", "name: rule_1");
    assert!(
        refused(&[("a.yml", &plain), ("b.yml", &other)])[0]
            .starts_with("b.yml:3:1: the name `rule_1` is already that of a.yml:1")
    );
}

#[test]
fn log_sources() {
    let plain = rule(1, "process_creation", PLAIN);
    assert!(
        one(&plain.replace("process_creation", "process_craetion"))
            .contains("(did you mean `process_creation`?); write one of process_creation, file_access")
    );
    assert!(
        one(&plain.replace("product: linux", "product: windows"))
            .contains("no events come from the log source `product: windows`")
    );
    assert!(
        one(&plain.replace("product: linux", "service: auditd")).contains("Weir reads the kernel and no service's log")
    );
    assert!(
        one(&plain.replace("  category: process_creation\n", ""))
            .contains("the rule has no `logsource.category`; write one of")
    );
}

#[test]
fn lists() {
    let listed = |value: &str| {
        rule(1, "network_flow", &format!("  a:\n    network.peer.address|cidr|expand: '{value}'\n  condition: a"))
    };
    let good = ("lists/ours.txt", "# ours\n10.0.0.0/8 # all\n\n");
    assert!(refused(&[("r.yml", &listed("%ours%")), good]).is_empty());
    assert_eq!(
        refused(&[("r.yml", &listed("%our%")), good]),
        [
            "r.yml:10:40: there is no list `our` (did you mean `ours`?); put its values, one a line, into lists/our.txt beside the rules"
        ]
    );
    assert!(
        refused(&[("r.yml", &listed("%ours%")), ("lists/ours.txt", "# none\n")])[0]
            .contains("the list `ours` is empty")
    );
    assert_eq!(
        refused(&[("r.yml", &listed("%ours%")), ("lists/ours.txt", "10.0.0.0/8\n10.0.0.0\n")]),
        ["lists/ours.txt:2:1: `10.0.0.0` is not a network in CIDR notation; write one like 10.0.0.0/8 or fd00::/8"]
    );
    assert!(refused(&[("r.yml", &listed("%ours%%ours%")), good])[0].contains("more than one placeholder"));
}

#[test]
fn correlations() {
    let good = "  type: event_count\n  rules: [rule_1]\n  group-by: [weir.workload.id]\n  timespan: 1m\n  condition:\n    gte: 3";
    assert!(refused(&[("r.yml", &correlation(good))]).is_empty());
    let wrong = |from: &str, to: &str| one(&correlation(&good.replace(from, to)));
    assert_eq!(
        wrong("rule_1", "rule_l"),
        "r.yml:18:11: there is no rule with the name or id `rule_l` (did you mean `rule_1`?); correct it, or load that rule too"
    );
    assert!(wrong("weir.workload.id", "weir.workload").contains("no event has the field `weir.workload`"));
    assert!(
        wrong("event_count", "value_median")
            .starts_with("r.yml:17:3: the correlation type `value_median` cannot be used: Sigma 2.1 does not have it")
    );
    assert!(
        wrong("event_count", "event_cuont").contains("`type: event_cuont` cannot be used; write one of event_count")
    );
    assert!(wrong("event_count", "value_count").contains("value_count without `field` cannot be used"));
    assert!(wrong("event_count", "value_avg").contains("value_avg without one `field` cannot be used"));
    let ranked = |percentile: &str| {
        let condition = format!("gte: 3\n    field: file.size\n    percentile: {percentile}");
        let text = good.replace("event_count", "value_percentile").replace("gte: 3", &condition);
        refused(&[("r.yml", &correlation(&text))])
    };
    assert!(ranked("95").is_empty(), "{:?}", ranked("95"));
    // The parser would take 50 for these.
    for wrong in ["95.5", "'95'", "-1", "101", "~"] {
        assert!(
            ranked(wrong)[0].contains("value_percentile without a `percentile` cannot be used: add"),
            "{:?}",
            ranked(wrong)
        );
    }
    assert!(wrong("gte: 3", "gte: 3\n    percentile: 5").contains("`percentile` with event_count cannot be used"));
    assert!(wrong("gte: 3", "gte: -3").contains("a threshold below 0 cannot be used"));
    assert!(wrong("timespan: 1m", "timespan: 1m\n  window: tumbling").contains("`window: tumbling` cannot be used"));
    assert!(refused(&[("r.yml", &correlation(&good.replace("1m", "1m\n  window: session\n  gap: 5s")))]).is_empty());
    assert!(wrong("1m", "1x").contains("`timespan: 1x` cannot be used; write a number"));
    assert!(wrong("gte: 3", "gte: 30000").contains("a threshold above 10000 cannot be used"));
    let misspelt = refused(&[("r.yml", &correlation(&good.replace("gte: 3", "gtee: 3")))]);
    assert!(
        misspelt[1].contains("nothing reads the key `gtee` in the correlation's condition (did you mean `gte`?)"),
        "{misspelt:?}"
    );
    assert!(
        wrong("group-by", "groupby")
            .contains("nothing reads the key `groupby` in correlation (did you mean `group-by`?)")
    );
    assert!(wrong("rules: [rule_1]", "rules: []").contains("the rule has no `rules`; add"));
    let both = correlation(good)
        + "---\n"
        + &correlation(good)
            .split("---\n")
            .nth(1)
            .unwrap()
            .replace("77", "78")
            .replace("rule_1", "00000000-0000-4000-8000-000000000077");
    assert!(one(&both).contains("as part of another one cannot be used"));
}

#[test]
fn filters() {
    let filter = |rules: &str| {
        rule(1, "process_creation", PLAIN)
            + &format!(
                "---\ntitle: F\nid: 00000000-0000-4000-8000-000000000099\nfilter:\n{rules}  a:\n    file.path: x\n  condition: not a\n"
            )
    };
    assert!(refused(&[("r.yml", &filter("  rules: any\n"))]).is_empty());
    assert!(
        one(&filter("  rules: [nobody]\n")).starts_with("r.yml:16:11: there is no rule with the name or id `nobody`")
    );
    assert!(one(&filter("")).contains("the rule has no `filter.rules`; name the rules"));
    assert!(
        one(&filter("  rules: any\n").replace("file.path: x", "file.pth: x"))
            .contains("no event has the field `file.pth`")
    );
}

#[test]
fn sentences_and_examples() {
    let weir = |inside: &str| one(&(rule(1, "process_creation", PLAIN) + "weir:\n" + inside));
    assert_eq!(
        weir("  sentence: '{file.pth} was run'\n"),
        "r.yml:13:3: the sentence cannot be used: `{file.pth}` is neither a field nor a field of a rule that this one is made of, did you mean `file.path`?"
    );
    for (sentence, reason) in [
        ("{file.path", "is not closed"),
        ("file.path}", "closes nothing"),
        ("[{file.path}", "a `[` is not closed"),
        ("x]", "closes nothing"),
        ("[a [b] c]", "within"),
        ("{file.size|kilobytes}", "is not a form"),
        ("{rule_1.file.size}", "is neither"),
    ] {
        assert!(weir(&format!("  sentence: '{sentence}'\n")).contains(reason), "{sentence}");
    }
    assert!(weir("  atlas: [T0025]\n").contains("write technique ids like AML.T0025"));
    assert!(weir("  suppress: soon\n").contains("`suppress: soon` cannot be used"));
    assert!(weir("  subject: [file.pth]\n").contains("did you mean `file.path`"));
    assert!(
        weir("  tests:\n    match:\n      - file.pth: x\n")
            .starts_with("r.yml:15:9: no event has the field `file.pth`")
    );
    assert!(
        weir("  tests:\n    match:\n      - weir.flow.bytes: 5\n")
            .contains("an event of process_creation cannot have `weir.flow.bytes: 5`")
    );
    assert!(
        weir("  tests:\n    match:\n      - file.path: /a/b\n        file.name: c\n")
            .contains("goes not with the other fields, which make it b")
    );
}

#[test]
fn all_problems_of_all_files_are_told_in_order() {
    let bad = rule(1, "process_creation", "  a:\n    file.pth: x\n    file.nmae: y\n  condition: b");
    let worse = rule(2, "prozess_creation", PLAIN) + "---\ntitle: x\n";
    let problems = refused(&[("b.yml", &worse), ("a.yml", &bad)]);
    let places: Vec<_> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["a.yml:10:5", "a.yml:11:5", "a.yml:12:3", "b.yml:5:1", "b.yml:13"], "{problems:#?}");
}

#[test]
fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let problem = |name: &str| {
        let report = check(&[path(name)]);
        assert!(report.set.is_none() && report.problems.len() == 1, "{report}");
        report.problems[0].clone()
    };
    assert!(matches!(problem("missing").fault, Fault::Unreadable(_)));
    std::fs::write(path("latin.yml"), b"title: x\nid: a\xe9b\n").unwrap();
    let latin = problem("latin.yml");
    assert_eq!((latin.place.line, latin.place.column, &latin.fault), (2, 6, &Fault::NotUtf8 { offset: 14 }));
    std::fs::write(path("huge.yml"), vec![b'#'; (4 << 20) + 1]).unwrap();
    assert!(problem("huge.yml").to_string().contains("it has 4194305 bytes, more than the 4194304"));
    std::fs::create_dir(path("circle")).unwrap();
    for n in 0..10 {
        std::os::unix::fs::symlink(".", path(&format!("circle/{n}"))).unwrap();
    }
    assert!(check(&[path("circle")]).problems.iter().all(|problem| problem.fault == Fault::TooMany(10_000)));
    assert!(!check(&[path("circle")]).problems.is_empty());
    std::fs::write(path("bomb.yml"), bomb()).unwrap();
    assert!(matches!(problem("bomb.yml").fault, Fault::Yaml(_)));
}

/// Aliases of aliases, a few hundred bytes that would be gigabytes.
fn bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        text += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    text
}
