//! Writes the page of an invented timeline to standard output, to look at.
//!
//! ```text
//! cargo run -p sensor --example page > x.html
//! cargo run -p sensor --example page -- many > x.html
//! ```
//! `theft` (if nothing is said), `many`: ten thousand entries, `hostile`: texts that try to be more than text, `empty`.

mod fixture;

use std::error::Error;
use std::io::{BufWriter, Write as _, stdout};

fn main() -> Result<(), Box<dyn Error>> {
    let timeline = match std::env::args().nth(1).as_deref() {
        None | Some("theft") => fixture::theft(),
        Some("many") => fixture::many(10_000),
        Some("hostile") => fixture::hostile(),
        Some("empty") => fixture::empty(),
        Some(_) => return Err("say which timeline: theft, many, hostile or empty".into()),
    };
    let mut out = BufWriter::new(stdout().lock());
    sensor::evidence::page::write(&timeline, &mut out)?;
    Ok(out.flush()?)
}
