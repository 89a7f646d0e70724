//! Writes a page of the reference to standard output; `cargo xtask docs` runs it.
//!
//! ```text
//! cargo run -p sensor --example reference -- fields
//! ```

use sensor::detection::RuleSet;
use sensor::reference;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let page = match std::env::args().nth(1).as_deref() {
        Some("fields") => Ok(reference::fields()),
        Some("metrics") => Ok(reference::metrics()),
        Some("rules") => RuleSet::embedded().map(|set| reference::rules(&set)).map_err(|error| error.to_string()),
        _ => Err("say which page: fields, metrics or rules".to_owned()),
    };
    let written = page.and_then(|page| std::io::stdout().write_all(page.as_bytes()).map_err(|error| error.to_string()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
