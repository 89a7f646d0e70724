//! The whole line, told in events.

mod recognition;
mod reload;
mod sums;
