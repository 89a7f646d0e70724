//! Sigma filters: conditions that are added to rules without editing them.
//!
//! A filter is held against an event only once a rule has matched it, and says then whether the match stands. It is not
//! woven into the rule: so the matches that it takes can be counted, and its selectors cannot reach the rule's own names.

use super::identity::Identity;
use rsigma_eval::CompiledRule;
use std::sync::Arc;

/// A filter that was found right.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The UUID, as written.
    pub id: Box<str>,
    /// A few words.
    pub title: Arc<str>,
    /// Its condition: a match stands if it holds.
    pub compiled: CompiledRule,
    /// What it comes to.
    pub identity: Identity,
}
