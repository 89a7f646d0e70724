//! The whole line, told in events.

mod policy;
mod recognition;
mod reload;
mod sums;
