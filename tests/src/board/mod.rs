//! The board: scenarios, played in containers under one running sensor, and what the sensor said of them against what is true.
//!
//! A scenario ([`Scenario`]) is a function that plays on a stage of its own ([`Stage`]: containers, a network, a sink, weights) and
//! returns the truth ([`Expected`]), which the stage has checked against the sink. All scenarios of a run share one sensor and
//! are told apart by their containers. What was said is compared afterwards ([`verdict`]): an attack has to be told at high or
//! above with its file, reader, sender, destination and bytes; a look-alike must not be told at medium or above.
//!
//! [`main`] is the whole of a test target: it speaks as Rust's test harness does, or in JSON for `cargo xtask scoreboard`.

mod alerts;
mod expected;
mod policy;
mod report;
mod runner;
mod stage;
mod verdict;

pub use expected::{Expected, Played, Trouble};
pub use runner::main;
pub use stage::{Has, MODEL, Skip, Stage, World};

/// With which policy the sensor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The small one of the scenarios: what is declared there.
    Small,
    /// None: the rules as shipped.
    None,
}

impl Policy {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Small => "with_policy",
            Policy::None => "without_policy",
        }
    }
}

/// One scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name: unique on the board.
    pub name: &'static str,
    /// What it is about, for the table: how the bytes travel and leave, or what it looks like.
    pub about: &'static str,
    /// Plays it.
    pub play: fn(&mut Stage) -> Result<Played, Trouble>,
    /// Nothing else is played meanwhile.
    pub alone: bool,
}

impl Scenario {
    /// One that is played while others are.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        play: fn(&mut Stage) -> Result<Played, Trouble>,
    ) -> Scenario {
        Scenario { name, about, play, alone: false }
    }

    /// The same, played alone: it does things to the whole machine.
    pub const fn alone(self) -> Scenario {
        Scenario { alone: true, ..self }
    }
}
