//! How fast records of the ring become events: asks the example `decode_rate` of the sensor, which has the records.

use crate::{host, ui};
use anyhow::{Context, Result, bail, ensure};
use std::process::Stdio;

pub const NAME: &str = "decode";

/// One kind of record.
pub struct Rate {
    pub record: String,
    /// Its size in the ring.
    pub bytes: u64,
    /// For one event, on one core.
    pub nanoseconds: f64,
}

impl Rate {
    /// Millions of events a second on one core.
    pub fn millions(&self) -> f64 {
        1e3 / self.nanoseconds
    }
}

/// Builds and runs it.
pub fn run() -> Result<Vec<Rate>> {
    ui::step("decoding records: the example decode_rate", || {
        let mut cargo = host::cargo();
        cargo.args(["run", "--locked", "--quiet", "--release", "--package", "sensor", "--example", "decode_rate"]);
        let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        ensure!(output.status.success(), "the example decode_rate failed, see above");
        String::from_utf8_lossy(&output.stdout).lines().map(parse).collect()
    })
}

/// `open, 6 components    368 bytes     98 ns/event  10.20 M/s`
fn parse(line: &str) -> Result<Rate> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |unit: &str| {
        let at = words.iter().position(|word| *word == unit).context(unit.to_owned())?;
        let word = words.get(at.wrapping_sub(1)).context(unit.to_owned())?;
        Ok::<_, anyhow::Error>((at - 1, word.parse::<f64>()?))
    };
    let read = || {
        let (at, bytes) = number("bytes")?;
        let record = words.get(..at).unwrap_or_default().join(" ");
        Ok::<_, anyhow::Error>(Rate { record, bytes: bytes as u64, nanoseconds: number("ns/event")?.1 })
    };
    match read() {
        Ok(rate) => Ok(rate),
        Err(error) => bail!("decode_rate said {line:?}, which has no rate in it: {error}"),
    }
}
