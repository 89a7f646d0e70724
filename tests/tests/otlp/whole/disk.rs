//! A disk that is full, and one that changes what is on it.

use super::{Outcome, Scene, all_arrive, arrived, free_port, is_skipped, receiver_at};
use rustix::process::Signal;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::wait::PATIENCE;

/// A small disk, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(path: PathBuf) -> std::io::Result<Disk> {
        fs::create_dir(&path)?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "weir-test"]).arg(&path).status()?;
        assert!(mounted.success(), "a tmpfs cannot be mounted");
        Ok(Disk(path))
    }

    /// Leaves nothing free.
    fn fill(&self) -> std::io::Result<PathBuf> {
        let path = self.0.join("ballast");
        let mut file = fs::File::create(&path)?;
        while file.write_all(&[0; 4096]).is_ok() {}
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a sensor that is being ended may have it open still.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn with_a_full_disk_alerts_are_shown_and_sent_and_kept_again_when_there_is_room() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let (scene, port) = (Scene::new()?, free_port());
    let disk = Disk::new(scene.path().join("disk"))?;
    let state = disk.0.join("state").to_string_lossy().into_owned();
    let sensor = scene.sensor(port, "grpc", &["--state-dir", &state])?;
    let before = scene.deeds(3)?;
    scene.shown(&sensor, &before)?;
    let ballast = disk.fill()?;
    let during = scene.deeds(5)?;
    scene.shown(&sensor, &during)?;
    sensor.wait_for_log("it says so", PATIENCE, |log| {
        log.iter().any(|line| line.contains("alerts are in memory only"))
    })?;
    let mut receiver = receiver_at(port, &[]);
    all_arrive(&mut receiver, &before, "those before")?;
    all_arrive(&mut receiver, &during, "those during")?;
    drop(receiver);
    // And nobody is there to take the next: they have to be on the disk when there is room again.
    let held = scene.deeds(4)?;
    scene.shown(&sensor, &held)?;
    fs::remove_file(ballast)?;
    let after = scene.deeds(2)?;
    scene.shown(&sensor, &after)?;
    sensor.wait_for_log("it goes on", PATIENCE, |_| whole(Path::new(&state), &[&held, &after]))?;
    sensor.kill()?;
    let mut receiver = receiver_at(port, &[]);
    let sensor = scene.sensor(port, "grpc", &["--state-dir", &state])?;
    all_arrive(&mut receiver, &held, "those that waited for room")?;
    all_arrive(&mut receiver, &after, "those after")?;
    sensor.stop()?;
    Ok(())
}

/// Whether all of these are in the spool.
fn whole(state: &Path, marks: &[&std::collections::BTreeSet<String>]) -> bool {
    let bytes: Vec<u8> = files(&state.join("spool")).iter().filter_map(|path| fs::read(path).ok()).flatten().collect();
    let has = |mark: &String| bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
    marks.iter().all(|marks| marks.iter().all(has))
}

fn files(spool: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(spool).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "records")).collect()
}

#[test]
fn a_flipped_byte_costs_one_record_and_is_told() -> Outcome {
    if is_skipped() {
        return Ok(());
    }
    let (scene, port) = (Scene::new()?, free_port());
    let mut sensor = scene.sensor(port, "grpc", &[])?;
    let marks = scene.deeds(6)?;
    scene.shown(&sensor, &marks)?;
    let spool = super::spool(&sensor);
    let third = marks.iter().nth(3).ok_or("none")?.clone();
    let arguments = scene.to(port, "grpc", &["--coverage-interval", "3600"])?;
    // Between the two: as a bad disk does.
    let flip = || -> Outcome {
        for path in files(&spool) {
            let mut bytes = fs::read(&path)?;
            if let Some(at) = bytes.windows(third.len()).position(|window| window == third.as_bytes()) {
                bytes[at] ^= 4;
                fs::write(&path, bytes)?;
                return Ok(());
            }
        }
        Err("the record is not there".into())
    };
    flip()?;
    super::restart(&mut sensor, Signal::KILL, &arguments)?;
    let mut receiver = receiver_at(port, &[]);
    let others = marks.iter().filter(|mark| **mark != third).cloned().collect();
    all_arrive(&mut receiver, &others, "the others")?;
    assert!(!arrived(&receiver.requests).contains_key(&third), "nothing changed comes out");
    receiver.until("the coverage record tells", |requests| {
        let records = requests.iter().filter_map(|request| request["records"].as_array()).flatten();
        let mut lost = records.filter(|record| record["event_name"] == "weir.coverage");
        lost.any(|record| record["attributes"]["weir.coverage.delivery_lost"] == 1)
    })?;
    let log = sensor.stop()?.log;
    assert!(log.iter().any(|line| line.contains("not as they were written")), "{log:?}");
    Ok(())
}
