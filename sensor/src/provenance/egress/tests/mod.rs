//! The ledger: its clocks against a naive reference, and what it says of flows and counters.

mod long;
mod destination;
mod ledger;
mod scene;
mod window;
