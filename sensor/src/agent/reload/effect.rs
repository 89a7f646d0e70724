//! Which rules, policy and classes are in effect, since when, and why the last ones were not taken.

use super::{Fresh, Refused};
use crate::detection::RuleSet;
use crate::event::{BootTime, Reloaded};
use crate::policy::Policy;
use crate::provenance::ClassTable;
use crate::provenance::content::ContentClasses;

/// What is in effect.
#[derive(Clone, Debug)]
pub struct InEffect {
    /// As the last event of a reload said, or would have at the start.
    pub what: Reloaded,
    /// Since when.
    pub since: BootTime,
    /// How often others came into effect since the start.
    pub reloads: u64,
    /// The last ones that were refused, and when, if none were read since that are right.
    pub refused: Option<(BootTime, Refused)>,
    contents: ContentClasses,
}

/// What a reading of the files is compared with.
#[derive(Clone, Debug)]
pub struct Versions {
    /// Of the rule set.
    pub rules: Box<str>,
    /// Of the policy, if there is one.
    pub policy: Option<Box<str>>,
    /// Of the classes.
    pub classes: Box<str>,
    /// Which format is in which class.
    pub contents: ContentClasses,
}

impl InEffect {
    /// At the start.
    pub fn new(rules: &RuleSet, policy: &Policy, classes: &ClassTable, now: BootTime) -> InEffect {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let what = Reloaded {
            ruleset: (**rules.digest()).into(),
            rules: count(rules.rule_count()),
            filters: count(rules.filter_count()),
            policy: policy.digest().map(|digest| (**digest).into()),
            classes: classes.version().into(),
        };
        InEffect { what, since: now, reloads: 0, refused: None, contents: classes.contents() }
    }

    pub(super) fn versions(&self) -> Versions {
        let Reloaded { ruleset, policy, classes, .. } = self.what.clone();
        Versions { rules: ruleset, policy, classes, contents: self.contents.clone() }
    }

    /// Others take effect.
    pub fn replaced_by(&mut self, fresh: &Fresh, now: BootTime) {
        (self.what, self.since, self.refused) = (fresh.reload.event().clone(), now, None);
        self.reloads += 1;
        if let Some(contents) = &fresh.contents {
            self.contents = contents.clone();
        }
    }
}
