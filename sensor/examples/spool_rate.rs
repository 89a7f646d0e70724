//! How many alerts a second go through the spool, synced, and what memory it takes when a hundred thousand wait.
//!
//! ```text
//! cargo run --release -p sensor --example spool_rate -- DIRECTORY
//! ```
//! DIRECTORY must be on the disk that is meant, and not be there yet; it is removed afterwards. An alert is 2000 bytes here. A second is
//! that of appending, taking and acknowledging; each number is the median of seven runs, since disks differ from one moment to the next.

use sensor::delivery::spool::{Draft, Kind, Limits, Spool};
use std::path::Path;
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
    measured
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
