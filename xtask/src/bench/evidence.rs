//! What keeping evidence costs and takes: asks the example `evidence_rate` of the sensor.

use super::spool::{Number, ask};
use crate::ui;
use anyhow::Result;

pub const NAME: &str = "evidence";

/// Events of a whole run, and of a quick one.
const EVENTS: [&str; 2] = ["10000000", "1000000"];

/// Builds and runs it, on the disk of the target directory.
pub fn run(quick: bool) -> Result<Vec<Number>> {
    let [whole, less] = EVENTS;
    let events = if quick { less } else { whole };
    ui::step(format!("{events} events into the store of evidence: the example evidence_rate"), || {
        ask("evidence_rate", &[events])
    })
}
