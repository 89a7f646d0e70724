//! The alerts of a sensor that has no more privileges than it needs.

use super::stage::{MODEL, Outcome, Stage};
use crate::privileges::{NEEDED, with_only};

#[test]
fn a_theft_is_told_with_exactly_the_capabilities_that_are_needed() -> Outcome {
    let sensor = || with_only(&NEEDED.map(|(_, name)| name), &["run"]);
    let Some(stage) = Stage::set_by(sensor)? else { return Ok(()) };
    let (sink, to) = stage.sink()?;
    stage.act(&["steal", "--read", MODEL, "--to", &to])?;
    let received: u64 = sink.finish()?.iter().map(|peer| peer.bytes).sum();
    let alerts = stage.alerts_of("model_theft")?;
    let last = alerts.last().ok_or("no alert")?;
    assert_eq!(*last.get("weir.flow.bytes"), received, "{}", last.sentence());
    assert_eq!(*last.first("file.path"), MODEL);
    stage.strike()
}
