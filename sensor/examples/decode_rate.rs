//! How fast ring records become events, on one core, without a kernel.
//!
//! ```text
//! cargo run --release -p sensor --example decode_rate
//! ```
//! Events are decoded and dropped, as the line does. Best of twenty runs, since another process can only make one slower.

use sensor::kernel::decode::{decode, samples};
use std::hint::black_box;
use std::time::Instant;

const RUNS: usize = 20;
const RECORDS: u32 = 200_000;

fn main() {
    let cases = [
        ("open, 6 components", samples::open("/srv/models/llama/v3/hf/model-00001-of-00002.safetensors")),
        ("open, 2 components", samples::open("/tmp/model.gguf")),
        ("exec, 4 arguments", samples::exec()),
        ("fork", samples::fork()),
        ("exit", samples::exit(0)),
        ("connect", samples::connect(samples::endpoints())),
        ("flow", samples::flow(samples::endpoints(), 2, 1)),
    ];
    for (name, record) in cases {
        let nanoseconds = (0..RUNS).map(|_| run(&record)).min_by(f64::total_cmp).unwrap_or(0.0);
        println!("{name:20} {:4} bytes {nanoseconds:6.0} ns/event {:6.2} M/s", record.len(), 1e3 / nanoseconds);
    }
}

fn run(record: &[u8]) -> f64 {
    let start = Instant::now();
    for _ in 0..RECORDS {
        let _ = black_box(decode(black_box(record)));
    }
    start.elapsed().as_nanos() as f64 / f64::from(RECORDS)
}
