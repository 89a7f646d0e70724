//! What a rule found.

use super::Rule;
use crate::event::{BootTime, Event};
use std::sync::Arc;

/// A rule holds, and these events show it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: Arc<Rule>,
    /// When: the time of the deciding event.
    pub time: BootTime,
    /// The event with which the rule came to hold.
    pub decisive: Arc<Event>,
    /// All events kept as proof, in order, the first of the episode at the front and the decisive one at the end.
    pub evidence: Vec<Evidence>,
    /// For a correlation: its group-by names and this group's values, in the rule's order.
    pub group: Arc<[(Box<str>, Box<str>)]>,
    /// For a correlation: the rule held for this group before, and no timespan has passed since without it; nothing new began.
    pub continued: bool,
    /// For a counting correlation: its count or sum in the window.
    pub measure: Option<u128>,
}

/// An event as proof.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What the rule that it matched is called in the correlation: its `name`, else its id.
    pub rule_name: Arc<str>,
    /// The event.
    pub event: Arc<Event>,
}
