//! How many alerts a second go through the spool, synced, what memory it takes when a hundred thousand wait, and what an alert takes on
//! the wire.
//!
//! ```text
//! cargo run --release -p sensor --example spool_rate -- DIRECTORY
//! ```
//! DIRECTORY must be on the disk that is meant, and not be there yet; it is removed afterwards. An alert is 2000 bytes here. A second is
//! that of appending, taking and acknowledging; each number is the median of seven runs, since disks differ from one moment to the next.
//! On the wire are the alerts of the examples that the shipped rules are proven by.

use prost::Message as _;
use sensor::alert::Raiser;
use sensor::delivery::otlp::{Body, Resources, log};
use sensor::delivery::spool::{Draft, Kind, Limits, Spool};
use sensor::detection::{Engine, Logic, RuleSet};
use sensor::event::WallClock;
use serde_json::{Map, Value};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RUNS: usize = 7;
const RUN: Duration = Duration::from_millis(700);
const QUEUED: usize = 100_000;
const BYTES: [u8; 2_000] = [b'x'; 2_000];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).ok_or("usage: spool_rate DIRECTORY")?;
    let directory = Path::new(&directory);
    std::fs::create_dir(directory)?;
    let measured = measure(directory);
    std::fs::remove_dir_all(directory)?;
    measured?;
    wire()
}

fn measure(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for batch in [1, 16, 256] {
        let mut rates = (0..RUNS).map(|_| rate(&directory.join("rate"), batch)).collect::<Result<Vec<_>, _>>()?;
        rates.sort_by(f64::total_cmp);
        let median = rates.get(RUNS / 2).copied().unwrap_or(0.0);
        println!("batches of {batch}: {median:.0} alerts/s, {:.3} ms a batch", batch as f64 / median * 1e3);
    }
    let limits = Limits { bytes: 1 << 30, ..Limits::default() };
    let path = directory.join("depth");
    let before = resident()?;
    let mut spool = Spool::open(&path, limits)?.0;
    let drafts = vec![draft(); 1_000];
    for _ in 0..QUEUED / drafts.len() {
        spool.append(&drafts)?;
    }
    let (memory, disk) = (resident()? - before, spool.counts().bytes as f64 / 1e6);
    println!("{QUEUED} queued: {memory:.1} MB of memory, {disk:.1} MB on disk");
    drop(spool);
    let start = Instant::now();
    let opened = Spool::open(&path, limits)?.1;
    println!("{} found when opened: {:.0} ms", opened.entries, start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

fn draft() -> Draft<'static> {
    Draft { kind: Kind::Alert, severity: 17, time: 0, uid: "0123456789abcdef0123456789abcdef", bytes: &BYTES }
}

/// Alerts a second.
fn rate(path: &Path, batch: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let mut spool = Spool::open(path, Limits::default())?.0;
    let drafts = vec![draft(); batch];
    let (start, mut alerts) = (Instant::now(), 0);
    while start.elapsed() < RUN {
        alerts += spool.append(&drafts)?.ids.iter().flatten().count();
        let taken: Vec<u64> = spool.take(batch, usize::MAX).iter().map(|entry| entry.id).collect();
        spool.acknowledge(&taken);
    }
    Ok(alerts as f64 / start.elapsed().as_secs_f64())
}

/// Megabytes.
fn resident() -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1e3)
}

/// Bytes an alert over OTLP, alone and together, as it is and packed, the median and the most.
fn wire() -> Result<(), Box<dyn std::error::Error>> {
    let alerts = alerts()?;
    let resources = Resources::new(&Default::default(), Some("node"));
    for body in [Body::Sentence, Body::Ocsf] {
        let form = log::Form { resources: &resources, body, host: Some("node") };
        let mut sizes = Vec::new();
        for alert in &alerts {
            let request = log::request(std::iter::once(alert), &form).encode_to_vec();
            sizes.push((request.len(), packed(&request)?));
        }
        let together = log::request(alerts.iter(), &form).encode_to_vec();
        let each = packed(&together)? / alerts.len();
        let mut plain: Vec<usize> = sizes.iter().map(|(plain, _)| *plain).collect();
        let mut gzip: Vec<usize> = sizes.iter().map(|(_, gzip)| *gzip).collect();
        plain.sort_unstable();
        gzip.sort_unstable();
        let middle = |sizes: &[usize]| sizes.get(sizes.len() / 2).copied().unwrap_or(0);
        let most = |sizes: &[usize]| sizes.last().copied().unwrap_or(0);
        println!(
            "an alert on the wire, body {body:?}, median and most of {}: {} B ({}), gzip alone {} B ({}), gzip together {each} B",
            alerts.len(),
            middle(&plain),
            most(&plain),
            middle(&gzip),
            most(&gzip),
        );
    }
    Ok(())
}

fn packed(bytes: &[u8]) -> std::io::Result<usize> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes)?;
    Ok(packed.finish()?.len())
}

/// One of each rule that finds a single event.
fn alerts() -> Result<Vec<Map<String, Value>>, Box<dyn std::error::Error>> {
    let rules = RuleSet::embedded()?;
    let (mut raiser, mut alerts) = (Raiser::new(&rules), Vec::new());
    let clock = WallClock { boot_unix_nanos: 1_700_000_000_000_000_000 };
    for (rule, examples) in rules.examples() {
        let Logic::Detection(category) = rule.logic else { continue };
        let mut engine = Engine::new(rules.clone());
        let events =
            examples.matching.iter().find_map(|example| example.events(Some(category)).ok()).unwrap_or_default();
        let findings = events.into_iter().flat_map(|event| engine.evaluate(&Arc::new(event)));
        let raised = findings.filter_map(|finding| raiser.raise(finding)).map(|alert| alert.to_json(clock));
        alerts.extend(raised.filter_map(|alert| alert.as_object().cloned()));
    }
    Ok(alerts)
}
