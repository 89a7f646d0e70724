//! Which files the conditions of rules have the kernel look out for.

use super::{rule, set};
use crate::event::{Class, Classes, File};
use crate::provenance::ClassTable;

/// The keys that a rule with this detection adds, in a line, and its notes.
fn keys(category: &str, detection: &str) -> (String, Vec<String>) {
    let set = set(&[("r.yml", &rule(1, category, detection))]).unwrap_or_else(|invalid| panic!("{invalid}"));
    let watched = set.watched();
    let names = watched.names.iter().cloned();
    let all = names
        .chain(watched.suffixes.iter().map(|s| format!(".{s}")))
        .chain(watched.directories.iter().map(|d| format!("{d}/")));
    (
        all.collect::<Vec<_>>().join(" "),
        set.notes().iter().map(|note| format!("{}: {}", note.place, note.text)).collect(),
    )
}

#[test]
fn what_a_condition_asks_for_becomes_a_key() {
    for (items, expected) in [
        ("TargetFilename: /tmp/rootlog", "rootlog"),
        ("TargetFilename|endswith: /etc/Doas.conf", "doas.conf"),
        ("TargetFilename|startswith: /etc/sudoers.d/", "sudoers.d/"),
        ("TargetFilename|startswith: /var/spool/cron/root", "cron/"),
        ("TargetFilename|contains: /.ssh/", ".ssh/"),
        ("file.path|endswith: .service", ".service"),
        ("file.path: /home/*/.bashrc", ".bashrc"),
        ("file.path: /home/*/.config/autostart/*", "autostart/"),
        ("file.name: authorized_keys", "authorized_keys"),
        ("file.name|endswith: .pam", ".pam"),
        ("file.extension: ko", ".ko"),
        ("file.directory: /etc/cron.d", "cron.d/"),
        // A name that is too long for the kernel's tables is found by its directory.
        ("file.path: /opt/tool/a-name-of-more-than-thirty-one-bytes.cfg", "tool/"),
        // The kernel sends weights anyway.
        ("weir.file.class: weights", ""),
        // Both hold: the cheaper one is enough.
        ("file.path|contains: /etc/profile.d/\n    file.name|endswith: .csh", "profile.d/"),
        ("file.path|contains|all: [/tmp/, rootlog]", "tmp/"),
        ("weir.file.class: weights\n    file.path|startswith: /models/", ""),
    ] {
        let (keys, notes) = keys("file_event", &format!("  a:\n    {items}\n  condition: a"));
        assert_eq!((keys.as_str(), notes), (expected, Vec::new()), "{items}");
    }
}

#[test]
fn what_no_key_can_find_is_said() {
    for (items, expected, missed) in [
        ("file.path|contains: '{echo'", "{echo", "`*{echo*`"),
        ("file.path|endswith: ebpfbackdoor", "ebpfbackdoor", "`*ebpfbackdoor`"),
        ("file.path|contains: /etc/cron.allow", "cron.allow", "`*/etc/cron.allow*`"),
        ("file.path|startswith: /etc/", "", "`/etc/*`"),
        ("file.extension: so", "", "`so`"),
        ("file.path|re: ^/srv/.*", "", "whatever file the condition holds for"),
        ("process.executable.name: wget", "", "whatever file the condition holds for"),
    ] {
        let (keys, notes) = keys("file_event", &format!("  a:\n    {items}\n  condition: a"));
        assert_eq!(keys, expected, "{items}");
        assert_eq!(notes.len(), 1, "{items}");
        let start = format!("r.yml:8:1: `Rule 1` may not see all that it asks for ({missed})");
        assert!(notes[0].starts_with(&start), "{notes:?}");
    }
}

#[test]
fn conditions_are_followed() {
    let a = "  a:\n    file.name: one\n  b_1:\n    file.name: two\n  b_2:\n    - file.name: three\n    - file.name: four\n  c:\n    process.executable.name: x\n  condition: ";
    for (condition, expected, notes) in [
        ("a or b_1", "one two", 0),
        ("a and b_1", "one", 0),
        ("1 of b_*", "four three two", 0),
        ("all of b_*", "two", 0),
        ("a and not b_1", "one", 0),
        ("a and c", "one", 0),
        ("not a", "", 1),
        ("a or c", "one", 1),
    ] {
        let (keys, found) = keys("file_access", &format!("{a}{condition}"));
        let missed = found.iter().filter(|note| note.contains("may not see")).count();
        assert_eq!((keys.as_str(), missed), (expected, notes), "{condition}: {found:?}");
    }
    let (keys, notes) = keys("process_creation", "  a:\n    file.name: one\n  condition: a");
    assert_eq!((keys.as_str(), notes.len()), ("", 0), "programs are seen whatever they are called");
}

#[test]
fn watched_files_are_in_a_class_of_their_own() {
    let text = rule(
        1,
        "file_event",
        "  a:\n    TargetFilename|endswith:\n      - .gguf\n      - /etc/doas.conf\n      - /id_rsa\n  condition: a",
    );
    let set = set(&[("r.yml", &text)]).unwrap();
    let plain = ClassTable::load(None).unwrap();
    let watching = ClassTable::load(None).unwrap().watching(set.watched()).unwrap();
    let classes = |table: &ClassTable, path: &str| {
        table.refine(&File { path: path.into(), classes: Classes(u32::MAX), ..File::default() })
    };
    // The agent's own canary, which no rule asks for.
    let canary = "/var/lib/weir/0f.weir-canary";
    for path in ["/m/a.gguf", "/etc/doas.conf", "/root/.ssh/id_rsa", canary, "/etc/hosts", "/m/b.safetensors"] {
        let (before, after) = (classes(&plain, path), classes(&watching, path));
        assert_eq!(after.without(Class::Watched), before, "{path}: the other classes are what they were");
        let is_watched = !path.ends_with("hosts") && !path.ends_with("safetensors");
        assert_eq!(after.contains(Class::Watched), is_watched, "{path}");
    }
    let (more, less) = (watching.keys(), plain.keys());
    let (names, suffixes) = (less.names.len() + 1, less.suffixes.len() + 1);
    assert_eq!(
        (more.names.len(), more.suffixes.len()),
        (names, suffixes),
        "keys are shared; one suffix is the canary's"
    );
}

#[test]
fn more_than_the_kernel_holds_is_refused() {
    let names: String = (0..600).map(|n| format!("      - /opt/name-{n}\n")).collect();
    let text = rule(1, "file_event", &format!("  a:\n    file.path:\n{names}  condition: a"));
    let set = set(&[("r.yml", &text)]).unwrap();
    let refused = ClassTable::load(None).unwrap().watching(set.watched()).unwrap_err().to_string();
    assert!(refused.contains("what the loaded rules ask for") && refused.contains("table holds 512"), "{refused}");
}
