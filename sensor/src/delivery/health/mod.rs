//! The sensor's own health, told to others: so that its silence means something.
//!
//! Everything here is made from one [`Snapshot`], which `weir status` shows as well: the [`Coverage`] record, which says at every
//! interval what was watched, seen and lost, and whether the [`canary`] came out at the end of the line; and the [`metrics`], which
//! the OpenTelemetry SDK exports on a thread of its own ([`export`]). Nothing here decides what is worth telling of what others do.

pub mod canary;
mod client;
mod coverage;
pub mod export;
pub mod metrics;
mod snapshot;

#[cfg(test)]
mod tests;

pub use coverage::{Coverage, Occasion, Record};
pub use snapshot::{Canaries, Counts, Delivery, Passed, Program, RingUse, Snapshot, Usage};
