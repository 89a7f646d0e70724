//! Each format by its content alone; what must not be taken for one; bytes that lie.

use super::*;
use crate::event::Class;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn told(bytes: &[u8]) -> Option<Found> {
    sniff(&Sample::of(bytes))
}

fn is_certain(bytes: &[u8]) -> bool {
    told(bytes).is_some_and(|found| found.confidence == Confidence::Certain && found.format.class().is_some())
}

#[test]
fn each_format_is_told_by_its_content() {
    let mut left: BTreeSet<Format> = Format::ALL.iter().copied().collect();
    let mut wrong = Vec::new();
    for (format, confidence, file) in samples::all() {
        let (found, expected) = (told(&file), Some(Found { format, confidence }));
        if found != expected {
            wrong.push(format!("{expected:?} is told as {found:?}: {}", String::from_utf8_lossy(&file).escape_debug()));
        }
        left.remove(&format);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(left, BTreeSet::new(), "have no sample");
}

#[test]
fn formats_are_found_by_their_names() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Some(*format));
        assert!(format.name().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
    }
    assert_eq!(Format::from_name("saftensors"), None);
    let set: FormatSet = [Format::Safetensors, Format::Tar].into_iter().collect();
    let members: Vec<_> = Format::ALL.iter().filter(|format| set.contains(**format)).collect();
    assert_eq!(members, [&Format::Safetensors, &Format::Tar]);
}

#[test]
fn what_lies_beside_weights_is_none() {
    let index =
        r#"{"metadata":{"total_size":1},"weight_map":{"model.embed.weight":"model-00001-of-00002.safetensors"}}"#;
    let tokenizer = r#"{"version":"1.0","truncation":null,"added_tokens":[{"id":0,"content":"<s>"}],"learner":"no"}"#;
    let quoted = r#"{"about":"a header has \"dtype\" and \"data_offsets\"","dtype":"F16","data_offsets":[0,1]}"#;
    let python =
        "KEY = '''\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n'''\n";
    let markdown = "# Keys\n\n-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n";
    let empty_key = "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PUBLIC KEY-----\n";
    let manifest = "apiVersion: v1\nkind: ConfigMap\ndata:\n  clusters: 3\n";
    let cilium = "apiVersion: v1\nkind: CiliumConfig\nclusters: []\ncontexts: []\n";
    let credentials = r#"{"type": "authorized_user", "refresh_token": "x"}"#;
    let mut record = samples::all().into_iter().find(|(format, ..)| *format == Format::Tfrecord).expect("has one").2;
    record[12..15].copy_from_slice(b"xyz");
    record.extend(b"\x1a\x0dbrain.Event:2");
    let files: [&[u8]; 24] = [
        b"",
        b"\0",
        b"{}",
        b"[1, 2, 3]",
        index.as_bytes(),
        tokenizer.as_bytes(),
        quoted.as_bytes(),
        br#"{"architectures":["LlamaForCausalLM"],"torch_dtype":"bfloat16"}"#,
        b"{\"text\": \"a line\"}\n{\"text\": \"another\"}\n",
        b"PARAGRAPHS: one, two, three",
        b"ORCHESTRA and ORC\x0b but",
        b"tree of life\nversion=none",
        b"eyJhbGciOiJSUzI1NiJ9 is how a token begins. So it is.",
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0",
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\0",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01",
        b"#!/bin/sh\necho GGUF\n",
        python.as_bytes(),
        markdown.as_bytes(),
        empty_key.as_bytes(),
        public.as_bytes(),
        manifest.as_bytes(),
        cilium.as_bytes(),
        credentials.as_bytes(),
    ];
    for file in files {
        assert_eq!(told(file), None, "{}", String::from_utf8_lossy(file).escape_debug());
    }
    assert_eq!(told(&record), None, "TensorBoard's events");
    let own = std::fs::read(std::env::current_exe().expect("a program runs")).expect("it can be read");
    assert_eq!(told(&own), None, "a real program");
}

#[test]
fn a_zip_of_other_things_is_a_zip_whatever_its_size() {
    for (format, _, file) in samples::all().into_iter().filter(|(format, ..)| *format == Format::Zip) {
        let sample = Sample { size: u64::MAX, ..Sample::of(&file) };
        assert_eq!(sniff(&sample).map(|found| found.format), Some(format));
    }
}

#[test]
fn a_header_that_lies_about_lengths_is_not_believed() {
    let file = |length: u64, text: &[u8]| [&length.to_le_bytes()[..], text].concat();
    let tensors = br#"{"w":{"dtype":"F32","data_offsets":[0,4]}}"#;
    assert!(is_certain(&file(tensors.len() as u64, tensors)));
    for length in [0, 7, 100_000_001, u64::MAX, u64::MAX - 7] {
        assert_eq!(told(&file(length, tensors)), None, "{length}");
    }
    let cut = told(&file(tensors.len() as u64 + 1, tensors)).expect("a first piece");
    assert_eq!((cut.format, cut.confidence), (Format::Safetensors, Confidence::Likely));
    // The words must be in the header, not behind it.
    assert_eq!(
        told(&file(8, b"{\"a\": 1}{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}")).map(|f| f.confidence),
        Some(Confidence::Likely)
    );
    assert_eq!(told(b"CBM1\xff\xff\xff\xff\x10\0\0\0"), None, "a core larger than the file");
    assert_eq!(told(b"\xff\xff\xff\xff\x08\0\0\0\xf0\xff\xff\x7f\0\0\0\0"), None, "a root outside of its message");
    assert_eq!(told(b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff]"), None, "a frame larger than the file");
    assert_eq!(told(b"\x0c\xdb\x3a\x2a\xff\xff\xff\xff\xff\xff\xff\xff\0\0"), None, "a manifest larger than the file");
    assert_eq!(told(b"\x08\x08\x12\x01x\x3a\x7f\x0a\x03\x0a\x01x"), None, "a graph larger than the file");
    assert_eq!(told(b"\x08\x08\x12\x01x\x3a\x05\x0a\x09\x0a\x01x"), None, "a node larger than its graph");
    assert_eq!(told(b"\x08\x01\x12\x7f\x0a\x03\x22\x01x"), None, "a graph larger than the file");
    assert_eq!(told(b"\x08\x08\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), None, "a field larger than all");
}

#[test]
fn every_format_cut_anywhere_is_itself_something_weaker_or_nothing() {
    for (format, _, file) in samples::all() {
        for end in 0..file.len() {
            if let Some(found) = told(&file[..end]) {
                let kin = found.format.class() == format.class() || found.format.class().is_none();
                assert!(kin, "{format:?} cut at {end} is {found:?}");
            }
        }
    }
}

#[test]
fn noise_is_never_certain() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    for seed in 0..1000 {
        let noise: Vec<u8> = (0..HEAD_MAX / 8).flat_map(|_| next().to_le_bytes()).collect();
        assert!(!is_certain(&noise), "the {seed}th: {:?}", told(&noise));
        // With each weak beginning in front.
        for front in [&b"\x08\x07"[..], b"\x08\x01", b"\x80\x02", b"\x80\x04\x95", b"PK\x03\x04", b"ORC", b"binf"] {
            let noise = [front, &noise].concat();
            assert!(!is_certain(&noise), "the {seed}th behind {front:x?}: {:?}", told(&noise));
        }
    }
}

#[test]
fn only_the_ends_are_looked_at() {
    let mut head = vec![b' '; HEAD_MAX];
    head.extend(b"{\"learner\":{\"attributes\":{}}}");
    assert_eq!(told(&head), None, "the head ends before it");
    let file = b"PAR1\x15\x04\x02\0\0\0PAR1";
    let tail = [&vec![0; 4 * TAIL_MAX], &file[4..]].concat();
    let found = sniff(&Sample { head: &file[..4], tail: &tail, size: 1 << 40 });
    assert_eq!(found, Some(Found::certain(Format::Parquet)), "however long a tail is given");
}

#[test]
fn what_formats_are_for_is_the_shipped_default() {
    let table = crate::provenance::ClassTable::load(None).expect("the built-in file is right");
    for (format, confidence, file) in samples::all() {
        let sample = Sample { size: 1 << 30, ..Sample::of(&file) };
        // Of some, the size is a part of what is checked.
        if sniff(&sample) == Some(Found { format, confidence }) {
            let classes: Vec<Class> = table.by_content(&sample).1.iter().collect();
            assert_eq!(classes, format.class().into_iter().collect::<Vec<_>>(), "{format:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whatever the bytes: an answer, the same again, and never by size alone.
    #[test]
    fn no_bytes_are_too_odd(
        sample in 0usize..64,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12),
        head in any::<proptest::sample::Index>(),
        tail in proptest::collection::vec(any::<u8>(), 0..80),
        size in prop_oneof![any::<u64>(), 0u64..10_000],
    ) {
        static ALL: std::sync::LazyLock<Vec<(Format, Confidence, Vec<u8>)>> = std::sync::LazyLock::new(samples::all);
        let all = &*ALL;
        let mut bytes = all[sample % all.len()].2.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let sample = Sample { head: &bytes[..head.index(bytes.len() + 1)], tail: &tail, size };
        prop_assert_eq!(sniff(&sample), sniff(&sample));
        let end = &bytes[bytes.len().saturating_sub(TAIL_MAX)..];
        let _ = sniff(&Sample { head: &bytes, tail: end, size });
        prop_assert_eq!(sniff(&Sample { head: &[], tail: &[], size }), None);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(head in proptest::collection::vec(any::<u8>(), 0..200), size in any::<u64>()) {
        let _ = sniff(&Sample { head: &head, tail: &head, size });
    }
}

/// `cargo test --release -p sensor --lib -- --ignored --nocapture nanoseconds_a_sniff`
#[test]
#[ignore = "a number, not a verdict"]
fn nanoseconds_a_sniff() {
    const ROUNDS: u32 = 100_000;
    let text: Vec<u8> =
        b"import torch  # a line of code, as most files are\n".iter().copied().cycle().take(HEAD_MAX).collect();
    let filled = |name: &str| {
        let format = Format::from_name(name).expect("is a format");
        let mut file = samples::all().into_iter().find(|(is, ..)| *is == format).expect("has a sample").2;
        file.resize(HEAD_MAX, b' ');
        file
    };
    let noise: Vec<u8> = (0..HEAD_MAX as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let json: Vec<u8> = br#"{"dtype": {"a": [1, 2]}, "e": "#.iter().copied().cycle().take(HEAD_MAX).collect();
    let zips: Vec<u8> = b"PK\x03\x04\0\0".iter().copied().cycle().take(HEAD_MAX).collect();
    let begins: Vec<u8> = b"-----BEGIN ".iter().copied().cycle().take(HEAD_MAX).collect();
    let files = [
        ("text", text),
        ("noise", noise),
        ("json", json),
        ("zip of headers", zips),
        ("many BEGIN", begins),
        ("safetensors", filled("safetensors")),
        ("pytorch_zip", filled("pytorch_zip")),
        ("onnx", filled("onnx")),
        ("pickle", filled("pickle")),
        ("nemo", filled("nemo")),
        ("kubeconfig", filled("kubeconfig")),
    ];
    for (name, file) in files {
        let sample = Sample::of(&file);
        let start = std::time::Instant::now();
        for _ in 0..ROUNDS {
            std::hint::black_box(sniff(std::hint::black_box(&sample)));
        }
        println!(
            "{name:>16}: {:>6} ns, {:?}",
            start.elapsed().as_nanos() / u128::from(ROUNDS),
            sniff(&sample).map(|f| f.format)
        );
    }
}
