//! What holding the rules against an event costs, and what a correlation keeps when it is flooded: asks the example `rules_rate` of
//! the sensor, which has the events.

use crate::{host, ui};
use anyhow::{Context, Result, bail, ensure};
use std::process::Stdio;

pub const NAME: &str = "rules";

/// What it said.
#[derive(Default)]
pub struct Rules {
    pub rates: Vec<Rate>,
    pub flood: Option<Flood>,
}

/// One set of rules and kind of events.
pub struct Rate {
    pub what: String,
    pub rules: u64,
    /// For one event, on one core.
    pub nanoseconds: f64,
}

impl Rate {
    /// The most that an event is to cost: most are of no interest to any rule, one in a hundred is of some.
    pub fn aim(&self) -> Option<f64> {
        match self.what.as_str() {
            "shipped: one in a hundred matches" => Some(1_000.0),
            "500: one in a hundred matches" => Some(5_000.0),
            _ => None,
        }
    }
}

/// A correlation that is grouped by what an attacker chooses, a million times another value.
pub struct Flood {
    pub kept: u64,
    /// By which the process grew.
    pub bytes: u64,
    pub nanoseconds: f64,
}

/// Builds and runs it.
pub fn run() -> Result<Rules> {
    ui::step("rules held against events: the example rules_rate", || {
        let mut cargo = host::cargo();
        cargo.args(["run", "--locked", "--quiet", "--release", "--package", "sensor", "--example", "rules_rate"]);
        let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        ensure!(output.status.success(), "the example rules_rate failed, see above");
        let mut rules = Rules::default();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match (rate(line), flood(line)) {
                (Some(rate), _) => rules.rates.push(rate),
                (None, Some(flood)) => rules.flood = Some(flood),
                (None, None) => bail!("rules_rate said {line:?}, which has no numbers in it"),
            }
        }
        Ok(rules)
    })
}

/// `shipped: nothing matches    20 rules    240 ns/event`
fn rate(line: &str) -> Option<Rate> {
    let (what, _) = line.split_once("  ")?;
    Some(Rate {
        what: what.to_owned(),
        rules: number(line, "rules")?.parse().ok()?,
        nanoseconds: number(line, "ns/event")?.parse().ok()?,
    })
}

/// `flood of 1000000 groups: 2048 kept 3145728 bytes 900 ns/event`
fn flood(line: &str) -> Option<Flood> {
    Some(Flood {
        kept: number(line, "kept")?.parse().ok()?,
        bytes: number(line, "bytes")?.parse().ok()?,
        nanoseconds: number(line, "ns/event")?.parse().ok()?,
    })
}

/// The word before `unit`.
fn number<'l>(line: &'l str, unit: &str) -> Option<&'l str> {
    let mut before = None;
    for word in line.split_whitespace() {
        if word == unit {
            return before;
        }
        before = Some(word);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_example_says_is_read() {
        let found = rate("shipped: one in a hundred matches         20 rules    240 ns/event").unwrap();
        assert_eq!((&*found.what, found.rules, found.nanoseconds), ("shipped: one in a hundred matches", 20, 240.0));
        assert_eq!(found.aim(), Some(1_000.0));
        let found = flood("flood of 1000000 groups: 2048 kept 3145728 bytes 900 ns/event").unwrap();
        assert_eq!((found.kept, found.bytes, found.nanoseconds), (2048, 3_145_728, 900.0));
        assert!(rate("flood of 1000000 groups: 2048 kept 3145728 bytes 900 ns/event").is_none());
    }
}
