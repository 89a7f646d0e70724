//! Bytes of anybody's.

use super::super::name::{is_plain, plain};
use super::super::{Archive, verify};
use super::{Part, made, parts, repack};
use proptest::prelude::*;
use std::fs;
use std::io::Cursor;
use tar::{EntryType, Header};

/// What is said of an archive with this in place of its third file.
fn said(part: Part) -> String {
    let (_directory, _, file) = made();
    let mut changed = parts(&file);
    changed[2] = part;
    repack(&file, changed);
    verify(&file, &[]).unwrap_err().to_string()
}

fn part(name: &[u8], kind: EntryType, bytes: &[u8]) -> Part {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    (header, bytes.to_vec())
}

#[test]
fn what_is_no_plain_file_is_refused() {
    for name in [
        &b"../x"[..],
        b"/etc/passwd",
        b"a//b",
        b"a/../b",
        b".hidden",
        b"-rf",
        b"a b",
        b"a\x1b[31m",
        b"\xff",
        b"a/b/c/d/e",
        b"",
    ] {
        let said = said(part(name, EntryType::Regular, b"x"));
        assert!(said.contains("no file with a plain name") && !said.contains('\u{1b}'), "{said}");
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Fifo,
        EntryType::Block,
        EntryType::GNUSparse,
    ] {
        let said = said(part(b"coverage.jsonl", kind, b""));
        assert!(said.contains("no file with a plain name"), "{kind:?}: {said}");
    }
    // What changes the file that follows it.
    for kind in [EntryType::XHeader, EntryType::XGlobalHeader, EntryType::GNULongName, EntryType::GNULongLink] {
        let said = said(part(b"coverage.jsonl", kind, b"19 path=../../etc/x\n"));
        assert!(said.contains("no file with a plain name"), "{kind:?}: {said}");
    }
}

#[test]
fn a_size_that_is_a_lie_is_found_before_anything_is_read() {
    let (_directory, _, file) = made();
    let mut archive = tar::Builder::new(Vec::new());
    for (at, (mut header, bytes)) in parts(&file).into_iter().enumerate() {
        if at == 2 {
            header.set_size(u64::MAX >> 2);
        }
        header.set_cksum();
        archive.append(&header, Cursor::new(bytes)).unwrap();
    }
    fs::write(&file, zstd::encode_all(Cursor::new(archive.into_inner().unwrap()), 1).unwrap()).unwrap();
    let said = verify(&file, &[]).unwrap_err().to_string();
    assert!(said.contains("4611686018427387903 bytes, and its manifest says"), "{said}");
}

#[test]
fn an_archive_may_be_cut_anywhere() {
    let (_directory, _, file) = made();
    let whole = fs::read(&file).unwrap();
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        assert!(verify(&file, &[]).is_err(), "{length} of {} bytes", whole.len());
    }
    // And nothing may follow.
    let more = [whole.clone(), zstd::encode_all(&b"more"[..], 1).unwrap()].concat();
    fs::write(&file, more).unwrap();
    let said = verify(&file, &[]).unwrap_err().to_string();
    assert!(said.contains("something behind its last file"), "{said}");
}

#[test]
fn a_window_that_is_too_large_is_refused() {
    let (_directory, _, file) = made();
    let bytes = zstd::decode_all(fs::File::open(&file).unwrap()).unwrap();
    let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packer.window_log(27).unwrap();
    std::io::Write::write_all(&mut packer, &bytes).unwrap();
    fs::write(&file, packer.finish().unwrap()).unwrap();
    assert!(verify(&file, &[]).is_err());
}

#[test]
fn a_line_that_weir_does_not_write_is_named() {
    use super::super::{Attachment, Export, write};
    let (directory, key, _) = made();
    let file = directory.path().join("other");
    let timeline = super::timeline();
    for (name, bytes) in [("rules/x", &b"{}\n"[..]), ("x", b"\0")] {
        let attachments = vec![Attachment::copied(name, bytes)];
        let export = Export { timeline: &timeline, made: 0, host: None, notes: vec![], attachments };
        write(&file, &mut super::source(), export, &key).unwrap();
        assert!(Archive::open(&file, &[]).is_ok(), "what is attached is anybody's");
        fs::remove_file(&file).unwrap();
    }
    // Signed by its maker, with lines that are none.
    let export = Export { timeline: &timeline, made: 0, host: None, notes: vec![], attachments: vec![] };
    write(&file, &mut super::source(), export, &key).unwrap();
    let mut changed = parts(&file);
    let at = changed.iter().position(|part| super::name(part) == "events.jsonl").unwrap();
    changed[at].1 = b"{\"time\":1}\n".to_vec();
    let mut manifest: super::super::Manifest = serde_json::from_slice(&changed[0].1).unwrap();
    let entry = manifest.files.iter_mut().find(|entry| entry.name == "events.jsonl").unwrap();
    entry.size = 11;
    entry.sha256 = crate::evidence::integrity::hex(&<sha2::Sha256 as sha2::Digest>::digest(b"{\"time\":1}\n"));
    changed[0].1 = serde_json::to_vec(&manifest).unwrap();
    changed[1].1 = serde_json::to_vec(&super::super::manifest::Signature::new(&changed[0].1, &key)).unwrap();
    repack(&file, changed);
    assert!(verify(&file, &[]).is_ok());
    let said = Archive::open(&file, &[]).unwrap_err().to_string();
    assert!(said.contains("its line 1 is none of weir's: missing field"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn changed_bytes_are_found_and_do_no_harm(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        inside in any::<bool>(),
    ) {
        let (_directory, _, file) = made();
        let whole = fs::read(&file).unwrap();
        let unpacked = zstd::decode_all(&whole[..]).unwrap();
        let mut bytes = if inside { unpacked.clone() } else { whole.clone() };
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let packed = if inside { zstd::encode_all(&bytes[..], 1).unwrap() } else { bytes };
        fs::write(&file, &packed).unwrap();
        let _ = Archive::open(&file, &[]);
        if verify(&file, &[]).is_ok() {
            // Bits without meaning: of the frame's header, or of a file's owner and time.
            let again = zstd::decode_all(&packed[..]).unwrap();
            let content = |bytes: &[u8]| -> Vec<Vec<u8>> {
                let mut archive = tar::Archive::new(bytes);
                archive.entries().unwrap().map(|entry| {
                    let mut content = Vec::new();
                    std::io::Read::read_to_end(&mut entry.unwrap(), &mut content).unwrap();
                    content
                }).collect()
            };
            prop_assert_eq!(content(&again), content(&unpacked));
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), packed in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x");
        let mut content = bytes;
        if packed {
            let mut begin = Header::new_ustar();
            begin.set_path("manifest.json").unwrap();
            content = zstd::encode_all(&[&begin.as_bytes()[..], &content].concat()[..], 1).unwrap();
        }
        fs::write(&file, &content).unwrap();
        prop_assert!(verify(&file, &[]).is_err());
    }

    #[test]
    fn any_name_is_made_plain(name in "\\PC{0,200}") {
        prop_assert!(is_plain(&plain(&name)), "{:?}", plain(&name));
    }

    #[test]
    fn plain_names_stay(name in "[a-z0-9][a-z0-9._-]{0,20}(/[a-z0-9][a-z0-9._-]{0,20}){0,3}") {
        prop_assert_eq!(plain(&name), name);
    }
}
