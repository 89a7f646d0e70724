//! The wall clock is set while the sensor runs: by an hour, forwards and back.
//!
//! Only where nobody else goes by it: `cargo xtask kernels` runs this in its virtual machines.

use super::collector::collector;
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Instant;
use tests::scene::Directory;
use tests::sensor::{Event, Sensor};
use tests::wait::{PATIENCE, scaled};
use tests::{locate, skip};

type Outcome = Result<(), Box<dyn Error>>;

/// Set where the clock is nobody else's.
const OWN_CLOCK: &str = "WEIR_TEST_OWN_CLOCK";
const HOUR: i64 = 3600;
const RULE: &str = "title: Started with a word\nid: 5d0c8b2e-0000-4000-8000-00000000c10c\nname: clock_word\nlevel: informational\n\
    logsource:\n  product: linux\n  category: process_creation\ndetection:\n  x:\n    process.command_args: weir-clock-word\n  condition: x\n\
    weir:\n  subject: [weir.process.id]\n";

fn step(seconds: i64) -> Outcome {
    let now = clock_gettime(ClockId::Realtime);
    Ok(clock_settime(ClockId::Realtime, Timespec { tv_sec: now.tv_sec + seconds, ..now })?)
}

/// Does what the rule finds, and waits for its alert; when that says it was, seconds since 1970.
fn deed(sensor: &Sensor, mark: &str) -> Result<u64, Box<dyn Error>> {
    // Any program will do that is there; it does not know these words, and says so.
    let mut deed = Command::new(locate::actor()?);
    deed.args(["weir-clock-word", mark]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let is_it = |event: &Event| {
        let args = event.field("attributes").and_then(|all| all.get("process.command_args")?.as_array());
        args.is_some_and(|args| args.contains(&Value::from(mark)))
    };
    let alert = sensor.wait_for(mark, PATIENCE, is_it)?;
    let time = alert.text("time").ok_or("no time")?.to_owned();
    let time = humantime::parse_rfc3339(&time)?;
    Ok(time.duration_since(std::time::SystemTime::UNIX_EPOCH)?.as_secs())
}

#[test]
fn what_was_told_before_and_after_a_step_arrives_with_its_time() -> Outcome {
    if std::env::var_os(OWN_CLOCK).is_none() {
        skip::say(&format!(
            "{OWN_CLOCK} is not set: the clock of this machine is others' as well (cargo xtask kernels has one of its own)"
        ));
        return Ok(());
    }
    if skip::unless_root("setting the clock") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let rule = directory.path().join("rule.yml");
    fs::write(&rule, RULE)?;
    // Nobody listens there yet.
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let config = directory.path().join("weir.yml");
    fs::write(&config, format!("otlp: {{endpoint: \"http://127.0.0.1:{port}\", metrics: {{exporter: none}}}}\n"))?;
    let sensor = Sensor::start(&["run", "--rules", &rule.to_string_lossy(), "--config", &config.to_string_lossy()])?;
    let before = deed(&sensor, "mark-before")?;
    step(HOUR)?;
    // Wall time is read each second.
    let limit = Instant::now() + scaled(PATIENCE);
    let mut number = 0;
    let mut stepped = |wanted: &dyn Fn(u64) -> bool| -> Result<u64, Box<dyn Error>> {
        loop {
            number += 1;
            let time = deed(&sensor, &format!("mark-{number}"))?;
            if wanted(time) {
                return Ok(time);
            }
            assert!(Instant::now() < limit, "the step is not noticed");
        }
    };
    let forwards = stepped(&|time| time >= before + 3000)?;
    step(-2 * HOUR)?;
    let back = stepped(&|time| time + 3000 <= before)?;
    step(HOUR)?;
    assert!(forwards > back);
    let (_, requests) = collector((Ipv4Addr::LOCALHOST, port).into())?;
    let mut missing: Vec<String> =
        (1..=number).map(|number| format!("mark-{number}")).chain(["mark-before".to_owned()]).collect();
    while !missing.is_empty() {
        let request = requests.recv_timeout(scaled(PATIENCE)).map_err(|error| format!("{missing:?}: {error}"))?;
        missing.retain(|mark| !request.has(mark));
    }
    sensor.stop()?;
    Ok(())
}
