//! What came of a scenario, and how it is printed: as Rust's test harness does, or as JSON lines.

use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// An attack was told, and all that was said is true.
    Detected,
    /// It was told, and something that was said is not true.
    Wrong,
    /// It was not told.
    Missed,
    /// A look-alike was not told, rightly.
    Silent,
    /// It was told.
    Loud,
    /// The scenario itself did not go as it should.
    Broken,
    /// The machine does not offer what it takes.
    Skipped,
}

impl Status {
    /// For people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Status::Detected => "detected",
            Status::Wrong => "wrong",
            Status::Missed => "missed",
            Status::Silent => "silent",
            Status::Loud => "loud",
            Status::Broken => "broken",
            Status::Skipped => "skipped",
        }
    }

    fn is_good(self) -> bool {
        matches!(self, Status::Detected | Status::Silent | Status::Skipped)
    }
}

/// What an alert says, and whether it is true; `None` where nothing is to be said.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub seconds: Option<Duration>,
    pub rule: String,
    /// How it travelled, as told.
    pub carriers: Vec<String>,
    /// Whether the sender is said to hold it, or somebody in its workload (`weir.held.by`).
    pub held_by: Option<String>,
    pub bytes_told: Option<u64>,
    pub bytes_true: u64,
    pub bytes: Option<bool>,
    pub source: Option<bool>,
    pub reader: Option<bool>,
    pub sender: Option<bool>,
    pub destination: Option<bool>,
}

impl Facts {
    /// Of an attack that nobody told of.
    pub fn missed(bytes_true: u64) -> Facts {
        Facts { bytes_true, ..Facts::default() }
    }

    fn all(&self) -> [(&'static str, Option<bool>); 5] {
        [
            ("the destination", self.destination),
            ("the file", self.source),
            ("the reader", self.reader),
            ("the sender", self.sender),
            ("the bytes", self.bytes),
        ]
    }

    /// How many are right; the destination, without which it is another alert, before all.
    pub fn right(&self) -> usize {
        let right = self.all().iter().filter(|(_, right)| *right == Some(true)).count();
        right + if self.destination == Some(false) { 0 } else { 10 }
    }

    /// Names of those that are not.
    pub fn wrong(&self) -> Vec<&'static str> {
        self.all().iter().filter(|(_, right)| *right == Some(false)).map(|(name, _)| *name).collect()
    }
}

/// One scenario of one run.
#[derive(Clone, Debug)]
pub struct Row {
    /// `attacks` or `benign`.
    pub target: &'static str,
    /// The policy's name.
    pub run: &'static str,
    pub name: &'static str,
    pub about: &'static str,
    pub status: Status,
    pub facts: Facts,
    /// What was said, or went wrong.
    pub why: String,
    /// What was wrong at the first try, where this is the second.
    pub first_try: Option<String>,
}

impl Row {
    fn full_name(&self) -> String {
        format!("{}::{}", self.run, self.name)
    }

    fn json(&self) -> Value {
        let facts = &self.facts;
        json!({
            "target": self.target,
            "run": self.run,
            "scenario": self.name,
            "about": self.about,
            "status": self.status.name(),
            "good": self.status.is_good(),
            "seconds": facts.seconds.map(|time| time.as_secs_f64()),
            "rule": facts.rule,
            "carriers": facts.carriers,
            "held_by": facts.held_by,
            "bytes_told": facts.bytes_told,
            "bytes_true": facts.bytes_true,
            "bytes_ok": facts.bytes,
            "reader_ok": facts.reader,
            "sender_ok": facts.sender,
            "source_ok": facts.source,
            "destination_ok": facts.destination,
            "why": self.why,
            "first_try": self.first_try,
        })
    }
}

/// Prints rows; whether all are good.
pub fn print(rows: &[Row], as_json: bool, took: Duration) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let good = rows.iter().all(|row| row.status.is_good());
    if as_json {
        for row in rows {
            writeln!(out, "{}", row.json())?;
        }
        return Ok(good);
    }
    writeln!(out, "\nrunning {} tests", rows.len())?;
    for row in rows {
        let word = match row.status {
            Status::Skipped => format!("ignored, {}", row.why.replace('\n', " ")),
            status if status.is_good() => "ok".into(),
            _ => "FAILED".into(),
        };
        writeln!(out, "test {} ... {word}", row.full_name())?;
    }
    for row in rows {
        if let Some(why) = &row.first_try {
            writeln!(out, "note: {} was played twice; the first time: {why}", row.full_name())?;
        }
    }
    let failed: Vec<&Row> = rows.iter().filter(|row| !row.status.is_good()).collect();
    if !failed.is_empty() {
        writeln!(out, "\nfailures:\n")?;
        for row in &failed {
            writeln!(out, "---- {} stdout ----\n{}: {}\n", row.full_name(), row.status.name(), row.why)?;
        }
        writeln!(out, "\nfailures:")?;
        for row in &failed {
            writeln!(out, "    {}", row.full_name())?;
        }
    }
    let skipped = rows.iter().filter(|row| row.status == Status::Skipped).count();
    let (word, passed) = (if good { "ok" } else { "FAILED" }, rows.len() - failed.len() - skipped);
    let seconds = took.as_secs_f64();
    writeln!(
        out,
        "\ntest result: {word}. {passed} passed; {} failed; {skipped} ignored; 0 measured; 0 filtered out; finished in {seconds:.2}s\n",
        failed.len()
    )?;
    Ok(good)
}
