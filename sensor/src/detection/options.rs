//! How a rule set is read, and what is said of it besides that it is right.

use super::fault::{Place, Problem};
use crate::policy::Policy;
use std::sync::Arc;

/// How a rule set is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A rule that is right but asks for what Weir does not have (log source, field, part of Sigma) is left out and told of in
    /// [`RuleSet::left_out`](super::RuleSet::left_out), so that a mixed collection can be used; otherwise it refuses the set.
    pub allow_unsupported: bool,
    /// Lists from elsewhere than list files, the policy for one. They replace those of the same name.
    pub lists: Vec<NamedList>,
}

impl Options {
    /// The same, with the lists of a policy.
    #[must_use]
    pub fn with_policy(mut self, policy: &Policy) -> Options {
        let list = |(name, values): (&str, &[Box<str>])| NamedList {
            name: name.into(),
            file: policy.file().clone(),
            values: values.iter().map(|value| (0, value.clone())).collect(),
        };
        self.lists.extend(policy.lists().map(list));
        self
    }
}

/// A list that is in no file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedList {
    /// What rules call it, without the percent signs.
    pub name: Box<str>,
    /// The file that it is written in, for what is told of it.
    pub file: Arc<str>,
    /// Its values, each with its line (from 1; 0 if not known).
    pub values: Vec<(u32, Box<str>)>,
}

/// A rule, correlation or filter that was left out, since it asks for what Weir does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its title.
    pub title: Box<str>,
    /// Its id.
    pub id: Box<str>,
    /// Why: at least one.
    pub reasons: Vec<Problem>,
}

/// Something that whoever keeps the rules should know, and that is no mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub place: Place,
    /// One sentence.
    pub text: String,
}
