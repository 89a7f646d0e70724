//! An output that takes no more: a full disk is an error, a reader who has seen enough is none.

use super::weir::{end_of, ended, run, start, weir};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use tests::wait::{PATIENCE, until};
use tests::{Place, actor_in, skip};

type Outcome = Result<(), Box<dyn Error>>;

/// What prints something and ends.
const PRINTERS: [&[&str]; 8] = [
    &["rules", "list"],
    &["rules", "list", "--format", "json"],
    &["rules", "check"],
    &["doctor"],
    &["doctor", "--format", "json"],
    &["completions", "bash"],
    &["--help"],
    &["--version"],
];

fn full() -> std::io::Result<Stdio> {
    Ok(File::options().write(true).open("/dev/full")?.into())
}

/// The writing end of a pipe that nobody reads.
fn unread() -> std::io::Result<Stdio> {
    std::io::pipe().map(|(_, writer)| writer.into())
}

#[test]
fn printers_say_that_the_disk_is_full() -> Outcome {
    for printer in PRINTERS {
        end_of(weir(printer)?.stdout(full()?))?.refuses(1, &["No space left on device", "make room"]);
    }
    Ok(())
}

#[test]
fn printers_are_quiet_when_the_reader_has_gone() -> Outcome {
    for printer in PRINTERS {
        let status = run(printer)?.status;
        let ended = end_of(weir(printer)?.stdout(unread()?))?;
        assert_eq!((ended.status, ended.err.as_str()), (status, ""), "{printer:?}");
    }
    Ok(())
}

#[test]
fn an_error_that_nobody_can_be_told_is_in_the_status() -> Outcome {
    let child = weir(&["rules", "check", "/no/such"])?.stdout(Stdio::piped()).stderr(full()?).spawn()?;
    assert_eq!(ended(child)?.status, Some(1));
    Ok(())
}

/// Starts `weir`, lets something happen that it shows, until it ends.
fn fed(child: Child) -> Result<super::weir::Ended, Box<dyn Error>> {
    let mut child = child;
    until(PATIENCE, "weir ends when it cannot write", || {
        let _ = actor_in(Place::Host, &["exec-memfd"]).and_then(tests::Running::truth);
        child.try_wait().ok().flatten()
    })
    .inspect_err(|_| drop(child.kill()))?;
    Ok(ended(child)?)
}

#[test]
fn the_sensor_says_that_the_disk_is_full() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    for subcommand in ["events", "run"] {
        for format in ["json", "text"] {
            let child = start(&[subcommand, "--format", format], full()?)?;
            let ended = fed(child)?;
            let watching = ended.err.starts_with("Watching with");
            assert_eq!(watching, format == "text", "what a person is told first: {ended:?}");
            let err = ended.err.lines().skip(usize::from(watching)).map(|line| format!("{line}\n")).collect();
            super::weir::Ended { err, ..ended }
                .refuses(1, &["cannot write the output", "No space left on device", "make room"]);
        }
    }
    Ok(())
}

#[test]
fn the_sensor_ends_quietly_when_the_reader_has_seen_enough() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let mut child = start(&["events", "--kind", "exec"], Stdio::piped())?;
    let out = child.stdout.take().ok_or("no pipe")?;
    let mut line = String::new();
    actor_in(Place::Host, &["exec-memfd"])?.truth()?;
    BufReader::new(out).read_line(&mut line)?;
    assert!(line.contains("\"weir.event.kind\":\"exec\""), "{line}");
    fed(child)?.is_quiet();
    // Nor has there to be anything more to write: the next alert may be a month away.
    let nothing = std::process::id().to_string();
    ended(start(&["events", "--kind", "cgroup", "--pid", &nothing], unread()?)?)?.is_quiet();
    Ok(())
}

#[test]
fn a_log_that_nobody_takes_is_no_reason_to_end() -> Outcome {
    if skip::unless_root("starting the sensor") {
        return Ok(());
    }
    let shown = end_of_with_full_log(&["--log", "trace", "events", "--kind", "process_found", "-n", "1"])?;
    assert_eq!(shown.status, Some(0), "{shown:?}");
    assert_eq!(shown.out.lines().count(), 1, "{shown:?}");
    Ok(())
}

fn end_of_with_full_log(arguments: &[&str]) -> Result<super::weir::Ended, Box<dyn Error>> {
    Ok(ended(weir(arguments)?.stdout(Stdio::piped()).stderr(full()?).spawn()?)?)
}
