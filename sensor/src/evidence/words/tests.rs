use super::Facts;
use crate::event::Attributes;
use crate::reference::samples;
use serde_json::{Map, Value, json};

fn deed(attributes: Value) -> String {
    Facts(attributes.as_object().unwrap()).deed()
}

#[test]
fn each_kind_of_event_has_words() {
    for event in samples::all() {
        let Ok(Value::Object(attributes)) = serde_json::to_value(Attributes(&event)) else { panic!("no map") };
        let words = Facts(&attributes).deed();
        let kind = event.body.kind_name();
        assert!(words.contains(' '), "{kind}: {words}");
        assert!(!words.contains("  ") && !words.contains("()") && words.trim() == words, "{kind}: {words:?}");
        assert!(!words.contains('?'), "{kind}: what it asks for is not there: {words}");
    }
}

#[test]
fn words_are_those_of_the_console() {
    for (attributes, words) in [
        (
            json!({"weir.event.kind": "open", "file.path": "/a", "weir.file.access": "read_write", "file.size": 4_100_000, "weir.file.class": ["weights"]}),
            "opened /a for read and write (4.1 MB, weights)",
        ),
        (
            json!({"weir.event.kind": "flow", "weir.flow.reason": "closed", "weir.connection.initiated": true, "weir.flow.bytes": 512,
                "network.peer.address": "2001:db8::1", "network.peer.port": 443, "network.transport": "tcp", "server.address": "hub.example", "weir.destination.by": "dns"}),
            "sent, in all, 512 bytes to [2001:db8::1]:443 (tcp), hub.example by dns",
        ),
        (
            json!({"weir.event.kind": "transfer", "weir.transfer.direction": "out", "weir.transfer.bytes": 65_536, "weir.transfer.bound": true,
                "weir.transfer.carrier": "unix_socket", "file.inode": "77"}),
            "gave at most 65.5 kB to unix socket [77]",
        ),
        (json!({"weir.event.kind": "exit", "weir.process.exit.signal": 9}), "was ended by signal 9"),
        (
            json!({"weir.event.kind": "exec", "file.path": "/bin/sh", "process.command_args": ["sh", "-c", "a b"]}),
            "ran /bin/sh: sh -c 'a b'",
        ),
    ] {
        assert_eq!(deed(attributes), words);
    }
}

#[test]
fn what_is_missing_hostile_or_of_another_type_is_no_panic_and_harmless() {
    let kinds = crate::agent::KINDS.into_iter().chain(["", "\u{1b}[2J", "new_kind"]);
    for kind in kinds {
        let mut attributes = Map::new();
        attributes.insert("weir.event.kind".into(), kind.into());
        Facts(&attributes).deed();
        for field in crate::event::Field::ALL {
            for value in
                [json!("\u{1b}[2J\n\u{202e}x"), json!(-1.5), json!([{}, 1, "\u{7}"]), json!(u64::MAX), Value::Null]
            {
                let mut attributes = attributes.clone();
                attributes.insert(field.name().into(), value);
                attributes.insert("weir.event.kind".into(), kind.into());
                let words = Facts(&attributes).deed();
                assert!(!words.chars().any(|character| character.is_control() || character == '\u{202e}'), "{words:?}");
            }
        }
    }
}
