//! The agent under measurement: `weir run`, started and stopped here, and what `/proc` says that it uses.

use super::machine::Cpus;
use ::tests::sensor::Sensor;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// A running agent.
pub struct Agent {
    sensor: Sensor,
}

/// What an agent used while something went on.
#[derive(Clone, Copy, Default)]
pub struct Used {
    /// How long it went on.
    pub wall: Duration,
    /// CPU time, user and system.
    pub cpu: Duration,
    /// Resident memory at its highest, bytes: its own and what it maps of files.
    pub peak: u64,
    /// Resident memory at the end, bytes.
    pub resident: u64,
    /// The same, with what several processes share divided among them.
    pub proportional: u64,
    /// Of it, memory that is no file's.
    pub anonymous: u64,
}

impl Used {
    /// Percent of one core.
    pub fn percent(&self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.wall.as_secs_f64()
    }
}

impl Agent {
    /// Starts `weir run` and returns when everything is attached. Its output, alerts as JSON, is read by this process.
    pub fn start(weir: &Path, cpus: &Cpus) -> Result<Agent> {
        let sensor = Sensor::start_program(weir, &["run"])?;
        cpus.keep_apart(sensor.pid())?;
        Ok(Agent { sensor })
    }

    /// Does `act` and says what the agent used meanwhile.
    pub fn watch<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<(Used, T)> {
        // 5: the peak begins anew at what is resident now (proc_pid_clear_refs(5), from 4.0).
        fs::write(self.proc("clear_refs"), "5").context("the agent's peak of memory")?;
        let (start, before) = (Instant::now(), self.cpu()?);
        let result = act()?;
        let (wall, after) = (start.elapsed(), self.cpu()?);
        let status = fs::read_to_string(self.proc("status")).context("the agent's memory")?;
        let rollup = fs::read_to_string(self.proc("smaps_rollup")).context("the agent's memory")?;
        let used = Used {
            wall,
            cpu: after.saturating_sub(before),
            peak: kibibytes(&status, "VmHWM:")?,
            resident: kibibytes(&rollup, "Rss:")?,
            proportional: kibibytes(&rollup, "Pss:")?,
            anonymous: kibibytes(&rollup, "Anonymous:")?,
        };
        Ok((used, result))
    }

    /// CPU time so far of all its threads.
    fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(self.proc("task")).context("the agent's threads")? {
            // One that ends meanwhile takes its time with it; the agent has one thread, which does not.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).context("schedstat")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.sensor.pid())
    }

    /// Waits until it has used next to nothing for a fifth of a second: then the ring is empty.
    pub fn wait_until_idle(&self, patience: Duration) -> Result<()> {
        let mut before = self.cpu()?;
        ::tests::wait::until(patience, "the agent has nothing left to do", || {
            std::thread::sleep(Duration::from_millis(200));
            let now = self.cpu().ok()?;
            let used = now.saturating_sub(before);
            before = now;
            (used < Duration::from_millis(2)).then_some(())
        })?;
        Ok(())
    }

    /// Stops it; how many events it lost in its life.
    pub fn stop(self) -> Result<u64> {
        let stopped = self.sensor.stop().context("the sensor did not stop in order")?;
        Ok(stopped.log.iter().filter_map(|line| lost(line)).sum())
    }
}

/// `... WARN events were lost kind="open" cause="ring_full" count=12`
fn lost(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("events were lost")?;
    let (_, count) = rest.split_once("count=")?;
    count.split_whitespace().next()?.parse().ok()
}

/// `VmHWM:   12345 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
    Ok(value.with_context(|| format!("/proc does not say {name}"))? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_read_from_the_log() {
        let line = "2026-01-01T00:00:00Z  WARN events were lost kind=\"open\" cause=\"ring_full\" count=12";
        assert_eq!(lost(line), Some(12));
        assert_eq!(lost("WARN a record of the kernel side could not be read count=3"), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(kibibytes("Rss:   3 kB\nPss:   2 kB\n", "Pss:").ok(), Some(2048));
        assert!(kibibytes("Rss:   3 kB\n", "Pss:").is_err());
    }
}
