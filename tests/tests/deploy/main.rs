//! What deploy/ gives a cluster: the chart installs what it says; collector configurations, dashboards, alert rules and a SIEM's rules are
//! what they say, and fit what Weir sends.

mod chart;
mod collector;
mod gateway;
mod http;
mod metrics;
mod names;
mod operations;
mod siem;

use std::error::Error;
use std::path::{Path, PathBuf};

type Outcome = Result<(), Box<dyn Error>>;

/// A file or directory of the repository.
fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The files of a directory with this extension, in order.
fn files(directory: &str, extension: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = std::fs::read_dir(place(directory))?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    if files.is_empty() { Err(format!("no {extension} files in {directory}").into()) } else { Ok(files) }
}
