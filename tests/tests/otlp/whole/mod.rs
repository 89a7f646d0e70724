//! The whole of delivery: a real sensor, what it sees in the kernel, its spool, and a receiver at the other end.

mod disk;
mod faults;
mod hung;
mod killed;
mod said;
mod signals;

use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tests::receiver::Receiver;
use tests::sensor::{Event, Sensor, Stopped};
use tests::skip;
use tests::wait::PATIENCE;

type Outcome = Result<(), Box<dyn Error>>;

/// Finds every program that is started with this word. For the record only, so that no incident of all that a test does tells of it
/// instead; beside other tests' alerts, which are passed over.
const WORD: &str = "weir-delivery-word";
const RULE: &str = "title: Started with a word\nid: 5d0c8b2e-0000-4000-8000-00000000d311\nname: delivery_word\nlevel: informational\n\
    logsource:\n  product: linux\n  category: process_creation\ndetection:\n  x:\n    process.command_args: weir-delivery-word\n  condition: x\n\
    weir:\n  subject: [weir.process.id]\n";

/// Without root there is no sensor.
pub fn is_skipped() -> bool {
    skip::unless_root("starting the sensor")
}

/// A directory with the rule and a configuration; what is done there.
pub struct Scene {
    directory: tempfile::TempDir,
    done: AtomicU64,
}

impl Scene {
    pub fn new() -> Result<Scene, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("rule.yml"), RULE)?;
        Ok(Scene { directory, done: AtomicU64::new(0) })
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Arguments of a sensor that sends as the `otlp:` section says; metrics are left out, so that faults hit what a test sends.
    pub fn arguments(&self, otlp: &str, more: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
        let config = self.path().join("weir.yml");
        fs::write(&config, format!("otlp:\n  timeout: 1500\n  metrics: {{exporter: none}}\n{otlp}"))?;
        let rules = self.path().join("rule.yml");
        let words = ["run", "--config", &config.to_string_lossy(), "--rules", &rules.to_string_lossy()];
        let words = words.iter().chain(more).map(|word| (*word).to_owned());
        // Coverage records would be one more thing that faults hit.
        let none = ["--coverage-interval", "0"].into_iter().filter(|_| !more.contains(&"--coverage-interval"));
        Ok(words.chain(none.map(str::to_owned)).collect())
    }

    /// A sensor that sends there, without TLS.
    pub fn sensor(&self, port: u16, protocol: &str, more: &[&str]) -> Result<Sensor, Box<dyn Error>> {
        Ok(Sensor::start(&self.to(port, protocol, more)?)?)
    }

    /// Arguments of such a sensor.
    pub fn to(&self, port: u16, protocol: &str, more: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
        self.arguments(&format!("  endpoint: http://127.0.0.1:{port}\n  protocol: {protocol}\n"), more)
    }

    /// Does what the rule finds; by what the alert is known.
    pub fn deed(&self) -> Result<String, Box<dyn Error>> {
        let number = self.done.fetch_add(1, Relaxed);
        let name = self.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mark = format!("mark-{name}-{number}");
        assert!(Command::new("/bin/true").args([WORD, &mark]).status()?.success());
        Ok(mark)
    }

    pub fn deeds(&self, count: usize) -> Result<BTreeSet<String>, Box<dyn Error>> {
        (0..count).map(|_| self.deed()).collect()
    }

    /// Waits until the console has shown all of these.
    pub fn shown(&self, sensor: &Sensor, marks: &BTreeSet<String>) -> Outcome {
        let all = |events: &[Event]| marks.is_subset(&of_console(events)).then_some(());
        Ok(sensor.wait_until("all of it on the console", PATIENCE, all)?)
    }
}

/// The mark of an alert of the rule.
fn mark(attributes: &Value) -> Option<String> {
    let args = attributes.get("process.command_args")?.as_array()?;
    let is_ours = args.iter().any(|word| word == WORD) && attributes.get("weir.rule.name")? == "delivery_word";
    args.iter().filter_map(Value::as_str).find(|word| word.starts_with("mark-")).filter(|_| is_ours).map(str::to_owned)
}

/// The marks of the alerts that were shown.
pub fn of_console(events: &[Event]) -> BTreeSet<String> {
    events.iter().filter_map(|event| mark(event.field("attributes")?)).collect()
}

/// The uids under which each mark arrived.
pub fn arrived(requests: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in requests.iter().filter_map(|request| request["records"].as_array()).flatten() {
        if let (Some(mark), Some(uid)) = (mark(&record["attributes"]), record["attributes"]["log.record.uid"].as_str())
        {
            all.entry(mark).or_default().insert(uid.to_owned());
        }
    }
    all
}

/// Waits until all of these have arrived; each under one uid, however often.
pub fn all_arrive(receiver: &mut Receiver, marks: &BTreeSet<String>, what: &str) -> Outcome {
    receiver.until(what, |requests| {
        let arrived = arrived(requests);
        marks.iter().all(|mark| arrived.contains_key(mark))
    })?;
    let several = arrived(&receiver.requests).into_iter().filter(|(_, uids)| uids.len() > 1).collect::<Vec<_>>();
    assert!(several.is_empty(), "{what}: one alert, one uid: {several:?}");
    Ok(())
}

/// A port at which nothing listens now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A receiver at this port.
pub fn receiver_at(port: u16, more: &[&str]) -> Receiver {
    let listen = format!("127.0.0.1:{port}");
    super::support::receiver(&[&["--listen", &listen], more].concat())
}

/// The spool of a sensor.
pub fn spool(sensor: &Sensor) -> PathBuf {
    sensor.state().join("spool")
}

/// Ends it and starts it again with these arguments.
pub fn restart(sensor: &mut Sensor, signal: Signal, arguments: &[String]) -> Result<Stopped, Box<dyn Error>> {
    Ok(sensor.restart(signal, arguments)?)
}
