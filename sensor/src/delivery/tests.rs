use super::{Console, Format};
use crate::alert::{Incident, Notice, Uid};
use crate::detection::Level;
use crate::event::{Actor, Body, BootTime, Event, Exec, File, ProcessKey, WallClock};

fn exec(path: &str, args: &[&str]) -> Event {
    let file = File { path: path.into(), ..File::default() };
    let args = args.iter().map(|arg| (*arg).into()).collect();
    let body = Body::Exec(Exec {
        file,
        parent: None,
        args,
        args_cut: false,
        working_directory: "/".into(),
        streams: Default::default(),
        setuid: false,
    });
    let actor = Actor { process: Some(ProcessKey { pid: 7, start_ticks: 1 }), comm: "x".into(), ..Actor::default() };
    Event::new(BootTime(1_000_000), None, actor, body)
}

fn written(event: &Event, format: Format) -> String {
    let mut out = Vec::new();
    let mut console = Console::new(&mut out, format, WallClock::new(0, BootTime(0)));
    console.event(event).unwrap();
    console.flush().unwrap();
    drop(console);
    String::from_utf8(out).unwrap()
}

#[test]
fn what_attackers_write_is_one_harmless_line() {
    let event = exec("/tmp/\u{1b}]0;x\u{7}\n/sh", &["sh", "-c", "a\u{202e}b\n", ""]);
    let text = anstream::adapter::strip_str(&written(&event, Format::Text)).to_string();
    assert_eq!(
        text,
        "1970-01-01T00:00:00.001000Z exec     x[7] ran /tmp/\\u{1b}]0;x\\u{7}\\u{a}/sh: sh -c 'a\\u{202e}b\\u{a}' ''\n"
    );
    let json: serde_json::Value = serde_json::from_str(&written(&event, Format::Json)).unwrap();
    assert_eq!(json["file.path"], "/tmp/\u{1b}]0;x\u{7}\n/sh", "JSON loses nothing");
}

#[test]
fn long_command_lines_are_cut() {
    let event = exec("/bin/x", &vec!["x".repeat(50).as_str(); 100]);
    assert!(written(&event, Format::Text).len() < 400);
}

#[test]
fn an_incident_is_one_line_with_its_level_and_id() {
    let mut incident = Incident::new(Uid([7; 16]), BootTime(1_000));
    (incident.level, incident.added) = (Level::High, "x\u{1b}[2J\ny".into());
    let written = |incident: &Incident, format| {
        let mut out = Vec::new();
        let mut console = Console::new(&mut out, format, WallClock::new(0, BootTime(0)));
        console.notice(&Notice::Incident(Box::new(incident.clone()))).unwrap();
        drop(console);
        String::from_utf8(out).unwrap()
    };
    let text = anstream::adapter::strip_str(&written(&incident, Format::Text)).to_string();
    assert!(text.starts_with("1970-01-01T00:00:00.000001Z HIGH     Incident: In an unknown workload: "), "{text}");
    assert!(text.ends_with("added last: x\\u{1b}[2J\\u{a}y [07070707-0707-0707-0707-070707070707]\n"), "{text}");
    assert_eq!(text.lines().count(), 1);
    incident.revision = 1;
    assert!(written(&incident, Format::Text).contains("Incident (update)"));
    let json: serde_json::Value = serde_json::from_str(&written(&incident, Format::Json)).unwrap();
    assert_eq!((&json["event_name"], &json["severity_text"]), (&"weir.incident".into(), &"high".into()));
}
