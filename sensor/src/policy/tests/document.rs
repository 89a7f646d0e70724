//! What is wrong with a policy is said with its place and its mend.

use super::policy;
use crate::policy::{Budget, Direction, FILE_BYTES_MAX, Policy};
use std::path::Path;

/// What is said of `text`.
#[track_caller]
fn fault(text: &str) -> String {
    policy(text).expect_err("it is wrong").to_string()
}

/// An entry that is right, and this after it.
fn entry(more: &str) -> String {
    format!("workloads:\n  - name: a\n    select: {{}}\n{more}")
}

#[test]
fn the_example_is_right() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/policy.example.yml");
    let policy = Policy::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> = policy.entries().iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, ["llama-serving", "training", "nightly-backup", "notebooks"]);
    let text = std::fs::read_to_string(&file).unwrap();
    for entry in policy.entries() {
        let line = text.lines().nth(entry.line as usize - 1).unwrap();
        assert!(line.contains(&format!("name: {}", entry.name)), "{line}");
    }
    let [serving, ..] = policy.entries() else { panic!("none") };
    let to: Vec<_> = serving.destinations.iter().map(|to| (&*to.id, to.direction, to.budget)).collect();
    assert_eq!(
        to,
        [
            ("10.20.0.0/16", Direction::Both, Budget::Unlimited),
            ("telemetry.example.org", Direction::Upload, Budget::PerDay(200_000_000)),
            ("models.s3.eu-central-1.amazonaws.com", Direction::Download, Budget::PerDay(64 << 20)),
        ]
    );
    assert_eq!(serving.writers.as_deref().map(<[_]>::len), Some(0), "nobody, which is not nothing said");
    assert_eq!(policy.digest().map(|digest| digest.len()), Some(64));
}

#[test]
fn an_empty_policy_declares_nothing() {
    for text in ["", "# nothing yet\n", "---\n", "workloads: []", "workloads:", "{}"] {
        assert_eq!(policy(text).unwrap_or_else(|error| panic!("{text}: {error}")).entries().len(), 0, "{text}");
    }
}

#[test]
fn each_fault_has_its_place_and_its_mend() {
    for (text, place, words) in [
        ("wokloads: []", "1:1", &["`wokloads`", "did you mean `workloads`"][..]),
        (
            "workloads:\n  - name: a\n    select:\n      k8s.namespce.name: x",
            "4:7",
            &["did you mean `k8s.namespace.name`"],
        ),
        ("workloads:\n  - name: a", "2:5", &["missing field `select`"]),
        ("workloads:\n  - select: {}", "2:5", &["missing field `name`"]),
        ("workloads:\n  - name: 7\n    select: {}", "2:11", &["integer `7`", "in quotes if it is a number"]),
        ("workloads:\n  - name: a\n    select:\n      weir.slurm.job: 4711", "4:23", &["integer `4711`", "in quotes"]),
        (
            "workloads:\n  - name: a\n    select:\n      weir.workload.kind: contaner",
            "4:27",
            &["did you mean `container`"],
        ),
        ("workloads:\n  - name: a\n    select:\n      container.name: []", "4:23", &["empty"]),
        ("workloads:\n  - name: a\n    select:\n      container.name: '[a'", "4:23", &["`[a`", "unclosed"]),
        ("workloads:\n  - name: a\n    select:\n      container.name: '{a,b}'", "4:23", &["braces", "for each choice"]),
        ("workloads:\n  - name: a\n    select:\n      weir.workload.labels: {}", "4:29", &["no label"]),
        ("workloads:\n  - name: a\n    select:\n      weir.workload.labels: [a]", "4:29", &["a mapping of labels"]),
        (&entry("    role: servng"), "4:11", &["`servng` is no role", "did you mean `serving`"]),
        (&entry("    loaders: [python3]"), "4:15", &["`python3` does not begin with `/`", "`/**/python3`"]),
        (&entry("    loaders: /usr/bin/x"), "4:14", &["string \"/usr/bin/x\"", "expected a sequence"]),
        (&entry("    writers:\n      - executables: /x\n        file: /y"), "6:9", &["`file`", "did you mean `files`"]),
        (&entry("    writers:\n      - files: /y"), "5:9", &["missing field `executables`"]),
        (&entry("    destinations:\n      - to: 10.0.0.0/33"), "5:13", &["`10.0.0.0/33`", "10.0.0.0/8 (CIDR)"]),
        (&entry("    destinations:\n      - to: a.org\n        budget: 5GB"), "6:17", &["`5GB`", "500GB/day"]),
        (&entry("    destinations:\n      - to: a.org\n        direction: up"), "6:20", &["`up` is no direction"]),
        (&entry("    destinations:\n      - a.org 5GB"), "5:9", &["`a.org 5GB`", "500GB/day"]),
        (&entry("    destinations:\n      - a.org\n      - A.org 1GB/day"), "5:7", &["`A.org` is declared twice"]),
        (&entry("  - name: 'a'\n    select: {}"), "4:5", &["`a` is already that of line 2"]),
        (&entry("    select: {}"), "2:5", &["duplicate"]),
        ("workloads:\n  - name: a\n   select: {}", "3:4", &["not YAML"]),
        ("workloads: 3", "1:12", &["expected a sequence"]),
        ("- a", "1:1", &["a policy: a mapping with `workloads`"]),
        ("a: &x [*x]", "1:", &["not YAML"]),
    ] {
        let said = fault(text);
        assert!(said.starts_with(&format!("policy.yml:{place}")), "{text}\n{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
        assert!(!said.contains('\n'), "one line: {said}");
    }
}

#[test]
fn what_would_take_too_much_is_refused() {
    let many = |count: usize, entry: &str| {
        let entries = (0..count).map(|at| format!("  - {{name: n{at}, {entry}}}\n")).collect::<String>();
        fault(&format!("workloads:\n{entries}"))
    };
    assert!(many(4097, "select: {}").contains("4097 entries"));
    assert!(many(2049, "select: {container.name: 'a*'}").contains("2049 patterns with wildcards"));
    let destinations = (0..1001).map(|at| format!("      - a{at}.example.org\n")).collect::<String>();
    assert!(fault(&entry(&format!("    destinations:\n{destinations}"))).contains("more than 1000 destinations"));
    assert!(fault(&entry(&format!("    role: {}", "x".repeat(2000)))).contains("is no role"));
    // Each line of it ten times the one before.
    let bomb = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, at| {
        let before = format!("*a{}, ", at - 1).repeat(10);
        format!("{text}a{at}: &a{at} [{}]\n", before.trim_end_matches(", "))
    });
    assert!(fault(&bomb).contains("not YAML"), "{}", fault(&bomb));
}

#[test]
fn what_is_no_file_of_text_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yml");
    let said = |path: &Path| Policy::load(path).expect_err("it is wrong").to_string();
    assert!(said(&path).contains("cannot be read"), "{}", said(&path));
    assert!(said(directory.path()).contains("no regular file"));
    std::fs::write(&path, b"# a\nworkloads: [\xff]\n").unwrap();
    assert!(said(&path).contains("policy.yml:2:13: this is not UTF-8"), "{}", said(&path));
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(100 << 20).unwrap();
    assert!(said(&path).contains(&format!("more than the {FILE_BYTES_MAX} bytes")), "{}", said(&path));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[ -~\n]{0,200}", keys in "(workloads|name|select|role|loaders|: |- |\\{|\\}|\\[|\\]|\n  |/|\\*|&a|x){0,60}") {
        let _ = policy(&text);
        let _ = policy(&keys);
        let _ = policy(&entry(&format!("    {keys}")));
    }
}

#[test]
fn lists_have_names_that_rules_can_name() {
    let policy = super::policy("lists:\n  scanners: [/usr/bin/clamscan]\n  none: []\n").unwrap();
    let lists: Vec<_> = policy.lists().map(|(name, values)| (name, values.len())).collect();
    assert_eq!(lists, [("none", 0), ("scanners", 1)]);
    let error = super::policy("lists:\n  'a b': [x]\n").unwrap_err().to_string();
    assert!(error.contains("the list `a b` cannot be named in a rule"), "{error}");
}
