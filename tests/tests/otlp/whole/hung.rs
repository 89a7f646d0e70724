//! A collector that takes connections and never answers: nothing before the spool notices.

use super::{Outcome, Scene, is_skipped};
use crate::support::receiver;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tests::sensor::Sensor;
use tests::wait::scaled;

/// Far more than an alert takes on a loaded machine, and far less than the timeout of a call, which is what waiting would cost.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What each of some deeds takes until its alert is on the console, the median.
fn latency(scene: &Scene, sensor: &Sensor) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut all = Vec::new();
    for _ in 0..25 {
        let begun = Instant::now();
        let mark = BTreeSet::from([scene.deed()?]);
        scene.shown(sensor, &mark)?;
        all.push(begun.elapsed());
    }
    all.sort();
    Ok(all[all.len() / 2])
}

#[test]
fn what_is_seen_is_shown_as_soon_as_with_one_that_answers() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let hung = TcpListener::bind("127.0.0.1:0")?;
    let (scene, answering) = (Scene::new()?, receiver(&[]));
    let mut medians = Vec::new();
    for port in [answering.port, hung.local_addr()?.port()] {
        let arguments = scene.to(port, "grpc", &[])?;
        let config = std::fs::read_to_string(scene.path().join("weir.yml"))?.replace("1500", "20000");
        std::fs::write(scene.path().join("weir.yml"), config)?;
        let sensor = Sensor::start(&arguments)?;
        medians.push(latency(&scene, &sensor)?);
        let stopped = sensor.stop()?;
        assert!(!stopped.log.iter().any(|line| line.contains("lost")), "{:?}", stopped.log);
    }
    println!(
        "from the deed to the console, median of 25: {medians:?} with a collector that answers, and one that hangs"
    );
    assert!(medians[1] < scaled(AT_ONCE), "{medians:?}");
    Ok(())
}
