//! The harness, with scripts in the place of the sensor.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tests::scene::Directory;
use tests::sensor::{Event, Sensor};
use tests::wait::PATIENCE;

/// The last argument is the descriptor, by the harness's contract. Not every shell can name one above 9 itself.
const READY: &str = r#"for fd; do :; done; echo ready > /proc/self/fd/$fd"#;

/// The shell is the program: a script that was written just now may still be open in a child that another thread forks, and then
/// the kernel would refuse to run it.
fn start(directory: &Directory, body: &str) -> Result<std::io::Result<Sensor>, Box<dyn Error>> {
    let script = directory.path().join("weir");
    fs::write(&script, body)?;
    Ok(Sensor::start_program(Path::new("/bin/sh"), &[script.as_os_str(), OsStr::new("events")]))
}

/// Ends in order on SIGTERM, saying one more thing.
const UNTIL_TERM: &str = r#"trap 'echo "{\"weir.event.kind\":\"exit\"}"; exit 0' TERM; while :; do sleep 0.01; done"#;

#[test]
fn it_waits_for_events_and_stops_in_order() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let lines = r#"echo "$*" >&2
        echo '{"weir.event.kind":"open","process.pid":7,"file.path":"/m/a.gguf","weir.file.class":["weights"]}'
        sleep 0.05
        echo '{"weir.event.kind":"flow","weir.flow.bytes":64}'"#;
    let sensor = start(&directory, &format!("{READY}\n{lines}\n{UNTIL_TERM}"))??;
    let flow = sensor.wait_for("a flow", PATIENCE, |event| event.kind() == "flow")?;
    assert_eq!(flow.number("weir.flow.bytes"), Some(64));
    let open = sensor.wait_for("the open before it", PATIENCE, |event| event.kind() == "open")?;
    assert_eq!((open.pid(), open.list("weir.file.class")), (Some(7), vec!["weights"]));
    let missing = sensor.wait_for("an exec", Duration::from_millis(20), |event| event.kind() == "exec");
    assert!(missing.is_err_and(|error| error.to_string().contains("an exec: not within")));
    let stopped = sensor.stop()?;
    assert_eq!(stopped.events.len(), 3, "what it says while it ends is heard");
    assert!(stopped.log[0].starts_with("events --format json --notify-fd "), "{:?}", stopped.log);
    Ok(())
}

#[test]
fn one_that_does_not_start_is_told_with_its_words() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let Err(error) = start(&directory, "echo 'no BTF here' >&2; exit 3")? else { panic!("it started") };
    assert!(error.to_string().contains("no BTF here") && error.to_string().contains("exit status: 3"), "{error}");
    Ok(())
}

#[test]
fn one_that_ends_early_is_not_waited_for() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let sensor = start(&directory, &format!("{READY}\nexit 4"))??;
    let waited = sensor.wait_for("an open", Duration::from_secs(3600), |_| true);
    assert!(waited.is_err_and(|error| error.to_string().contains("exit status: 4")));
    assert!(sensor.stop().is_err_and(|error| error.to_string().contains("exit status: 4")));
    Ok(())
}

#[test]
fn a_line_that_is_no_event_fails() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let sensor = start(&directory, &format!("{READY}\necho 'a stray line'\n{UNTIL_TERM}"))??;
    let waited = sensor.wait_for("an open", PATIENCE, |event| event.kind() == "open");
    assert!(waited.is_err_and(|error| error.to_string().contains("a stray line")));
    assert!(sensor.stop().is_err());
    Ok(())
}

#[test]
fn differences_name_the_field() -> Result<(), Box<dyn Error>> {
    let event = Event::parse(r#"{"file.path":"/a","file.size":1}"#)?;
    let truth = serde_json::json!({ "file.path": "/a", "file.size": 2 });
    assert!(event.differences(&truth, &["file.path"]).is_empty());
    assert_eq!(event.differences(&truth, &["file.size"]), ["file.size: 2, but the event has 1"]);
    assert_eq!(event.differences(&truth, &["file.inode"]).len(), 1, "nothing was compared");
    Ok(())
}
