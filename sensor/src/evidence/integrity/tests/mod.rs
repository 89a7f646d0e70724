//! Stores that are whole, and stores that somebody has been at.

mod guard;
pub(crate) mod store;
mod tampering;
mod whole;
