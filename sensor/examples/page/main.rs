//! Writes the page of a timeline to standard output, to look at: of an invented one, or of one that `weir timeline` cut.
//!
//! ```text
//! cargo run -p sensor --example page > x.html
//! cargo run -p sensor --example page -- many > x.html
//! cargo run -p sensor --example page -- timeline.json > x.html
//! ```
//! `theft` (if nothing is said), `many`: ten thousand entries, `hostile`: texts that try to be more than text, `empty`, or a file.

mod fixture;

use std::error::Error;
use std::io::{BufWriter, Write as _, stdout};

fn main() -> Result<(), Box<dyn Error>> {
    let timeline = match std::env::args().nth(1).as_deref() {
        None | Some("theft") => fixture::theft(),
        Some("many") => fixture::many(10_000),
        Some("hostile") => fixture::hostile(),
        Some("empty") => fixture::empty(),
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("{file} is neither theft, many, hostile or empty nor a file: {error}"))?;
            serde_json::from_str(&text).map_err(|error| format!("{file} is no timeline: {error}"))?
        }
    };
    let mut out = BufWriter::new(stdout().lock());
    sensor::evidence::page::write(&timeline, &mut out)?;
    Ok(out.flush()?)
}
