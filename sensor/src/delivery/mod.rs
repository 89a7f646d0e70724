//! Getting out what the line found: to the console and to collectors.
//!
//! Here is everything that turns events and alerts into bytes for somebody, and nothing that decides what is worth telling.
//! Text that came from events is escaped here, for the output it goes to.

mod console;
pub mod health;
mod json;
pub mod ocsf;
pub mod otlp;
pub mod outbox;
pub mod spool;

#[cfg(test)]
mod tests;

pub use console::{Console, ConsoleFormat, Format, OutputError};
pub use json::EventRecord;
