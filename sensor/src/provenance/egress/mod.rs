//! The egress ledger: bytes out, for each workload identity and destination, and for all undeclared destinations together; over
//! 10 minutes, a day and 30 days; what was initiated and what was accepted apart.
//!
//! What arrives: reports of flows and growths of the kernel's counters (`channel` makes one number of both); what an event then
//! carries is in [`crate::event::Egress`]. Every protocol over IP is in it, loopback is not.
//!
//! Bounded, and nothing that was counted is forgotten by being crowded out: destinations for which there is no room are merged into
//! one row of their account, and the sums over all undeclared destinations are kept apart from the rows, so that a million
//! destinations change nothing about them. No clock and no I/O: time is that of the events, and what was on disk arrives as one.

mod account;
mod channel;
mod destination;
mod ledger;
mod window;

#[cfg(test)]
mod tests;

pub use account::account_of;
pub use destination::{Destination, destination_of};
pub use ledger::{Counts, Ledger, Limits};
