//! Archives that are whole, archives that somebody has been at, and bytes that are none.

mod hostile;
mod memory;
mod round;
mod tampering;

use super::super::integrity::Key;
use super::super::source::{Gap, Row, Told, ToldKind};
use super::super::timeline::model::{Process, Role, Time, Timeline, VERSION, Workload};
use super::{Attachment, Export, write};
use memory::Memory;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Cursor, Read as _};
use std::path::Path;

/// The time of the first event.
const BEGIN: u64 = 1_780_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

fn row(second: u64, process: &str, workload: &str, path: &str) -> Row {
    let attributes = json!({
        "weir.event.kind": "open", "weir.process.id": process, "weir.workload.id": workload, "file.path": path,
        "weir.lineage.id": "l1", "weir.file.device": "254:0", "file.inode": second.to_string(),
    });
    Row { time: BEGIN + second * SECOND, sequence: second, attributes: object(attributes) }
}

/// Two processes in two containers, one that is in neither, an incident, a coverage record and a gap.
fn source() -> Memory {
    let told = |second: u64, kind, uid: &str, incident: Option<&str>| Told {
        time: BEGIN + second * SECOND,
        kind,
        uid: uid.into(),
        incident: incident.map(Box::from),
        record: object(json!({ "log.record.uid": uid })),
    };
    Memory {
        rows: vec![
            row(0, "p0", "w0", "/models/a"),
            row(1, "p1", "w1", "/models/b"),
            row(2, "p2", "w9", "/tmp/\u{1b}[31m\u{202e}evil"),
            row(3, "p9", "w9", "/etc/passwd"),
            row(40, "p1", "w1", "/models/c"),
        ],
        told: vec![
            told(1, ToldKind::Alert, "a1", Some("i1")),
            told(2, ToldKind::Coverage, "c1", None),
            told(99, ToldKind::Incident, "i1", Some("i1")),
            told(99, ToldKind::Incident, "i2", Some("i2")),
        ],
        gaps: vec![Gap {
            from: BEGIN,
            to: BEGIN + SECOND,
            place: "kernel".into(),
            cause: "a ring was full".into(),
            kind: None,
            count: Some(3),
        }],
    }
}

fn time(second: u64) -> Time {
    let nanos = BEGIN + second * SECOND;
    let text = humantime::format_rfc3339_nanos(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(nanos));
    Time { nanos, text: text.to_string() }
}

fn timeline() -> Timeline {
    let process = |id: &str| Process {
        id: id.into(),
        parent: None,
        pid: 1,
        executable: "/usr/bin/python3".into(),
        command_line: "python3 serve.py".into(),
        workload: Some(0),
        begin: time(0),
        end: None,
        ended: None,
        held: 0,
        sent: 0,
        role: Role::Subject,
    };
    Timeline {
        version: VERSION,
        asked: "incident i1".into(),
        sentence: "python3 sent a model away".into(),
        severity: Some("high".into()),
        incident: Some("i1".into()),
        host: Some("node-1".into()),
        sensor: "0.1.0".into(),
        rulesets: vec!["abc".into()],
        from: time(0),
        to: time(30),
        zero: time(1),
        processes: vec![process("p1"), process("p2")],
        workloads: vec![Workload { id: "w0".into(), name: "web".into() }],
        entries: vec![],
        gaps: vec![],
        series: vec![],
        notes: vec!["a note".into()],
    }
}

/// An archive of the source above, at `file`.
fn archive(file: &Path, key: &Key) {
    let timeline = timeline();
    let attachments = vec![
        Attachment::copied("raw.weir", &b"lines"[..]),
        Attachment::copied("rules/own.yml", &b"title: a rule\n"[..]),
        Attachment::new("timeline.csv", |out| out.write_all(timeline.sentence.as_bytes())),
    ];
    let export = Export { timeline: &timeline, made: BEGIN, host: None, notes: vec!["no policy".into()], attachments };
    write(file, &mut source(), export, key).unwrap();
}

/// A key, and an archive signed with it.
fn made() -> (tempfile::TempDir, Key, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let key = Key::load_or_create(directory.path()).unwrap();
    let file = directory.path().join("incident.tar.zst");
    archive(&file, &key);
    (directory, key, file)
}

/// A file of an archive: its header and its bytes.
type Part = (tar::Header, Vec<u8>);

fn parts(file: &Path) -> Vec<Part> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(File::open(file).unwrap()).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.header().clone(), bytes)
    });
    entries.collect()
}

fn name(part: &Part) -> String {
    String::from_utf8_lossy(&part.0.path_bytes()).into_owned()
}

/// Makes an archive of parts again; sizes are made right.
fn repack(file: &Path, parts: Vec<Part>) {
    let mut archive = tar::Builder::new(Vec::new());
    for (mut header, bytes) in parts {
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append(&header, Cursor::new(bytes)).unwrap();
    }
    fs::write(file, zstd::encode_all(Cursor::new(archive.into_inner().unwrap()), 1).unwrap()).unwrap();
}
