//! The same stream through the line as it happens, and recorded and replayed.

use super::{Settings, diff, run, tell};
use crate::alert::Notice;
use crate::delivery::{Console, Format};
use crate::detection::{Logic, RuleSet};
use crate::event::{
    Actor, Body, BootTime, Cgroup, CgroupKey, Event, Exec, File, LedgerRestored, ProcessKey, Tick, WallClock,
};
use crate::evidence::recording::{Header, Recorder, VERSION};
use crate::evidence::store::{Limits as StoreLimits, Settings as StoreSettings, Store};
use crate::line::{Limits, Line};
use crate::provenance::ClassTable;
use std::path::{Path, PathBuf};

const OWN_RULE: &str = "
title: Own
id: 5f0c2f7e-3d39-4f0e-9a2b-0c9a4d1b7e11
name: own
status: stable
author: A
description: For the test.
logsource: {product: linux, category: process_creation}
detection:
  selection:
    file.path: /srv/own
  condition: selection
level: high
weir:
  sentence: '{file.path} was run'
";

const CGROUP: CgroupKey = CgroupKey { hierarchy: 0, id: 77 };

fn clock(seconds: i128) -> WallClock {
    WallClock { boot_unix_nanos: (1_795_000_000 + seconds) * 1_000_000_000 }
}

/// The examples of every rule, one after the other, in one container: as they would come, so without what the line adds.
fn stream() -> Vec<Event> {
    let by = |time, body| Event::new(BootTime(time), None, Actor::default(), body);
    let path = format!("/system.slice/docker-{}.scope", "3f4e5a6b".repeat(8));
    let restored = LedgerRestored { boot_unix_nanos: clock(0).boot_unix_nanos, counters: true, ..Default::default() };
    let mut events = vec![
        by(1, Body::LedgerRestored(Box::new(restored))),
        by(2, Body::Cgroup(Cgroup { key: CGROUP, path: path.into() })),
    ];
    let rules = RuleSet::embedded().unwrap();
    let mut begin = 10;
    for (rule, examples) in rules.examples() {
        let category = if let Logic::Detection(category) = rule.logic { Some(category) } else { None };
        for example in examples.matching.iter().chain(&examples.not_matching) {
            for event in example.events(category).unwrap() {
                let (time, actor) =
                    (BootTime(begin * 1_000_000_000 + event.time.0), Actor { cgroup: CGROUP, ..event.actor });
                events.push(Event::new(time, event.hook, actor, event.body));
            }
            begin += 40;
        }
    }
    let file = File { path: "/srv/own".into(), links: 1, ..File::default() };
    let args = ["own".into()].into();
    let exec = Exec {
        file,
        parent: None,
        args,
        args_cut: false,
        working_directory: "/".into(),
        streams: Default::default(),
        setuid: false,
    };
    let mut own = by(begin * 1_000_000_000, Body::Exec(exec));
    own.actor.process = Some(ProcessKey { pid: 4_000, start_ticks: 1 });
    events.push(own);
    events.push(by((begin + 1) * 1_000_000_000, Body::Tick(Tick { last: true })));
    events
}

fn line() -> Line {
    let (rules, classes) = shipped();
    Line::new(rules, classes, Limits::default())
}

/// The rules, and the classes with what they ask for.
fn shipped() -> (RuleSet, ClassTable) {
    let rules = RuleSet::embedded().unwrap();
    let classes = ClassTable::load(None).unwrap().watching(rules.watched()).unwrap();
    (rules, classes)
}

fn header(rules: &RuleSet, classes: &ClassTable) -> Header {
    Header {
        policy: None,
        format: VERSION,
        sensor: env!("CARGO_PKG_VERSION").into(),
        clock: clock(0),
        rules: (&**rules.digest()).into(),
        classes: classes.version().into(),
        limits: Limits::default().into(),
    }
}

/// Records the stream, with a clock that is set each hundred events; the file, and what a sensor writes meanwhile.
fn recorded(directory: &Path, format: Format) -> (PathBuf, String) {
    let file = directory.join(format!("{format:?}.weir"));
    let (rules, classes) = shipped();
    let mut recorder = Recorder::create(&file, header(&rules, &classes)).unwrap();
    let (mut line, mut out) = (line(), Vec::new());
    let mut console = Console::new(&mut out, format, clock(0));
    for (number, event) in stream().into_iter().enumerate() {
        if number % 100 == 99 {
            let clock = clock(i128::try_from(number).unwrap());
            console.set_clock(clock);
            recorder.clock(clock);
        }
        recorder.event(&event);
        for notice in tell(&mut line, event) {
            console.notice(&notice).unwrap();
        }
        // The agent saves now and then; no event says when.
        if number % 7 == 0 {
            line.save_ledger();
        }
    }
    recorder.finish().unwrap();
    drop(console);
    (file, String::from_utf8(out).unwrap())
}

fn settings(file: &Path) -> Settings {
    Settings {
        file: file.to_owned(),
        rules: Vec::new(),
        classes: None,
        policy: None,
        span: 0..=u64::MAX,
        progress: false,
    }
}

#[test]
fn a_replay_writes_what_was_written_live() {
    let directory = tempfile::tempdir().unwrap();
    for format in [Format::Json, Format::Text] {
        let (file, live) = recorded(directory.path(), format);
        assert!(live.lines().count() > 10, "many rules found something: {}", live.lines().count());
        let mut again = Vec::new();
        let summary = run(&settings(&file), format, &mut again).unwrap();
        assert_eq!(String::from_utf8(again).unwrap(), live);
        assert_eq!((summary.events, summary.notices), (stream().len() as u64, live.lines().count() as u64));
        assert_eq!((summary.gaps.len(), summary.damage), (0, Default::default()));
    }
}

/// Each run of a sensor begins with a line that knows nothing.
#[test]
fn a_store_of_evidence_is_replayed_run_by_run() {
    let directory = tempfile::tempdir().unwrap();
    let (rules, classes) = shipped();
    let mut live = Vec::new();
    for _ in 0..2 {
        let (mut line, mut console) = (line(), Console::new(&mut live, Format::Json, clock(0)));
        let limits = StoreLimits { segment_events: 100, ..StoreLimits::new(64 << 20) };
        let settings = StoreSettings { directory: directory.path().to_owned(), limits };
        let mut store = Store::open(settings, header(&rules, &classes)).unwrap();
        for (number, event) in stream().into_iter().enumerate() {
            if number % 100 == 99 {
                let clock = clock(i128::try_from(number).unwrap());
                console.set_clock(clock);
                store.clock(clock);
                store.flush(event.time);
                // Otherwise a slow disk makes a gap, as it should.
                while store.counts().events < number as u64 {
                    std::thread::yield_now();
                }
            }
            store.before_line(&event);
            store.behind_line(&std::sync::Arc::new(event.clone()));
            for notice in tell(&mut line, event) {
                console.notice(&notice).unwrap();
            }
        }
        store.finish();
        assert_eq!(store.counts().events, stream().len() as u64);
    }
    let mut again = Vec::new();
    let summary = run(&settings(directory.path()), Format::Json, &mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(live).unwrap());
    assert_eq!(summary.events, 2 * stream().len() as u64);
    assert_eq!((summary.gaps.len(), summary.damage), (0, Default::default()));
}

#[test]
fn a_part_of_the_time_has_the_alerts_that_the_whole_has() {
    let directory = tempfile::tempdir().unwrap();
    let (file, live) = recorded(directory.path(), Format::Json);
    // Of the alerts in the middle, those that rest on what was before as well.
    let time = |line: &str| line.split('"').nth(3).unwrap().to_owned();
    let times: Vec<String> = live.lines().map(time).collect();
    let mut sorted = times.clone();
    sorted.sort();
    let (from, to) = (&sorted[sorted.len() / 3], &sorted[sorted.len() * 2 / 3]);
    let unix = |time: &str| {
        humantime::parse_rfc3339_weak(time).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
    };
    let mut part = Vec::new();
    let span = unix(from)..=unix(to) + 999;
    run(&Settings { span, ..settings(&file) }, Format::Json, &mut part).unwrap();
    let inside = |time: &String| time >= from && time <= to;
    let expected: Vec<&str> = live.lines().filter(|line| inside(&time(line))).collect();
    let part = String::from_utf8(part).unwrap();
    assert!(!expected.is_empty() && expected.len() < live.lines().count());
    assert_eq!(part.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_rule_that_is_gone_and_one_that_is_milder_are_the_difference() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = recorded(directory.path(), Format::Json);
    let rules = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let before = Settings { rules: vec![rules("before.yml", OWN_RULE)], ..settings(&file) };
    let compare = |from: &str, to: &str, format| {
        let changed = OWN_RULE.replace(from, to);
        assert_ne!(changed, OWN_RULE);
        let mut out = Vec::new();
        let (summary, found) = diff(&before, &[rules("after.yml", &changed)], format, &mut out).unwrap();
        assert!(summary.notices > 0);
        (String::from_utf8(out).unwrap(), found.is_none())
    };
    let objects = |from: &str, to: &str| {
        let (out, is_none) = compare(from, to, Format::Json);
        let objects: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(is_none, objects.len() == 1);
        objects
    };
    assert_eq!(objects("author: A", "author: B").len(), 1, "the sums alone: nothing that is told has changed");
    let [gone, sums] = &objects("status: stable", "status: deprecated")[..] else { panic!("one is gone") };
    assert_eq!((&gone["change"], &gone["before"]["weir.rule.name"]), (&"removed".into(), &"own".into()));
    assert_eq!((&sums["rules"]["own"], &sums["removed"]), (&serde_json::json!([1, 0]), &1.into()));
    let [milder, sums] = &objects("level: high", "level: medium")[..] else { panic!("one is milder") };
    assert_eq!((&milder["before"]["level"], &milder["after"]["level"]), (&"high".into(), &"medium".into()));
    assert_eq!((&sums["rules"]["own"], &sums["changed"]), (&serde_json::json!([1, 1]), &1.into()));
    let [said, _] = &objects("was run", "ran")[..] else { panic!("one is said otherwise") };
    assert_eq!((&said["before"]["body"], &said["after"]["body"]), (&"/srv/own was run".into(), &"/srv/own ran".into()));

    let text = anstream::adapter::strip_str(&compare("level: high", "level: medium", Format::Text).0).to_string();
    for part in
        ["- 2026-", "HIGH     Own: /srv/own was run", "+ 2026-", "MEDIUM   Own", "alerts by rule", "0 added, 1 changed"]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn what_the_agent_would_do_with_it_is_not_kept() {
    let mut line = line();
    let told: Vec<Notice> = stream().into_iter().flat_map(|event| tell(&mut line, event)).collect();
    assert!(!told.is_empty());
    assert!(line.take_marks().is_empty() && line.take_unknown().is_empty() && line.take_unlooked().is_empty());
}
