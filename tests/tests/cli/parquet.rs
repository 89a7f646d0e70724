//! `weir evidence export --format parquet`: another program answers questions over several machines.

use super::weir::run;
use sensor::event::{
    Access, Actor, Body, BootTime, Class, Classes, DestinationSums, Egress, Endpoints, Event, File, Flow, FlowReason,
    Hook, Identity, Label, Lost, Open, Transport, WallClock, Workload, WorkloadKind,
};
use sensor::evidence::recording::{Header, Limits as Recorded, VERSION};
use sensor::evidence::source::ToldKind;
use sensor::evidence::store::{Limits, Settings, Store};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tests::scene::Directory;
use tests::skip;
use tests::wait::{PATIENCE, until};

type Outcome = Result<(), Box<dyn Error>>;

/// 2026-11-20T12:00:00Z
const CLOCK: WallClock = WallClock { boot_unix_nanos: 1_795_176_000_000_000_000 };
const HOUR: u64 = 3_600_000_000_000;
const GB: u64 = 1_000_000_000;

/// A machine whose sensor keeps evidence, in segments of a batch each.
struct Machine {
    store: Store,
    segments: u64,
    events: u64,
}

impl Machine {
    fn new(directory: &Path) -> Result<Machine, Box<dyn Error>> {
        let header = Header {
            format: VERSION,
            sensor: "0.1.0".into(),
            clock: CLOCK,
            rules: "".into(),
            policy: None,
            classes: "".into(),
            limits: Recorded { processes: 1, workloads: 1 },
        };
        let limits = Limits { segment_events: 1, ..Limits::new(64 << 20) };
        let store = Store::open(Settings { directory: directory.to_owned(), limits }, header)?;
        Ok(Machine { store, segments: 0, events: 0 })
    }

    /// These are a segment.
    fn segment(&mut self, events: Vec<Event>) -> Outcome {
        (self.segments, self.events) = (self.segments + 1, self.events + events.len() as u64);
        let now = events.last().map_or(BootTime(0), |event| event.time);
        let record = |sequence: u64| {
            json!({"severity_text": "INFO", "body": "It watched.", "attributes": {
                "log.record.uid": format!("coverage-{sequence}"), "weir.coverage.whole": sequence != 2, "weir.coverage.dropped": 17 * (sequence / 2),
            }})
        };
        self.store.told(ToldKind::Coverage, now, |_| record(self.segments));
        for event in events {
            self.store.before_line(&event);
            self.store.behind_line(&Arc::new(event));
        }
        self.store.flush(now);
        until(PATIENCE, "a segment is written", || (self.store.counts().events == self.events).then_some(()))?;
        Ok(())
    }

    fn end(mut self, directory: &Path) -> Outcome {
        let last = directory.join(format!("segments/{:010}.sig", self.segments));
        until(PATIENCE, "the segments are closed", || last.exists().then_some(()))?;
        self.store.finish();
        Ok(())
    }
}

/// Something that a pod does at an hour; one without a name has not been named yet.
fn does(hours: u64, container: &str, pod: Option<&str>, body: Body) -> Event {
    let named =
        |pod: &str| Identity { namespace: Some("ml".into()), pod_name: Some(pod.into()), ..Identity::default() };
    let workload = Workload {
        kind: WorkloadKind::Container,
        id: format!("container:{container}").into(),
        container_id: Some(container.into()),
        identity: pod.map(|pod| Arc::new(named(pod))),
        ..Workload::default()
    };
    let mut event = Event::new(BootTime(hours * HOUR), Some(Hook::FileOpen), Actor::default(), body);
    event.workload = Some(Arc::new(workload));
    event
}

fn opens_weights() -> Body {
    let classes = Classes::default().with(Class::Weights);
    let file = File { path: "/models/llama/model-00001.safetensors".into(), size: 5 * GB, classes, ..File::default() };
    let (access, flags) = (Access::Read, 0);
    Body::Open(Open { file, access, flags, io_uring: false, candidate: false, carrier: false, created: false })
}

/// So much went there in a day, by now.
fn sends(hours: u64, container: &str, pod: Option<&str>, to: &str, declared: bool, day_bytes: u64) -> Event {
    let endpoints = Endpoints {
        local_address: None,
        local_port: None,
        peer_address: [203, 0, 113, 7].into(),
        peer_port: 443,
        transport: Transport::Tcp,
    };
    let flow = Flow {
        endpoints,
        socket_cookie: hours,
        bytes: day_bytes,
        packets: 1,
        first_time: BootTime(1),
        reason: FlowReason::Grown,
        initiated: true,
        owner_guessed: false,
        peers_merged: false,
        label: Label::default(),
    };
    let destination =
        DestinationSums { id: to.into(), declared, public: true, day_bytes, ..DestinationSums::default() };
    let mut event = does(hours, container, pod, Body::Flow(flow));
    event.egress = Some(Box::new(Egress { exfil: None, destination }));
    event
}

fn lost(hours: u64) -> Event {
    let lost = Lost { since: BootTime((hours - 1) * HOUR), kind: "open".into(), cause: "ring_full".into(), count: 17 };
    Event::new(BootTime(hours * HOUR), None, Actor::default(), Body::Lost(lost))
}

/// Two machines, of which one segment never arrives.
fn scene(place: &Path, out: &str) -> Outcome {
    let (one, two) = (place.join("one"), place.join("two"));
    let mut machine = Machine::new(&one)?;
    machine.segment(vec![
        does(13, "aaa", Some("vllm-0"), opens_weights()),
        sends(14, "aaa", Some("vllm-0"), "paste.example", false, GB / 2),
        sends(15, "aaa", Some("vllm-0"), "paste.example", false, 4 * GB),
        // It opened none.
        sends(16, "bbb", Some("web-0"), "paste.example", false, 6 * GB),
    ])?;
    machine.segment(vec![
        does(17, "ccc", Some("train-0"), opens_weights()),
        sends(18, "ccc", Some("train-0"), "s3.example", true, 9 * GB),
        lost(19),
    ])?;
    machine.end(&one)?;
    let mut machine = Machine::new(&two)?;
    machine.segment(vec![
        // Named late.
        does(13, "ddd", None, opens_weights()),
        sends(14, "ddd", None, "198.51.100.9", false, 7 * GB),
        // The day before, and little.
        does(11, "eee", Some("vllm-1"), opens_weights()),
        sends(11, "eee", Some("vllm-1"), "paste.example", false, 8 * GB),
        sends(20, "eee", Some("vllm-1"), "paste.example", false, GB / 4),
    ])?;
    machine.segment(vec![lost(21)])?;
    machine.segment(vec![does(22, "ddd", Some("llama-3"), opens_weights())])?;
    machine.end(&two)?;
    for (directory, host) in [(&one, "gpu-1"), (&two, "gpu 2")] {
        let from = directory.to_str().ok_or("a path")?;
        let said = run(&["evidence", "export", "--format", "parquet", "--from", from, "-o", out, "--host", host])?;
        said.is_quiet();
        assert!(said.out.contains("segments with") && said.out.contains("0 were exported before"), "{}", said.out);
    }
    let mut removed = 0;
    for table in ["events", "alerts", "incidents", "coverage", "gaps"] {
        for day in fs::read_dir(Path::new(out).join(table))? {
            for file in fs::read_dir(day?.path().join("host=gpu%202")).into_iter().flatten() {
                let file = file?;
                if file.file_name().to_string_lossy().starts_with("0000000002-") {
                    fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
    }
    assert_eq!(removed, 5, "a segment that never arrives");
    Ok(())
}

#[test]
fn duckdb_answers_the_questions_of_the_docs() -> Outcome {
    let directory = Directory::new()?;
    let out = directory.path().join("export");
    scene(directory.path(), out.to_str().ok_or("a path")?)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new("python3");
    command.arg(root.join("tests/parquet/ask.py")).arg(root.join("target"));
    let asked = command.arg(root.join("docs/evidence.md")).arg(&out).output();
    let output = match asked {
        Ok(output) => output,
        Err(error) => {
            skip::say(&format!("DuckDB reads an export: python3: {error}"));
            return Ok(());
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {}
        Some(77) => {
            skip::say(&format!("DuckDB reads an export: {}", said.trim()));
            return Ok(());
        }
        status => return Err(format!("{status:?}: {said}").into()),
    }
    let answers: Value = serde_json::from_slice(&output.stdout)?;
    let answer = |name: &str| answers.get(name).cloned().ok_or_else(|| format!("{name} is not in the docs"));
    let names: BTreeSet<&str> =
        answers.as_object().into_iter().flat_map(|all| all.keys().map(String::as_str)).collect();
    assert_eq!(names, BTreeSet::from(["pods_that_sent_weights", "gaps", "segments_that_did_not_arrive", "coverage"]));
    let pod = |host: &str, pod: &str, container: &str, to: &str, bytes: u64| {
        json!({"host.name": host, "namespace": "ml", "pod": pod, "weir.workload.id": format!("container:{container}"),
            "weir.destination.id": to, "bytes": bytes})
    };
    let expected = json!([
        pod("gpu 2", "llama-3", "ddd", "198.51.100.9", 7 * GB),
        pod("gpu-1", "vllm-0", "aaa", "paste.example", 4 * GB),
    ]);
    assert_eq!(answer("pods_that_sent_weights")?, expected);
    let expected = json!([{"host.name": "gpu-1", "place": "kernel", "cause": "ring_full", "weir.event.kind": "open",
        "events": 17, "first": "2026-11-21 06:00:00+00:00", "last": "2026-11-21 07:00:00+00:00"}]);
    assert_eq!(answer("gaps")?, expected, "that of the other machine did not arrive");
    assert_eq!(answer("segments_that_did_not_arrive")?, json!([{"host.name": "gpu 2", "from": 2, "to": 2}]));
    let expected = json!([
        {"host.name": "gpu 2", "records": 2, "whole": 2, "lost": 17},
        {"host.name": "gpu-1", "records": 2, "whole": 1, "lost": 17},
    ]);
    assert_eq!(answer("coverage")?, expected);
    Ok(())
}

#[test]
fn what_cannot_be_exported_is_said_in_a_sentence() -> Outcome {
    let directory = Directory::new()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let export = |more: &[&str]| run(&[&["evidence", "export"], more].concat());
    export(&["--format", "parquet"])?.complains(2, &["--output"]);
    export(&[])?.refuses(2, &["--incident ID", "--format parquet"]);
    export(&["--open", "--incident", "a"])?.refuses(2, &["--format parquet"]);
    export(&["--format", "parquet", "-o", &path("out"), "--incident", "a"])?.refuses(2, &["--incident", "archive"]);
    export(&["--format", "parquet", "-o", &path("out"), "--from", &path("none")])?
        .refuses(1, &["none", "cannot be read", "weir run --evidence"]);
    let store = directory.path().join("store");
    let mut machine = Machine::new(&store)?;
    machine.segment(vec![lost(2)])?;
    machine.end(&store)?;
    fs::write(path("file"), "")?;
    export(&["--format", "parquet", "-o", &path("file"), "--from", &path("store")])?
        .refuses(1, &["file", "cannot be written", "weir may write there"]);
    assert!(!directory.path().join("out").exists());
    Ok(())
}
