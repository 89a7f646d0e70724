//! What the commands say while they work: what is being done, and how long it took. On standard error, so that output stays
//! output; colour only on a terminal.

use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// How a piece of work ended, for its closing line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// It did not.
    Failed,
    /// It could not be done here, and that is no defect.
    Skipped,
}

/// A piece of work under way; says what when made and how long it took when ended.
pub struct Work {
    name: String,
    start: Instant,
}

impl Work {
    /// Says that `name` begins.
    pub fn begin(name: impl Into<String>) -> Work {
        let name = name.into();
        anstream::eprintln!("{BOLD}==>{BOLD:#} {name}");
        Work { name, start: Instant::now() }
    }

    /// Says that it ended, how, and after how long.
    pub fn end(self, outcome: Outcome) -> Duration {
        let took = self.start.elapsed();
        let (style, word) = match outcome {
            Outcome::Done => (GOOD, "done"),
            Outcome::Failed => (BAD, "failed"),
            Outcome::Skipped => (BOLD, "skipped"),
        };
        anstream::eprintln!("{style}<=={style:#} {}: {word} {DIM}({}){DIM:#}", self.name, seconds(took));
        took
    }
}

/// Does `work` between a line that says what begins and one that says how long it took.
pub fn step<T>(name: impl Into<String>, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let progress = Work::begin(name);
    let result = work();
    progress.end(if result.is_ok() { Outcome::Done } else { Outcome::Failed });
    result
}

/// One line about what is found or decided on the way.
pub fn note(text: impl AsRef<str>) {
    anstream::eprintln!("    {}", text.as_ref());
}

/// The sentence a command ends with when it could not go on.
pub fn error(error: &anyhow::Error) {
    anstream::eprintln!("{BAD}error:{BAD:#} {error:#}");
}

/// The style of a word that says `outcome`.
pub fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Done => GOOD,
        Outcome::Failed => BAD,
        Outcome::Skipped => BOLD,
    }
}

/// `12.3 s`, or `2 min 5 s` from a minute up.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}
