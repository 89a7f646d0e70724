//! Incidents: alerts that share provenance, told as one that grows.
//!
//! [`Incidents`] takes every alert that was raised. [`links_of`] says by what it hangs together with others; the incident that has
//! one of these links takes it in, or a new one is opened, and an alert that has links of two makes one of them: the older id stays.
//! What an incident is about ([`Incident`]) is kept in bounded lists, how bad it is follows from [`scale`], and when that
//! is more than its alerts said by themselves, a [`Record`](Incident::record) of it is told. A pure function of the alerts,
//! like the rest of the line. How two alerts are joined is `key.rs`'s; nothing about rules or delivery lives here.
//!
//! A person gets, of an incident with one rule, its alert and nothing else; with a second rule, one record; then one record a
//! rise. Alerts of a rule that the incident has told already, with no source, destination or level that is new, are counted and
//! not told, for [`REMIND`] at most.

mod content;
mod deed;
mod key;
mod list;
mod part;
mod record;
pub mod scale;
mod sentence;
mod state;
mod table;

#[cfg(test)]
mod tests;

pub use content::Incident;
pub use deed::{Deed, Object};
pub use key::{Key, Links, links_of};
pub use list::List;
pub use part::{Destination, Participant, Role, Roles, Source, Told};
pub use record::Record;
pub use table::{Incidents, Limits, QUIET, REMIND, Statistics};

use super::{Alert, Enrichment, Uid};
use crate::detection::Level;

/// What leaves the line for people.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A rule found something.
    Alert(Box<Alert>),
    /// Several of them are one incident, which is worse than was said before, or has grown.
    Incident(Box<Incident>),
    /// What the container of an alert is that was told before.
    Enrichment(Box<Enrichment>),
}

impl Notice {
    /// The alert, if it is one.
    pub fn alert(&self) -> Option<&Alert> {
        match self {
            Notice::Alert(alert) => Some(alert),
            Notice::Incident(_) | Notice::Enrichment(_) => None,
        }
    }

    /// The incident, if it is one.
    pub fn incident(&self) -> Option<&Incident> {
        match self {
            Notice::Alert(_) | Notice::Enrichment(_) => None,
            Notice::Incident(incident) => Some(incident),
        }
    }
}

/// The incident that an alert is part of, as it is with the alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Which one (`weir.incident.id`).
    pub uid: Uid,
    /// How bad all of it is (`weir.incident.level`).
    pub level: Level,
}
