//! The sensor on the running kernel: do the thing, expect the event, account for all.
//!
//! An actor says what it did; the sensor's events must say the same.

mod accounting;
mod identity;
mod network;
mod opens;
