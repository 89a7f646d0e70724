//! `weir timeline` of a theft across two containers, as a real sensor saw it.

use super::weir::run;
use serde_json::Value;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::scene::{Bind, Container, Directory, Network, Spec};
use tests::sensor::Sensor;
use tests::sink::{Sink, Transport};
use tests::wait::PATIENCE;
use tests::{Place, Running, actor_in, skip, weights};

type Outcome = Result<(), Box<dyn Error>>;

/// The weights as the first container sees them.
const MODEL: &str = "/models/llama/model.safetensors";
/// MiB.
const MODEL_SIZE: u64 = 5;
/// What both containers see.
const COPY: &str = "/shared/metrics.db";

/// What was seen of a theft: the reader copies the weights in one container, another container sends the copy.
struct Theft {
    files: Directory,
    first: String,
    second: String,
    to: String,
}

impl Theft {
    /// Plays it and records it; nothing if that takes root and this is not.
    fn play() -> Result<Option<Theft>, Box<dyn Error>> {
        if skip::unless_root("a theft across containers") {
            return Ok(None);
        }
        let files = Directory::new()?;
        for directory in ["models/llama", "shared", "seen"] {
            fs::create_dir_all(files.path().join(directory))?;
        }
        weights::safetensors(&files.path().join("models/llama/model.safetensors"), MODEL_SIZE, 7)?;
        let network = Network::new()?;
        let recording = files.path().join("theft.weir");
        let sensor = Sensor::start(&["events", "--record", text(&recording)?])?;
        let bind = |source: &str, target: &str| Bind {
            source: files.path().join(source),
            target: target.into(),
            read_only: source == "models",
        };
        let start =
            |binds| Container::start(&Spec { binds, network: Some(&network.inside), overlay: true, ..Spec::default() });
        let first = start(vec![bind("models", "/models"), bind("shared", "/shared")])?;
        let second = start(vec![bind("shared", "/shared")])?;
        let sink = Sink::start(&network.outside_addresses(), Some(&network.outside))?;
        let to = sink.address(Transport::Tcp, Network::OUTSIDE_V4.into())?.to_string();
        // Bystanders: other processes of the same containers, with files of their own, and bytes to the same destination.
        bystander(&first)?;
        run_in(&second, "/bin/cp", &["/etc/passwd", "/tmp/bystander_id_rsa"])?;
        actor_in(Place::Container(&second), &["upload", "--to", &to, "--bytes", "70000"])?.output()?;
        actor_in(Place::Container(&first), &["theft", "file", "--read", MODEL, "--place", COPY])?.output()?;
        bystander(&first)?;
        actor_in(Place::Container(&second), &["theft", "file", "--place", COPY, "--to", &to])?.output()?;
        bystander(&second)?;
        sink.finish()?;
        // Events pass in order: when this one is there, those before it are.
        run_in(&second, "/bin/true", &["bystander", "LAST"])?;
        sensor.wait_until("the last exec", PATIENCE, |events| {
            let is_last = |line: &str| line.contains("LAST") && line.contains("\"exit\"");
            events.iter().any(|event| is_last(event.line())).then_some(())
        })?;
        let stopped = sensor.stop()?;
        let lines: String = stopped.events.iter().map(|event| format!("{}\n", event.line())).collect();
        fs::write(files.path().join("seen/events.jsonl"), lines)?;
        let told = run(&["replay", text(&recording)?, "--format", "json"])?;
        fs::write(files.path().join("seen/alerts.jsonl"), &told.out)?;
        let (first, second) = (first.id.clone(), second.id.clone());
        Ok(Some(Theft { files, first, second, to }))
    }
}

fn text(path: &Path) -> Result<&str, Box<dyn Error>> {
    Ok(path.to_str().ok_or("no UTF-8")?)
}

fn bystander(container: &Container) -> Outcome {
    run_in(container, "/bin/sh", &["-c", "cat /etc/passwd > /tmp/bystander; cat /tmp/bystander; :"])
}

fn run_in(container: &Container, program: &str, arguments: &[&str]) -> Outcome {
    let running: Running = Place::Container(container).spawn(OsStr::new(program), arguments)?;
    let output = running.output()?;
    if output.status.success() { Ok(()) } else { Err(format!("{program}: {}", output.status).into()) }
}

#[test]
fn a_theft_across_containers_is_told_in_order_and_nothing_else() -> Outcome {
    let Some(theft) = Theft::play()? else { return Ok(()) };
    let seen = theft.files.path().join("seen");
    let seen = text(&seen)?;
    let listed = run(&["timeline", "--from", seen])?;
    listed.is_quiet();
    let of_both = listed.out.lines().find(|line| line.starts_with("incident ") && line.contains(MODEL));
    let id = of_both.and_then(|line| line.split(' ').nth(1)).ok_or(format!("no incident: {}", listed.out))?;
    let ask = |format: &str| run(&["timeline", "--from", seen, "--incident", &id[..12], "--format", format]);

    let timeline = ask("json")?;
    timeline.is_quiet();
    let timeline: Value = serde_json::from_str(&timeline.out)?;
    in_order(&theft, &timeline)?;
    nothing_unrelated(&theft, &timeline)?;
    from_elsewhere(&theft, seen)?;

    let shown = ask("terminal")?;
    shown.is_quiet();
    for word in ["Processes", "Time line", MODEL, COPY, "sent, in all, 5.2 MB", "held 5.2 MB sent 5.2 MB"] {
        assert!(shown.out.contains(word), "{word} is not in: {}", shown.out);
    }
    assert!(!shown.out.contains('\u{1b}'), "plain, where it is no terminal");
    for format in ["jsonl", "timesketch-csv", "timesketch-jsonl"] {
        let written = ask(format)?;
        written.is_quiet();
        assert!(written.out.lines().count() >= timeline["entries"].as_array().map_or(0, Vec::len), "{format}");
    }
    let findings = ask("ocsf")?.out;
    super::ocsf::validate(&findings.lines().map(str::to_owned).collect::<Vec<_>>())?;
    stix_is_valid(&ask("stix")?.out)
}

/// The start of the reader, the read, the copy, the start of the sender, its read, the send: with bytes.
fn in_order(theft: &Theft, timeline: &Value) -> Outcome {
    let entries = timeline["entries"].as_array().ok_or("no entries")?;
    let is_in = |entry: &Value, container: &str| entry["attributes"]["container.id"] == container;
    let place = |what: &str, is_it: &dyn Fn(&Value) -> bool| {
        entries.iter().position(is_it).ok_or(format!("{what} is not in: {timeline:#}"))
    };
    let has = |entry: &Value, kind: &str, word: &str| {
        entry["kind"] == kind && entry["sentence"].as_str().is_some_and(|text| text.contains(word))
    };
    let (first, second) = (&theft.first, &theft.second);
    let steps = [
        place("the start", &|entry| is_in(entry, first) && has(entry, "exec", "theft file --read"))?,
        place("the read", &|entry| is_in(entry, first) && has(entry, "open", MODEL))?,
        place("the copy", &|entry| {
            is_in(entry, first) && has(entry, "transfer", COPY) && entry["bytes"].as_u64() > Some(0)
        })?,
        place("the second start", &|entry| is_in(entry, second) && has(entry, "exec", "theft file --place"))?,
        place("the second read", &|entry| is_in(entry, second) && has(entry, "open", COPY))?,
        place("the connection", &|entry| is_in(entry, second) && has(entry, "connect", &theft.to))?,
        place("the send", &|entry| is_in(entry, second) && has(entry, "flow", "sent, in all,"))?,
    ];
    assert!(steps.is_sorted(), "{steps:?}");
    let sent = entries.iter().filter(|entry| entry["kind"] == "flow").filter_map(|entry| entry["bytes"].as_u64()).max();
    let size = fs::metadata(theft.files.path().join("models/llama/model.safetensors"))?.len();
    assert_eq!(sent, Some(size));
    let last = |quantity: &str| {
        let series =
            timeline["series"].as_array().into_iter().flatten().filter(|series| series["quantity"] == quantity);
        series.filter_map(|series| series["points"].as_array()?.last()?["bytes"].as_u64()).max()
    };
    assert_eq!((last("held"), last("sent")), (Some(size), Some(size)));
    Ok(())
}

/// Who shares only a container, or a destination, with the thieves is not in it.
fn nothing_unrelated(theft: &Theft, timeline: &Value) -> Outcome {
    let seen = fs::read_to_string(theft.files.path().join("seen/events.jsonl"))?;
    assert!(seen.contains("/tmp/bystander") && seen.contains("upload"), "the bystanders were seen");
    for entry in timeline["entries"].as_array().ok_or("no entries")? {
        let sentence = entry["sentence"].as_str().unwrap_or_default();
        assert!(!sentence.contains("bystander") && !sentence.contains("upload"), "{sentence}");
    }
    let processes = timeline["processes"].as_array().ok_or("no processes")?;
    let told = |process: &&Value| process["command_line"].as_str().is_some_and(|line| line.contains(" theft file "));
    let thieves = processes.iter().filter(told).count();
    assert!(thieves >= 4, "who enters, reads and sends: {processes:#?}");
    Ok(())
}

/// The same by other ways in.
fn from_elsewhere(theft: &Theft, seen: &str) -> Outcome {
    for about in [["--container", &theft.first[..12]], ["--container", &theft.second], ["--file", COPY]] {
        let timeline = run(&[&["timeline", "--from", seen, "--format", "json"][..], &about].concat())?;
        timeline.is_quiet();
        let (out, sent) = (&timeline.out, "sent, in all, 5.2 MB");
        assert!(out.contains(sent) && out.contains(&format!("opened {MODEL}")), "{about:?}: {timeline:?}");
    }
    run(&["timeline", "--from", seen, "--incident", "zz"])?
        .refuses(1, &["nothing is known of incident zz", "there are"]);
    run(&["timeline", "--from", seen, "--file", "/none"])?.refuses(1, &["nothing is known of file /none", "20"]);
    Ok(())
}

/// Holds a bundle against the specification; says so where that cannot be done.
fn stix_is_valid(bundle: &str) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new("python3");
    command.arg(root.join("tests/stix/validate.py")).arg(root.join("target"));
    let mut child = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            skip::say(&format!("a bundle against STIX: python3: {error}"));
            return Ok(());
        }
    };
    // It may end without reading: then its status says why.
    let _ = child.stdin.take().ok_or("no pipe")?.write_all(bundle.as_bytes());
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(()),
        Some(77) => {
            skip::say(&format!("a bundle against STIX: {}", said.trim()));
            Ok(())
        }
        status => Err(format!("{status:?}: {said}").into()),
    }
}

#[test]
fn what_cannot_be_asked_is_refused() -> Outcome {
    let files = Directory::new()?;
    let path = |name: &str| files.path().join(name).display().to_string();
    run(&["timeline", "--from", &path("none"), "--process", "1"])?.refuses(1, &["none", "cannot be opened"]);
    fs::write(path("rule.yml"), "title: A rule\n")?;
    run(&["timeline", "--from", &path("rule.yml")])?
        .refuses(1, &["no event and no alert", "weir events --format json"]);
    run(&["timeline", "--pod", "vllm-0"])?.complains(2, &["NAMESPACE/NAME"]);
    run(&["timeline", "--since", "yesterday"])?.complains(2, &["a time like 2026-07-01T02:00:00Z"]);
    run(&["timeline", "--process", "1", "--file", "/a"])?.complains(2, &["cannot be used with"]);
    Ok(())
}

#[test]
fn a_process_can_be_asked_for_without_any_alert() -> Outcome {
    let files = Directory::new()?;
    let path = files.path().join("events.jsonl");
    let event = |second: u32, fields: &str| {
        format!(
            "{{\"time\":\"2026-07-01T02:00:0{second}.000001Z\",\"process.executable.path\":\"/bin/sh\",{fields}}}\n"
        )
    };
    let of = |pid: u32| format!("\"weir.process.id\":\"{pid}-1\"");
    let lines = event(0, &format!("\"weir.event.kind\":\"fork\",{},\"weir.process.child.id\":\"8-1\"", of(7)))
        + &event(1, &format!("\"weir.event.kind\":\"exec\",{},\"file.path\":\"/bin/cat\"", of(8)))
        + &event(2, &format!("\"weir.event.kind\":\"exit\",{}", of(9)));
    fs::write(&path, lines)?;
    let from = text(&path)?;
    let shown = run(&["timeline", "--from", from, "--process", "8"])?;
    shown.is_quiet();
    assert!(shown.out.contains("ran /bin/cat") && !shown.out.contains("sh[9]"), "{}", shown.out);
    run(&["timeline", "--from", from, "--process", "5"])?.refuses(1, &["process 5", "there are 7-1, 8-1"]);
    let listed = run(&["timeline", "--from", from])?;
    listed.is_quiet();
    assert!(listed.out.contains("No incident and no alert was told"), "{}", listed.out);
    let of_time = ["timeline", "--from", from, "--since", "2026-07-01T02:00:02Z", "--format", "jsonl"];
    assert_eq!(run(&of_time)?.out.matches("\"type\":\"entry\"").count(), 1);
    Ok(())
}
