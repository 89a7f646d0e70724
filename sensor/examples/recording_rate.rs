//! What a recording costs and takes, from a real one, on one core.
//!
//! ```text
//! weir run --record FILE, for a while
//! cargo run --release -p sensor --example recording_rate -- FILE
//! ```
//! Lines, packing, unpacking and reading apart. Best of five runs, since another process can only make one slower.

use sensor::evidence::recording::{Frames, Reader, Record, pack};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

const RUNS: usize = 5;
/// Bytes of lines that a recorder packs at once.
const BATCH: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: recording_rate FILE")?;
    let mut reader = Reader::open(Path::new(&path))?;
    let mut events = Vec::new();
    while let Some(record) = reader.next()? {
        if let Record::Event(event) = record {
            events.push(event);
        }
    }
    let lines = to_lines(&events)?;
    let batches: Vec<&[u8]> = lines.chunks(BATCH).collect();
    let packed: Vec<Vec<u8>> = batches.iter().map(|batch| pack(batch)).collect::<Result<_, _>>()?;
    let file = packed.concat();
    let per_event = |bytes: usize| bytes as f64 / events.len() as f64;
    println!(
        "{} events, {:.0} bytes each as a line, {:.1} packed",
        events.len(),
        per_event(lines.len()),
        per_event(file.len())
    );
    let report = |name: &str, took: Duration| {
        let nanoseconds = took.as_nanos() as f64 / events.len() as f64;
        println!("{name:20} {nanoseconds:6.0} ns/event {:6.2} M/s", 1e3 / nanoseconds);
    };
    report("event to line", best(|| drop(black_box(to_lines(&events)))));
    report("pack", best(|| batches.iter().for_each(|batch| drop(black_box(pack(batch))))));
    let unpack = || {
        let mut frames = Frames::new(&file[..]);
        while let Ok(Some(content)) = frames.next_content() {
            black_box(content);
        }
    };
    report("unpack", best(unpack));
    let read = || {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let _ = black_box(sensor::evidence::recording::parse(line));
        }
    };
    report("line to event", best(read));
    Ok(())
}

fn to_lines(events: &[Box<sensor::event::Event>]) -> Result<Vec<u8>, serde_json::Error> {
    let mut lines = Vec::new();
    for event in events {
        lines.extend_from_slice(b"{\"event\":");
        serde_json::to_writer(&mut lines, event)?;
        lines.extend_from_slice(b"}\n");
    }
    Ok(lines)
}

fn best(run: impl Fn()) -> Duration {
    let once = || {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..RUNS).map(|_| once()).min().unwrap_or_default()
}
