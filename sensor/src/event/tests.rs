use super::*;
use std::collections::HashSet;

#[test]
fn every_field_has_its_own_name_and_is_found_by_it() {
    let names: HashSet<_> = Field::ALL.iter().map(|field| field.name()).collect();
    assert_eq!(names.len(), Field::ALL.len());
    for field in Field::ALL {
        assert_eq!(Field::from_name(field.name()), Some(*field));
        assert!(field.doc().ends_with('.'), "{} needs a sentence", field.name());
    }
    assert_eq!(Field::from_name("no.such.field"), None);
}

#[test]
fn a_process_found_in_proc_and_in_an_event_has_one_key() {
    let from_event = ProcessKey::from_start(7, BootTime(1_234_567_899));
    assert_eq!(from_event, ProcessKey { pid: 7, start_ticks: 123 });
    assert_eq!(from_event.to_string(), "7-123");
}

#[test]
fn wall_time_is_the_civil_date_in_utc() {
    let clock = WallClock::new(1_000_000_000, BootTime(1_000_000_000));
    for (nanos, text) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_399_999_999_999, "2000-02-28T23:59:59.999999Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
        (1_709_164_800_000_001_000, "2024-02-29T00:00:00.000001Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000Z"),
    ] {
        assert_eq!(clock.rfc3339(BootTime(nanos)).to_string(), text);
    }
}

#[test]
fn access_is_that_of_the_descriptor() {
    assert_eq!(Access::from_flags(0o2_000_000), Access::Read);
    assert_eq!(Access::from_flags(0o101), Access::Write);
    assert_eq!(Access::from_flags(2), Access::ReadWrite);
    assert_eq!(Access::from_flags(0o10_000_000), Access::None);
    assert_eq!(Access::from_flags(3), Access::None);
}

#[test]
fn bytes_become_text_without_loss_and_within_bounds() {
    for (bytes, text) in [
        (&b"/models/llama.gguf"[..], "/models/llama.gguf"),
        ("/modèles/重み".as_bytes(), "/modèles/重み"),
        (b"a\xffb", r"a\xffb"),
        (b"\xe9\x87", r"\xe9\x87"),
        (br"machine\x2dtest.scope", r"machine\x2dtest.scope"),
        (br"\xff", r"\x5cxff"),
        (br"\x5cxff", r"\x5cx5cxff"),
        (br"\xf", r"\xf"),
        (b"\\x\xff", r"\x\xff"),
    ] {
        assert_eq!(&*text::lossless(bytes, text::TEXT_MAX), text);
    }
    assert_eq!(&*text::lossless("aé".as_bytes(), 2), "a", "no half characters");
    assert_eq!(&*text::lossless(b"a\xff", 4), "a", "no half escapes");
    assert_eq!(&*text::lossless(b"a\xff", 5), r"a\xff");
    let longest = vec![0xff; sensor_common::record::PATH_MAX];
    assert_eq!(text::lossless(&longest, text::TEXT_MAX).len(), 4 * longest.len(), "what a record holds is never cut");
}

#[test]
fn different_bytes_become_different_text() {
    // Every string of up to five of the bytes that matter.
    let alphabet = [b'\\', b'x', b'5', b'c', b'f', 0xff, 0x5c, 0xcf];
    let mut seen = std::collections::HashMap::new();
    for length in 0..=5u32 {
        for number in 0..alphabet.len().pow(length) {
            let bytes: Vec<u8> =
                (0..length).map(|place| alphabet[number / alphabet.len().pow(place) % alphabet.len()]).collect();
            let text = text::lossless(&bytes, text::TEXT_MAX);
            assert_eq!(text::original(&text), bytes, "{text}");
            if let Some(other) = seen.insert(text.clone(), bytes.clone()) {
                assert_eq!(other, bytes, "{text}");
            }
        }
    }
}

#[test]
fn a_file_in_proc_is_ones_own_by_either_of_ones_ids() {
    let classes = Classes::default().with(Class::ProcessEnvironment);
    let own = |path: &str, classes| {
        let file = File { path: path.into(), classes, ..File::default() };
        let actor = Actor { process: Some(ProcessKey { pid: 5071, start_ticks: 1 }), vpid: 71, ..Actor::default() };
        let open = Open {
            file,
            access: Access::Read,
            flags: 0,
            io_uring: false,
            candidate: false,
            carrier: false,
            created: false,
        };
        let event = Event::new(BootTime(0), None, actor, Body::Open(open));
        match Field::FileOwnProcess.get(&event) {
            Some(Value::Flag(flag)) => Some(flag),
            _ => None,
        }
    };
    for (path, expected) in [
        ("/proc/71/environ", Some(true)),
        ("/host/proc/5071/environ", Some(true)),
        ("/proc/71/task/72/environ", Some(true)),
        ("/proc/1/environ", Some(false)),
        ("/proc/1/task/71/environ", Some(false)),
        ("/environ", None),
        ("environ", None),
    ] {
        assert_eq!(own(path, classes), expected, "{path}");
    }
    assert_eq!(own("/proc/1/environ", Classes::default()), None, "nothing that is known to be of a process");
}
