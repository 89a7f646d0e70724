//! What is written is what is read.

use super::super::super::integrity::Key;
use super::super::super::source::{Filter, Source as _};
use super::super::{Archive, Attachment, Export, ExportError, is_archive, recording, verify, write};
use super::{BEGIN, SECOND, archive, made, name, parts, source, timeline};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;

#[test]
fn it_has_what_belongs_to_the_incident() {
    let (_directory, key, file) = made();
    let names: Vec<String> = parts(&file).iter().map(name).collect();
    let expected = [
        "manifest.json",
        "manifest.sig",
        "coverage.jsonl",
        "events.jsonl",
        "gaps.jsonl",
        "raw.weir",
        "rules/own.yml",
        "timeline.csv",
        "timeline.json",
        "told.jsonl",
    ];
    assert_eq!(names, expected);
    let mut read = Archive::open(&file, &[key.public_key()]).unwrap();
    let rows = read.rows(&Filter::of_time(0, u64::MAX, 100)).unwrap().rows;
    let expected = source().rows;
    assert_eq!(rows, expected[..3], "by its processes and its containers, in its time");
    let told = read.told(0, u64::MAX, &BTreeSet::new()).unwrap();
    let uids: Vec<&str> = told.iter().map(|told| &*told.uid).collect();
    assert_eq!(uids, ["a1", "c1", "i1"], "what was told later of the same incident, and of no other");
    assert_eq!(read.gaps(0, u64::MAX).unwrap(), source().gaps);
    assert_eq!(read.span().unwrap(), Some((BEGIN, BEGIN + 99 * SECOND)));
    let manifest = &read.report().manifest;
    assert_eq!((manifest.incident.as_deref(), manifest.host.as_deref()), (Some("i1"), Some("node-1")));
    assert_eq!(manifest.notes, ["a note", "no policy"]);
    let mut raw = String::new();
    recording(&file, &[]).unwrap().unwrap().read_to_string(&mut raw).unwrap();
    assert_eq!(raw, "lines");
}

#[test]
fn it_says_who_signed_and_whether_that_was_asked_for() {
    let (_directory, key, file) = made();
    let said = verify(&file, &[key.public_key()]).unwrap().to_string();
    for words in [
        "whole: an archive of the incident i1, 8 files",
        "from 2026-05-28T20:26:40.000000000Z to 2026-05-28T20:27:10.000000000Z",
        &format!("signed by {}", key.public_key().fingerprint()),
        "note: no policy",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("not checked"), "{said}");
    assert!(verify(&file, &[]).unwrap().to_string().contains("not checked against a key of yours"));
}

#[test]
fn equal_input_makes_equal_bytes() {
    let (directory, key, file) = made();
    let again = directory.path().join("again");
    archive(&again, &key);
    assert_eq!(fs::read(file).unwrap(), fs::read(again).unwrap());
}

#[test]
fn a_source_of_it_answers_as_any_other() {
    let (_directory, _, file) = made();
    let mut read = Archive::open(&file, &[]).unwrap();
    let mut plain = source();
    plain.rows.truncate(3);
    let set = |text: &str| BTreeSet::from([Box::from(text)]);
    let all = Filter::of_time(0, u64::MAX, 100);
    for filter in [
        all.clone(),
        Filter { processes: set("p1"), ..all.clone() },
        Filter { workloads: set("w9"), processes: set("p0"), ..all.clone() },
        Filter { lineages: set("l1"), ..all.clone() },
        Filter { lineages: set("nobody's"), ..all.clone() },
        Filter { files: set("254:0/2"), ..all.clone() },
        Filter { paths: set("/models/b"), ..all.clone() },
        Filter { kinds: set("open"), ..all.clone() },
        Filter { kinds: set("exec"), ..all.clone() },
        Filter { from: BEGIN + SECOND, to: BEGIN + SECOND, ..all.clone() },
        Filter { limit: 2, ..all },
    ] {
        assert_eq!(read.rows(&filter).unwrap(), plain.rows(&filter).unwrap(), "{filter:?}");
    }
}

#[test]
fn what_is_there_is_not_written_over_and_what_fails_leaves_nothing() {
    let (directory, key, file) = made();
    let before = fs::read(&file).unwrap();
    let timeline = timeline();
    let export = |attachments| Export { timeline: &timeline, made: BEGIN, host: None, notes: vec![], attachments };
    let error = write(&file, &mut source(), export(vec![]), &key).unwrap_err();
    assert!(matches!(error, ExportError::Io { .. }) && fs::read(&file).unwrap() == before, "{error}");
    let other = directory.path().join("other");
    let twice = || ["rules/a b", "rules/a?b"].map(|name| Attachment::copied(name, &b""[..])).into();
    assert!(
        matches!(write(&other, &mut source(), export(twice()), &key), Err(ExportError::Twice(name)) if name == "rules/a_b")
    );
    let fails = Attachment::new("x", |_| Err(std::io::Error::other("no")));
    assert!(write(&other, &mut source(), export(vec![fails]), &key).is_err());
    assert!(!other.exists());
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn it_is_told_from_other_files() {
    let (directory, _, file) = made();
    assert!(is_archive(&file) && !is_archive(directory.path()));
    for bytes in [&b""[..], b"manifest.json", &crate::evidence::recording::pack(b"{}\n").unwrap()] {
        fs::write(&file, bytes).unwrap();
        assert!(!is_archive(&file));
    }
    assert!(Key::open(&file).is_err());
}
