mod enrichment;
mod trailing;

use super::escape::escape;
use super::sentence::{percent, quantity};
use super::*;
use crate::detection::{Engine, Finding, RuleSet, correlation};
use crate::event::{
    Access, Actor, Body, Class, Classes, Egress, Endpoints, Exfil, File, FileId, Flow, FlowReason, Held, Label, Open,
    Process, ProcessKey, Transport, WallClock, WorkloadKind,
};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn by(time: u64, program: &str, container: &str, body: Body) -> Event {
    let key = ProcessKey { pid: 7, start_ticks: 1 };
    let mut event = Event::new(BootTime(time), None, Actor { process: Some(key), ..Actor::default() }, body);
    event.process = Some(Arc::new(Process { key, executable: program.into(), ..Process::default() }));
    event.workload = Some(Arc::new(Workload {
        kind: WorkloadKind::Container,
        id: format!("container:{container}").into(),
        container_id: Some(container.into()),
        ..Workload::default()
    }));
    event
}

fn opened(time: u64, program: &str, container: &str, path: &str) -> Arc<Event> {
    let classes = Classes::default().with(Class::Weights);
    let file = File {
        id: Some(FileId { device: 1, inode: 2 }),
        path: path.into(),
        size: 16_060_556_376,
        links: 1,
        classes,
        ..File::default()
    };
    let open = Open {
        file,
        access: Access::Read,
        flags: 0,
        io_uring: false,
        candidate: false,
        carrier: false,
        created: false,
    };
    Arc::new(by(time, program, container, Body::Open(open)))
}

fn sent(time: u64, container: &str, socket: u64, bytes: u64, reason: FlowReason) -> Arc<Event> {
    let endpoints = Endpoints {
        local_address: None,
        local_port: None,
        peer_address: "2001:db8::9".parse().unwrap(),
        peer_port: 443,
        transport: Transport::Tcp,
    };
    let flow = Flow {
        endpoints,
        socket_cookie: socket,
        bytes,
        packets: 1,
        first_time: BootTime(time),
        reason,
        initiated: true,
        owner_guessed: false,
        peers_merged: false,
        label: Label::default(),
    };
    let mut event = by(time, "/usr/bin/curl", container, Body::Flow(flow));
    event.held = Some(Held { sources: 1, bytes: 16_060_556_376 });
    let exfil = Exfil { bytes, largest: 16_060_556_376, ..Exfil::default() };
    event.egress = Some(Box::new(Egress { exfil: Some(exfil), ..Egress::default() }));
    Arc::new(event)
}

struct Line {
    engine: Engine,
    raiser: Raiser,
}

impl Line {
    fn new(limits: Limits) -> Line {
        let set = RuleSet::embedded().unwrap();
        let raiser = Raiser::with_limits(&set, limits);
        // What is told here comes in order; that it need not is the engine's own test.
        let prompt = correlation::Limits { reorder: Duration::ZERO, ..Default::default() };
        Line { engine: Engine::with_limits(&set, prompt), raiser }
    }

    fn push(&mut self, event: &Arc<Event>) -> Vec<Alert> {
        // Rules over sums go with what is told here, and have tests of their own.
        let findings = self.engine.evaluate(event).into_iter().filter(|found| !found.rule.name.starts_with("egress_"));
        findings.filter_map(|finding| self.raiser.raise(finding)).collect()
    }

    fn one(&mut self, event: &Arc<Event>) -> Option<Alert> {
        let mut alerts = self.push(event);
        assert!(alerts.len() <= 1, "{alerts:#?}");
        alerts.pop()
    }
}

const ID: &str = "3f4e5a6b7c8d9e0f3f4e5a6b7c8d9e0f3f4e5a6b7c8d9e0f3f4e5a6b7c8d9e0f";

#[test]
fn a_theft_is_one_alert_that_grows() {
    let mut line = Line::new(Limits::default());
    assert!(line.one(&opened(1, "/usr/bin/python3.11", ID, "/models/model.safetensors")).is_none());
    assert!(line.one(&sent(SECOND, ID, 5, 100, FlowReason::First)).is_none());
    let first = line.one(&sent(2 * SECOND, ID, 5, 2_000_000, FlowReason::Grown)).unwrap();
    assert_eq!(
        first.sentence,
        "/usr/bin/python3.11 read /models/model.safetensors (16.1 GB) in container 3f4e5a6b7c8d, and /usr/bin/curl sent 2.0 MB \
         to [2001:db8::9]:443: less than 0.1 % of what it held"
    );
    assert_eq!(
        (first.revision, first.severity().number, first.begun, first.time),
        (0, 17, BootTime(1), BootTime(2 * SECOND))
    );
    assert!(line.one(&sent(3 * SECOND, ID, 5, 3_999_999, FlowReason::Grown)).is_none());
    let second = line.one(&sent(4 * SECOND, ID, 5, 4_000_000_000, FlowReason::Grown)).unwrap();
    assert_eq!((second.uid, second.revision, second.suppressed), (first.uid, 1, 1));
    assert!(second.sentence.ends_with("sent 4.0 GB to [2001:db8::9]:443: 25 % of what it held"), "{}", second.sentence);
    // Another flow that closes with a little more is not news; the one that was told is.
    assert!(line.one(&sent(5 * SECOND, ID, 6, 4_000_000_001, FlowReason::Closed)).is_none());
    let third = line.one(&sent(90_000 * SECOND, ID, 5, 4_100_000_000, FlowReason::Closed)).unwrap();
    assert_eq!((third.uid, third.revision), (first.uid, 2));
    assert!(line.one(&sent(180_000 * SECOND, ID, 5, 4_100_000_000, FlowReason::Closed)).is_none());
    let statistics = line.raiser.statistics();
    assert_eq!((statistics.raised, statistics.updated, statistics.suppressed), (1, 2, 3));
}

#[test]
fn ids_follow_from_the_events_alone() {
    let uid = |container: &str, time: u64| {
        let mut line = Line::new(Limits::default());
        line.push(&opened(time, "/usr/bin/python3", container, "/models/m.gguf"));
        line.one(&sent(time + 1, container, 5, 2_000_000, FlowReason::Grown)).unwrap().uid
    };
    assert_eq!(uid("a", 1), uid("a", 1));
    assert_ne!(uid("a", 1), uid("b", 1));
    assert_ne!(uid("a", 1), uid("a", 2));
    let text = uid("a", 1).to_string();
    assert_eq!((text.len(), text.get(14..15), text.matches('-').count()), (36, Some("8"), 4));
    assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
}

#[test]
fn the_same_is_said_once_within_the_window_and_again_after_it() {
    let mut line = Line::new(Limits::default());
    let tar = |second: u64, path: &str| opened(second * SECOND, "/usr/bin/tar", ID, path);
    let first = line.one(&tar(1, "/models/1.safetensors")).unwrap();
    assert_eq!((first.severity().text, first.revision), ("low", 0));
    for shard in 2..30 {
        assert!(line.one(&tar(shard, "/models/2.safetensors")).is_none());
    }
    assert!(line.one(&opened(40 * SECOND, "/usr/bin/cp", ID, "/models/1.safetensors")).is_some());
    assert!(line.one(&opened(41 * SECOND, "/usr/bin/tar", "other", "/models/1.safetensors")).is_some());
    let again = line.one(&tar(6 * 3_600 + 2, "/models/1.safetensors")).unwrap();
    assert_ne!(again.uid, first.uid);
    assert_eq!((again.revision, again.suppressed), (0, 28));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut line = Line::new(Limits { said: 100, ..Limits::default() });
    for n in 0..1_000 {
        assert!(line.one(&opened(n, &format!("/tmp/x{n}"), ID, "/models/1.safetensors")).is_some());
    }
    assert_eq!(line.raiser.statistics().evicted, 900);
    assert_eq!(line.raiser.said_len(), 100);
}

#[test]
fn a_record_has_the_conventions_names() {
    let mut line = Line::new(Limits::default());
    line.push(&opened(1, "/usr/bin/python3", ID, "/models/m.gguf"));
    let alert = line.one(&sent(2 * SECOND, ID, 5, 2_000_000, FlowReason::Grown)).unwrap();
    let clock = WallClock::new(1_709_164_800_000_000_000, BootTime(0));
    let json = alert.to_json(clock);
    let text = |pointer: &str| json.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {json:#}")).clone();
    assert_eq!(text("/time"), "2024-02-29T00:00:02.000000Z");
    assert_eq!(
        (text("/event_name"), text("/severity_number"), text("/severity_text")),
        ("weir.alert".into(), 17.into(), "high".into())
    );
    assert_eq!(text("/body"), alert.sentence);
    let attribute = |name: &str| json["attributes"][name].clone();
    assert_eq!(attribute("container.id"), ID);
    assert_eq!(attribute("weir.flow.bytes"), 2_000_000);
    assert_eq!(attribute("weir.connection.initiated"), true);
    assert_eq!(attribute("weir.alert.uid"), alert.uid.to_string());
    assert_eq!(attribute("weir.atlas.ids"), serde_json::json!(["AML.T0025", "AML.T0035", "AML.T0048.004"]));
    assert_eq!(attribute("weir.attack.ids"), serde_json::json!(["T1041", "T1048", "T1567"]));
    assert_eq!((attribute("weir.atlas.version"), attribute("weir.attack.version")), ("5.6".into(), "v19".into()));
    assert_eq!(attribute("security_rule.version"), **RuleSet::embedded().unwrap().digest());
    assert_eq!(json["evidence"].as_array().unwrap().len(), 2);
    assert_eq!(text("/evidence/0/rule"), "weights_opened");
    assert_eq!(text("/evidence/0/attributes/file.path"), "/models/m.gguf");
    assert!(json["attributes"].as_object().unwrap().values().all(|value| !value.is_object()), "attributes are flat");
}

#[test]
fn what_attackers_write_is_made_harmless_and_short() {
    assert_eq!(
        escape("/tmp/\u{1b}[2J\r\n\u{202e}gpj.exe\u{200b}", 256),
        "/tmp/\\u{1b}[2J\\u{d}\\u{a}\\u{202e}gpj.exe\\u{200b}"
    );
    assert_eq!(escape("naïve — 模型", 256), "naïve — 模型");
    assert_eq!(escape("abcdefghij", 5), "ab\u{2026}ij");
    assert_eq!(escape("abcde", 5), "abcde");
    let mut line = Line::new(Limits::default());
    let path = format!("/models/{}\u{1b}]0;x\u{7}.safetensors", "a".repeat(10_000));
    let alert = line.one(&opened(1, "/tmp/\u{9b}31m", ID, &path)).unwrap();
    assert!(
        alert.sentence.chars().all(|c| !c.is_control()) && alert.sentence.chars().count() < 700,
        "{}",
        alert.sentence
    );
    assert!(alert.sentence.contains("/tmp/\\u{9b}31m") && alert.sentence.contains(".safetensors"));
}

#[test]
fn values_that_are_missing_are_unknown_or_left_out() {
    let set = RuleSet::embedded().unwrap();
    let rule = set.rules().find(|rule| &*rule.name == "model_theft").unwrap().clone();
    let flow = sent(1, ID, 5, 512, FlowReason::First);
    let mut bare = Event::clone(&flow);
    (bare.held, bare.egress, bare.process, bare.workload) = (None, None, None, None);
    let decisive = Arc::new(bare);
    let finding = Finding {
        rule,
        time: BootTime(1),
        decisive,
        evidence: Vec::new(),
        group: Arc::default(),
        continued: false,
        measure: None,
    };
    assert_eq!(
        sentence::sentence(&finding),
        "unknown read unknown in unknown, and unknown sent 512 bytes to [2001:db8::9]:443"
    );
}

#[test]
fn quantities_read_as_people_write_them() {
    for (bytes, text) in [
        (0, "no bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_499, "999 kB"),
        (999_501, "1.0 MB"),
        (4_100_000_000, "4.1 GB"),
        (141_000_000_000, "141 GB"),
        (u64::MAX, "18.4 EB"),
    ] {
        assert_eq!(quantity(bytes), text);
    }
    for (ratio, text) in [
        (0.0, "0 %"),
        (0.0005, "less than 0.1 %"),
        (0.004, "0.4 %"),
        (0.0994, "9.9 %"),
        (0.25, "25 %"),
        (1.5, "150 %"),
        (f64::NAN, "unknown"),
    ] {
        assert_eq!(percent(ratio), text);
    }
}
