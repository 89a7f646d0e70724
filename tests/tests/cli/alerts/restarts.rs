//! What has left is known after a restart of the sensor, however it ended.

use super::stage::{MODEL, Outcome, Stage};
use rustix::process::Signal;
use std::fs;
use tests::wait::{PATIENCE, until};

/// Bytes before and after: each far from half a percent of the weights and 64 KiB, together more than that.
const PART: &str = "40000";

fn restart(signal: Signal) -> Outcome {
    let Some(mut stage) = Stage::set()? else { return Ok(()) };
    let (sink, to) = stage.sink()?;
    let python = stage.actor_called("/opt/venv/bin/python3")?;
    stage.act_as(&python, &["read", MODEL])?;
    stage.act(&["upload", "--to", &to, "--bytes", PART])?;
    let loud: Vec<_> = stage.alerts()?.into_iter().filter(|alert| alert.rule().starts_with("egress_day")).collect();
    assert!(loud.is_empty(), "so little is not told: {loud:#?}");
    // One that is killed saves nothing more: it has done so before, if it is given the time.
    let ledger = stage.sensor.state().join("ledger");
    let id = stage.container.id.clone();
    let saved = || fs::read_to_string(&ledger).ok().filter(|text| text.contains(&id) && text.contains(PART));
    if signal == Signal::KILL {
        until(PATIENCE, "the ledger is saved", saved)?;
    }
    stage.sensor.restart(signal, &["run"])?;
    assert!(saved().is_some(), "{:?}", fs::read_to_string(&ledger));

    // Nothing is read any more, and hardly anything is sent.
    stage.act(&["upload", "--to", &to, "--bytes", PART])?;
    let received: u64 = sink.finish()?.iter().map(|peer| peer.bytes).sum();
    assert_eq!(received, 80_000);
    let alert = stage.one("egress_day")?;
    assert_eq!(*alert.get("weir.exfil.bytes"), received, "{alert:#?}");
    assert_eq!(alert.get("weir.exfil.sources").get(0).and_then(|path| path.as_str()), Some(MODEL));
    assert_eq!(*alert.get("weir.destination.first"), false, "known from before");
    stage.strike()
}

/// Weights are opened before the restart and bytes leave after it: that is one theft, and both events prove it.
#[test]
fn what_began_before_a_restart_is_found_after_it() -> Outcome {
    let Some(mut stage) = Stage::set()? else { return Ok(()) };
    let (_sink, to) = stage.sink()?;
    let python = stage.actor_called("/opt/venv/bin/python3")?;
    stage.act_as(&python, &["read", MODEL])?;
    stage.alerts()?;
    stage.sensor.restart(Signal::TERM, &["run"])?;
    let state = fs::read_to_string(stage.sensor.state().join("correlations"))?;
    assert!(state.starts_with("weir-correlations 1 ") && state.contains(&stage.container.id), "{state}");
    stage.act(&["upload", "--to", &to, "--bytes", "4000000"])?;
    // Told once and again as it grows.
    let alerts = stage.alerts_of("model_theft")?;
    assert!(!alerts.is_empty(), "it is not found");
    for alert in &alerts {
        assert_eq!(*alert.get("weir.alert.uid"), *alerts[0].get("weir.alert.uid"));
        assert_eq!(*alert.first("file.path"), MODEL, "{alert:#?}");
        assert_eq!(*alert.first("process.executable.path"), *python, "{alert:#?}");
    }
    stage.strike()
}

#[test]
fn stopped() -> Outcome {
    restart(Signal::TERM)
}

#[test]
fn killed() -> Outcome {
    restart(Signal::KILL)
}
