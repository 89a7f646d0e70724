//! Each thing that somebody can do to an archive is found and named.

use super::super::super::integrity::{Key, VerifyError, What};
use super::super::manifest::{Manifest, Signature};
use super::super::{Archive, recording, verify};
use super::{Part, made, name, parts, repack};
use std::fs;

/// What is said of the archive after `change`, signed as before.
fn said(change: impl Fn(&mut Vec<Part>)) -> String {
    let (_directory, key, file) = made();
    let mut changed = parts(&file);
    change(&mut changed);
    repack(&file, changed);
    let error = verify(&file, &[key.public_key()]).unwrap_err();
    assert!(Archive::open(&file, &[]).is_err() && recording(&file, &[]).is_err(), "nothing of it is used");
    error.to_string()
}

fn place(parts: &[Part], wanted: &str) -> usize {
    parts.iter().position(|part| name(part) == wanted).unwrap()
}

#[test]
fn a_changed_file_is_named() {
    for file in ["events.jsonl", "timeline.json", "raw.weir", "rules/own.yml"] {
        let said = said(|parts| {
            let at = place(parts, file);
            parts[at].1[0] ^= 1;
        });
        assert!(
            said.ends_with(&format!("the file {file:?} was changed: it has not the SHA-256 that its manifest says")),
            "{said}"
        );
    }
    let said = said(|parts| {
        let at = place(parts, "told.jsonl");
        parts[at].1.truncate(10);
    });
    assert!(said.contains("\"told.jsonl\" has 10 bytes, and its manifest says"), "{said}");
}

#[test]
fn a_removed_file_an_added_one_and_one_that_is_called_otherwise() {
    let removed = said(|parts| drop(parts.remove(place(parts, "gaps.jsonl"))));
    assert!(removed.contains("is where \"gaps.jsonl\" should be"), "{removed}");
    let removed = said(|parts| drop(parts.pop()));
    assert!(removed.ends_with("the file \"told.jsonl\" was removed"), "{removed}");
    let added = said(|parts| {
        let mut part = parts.last().unwrap().clone();
        part.0.set_path("zzz").unwrap();
        parts.push(part);
    });
    assert!(added.ends_with("the file \"zzz\" is not in its manifest: it was added"), "{added}");
    let twice = said(|parts| parts.push(parts.last().unwrap().clone()));
    assert!(twice.contains("was added"), "{twice}");
    let swapped = said(|parts| parts.swap(2, 3));
    assert!(swapped.contains("should be"), "{swapped}");
    let without = said(|parts| drop(parts.remove(1)));
    assert!(without.contains("no manifest.sig where that should be"), "{without}");
}

#[test]
fn a_changed_manifest_and_another_key() {
    let said = said(|parts| {
        let text = String::from_utf8(parts[0].1.clone()).unwrap();
        parts[0].1 = text.replace("node-1", "node-2").into_bytes();
    });
    assert!(said.contains("the signature is not of its manifest"), "{said}");
    // Somebody signs it anew.
    let (_directory, key, file) = made();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Key::load_or_create(elsewhere.path()).unwrap();
    let mut changed = parts(&file);
    changed[1].1 = serde_json::to_vec(&Signature::new(&changed[0].1, &other)).unwrap();
    repack(&file, changed);
    match verify(&file, &[key.public_key()]) {
        Err(VerifyError::Fault(fault)) => assert_eq!(fault.what, What::OtherKey(other.public_key())),
        other => panic!("{other:?}"),
    }
    assert_eq!(verify(&file, &[]).unwrap().key, other.public_key(), "whose it is, it says");
}

#[test]
fn the_signature_of_a_segment_in_it() {
    use super::super::super::integrity::{Statement, tests::store};
    let (directory, key, file) = made();
    let own = Key::load_or_create(directory.path()).unwrap();
    let with = |key: &Key, change: &str| {
        let statement = Statement::new(3, [1, 2], [0; 32], [1; 32], [2; 32], key);
        let bytes = serde_json::to_string(&statement).unwrap().replace("\"segment\":3", change).into_bytes();
        let attachments = vec![super::Attachment::copied("segments/0000000003.sig", std::io::Cursor::new(bytes))];
        let timeline = super::timeline();
        let export = super::Export { timeline: &timeline, made: 0, host: None, notes: vec![], attachments };
        fs::remove_file(&file).unwrap();
        super::write(&file, &mut super::source(), export, &own).unwrap();
        verify(&file, &[own.public_key()])
    };
    let report = with(&key, "\"segment\":3").unwrap();
    assert_eq!(report.segments, [3]);
    assert!(report.to_string().contains("the signed segments 3, which are not in it"));
    assert!(
        with(&key, "\"segment\":4")
            .unwrap_err()
            .to_string()
            .contains("segments/0000000003.sig: its signature is not right")
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let other = store::store(elsewhere.path(), 1, 0);
    assert!(with(&other, "\"segment\":3").unwrap_err().to_string().contains("signed by another key"));
}

#[test]
fn a_signed_manifest_that_cannot_be() {
    let (_directory, key, file) = made();
    let good = parts(&file);
    for change in [
        ("\"version\": 1", "\"version\": 2", "a form that this weir does not read"),
        ("\"raw.weir\"", "\"../raw.weir\"", "which no archive has so"),
        ("\"raw.weir\"", "\"gaps.jsonl\"", "which no archive has so"),
        ("\"raw.weir\"", "\"manifest.sig\"", "which no archive has so"),
        ("\"files\"", "\"Files\"", "its manifest is none"),
    ] {
        let mut changed = good.clone();
        let text = String::from_utf8(changed[0].1.clone()).unwrap();
        assert!(text.contains(change.0), "{text}");
        changed[0].1 = text.replace(change.0, change.1).into_bytes();
        changed[1].1 = serde_json::to_vec(&Signature::new(&changed[0].1, &key)).unwrap();
        repack(&file, changed);
        let said = verify(&file, &[]).unwrap_err().to_string();
        assert!(said.contains(change.2), "{said}");
    }
    assert!(Manifest::parse(&good[0].1).is_ok());
}
