//! Timelines as people and other tools read them: one file a format.
//!
//! Each is made of the [`Timeline`] alone. Text in it that attackers wrote is escaped for terminals in sentences, and as it was in
//! attributes: what a format's readers would obey, that format makes harmless.

mod jsonl;
mod ocsf;
mod stix;
mod terminal;
mod timesketch;
mod tree;

use super::super::page;
use super::model::Timeline;
use std::io::{self, Write};

/// How to write a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Process tree and time line for people, in colour on a terminal.
    Terminal,
    /// All of it as one JSON object.
    Json,
    /// One JSON object a line: what it is about, then processes, gaps and entries.
    Jsonl,
    /// CSV for Timesketch; cells that a spreadsheet would run are made harmless.
    TimesketchCsv,
    /// JSON lines for Timesketch.
    TimesketchJsonl,
    /// Alerts and incidents as OCSF Detection Findings, one a line.
    Ocsf,
    /// A STIX 2.1 bundle.
    Stix,
    /// A page that needs nothing but a browser.
    Html,
}

/// Writes it.
///
/// # Errors
/// The output does not take it.
pub fn write(timeline: &Timeline, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Terminal => terminal::write(timeline, out),
        Format::Json => {
            serde_json::to_writer(&mut *out, timeline)?;
            out.write_all(b"\n")
        }
        Format::Jsonl => jsonl::write(timeline, out),
        Format::TimesketchCsv => timesketch::csv(timeline, out),
        Format::TimesketchJsonl => timesketch::jsonl(timeline, out),
        Format::Ocsf => ocsf::write(timeline, out),
        Format::Stix => stix::write(timeline, out),
        Format::Html => page::write(timeline, &mut &mut *out),
    }
}
