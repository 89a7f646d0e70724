//! A rule as the rest of the agent sees it: what it is called, how bad it is, what to say. How it matches is the engine's.

use super::template::Template;
use super::{Category, Place};
use crate::event::Field;
use rsigma_parser::CorrelationType;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A detection or correlation rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The UUID, as written.
    pub id: Box<str>,
    /// What correlations, templates and evidence call it: its `name`, else its id.
    pub name: Arc<str>,
    /// A few words.
    pub title: Box<str>,
    /// What it finds and how sure that is; may be empty.
    pub description: Box<str>,
    /// How bad it is.
    pub level: Level,
    /// ATT&CK technique ids, `T1048.003`.
    pub attack: Box<[Box<str>]>,
    /// ATT&CK tactics, as Sigma's tags name them: `command-and-control`.
    pub tactics: Box<[Box<str>]>,
    /// The ATT&CK version that the ids are from; empty if the rule does not say.
    pub attack_version: Box<str>,
    /// ATLAS technique ids, `AML.T0025`.
    pub atlas: Box<[Box<str>]>,
    /// The ATLAS version that the ids are from; empty if the rule does not say.
    pub atlas_version: Box<str>,
    /// What commonly causes it innocently (Sigma's `falsepositives`).
    pub innocent_causes: Box<[Box<str>]>,
    /// What to do first.
    pub first_steps: Box<[Box<str>]>,
    /// The sentence that its alert says.
    pub sentence: Template,
    /// What its alert is about: findings with the same values are the same alert. For a correlation its group is.
    pub subject: Box<[Field]>,
    /// For how long, in event time, the same is not said again.
    pub suppress: Duration,
    /// What it is held against.
    pub logic: Logic,
    /// Whether it raises alerts of its own; not if it only is a part of a correlation without `generate: true`.
    pub raises: bool,
    /// Where it is written.
    pub place: Place,
}

/// What a rule is held against.
#[derive(Clone, Debug, PartialEq)]
pub enum Logic {
    /// Single events.
    Detection(Category),
    /// Matches of other rules.
    Correlation {
        /// How they have to come together.
        kind: CorrelationType,
        /// Their names.
        rules: Box<[Arc<str>]>,
    },
}

/// How bad it is, as in Sigma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the record only.
    #[default]
    Informational,
    /// Worth a look together with others.
    Low,
    /// Worth a look.
    Medium,
    /// Needs an answer today.
    High,
    /// Needs an answer now.
    Critical,
}

impl Level {
    /// The name in rules and output.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Informational => "informational",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }
}

impl From<rsigma_parser::Level> for Level {
    fn from(level: rsigma_parser::Level) -> Level {
        match level {
            rsigma_parser::Level::Informational => Level::Informational,
            rsigma_parser::Level::Low => Level::Low,
            rsigma_parser::Level::Medium => Level::Medium,
            rsigma_parser::Level::High => Level::High,
            rsigma_parser::Level::Critical => Level::Critical,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
