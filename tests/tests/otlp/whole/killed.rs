//! SIGKILL at any point: whatever was shown arrives.

use super::{Outcome, Scene, all_arrive, is_skipped, of_console};
use crate::support::receiver;
use rustix::process::Signal;
use std::collections::BTreeSet;

/// How often, where nothing is said: each time takes about two seconds. The full hundred is `WEIR_TEST_KILLS=100`.
const KILLS: u64 = 8;

#[test]
fn killed_at_any_point_it_delivers_what_it_has_shown() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let kills = std::env::var("WEIR_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let scene = Scene::new()?;
    // The receiver is in trouble now and then as well.
    let faults = vec!["none,unavailable,cut,none,none"; kills as usize].join(",");
    let mut receiver = receiver(&["--faults", &faults]);
    let arguments = scene.to(receiver.port, "grpc", &[])?;
    let mut sensor = scene.sensor(receiver.port, "grpc", &[])?;
    let (mut shown, mut done) = (BTreeSet::new(), 0);
    let mut random = 0x2545_f491_4f6c_dd1d_u64 ^ u64::from(std::process::id());
    for _ in 0..kills {
        // xorshift: any spread will do.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let deeds = random % 24;
        for _ in 0..deeds {
            scene.deed()?;
        }
        done += deeds;
        std::thread::sleep(std::time::Duration::from_micros(random % 60_000));
        let stopped = super::restart(&mut sensor, Signal::KILL, &arguments)?;
        shown.extend(of_console(&stopped.events));
    }
    all_arrive(&mut receiver, &shown, "what was shown")?;
    println!("killed {kills} times: {done} deeds, {} shown before the kill and arrived", shown.len());
    assert!(kills < 4 || !shown.is_empty(), "nothing was shown: nothing was tested");
    sensor.stop()?;
    Ok(())
}
