//! Round, record and metrics on events and snapshots made by hand.

mod canary;
mod coverage;
mod metrics;
