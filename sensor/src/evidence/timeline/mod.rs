//! Timelines: what happened around something, cut out of a [`super::source::Source`] and written for people and other tools.
//!
//! [`model`] is what a timeline says, whatever it is written as.

pub mod model;
