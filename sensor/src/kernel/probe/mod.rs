//! What this machine offers to the sensor, for `weir doctor`: each thing with what it means and what to do about it.
//!
//! What files tell is read below given roots, so that a test can fake them; what only trying tells is in `tries`.

mod files;
#[cfg(test)]
mod tests;
mod tries;

use std::path::PathBuf;

/// How well a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// As it should be.
    Ok,
    /// Not there, and nothing that Weir does needs it.
    Unused,
    /// The sensor runs, and sees less or costs more.
    Degraded,
    /// The sensor cannot run.
    Missing,
}

impl State {
    /// The word in output.
    pub const fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Unused => "unused",
            State::Degraded => "degraded",
            State::Missing => "missing",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What, in a word or two; stable.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What that means, one sentence.
    pub meaning: String,
    /// What to do about it, one sentence; nothing if all is well.
    pub mend: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, meaning: impl Into<String>) -> Finding {
        Finding { name, state: State::Ok, meaning: meaning.into(), mend: None }
    }

    fn not(name: &'static str, state: State, meaning: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { name, state, meaning: meaning.into(), mend: Some(mend.into()) }
    }
}

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which a person would look.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst state of any finding: `Ok` or `Unused`: all is well; `Missing`: the sensor will not start.
    pub fn worst(&self) -> State {
        self.findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok)
    }

    /// How many findings are in that state.
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
    /// `/`, to which mount points are relative.
    pub root: PathBuf,
}

impl Default for Roots {
    fn default() -> Roots {
        Roots { proc: "/proc".into(), sys: "/sys".into(), root: "/".into() }
    }
}

/// Looks at this machine. Loads three tiny programs that do nothing, and leaves nothing behind.
pub fn probe() -> Report {
    let mut findings = files::probe(&Roots::default());
    findings.extend(tries::probe());
    Report { findings }
}
